//! A phone asks the group of all gatekeepers for one: the backup answers in the name of a target that is away. And frames
//! too large for one buffer.

use failover_common::{reason::Reason, value::Availability};

use crate::{
    fixture::{Action, Fixture, Way::*, expect, give_back, leave, rewritten, steer},
    frame::{Frame, IP, L4, Macs, Raw, tcp_syn, udp},
    network::*,
};

pub fn fixtures() -> Vec<Fixture> {
    [questions(), answers(), not_for_us(), large()].concat()
}

const RAS: u16 = 1719;

/// As phones send it: to the neighbourhood.
fn question(from: std::net::SocketAddrV4) -> Frame {
    sent_to_group(udp(from, DISCOVERY).ttl(1))
}

fn sent_to_group(frame: Frame) -> Frame {
    let from = mac(*frame.from.ip());
    frame.addressed(Macs { to: DISCOVERY_MAC, from })
}

/// Redirected to a backup's RAS port.
fn far(from: std::net::SocketAddrV4, backup: std::net::SocketAddrV4) -> Vec<u8> {
    udp(from, port(backup, RAS)).ttl(63).leaving().bytes()
}

fn questions() -> Vec<Fixture> {
    let asked = |name, expected| rewritten(name, question(PHONE).into(), expected);
    let by_kernel = udp(PHONE, port(PLAIN_BACKUP, RAS)).ttl(64).bytes();
    let tag = [0x81, 0x00, 0x00, 0x05];
    let tagged_by_kernel = udp(PHONE, port(PARIS_BACKUP, RAS)).ttl(64).tagged(&tag).bytes;
    vec![
        asked("the first target's backup is asked", far(PHONE, PARIS_BACKUP)).about(PARIS),
        asked("its second one, which serves", far(PHONE, PARIS_SECOND)).while_serving(PARIS, 2).about(PARIS),
        asked("the next target's, where the first is well", far(PHONE, SHARED))
            .while_serving(PARIS, 0)
            .about(NICE),
        asked("the next target's, where nobody may serve the first", far(PHONE, SHARED))
            .while_serving(PARIS, Availability::NOBODY)
            .about(NICE),
        asked("the kernel forwards it as one to the router", by_kernel)
            .while_serving(PARIS, 0)
            .while_serving(NICE, 0)
            .by(Action::Pass, Reason::SteeredByKernel)
            .about(TO_PLAIN),
        rewritten("the kernel takes the tag off", question(PHONE).tagged(&tag), tagged_by_kernel)
            .by(Action::Pass, Reason::SteeredByKernel)
            .about(PARIS),
        rewritten(
            "a question without a checksum keeps none",
            question(PHONE).without_checksum().into(),
            udp(PHONE, port(PARIS_BACKUP, RAS)).ttl(63).without_checksum().leaving().bytes(),
        )
        .about(PARIS),
        rewritten("any TTL becomes fresh", question(PHONE).ttl(255).into(), far(PHONE, PARIS_BACKUP))
            .about(PARIS),
        leave("their primaries answer for themselves", question(PHONE), Reason::PrimaryServes)
            .while_serving(PARIS, 0)
            .while_serving(NICE, 0)
            .while_serving(TO_PLAIN, Availability::NOBODY)
            .about(PARIS),
        leave("a server of the target asks", question_of_server(), Reason::BetweenServers).about(PARIS),
        leave("no backup at the place that serves", question(PHONE), Reason::NoEndpoint)
            .while_serving(PARIS, 3)
            .about(PARIS),
    ]
}

/// It comes in by the phones' device all the same: the group's Ethernet address ends so.
fn question_of_server() -> Raw {
    question(port(PARIS_BACKUP, RAS)).into()
}

fn answers() -> Vec<Fixture> {
    let (paris, nice) = (port(PARIS, RAS), port(NICE, RAS));
    vec![
        give_back(
            "a dedicated backup's answer comes from the target",
            udp(port(PARIS_BACKUP, RAS), PHONE),
            expect(Redirect, udp(paris, PHONE)),
        )
        .about(PARIS),
        give_back(
            "a shared backup's answer comes from the target that was away",
            udp(port(SHARED, RAS), PHONE),
            expect(Redirect, udp(nice, PHONE)),
        )
        .while_serving(PARIS, 0)
        .after(question(PHONE))
        .about(NICE),
        give_back(
            "and so to the address that the question names for it",
            udp(port(SHARED, RAS), port(PHONE, RAS)),
            expect(Redirect, udp(nice, port(PHONE, RAS))),
        )
        .while_serving(PARIS, 0)
        .after(question(PHONE))
        .about(NICE),
        leave("an answer that nobody asked for", udp(port(SHARED, RAS), PHONE), Reason::NoReturn),
    ]
}

fn not_for_us() -> Vec<Fixture> {
    let to = |to: std::net::SocketAddrV4| sent_to_group(udp(PHONE, to).ttl(1));
    let other_group = std::net::SocketAddrV4::new(std::net::Ipv4Addr::new(225, 0, 1, 41), 1718);
    let part = question(PHONE).bent(|bytes| bytes[IP + 6..IP + 8].copy_from_slice(&[0x20, 0]));
    let later = question(PHONE).bent(|bytes| bytes[IP + 6..IP + 8].copy_from_slice(&[0, 9]));
    let options = question(PHONE).bent(|bytes| {
        bytes[IP] = 0x46;
        let length = u16::from_be_bytes([bytes[IP + 2], bytes[IP + 3]]) + 4;
        bytes[IP + 2..IP + 4].copy_from_slice(&length.to_be_bytes());
        drop(bytes.splice(L4..L4, [1; 4]));
    });
    let long = question(PHONE).bent(|bytes| bytes[L4 + 4..L4 + 6].copy_from_slice(&[0xff, 0xff]));
    vec![
        leave("another group with the same Ethernet address", to(other_group), Reason::LinkBroadcast),
        leave("another port of the group", to(port(DISCOVERY, RAS)), Reason::LinkBroadcast),
        leave("an INVITE in the group's frame", to(PARIS), Reason::LinkBroadcast),
        leave("TCP to the group", sent_to_group(tcp_syn(OTHER_PHONE, DISCOVERY)), Reason::LinkBroadcast),
        leave("the first part of a question", part, Reason::LinkBroadcast),
        leave("a later part of a question", later, Reason::LinkBroadcast),
        leave("IPv6 in the group's frame", question(PHONE).ethertype(0x86dd), Reason::LinkBroadcast),
        leave("a question with options", options, Reason::IpOptions),
        leave("a question that is shorter than it says", long, Reason::MalformedL4),
        leave("a question that is cut off", question(PHONE).cut(L4 + 7), Reason::Truncated),
    ]
}

/// More than a page.
const LARGE: [u8; 6000] = [b'x'; 6000];

fn large() -> Vec<Fixture> {
    let large = |frame: Frame| frame.payload(&LARGE);
    vec![
        steer(
            "in several buffers, to a device that takes them",
            large(udp(PHONE, PARIS)),
            expect(Redirect, large(udp(PHONE, PARIS_SECOND))),
        )
        .while_serving(PARIS, 2),
        steer(
            "in several buffers, to a device that takes frames in one",
            large(udp(PHONE, PARIS)),
            expect(Kernel, large(udp(PHONE, PARIS_BACKUP))),
        ),
        leave(
            "an answer in several buffers, too large for the phones' device",
            large(udp(PARIS_BACKUP, PHONE)),
            Reason::TooBig,
        )
        .about(PARIS),
        leave("in several buffers, and not for us", large(udp(PHONE, port(PARIS, 9))), Reason::NotSignalling),
        leave("longer than all its buffers", large(udp(PHONE, PARIS)).cut(6000), Reason::Truncated),
    ]
}
