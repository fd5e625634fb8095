//! What the benches' programs and the benches must agree on. The product uses none of it.

/// How frames are made whole again before each run, and which flow they belong to.
///
/// A program that rewrites a frame leaves it rewritten, and the kernel runs the next repeat on the same bytes: after a
/// few of them the TTL would have run out. So what was put around the frame is taken off, the parts of the header that
/// change are written anew for every run, and one address with them: flow `n` belongs to the host `first + n`. Words are
/// kept as they stand in the frame.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Feed {
    /// The Ethernet header.
    pub ethernet: [u16; 7],
    /// TTL and protocol; of IPv6, next header and hop limit.
    pub ttl: u16,
    /// The sender's address; IPv4 in the last two words, and so for the receiver's.
    pub source: [u16; 8],
    /// The receiver's address.
    pub destination: [u16; 8],
    /// Source and destination port.
    pub ports: [u16; 2],
    /// The IPv4 header's checksum, not complemented, as if the last four bytes of the flow's address were 0.
    pub ip_sum: u16,
    /// The same for UDP or TCP.
    pub l4_sum: u16,
    /// 1: the flow's address is the receiver's; 0: the sender's.
    pub returns: u16,
    /// 1: IPv6; 0: IPv4.
    pub six: u16,
    /// 1: TCP; 0: UDP.
    pub tcp: u32,
    /// Bytes of the frame.
    pub length: u32,
    /// The last four bytes of flow 0's address, in host order.
    pub first: u32,
    /// How many flows there are; at least 1.
    pub flows: u32,
    /// The next frame's flow is this many further on, below `flows`.
    pub stride: u32,
    /// The last frame's flow.
    pub position: u32,
}

/// What the forwarding floor looks up: a destination, whose address has `N` bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloorKey<const N: usize> {
    /// Network order.
    pub address: [u8; N],
    /// Network order.
    pub port: [u8; 2],
    /// IANA number.
    pub protocol: u8,
    /// Zero.
    pub reserved: u8,
}

/// What it puts in its place.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FloorValue<const N: usize> {
    /// Network order.
    pub address: [u8; N],
    /// Network order.
    pub port: [u8; 2],
    /// Zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<Feed>() == 84);
const _: () = assert!(size_of::<FloorKey<4>>() == 8 && size_of::<FloorKey<16>>() == 20);
const _: () = assert!(size_of::<FloorValue<4>>() == 8 && size_of::<FloorValue<16>>() == 20);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(C)`, integers and arrays of them only, no padding (sizes asserted above): any bytes are valid.
    unsafe impl aya::Pod for super::Feed {}
    // SAFETY: bytes alone.
    unsafe impl<const N: usize> aya::Pod for super::FloorKey<N> {}
    // SAFETY: bytes alone.
    unsafe impl<const N: usize> aya::Pod for super::FloorValue<N> {}
}
