//! Bounds-checked access to the frame: the only place with raw packet pointers.

use core::ptr;

use aya_ebpf::{EbpfContext as _, helpers::generated::bpf_xdp_load_bytes, programs::XdpContext};

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

    /// Copies the first `len` bytes to `to`, and tells whether it could.
    ///
    /// # Safety
    /// `to` points to as many bytes of a map's value.
    #[inline(always)]
    pub unsafe fn copy(&self, to: *mut u8, len: usize) -> bool {
        // SAFETY: the caller's word, and the helper checks the frame's own bounds.
        (unsafe { bpf_xdp_load_bytes(self.ctx.ctx, 0, to.cast(), len as u32) }) == 0
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
