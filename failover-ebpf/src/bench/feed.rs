//! Frames, made whole again before each run.

use crate::{
    maps,
    packet::{OutOfBounds, Packet},
};

const MACS: usize = 0;
/// TTL, protocol, checksum, addresses and ports stand in a row.
const FROM_TTL: usize = 22;
const UDP_CHECKSUM: usize = 40;
const TCP_CHECKSUM: usize = 50;

/// Writes the header of the next flow's frame.
#[inline(always)]
pub fn next(packet: &mut Packet) -> Result<(), OutOfBounds> {
    let feed = maps::FEED.get_ptr_mut(0).ok_or(OutOfBounds)?;
    // SAFETY: a live array element; nobody else reads or writes it while the bench runs.
    let feed = unsafe { &mut *feed };
    let mut position = feed.position.wrapping_add(feed.stride);
    if position >= feed.flows {
        position = position.wrapping_sub(feed.flows);
    }
    feed.position = position;
    let host = words(feed.first.wrapping_add(position));
    let (source, destination) = if feed.returns == 0 { (host, feed.other) } else { (feed.other, host) };
    let ip_sum = sum(feed.ip_sum, host);
    let row = [
        feed.ttl,
        ip_sum,
        source[0],
        source[1],
        destination[0],
        destination[1],
        feed.ports[0],
        feed.ports[1],
    ];
    packet.write(MACS, feed.macs)?;
    packet.write(FROM_TTL, row)?;
    let l4_sum = sum(feed.l4_sum, host);
    if feed.tcp == 0 {
        // UDP's zero would mean that there is none (RFC 768).
        packet.write(UDP_CHECKSUM, [if l4_sum == 0 { u16::MAX } else { l4_sum }])
    } else {
        packet.write(TCP_CHECKSUM, [l4_sum])
    }
}

/// An address as it stands in the frame.
#[inline(always)]
fn words(address: u32) -> [u16; 2] {
    [((address >> 16) as u16).to_be(), (address as u16).to_be()]
}

/// The checksum of what sums up to `rest` without `address`. Any order of bytes gives the same sum (RFC 1071).
#[inline(always)]
fn sum(rest: u16, address: [u16; 2]) -> u16 {
    let sum = u32::from(rest) + u32::from(address[0]) + u32::from(address[1]);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    !(sum as u16)
}
