//! Internet checksum arithmetic (RFC 1071), and its incremental form (RFC 1624, equation 3).
//!
//! Words, pairs of words and checksums are read from memory in one byte order, whichever it is: the sum does not
//! depend on it (RFC 1071 §2 B).

use crate::key::UDP;

/// Folds the carries of a sum of 16-bit words back into 16 bits.
#[inline(always)]
pub const fn fold(mut sum: u64) -> u16 {
    sum = (sum & 0xffff_ffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum as u16
}

/// A change to checksummed data, gathered over any number of 16-bit words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Difference(u64);

impl Difference {
    /// Nothing changed yet.
    #[inline(always)]
    pub const fn none() -> Self {
        Self(0)
    }

    /// One word was `old` and is now `new`.
    #[inline(always)]
    #[must_use]
    pub const fn word(self, old: u16, new: u16) -> Self {
        Self(self.0 + !old as u64 + new as u64)
    }

    /// Two words were `old` and are now `new`.
    #[inline(always)]
    #[must_use]
    pub const fn pair(self, old: u32, new: u32) -> Self {
        Self(self.0 + !old as u64 + new as u64)
    }

    /// Both changes.
    #[inline(always)]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }

    /// The change itself, as a checksum's words are summed.
    #[inline(always)]
    pub const fn folded(self) -> u16 {
        fold(self.0)
    }

    /// The checksum of the changed data: `HC' = ~(~HC + ~m + m')`.
    #[inline(always)]
    pub const fn apply(self, checksum: u16) -> u16 {
        !fold(!checksum as u64 + self.0)
    }

    /// The same for UDP over IPv4, where 0 means "no checksum" (RFC 768): none stays none, and a sum that comes
    /// out as 0 is sent as 0xffff.
    #[inline(always)]
    pub const fn apply_udp(self, checksum: u16) -> u16 {
        if checksum == 0 {
            return 0;
        }
        match self.apply(checksum) {
            0 => 0xffff,
            sum => sum,
        }
    }

    /// The one of the two that is right for UDP or TCP.
    #[inline(always)]
    pub const fn apply_transport(self, protocol: u8, checksum: u16) -> u16 {
        if protocol == UDP { self.apply_udp(checksum) } else { self.apply(checksum) }
    }
}

#[cfg(test)]
mod tests;
