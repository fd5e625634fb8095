//! The least that a packet's way can be. Nothing is shared with the router's stages but the access to the frame, so
//! that the floor stays where it is when they change.

use core::mem::size_of;

use aya_ebpf::{
    bindings::{BPF_FIB_LKUP_RET_SUCCESS, bpf_fib_lookup as FibParams},
    helpers::bpf_fib_lookup,
};
use failover_common::{
    bench::{FloorKey, FloorValue},
    checksum::Difference,
    key::{TCP, UDP},
};

use crate::{
    maps,
    packet::{OutOfBounds, Packet},
};

const ETHERTYPE: usize = 12;
const IPV4: u16 = 0x0800_u16.to_be();
const IP: usize = 14;
const TTL: usize = IP + 8;
const IP_CHECKSUM: usize = IP + 10;
const DESTINATION: usize = IP + 16;
const L4: usize = 34;
const DESTINATION_PORT: usize = L4 + 2;
const UDP_CHECKSUM: usize = L4 + 6;
const TCP_CHECKSUM: usize = L4 + 16;
/// Linux's AF_INET.
const AF_INET: u8 = 2;

/// `struct bpf_fib_lookup` of the kernel's UAPI, for IPv4: plain words, so that no byte of it is left unset.
#[repr(C)]
struct Fib {
    family: u8,
    protocol: u8,
    ports: [u16; 2],
    total_len: u16,
    ifindex: u32,
    tos: u32,
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
    ip: [u16; 10],
    ports: [u16; 2],
    protocol: u8,
}

/// Reads the headers.
#[inline(always)]
pub fn parse(packet: &Packet) -> Result<Headers, OutOfBounds> {
    let [ethertype] = packet.read::<[u16; 1]>(ETHERTYPE)?;
    let ip: [u16; 10] = packet.read(IP)?;
    let [version_ihl, _] = ip[0].to_ne_bytes();
    let [_, protocol] = ip[4].to_ne_bytes();
    if ethertype != IPV4 || version_ihl != 0x45 || (protocol != UDP && protocol != TCP) {
        return Err(OutOfBounds);
    }
    let [source, destination, ..] = packet.read::<[u16; 4]>(L4)?;
    Ok(Headers { ip, ports: [source, destination], protocol })
}

/// Sends the packet on, to where the table says.
#[inline(always)]
pub fn forward(packet: &mut Packet) -> Result<(), OutOfBounds> {
    let Headers { ip, ports, protocol } = parse(packet)?;
    let destination = address(ip[8], ip[9]);
    let key = FloorKey { address: destination, port: ports[1].to_ne_bytes(), protocol, reserved: 0 };
    // SAFETY: the element is read before the program ends, and RCU keeps it until then.
    let server = unsafe { maps::FLOOR.get(key) }.ok_or(OutOfBounds)?;
    let fib = route(packet, &ip, ports[0], protocol, server)?;

    let addresses =
        Difference::none().pair(u32::from_ne_bytes(destination), u32::from_ne_bytes(server.address));
    let both = addresses.word(ports[1], u16::from_ne_bytes(server.port));
    packet.write(DESTINATION, server.address)?;
    packet.write(DESTINATION_PORT, server.port)?;
    if protocol == UDP {
        patch(packet, UDP_CHECKSUM, |sum| both.apply_udp(sum))?;
    } else {
        patch(packet, TCP_CHECKSUM, |sum| both.apply(sum))?;
    }
    let [ttl, _] = ip[4].to_ne_bytes();
    let less = u16::from_ne_bytes([ttl.wrapping_sub(1), protocol]);
    packet.write(TTL, [less])?;
    let header = addresses.word(ip[4], less);
    patch(packet, IP_CHECKSUM, |sum| header.apply(sum))?;
    packet.write(0, fib.destination_mac)?;
    packet.write(6, fib.source_mac)?;
    maps::DEVICES.redirect(fib.ifindex, 0).map(|_| ()).map_err(|_| OutOfBounds)
}

/// What the FIB says about the packet when `server` is its destination.
#[inline(always)]
fn route(
    packet: &Packet,
    ip: &[u16; 10],
    source_port: u16,
    protocol: u8,
    server: &FloorValue,
) -> Result<Fib, OutOfBounds> {
    let mut fib = Fib {
        family: AF_INET,
        protocol,
        ports: [source_port, u16::from_ne_bytes(server.port)],
        total_len: u16::from_be(ip[1]),
        ifindex: packet.ingress(),
        tos: 0,
        source: [u32::from_ne_bytes(address(ip[6], ip[7])), 0, 0, 0],
        destination: [u32::from_ne_bytes(server.address), 0, 0, 0],
        vlan: 0,
        source_mac: [0; 3],
        destination_mac: [0; 3],
    };
    let params: *mut Fib = &raw mut fib;
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
fn address(a: u16, b: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (a.to_ne_bytes(), b.to_ne_bytes());
    [a, b, c, d]
}

#[inline(always)]
fn patch(packet: &mut Packet, at: usize, change: impl FnOnce(u16) -> u16) -> Result<(), OutOfBounds> {
    let [sum] = packet.read::<[u16; 1]>(at)?;
    packet.write(at, [change(sum)])
}
