//! Bounds-checked access to the frame: the only place with raw packet pointers.

use core::ptr;

use aya_ebpf::{
    EbpfContext as _,
    helpers::generated::{bpf_csum_diff, bpf_xdp_adjust_head, bpf_xdp_adjust_tail},
    programs::XdpContext,
};

/// An access outside of the frame.
pub struct OutOfBounds;

/// The furthest byte that is looked at. Linux 6.18 says "math between pkt pointer and register with unbounded min value
/// is not allowed" of an offset without a bound; five extension headers end before this one.
const FURTHEST: usize = 0x3fff;

/// The frame, from its Ethernet header on.
pub struct Packet<'a> {
    ctx: &'a XdpContext,
}

/// What may be read from and written to a frame: plain bytes and 16-bit words, in which any bytes are valid. No single
/// byte: its check is compiled to `start < end`, of which Linux 6.18 says "offset is outside of the packet" where the
/// offset is a variable.
///
/// # Safety
/// Implementors hold no padding, no pointers, no invalid values, and are aligned to at most 2 bytes: every field of
/// the headers that are read here starts at an even offset, and the verifier of every architecture with efficient
/// unaligned access takes such loads (it refuses the program where they could fault).
pub unsafe trait Plain: Copy {}

// SAFETY: bytes.
unsafe impl<const N: usize> Plain for [u8; N] {}
// SAFETY: 16-bit words.
unsafe impl<const N: usize> Plain for [u16; N] {}
// SAFETY: an array of arrays of 16-bit words.
unsafe impl<const N: usize, const M: usize> Plain for [[u16; M]; N] {}

impl<'a> Packet<'a> {
    /// The frame behind `ctx`.
    #[inline(always)]
    pub fn new(ctx: &'a XdpContext) -> Self {
        Self { ctx }
    }

    /// The context, for helpers that ask for it.
    #[inline(always)]
    pub fn context(&self) -> *mut core::ffi::c_void {
        self.ctx.as_ptr()
    }

    /// The context, for the log.
    #[cfg(feature = "packet-log")]
    #[inline(always)]
    pub fn xdp(&self) -> &XdpContext {
        self.ctx
    }

    /// Index of the interface on which the frame came in.
    #[inline(always)]
    pub fn ingress(&self) -> u32 {
        self.ctx.ingress_ifindex() as u32
    }

    /// Bytes of the frame.
    #[inline(always)]
    pub fn len(&self) -> usize {
        self.ctx.data_end() - self.ctx.data()
    }

    /// Reads a `T` at `offset`.
    #[inline(always)]
    pub fn read<T: Plain>(&self, offset: usize) -> Result<T, OutOfBounds> {
        let at: *const T = self.at(offset)?;
        // SAFETY: offset + size_of::<T>() <= data_end, checked in `at`; `Plain` takes any bytes.
        Ok(unsafe { ptr::read(at) })
    }

    /// Writes a `T` at `offset`.
    #[inline(always)]
    pub fn write<T: Plain>(&mut self, offset: usize, value: T) -> Result<(), OutOfBounds> {
        let at: *const T = self.at(offset)?;
        // SAFETY: offset + size_of::<T>() <= data_end, checked in `at`; XDP frames are writable.
        unsafe { ptr::write(at.cast_mut(), value) };
        Ok(())
    }

    /// The sum of the `N` bytes at `offset`, a multiple of four, as they stand in memory (RFC 1071); not folded.
    #[inline(always)]
    pub fn sum<const N: usize>(&self, offset: usize) -> Result<u32, OutOfBounds> {
        let at: *const [u8; N] = self.at(offset)?;
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

    /// Cuts the frame off behind `length` bytes.
    #[inline(always)]
    pub fn truncate(&mut self, length: usize) -> Result<(), OutOfBounds> {
        let now = self.len();
        // SAFETY: a live local. Volatile, or the compiler takes the end from the sum of the rest, of which Linux 6.18 says
        // "pointer arithmetic on pkt_end prohibited".
        let now = unsafe { ptr::read_volatile(&raw const now) };
        let bytes = length.cast_signed() - now.cast_signed();
        // SAFETY: as in `adjust_head`.
        let answer = unsafe { bpf_xdp_adjust_tail(self.context().cast(), bytes as i32) };
        if answer == 0 { Ok(()) } else { Err(OutOfBounds) }
    }

    #[inline(always)]
    fn at<T>(&self, offset: usize) -> Result<*const T, OutOfBounds> {
        if offset > FURTHEST {
            return Err(OutOfBounds);
        }
        let start = self.ctx.data() + offset;
        if start + size_of::<T>() > self.ctx.data_end() {
            return Err(OutOfBounds);
        }
        Ok(start as *const T)
    }
}
