//! What a visit has found out about its packet, in this CPU's own memory: the stack has 512 bytes, and to stages that are
//! apart nothing is handed over.

use core::{mem::MaybeUninit, ptr::NonNull};

use failover_common::reason::Reason;

use crate::{
    maps,
    parse::{icmp::Quote, ip::Ip, l4::L4},
    plan::Wish,
};

/// The memory. In each visit, each part is written before it is read.
pub struct Place {
    ip: MaybeUninit<Ip>,
    l4: MaybeUninit<L4>,
    quote: MaybeUninit<Quote>,
    wish: MaybeUninit<Wish>,
}

/// Where it is.
#[derive(Clone, Copy)]
pub struct Found(NonNull<Place>);

impl Found {
    /// Looked up once in each stage. An error cannot be: the map has one element.
    #[inline(always)]
    pub fn here() -> Result<Self, Reason> {
        maps::FOUND.get_ptr_mut(0).and_then(NonNull::new).map(Self).ok_or(Reason::NotOurs)
    }

    /// Where the parsers put an IP header, whole.
    #[inline(always)]
    pub fn new_ip(self) -> &'static mut MaybeUninit<Ip> {
        // SAFETY: this CPU's own element; programs do not interrupt each other on one CPU, and a visit parses once.
        unsafe { &mut (*self.0.as_ptr()).ip }
    }

    /// The IP header.
    ///
    /// # Safety
    /// The visit has parsed one; so for all three.
    #[inline(always)]
    pub unsafe fn ip(self) -> &'static Ip {
        // SAFETY: as above, and the caller's word.
        unsafe { (*self.0.as_ptr()).ip.assume_init_ref() }
    }

    /// Keeps a UDP or TCP header.
    #[inline(always)]
    pub fn keep_l4(self, l4: L4) -> &'static L4 {
        // SAFETY: as in `new_ip`.
        unsafe { (*self.0.as_ptr()).l4.write(l4) }
    }

    /// The UDP or TCP header.
    ///
    /// # Safety
    /// As of [`Self::ip`].
    #[inline(always)]
    pub unsafe fn l4(self) -> &'static L4 {
        // SAFETY: as of `ip`.
        unsafe { (*self.0.as_ptr()).l4.assume_init_ref() }
    }

    /// Keeps the packet that an ICMP error quotes.
    #[inline(always)]
    pub fn keep_quote(self, quote: Quote) {
        // SAFETY: as in `new_ip`.
        unsafe { (*self.0.as_ptr()).quote.write(quote) };
    }

    /// The packet that an ICMP error quotes.
    ///
    /// # Safety
    /// As of [`Self::ip`].
    #[inline(always)]
    pub unsafe fn quote(self) -> &'static Quote {
        // SAFETY: as of `ip`.
        unsafe { (*self.0.as_ptr()).quote.assume_init_ref() }
    }

    /// Keeps what is wanted done with the packet.
    #[inline(always)]
    pub fn keep_wish(self, wish: Wish) {
        // SAFETY: as in `new_ip`.
        unsafe { (*self.0.as_ptr()).wish.write(wish) };
    }

    /// What is wanted done with the packet.
    ///
    /// # Safety
    /// A stage of this visit has kept it.
    #[inline(always)]
    pub unsafe fn wish(self) -> &'static Wish {
        // SAFETY: as of `ip`.
        unsafe { (*self.0.as_ptr()).wish.assume_init_ref() }
    }
}
