//! What only a frame on its way in can do: change its length.

use core::ptr;

use aya_ebpf::{
    helpers::generated::{bpf_csum_diff, bpf_xdp_adjust_head, bpf_xdp_adjust_tail},
    programs::XdpContext,
};

use super::{Frame as _, OutOfBounds, Packet, at};

impl Packet<'_, XdpContext> {
    /// The sum of the `N` bytes at `offset`, a multiple of four, as they stand in memory (RFC 1071); not folded.
    #[inline(always)]
    pub fn sum<const N: usize>(&self, offset: usize) -> Result<u32, OutOfBounds> {
        let at: *const [u8; N] = at(self.frame, offset)?;
        // SAFETY: offset + N <= data_end, checked in `at`; the helper only reads.
        let sum = unsafe { bpf_csum_diff(ptr::null_mut(), 0, at.cast_mut().cast(), N as u32, 0) };
        // Negative only for a length that is none.
        Ok(sum.cast_unsigned() as u32)
    }

    /// Moves the frame's start `bytes` to the front; what is there is to be written. Every offset means another byte
    /// from then on. An error leaves the frame as it was.
    #[inline(always)]
    pub fn grow(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        self.adjust_head(-bytes.cast_signed())
    }

    /// Moves the frame's start `bytes` to the back.
    #[inline(always)]
    pub fn shrink(&mut self, bytes: usize) -> Result<(), OutOfBounds> {
        self.adjust_head(bytes.cast_signed())
    }

    #[inline(always)]
    fn adjust_head(&mut self, bytes: isize) -> Result<(), OutOfBounds> {
        // SAFETY: this program's own context; no pointer into the frame outlives a call of `at`.
        let answer = unsafe { bpf_xdp_adjust_head(self.context().cast(), bytes as i32) };
        if answer == 0 { Ok(()) } else { Err(OutOfBounds) }
    }

    /// Cuts the frame off behind `length` bytes, in whatever buffer they end.
    #[inline(always)]
    pub fn truncate(&mut self, length: usize) -> Result<(), OutOfBounds> {
        let bytes = length.cast_signed() - self.frame.whole_len().cast_signed();
        // SAFETY: as in `adjust_head`.
        let answer = unsafe { bpf_xdp_adjust_tail(self.context().cast(), bytes as i32) };
        if answer == 0 { Ok(()) } else { Err(OutOfBounds) }
    }
}
