//! Which protocol: by the port, or by what it looks like.

use std::net::SocketAddr;

use serde::Serialize;

use super::Way;

/// What a message is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// RFC 3261.
    Sip,
    /// H.225.0's registration, admission and status.
    Ras,
    /// H.225.0's call signalling.
    H225,
    /// RFC 3435.
    Mgcp,
    /// H.248.1.
    Megaco,
}

/// What carried it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// RFC 768.
    Udp,
    /// RFC 9293.
    Tcp,
}

impl Protocol {
    /// As its users write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sip => "SIP",
            Self::Ras => "RAS",
            Self::H225 => "H.225",
            Self::Mgcp => "MGCP",
            Self::Megaco => "MEGACO",
        }
    }
}

impl Transport {
    /// As its users write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
        }
    }
}

/// The port of SIP over TLS.
const SIPS: u16 = 5061;

fn by_port(port: u16, transport: Transport) -> Option<Protocol> {
    match (port, transport) {
        (5060, _) => Some(Protocol::Sip),
        (1718 | 1719, Transport::Udp) => Some(Protocol::Ras),
        (1720, Transport::Tcp) => Some(Protocol::H225),
        (2427 | 2727, Transport::Udp) => Some(Protocol::Mgcp),
        (2944, _) => Some(Protocol::Megaco),
        _ => None,
    }
}

/// The server's port is the destination's in a request, and the source's in its answer.
fn of_ports(way: Way, transport: Transport) -> Option<Protocol> {
    let by = |address: SocketAddr| by_port(address.port(), transport);
    by(way.destination).or_else(|| by(way.source))
}

/// What a datagram holds; none where it is nobody's, or only keeps a way open.
pub(super) fn of_datagram(way: Way, data: &[u8]) -> Option<Protocol> {
    let of_port = of_ports(way, Transport::Udp);
    let nothing = data.iter().all(|byte| matches!(byte, 0 | b' ' | b'\r' | b'\n'));
    if nothing || (of_port == Some(Protocol::Sip) && (data == b"jaK" || is_stun(data))) {
        return None;
    }
    if of_port != Some(Protocol::Sip) && looks_like_sip(data) { Some(Protocol::Sip) } else { of_port }
}

/// What a stream holds, by its ports or by what it begins with.
pub(super) fn of_stream(way: Way, data: &[u8]) -> Option<Protocol> {
    if looks_like_sip(data) {
        return Some(Protocol::Sip);
    }
    let of_port = of_ports(way, Transport::Tcp);
    of_port.or_else(|| matches!(data, [3, 0, _, _, 8, 2, ..]).then_some(Protocol::H225))
}

/// TLS on its port; SIP in plain text there is read.
pub(super) fn is_encrypted(way: Way, data: &[u8]) -> bool {
    let there = way.destination.port() == SIPS || way.source.port() == SIPS;
    there && matches!(data, [20..=23, 3, 0..=4, ..])
}

/// A binding request or its answer, which shares SIP's port where clients keep their NAT open (RFC 5626 §3.5.2).
fn is_stun(data: &[u8]) -> bool {
    data.len() >= 20 && data[0] < 2 && data.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42])
}

/// A first line of SIP, blank lines before it forgiven.
pub(super) fn looks_like_sip(data: &[u8]) -> bool {
    /// The longest first line that is looked through.
    const LINE: usize = 1024;
    let data = data.trim_ascii_start();
    if data.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/2.0 ")) {
        return true;
    }
    let line = data.get(..data.len().min(LINE)).unwrap_or_default();
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let capital = line.first().is_some_and(u8::is_ascii_uppercase);
    capital && line.trim_ascii_end().ends_with(b" SIP/2.0")
}
