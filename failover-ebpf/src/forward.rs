//! Where a packet leaves: the FIB's answer for the addresses that it is going to have.

use core::mem::size_of;

use aya_ebpf::{
    bindings::{
        BPF_FIB_LKUP_RET_FRAG_NEEDED, BPF_FIB_LKUP_RET_NO_NEIGH, BPF_FIB_LKUP_RET_NOT_FWDED,
        BPF_FIB_LKUP_RET_SUCCESS, BPF_FIB_LKUP_RET_UNSUPP_LWT, BPF_FIB_LOOKUP_SRC,
        bpf_fib_lookup as FibParams,
    },
    helpers::bpf_fib_lookup,
};
use failover_common::reason::Reason;

use crate::{
    flows::now_seconds,
    hook::kernel_forwards,
    hop::{self, NextHop, Stamp},
    maps, observe,
    packet::{Frame, Packet},
    parse::{
        Family,
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

/// `struct bpf_redir_neigh` of the kernel's UAPI.
#[repr(C)]
pub struct Neighbour {
    family: u32,
    address: [u32; 4],
}

/// As the helper takes it.
#[allow(clippy::cast_possible_wrap)] // 64
const FIB_LEN: i32 = size_of::<Fib>() as i32;

/// What the FIB answered when a next hop was kept: BPF_FIB_LKUP_RET_SUCCESS.
const KNOWN: i32 = 0;

/// The device of what this machine makes itself, in every network namespace.
const LOOPBACK: u32 = 1;

const _: () = assert!(size_of::<Fib>() == size_of::<FibParams>());

impl Fib {
    /// After a success, or where the packet is too large: the largest one that the way takes.
    #[inline(always)]
    pub const fn mtu(&self) -> u16 {
        self.total_len
    }

    /// As the FIB takes it, and, where it was asked for one, has added it: IPv4 in the first word.
    #[inline(always)]
    pub const fn source(&self) -> [u32; 4] {
        self.source
    }
}

/// Finds the way for what is wanted: `ports` are source and destination, host order, for a route that is chosen by them.
#[inline(always)]
pub fn plan<F: Frame>(
    packet: &Packet<F>,
    ip: &'static Ip,
    ports: (u16, u16),
    wish: &'static Wish,
) -> Result<Plan, End> {
    let pass = |reason| End::pass(reason, wish.target);
    let now = now_seconds();
    if F::EGRESS {
        let redirect = leave(packet, ip, ports, &wish.change).map_err(pass)?;
        return Ok(Plan { ip, wish, hop: None, redirect, now });
    }
    if ip.hop_limit <= 1 {
        trace::change(&wish.change);
        return Err(pass(Reason::TtlExpired));
    }
    if kernel_forwards() {
        // It has rules, marks and routes of which the FIB's answer knows nothing.
        trace::change(&wish.change);
        return Ok(Plan { ip, wish, hop: None, redirect: false, now });
    }
    let hop = route(packet, ip, ports, &wish.change, now).map_err(pass)?;
    observe::before(packet, wish.target, || hop.map_or(0, |hop| hop.egress));
    Ok(Plan { ip, wish, hop, redirect: hop.is_some(), now })
}

/// Finds the next hop, if the packet can be redirected there; then that is prepared. An error means that the packet stays as it was: a
/// route forbids it (blackhole, unreachable, prohibit), the ingress device does not forward, or the way to the client
/// is too narrow, which the kernel tells the backup only about the packet that it sent.
#[inline(always)]
fn route(
    packet: &Packet<impl Frame>,
    ip: &Ip,
    ports: (u16, u16),
    change: &Change,
    now: u32,
) -> Result<Option<&'static NextHop>, Reason> {
    if !leaves_its_link(ip.family, ip.source) {
        return Err(Reason::NoRoute);
    }
    let ingress = packet.ingress();
    let destination = match change.side {
        Side::Destination => change.address,
        Side::Source => ip.destination,
    };
    let Some(hop) = hop::slot(destination) else { return Ok(None) };
    let stamp = Stamp::at(now);
    let scattered = packet.is_scattered(ip.offset + ip.total_len);
    if hop.is_known(destination, ingress, stamp, ip.total_len)
        && takes(ip, ingress, hop.egress)
        && maps::redirect(hop.egress, scattered)
    {
        trace::route(change, KNOWN, hop.egress);
        return Ok(Some(hop));
    }
    let fib = ask(packet, ip, ports, change)?;
    if let Some(fib) = fib
        && takes(ip, ingress, fib.ifindex)
        && maps::redirect(fib.ifindex, scattered)
    {
        hop.keep(destination, ingress, stamp, fib, false);
        return Ok(Some(hop));
    }
    Ok(None)
}

/// Whether a packet may be redirected to this device: tags stay as they are on the trunk on which they came; elsewhere
/// the kernel's VLAN devices know.
#[inline(always)]
const fn takes(ip: &Ip, ingress: u32, egress: u32) -> bool {
    !(ip.hop_by_hop || ip.tagged && egress != ingress)
}

/// Asks the FIB for the way of the packet as it is going to be; `None`: the kernel must find it.
#[inline(always)]
fn ask(
    packet: &Packet<impl Frame>,
    ip: &Ip,
    ports: (u16, u16),
    change: &Change,
) -> Result<Option<&'static mut Fib>, Reason> {
    let fib = question(ip, ports, change).ok_or(Reason::NoRoute)?;
    fib.total_len = ip.total_len as u16;
    fib.ifindex = packet.ingress();
    let answer = look_up(packet, fib, 0);
    trace::route(change, answer, fib.ifindex);
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

/// A packet that is already on its way out: whether it is redirected. Towards a client it stays on its way. Towards a backup it
/// is redirected, where the routes know a way out: the kernel has made its choice for the address that the packet had, and will
/// make no other.
#[inline(always)]
fn leave(packet: &Packet<impl Frame>, ip: &Ip, ports: (u16, u16), change: &Change) -> Result<bool, Reason> {
    if let Side::Source = change.side {
        return Ok(false);
    }
    if ip.tagged || packet.is_tagged() {
        return Err(Reason::NoRoute);
    }
    let fib = question(ip, ports, change).ok_or(Reason::NoRoute)?;
    // The helper measures the packet itself: one that the device will cut into segments is larger than any of them.
    fib.total_len = 0;
    fib.ifindex = match packet.ingress() {
        0 => LOOPBACK,
        ingress => ingress,
    };
    match u32::try_from(look_up(packet, fib, 0)).unwrap_or(u32::MAX) {
        BPF_FIB_LKUP_RET_SUCCESS | BPF_FIB_LKUP_RET_NO_NEIGH => Ok(true),
        BPF_FIB_LKUP_RET_FRAG_NEEDED => Err(Reason::TooBig),
        _ => Err(Reason::NoRoute),
    }
}

/// The next hop of the packet that [`leave`] has found a way for.
#[inline(always)]
pub fn neighbour(fib: &Fib) -> Neighbour {
    Neighbour { family: fib.family.into(), address: fib.destination }
}

/// The question without its device: where does the packet go that has been changed?
#[inline(always)]
fn question(ip: &Ip, ports: (u16, u16), change: &Change) -> Option<&'static mut Fib> {
    let fib = maps::fib()?;
    // What the helper only writes is left as it was: clearing it would take a call.
    fib.family = if ip.family == Family::V4 { AF_INET } else { AF_INET6 };
    fib.protocol = ip.protocol;
    fib.source_port = ports.0.to_be_bytes();
    fib.destination_port = ports.1.to_be_bytes();
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
    Some(fib)
}

#[inline(always)]
fn look_up(packet: &Packet<impl Frame>, fib: &mut Fib, flags: u32) -> i32 {
    let params: *mut Fib = fib;
    // SAFETY: `params` points to a whole, initialised structure of the kernel's size (asserted above).
    (unsafe { bpf_fib_lookup(packet.context(), params.cast(), FIB_LEN, flags) }) as i32
}

/// Whether a router may forward what comes from `source`, which the FIB does not look at: nothing from a group, from
/// nobody, from a loopback (RFC 1812 §5.3.7, RFC 4291 §2.5 and §2.7), and nothing from a link-local address.
#[inline(always)]
pub fn leaves_its_link(family: Family, source: Address) -> bool {
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

/// A packet that leaves as it is, or that this program has made.
pub struct Question {
    /// Its source; `None`: the router's own address on that way, which the FIB adds (Linux 6.7).
    pub from: Option<Address>,
    /// Where it goes: its destination, or, under `l2`, the host that is to have it.
    pub to: Address,
    /// As [`Ip::flow`].
    pub flow: u32,
    /// Of what it carries.
    pub protocol: u8,
    /// All its bytes, from the IP header on.
    pub total_len: usize,
}

/// What the FIB says to a [`Question`].
pub enum Hop {
    /// It can be redirected there.
    Redirect(&'static NextHop),
    /// It can not; if anyone, the kernel can forward it, by the way that is in [`maps::fib`].
    Kernel,
    /// It is larger than [`Fib::mtu`] now says.
    TooNarrow,
    /// A route forbids it, or the ingress device does not forward.
    Nowhere,
}

/// Finds the way of a packet that is not rewritten, of the one that came with `ip`; if it can be redirected, that is
/// prepared.
#[inline(always)]
pub fn find(packet: &Packet, ip: &Ip, question: &Question) -> Hop {
    let (ingress, to) = (packet.ingress(), question.to);
    let Some(hop) = hop::slot(to) else { return Hop::Kernel };
    let (stamp, source) = (Stamp::at(now_seconds()), question.from.is_none());
    let scattered = packet.is_scattered(ip.offset + ip.total_len);
    if hop.is_known(to, ingress, stamp, question.total_len)
        && (!source || hop.has_source())
        && takes(ip, ingress, hop.egress)
        && maps::redirect(hop.egress, scattered)
    {
        trace::egress(KNOWN, hop.egress);
        return Hop::Redirect(hop);
    }
    let Some(fib) = maps::fib() else { return Hop::Nowhere };
    let answer = put(packet, fib, question);
    trace::egress(answer, fib.ifindex);
    match u32::try_from(answer).unwrap_or(u32::MAX) {
        BPF_FIB_LKUP_RET_SUCCESS => {
            if !takes(ip, ingress, fib.ifindex) || !maps::redirect(fib.ifindex, scattered) {
                return Hop::Kernel;
            }
            hop.keep(to, ingress, stamp, fib, source);
            Hop::Redirect(hop)
        }
        BPF_FIB_LKUP_RET_FRAG_NEEDED => Hop::TooNarrow,
        BPF_FIB_LKUP_RET_NO_NEIGH | BPF_FIB_LKUP_RET_NOT_FWDED | BPF_FIB_LKUP_RET_UNSUPP_LWT => Hop::Kernel,
        _ => Hop::Nowhere,
    }
}

/// Asks the FIB.
#[inline(always)]
fn put(packet: &Packet, fib: &mut Fib, question: &Question) -> i32 {
    let family = family(question.to);
    fib.family = if family == Family::V4 { AF_INET } else { AF_INET6 };
    fib.protocol = question.protocol;
    (fib.source_port, fib.destination_port) = ([0; 2], [0; 2]);
    fib.total_len = question.total_len as u16;
    fib.ifindex = packet.ingress();
    fib.flow = question.flow;
    fib.source = question.from.map_or([0; 4], |from| words(family, from));
    fib.destination = words(family, question.to);
    look_up(packet, fib, if question.from.is_none() { BPF_FIB_LOOKUP_SRC } else { 0 })
}

/// Whether the FIB has named `to` itself as the next hop, and not a router on the way.
#[inline(always)]
pub fn on_link(fib: &Fib, to: Address) -> bool {
    fib.destination == words(family(to), to)
}

#[inline(always)]
const fn family(address: Address) -> Family {
    if address.is_v4() { Family::V4 } else { Family::V6 }
}
