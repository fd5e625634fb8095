//! Bounds-checked access to the frame: the only place with raw packet pointers.

#[path = "packet/length.rs"]
mod length;

use core::ptr;

use aya_ebpf::{
    EbpfContext,
    bindings::{BPF_F_MARK_MANGLED_0, BPF_F_PSEUDO_HDR},
    helpers::{
        bpf_skb_load_bytes, bpf_skb_store_bytes,
        generated::{bpf_xdp_get_buff_len, bpf_xdp_load_bytes},
    },
    programs::{TcContext, XdpContext},
};
use failover_common::{checksum::Difference, key};

/// An access outside of the frame, or one that the kernel refused.
pub struct OutOfBounds;

/// The furthest byte that is looked at. Linux 6.18 says "math between pkt pointer and register with unbounded min value
/// is not allowed" of an offset without a bound; five extension headers end before this one.
const FURTHEST: usize = 0x3fff;

/// Bytes of the largest frame without jumbo: 1500 behind a header with two VLAN tags.
const USUAL: usize = 1522;

/// The frame, from its Ethernet header on. A large one may lie in several buffers, of which the first alone can be read.
pub struct Packet<'a, F: Frame = XdpContext> {
    frame: &'a F,
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

/// Where a frame is when a program sees it: it comes in (XDP), or it leaves (TCX).
///
/// Checksums of headers are changed by a method of their own, because the kernel's own memory of them (`struct sk_buff`)
/// has to follow: of a packet that this machine or a container on it has made, the checksum is often not worked out
/// yet, and its field holds something else.
pub trait Frame: EbpfContext + Sized {
    /// Whether this is the way out.
    const EGRESS: bool;

    /// Where the readable part begins.
    fn start(&self) -> usize;
    /// Where it ends.
    fn end(&self) -> usize;
    /// Bytes of the frame, readable or not.
    fn whole_len(&self) -> usize;
    /// Index of the interface on which it came in; 0: this machine made it.
    fn ingress(&self) -> u32;
    /// Index of the interface where the program sees it.
    fn device(&self) -> u32;
    /// Whether a VLAN tag goes with it that is not in it.
    fn is_tagged(&self) -> bool;
    /// Copies `len` bytes from `offset` on to `to`, and tells whether it could.
    ///
    /// # Safety
    /// `to` points to as many bytes of a map's value.
    unsafe fn copy(&self, offset: usize, to: *mut u8, len: usize) -> bool;
    /// Writes a `T` at `offset`.
    fn write<T: Plain>(&self, offset: usize, value: T) -> Result<(), OutOfBounds>;
    /// `difference` has come over what the IPv4 header's checksum at `offset` is about.
    fn header_sum(&self, offset: usize, difference: Difference) -> Result<(), OutOfBounds>;
    /// The same for a UDP or TCP checksum: over the pseudo-header, and over the rest.
    fn transport_sum(
        &self,
        offset: usize,
        protocol: u8,
        pseudo_header: Difference,
        rest: Difference,
    ) -> Result<(), OutOfBounds>;
}

impl Frame for XdpContext {
    const EGRESS: bool = false;

    #[inline(always)]
    fn start(&self) -> usize {
        self.data()
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.data_end()
    }

    #[inline(always)]
    fn whole_len(&self) -> usize {
        // SAFETY: the context is the program's own.
        unsafe { bpf_xdp_get_buff_len(self.as_ptr().cast()) as usize }
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        self.ingress_ifindex() as u32
    }

    #[inline(always)]
    fn is_tagged(&self) -> bool {
        false
    }

    #[inline(always)]
    fn write<T: Plain>(&self, offset: usize, value: T) -> Result<(), OutOfBounds> {
        let at: *const T = at(self, offset)?;
        // SAFETY: offset + size_of::<T>() <= data_end, checked in `at`; XDP frames are writable.
        unsafe { ptr::write(at.cast_mut(), value) };
        Ok(())
    }

    #[inline(always)]
    fn device(&self) -> u32 {
        self.ingress()
    }

    #[inline(always)]
    unsafe fn copy(&self, offset: usize, to: *mut u8, len: usize) -> bool {
        // SAFETY: the caller's word, and the helper checks the frame's own bounds.
        (unsafe { bpf_xdp_load_bytes(self.as_ptr().cast(), offset as u32, to.cast(), len as u32) }) == 0
    }

    #[inline(always)]
    fn header_sum(&self, offset: usize, difference: Difference) -> Result<(), OutOfBounds> {
        let [sum] = read(self, offset)?;
        self.write(offset, [difference.apply(sum)])
    }

    #[inline(always)]
    fn transport_sum(
        &self,
        offset: usize,
        protocol: u8,
        pseudo_header: Difference,
        rest: Difference,
    ) -> Result<(), OutOfBounds> {
        let [sum] = read(self, offset)?;
        self.write(offset, [pseudo_header.and(rest).apply_transport(protocol, sum)])
    }
}

/// What the kernel refuses is an error: a write that needs memory of which there is none.
impl Frame for TcContext {
    const EGRESS: bool = true;

    #[inline(always)]
    fn start(&self) -> usize {
        self.data()
    }

    #[inline(always)]
    fn end(&self) -> usize {
        self.data_end()
    }

    #[inline(always)]
    fn whole_len(&self) -> usize {
        self.skb.len() as usize
    }

    #[inline(always)]
    fn ingress(&self) -> u32 {
        // SAFETY: the kernel hands over a live context.
        unsafe { (*self.skb.skb).ingress_ifindex }
    }

    #[inline(always)]
    fn is_tagged(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.skb.skb).vlan_present != 0 }
    }

    #[inline(always)]
    fn device(&self) -> u32 {
        // SAFETY: the kernel hands over a live context.
        unsafe { (*self.skb.skb).ifindex }
    }

    #[inline(always)]
    unsafe fn copy(&self, offset: usize, to: *mut u8, len: usize) -> bool {
        // SAFETY: the caller's word, and the helper checks the frame's own bounds.
        (unsafe { bpf_skb_load_bytes(self.skb.skb.cast(), offset as u32, to.cast(), len as u32) }) == 0
    }

    /// By a helper, which makes the frame this packet's own first: a TCP socket keeps it, to send it again.
    #[inline(always)]
    fn write<T: Plain>(&self, offset: usize, value: T) -> Result<(), OutOfBounds> {
        let from = (&raw const value).cast();
        // SAFETY: `from` points to as many bytes; the helper checks the offset.
        let refused = unsafe {
            bpf_skb_store_bytes(self.skb.skb.cast(), offset as u32, from, size_of::<T>() as u32, 0)
        };
        if refused == 0 { Ok(()) } else { Err(OutOfBounds) }
    }

    #[inline(always)]
    fn header_sum(&self, offset: usize, difference: Difference) -> Result<(), OutOfBounds> {
        self.l3_csum_replace(offset, 0, difference.folded().into(), 0).map_err(|_| OutOfBounds)
    }

    #[inline(always)]
    fn transport_sum(
        &self,
        offset: usize,
        protocol: u8,
        pseudo_header: Difference,
        rest: Difference,
    ) -> Result<(), OutOfBounds> {
        // Of a checksum that is not worked out yet, the pseudo-header is the part that is there.
        let none = if protocol == key::UDP { u64::from(BPF_F_MARK_MANGLED_0) } else { 0 };
        self.l4_csum_replace(offset, 0, pseudo_header.folded().into(), none | u64::from(BPF_F_PSEUDO_HDR))
            .and_then(|()| self.l4_csum_replace(offset, 0, rest.folded().into(), none))
            .map_err(|_| OutOfBounds)
    }
}

impl<'a, F: Frame> Packet<'a, F> {
    /// The frame behind a context.
    #[inline(always)]
    pub fn new(frame: &'a F) -> Self {
        Self { frame }
    }

    /// The context, for helpers that ask for it.
    #[inline(always)]
    pub fn context(&self) -> *mut core::ffi::c_void {
        self.frame.as_ptr()
    }

    /// The context, for the log.
    #[cfg(feature = "packet-log")]
    #[inline(always)]
    pub fn frame(&self) -> &F {
        self.frame
    }

    /// Index of the interface on which the frame came in; 0: this machine made it.
    #[inline(always)]
    pub fn ingress(&self) -> u32 {
        self.frame.ingress()
    }

    /// Index of the interface where the program sees it.
    #[inline(always)]
    pub fn device(&self) -> u32 {
        self.frame.device()
    }

    /// Copies `len` bytes from `offset` on to `to`, and tells whether it could.
    ///
    /// # Safety
    /// `to` points to as many bytes of a map's value.
    #[inline(always)]
    pub unsafe fn copy(&self, offset: usize, to: *mut u8, len: usize) -> bool {
        // SAFETY: the caller's word.
        unsafe { self.frame.copy(offset, to, len) }
    }

    /// Whether a VLAN tag goes with it that is not in it.
    #[inline(always)]
    pub fn is_tagged(&self) -> bool {
        self.frame.is_tagged()
    }

    /// Bytes of the frame. One on its way in whose first buffer holds no more than a usual frame has is taken for such:
    /// asking the kernel about every packet would cost what the fast way has not.
    #[inline(always)]
    pub fn len(&self) -> usize {
        let first = self.readable();
        if F::EGRESS || first > USUAL { self.frame.whole_len() } else { first }
    }

    /// Whether the frame has `end` bytes. Most frames lie in one buffer, and the kernel is not asked.
    #[inline(always)]
    pub fn holds(&self, end: usize) -> bool {
        end <= self.readable() || end <= self.frame.whole_len()
    }

    /// Whether a frame on its way in, which [`Self::holds`] `end` bytes, has them in several buffers.
    #[inline(always)]
    pub fn is_scattered(&self, end: usize) -> bool {
        !F::EGRESS && end > self.readable()
    }

    #[inline(always)]
    fn readable(&self) -> usize {
        self.frame.end() - self.frame.start()
    }

    /// Reads a `T` at `offset`.
    #[inline(always)]
    pub fn read<T: Plain>(&self, offset: usize) -> Result<T, OutOfBounds> {
        read(self.frame, offset)
    }

    /// Writes a `T` at `offset`.
    #[inline(always)]
    pub fn write<T: Plain>(&mut self, offset: usize, value: T) -> Result<(), OutOfBounds> {
        self.frame.write(offset, value)
    }

    /// `difference` has come over what the IPv4 header's checksum at `offset` is about.
    #[inline(always)]
    pub fn header_sum(&mut self, offset: usize, difference: Difference) -> Result<(), OutOfBounds> {
        self.frame.header_sum(offset, difference)
    }

    /// The same for a UDP or TCP checksum: over the pseudo-header, and over the rest.
    #[inline(always)]
    pub fn transport_sum(
        &mut self,
        offset: usize,
        protocol: u8,
        pseudo_header: Difference,
        rest: Difference,
    ) -> Result<(), OutOfBounds> {
        self.frame.transport_sum(offset, protocol, pseudo_header, rest)
    }
}

impl Packet<'_, TcContext> {
    /// Ethernet, IPv6, and a TCP header without options, or UDP's and the words by which a message of SIP is told.
    const LEAST_READABLE: usize = 14 + 40 + 20;
    /// As much is made readable where that is not.
    const READABLE: u32 = 128;

    /// Makes the headers readable, where they are not: nearly all are. Where it fails, what cannot be read passes.
    #[inline(always)]
    pub fn unfold(&mut self) {
        let len = self.len();
        if self.readable() < Self::LEAST_READABLE && len > self.readable() {
            let _ = self.frame.pull_data(Self::READABLE.min(len as u32));
        }
    }

    /// Whether the packet has this mark, which is taken away.
    #[inline(always)]
    pub fn take_mark(&mut self, mark: u32) -> bool {
        // SAFETY: the kernel hands over a live context.
        let marks = unsafe { (*self.frame.skb.skb).mark };
        let marked = marks & mark != 0;
        if marked {
            self.frame.set_mark(marks & !mark);
        }
        marked
    }

    /// Gives it this mark.
    #[inline(always)]
    pub fn mark(&mut self, mark: u32) {
        // SAFETY: as above.
        let marks = unsafe { (*self.frame.skb.skb).mark };
        self.frame.set_mark(marks | mark);
    }
}

#[inline(always)]
fn read<T: Plain>(frame: &impl Frame, offset: usize) -> Result<T, OutOfBounds> {
    let at: *const T = at(frame, offset)?;
    // SAFETY: offset + size_of::<T>() <= data_end, checked in `at`; `Plain` takes any bytes.
    Ok(unsafe { ptr::read(at) })
}

#[inline(always)]
fn at<T>(frame: &impl Frame, offset: usize) -> Result<*const T, OutOfBounds> {
    if offset > FURTHEST {
        return Err(OutOfBounds);
    }
    let start = frame.start() + offset;
    if start + size_of::<T>() > frame.end() {
        return Err(OutOfBounds);
    }
    Ok(start as *const T)
}
