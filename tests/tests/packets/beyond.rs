//! Packets beyond a plain segment: in VLANs, in fragments, and errors about packets that were rewritten.

use std::net::{Ipv4Addr, SocketAddrV4};

use failover_common::reason::Reason;

use crate::{
    fixture::{Action, Fixture, leave, rewritten},
    frame::{Frame, Raw, tcp_data, udp},
    network::*,
    shapes::{
        ECHO, FRAGMENTATION_NEEDED, PORT_UNREACHABLE, TIME_EXCEEDED, error, error_leaving, in_vlans, pieces,
    },
};

pub fn fixtures() -> Vec<Fixture> {
    [in_trunks(), in_fragments(), strange_fragments(), to_phones(), to_backups(), others_errors(), too_big()]
        .concat()
}

/// A frame that leaves by the device and with the addresses of its next hop.
fn gone(frame: &Frame) -> Frame {
    frame.clone().ttl(frame.ttl - 1).leaving()
}

fn in_trunks() -> Vec<Fixture> {
    let sent = udp(PHONE_AMONG_BACKUPS, PARIS).arriving_in(BACKUPS);
    let steered = gone(&udp(PHONE_AMONG_BACKUPS, PARIS_BACKUP));
    let one = rewritten("tags stay on the trunk", in_vlans(&sent, &[100]), in_vlans(&steered, &[100]).bytes);
    let two = rewritten("both of them", in_vlans(&sent, &[7, 100]), in_vlans(&steered, &[7, 100]).bytes)
        .about(PARIS);
    let (other, moved) = (udp(PHONE, PARIS), udp(PHONE, PARIS_BACKUP));
    let macs = other.macs;
    let kernel = rewritten(
        "out of another device the kernel knows which tags",
        in_vlans(&other, &[100]),
        in_vlans(&moved.addressed(macs), &[100]).bytes,
    );
    let answer = udp(PARIS_BACKUP, PHONE_AMONG_BACKUPS);
    let returned = gone(&udp(PARIS, PHONE_AMONG_BACKUPS));
    vec![
        one.about(PARIS),
        two,
        kernel.by(Action::Pass, Reason::SteeredByKernel).about(PARIS),
        rewritten("an answer in a VLAN", in_vlans(&answer, &[9]), in_vlans(&returned, &[9]).bytes)
            .by(Action::Redirect, Reason::Returned)
            .about(PARIS),
        leave("three tags", in_vlans(&other, &[1, 2, 3]), Reason::NotIp),
        leave("a tag, and no more", in_vlans(&other, &[1]).cut(17), Reason::Truncated),
        leave("a VLAN of somebody else", in_vlans(&udp(PHONE, port(PARIS, 80)), &[1]), Reason::NotSignalling),
    ]
}

fn in_fragments() -> Vec<Fixture> {
    let long = |from, to| udp(from, to).payload(&[b'x'; 600]);
    let (sent, steered) = (pieces(&long(PHONE, PARIS), 400), pieces(&gone(&long(PHONE, PARIS_BACKUP)), 400));
    let (answer, returned) =
        (pieces(&long(PARIS_BACKUP, PHONE), 304), pieces(&gone(&long(PARIS, PHONE)), 304));
    let [first, second] = sent.clone();
    let [first_steered, second_steered] = steered.map(|raw| raw.bytes);
    let [first_answer, second_answer] = answer;
    let [first_returned, second_returned] = returned.map(|raw| raw.bytes);
    let returns = |fixture: Fixture| fixture.by(Action::Redirect, Reason::Returned).about(PARIS);
    vec![
        rewritten("the first fragment decides", first.clone(), first_steered).about(PARIS),
        rewritten("the second follows it", second.clone(), second_steered).after(first.clone()).about(PARIS),
        leave("the second comes first", second.clone(), Reason::Fragment),
        leave("the first one passed", second.clone(), Reason::Fragment)
            .after(first.clone())
            .while_serving(PARIS, 0),
        leave("the second comes after the datagram's time", second, Reason::Fragment)
            .after(first)
            .and_seconds(40),
        returns(rewritten("a backup's first fragment", first_answer.clone(), first_returned)),
        returns(rewritten("and its second", second_answer, second_returned).after(first_answer)),
    ]
}

fn strange_fragments() -> Vec<Fixture> {
    let long = udp(PHONE, PARIS).payload(&[b'x'; 600]);
    let [first, second] = pieces(&long, 400);
    let ([expired, _], after_expired) = (pieces(&long.clone().ttl(1), 400), second.clone());
    let [tiny, _] = pieces(&tcp_data(PHONE, PARIS), 8);
    let [other, _] = pieces(&udp(PHONE, port(PARIS, 16_384)).payload(&[b'x'; 600]), 400);
    vec![
        leave("a first fragment without the whole TCP header", tiny, Reason::Truncated),
        leave("a first fragment of somebody else", other.clone(), Reason::NotSignalling),
        leave("and one that uses the same identification", second.clone(), Reason::Fragment)
            .after(first.clone())
            .after(other),
        leave("one that uses it again, and whose time to live ends here", after_expired, Reason::Fragment)
            .after(first)
            .after(expired),
    ]
}

/// A phone's packet came to grief behind the router.
fn to_phones() -> Vec<Fixture> {
    const ROUTER_BEHIND: Ipv4Addr = Ipv4Addr::new(10, 88, BACKUPS, 77);
    let errors = |name: &str, asked: SocketAddrV4, backup: SocketAddrV4, sender, kind, quoted| {
        let arrives = |to| udp(PHONE, to).ttl(60);
        let speaker = if sender == *backup.ip() { *asked.ip() } else { sender };
        translated(
            name,
            error(sender, BACKUPS, kind, &arrives(backup), quoted),
            error_leaving(speaker, kind, &arrives(asked), quoted),
            asked,
        )
    };
    let shared = udp(PHONE, LYON);
    let tcp = |to| tcp_data(PHONE, to).ttl(60);
    vec![
        errors("nobody listens", PARIS, PARIS_BACKUP, *PARIS_BACKUP.ip(), PORT_UNREACHABLE, 28),
        errors(
            "and the whole packet is quoted",
            PARIS,
            PARIS_BACKUP,
            *PARIS_BACKUP.ip(),
            PORT_UNREACHABLE,
            999,
        ),
        errors("on another port", METZ, METZ_BACKUP_UDP, *METZ_BACKUP_UDP.ip(), PORT_UNREACHABLE, 100),
        errors("a router on the way", PARIS, PARIS_BACKUP, ROUTER_BEHIND, TIME_EXCEEDED, 28),
        errors("with a small MTU", PARIS, PARIS_BACKUP, ROUTER_BEHIND, FRAGMENTATION_NEEDED, 28),
        errors("a shared backup", LYON, SHARED, *SHARED.ip(), PORT_UNREACHABLE, 60).after(shared),
        translated(
            "TCP, cut off before its checksum",
            error(ROUTER_BEHIND, BACKUPS, FRAGMENTATION_NEEDED, &tcp(PARIS_BACKUP), 28),
            error_leaving(ROUTER_BEHIND, FRAGMENTATION_NEEDED, &tcp(PARIS), 28),
            PARIS,
        ),
        translated(
            "TCP, with its checksum",
            error(ROUTER_BEHIND, BACKUPS, FRAGMENTATION_NEEDED, &tcp(PARIS_BACKUP), 60),
            error_leaving(ROUTER_BEHIND, FRAGMENTATION_NEEDED, &tcp(PARIS), 60),
            PARIS,
        ),
    ]
}

/// A backup's packet came to grief on the way to the phone.
fn to_backups() -> Vec<Fixture> {
    let about = |from| tcp_data(from, PHONE).ttl(60).payload(&[b'x'; 900]);
    let errors = |name: &str, asked: SocketAddrV4, backup: SocketAddrV4, sender, kind| {
        translated(
            name,
            error(sender, PHONES, kind, &about(asked), 548),
            error_leaving(sender, kind, &about(backup), 548),
            asked,
        )
    };
    vec![
        errors("the phone is gone", PARIS, PARIS_BACKUP, *PHONE.ip(), PORT_UNREACHABLE),
        errors("the path is narrow", PARIS, PARIS_BACKUP, Ipv4Addr::new(10, 88, 1, 77), FRAGMENTATION_NEEDED),
        errors("a backup on another port", METZ, METZ_BACKUP_TCP, *PHONE.ip(), PORT_UNREACHABLE),
        leave(
            "while the primary serves it is its own",
            error(*PHONE.ip(), PHONES, PORT_UNREACHABLE, &about(PARIS), 28),
            Reason::PrimaryServes,
        )
        .while_serving(PARIS, 0)
        .about(PARIS),
    ]
}

fn others_errors() -> Vec<Fixture> {
    let at_backup = |kind, about: &Frame, quoted| error(*PARIS_BACKUP.ip(), BACKUPS, kind, about, quoted);
    let steered = udp(PHONE, PARIS_BACKUP);
    let bent = |change: fn(&mut Vec<u8>)| {
        let mut raw = at_backup(PORT_UNREACHABLE, &steered, 28);
        change(&mut raw.bytes);
        raw
    };
    vec![
        leave("ping", at_backup(ECHO, &steered, 28), Reason::NotUdpTcp),
        leave("about media", at_backup(PORT_UNREACHABLE, &udp(PHONE, port(PARIS_BACKUP, 16_384)), 28), {
            Reason::NotSignalling
        }),
        leave("about nobody's signalling", at_backup(PORT_UNREACHABLE, &udp(PHONE, OTHER_PHONE), 28), {
            Reason::NotOurs
        }),
        leave("a quote of 27 bytes", at_backup(PORT_UNREACHABLE, &steered, 27), Reason::MalformedIp),
        leave("a quote of half a header", at_backup(PORT_UNREACHABLE, &steered, 10), Reason::Truncated),
        leave("no quote", at_backup(PORT_UNREACHABLE, &steered, 0), Reason::Truncated),
        leave("a quote with options", bent(|bytes| bytes[42] = 0x46), Reason::NotOurs),
        leave("a quote of a later fragment", bent(|bytes| bytes[49] = 1), Reason::NotOurs),
        leave("a quote of GRE", bent(|bytes| bytes[51] = 47), Reason::NotUdpTcp),
        leave("not to the packet's sender", bent(|bytes| bytes[57] ^= 1), Reason::NotOurs),
        leave(
            "about a shared backup that the phone never asked",
            error(*SHARED.ip(), BACKUPS, PORT_UNREACHABLE, &udp(PHONE, SHARED), 28),
            Reason::NoReturn,
        ),
        leave(
            "about the daemon's own probe",
            error(*PARIS_BACKUP.ip(), BACKUPS, PORT_UNREACHABLE, &udp(PROBE, PARIS_BACKUP), 28),
            Reason::OwnProbe,
        )
        .probed_from(PROBE, false),
        leave(
            "about what the primary has said to the daemon's own probe",
            error(*PROBE.ip(), BACKUPS, PORT_UNREACHABLE, &udp(PARIS, PROBE), 28),
            Reason::OwnProbe,
        )
        .probed_from(PROBE, false),
        leave(
            "a backup's about its own primary",
            error(*PARIS_BACKUP.ip(), BACKUPS, PORT_UNREACHABLE, &udp(PARIS, PARIS_BACKUP), 28),
            Reason::BetweenServers,
        )
        .while_serving(PARIS, 0)
        .about(PARIS),
    ]
}

fn too_big() -> Vec<Fixture> {
    const NARROW_PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 88, NARROW, 20), 5060);
    let large = |from| tcp_data(from, NARROW_PHONE).payload(&[b'x'; 700]);
    let divisible = |frame: &Frame| frame.bent(|bytes| bytes[20] &= !0x40);
    let (sent, returned) = (large(PARIS_BACKUP), large(PARIS).addressed(large(PARIS_BACKUP).macs));
    vec![
        leave("a backup's segment is larger than the phone's link", sent.clone(), Reason::TooBig)
            .about(PARIS),
        rewritten("it may be cut", divisible(&sent), divisible(&returned).bytes)
            .by(Action::Pass, Reason::ReturnedByKernel)
            .about(PARIS),
    ]
}

fn translated(name: &str, sent: Raw, expected: Vec<u8>, about: SocketAddrV4) -> Fixture {
    rewritten(name, sent, expected).by(Action::Redirect, Reason::IcmpTranslated).about(about)
}
