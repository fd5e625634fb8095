//! What the data plane shows to `failover observe`: packets, while somebody looks.

/// The most bytes of a packet that are shown: as much as an Ethernet frame of the usual size has, and half as much again.
pub const SNAP: usize = 2048;

/// The head of an entry in the ring buffer: what was found out about a packet. The packet's first bytes follow, as it
/// came ([`Self::before`] of them), and then as it leaves ([`Self::after`] of them).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sighting {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub time_ns: u64,
    /// As [`crate::trace::Trace::end`].
    pub end: u64,
    /// Bytes of the whole frame, as it came.
    pub length: u32,
    /// Of these, how many are shown.
    pub before: u32,
    /// Bytes of the whole frame, as it leaves.
    pub left: u32,
    /// Of these, how many are shown; 0: nothing was rewritten.
    pub after: u32,
    /// Index of the interface by which it came.
    pub ingress: u32,
    /// Of the one by which it leaves, where it is redirected; else 0.
    pub egress: u32,
    /// The CPU that saw it.
    pub cpu: u32,
    /// Zero.
    pub reserved: u32,
}

/// What the observers want to see, all of them together. Bit n of a bitmap is reason n. All zero: nothing.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Interest {
    /// Reasons of packets about a target.
    pub about: u64,
    /// Reasons of packets about none.
    pub beyond: u64,
    /// The one target that they want to see; 0: any.
    pub target: u32,
    /// A packet is shown when a random 32-bit number is not above this.
    pub chance: u32,
}

/// One CPU's account of what it could not show.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Missed {
    /// The moment that [`Self::shown`] counts in: `CLOCK_MONOTONIC`, in units of [`Self::MOMENT`].
    pub moment: u64,
    /// Packets that were shown in it.
    pub shown: u64,
    /// Packets that were not shown, since the program was loaded: too many in one moment, or the ring was full.
    pub packets: u64,
}

impl Missed {
    /// The shift that makes a moment of nanoseconds: 134 ms.
    pub const MOMENT: u32 = 27;
    /// The most packets that one CPU shows in a moment, about 15,000 in a second: a flood must not keep the daemon from
    /// its work.
    pub const MOST: u64 = 2048;
}

const _: () = assert!(size_of::<Sighting>() == 48);
const _: () = assert!(size_of::<Interest>() == 24);
const _: () = assert!(size_of::<Missed>() == 24);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(C)`, integers only, no padding (sizes asserted above): any bytes are valid.
    unsafe impl aya::Pod for super::Sighting {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Interest {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Missed {}
}
