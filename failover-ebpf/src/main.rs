//! The data plane's program entries: the only place that names an `xdp_action` or a `TC_ACT`.
//!
//! A packet's way is `parse` → `classify` (is it ours, and what is to be done) → `steer`, `fragment` or `icmp` (who
//! gets it, and the flow's memory) → `forward` (where it leaves) → `rewrite`. Until `rewrite` nothing is written, and whatever is unknown passes; from
//! then on whatever fails is dropped, so that half a rewrite is never sent. `discovery` is that way for the one packet that
//! is sent to a group, `dialog` knows the calls that stay where they began, `apart` keeps the stages apart for the verifier, and
//! `found` is where they leave what they know of the packet.
//! `watch` copies what a primary that serves is asked, and what it says, for the daemon.
//! `record` counts, or, in the twin of `failover explain`, `trace` says what was found. While somebody observes, `observe` shows the packets.
#![no_std]
#![no_main]
// The program macros make items without documentation, and hand contexts over by value.
#![allow(missing_docs, clippy::needless_pass_by_value)]

mod apart;
mod classify;
mod decap;
mod dialog;
mod discovery;
mod drain;
mod encap;
mod flows;
mod forward;
mod found;
mod fragment;
mod hook;
mod hop;
mod icmp;
mod maps;
mod observe;
mod packet;
mod parse;
mod plan;
mod record;
mod rewrite;
mod steer;
mod tell;
mod trace;
mod watch;

use core::mem::size_of;

use aya_ebpf::{
    bindings::{TC_ACT_REDIRECT, TC_ACT_SHOT, TC_ACT_UNSPEC, xdp_action},
    helpers::bpf_redirect_neigh,
    macros::{classifier, xdp},
    programs::{TcContext, XdpContext},
};
use failover_common::{names::MARK, reason::Reason};
use forward::Neighbour;
use packet::{OutOfBounds, Packet};
use plan::End;

/// What becomes of a packet.
enum Verdict {
    /// On to the kernel.
    Pass,
    /// Thrown away, counted.
    Drop,
    /// Out of the device that the packet was redirected to.
    Redirect,
}

/// The router's program: on every interface that signalling passes.
#[xdp(frags)]
pub fn failover_xdp(ctx: XdpContext) -> u32 {
    let mut packet = Packet::new(&ctx);
    match walk(&mut packet) {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop => xdp_action::XDP_DROP,
        Verdict::Redirect => xdp_action::XDP_REDIRECT,
    }
}

/// The same interfaces' way out: for what the router itself makes, and what XDP has left to it. `TC_ACT_UNSPEC` goes on
/// to whatever program comes next there.
#[classifier]
pub fn failover_egress(ctx: TcContext) -> i32 {
    let mut packet = Packet::new(&ctx);
    match leave(&mut packet) {
        Verdict::Pass => TC_ACT_UNSPEC,
        Verdict::Drop => TC_ACT_SHOT,
        Verdict::Redirect => TC_ACT_REDIRECT,
    }
}

/// Passes everything: for the far end of a veth pair, which can only receive redirected frames while it has a
/// program of its own.
#[xdp(frags)]
pub fn failover_pass(_: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Opens the envelopes of `ipip` steering: on a backup's host.
#[xdp(frags)]
pub fn failover_decap(ctx: XdpContext) -> u32 {
    match decap::open(&mut Packet::new(&ctx)) {
        Ok(()) => xdp_action::XDP_PASS,
        Err(OutOfBounds) => xdp_action::XDP_DROP,
    }
}

/// A packet's way, whole, and its place in the counters.
#[inline(always)]
fn walk(packet: &mut Packet) -> Verdict {
    let end = End::of(classify::visit(packet));
    record::close(packet, end);
    verdict(end)
}

/// The same on the way out. What comes by again after it was redirected is done with. What only passes through the router
/// was counted where it came in.
#[inline(always)]
fn leave(packet: &mut Packet<TcContext>) -> Verdict {
    if packet.take_mark(MARK) {
        return Verdict::Pass;
    }
    packet.unfold();
    let mut end = End::of(classify::visit(packet));
    if end.redirects() {
        packet.mark(MARK);
        if !is_sent() {
            end = End::drop(Reason::HalfWritten, end.target());
        }
    }
    if packet.ingress() == 0 || end.is_about_a_server() {
        record::close(packet, end);
    }
    verdict(end)
}

/// Has the kernel send the packet to the next hop that was found, whose MAC address it may still have to ask for.
#[inline(always)]
fn is_sent() -> bool {
    #[allow(clippy::cast_possible_wrap)] // 20
    const LEN: i32 = size_of::<Neighbour>() as i32;
    let Some(fib) = maps::fib() else { return false };
    let mut hop = forward::neighbour(fib);
    // SAFETY: `hop` is a whole, initialised structure of the kernel's size.
    (unsafe { bpf_redirect_neigh(fib.ifindex, (&raw mut hop).cast(), LEN, 0) }) == i64::from(TC_ACT_REDIRECT)
}

#[inline(always)]
fn verdict(end: End) -> Verdict {
    match end {
        end if end.redirects() => Verdict::Redirect,
        end if end.drops() => Verdict::Drop,
        _ => Verdict::Pass,
    }
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
