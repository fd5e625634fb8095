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
    hop::{self, NextHop, Stamp},
    maps, observe,
    packet::Packet,
    parse::{
        Family,
        eth::Link,
        ip::{Address, Ip},
    },
    plan::{Change, End, Plan, Side, Wish},
    trace,
};

/// Linux's AF_INET.
const AF_INET: u8 = 2;
/// Linux's AF_INET6.
const AF_INET6: u8 = 10;

/// `struct bpf_fib_lookup` of the kernel's UAPI: plain words, so that no byte of it is left unset.
#[repr(C)]
pub struct Fib {
    family: u8,
    protocol: u8,
    source_port: [u8; 2],
    destination_port: [u8; 2],
    total_len: u16,
    /// The device by which the packet came; by which it leaves.
    pub ifindex: u32,
    flow: u32,
    source: [u32; 4],
    destination: [u32; 4],
    vlan: u32,
    /// Of the egress device, as 16-bit words of the frame.
    pub source_mac: [u16; 3],
    /// Of the next hop, the same.
    pub destination_mac: [u16; 3],
}

/// As the helper takes it.
#[allow(clippy::cast_possible_wrap)] // 64
const FIB_LEN: i32 = size_of::<Fib>() as i32;

/// What the FIB answered when a next hop was kept: BPF_FIB_LKUP_RET_SUCCESS.
const KNOWN: i32 = 0;

const _: () = assert!(size_of::<Fib>() == size_of::<FibParams>());

impl Fib {
    /// After a success: the largest packet that the way takes.
    #[inline(always)]
    pub const fn mtu(&self) -> u16 {
        self.total_len
    }
}

/// Finds the way for what is wanted: `ports` are source and destination, host order, for a route that is chosen by them.
#[inline(always)]
pub fn plan(
    packet: &Packet,
    link: &Link,
    ip: &'static Ip,
    ports: (u16, u16),
    wish: &'static Wish,
) -> Result<Plan, End> {
    let pass = |reason| End::pass(reason, wish.target);
    if ip.hop_limit <= 1 {
        trace::change(&wish.change);
        return Err(pass(Reason::TtlExpired));
    }
    let hop = route(packet, link, ip, ports, &wish.change).map_err(pass)?;
    observe::before(packet, wish.target, hop);
    Ok(Plan { ip, wish, hop })
}

/// Finds the next hop, if the packet can be redirected there; then that is prepared. An error means that the packet stays as it was: a
/// route forbids it (blackhole, unreachable, prohibit), the ingress device does not forward, or the way to the client
/// is too narrow, which the kernel tells the backup only about the packet that it sent.
#[inline(always)]
fn route(
    packet: &Packet,
    link: &Link,
    ip: &Ip,
    ports: (u16, u16),
    change: &Change,
) -> Result<Option<&'static NextHop>, Reason> {
    if !leaves_its_link(ip.family, ip.source) {
        return Err(Reason::NoRoute);
    }
    let ingress = packet.ingress();
    let destination = match change.side {
        Side::Destination => change.address,
        Side::Source => ip.destination,
    };
    let hop = hop::slot(destination).ok_or(Reason::NoRoute)?;
    let stamp = Stamp::now();
    if hop.is_known(destination, ingress, stamp, ip.total_len)
        && takes(link, ip, ingress, hop.egress)
        && maps::DEVICES.redirect(hop.egress, 0).is_ok()
    {
        trace::route(change, KNOWN, hop.egress);
        return Ok(Some(hop));
    }
    let fib = ask(packet, ip, ports, change)?;
    if let Some(fib) = fib
        && takes(link, ip, ingress, fib.ifindex)
        && maps::DEVICES.redirect(fib.ifindex, 0).is_ok()
    {
        hop.keep(destination, ingress, stamp, fib);
        return Ok(Some(hop));
    }
    Ok(None)
}

/// Whether a packet may be redirected to this device: tags stay as they are on the trunk on which they came; elsewhere
/// the kernel's VLAN devices know.
#[inline(always)]
const fn takes(link: &Link, ip: &Ip, ingress: u32, egress: u32) -> bool {
    !(ip.hop_by_hop || link.tagged && egress != ingress)
}

/// Asks the FIB for the way of the packet as it is going to be; `None`: the kernel must find it.
#[inline(always)]
fn ask(
    packet: &Packet,
    ip: &Ip,
    ports: (u16, u16),
    change: &Change,
) -> Result<Option<&'static mut Fib>, Reason> {
    let fib = maps::fib().ok_or(Reason::NoRoute)?;
    // What the helper only writes is left as it was: clearing it would take a call.
    fib.family = if ip.family == Family::V4 { AF_INET } else { AF_INET6 };
    fib.protocol = ip.protocol;
    fib.source_port = ports.0.to_be_bytes();
    fib.destination_port = ports.1.to_be_bytes();
    fib.total_len = ip.total_len as u16;
    fib.ifindex = packet.ingress();
    fib.flow = ip.flow;
    fib.source = words(ip.family, ip.source);
    fib.destination = words(ip.family, ip.destination);
    match change.side {
        Side::Destination => {
            fib.destination = words(ip.family, change.address);
            fib.destination_port = change.port;
        }
        Side::Source => {
            fib.source = words(ip.family, change.address);
            fib.source_port = change.port;
        }
    }
    let params: *mut Fib = fib;
    // SAFETY: `params` points to a whole, initialised structure of the kernel's size (asserted above).
    let answer = unsafe { bpf_fib_lookup(packet.context(), params.cast(), FIB_LEN, 0) };
    trace::route(change, answer as i32, fib.ifindex);
    // Errors of the call itself are negative.
    match u32::try_from(answer).unwrap_or(u32::MAX) {
        BPF_FIB_LKUP_RET_SUCCESS => Ok(Some(fib)),
        BPF_FIB_LKUP_RET_FRAG_NEEDED => match change.side {
            Side::Source if !ip.divisible => Err(Reason::TooBig),
            _ => Ok(None),
        },
        BPF_FIB_LKUP_RET_NO_NEIGH | BPF_FIB_LKUP_RET_NOT_FWDED | BPF_FIB_LKUP_RET_UNSUPP_LWT => Ok(None),
        _ => Err(Reason::NoRoute),
    }
}

/// Whether a router may forward what comes from `source`, which the FIB does not look at: nothing from a group, from
/// nobody, from a loopback (RFC 1812 §5.3.7, RFC 4291 §2.5 and §2.7), and nothing from a link-local address.
#[inline(always)]
fn leaves_its_link(family: Family, source: Address) -> bool {
    let [a, b, c, d] = source.0;
    match family {
        Family::V4 => !matches!(u32::from_be(d) >> 24, 0 | 127 | 224..),
        Family::V6 => {
            let first = u32::from_be(a);
            first >> 24 != 0xff && first >> 22 != 0xfe80 >> 6 && (a | b | c != 0 || u32::from_be(d) > 1)
        }
    }
}

/// An address as the FIB takes it.
#[inline(always)]
fn words(family: Family, address: Address) -> [u32; 4] {
    match family {
        Family::V4 => [address.0[3], 0, 0, 0],
        Family::V6 => address.0,
    }
}
