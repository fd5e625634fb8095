//! Next hops that are kept: the FIB is asked once a second for each of them, and at once when the router's network has
//! changed ([`failover_common::names::EPOCH`]), and not for every packet.

use core::ptr;

use aya_ebpf::helpers::generated::bpf_get_smp_processor_id;
use failover_common::names::LEAST_NEXT_HOPS;

use crate::{
    forward::{Fib, on_link},
    maps,
    parse::ip::Address,
};

/// One less than there are slots for each CPU, a power of two; a host has one of them, by its address. Set by the loader,
/// before the verifier looks at it.
#[unsafe(no_mangle)]
static NEXT_HOP_MASK: u32 = LEAST_NEXT_HOPS - 1;

/// How packets that come in by one device get to one host, whatever is done with them on the way: what only some of them
/// ask is in [`NextHop::notes`].
#[repr(C)]
pub struct NextHop {
    destination: [u32; 4],
    ingress: u32,
    stamp: Stamp,
    /// The device by which they leave, which takes redirected frames.
    pub egress: u32,
    /// The largest packet that this way takes.
    mtu: u16,
    /// Bits: [`Self::ON_LINK`], [`Self::SOURCE`].
    notes: u16,
    /// Of the next hop, as 16-bit words of the frame.
    pub destination_mac: [u16; 3],
    /// Of the egress device, the same.
    pub source_mac: [u16; 3],
    /// With [`Self::SOURCE`]: the router's own address on this way, as the FIB has it.
    pub source: [u32; 4],
}

// A line of the cache.
const _: () = assert!(size_of::<NextHop>() == failover_common::names::NEXT_HOP_BYTES);

/// For how long a next hop is good.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    epoch: u32,
    second: u32,
}

impl Stamp {
    /// What is looked up in this second bears this one.
    #[inline(always)]
    pub fn at(second: u32) -> Self {
        let epoch = maps::EPOCH.get_ptr(0);
        // SAFETY: a live array element of 4 aligned bytes: one load, which sees the daemon's store or does not.
        let epoch = epoch.map_or(0, |epoch| unsafe { ptr::read_volatile(epoch) });
        Self { epoch, second }
    }
}

/// The slot of a host; none on a CPU that was not there when the program was loaded.
#[inline(always)]
pub fn slot(destination: Address) -> Option<&'static mut NextHop> {
    let [a, b, c, d] = destination.0;
    // SAFETY: a live static; the load is volatile because it is the loader that gives it its value.
    let mask = unsafe { ptr::read_volatile(&raw const NEXT_HOP_MASK) };
    // SAFETY: a helper without arguments.
    let cpu = unsafe { bpf_get_smp_processor_id() };
    let own = cpu.wrapping_mul(mask.wrapping_add(1));
    let slot = maps::NEXT_HOPS.get_ptr_mut(own.wrapping_add(u32::from_be(a ^ b ^ c ^ d) & mask))?;
    // SAFETY: this CPU's own element, and any bytes are valid; programs do not interrupt each other on one CPU.
    Some(unsafe { &mut *slot })
}

impl NextHop {
    /// It is the host itself, and not a router on the way.
    const ON_LINK: u16 = 1;
    /// The FIB was asked for the router's own address.
    const SOURCE: u16 = 2;

    /// Whether it is this host's, and good for a packet of `len` bytes.
    #[inline(always)]
    pub fn is_known(&self, destination: Address, ingress: u32, stamp: Stamp, len: usize) -> bool {
        stamp.epoch != 0
            && self.stamp == stamp
            && self.destination == destination.0
            && self.ingress == ingress
            && len <= self.mtu as usize
    }

    /// The frame's addresses: the next hop's, and the egress device's. Word by word, because the compiler would have a function
    /// copy them.
    #[inline(always)]
    pub fn macs(&self) -> [u16; 6] {
        // SAFETY: references.
        let word = |word: &u16| unsafe { ptr::read_volatile(word) };
        let (to, from) = (&self.destination_mac, &self.source_mac);
        [word(&to[0]), word(&to[1]), word(&to[2]), word(&from[0]), word(&from[1]), word(&from[2])]
    }

    /// Whether it is the host itself.
    #[inline(always)]
    pub const fn is_on_link(&self) -> bool {
        self.notes & Self::ON_LINK != 0
    }

    /// Whether [`Self::source`] is known.
    #[inline(always)]
    pub const fn has_source(&self) -> bool {
        self.notes & Self::SOURCE != 0
    }

    /// Keeps what the FIB has answered; `source`, it was asked for the router's own address, too.
    #[inline(always)]
    pub fn keep(&mut self, destination: Address, ingress: u32, stamp: Stamp, fib: &Fib, source: bool) {
        self.destination = destination.0;
        self.ingress = ingress;
        self.stamp = stamp;
        self.egress = fib.ifindex;
        self.mtu = fib.mtu();
        self.destination_mac = fib.destination_mac;
        self.source_mac = fib.source_mac;
        self.notes = if on_link(fib, destination) { Self::ON_LINK } else { 0 };
        if source {
            self.notes |= Self::SOURCE;
            self.source = fib.source();
        }
    }
}
