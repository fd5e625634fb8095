//! The frames that are measured, and how each is made whole again.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context as _, Result, bail};
use etherparse::PacketBuilder;
use failover_common::bench::Feed;

use super::network::{Family, PHONE, macs, subnet};

const TTL: u8 = 64;
/// Offsets in the frame of IPv4, and of IPv6.
const TTL_WORD: [usize; 2] = [22, 20];
const IP_CHECKSUM: usize = 24;
const L4: [usize; 2] = [34, 54];
/// Behind the transport header's start.
const UDP_CHECKSUM: usize = 6;
const TCP_CHECKSUM: usize = 16;

/// UDP or TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP, a segment in the middle of a connection.
    Tcp,
}

/// A frame as the router receives it.
#[derive(Clone, Debug)]
pub struct Frame {
    /// All of it.
    pub bytes: Vec<u8>,
    /// The subnet by which it comes in.
    pub ingress: u8,
    transport: Transport,
    family: Family,
    from: SocketAddr,
    to: SocketAddr,
}

impl Frame {
    /// A frame of `length` bytes, all its checksums right.
    pub fn new(transport: Transport, from: SocketAddr, to: SocketAddr, length: usize) -> Result<Self> {
        Self::saying(&[], transport, from, to, length)
    }

    /// The same, which begins with this text.
    pub fn saying(
        text: &[u8],
        transport: Transport,
        from: SocketAddr,
        to: SocketAddr,
        length: usize,
    ) -> Result<Self> {
        let (router, sender) = macs(from.ip());
        let link = PacketBuilder::ethernet2(sender, router);
        let (family, ip) = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => (Family::V4, link.ipv4(from.octets(), to.octets(), TTL)),
            (IpAddr::V6(from), IpAddr::V6(to)) => (Family::V6, link.ipv6(from.octets(), to.octets(), TTL)),
            (from, to) => bail!("{from} and {to} are of two families"),
        };
        let mut bytes = Vec::with_capacity(length);
        match transport {
            Transport::Udp => {
                let packet = ip.udp(from.port(), to.port());
                let payload = payload(text, length, packet.size(0))?;
                packet.write(&mut bytes, &payload)
            }
            Transport::Tcp => {
                let packet = ip.tcp(from.port(), to.port(), 0x1234_5678, 64_240).ack(0x8765_4321);
                let payload = payload(text, length, packet.size(0))?;
                packet.write(&mut bytes, &payload)
            }
        }
        .context("compose a frame")?;
        Ok(Self { bytes, ingress: subnet(from.ip()), transport, family, from, to })
    }

    /// Which family it is of.
    pub const fn family(&self) -> Family {
        self.family
    }

    /// How to make `flows` flows of it: one for each of as many phones.
    ///
    /// They come in an order that neither hashing nor prefetching knows: each a golden section further on, and all of
    /// them before one comes again.
    pub fn feed(&self, flows: u32) -> Feed {
        let returns = self.from.ip() != self.family.of(PHONE).ip();
        let phone = last(if returns { self.to.ip() } else { self.from.ip() });
        let six = usize::from(self.family == Family::V6);
        let tcp = self.transport == Transport::Tcp;
        let l4_checksum = L4[six] + if tcp { TCP_CHECKSUM } else { UDP_CHECKSUM };
        Feed {
            ethernet: std::array::from_fn(|n| self.word(2 * n)),
            ttl: self.word(TTL_WORD[six]),
            source: words(self.from.ip()),
            destination: words(self.to.ip()),
            ports: [self.word(L4[six]), self.word(L4[six] + 2)],
            ip_sum: without(self.word(IP_CHECKSUM), phone),
            l4_sum: without(self.word(l4_checksum), phone),
            returns: u16::from(returns),
            six: six as u16,
            tcp: u32::from(tcp),
            length: self.bytes.len() as u32,
            first: u32::from_be_bytes(phone),
            flows,
            stride: stride(flows),
            position: 0,
        }
    }

    /// A word as it stands in the frame.
    fn word(&self, at: usize) -> u16 {
        u16::from_ne_bytes([self.bytes[at], self.bytes[at + 1]])
    }
}

fn payload(text: &[u8], length: usize, headers: usize) -> Result<Vec<u8>> {
    let room = length.checked_sub(headers).context("a frame has room for its headers")?;
    let mut payload = text.to_vec();
    payload.resize(room.max(text.len()), b'.');
    Ok(payload)
}

/// An address as it stands in the frame; IPv4 in the last two words.
fn words(address: IpAddr) -> [u16; 8] {
    let bytes = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    };
    std::array::from_fn(|n| u16::from_ne_bytes([bytes[2 * n], bytes[2 * n + 1]]))
}

/// The part of an address that is another one for each phone.
fn last(address: IpAddr) -> [u8; 4] {
    let [.., a, b] = words(address);
    let ([a, b], [c, d]) = (a.to_ne_bytes(), b.to_ne_bytes());
    [a, b, c, d]
}

/// What a checksum covers besides these four bytes, summed up (RFC 1624).
fn without(checksum: u16, [a, b, c, d]: [u8; 4]) -> u16 {
    let words = [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])];
    let mut sum = u32::from(!checksum) + u32::from(!words[0]) + u32::from(!words[1]);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

/// About `flows` divided by the golden ratio, and without a common divisor.
fn stride(flows: u32) -> u32 {
    let near = (u64::from(flows) * 618 / 1000) as u32;
    (near.max(1)..=flows).find(|&stride| divisor(stride, flows) == 1).unwrap_or(1) % flows
}

fn divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { divisor(b, a % b) }
}
