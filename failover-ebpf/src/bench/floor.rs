//! The least that a packet's way can be. Nothing is shared with the router's stages but the access to the frame, so
//! that the floor stays where it is when they change.

use core::mem::{size_of, transmute};

use aya_ebpf::{
    bindings::{BPF_FIB_LKUP_RET_SUCCESS, bpf_fib_lookup as FibParams},
    helpers::bpf_fib_lookup,
};
use failover_common::{
    bench::FloorKey,
    checksum::Difference,
    key::{TCP, UDP},
};

use crate::{
    maps,
    packet::{OutOfBounds, Packet},
};

const ETHERTYPE: usize = 12;
const IPV4: u16 = 0x0800_u16.to_be();
const IPV6: u16 = 0x86dd_u16.to_be();
const IP: usize = 14;
/// Offsets of IPv4: the header, what is written in it, and what follows it.
const TTL: usize = IP + 8;
const IP_CHECKSUM: usize = IP + 10;
const DESTINATION: usize = IP + 16;
const L4: usize = IP + 20;
/// The same of IPv6.
const NEXT_HEADER: usize = IP + 6;
const DESTINATION_SIX: usize = IP + 24;
const L4_SIX: usize = IP + 40;
/// Behind the transport header's start.
const DESTINATION_PORT: usize = 2;
const UDP_CHECKSUM: usize = 6;
const TCP_CHECKSUM: usize = 16;
/// Linux's AF_INET and AF_INET6.
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// `struct bpf_fib_lookup` of the kernel's UAPI: plain words, so that no byte of it is left unset.
#[repr(C)]
pub struct Fib {
    family: u8,
    protocol: u8,
    ports: [u16; 2],
    total_len: u16,
    ifindex: u32,
    flow: u32,
    source: [u32; 4],
    destination: [u32; 4],
    vlan: u32,
    source_mac: [u16; 3],
    destination_mac: [u16; 3],
}

/// As the helper takes it.
#[allow(clippy::cast_possible_wrap)] // 64
const FIB_LEN: i32 = size_of::<Fib>() as i32;

const _: () = assert!(size_of::<Fib>() == size_of::<FibParams>());

/// What is known of a frame: words as they stand in it.
pub struct Headers {
    source: [u32; 4],
    destination: [u32; 4],
    ports: [u16; 2],
    total_len: u16,
    /// The word in which the TTL stands.
    ttl: u16,
    protocol: u8,
    six: bool,
}

/// Reads the headers.
#[inline(always)]
pub fn parse(packet: &Packet) -> Result<Headers, OutOfBounds> {
    let headers = match packet.read::<[u16; 1]>(ETHERTYPE)? {
        [IPV4] => four(packet)?,
        [IPV6] => six(packet)?,
        _ => return Err(OutOfBounds),
    };
    if headers.protocol != UDP && headers.protocol != TCP {
        return Err(OutOfBounds);
    }
    Ok(headers)
}

#[inline(always)]
fn four(packet: &Packet) -> Result<Headers, OutOfBounds> {
    let ip: [u16; 10] = packet.read(IP)?;
    let [version_ihl, _] = ip[0].to_ne_bytes();
    if version_ihl != 0x45 {
        return Err(OutOfBounds);
    }
    let [source, destination, ..] = packet.read::<[u16; 4]>(L4)?;
    let [_, protocol] = ip[4].to_ne_bytes();
    Ok(Headers {
        source: [word([ip[6], ip[7]]), 0, 0, 0],
        destination: [word([ip[8], ip[9]]), 0, 0, 0],
        ports: [source, destination],
        total_len: u16::from_be(ip[1]),
        ttl: ip[4],
        protocol,
        six: false,
    })
}

#[inline(always)]
fn six(packet: &Packet) -> Result<Headers, OutOfBounds> {
    let [first, _, length, next]: [u16; 4] = packet.read(IP)?;
    let [version, _] = first.to_ne_bytes();
    if version >> 4 != 6 {
        return Err(OutOfBounds);
    }
    let from: [[u16; 2]; 4] = packet.read(IP + 8)?;
    let to: [[u16; 2]; 4] = packet.read(DESTINATION_SIX)?;
    let [source, destination, ..] = packet.read::<[u16; 4]>(L4_SIX)?;
    let [protocol, _] = next.to_ne_bytes();
    Ok(Headers {
        source: from.map(word),
        destination: to.map(word),
        ports: [source, destination],
        total_len: u16::from_be(length).wrapping_add(40),
        ttl: next,
        protocol,
        six: true,
    })
}

/// Sends the packet on, to where the table says.
#[inline(always)]
pub fn forward(packet: &mut Packet) -> Result<(), OutOfBounds> {
    let headers = parse(packet)?;
    let fib = if headers.six { forward_six(packet, &headers)? } else { forward_four(packet, &headers)? };
    packet.write(0, fib.destination_mac)?;
    packet.write(6, fib.source_mac)?;
    maps::DEVICES.redirect(fib.ifindex, 0).map(|_| ()).map_err(|_| OutOfBounds)
}

#[inline(always)]
fn forward_four(packet: &mut Packet, headers: &Headers) -> Result<&'static Fib, OutOfBounds> {
    let &Headers { destination: [destination, ..], ports, protocol, ttl, .. } = headers;
    let address = destination.to_ne_bytes();
    let key = FloorKey { address, port: ports[1].to_ne_bytes(), protocol, reserved: 0 };
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    let server = unsafe { maps::FLOOR.get(key) }.ok_or(OutOfBounds)?;
    let to = u32::from_ne_bytes(server.address);
    let fib = route(packet, headers, [to, 0, 0, 0], server.port)?;

    let addresses = Difference::none().pair(destination, to);
    let both = addresses.word(ports[1], u16::from_ne_bytes(server.port));
    packet.write(DESTINATION, server.address)?;
    packet.write(L4 + DESTINATION_PORT, server.port)?;
    transport(packet, L4, protocol, both)?;
    let [left, _] = ttl.to_ne_bytes();
    let less = u16::from_ne_bytes([left.wrapping_sub(1), protocol]);
    packet.write(TTL, [less])?;
    let header = addresses.word(ttl, less);
    patch(packet, IP_CHECKSUM, |sum| header.apply(sum))?;
    Ok(fib)
}

#[inline(always)]
fn forward_six(packet: &mut Packet, headers: &Headers) -> Result<&'static Fib, OutOfBounds> {
    let &Headers { destination, ports, protocol, ttl, .. } = headers;
    let address = bytes(destination);
    let key = FloorKey { address, port: ports[1].to_ne_bytes(), protocol, reserved: 0 };
    // SAFETY: as above.
    let server = unsafe { maps::FLOOR_SIX.get(key) }.ok_or(OutOfBounds)?;
    let to = words(server.address);
    let fib = route(packet, headers, to, server.port)?;

    let mut addresses = Difference::none();
    for (old, new) in destination.into_iter().zip(to) {
        addresses = addresses.pair(old, new);
    }
    packet.write(DESTINATION_SIX, server.address)?;
    packet.write(L4_SIX + DESTINATION_PORT, server.port)?;
    transport(packet, L4_SIX, protocol, addresses.word(ports[1], u16::from_ne_bytes(server.port)))?;
    let [_, left] = ttl.to_ne_bytes();
    packet.write(NEXT_HEADER, [u16::from_ne_bytes([protocol, left.wrapping_sub(1)])])?;
    Ok(fib)
}

/// Patches the checksum of the header at `at`.
#[inline(always)]
fn transport(packet: &mut Packet, at: usize, protocol: u8, change: Difference) -> Result<(), OutOfBounds> {
    if protocol == UDP {
        patch(packet, at + UDP_CHECKSUM, |sum| change.apply_udp(sum))
    } else {
        patch(packet, at + TCP_CHECKSUM, |sum| change.apply(sum))
    }
}

/// What the FIB says about the packet when that is its destination. What the helper only writes is left as it was: clearing it
/// would take a call.
#[inline(always)]
fn route(
    packet: &Packet,
    headers: &Headers,
    destination: [u32; 4],
    port: [u8; 2],
) -> Result<&'static Fib, OutOfBounds> {
    // SAFETY: this CPU's own element, and any bytes are valid; XDP does not interrupt itself on one CPU.
    let fib = unsafe { &mut *maps::FIB.get_ptr_mut(0).ok_or(OutOfBounds)? };
    fib.family = if headers.six { AF_INET6 } else { AF_INET };
    fib.protocol = headers.protocol;
    fib.ports = [headers.ports[0], u16::from_ne_bytes(port)];
    fib.total_len = headers.total_len;
    fib.ifindex = packet.ingress();
    fib.flow = 0;
    let words = if headers.six { 4 } else { 1 };
    fib.source[..words].copy_from_slice(&headers.source[..words]);
    fib.destination[..words].copy_from_slice(&destination[..words]);
    let params: *mut Fib = fib;
    // SAFETY: `params` points to a whole, initialised structure of the kernel's size (asserted above).
    let answer = unsafe { bpf_fib_lookup(packet.context(), params.cast(), FIB_LEN, 0) };
    if u32::try_from(answer) != Ok(BPF_FIB_LKUP_RET_SUCCESS) {
        return Err(OutOfBounds);
    }
    Ok(fib)
}

/// One more frame has arrived.
#[inline(always)]
pub fn count() {
    if let Some(arrived) = maps::ARRIVED.get_ptr_mut(0) {
        // SAFETY: this CPU's own element; XDP does not interrupt itself on one CPU.
        unsafe { *arrived += 1 };
    }
}

#[inline(always)]
const fn word([a, b]: [u16; 2]) -> u32 {
    let ([a, b], [c, d]) = (a.to_ne_bytes(), b.to_ne_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

#[inline(always)]
const fn bytes(words: [u32; 4]) -> [u8; 16] {
    // SAFETY: as many bytes, and any are valid.
    unsafe { transmute(words) }
}

#[inline(always)]
const fn words(bytes: [u8; 16]) -> [u32; 4] {
    // SAFETY: as above.
    unsafe { transmute(bytes) }
}

#[inline(always)]
fn patch(packet: &mut Packet, at: usize, change: impl FnOnce(u16) -> u16) -> Result<(), OutOfBounds> {
    let [sum] = packet.read::<[u16; 1]>(at)?;
    packet.write(at, [change(sum)])
}
