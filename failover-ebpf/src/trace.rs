//! The twin of `failover explain`: the same program, loaded once more on the same maps and never attached, that writes
//! nothing but down what it found.
//!
//! Whether this is the twin is a constant when the program is loaded: of the attached one, the verifier removes all that
//! only the twin does, and of the twin, all that only the attached one does. Of each place that asks, one load stays: so
//! the ways that most packets go ask as seldom as they can.

use core::ptr;

use failover_common::{
    names::{ROLE_ATTACHED, ROLE_TWIN},
    trace::Trace,
    value::{Availability, Server},
};

use crate::{
    maps,
    packet::{Frame, Packet},
    parse::{Family, glance::Plain, icmp::Quote, ip::Ip, ipv6, l4::L4},
    plan::{Change, End, Side, Wish},
};

/// Set by the loader, before the verifier looks at it: a `ROLE_…`.
#[unsafe(no_mangle)]
static ROLE: u8 = ROLE_ATTACHED;

/// What this program is for.
#[inline(always)]
pub fn role() -> u8 {
    // SAFETY: a live static; the load is volatile because it is the loader that gives it its value.
    unsafe { ptr::read_volatile(&raw const ROLE) }
}

/// Whether nothing may be written that outlives the visit.
#[inline(always)]
pub fn dry_run() -> bool {
    role() == ROLE_TWIN
}

/// Notes something, if this is the twin.
#[inline(always)]
pub fn note(write: impl FnOnce(&mut Trace)) {
    if dry_run()
        && let Some(trace) = maps::TRACE.get_ptr_mut(0)
    {
        // SAFETY: this CPU's own element, and any bytes are valid; test runs do not interrupt each other on one CPU.
        write(unsafe { &mut *trace });
    }
}

/// The visit is over.
#[inline(always)]
pub fn end(end: End) {
    note(|trace| trace.end = end.bits());
}

/// These became known.
#[inline(always)]
pub fn known(bits: u32) {
    note(|trace| trace.known |= bits);
}

/// The IP header.
#[inline(always)]
pub fn ip(ip: &Ip) {
    note(|trace| put_ip(trace, ip));
}

/// The same of a packet that only got a glance.
#[inline(always)]
pub fn plain(packet: &Packet<impl Frame>, plain: &Plain) {
    if dry_run() {
        known(put_plain(packet, plain));
    }
}

/// What is known by that. A function of its own, because the stack has 512 bytes.
#[inline(never)]
fn put_plain(packet: &Packet<impl Frame>, plain: &Plain) -> u32 {
    let (Some(trace), Some((source, destination))) = (maps::TRACE.get_ptr_mut(0), plain.addresses(packet))
    else {
        return 0;
    };
    // SAFETY: as in `note`.
    let trace = unsafe { &mut *trace };
    trace.ip = Plain::IP as u32;
    trace.payload = plain.payload() as u32;
    let (version, at, more) = match plain.family {
        Family::V4 => (4, 2, 0),
        Family::V6 => (6, 4, ipv6::LEN as u32),
    };
    trace.version = version;
    let [length] = packet.read::<[u16; 1]>(Plain::IP + at).unwrap_or_default();
    trace.total_len = u32::from(u16::from_be(length)) + more;
    trace.protocol = plain.protocol;
    trace.source = source.bytes();
    trace.destination = destination.bytes();
    trace.source_port = plain.source_port.to_be_bytes();
    trace.destination_port = plain.destination_port.to_be_bytes();
    Trace::IP | Trace::PORTS
}

/// The target's service, and who serves.
#[inline(always)]
pub fn service(target: u32, now: Availability) {
    note(|trace| {
        trace.known |= Trace::SERVICE | Trace::AVAILABILITY;
        trace.service_target = target;
        trace.availability = now.0;
    });
}

/// The IP header and the ports.
#[inline(always)]
pub fn segment(ip: &Ip, l4: &L4) {
    note(|trace| {
        put_ip(trace, ip);
        trace.known |= Trace::PORTS;
        trace.source_port = l4.source.to_be_bytes();
        trace.destination_port = l4.destination.to_be_bytes();
    });
}

#[inline(always)]
fn put_ip(trace: &mut Trace, ip: &Ip) {
    trace.known |= Trace::IP;
    trace.ip = ip.offset as u32;
    trace.payload = ip.payload as u32;
    trace.total_len = ip.total_len as u32;
    trace.version = if let Family::V4 = ip.family { 4 } else { 6 };
    trace.protocol = ip.protocol;
    trace.source = ip.source.bytes();
    trace.destination = ip.destination.bytes();
}

/// What an ICMP error quotes.
#[inline(always)]
pub fn quote(quote: &Quote) {
    note(|trace| {
        trace.known |= Trace::QUOTE;
        trace.quote = quote.offset as u32;
        trace.quote_l4 = quote.l4 as u32;
    });
}

/// What is wanted.
#[inline(always)]
pub fn change(change: &Change) {
    note(|trace| put_change(trace, change));
}

/// What is wanted, and what the FIB says to it.
#[inline(always)]
pub fn route(change: &Change, fib: i32, egress: u32) {
    note(|trace| {
        put_change(trace, change);
        trace.known |= Trace::ROUTE;
        trace.fib = fib;
        trace.egress = egress;
    });
}

/// Where a packet goes that is not rewritten.
#[inline(always)]
pub fn unrewritten(wish: &Wish) {
    note(|trace| {
        trace.known |= Trace::WISH;
        trace.known |= if wish.steer == u32::from(Server::L2) { Trace::L2 } else { Trace::IPIP };
        trace.address = wish.change.address.bytes();
    });
}

/// What the FIB says to it.
#[inline(always)]
pub fn egress(fib: i32, egress: u32) {
    note(|trace| {
        trace.known |= Trace::ROUTE;
        trace.fib = fib;
        trace.egress = egress;
    });
}

#[inline(always)]
fn put_change(trace: &mut Trace, change: &Change) {
    trace.known |= Trace::WISH;
    if let Side::Source = change.side {
        trace.known |= Trace::FROM;
    }
    trace.address = change.address.bytes();
    trace.port = change.port;
}
