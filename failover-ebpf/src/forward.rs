//! Where a packet leaves: the FIB's answer for the addresses that it is going to have.

use core::mem::size_of;

use aya_ebpf::{
    bindings::{
        BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_NOT_FWDED,
        BPF_FIB_LKUP_RET_SUCCESS, BPF_FIB_LKUP_RET_UNSUPP_LWT, bpf_fib_lookup as FibParams,
    },
    helpers::bpf_fib_lookup,
};
use failover_common::reason::Reason;

use crate::{
    maps,
    packet::Packet,
    parse::{ip::Ipv4, l4::L4},
    plan::{Change, Route, Side},
};

/// Linux's AF_INET.
const AF_INET: u8 = 2;

/// `struct bpf_fib_lookup` of the kernel's UAPI, for IPv4: plain words, so that no byte of it is left unset.
#[repr(C)]
struct Fib {
    family: u8,
    protocol: u8,
    source_port: [u8; 2],
    destination_port: [u8; 2],
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

/// Asks the FIB. An error means that a route forbids it (blackhole, unreachable, prohibit) or that the ingress device
/// does not forward, and the packet stays as it was.
#[inline(always)]
pub fn route(packet: &Packet, ip: &Ipv4, l4: &L4, change: &Change) -> Result<Route, Reason> {
    let mut fib = Fib {
        family: AF_INET,
        protocol: ip.protocol,
        source_port: l4.source.to_be_bytes(),
        destination_port: l4.destination.to_be_bytes(),
        total_len: ip.total_len,
        ifindex: packet.ingress(),
        tos: u32::from(ip.tos),
        source: [u32::from_ne_bytes(ip.source), 0, 0, 0],
        destination: [u32::from_ne_bytes(ip.destination), 0, 0, 0],
        vlan: 0,
        source_mac: [0; 3],
        destination_mac: [0; 3],
    };
    match change.side {
        Side::Destination => {
            fib.destination[0] = u32::from_ne_bytes(change.address);
            fib.destination_port = change.port;
        }
        Side::Source => {
            fib.source[0] = u32::from_ne_bytes(change.address);
            fib.source_port = change.port;
        }
    }
    let params: *mut Fib = &raw mut fib;
    // SAFETY: `params` points to a whole, initialised structure of the kernel's size (asserted above).
    let answer = unsafe { bpf_fib_lookup(packet.context(), params.cast(), FIB_LEN, 0) };
    match u32::try_from(answer) {
        Ok(BPF_FIB_LKUP_RET_SUCCESS) => {
            if maps::DEVICES.get_ifindex(fib.ifindex).is_none() {
                return Ok(Route::Kernel);
            }
            Ok(Route::Redirect {
                ifindex: fib.ifindex,
                source: fib.source_mac,
                destination: fib.destination_mac,
            })
        }
        Ok(
            BPF_FIB_LKUP_RET_NO_NEIGH
            | BPF_FIB_LKUP_RET_FRAG_NEEDED
            | BPF_FIB_LKUP_RET_NOT_FWDED
            | BPF_FIB_LKUP_RET_UNSUPP_LWT,
        ) => Ok(Route::Kernel),
        _ => Err(Reason::NoRoute),
    }
}
