//! Packets of a hostile network: conversations between those who are there, in every wrapping that the program reads and
//! a few that it does not, cut up, reordered, bent and cut off. The same seed gives the same packets.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use etherparse::{IpNumber, Ipv4Header, TcpHeader, UdpHeader, checksum::Sum16BitWords};
use failover_common::value::Availability;

use crate::{
    dice::Dice,
    fixture::Step,
    frame::Raw,
    network::*,
    sip,
    wrap::{frame, in_ip, ipv6},
};

/// What happens one after the other on a router that has forgotten everything.
pub struct Story {
    pub serving: Vec<(SocketAddrV4, u8)>,
    pub steps: Vec<Step>,
}

const CLIENTS: &[SocketAddrV4] = &[
    PHONE,
    OTHER_PHONE,
    FAR_PHONE,
    PHONE_AMONG_BACKUPS,
    DEAF_PHONE,
    UNRESOLVED_PHONE,
    NOWHERE_PHONE,
    BLACKHOLE_PHONE,
    PROBE,
    SocketAddrV4::new(std::net::Ipv4Addr::new(10, 88, NARROW, 20), 5060),
    SocketAddrV4::new(std::net::Ipv4Addr::new(10, 88, PLAIN, 10), 5062),
];

const TARGETS: &[SocketAddrV4] = &[
    PARIS,
    LYON,
    NICE,
    METZ,
    BREST,
    CAEN,
    ROUEN,
    TOURS,
    DIJON,
    TO_NARROW,
    TO_PLAIN,
    TO_UNRESOLVED,
    TO_ROUTER,
    TO_NOWHERE,
    TO_BLACKHOLE,
    TO_UNREACHABLE,
    TO_PROHIBITED,
];

const BACKUPS_OF_THEM: &[SocketAddrV4] = &[
    PARIS_BACKUP,
    PARIS_SECOND,
    SHARED,
    METZ_BACKUP_UDP,
    METZ_BACKUP_TCP,
    SHARED_FOR_BREST,
    CAEN,
    ROUEN,
    NARROW_BACKUP,
    PLAIN_BACKUP,
    UNRESOLVED_BACKUP,
    ROUTER_ITSELF,
    NOWHERE_BACKUP,
    TOURS_BACKUP,
    DIJON_BACKUP,
];

/// A story of about `packets` packets.
pub fn story(dice: &mut Dice, packets: usize) -> Story {
    let mut serving = Vec::new();
    for target in TARGETS {
        if [TOURS, DIJON].contains(target) {
            serving.push((*target, dice.pick(&[0, 1, 1, 1, 2, 3, 4, 5, 6, Availability::NOBODY])));
        } else if dice.chance(20) {
            serving.push((*target, dice.pick(&[0, 0, 1, 2, 3, Availability::NOBODY])));
        }
    }
    let mut steps = Vec::new();
    for socket in [PROBE, PHONE] {
        if dice.chance(if socket == PROBE { 50 } else { 5 }) {
            steps.push(Step::Probe { socket, tcp: dice.chance(50) });
        }
    }
    while steps.len() < packets {
        steps.extend(event(dice).into_iter().map(Step::Packet));
        if dice.chance(1) {
            steps.push(Step::Time(dice.pick(&[7, 40, 200])));
        }
        if dice.chance(3) {
            let (serving, keeper) =
                dice.pick(&[(0, 2), (0, 2), (0, 3), (1, 1), (1, 1), (2, 1), (0, 0), (1, 0)]);
            steps.push(Step::Serve { target: dice.pick(TARGETS), serving, keeper });
        }
    }
    Story { serving, steps }
}

/// From these a router forwards nothing.
const ODD_V4: &[&str] = &["0.0.0.0", "127.0.0.1", "224.0.1.75", "255.255.255.255"];
const ODD_V6: &[&str] = &["::", "::1", "ff02::1", "fe80::1", "febf::1"];

/// Who speaks to whom.
#[derive(Clone, Copy)]
struct Talk {
    from: SocketAddr,
    to: SocketAddr,
    protocol: u8,
}

const UDP: u8 = 17;
const TCP: u8 = 6;

/// A few frames that have to do with each other.
fn event(dice: &mut Dice) -> Vec<Raw> {
    if dice.chance(1) {
        let length = 14 + dice.below(120);
        let bytes = (0..length).map(|_| dice.next() as u8).collect();
        return vec![Raw { bytes, ingress: PHONES }];
    }
    if dice.chance(3) {
        return vec![question(dice)];
    }
    let talk = talk(dice);
    let mut packets = if dice.chance(25) { error(dice, talk) } else { packets(dice, talk) };
    if dice.chance(20) {
        packets.reverse();
    }
    packets.into_iter().map(|(from, packet)| frame(dice, from, packet)).collect()
}

/// A phone asks for any gatekeeper, or something is sent so.
fn question(dice: &mut Dice) -> Raw {
    let from = dice.pick(&[CLIENTS, BACKUPS_OF_THEM].concat());
    let mut to = DISCOVERY;
    if dice.chance(10) {
        to.set_port(dice.pick(&[1719, 5060]));
    }
    if dice.chance(10) {
        to.set_ip(dice.pick(&[std::net::Ipv4Addr::new(225, 0, 1, 41), *PARIS.ip()]));
    }
    let protocol = if dice.chance(5) { TCP } else { UDP };
    let mut packets = packets(dice, Talk { from: from.into(), to: to.into(), protocol });
    let (sender, packet) = packets.swap_remove(0);
    let mut frame = frame(dice, sender, packet);
    if let Some(address) = frame.bytes.get_mut(..6) {
        address.copy_from_slice(&DISCOVERY_MAC);
    }
    frame
}

fn talk(dice: &mut Dice) -> Talk {
    let (from, to) = match dice.below(10) {
        0..4 => (dice.pick(CLIENTS), dice.pick(TARGETS)),
        4..8 => (dice.pick(BACKUPS_OF_THEM), dice.pick(CLIENTS)),
        8 => {
            let servers = [TARGETS, BACKUPS_OF_THEM].concat();
            (dice.pick(&servers), dice.pick(&servers))
        }
        _ => {
            let all = [TARGETS, BACKUPS_OF_THEM, CLIENTS].concat();
            (dice.pick(&all), dice.pick(&all))
        }
    };
    let version = dice.below(100);
    let end = |dice: &mut Dice, mut socket: SocketAddrV4| {
        if dice.chance(8) {
            socket.set_port(dice.pick(&[1718, 1719, 5060, 5064, 15_060, 15_061, 16_384, 25_060]));
        }
        match version {
            0..60 => SocketAddr::V4(socket),
            60 => SocketAddr::new(socket.ip().to_ipv6_mapped().into(), socket.port()),
            _ => SocketAddr::V6(six(socket)),
        }
    };
    let (mut from, to) = (end(dice, from), end(dice, to));
    if dice.chance(1) {
        let odd = if from.is_ipv4() { ODD_V4 } else { ODD_V6 };
        from.set_ip(dice.pick(odd).parse().unwrap());
    }
    Talk { from, to, protocol: dice.pick(&[UDP, TCP]) }
}

/// IP packets, and who sends each.
type Packets = Vec<(IpAddr, Vec<u8>)>;

fn packets(dice: &mut Dice, talk: Talk) -> Packets {
    let segment = segment(dice, talk);
    let packets = in_ip(dice, talk.from.ip(), talk.to.ip(), talk.protocol, &segment);
    packets.into_iter().map(|packet| (talk.from.ip(), packet)).collect()
}

fn payload(dice: &mut Dice) -> Vec<u8> {
    if dice.chance(40) {
        return sip::message(dice);
    }
    let length = match dice.below(20) {
        0 => 0,
        1 => dice.below(6000),
        2 => 500 + dice.below(150),
        _ => dice.below(64),
    };
    (0..length).map(|n| if n < 4 { dice.next() as u8 } else { n as u8 }).collect()
}

fn segment(dice: &mut Dice, talk: Talk) -> Vec<u8> {
    let payload = payload(dice);
    let (a, b) = (talk.from.port(), talk.to.port());
    let (header, at) = if talk.protocol == UDP {
        let udp = match (talk.from.ip(), talk.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let ip = Ipv4Header::new(0, 64, IpNumber::UDP, from.octets(), to.octets()).unwrap();
                UdpHeader::with_ipv4_checksum(a, b, &ip, &payload)
            }
            (from, to) => UdpHeader::with_ipv6_checksum(a, b, &ipv6(from, to, UDP, 0), &payload),
        };
        (udp.unwrap().to_bytes().to_vec(), 6)
    } else {
        let mut tcp = TcpHeader::new(a, b, dice.next() as u32, 64_240);
        (tcp.syn, tcp.ack, tcp.rst) = (dice.chance(30), dice.chance(60), dice.chance(5));
        let options = vec![1; 4 * dice.below(11)];
        tcp.set_options_raw(&options).unwrap();
        tcp.checksum = match (talk.from.ip(), talk.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                tcp.calc_checksum_ipv4_raw(from.octets(), to.octets(), &payload).unwrap()
            }
            (from, to) => tcp.calc_checksum_ipv6(&ipv6(from, to, TCP, 0), &payload).unwrap(),
        };
        (tcp.to_bytes().to_vec(), 16)
    };
    let mut bytes = [header, payload].concat();
    match dice.below(20) {
        0 => bytes[at..at + 2].fill(0),
        1 => bytes[at] ^= 0x55,
        2 => bytes[at..at + 2].fill(0xff),
        3 => {
            let sum = unfinished(talk, bytes.len());
            bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        }
        _ => {}
    }
    bytes
}

/// The sum of the pseudo-header alone, as it stands where the rest is left to a device.
fn unfinished(talk: Talk, length: usize) -> u16 {
    let sum = Sum16BitWords::new().add_2bytes([0, talk.protocol]).add_2bytes((length as u16).to_be_bytes());
    let sum = [talk.from.ip(), talk.to.ip()].into_iter().fold(sum, |mut sum, address| match address {
        IpAddr::V4(v4) => sum.add_4bytes(v4.octets()),
        IpAddr::V6(v6) => sum.add_16bytes(v6.octets()),
    });
    !sum.ones_complement().to_be()
}

/// An ICMP error about what was said, whole or not; sometimes with what it is about before it.
fn error(dice: &mut Dice, talk: Talk) -> Packets {
    // Mostly about what the other end saw: a phone's packet to a backup, a backup's in its target's name.
    let talk = if dice.chance(70) { Talk { from: talk.to, to: talk.from, ..talk } } else { talk };
    let mut said = packets(dice, talk);
    let quoted = dice.below(said.len());
    let about = said[quoted].1.clone();
    if !dice.chance(30) {
        said.clear();
    }
    let quote = match dice.below(4) {
        0 => about.len(),
        1 => 28 + dice.below(40),
        2 => dice.below(about.len() + 1),
        _ => 548,
    };
    let v4 = talk.from.is_ipv4();
    let strangers = [PHONE, PARIS_BACKUP, UNRESOLVED_PHONE]
        .map(|socket| if v4 { SocketAddr::V4(socket) } else { SocketAddr::V6(six(socket)) });
    let sender = if talk.from.is_ipv4() == talk.to.is_ipv4() && dice.chance(70) {
        talk.to
    } else {
        dice.pick(&strangers)
    };
    let (protocol, kinds): (u8, &[u8]) =
        if v4 { (1, &[3, 3, 3, 11, 12, 8, 0, 5]) } else { (58, &[1, 1, 2, 3, 4, 128, 135]) };
    let mut message = vec![dice.pick(kinds), dice.pick(&[0, 1, 3, 4]), 0, 0, 0, 0, 5, 0];
    message.extend(&about[..quote.min(about.len())]);
    let mut sum = Sum16BitWords::new().add_slice(&message);
    if let (IpAddr::V6(from), IpAddr::V6(to)) = (sender.ip(), talk.from.ip()) {
        let length = (message.len() as u16).to_be_bytes();
        sum = sum.add_16bytes(from.octets()).add_16bytes(to.octets()).add_2bytes(length).add_2bytes([0, 58]);
    }
    let sum = sum.ones_complement().to_be();
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let packets = in_ip(dice, sender.ip(), talk.from.ip(), protocol, &message);
    said.extend(packets.into_iter().map(|packet| (sender.ip(), packet)));
    said
}
