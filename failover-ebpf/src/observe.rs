//! What `failover observe` is shown: packets as they came, as they leave, and what was decided about them.
//!
//! The program that is attached shows nothing, and the verifier removes all of this from it: while somebody observes, the
//! same object takes its place, loaded with another constant. What is rewritten is copied once before the first write,
//! and once behind the last; everything else once, when the visit is over.

use aya_ebpf::helpers::generated::{
    bpf_get_prandom_u32, bpf_get_smp_processor_id, bpf_ktime_get_ns, bpf_ringbuf_output,
};
use failover_common::{
    names::ROLE_OBSERVER,
    observe::{Interest, Missed, SNAP, Sighting},
};

use crate::{
    maps,
    packet::{Frame, Packet},
    plan::End,
    trace,
};

/// An Ethernet header. The verifier refuses a copy of no bytes, and of a comparison with 0 Linux 6.1 learns nothing.
const LEAST: usize = 14;

/// A packet, as it goes into the ring.
#[repr(C)]
pub struct View {
    head: Sighting,
    bytes: [u8; 2 * SNAP],
}

/// The packet is about `target`, and about to be written to; it leaves by `egress`, or, where that is 0, as the
/// kernel says.
#[inline(always)]
pub fn before(packet: &Packet<impl Frame>, target: u32, egress: impl FnOnce() -> u32) {
    if trace::role() == ROLE_OBSERVER {
        keep(packet, target, egress());
    }
}

/// A function of its own, because the stack has 512 bytes; so is [`show`].
#[inline(never)]
fn keep(packet: &Packet<impl Frame>, target: u32, egress: u32) {
    let Some(interest) = interest() else { return };
    if interest.about == 0 || !(interest.target == 0 || interest.target == target) {
        return;
    }
    if let Some(view) = view() {
        view.head.length = packet.len() as u32;
        view.head.egress = egress;
        view.head.before = copy(packet, view, 0) as u32;
    }
}

/// The visit is over.
#[inline(never)]
pub fn show(packet: &Packet<impl Frame>, end: End) {
    let Some(view) = view() else { return };
    let kept = view.head.before as usize;
    // For the next visit, whatever comes of this one.
    view.head.before = 0;
    let Some(missed) = maps::MISSED.get_ptr_mut(0) else { return };
    if !is_wanted(end) {
        return;
    }
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    // SAFETY: this CPU's own element; XDP does not interrupt itself on one CPU.
    let missed = unsafe { &mut *missed };
    if !is_within_limits(missed, now) || !send(packet, end, view, kept, now) {
        missed.packets += 1;
    }
}

#[inline(always)]
fn send(packet: &Packet<impl Frame>, end: End, view: &mut View, kept: usize, now: u64) -> bool {
    let (before, after) = if kept == 0 {
        view.head.length = packet.len() as u32;
        view.head.egress = 0;
        (copy(packet, view, 0), 0)
    } else {
        let before = at_most_snap(kept);
        (before, copy(packet, view, before))
    };
    let head = &mut view.head;
    head.time_ns = now;
    head.end = end.bits();
    head.left = packet.len() as u32;
    head.after = after as u32;
    head.ingress = packet.device();
    // SAFETY: a helper without arguments.
    head.cpu = unsafe { bpf_get_smp_processor_id() };
    head.before = before as u32;
    let size = size_of::<Sighting>() + before + after;
    // SAFETY: the map is one of ring buffers, and the view, in a map's value, is no smaller than `size`.
    let failed = unsafe {
        let ring = (&raw const maps::SIGHTINGS).cast_mut().cast();
        bpf_ringbuf_output(ring, (&raw mut *view).cast(), size as u64, 0)
    };
    view.head.before = 0;
    failed == 0
}

/// Copies the packet to `offset` of the view's bytes, which is no more than [`SNAP`]; how many bytes that were.
#[inline(always)]
fn copy(packet: &Packet<impl Frame>, view: &mut View, offset: usize) -> usize {
    let len = at_most_snap(packet.len());
    if len < LEAST {
        return 0;
    }
    // SAFETY: offset + len <= 2 * SNAP, which is what the bytes have.
    if unsafe { packet.copy(0, view.bytes.as_mut_ptr().add(offset), len) } { len } else { 0 }
}

#[inline(always)]
fn at_most_snap(len: usize) -> usize {
    if len > SNAP { SNAP } else { len }
}

#[inline(always)]
fn is_wanted(end: End) -> bool {
    let Some(interest) = interest() else { return false };
    let (target, bit) = (end.target(), 1 << (end.reason() & 63));
    let wanted = if target == 0 {
        interest.beyond & bit != 0
    } else {
        interest.about & bit != 0 && (interest.target == 0 || interest.target == target)
    };
    // SAFETY: a helper without arguments.
    wanted && unsafe { bpf_get_prandom_u32() } <= interest.chance
}

#[inline(always)]
fn is_within_limits(missed: &mut Missed, now: u64) -> bool {
    let moment = now >> Missed::MOMENT;
    if missed.moment != moment {
        missed.moment = moment;
        missed.shown = 0;
    }
    missed.shown += 1;
    missed.shown <= Missed::MOST
}

#[inline(always)]
fn interest() -> Option<&'static Interest> {
    maps::INTEREST.get(0)
}

/// This CPU's view.
#[inline(always)]
fn view() -> Option<&'static mut View> {
    // SAFETY: this CPU's own element, and any bytes are valid; programs do not interrupt each other on one CPU.
    maps::VIEW.get_ptr_mut(0).map(|view| unsafe { &mut *view })
}
