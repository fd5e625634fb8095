//! Packets to backups that carry the target's address themselves: by their MAC address (`l2`), or in an envelope (`ipip`).

use std::net::{Ipv4Addr, SocketAddrV4};

use etherparse::{Ipv4Header, PacketBuilder};
use failover_common::{entropy::flow_label, key::UDP, reason::Reason};

use crate::{
    fixture::{Action, Fixture, leave, rewritten},
    frame::{Frame, IP, Raw, tcp_data, tcp_syn, udp},
    network::*,
    shapes::{PORT_UNREACHABLE, error, in_vlans, pieces},
};

pub fn fixtures() -> Vec<Fixture> {
    [by_mac(), not_by_mac(), answers(), in_an_envelope(), not_in_an_envelope(), too_large(), kept_ways()]
        .concat()
}

/// As it leaves for the host of `next`: one hop further, and nothing else is another.
pub fn towards(frame: &Frame, next: SocketAddrV4) -> Frame {
    let mut gone = frame.clone().ttl(frame.ttl - 1);
    gone.macs.to = mac(*next.ip());
    gone.macs.from = router_mac(subnet(*next.ip()));
    gone
}

/// The same in an envelope from the router.
fn enveloped(frame: &Frame, next: SocketAddrV4, tos: u8) -> Vec<u8> {
    enveloped_bytes(&towards(frame, next).bytes(), next, tos)
}

fn enveloped_bytes(frame: &[u8], next: SocketAddrV4, tos: u8) -> Vec<u8> {
    in_envelope_from(Ipv4Addr::new(10, 88, subnet(*next.ip()), 1), frame, next, tos)
}

/// `frame` in an envelope of IPv4.
pub fn in_envelope_from(from: Ipv4Addr, frame: &[u8], next: SocketAddrV4, tos: u8) -> Vec<u8> {
    let length = u16::from_be_bytes([frame[IP + 2], frame[IP + 3]]);
    let mut ip = Ipv4Header::new(length, 64, 4.into(), from.octets(), next.ip().octets()).unwrap();
    ip.dont_fragment = true;
    ip.dscp = (tos >> 2).try_into().unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    [&frame[..IP], &ip.to_bytes(), &frame[IP..]].concat()
}

pub fn by_mac() -> Vec<Fixture> {
    let moved = |name: &str, sent: Frame| {
        let after = towards(&sent, TOURS_BACKUP).bytes();
        rewritten(name, sent.into(), after).about(TOURS)
    };
    let trunk = udp(PHONE_AMONG_BACKUPS, TOURS);
    let [first, second] = pieces(&udp(PHONE, TOURS).payload(&[b'x'; 600]), 400);
    let after = towards(&udp(PHONE, TOURS).payload(&[b'x'; 600]), TOURS_BACKUP);
    let [first_after, second_after] = pieces(&after, 400).map(|raw| raw.bytes);
    vec![
        moved("an INVITE by the backup's MAC address", udp(PHONE, TOURS)),
        moved("a SYN by the backup's MAC address", tcp_syn(PHONE, TOURS)),
        moved("data by the backup's MAC address", tcp_data(PHONE, TOURS).tos(0xbb)),
        moved("UDP that was not summed is not summed", udp(PHONE, TOURS).without_checksum()),
        moved("from a phone behind another router", udp(FAR_PHONE, TOURS)),
        moved("padded", udp(PHONE, TOURS).payload(b"").padded(18)),
        rewritten(
            "in a trunk that it leaves by",
            in_vlans(&trunk, &[7, 100]),
            in_vlans(&towards(&trunk, TOURS_BACKUP), &[7, 100]).bytes,
        )
        .about(TOURS),
        rewritten("a first fragment", first.clone(), first_after).about(TOURS),
        rewritten("a fragment that follows it", second, second_after).after(first).about(TOURS),
    ]
}

fn not_by_mac() -> Vec<Fixture> {
    let stays = |name: &str, sent: Frame, reason, serving| {
        leave(name, sent, reason).about(TOURS).while_serving(TOURS, serving)
    };
    let trunk = in_vlans(&udp(PHONE, TOURS), &[100]);
    let [_, second] = pieces(&udp(PHONE, TOURS).payload(&[b'x'; 600]), 400);
    vec![
        stays("a backup behind another router", udp(PHONE, TOURS), Reason::NotOnLink, 2),
        stays("a device that takes no redirected frames", udp(PHONE, TOURS), Reason::NotRedirectable, 3),
        stays("nobody knows the backup's MAC address", tcp_syn(PHONE, TOURS), Reason::NotRedirectable, 4),
        stays("the backup is the router itself", udp(PHONE, TOURS), Reason::NotRedirectable, 6),
        stays("the primary serves", udp(PHONE, TOURS), Reason::PrimaryServes, 0),
        stays("there is no such backup", udp(PHONE, TOURS), Reason::NoEndpoint, 7),
        stays("the TTL ends here", udp(PHONE, TOURS).ttl(1), Reason::TtlExpired, 1),
        stays("the backup itself asks", udp(TOURS_BACKUP, TOURS), Reason::BetweenServers, 1),
        stays("the phone's device does not forward", udp(DEAF_PHONE, TOURS), Reason::NoRoute, 1),
        leave("out of another device with a tag", trunk, Reason::NotRedirectable).about(TOURS),
        leave("a fragment whose first never came", second, Reason::Fragment),
    ]
}

/// What the backup says is the target's own, and what is said about it goes to the backup.
fn answers() -> Vec<Fixture> {
    let answer = udp(TOURS, PHONE).arriving_in(BACKUPS);
    let told = error(*PHONE.ip(), PHONES, PORT_UNREACHABLE, &answer, 28);
    let mut delivered = told.bytes.clone();
    delivered[..6].copy_from_slice(&mac(*TOURS_BACKUP.ip()));
    delivered[6..12].copy_from_slice(&router_mac(BACKUPS));
    delivered[IP + 8] -= 1;
    failover_tests::frames::seal_ipv4(&mut delivered[IP..]);
    vec![
        leave("an answer under the target's address", answer, Reason::NotOurs),
        leave("the backup speaks for itself", udp(TOURS_BACKUP, PHONE), Reason::NotOurs),
        rewritten("a phone's port is closed, which the backup hears", told, delivered).about(TOURS),
    ]
}

fn in_an_envelope() -> Vec<Fixture> {
    let trunk = udp(PHONE_AMONG_BACKUPS, DIJON);
    let in_trunk = |vlans| in_vlans(&towards(&trunk, DIJON_BACKUP), vlans).bytes;
    let tagged = in_trunk(&[100]);
    let inside = enveloped_bytes(&towards(&trunk, DIJON_BACKUP).bytes(), DIJON_BACKUP, 0);
    let [first, second] = pieces(&udp(PHONE, DIJON).payload(&[b'x'; 600]), 400);
    let after = towards(&udp(PHONE, DIJON).payload(&[b'x'; 600]), DIJON_BACKUP);
    let [first_after, second_after] =
        pieces(&after, 400).map(|raw| enveloped_bytes(&raw.bytes, DIJON_BACKUP, 0));
    let ends = |sent: Frame, tos| enveloped(&sent, DIJON_BACKUP, tos);
    let sent =
        |name: &str, sent: Frame, tos| rewritten(name, sent.clone().into(), ends(sent, tos)).about(DIJON);
    let mut far = enveloped(&udp(PHONE, DIJON), DIJON_FAR, 0);
    far[..6].copy_from_slice(&mac(*DIJON_FAR.ip()));
    vec![
        sent("an INVITE in an envelope", udp(PHONE, DIJON), 0),
        sent("a SYN in an envelope", tcp_syn(PHONE, DIJON), 0),
        sent("DSCP is copied, ECN is not", udp(PHONE, DIJON).tos(0xbb), 0xb8),
        sent("padding stays behind", udp(PHONE, DIJON).payload(b"").padded(18), 0),
        rewritten("to a backup behind another router", udp(PHONE, DIJON).into(), far)
            .about(DIJON)
            .while_serving(DIJON, 2),
        rewritten(
            "in an envelope in a trunk",
            in_vlans(&trunk, &[100]),
            [&tagged[..IP + 4], &inside[IP..]].concat(),
        )
        .about(DIJON),
        rewritten(
            "in an envelope in two trunks",
            in_vlans(&trunk, &[7, 100]),
            [&in_trunk(&[7, 100])[..IP + 8], &inside[IP..]].concat(),
        )
        .about(DIJON),
        rewritten("a first fragment in an envelope", first.clone(), first_after).about(DIJON),
        rewritten("a fragment in an envelope", second, second_after).after(first).about(DIJON),
        four_in_six("IPv4 in an envelope of IPv6", udp(PHONE, DIJON)),
        four_in_six("a frame in several buffers in an envelope", udp(PHONE, DIJON).payload(&[b'x'; 5000])),
        six_in_six(),
    ]
}

/// As the program tells flows apart: the addresses' words, the ports (0 in fragments), the protocol.
pub fn label(from: SocketAddrV4, to: SocketAddrV4, protocol: u8) -> u32 {
    let word = |socket: SocketAddrV4| u32::from_ne_bytes(socket.ip().octets());
    let ports = u32::from(from.port().to_be()) << 16 | u32::from(to.port().to_be());
    flow_label(&[0, 0xffff_u32.to_be(), word(from), word(to), ports, protocol.into()])
}

pub fn four_in_six(name: &str, sent: Frame) -> Fixture {
    let frame = towards(&sent, DIJON_SIX).bytes();
    let (router, backup) = (router(SECOND, false), six(DIJON_SIX));
    let std::net::IpAddr::V6(router) = router else { panic!("IPv6") };
    let mut ip = crate::wrap::ipv6(router.into(), (*backup.ip()).into(), 4, frame.len() - IP);
    ip.traffic_class = 0;
    ip.flow_label = label(PHONE, DIJON, UDP).try_into().unwrap();
    let after = [&frame[..12], &[0x86, 0xdd], &ip.to_bytes()[..], &frame[IP..]].concat();
    rewritten(name, sent.into(), after).about(DIJON).while_serving(DIJON, 3)
}

/// A datagram of IPv6 from the phone to DIJON.
fn datagram(macs: ([u8; 6], [u8; 6]), hops: u8, payload: &[u8]) -> Vec<u8> {
    let (from, to) = (six(PHONE), six(DIJON));
    let builder = PacketBuilder::ethernet2(macs.0, macs.1)
        .ipv6(from.ip().octets(), to.ip().octets(), hops)
        .udp(from.port(), to.port());
    let mut bytes = Vec::new();
    builder.write(&mut bytes, payload).unwrap();
    bytes
}

fn from_phone() -> ([u8; 6], [u8; 6]) {
    (mac(*PHONE.ip()), router_mac(PHONES))
}

pub fn six_in_six() -> Fixture {
    let sent = datagram(from_phone(), 64, b"INVITE");
    let frame = datagram((router_mac(BACKUPS), mac(*DIJON_BACKUP.ip())), 63, b"INVITE");
    let words = |address: std::net::Ipv6Addr| -> [u32; 4] {
        std::array::from_fn(|n| u32::from_ne_bytes(address.octets()[4 * n..4 * n + 4].try_into().unwrap()))
    };
    let ([a, b, c, d], [.., last]) = (words(*six(PHONE).ip()), words(*six(DIJON).ip()));
    let ports = u32::from(PHONE.port().to_be()) << 16 | u32::from(DIJON.port().to_be());
    let from = router(BACKUPS, false);
    let mut ip = crate::wrap::ipv6(from, (*six(DIJON_BACKUP).ip()).into(), 41, frame.len() - IP);
    ip.traffic_class = 0;
    ip.flow_label = flow_label(&[a ^ b, c, d, last, ports, 17]).try_into().unwrap();
    let after = [&frame[..IP], &ip.to_bytes()[..], &frame[IP..]].concat();
    rewritten("IPv6 in an envelope of IPv6", Raw { bytes: sent, ingress: PHONES }, after).about(DIJON)
}

fn not_in_an_envelope() -> Vec<Fixture> {
    let stays = |name: &str, reason, serving| {
        leave(name, udp(PHONE, DIJON), reason).about(DIJON).while_serving(DIJON, serving)
    };
    let six = Raw { bytes: datagram(from_phone(), 64, b"INVITE"), ingress: PHONES };
    vec![
        leave(
            "no device for a frame in several buffers",
            udp(PHONE, DIJON).payload(&[b'x'; 5000]),
            Reason::NotRedirectable,
        )
        .about(DIJON),
        stays("no device for the envelope", Reason::NotRedirectable, 4),
        stays("nobody knows the envelope's next hop", Reason::NotRedirectable, 5),
        leave("IPv6, and the backup has IPv4 alone", six, Reason::NoEndpoint)
            .about(DIJON)
            .while_serving(DIJON, 6),
        leave("the TTL ends before the envelope", udp(PHONE, DIJON).ttl(1), Reason::TtlExpired).about(DIJON),
    ]
}

/// Ways that an earlier packet has found to the same host: by the FIB's answer to its own question.
fn kept_ways() -> Vec<Fixture> {
    let by_mac = udp(PHONE, TOURS);
    let in_envelope = udp(PHONE_AMONG_BACKUPS, DIJON);
    // The backups' hosts as anybody's phones: their answers come in by the same device, and are rewritten.
    let [client, lone] = [DIJON_BACKUP, TOURS_BACKUP].map(|host| port(host, 5080));
    let (asks, answer) = (udp(client, LYON), udp(SHARED, client));
    let returned = answer.clone().between(LYON, client).ttl(answer.ttl - 1).leaving().bytes();
    let enveloped = enveloped(&in_envelope, DIJON_BACKUP, 0);
    let neighbour = udp(PHONE_AMONG_BACKUPS, TOURS);
    vec![
        rewritten("again by the MAC address", by_mac.clone().into(), towards(&by_mac, TOURS_BACKUP).bytes())
            .about(TOURS)
            .after(by_mac.clone()),
        leave("again to a backup behind another router", by_mac.clone(), Reason::NotOnLink)
            .about(TOURS)
            .while_serving(TOURS, 2)
            .after(by_mac),
        rewritten("again in an envelope", in_envelope.clone().into(), enveloped.clone())
            .about(DIJON)
            .after(in_envelope.clone()),
        rewritten("in an envelope where an answer went without", in_envelope.clone().into(), enveloped)
            .about(DIJON)
            .after(asks.clone())
            .after(answer.clone()),
        rewritten("an answer without an envelope where a packet went in one", answer.into(), returned)
            .by(Action::Redirect, Reason::Returned)
            .about(LYON)
            .after(asks)
            .after(in_envelope),
        rewritten(
            "by the MAC address where an answer went",
            neighbour.clone().into(),
            towards(&neighbour, TOURS_BACKUP).bytes(),
        )
        .about(TOURS)
        .after(udp(lone, LYON))
        .after(udp(SHARED, lone)),
    ]
}

/// ICMP "fragmentation needed" from the address that was asked, as it leaves.
fn told(about: &Frame, mtu: u16) -> Vec<u8> {
    let quote = &about.bytes()[IP..][..548];
    let needed = etherparse::icmpv4::DestUnreachableHeader::FragmentationNeeded { next_hop_mtu: mtu };
    let kind = etherparse::Icmpv4Type::DestinationUnreachable(needed);
    let icmp = etherparse::Icmpv4Header::with_checksum(kind, quote);
    let (from, to) = (about.to.ip().octets(), about.from.ip().octets());
    let mut ip = Ipv4Header::new(8 + 548, 64, 1.into(), from, to).unwrap();
    (ip.dont_fragment, ip.dscp) = (true, 0x30.try_into().unwrap());
    ip.header_checksum = ip.calc_header_checksum();
    let (next, own) = (mac(*about.from.ip()), router_mac(subnet(*about.from.ip())));
    [&next[..], &own, &[8, 0], &ip.to_bytes(), &icmp.to_bytes(), quote].concat()
}

fn told_six() -> Fixture {
    let sent = datagram(from_phone(), 64, &[b'x'; 1413]);
    let quote = &sent[IP..][..1232];
    let (from, to) = (six(DIJON).ip().octets(), six(PHONE).ip().octets());
    let kind = etherparse::Icmpv6Type::PacketTooBig { mtu: 1460 };
    let icmp = etherparse::Icmpv6Header::with_checksum(kind, from, to, quote).unwrap();
    let mut ip =
        crate::wrap::ipv6((*six(DIJON).ip()).into(), (*six(PHONE).ip()).into(), 58, icmp.header_len() + 1232);
    (ip.traffic_class, ip.flow_label) = (0, 0.try_into().unwrap());
    let macs = [mac(*PHONE.ip()), router_mac(PHONES)].concat();
    let after = [&macs[..], &[0x86, 0xdd], &ip.to_bytes(), &icmp.to_bytes(), quote].concat();
    rewritten("IPv6, one byte too large for the envelope", Raw { bytes: sent, ingress: PHONES }, after)
        .by(Action::Redirect, Reason::SenderTold)
        .about(DIJON)
        .while_serving(DIJON, 4)
}

fn too_large() -> Vec<Fixture> {
    let of = |target, room: usize| udp(PHONE, target).payload(&vec![b'x'; room - 28]);
    let fits = of(DIJON, NARROW_MTU - 20);
    let fits_after = enveloped(&fits, DIJON_NARROW, 0);
    let (envelope, l2) = (of(DIJON, NARROW_MTU - 19), of(TOURS, NARROW_MTU + 1));
    let (told_envelope, told_l2) = (told(&envelope, 580), told(&l2, 600));
    let unknown = envelope.clone().between(UNRESOLVED_PHONE, DIJON);
    let mut by_kernel = told(&unknown, 580);
    by_kernel[..12].copy_from_slice(&unknown.bytes()[..12]);
    let scattered = of(DIJON, 5028);
    let told_scattered = told(&scattered, 1480);
    let [first, second] = pieces(&of(DIJON, 1900), 24);
    vec![
        rewritten("just small enough for the envelope", fits.into(), fits_after)
            .about(DIJON)
            .while_serving(DIJON, 6),
        rewritten("one byte too large for the envelope", envelope.into(), told_envelope)
            .by(Action::Redirect, Reason::SenderTold)
            .about(DIJON)
            .while_serving(DIJON, 6),
        rewritten("the kernel tells a sender whose MAC address it must ask for", unknown.into(), by_kernel)
            .by(Action::Pass, Reason::SenderTold)
            .about(DIJON)
            .while_serving(DIJON, 6),
        rewritten("one byte too large for the backup's device", l2.into(), told_l2)
            .by(Action::Redirect, Reason::SenderTold)
            .about(TOURS)
            .while_serving(TOURS, 5),
        leave("about a later fragment nobody is told", second, Reason::TooBig)
            .after(first)
            .about(DIJON)
            .while_serving(DIJON, 6),
        rewritten("a frame in several buffers is cut for its sender", scattered.into(), told_scattered)
            .by(Action::Redirect, Reason::SenderTold)
            .about(DIJON)
            .while_serving(DIJON, 4),
        told_six(),
    ]
}
