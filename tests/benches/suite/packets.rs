//! The frames that are measured, and how each is made whole again.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::{Context as _, Result};
use etherparse::PacketBuilder;
use failover_common::bench::Feed;

use super::network::{PHONE, macs, subnet};

const TTL: u8 = 64;
/// Offsets in the frame.
const FROM_TTL: usize = 22;
const IP_CHECKSUM: usize = 24;
const PORTS: usize = 34;

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
    from: SocketAddrV4,
    to: SocketAddrV4,
}

impl Frame {
    /// A frame of `length` bytes, all its checksums right.
    pub fn new(transport: Transport, from: SocketAddrV4, to: SocketAddrV4, length: usize) -> Result<Self> {
        let (router, sender) = macs(*from.ip());
        let ip = PacketBuilder::ethernet2(sender, router).ipv4(from.ip().octets(), to.ip().octets(), TTL);
        let mut bytes = Vec::with_capacity(length);
        match transport {
            Transport::Udp => {
                let packet = ip.udp(from.port(), to.port());
                let payload = payload(length, packet.size(0))?;
                packet.write(&mut bytes, &payload)
            }
            Transport::Tcp => {
                let packet = ip.tcp(from.port(), to.port(), 0x1234_5678, 64_240).ack(0x8765_4321);
                let payload = payload(length, packet.size(0))?;
                packet.write(&mut bytes, &payload)
            }
        }
        .context("compose a frame")?;
        Ok(Self { bytes, ingress: subnet(*from.ip()), transport, from, to })
    }

    /// How to make `flows` flows of it: one for each of as many phones.
    ///
    /// They come in an order that neither hashing nor prefetching knows: each a golden section further on, and all of
    /// them before one comes again.
    pub fn feed(&self, flows: u32) -> Feed {
        let returns = *self.from.ip() != *PHONE.ip();
        let (phone, other) =
            if returns { (self.to.ip(), self.from.ip()) } else { (self.from.ip(), self.to.ip()) };
        let l4_checksum = if self.transport == Transport::Tcp { 50 } else { 40 };
        Feed {
            macs: std::array::from_fn(|n| self.word(2 * n)),
            ttl: self.word(FROM_TTL),
            ports: [self.word(PORTS), self.word(PORTS + 2)],
            ip_sum: without(self.word(IP_CHECKSUM), *phone),
            l4_sum: without(self.word(l4_checksum), *phone),
            returns: u16::from(returns),
            other: words(*other),
            tcp: u32::from(self.transport == Transport::Tcp),
            first: u32::from(*PHONE.ip()),
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

fn payload(length: usize, headers: usize) -> Result<Vec<u8>> {
    let room = length.checked_sub(headers).context("a frame has room for its headers")?;
    Ok(vec![b'.'; room])
}

fn words(address: Ipv4Addr) -> [u16; 2] {
    let [a, b, c, d] = address.octets();
    [u16::from_ne_bytes([a, b]), u16::from_ne_bytes([c, d])]
}

/// What a checksum covers besides `address`, summed up (RFC 1624).
fn without(checksum: u16, address: Ipv4Addr) -> u16 {
    let [a, b] = words(address);
    let mut sum = u32::from(!checksum) + u32::from(!a) + u32::from(!b);
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
