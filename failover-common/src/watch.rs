//! What the data plane copies for the daemon of what clients and a watched primary say to each other.

/// The most bytes of a frame that is copied: a jumbo frame with its tags. A longer one is none that anybody would send again.
pub const SNAP: usize = 9728;
/// Bytes of the ring buffer: some thousand messages.
pub const RING: u32 = 4 << 20;

/// The head of an entry in the ring buffer; the frame follows, as it came.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Copied {
    /// `CLOCK_MONOTONIC`, nanoseconds.
    pub time_ns: u64,
    /// Target id.
    pub target: u32,
    /// Index of the interface by which it came.
    pub ingress: u32,
    /// Bytes of the whole frame: a longer one than [`SNAP`] is cut off there.
    pub length: u32,
    /// One of [`Self::TO_PRIMARY`], [`Self::FROM_PRIMARY`] and [`Self::FRAGMENT`].
    pub way: u32,
}

impl Copied {
    /// A client has said it.
    pub const TO_PRIMARY: u32 = 0;
    /// The primary has said it.
    pub const FROM_PRIMARY: u32 = 1;
    /// A later fragment of what a client has said.
    pub const FRAGMENT: u32 = 2;
}

const _: () = assert!(size_of::<Copied>() == 24);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(C)`, integers only, no padding (size asserted above): any bytes are valid.
    unsafe impl aya::Pod for super::Copied {}
}
