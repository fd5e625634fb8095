//! What a stage wants, what is decided, and why a visit ends: the words that the stages speak with each other.

use failover_common::reason::Reason;

use crate::parse::{ip::Ipv4, l4::L4};

/// A packet's visit ends before anything was written.
pub struct Stop {
    /// Why.
    pub reason: Reason,
    /// Target id; 0 where no target is concerned.
    pub target: u32,
    /// The policy says drop (`all_down = "drop"`); else it passes.
    pub drop: bool,
}

impl From<Reason> for Stop {
    #[inline(always)]
    fn from(reason: Reason) -> Self {
        Self { reason, target: 0, drop: false }
    }
}

impl Stop {
    /// A packet about `target` passes.
    #[inline(always)]
    pub const fn pass(reason: Reason, target: u32) -> Self {
        Self { reason, target, drop: false }
    }
}

/// Which end of the packet gets another address.
#[derive(Clone, Copy)]
pub enum Side {
    /// The destination: towards a backup.
    Destination,
    /// The source: back from a backup.
    Source,
}

/// The other address and port.
#[derive(Clone, Copy)]
pub struct Change {
    /// Which end.
    pub side: Side,
    /// The new address, network order.
    pub address: [u8; 4],
    /// The new port, network order.
    pub port: [u8; 2],
}

/// How a rewritten packet leaves.
pub enum Route {
    /// Out of this device at once.
    Redirect {
        /// The egress device.
        ifindex: u32,
        /// Its MAC address, as 16-bit words of the frame.
        source: [u16; 3],
        /// The next hop's MAC address, as 16-bit words of the frame.
        destination: [u16; 3],
    },
    /// The kernel routes it: the neighbour is not resolved yet, it must be fragmented, it is for this very host, or
    /// the device takes no redirected frames. Where no route matches at all the FIB answers as for this very host
    /// (`NOT_FWDED`), and it is the kernel that finds out.
    Kernel,
}

/// Everything that is to be done, decided; nothing is written yet.
pub struct Plan {
    /// Target id.
    pub target: u32,
    /// The availability's generation; 0 on the way back.
    pub generation: u32,
    /// Parsed headers.
    pub ip: Ipv4,
    /// Parsed headers.
    pub l4: L4,
    /// What is rewritten.
    pub change: Change,
    /// Where the packet leaves.
    pub route: Route,
}

/// What a stage wants done with a packet.
pub struct Wish {
    /// Target id.
    pub target: u32,
    /// As in [`Plan`].
    pub generation: u32,
    /// What is rewritten.
    pub change: Change,
    /// The backup endpoint under which the way back is remembered; 0: it needs no memory.
    pub flow: u32,
}
