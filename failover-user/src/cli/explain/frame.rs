//! Frames: made from addresses, read from hex digits, and asked for where they come from.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use etherparse::PacketBuilder;

use super::{super::failure::Failure, Proto};

/// What a host on the wire starts with.
const TTL: u8 = 64;
/// Whose frames these are: a locally administered address (IEEE 802), that of no device.
const SENDER: [u8; 6] = [2, 0, 0, 0, 0, 1];
/// Where a device has no Ethernet address of its own.
const NOBODY: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// An Ethernet header.
const HEADER: usize = 14;

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;

/// A frame as hex digits; blanks, colons and dashes between them are passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bytes(pub(super) Vec<u8>);

impl FromStr for Bytes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut digits = Vec::with_capacity(text.len());
        for char in text.chars().filter(|char| !char.is_ascii_whitespace() && !matches!(char, ':' | '-')) {
            let digit = char.to_digit(16).ok_or_else(|| format!("{char:?} is no hex digit"))?;
            digits.push(digit as u8);
        }
        if digits.len() % 2 != 0 {
            return Err(format!("{} digits: a byte has two, so the last one is half", digits.len()));
        }
        Ok(Self(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()))
    }
}

/// The bytes as hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

/// Refuses what no Ethernet device receives, and the kernel does not run a program on.
pub(super) fn check(frame: &[u8]) -> Result<(), Failure> {
    if frame.len() >= HEADER {
        return Ok(());
    }
    let error = format!("a frame of {} bytes is shorter than an Ethernet header ({HEADER})", frame.len());
    Err(Failure::new(2, error).help("give the whole frame, from its destination MAC address on"))
}

/// A packet as a phone would send it, to the device with Ethernet address `mac`.
pub(super) fn build(
    from: SocketAddr,
    to: SocketAddr,
    proto: Proto,
    mac: Option<[u8; 6]>,
) -> Result<Vec<u8>, Failure> {
    let ethernet = PacketBuilder::ethernet2(SENDER, mac.unwrap_or(NOBODY));
    let ip = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => ethernet.ipv4(from.octets(), to.octets(), TTL),
        (IpAddr::V6(from), IpAddr::V6(to)) => ethernet.ipv6(from.octets(), to.octets(), TTL),
        _ => return Err(Failure::new(2, format!("{from} and {to} are not of one IP version"))),
    };
    let mut frame = Vec::new();
    let written = match proto {
        Proto::Udp => ip.udp(from.port(), to.port()).write(&mut frame, options(from, to).as_bytes()),
        Proto::Tcp => ip.tcp(from.port(), to.port(), 1, u16::MAX).syn().write(&mut frame, &[]),
    };
    written.map_err(|error| Failure::new(1, format!("make a packet from {from} to {to}: {error}")))?;
    Ok(frame)
}

/// The least request that RFC 3261 §8.1.1 knows.
fn options(from: SocketAddr, to: SocketAddr) -> String {
    format!(
        "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bKexplain\r\nMax-Forwards: 70\r\n\
         From: <sip:explain@{from}>;tag=explain\r\nTo: <sip:{to}>\r\nCall-ID: explain@{from}\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The source address of the IP packet in a frame, behind two VLAN tags at the most.
pub(super) fn source(frame: &[u8]) -> Option<IpAddr> {
    let word = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
    let mut at = 12;
    for _ in 0..2 {
        if !matches!(word(at)?, VLAN | SERVICE_VLAN) {
            break;
        }
        at += 4;
    }
    let header = frame.get(at + 2..)?;
    match word(at)? {
        IPV4 => <[u8; 4]>::try_from(header.get(12..16)?).ok().map(|bytes| Ipv4Addr::from(bytes).into()),
        IPV6 => <[u8; 16]>::try_from(header.get(8..24)?).ok().map(|bytes| Ipv6Addr::from(bytes).into()),
        _ => None,
    }
}
