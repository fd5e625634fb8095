//! The same conversations over IPv6.

use std::net::{Ipv6Addr, SocketAddrV4, SocketAddrV6};

use etherparse::PacketBuilder;
use failover_common::reason::Reason;

use crate::{
    fixture::{Action, Fixture, leave, rewritten},
    frame::Raw,
    network::*,
};

const INVITE: &[u8] = b"INVITE sip:1001@paris.example SIP/2.0\r\n\r\n";
/// Where the header of IPv6 starts, and what it carries.
const IP: usize = 14;
const PAYLOAD: usize = 54;
const UDP: u8 = 17;

pub fn fixtures() -> Vec<Fixture> {
    [both_ways(), by_the_kernel(), in_fragments(), errors(), untouched()].concat()
}

/// A frame with the addresses of IPv6, and the MAC addresses of those who stand for them.
#[derive(Clone)]
struct Six {
    from: SocketAddrV6,
    to: SocketAddrV6,
    macs: ([u8; 6], [u8; 6]),
    hops: u8,
    ingress: u8,
}

/// As the router receives it.
fn between(from: SocketAddrV4, to: SocketAddrV4) -> Six {
    let ingress = subnet(*from.ip());
    Six { from: six(from), to: six(to), macs: (mac(*from.ip()), router_mac(ingress)), hops: 64, ingress }
}

impl Six {
    /// As the router sends it to `next`.
    fn leaving(mut self, next: SocketAddrV4) -> Self {
        self.macs = (router_mac(subnet(*next.ip())), mac(*next.ip()));
        self.hops -= 1;
        self
    }

    fn udp(&self) -> Raw {
        self.carrying(|builder, bytes| {
            builder.udp(self.from.port(), self.to.port()).write(bytes, INVITE).unwrap();
        })
    }

    fn tcp(&self) -> Raw {
        self.carrying(|builder, bytes| {
            builder.tcp(self.from.port(), self.to.port(), 7, 64_240).syn().write(bytes, b"").unwrap();
        })
    }

    /// Destination unreachable, port unreachable (RFC 4443 §3.1), about all of `quote`.
    fn unreachable(&self, quote: &Raw) -> Raw {
        self.carrying(|builder, bytes| {
            builder.icmpv6_raw(1, 4, [0; 4]).write(bytes, &quote.bytes[IP..]).unwrap();
        })
    }

    fn carrying(
        &self,
        write: impl FnOnce(etherparse::PacketBuilderStep<etherparse::IpHeaders>, &mut Vec<u8>),
    ) -> Raw {
        let builder = PacketBuilder::ethernet2(self.macs.0, self.macs.1).ipv6(
            self.from.ip().octets(),
            self.to.ip().octets(),
            self.hops,
        );
        let mut bytes = Vec::new();
        write(builder, &mut bytes);
        Raw { bytes, ingress: self.ingress }
    }
}

/// `headers` between the IP header and what it carries; `first` is the number of the first one.
fn behind(raw: &Raw, first: u8, headers: &[u8]) -> Raw {
    let mut raw = raw.clone();
    raw.bytes[IP + 6] = first;
    drop(raw.bytes.splice(PAYLOAD..PAYLOAD, headers.iter().copied()));
    resized(raw)
}

fn resized(mut raw: Raw) -> Raw {
    let length = (raw.bytes.len() - PAYLOAD) as u16;
    raw.bytes[IP + 4..IP + 6].copy_from_slice(&length.to_be_bytes());
    raw
}

fn gives(name: &str, sent: Raw, expected: &Raw, reason: Reason) -> Fixture {
    let kernel = matches!(reason, Reason::SteeredByKernel | Reason::ReturnedByKernel);
    let action = if kernel { Action::Pass } else { Action::Redirect };
    rewritten(name, sent, expected.bytes.clone()).by(action, reason).about(PARIS)
}

fn both_ways() -> Vec<Fixture> {
    let (to, from) = (between(PHONE, PARIS), between(PARIS_BACKUP, PHONE));
    let steered = between(PHONE, PARIS_BACKUP).leaving(PARIS_BACKUP);
    let returned = between(PARIS, PHONE).leaving(PHONE);
    let far = between(PARIS, FAR_PHONE).leaving(FAR_PHONE);
    let shared = between(LYON, PHONE).leaving(PHONE);
    vec![
        gives("INVITE to a dead primary", to.udp(), &steered.udp(), Reason::Steered),
        gives("SYN to a dead primary", to.tcp(), &steered.tcp(), Reason::Steered),
        gives("the backup answers", from.udp(), &returned.udp(), Reason::Returned),
        gives("the backup answers a SYN", from.tcp(), &returned.tcp(), Reason::Returned),
        gives("far away", between(PARIS_BACKUP, FAR_PHONE).udp(), &far.udp(), Reason::Returned),
        gives("a shared backup", between(SHARED, PHONE).udp(), &shared.udp(), Reason::Returned)
            .after(between(PHONE, LYON).udp())
            .about(LYON),
        leave("a shared backup, asked over IPv4", between(SHARED, PHONE).udp(), Reason::NoReturn)
            .after(crate::frame::udp(PHONE, LYON)),
        leave("a backup without IPv6", to.udp(), Reason::NoEndpoint).about(PARIS).while_serving(PARIS, 2),
    ]
}

fn by_the_kernel() -> Vec<Fixture> {
    let kept = |from, to| Six { macs: between(PHONE, PARIS).macs, ..between(from, to) };
    let (sent, steered) = (kept(PHONE, PARIS).udp(), kept(PHONE, PARIS_BACKUP).udp());
    let options = [UDP, 0, 1, 4, 0, 0, 0, 0];
    let mut routed = options;
    (routed[2], routed[3]) = (0, 1);
    let unresolved = kept(PHONE, UNRESOLVED_BACKUP).udp();
    vec![
        gives(
            "a hop-by-hop header is for every router to read",
            behind(&sent, 0, &options),
            &behind(&steered, 0, &options),
            Reason::SteeredByKernel,
        ),
        gives("a neighbour to be found", kept(PHONE, TO_UNRESOLVED).udp(), &unresolved, {
            Reason::SteeredByKernel
        })
        .about(TO_UNRESOLVED),
        leave("a routing header that is not at its end", behind(&sent, 43, &routed), Reason::IpOptions),
    ]
}

/// A first fragment (`true`) or a later one, whose headers go on with `next`.
fn piece(raw: &Raw, next: u8, first: bool, bytes: &[u8]) -> Raw {
    let mut raw = raw.clone();
    raw.bytes.truncate(PAYLOAD);
    raw.bytes.extend(bytes);
    let place = if first { 1 } else { 24 };
    behind(&raw, 44, &[next, 0, 0, place, 0, 0, 0x42, 0x42])
}

fn in_fragments() -> Vec<Fixture> {
    let steered = between(PHONE, PARIS_BACKUP).leaving(PARIS_BACKUP).udp();
    let sent = between(PHONE, PARIS).udp();
    let first = |of: &Raw| piece(of, UDP, true, &of.bytes[PAYLOAD..PAYLOAD + 24]);
    let later = |of: &Raw, next| piece(of, next, false, b"the rest");
    // A destination options header that was cut with the rest: every fragment names it, not UDP (RFC 8200 §4.5).
    let padded = |of: &Raw| {
        let options = [UDP, 0, 1, 4, 0, 0, 0, 0];
        piece(of, 60, true, &[&options[..], &of.bytes[PAYLOAD..PAYLOAD + 16]].concat())
    };
    let mut expired = first(&sent);
    expired.bytes[IP + 7] = 1;
    vec![
        gives("the first decides", first(&sent), &first(&steered), Reason::Steered),
        gives("the second follows", later(&sent, UDP), &later(&steered, UDP), Reason::Steered)
            .after(first(&sent)),
        gives("behind options", later(&sent, 60), &later(&steered, 60), Reason::Steered).after(padded(&sent)),
        leave("the second comes first", later(&sent, UDP), Reason::Fragment),
        leave("another first that passed", later(&sent, UDP), Reason::Fragment)
            .after(first(&sent))
            .after(expired),
    ]
}

fn errors() -> Vec<Fixture> {
    let at_backup = between(PHONE, PARIS_BACKUP).udp();
    let asked = between(PHONE, PARIS).udp();
    let about = Raw { bytes: [&at_backup.bytes[..IP], &asked.bytes[IP..]].concat(), ..at_backup.clone() };
    let told = between(PARIS, PHONE).leaving(PHONE).unreachable(&about);
    let (returned, sent) = (between(PARIS, PHONE).udp(), between(PARIS_BACKUP, PHONE).udp());
    let to_backup = between(PHONE, PARIS_BACKUP).leaving(PARIS_BACKUP).unreachable(&sent);
    let client = between(LYON, PARIS_BACKUP).udp();
    let client_told = between(PARIS, LYON).leaving(LYON).unreachable(&between(LYON, PARIS).udp());
    let reason = Reason::IcmpTranslated;
    vec![
        gives("nobody listens", between(PARIS_BACKUP, PHONE).unreachable(&at_backup), &told, reason),
        gives("the phone is gone", between(PHONE, PARIS).unreachable(&returned), &to_backup, reason),
        gives(
            "nobody listens to a target that is a client",
            between(PARIS_BACKUP, LYON).unreachable(&client),
            &client_told,
            reason,
        )
        .while_serving(LYON, 0),
    ]
}

fn untouched() -> Vec<Fixture> {
    let sent = between(PHONE, PARIS);
    let from = |ip: Ipv6Addr| Six { from: SocketAddrV6::new(ip, 5060, 0, 0), ..sent.clone() }.udp();
    let mapped = |of: SocketAddrV4| SocketAddrV6::new(of.ip().to_ipv6_mapped(), of.port(), 0, 0);
    let mut unsummed = sent.udp();
    unsummed.bytes[PAYLOAD + 6..PAYLOAD + 8].fill(0);
    vec![
        leave("the hop limit ends", Six { hops: 1, ..sent.clone() }.udp(), Reason::TtlExpired).about(PARIS),
        leave("UDP without a checksum", unsummed, Reason::MalformedL4),
        leave("from an IPv4-mapped address", from(*mapped(PHONE).ip()), Reason::MalformedIp),
        leave("to one", Six { to: mapped(PARIS), ..sent.clone() }.udp(), Reason::MalformedIp),
        leave("from a link-local address", from("fe80::1".parse().unwrap()), Reason::NoRoute).about(PARIS),
        leave("from a group", from("ff02::1".parse().unwrap()), Reason::NoRoute).about(PARIS),
        leave("the primary serves", sent.udp(), Reason::PrimaryServes).about(PARIS).while_serving(PARIS, 0),
    ]
}
