//! What the program is told before the verifier looks at it, wherever it is loaded: for the links, as the twin of
//! `failover explain`, or to show packets.

use aya::EbpfLoader;
use failover_common::{entropy::Sources, names};

use crate::config::model::{Forward, Prefix};

/// The constants that follow from the configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Constants {
    kernel_forwards: u8,
    envelope_sources: Sources,
}

impl Constants {
    pub fn new(forward: Forward, envelope_source: Option<Prefix>) -> Self {
        let sources = |prefix: Prefix| Sources {
            network: prefix.network().to_bits().to_be(),
            hosts: prefix.hosts().to_be(),
        };
        Self {
            kernel_forwards: u8::from(forward == Forward::Kernel),
            envelope_sources: envelope_source.map_or(Sources::ROUTER, sources),
        }
    }

    /// Has them in what `loader` loads.
    pub fn set<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        loader.override_global(names::KERNEL_FORWARDS, &self.kernel_forwards, true);
        loader.override_global(names::ENVELOPE_SOURCES, &self.envelope_sources, true);
    }
}
