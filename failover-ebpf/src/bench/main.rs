//! The programs of `cargo xtask bench`, each, like the router's, for frames in several buffers, too: floors, which show what the parts of a packet's way cost by themselves, and
//! what feeds frames to them and to the router's own program.
#![no_std]
#![no_main]
// The program macros make items without documentation, and hand contexts over by value.
#![allow(missing_docs, clippy::needless_pass_by_value)]

mod feed;
mod floor;
mod maps;
#[path = "../packet.rs"]
#[allow(dead_code)] // a floor needs less of a frame than the router does
mod packet;

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};
use packet::Packet;

/// Bytes of an IPv6 header.
const ENVELOPE: usize = 40;

/// Nothing at all.
#[xdp(frags)]
pub fn floor_pass(_: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

/// Ethernet, IPv4 or IPv6, UDP or TCP, bounds checked.
#[xdp(frags)]
pub fn floor_parse(ctx: XdpContext) -> u32 {
    match floor::parse(&Packet::new(&ctx)) {
        Ok(_) => xdp_action::XDP_PASS,
        Err(_) => xdp_action::XDP_DROP,
    }
}

/// The least that sends a packet to another server: one look-up, a new destination, its checksums, TTL, the FIB, MAC
/// addresses, and out.
#[xdp(frags)]
pub fn floor_forward(ctx: XdpContext) -> u32 {
    match floor::forward(&mut Packet::new(&ctx)) {
        Ok(()) => xdp_action::XDP_REDIRECT,
        Err(_) => xdp_action::XDP_DROP,
    }
}

/// Nothing but room for an envelope, which whatever feeds the frame again takes away.
#[xdp(frags)]
pub fn floor_envelope(ctx: XdpContext) -> u32 {
    match Packet::new(&ctx).grow(ENVELOPE) {
        Ok(()) => xdp_action::XDP_PASS,
        Err(_) => xdp_action::XDP_DROP,
    }
}

/// Makes the frame whole, as the next flow's, and goes on to the program under test.
#[xdp(frags)]
pub fn feed(ctx: XdpContext) -> u32 {
    if feed::next(&mut Packet::new(&ctx)).is_ok() {
        // SAFETY: nothing here waits to be dropped.
        unsafe { maps::NEXT.tail_call(&ctx, 0) };
    }
    xdp_action::XDP_ABORTED
}

/// Makes the frame whole, and sends it.
#[xdp(frags)]
pub fn generate(ctx: XdpContext) -> u32 {
    match feed::next(&mut Packet::new(&ctx)).map(|()| maps::OUTPUT.redirect(0, 0)) {
        Ok(Ok(_)) => xdp_action::XDP_REDIRECT,
        _ => xdp_action::XDP_ABORTED,
    }
}

/// Counts what arrives, and throws it away.
#[xdp(frags)]
pub fn sink(_: XdpContext) -> u32 {
    floor::count();
    xdp_action::XDP_DROP
}

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
