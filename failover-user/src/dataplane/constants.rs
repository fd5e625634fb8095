//! What the program is told before the verifier looks at it, wherever it is loaded: for the links, as the twin of
//! `failover explain`, or to show packets. With the memory that is a program's own, whose size it is told so.

use aya::EbpfLoader;
use failover_common::{entropy::Sources, names};

use crate::config::model::{Forward, Prefix};

/// The constants that follow from the configuration, and from the machine.
#[derive(Clone, Copy, Debug)]
pub(super) struct Constants {
    /// On all CPUs.
    next_hops: u32,
    next_hop_mask: u32,
    kernel_forwards: u8,
    envelope_sources: Sources,
}

impl Constants {
    pub fn new(forward: Forward, envelope_source: Option<Prefix>) -> Self {
        let sources = |prefix: Prefix| Sources {
            network: prefix.network().to_bits().to_be(),
            hosts: prefix.hosts().to_be(),
        };
        let cpus = u32::try_from(aya::util::nr_cpus().unwrap_or(1)).unwrap_or(u32::MAX).max(1);
        let slots = next_hops(cpus);
        Self {
            next_hops: slots.saturating_mul(cpus),
            next_hop_mask: slots - 1,
            kernel_forwards: u8::from(forward == Forward::Kernel),
            envelope_sources: envelope_source.map_or(Sources::ROUTER, sources),
        }
    }

    /// Has them in what `loader` loads.
    pub fn set<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        loader.map_max_entries(names::NEXT_HOPS, self.next_hops);
        loader.override_global(names::NEXT_HOP_MASK, &self.next_hop_mask, true);
        loader.override_global(names::KERNEL_FORWARDS, &self.kernel_forwards, true);
        loader.override_global(names::ENVELOPE_SOURCES, &self.envelope_sources, true);
    }
}

/// Slots for next hops on each CPU: as many as there may be, if they take no more than 64 MiB on all CPUs together.
fn next_hops(cpus: u32) -> u32 {
    let room = (64 << 20) / names::NEXT_HOP_BYTES as u32 / cpus;
    let power = if room == 0 { 1 } else { 1 << room.ilog2() };
    power.clamp(names::LEAST_NEXT_HOPS, names::MOST_NEXT_HOPS)
}
