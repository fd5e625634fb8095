//! Frames, made whole again before each run.

use core::ptr;

use failover_common::bench::Feed;

use crate::{
    maps,
    packet::{OutOfBounds, Packet},
};

const ETHERNET: usize = 0;
/// IPv4: TTL, protocol, checksum, addresses and ports stand in a row.
const FROM_TTL: usize = 22;
/// IPv6: next header, hop limit, addresses and ports do.
const FROM_NEXT_HEADER: usize = 20;
/// Behind the transport header's start.
const UDP_CHECKSUM: usize = 6;
const TCP_CHECKSUM: usize = 16;
const L4: usize = 34;
const L4_SIX: usize = 54;

/// Makes the frame the next flow's.
#[inline(always)]
pub fn next(packet: &mut Packet) -> Result<(), OutOfBounds> {
    let feed = maps::FEED.get_ptr_mut(0).ok_or(OutOfBounds)?;
    // SAFETY: a live array element; nobody else reads or writes it while the bench runs.
    let feed = unsafe { &mut *feed };
    let (len, length) = (packet.len(), feed.length as usize);
    if len > length {
        packet.shrink(len - length)?;
    }
    let mut position = feed.position.wrapping_add(feed.stride);
    if position >= feed.flows {
        position = position.wrapping_sub(feed.flows);
    }
    feed.position = position;
    let host = words(feed.first.wrapping_add(position));
    packet.write(ETHERNET, copied(&feed.ethernet))?;
    let l4 = if feed.six == 0 { four(packet, feed, host)? } else { six(packet, feed, host)? };
    let l4_sum = sum(feed.l4_sum, host);
    match (feed.tcp, l4) {
        // UDP's zero would mean that there is none (RFC 768).
        (0, Family::V4) => packet.write(L4 + UDP_CHECKSUM, [never_zero(l4_sum)]),
        (0, Family::V6) => packet.write(L4_SIX + UDP_CHECKSUM, [never_zero(l4_sum)]),
        (_, Family::V4) => packet.write(L4 + TCP_CHECKSUM, [l4_sum]),
        (_, Family::V6) => packet.write(L4_SIX + TCP_CHECKSUM, [l4_sum]),
    }
}

/// What was written.
enum Family {
    V4,
    V6,
}

#[inline(always)]
fn four(packet: &mut Packet, feed: &Feed, host: [u16; 2]) -> Result<Family, OutOfBounds> {
    let ([.., a, b], [.., c, d]) = (feed.source, feed.destination);
    let (source, destination) = if feed.returns == 0 { (host, [c, d]) } else { ([a, b], host) };
    let ip_sum = sum(feed.ip_sum, host);
    let ([a, b], [c, d], [from, to]) = (source, destination, feed.ports);
    packet.write(FROM_TTL, [feed.ttl, ip_sum, a, b, c, d, from, to])?;
    Ok(Family::V4)
}

#[inline(always)]
fn six(packet: &mut Packet, feed: &Feed, host: [u16; 2]) -> Result<Family, OutOfBounds> {
    const SOURCE: usize = FROM_NEXT_HEADER + 2;
    const DESTINATION: usize = SOURCE + 16;
    packet.write(FROM_NEXT_HEADER, [feed.ttl])?;
    // Who is rewritten is whole again; of the phone's address the rest never changes.
    if feed.returns == 0 {
        packet.write(SOURCE + 12, host)?;
        packet.write(DESTINATION, copied(&feed.destination))?;
    } else {
        packet.write(SOURCE, copied(&feed.source))?;
        packet.write(DESTINATION + 12, host)?;
    }
    packet.write(DESTINATION + 16, feed.ports)?;
    Ok(Family::V6)
}

/// Word by word, because the compiler would have a function copy them byte by byte, and what is read after in words would
/// have to wait for all of these.
#[inline(always)]
fn copied<const N: usize>(words: &[u16; N]) -> [u16; N] {
    // SAFETY: a reference.
    core::array::from_fn(|n| unsafe { ptr::read_volatile(&raw const words[n]) })
}

/// An address, or its last four bytes, as it stands in the frame.
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

#[inline(always)]
const fn never_zero(sum: u16) -> u16 {
    if sum == 0 { u16::MAX } else { sum }
}
