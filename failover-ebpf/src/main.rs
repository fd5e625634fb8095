//! The data plane's program entries: the only place that names an `xdp_action`.
//!
//! A packet's way is `parse` → `classify` (is it ours, and what is to be done) → `steer`, `fragment` or `icmp` (who
//! gets it, and the flow's memory) → `forward` (where it leaves) → `rewrite`. Until `rewrite` nothing is written, and whatever is unknown passes; from
//! then on whatever fails is dropped, so that half a rewrite is never sent. `record` counts, or, in the
//! twin of `failover explain`, `trace` says what was found. While somebody observes, `observe` shows the packets.
#![no_std]
#![no_main]
// The program macros make items without documentation, and hand contexts over by value.
#![allow(missing_docs, clippy::needless_pass_by_value)]

mod classify;
mod encap;
mod flows;
mod forward;
mod fragment;
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
mod trace;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use packet::Packet;
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
#[xdp]
pub fn failover_xdp(ctx: XdpContext) -> u32 {
    let mut packet = Packet::new(&ctx);
    match walk(&mut packet) {
        Verdict::Pass => xdp_action::XDP_PASS,
        Verdict::Drop => xdp_action::XDP_DROP,
        Verdict::Redirect => xdp_action::XDP_REDIRECT,
    }
}

/// Passes everything: for the far end of a veth pair, which can only receive redirected frames while it has a
/// program of its own.
#[xdp]
pub fn failover_pass(_: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// A packet's way, whole, and its place in the counters.
#[inline(always)]
fn walk(packet: &mut Packet) -> Verdict {
    let end = End::of(classify::visit(packet));
    record::close(packet, end);
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
