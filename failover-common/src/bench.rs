//! What the benches' programs and the benches must agree on. The product uses none of it.

/// How frames are made whole again before each run, and which flow they belong to.
///
/// A program that rewrites a frame leaves it rewritten, and the kernel runs the next repeat on the same bytes: after a
/// few of them the TTL would have run out. So the parts of the header that change are written anew for every run, and
/// one address with them: flow `n` belongs to the host `first + n`. Words are kept as they stand in the frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Feed {
    /// The Ethernet addresses.
    pub macs: [u16; 6],
    /// TTL and protocol.
    pub ttl: u16,
    /// Source and destination port.
    pub ports: [u16; 2],
    /// The IP header's checksum, not complemented, as if the flow's address were 0.0.0.0.
    pub ip_sum: u16,
    /// The same for UDP or TCP.
    pub l4_sum: u16,
    /// 1: the flow's address is the destination; 0: the source.
    pub returns: u16,
    /// The address at the other end.
    pub other: [u16; 2],
    /// 1: TCP; 0: UDP.
    pub tcp: u32,
    /// The address of flow 0, in host order.
    pub first: u32,
    /// How many flows there are; at least 1.
    pub flows: u32,
    /// The next frame's flow is this many further on, below `flows`.
    pub stride: u32,
    /// The last frame's flow.
    pub position: u32,
}

/// What the forwarding floor looks up: a destination.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FloorKey {
    /// Network order.
    pub address: [u8; 4],
    /// Network order.
    pub port: [u8; 2],
    /// IANA number.
    pub protocol: u8,
    /// Zero.
    pub reserved: u8,
}

/// What it puts in its place.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FloorValue {
    /// Network order.
    pub address: [u8; 4],
    /// Network order.
    pub port: [u8; 2],
    /// Zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<Feed>() == 48);
const _: () = assert!(size_of::<FloorKey>() == 8);
const _: () = assert!(size_of::<FloorValue>() == 8);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(C)`, integers and byte arrays only, no padding (sizes asserted above): any bytes are valid.
    unsafe impl aya::Pod for super::Feed {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::FloorKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::FloorValue {}
}
