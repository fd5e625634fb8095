//! Bounds-checked access to the frame: the only place with raw packet pointers.

use core::ptr;

use aya_ebpf::{EbpfContext as _, helpers::generated::bpf_xdp_get_buff_len, programs::XdpContext};

/// An access outside of the frame.
pub struct OutOfBounds;

/// The furthest byte that is looked at. Linux 6.18 says "math between pkt pointer and register with unbounded min value
/// is not allowed" of an offset without a bound; five extension headers end before this one.
const FURTHEST: usize = 0x3fff;

/// Bytes of the largest frame without jumbo: 1500 behind a header with two VLAN tags.
const USUAL: usize = 1522;

/// The frame, from its Ethernet header on. A large one may lie in several buffers, of which the first alone can be read
/// and written.
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

    /// Bytes of the frame. One whose first buffer holds no more than a usual frame has is taken for such: asking the kernel
    /// about every packet would cost what the fast way has not.
    #[inline(always)]
    pub fn len(&self) -> usize {
        let first = self.first_len();
        if first > USUAL { self.whole_len() } else { first }
    }

    /// Whether the frame has `end` bytes. Most frames lie in one buffer, and the kernel is not asked.
    #[inline(always)]
    pub fn holds(&self, end: usize) -> bool {
        end <= self.first_len() || end <= self.whole_len()
    }

    /// Whether a frame that [`Self::holds`] `end` bytes has them in several buffers.
    #[inline(always)]
    pub fn is_scattered(&self, end: usize) -> bool {
        end > self.first_len()
    }

    #[inline(always)]
    fn first_len(&self) -> usize {
        self.ctx.data_end() - self.ctx.data()
    }

    #[inline(always)]
    fn whole_len(&self) -> usize {
        // SAFETY: the context is the program's own.
        unsafe { bpf_xdp_get_buff_len(self.context().cast()) as usize }
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
