//! Map values.

/// Who serves a target: 8 bytes, written in one aligned store and read in one load, so that no packet ever sees
/// half a decision.
///
/// ```text
/// bits  0..8   serving: 0 the primary, n the n-th backup (from 1), 255 nobody (drop)
/// bits  8..16  zero
/// bits 16..32  live servers: bit 0 the primary, bit n the n-th backup
/// bits 32..64  generation: one more at every change of `serving`
/// ```
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Availability(pub u64);

impl Availability {
    /// `serving` when nobody may serve (`all_down = "drop"`).
    pub const NOBODY: u8 = 255;

    /// Composes a value.
    pub const fn new(serving: u8, live: u16, generation: u32) -> Self {
        Self(serving as u64 | (live as u64) << 16 | (generation as u64) << 32)
    }

    /// 0 the primary, n the n-th backup, [`Self::NOBODY`].
    #[inline(always)]
    pub const fn serving(self) -> u8 {
        self.0 as u8
    }

    /// Bit 0 the primary, bit n the n-th backup.
    #[inline(always)]
    pub const fn live(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// One more at every change of [`Self::serving`].
    #[inline(always)]
    pub const fn generation(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// A signalling service.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Service {
    /// Target id, from 1.
    pub target: u32,
    /// Service id, from 0: the row of `SERVERS`.
    pub service: u32,
    /// Where the service is also some other target's backup endpoint: that endpoint's id; else 0.
    pub endpoint: u32,
    /// Zero.
    pub reserved: u32,
}

/// Where a backup serves one service. An all-zero value is an empty place.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Server {
    /// IPv6 or IPv4-mapped, network order.
    pub address: [u8; 16],
    /// Network order.
    pub port: [u8; 2],
    /// [`Self::DEDICATED`] or 0.
    pub flags: u16,
    /// Endpoint id, from 1; 0 is an empty place.
    pub endpoint: u32,
}

impl Server {
    /// The way back needs no table.
    pub const DEDICATED: u16 = 1;
}

/// The address that a backup's packet must come from in the client's eyes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Origin {
    /// The target's address: IPv6 or IPv4-mapped, network order.
    pub address: [u8; 16],
    /// The service's port, network order.
    pub port: [u8; 2],
    /// Zero.
    pub reserved: [u8; 2],
    /// Target id.
    pub target: u32,
}

/// A backup's endpoint.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Endpoint {
    /// Endpoint id, from 1.
    pub id: u32,
    /// [`Self::DEDICATED`] or 0.
    pub flags: u32,
    /// Whom it stands in for, where it is dedicated; else zero.
    pub origin: Origin,
}

impl Endpoint {
    /// The endpoint serves [`Endpoint::origin`] alone.
    pub const DEDICATED: u32 = 1;
}

/// A remembered way back.
///
/// Two services that share one backup endpoint may both send the same client there. The later one is in
/// [`Return::origin`]; [`Return::rival_seen`] tells when they last took turns.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Return {
    /// What the client asked.
    pub origin: Origin,
    /// When a packet was last steered this way, in seconds of the monotonic clock.
    pub seen: u32,
    /// When the origin last changed while the one before was in use; 0: never.
    pub rival_seen: u32,
}

/// Seconds for which two services that took turns on one flow stay indistinguishable on the way back: an answer
/// may come as late as this (RFC 3261 §16.6, Timer C).
pub const RIVAL_SECONDS: u32 = 180;

/// What was decided about the first fragment of a datagram.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FragmentWay {
    /// The new address, IPv6 or IPv4-mapped, network order.
    pub address: [u8; 16],
    /// Target id.
    pub target: u32,
    /// Which address is replaced: [`Self::DESTINATION`] or [`Self::SOURCE`].
    pub side: u32,
    /// When, in seconds of the monotonic clock.
    pub seen: u32,
    /// The availability's generation; 0 on the way back.
    pub generation: u32,
}

impl FragmentWay {
    /// Towards a backup.
    pub const DESTINATION: u32 = 0;
    /// Back from one.
    pub const SOURCE: u32 = 1;
}

/// Packets and bytes (bytes of the whole frame).
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes, from the Ethernet header on.
    pub bytes: u64,
}

/// Signalling ports, one bit each: 65,536 bits for UDP, then 65,536 for TCP.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortBitmap(pub [u64; PortBitmap::WORDS]);

impl PortBitmap {
    /// Words in the bitmap.
    pub const WORDS: usize = 2 * 1024;

    /// The word and the bit in it of a port (host order).
    #[inline(always)]
    pub const fn place(port: u16, tcp: bool) -> (usize, u64) {
        ((port as usize >> 6) | ((tcp as usize) << 10), 1 << (port & 63))
    }
}

const _: () = assert!(size_of::<Service>() == 16);
const _: () = assert!(size_of::<Server>() == 24);
const _: () = assert!(size_of::<Origin>() == 24);
const _: () = assert!(size_of::<Endpoint>() == 32);
const _: () = assert!(size_of::<Return>() == 32);
const _: () = assert!(size_of::<FragmentWay>() == 32);
const _: () = assert!(size_of::<Counter>() == 16);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(transparent)` over an integer: any bytes are valid.
    unsafe impl aya::Pod for super::Availability {}
    // SAFETY: `repr(C)`, integers and byte arrays only, no padding (sizes asserted above): any bytes are valid.
    unsafe impl aya::Pod for super::Service {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Server {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Endpoint {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Return {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::FragmentWay {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Counter {}
    // SAFETY: `repr(transparent)` over an array of integers: any bytes are valid.
    unsafe impl aya::Pod for super::PortBitmap {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn availability_keeps_its_parts_apart() {
        let a = Availability::new(3, 0b1001, u32::MAX);
        assert_eq!((a.serving(), a.live(), a.generation()), (3, 0b1001, u32::MAX));
    }

    #[test]
    fn every_port_has_a_place_of_its_own() {
        let mut seen = std::collections::HashSet::new();
        for port in 0..=u16::MAX {
            for tcp in [false, true] {
                let (word, bit) = PortBitmap::place(port, tcp);
                assert!(word < PortBitmap::WORDS && seen.insert((word, bit)));
            }
        }
    }
}
