//! What a stage wants, what is decided, and why a visit ends: the words that the stages speak with each other.

use core::num::NonZeroU64;

use failover_common::reason::Reason;

use crate::{
    hop::NextHop,
    parse::ip::{Address, Ip},
};

/// How a packet's visit ends, in one register: of a structure that a function returns through memory, the verifier
/// forgets what it knew. [`failover_common::trace::Trace::end`] is the same.
///
/// ```text
/// bits  0..16  the reason, never 0
/// bits 16..18  what becomes of the packet: 0 it passes, 1 it is thrown away, 2 it is redirected
/// bit  18      within a stage: it may still be a backup's packet, and end otherwise
/// bits 32..64  target id; 0 where no target is concerned
/// ```
#[derive(Clone, Copy)]
pub struct End(NonZeroU64);

impl From<Reason> for End {
    #[inline(always)]
    fn from(reason: Reason) -> Self {
        Self::pass(reason, 0)
    }
}

impl End {
    const DROP: u64 = 1 << 16;
    const REDIRECT: u64 = 2 << 16;
    const ANOTHER_ONES: u64 = 1 << 18;

    /// A packet about `target` goes on to the kernel.
    #[inline(always)]
    pub const fn pass(reason: Reason, target: u32) -> Self {
        Self::new(reason as u64 | (target as u64) << 32)
    }

    /// A packet about `target` is thrown away: the policy says so, or half of it is written.
    #[inline(always)]
    pub const fn drop(reason: Reason, target: u32) -> Self {
        Self::new(reason as u64 | Self::DROP | (target as u64) << 32)
    }

    /// The visit goes on in [`crate::encap`], with the wish that was kept.
    pub const DELIVER: Self = Self::new(Reason::Steered as u64 | Self::DROP | Self::REDIRECT);

    /// Whether it is [`Self::DELIVER`].
    #[inline(always)]
    pub const fn delivers(self) -> bool {
        self.0.get() & (Self::DROP | Self::REDIRECT) == Self::DROP | Self::REDIRECT
    }

    /// A packet about `target` leaves by the device that the FIB has named.
    #[inline(always)]
    pub const fn redirect(reason: Reason, target: u32) -> Self {
        Self::new(reason as u64 | Self::REDIRECT | (target as u64) << 32)
    }

    #[inline(always)]
    const fn new(bits: u64) -> Self {
        match NonZeroU64::new(bits) {
            Some(bits) => Self(bits),
            None => Self(NonZeroU64::MIN),
        }
    }

    /// The packet may still be another one's than the target's.
    #[inline(always)]
    pub const fn or_another_ones(self) -> Self {
        Self::new(self.0.get() | Self::ANOTHER_ONES)
    }

    /// Whether it may.
    #[inline(always)]
    pub const fn may_be_another_ones(self) -> bool {
        self.0.get() & Self::ANOTHER_ONES != 0
    }

    /// It is not.
    #[inline(always)]
    pub const fn of_nobody_else(self) -> Self {
        Self::new(self.0.get() & !Self::ANOTHER_ONES)
    }

    /// A visit's end, wherever it came.
    #[inline(always)]
    pub fn of(visit: Result<Self, Self>) -> Self {
        match visit {
            Ok(end) | Err(end) => end,
        }
    }

    /// From [`Self::bits`].
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self::new(bits)
    }

    /// Nothing, or an end, in one register.
    #[inline(always)]
    pub const fn bits_of(result: Result<(), Self>) -> u64 {
        match result {
            Ok(()) => 0,
            Err(end) => end.bits(),
        }
    }

    /// From [`Self::bits_of`].
    #[inline(always)]
    pub const fn result(bits: u64) -> Result<(), Self> {
        match bits {
            0 => Ok(()),
            bits => Err(Self::new(bits)),
        }
    }

    /// The register.
    #[inline(always)]
    pub const fn bits(self) -> u64 {
        self.0.get()
    }

    /// The reason's number.
    #[inline(always)]
    pub const fn reason(self) -> u32 {
        self.0.get() as u16 as u32
    }

    /// The target's id.
    #[inline(always)]
    pub const fn target(self) -> u32 {
        (self.0.get() >> 32) as u32
    }

    /// Whether the packet is thrown away.
    #[inline(always)]
    pub const fn drops(self) -> bool {
        self.0.get() & Self::DROP != 0
    }

    /// Whether the packet is redirected.
    #[inline(always)]
    pub const fn redirects(self) -> bool {
        self.0.get() & Self::REDIRECT != 0
    }

    /// Whether it is a packet of a service or a backup.
    #[inline(always)]
    pub const fn is_about_a_server(self) -> bool {
        self.reason() >= Reason::PrimaryServes as u32
    }
}

/// Which end of the packet gets another address.
#[derive(Clone, Copy)]
pub enum Side {
    /// The destination: towards a backup.
    Destination,
    /// The source: back from a backup.
    Source,
}

/// The other address and port.
#[derive(Clone, Copy)]
pub struct Change {
    /// Which end.
    pub side: Side,
    /// The new address, of the packet's IP version.
    pub address: Address,
    /// The new port, network order; without meaning where there are no ports.
    pub port: [u8; 2],
}

/// Everything that is to be done, decided; nothing is written yet.
pub struct Plan {
    /// The parsed header.
    pub ip: &'static Ip,
    /// What is wanted: what is rewritten in the IP header, and, of a segment, beside it.
    pub wish: &'static Wish,
    /// By whom the packet leaves at once. Else the kernel routes it: the neighbour is not resolved yet, the packet must be fragmented, it is for this very host, the
    /// device takes no redirected frames, or VLAN tags change on the way. Where no route matches at all the FIB answers
    /// as for this very host (`NOT_FWDED`), and it is the kernel that finds out.
    pub hop: Option<&'static NextHop>,
    /// Whether it is redirected: by this hop, or, on its way out, by the next hop that the FIB has named.
    pub redirect: bool,
    /// In seconds of the monotonic clock.
    pub now: u32,
}

impl Plan {
    /// The plan was carried out, whole.
    #[inline(always)]
    pub fn done(&self) -> End {
        self.done_as(match (self.wish.change.side, self.redirect) {
            (Side::Destination, true) => Reason::Steered,
            (Side::Destination, false) => Reason::SteeredByKernel,
            (Side::Source, true) => Reason::Returned,
            (Side::Source, false) => Reason::ReturnedByKernel,
        })
    }

    /// The same, under this reason.
    #[inline(always)]
    pub fn done_as(&self, reason: Reason) -> End {
        let target = self.wish.target;
        if self.redirect { End::redirect(reason, target) } else { End::pass(reason, target) }
    }

    /// It was not, and the packet must not leave.
    #[inline(always)]
    pub fn spoilt(&self) -> End {
        End::drop(Reason::HalfWritten, self.wish.target)
    }
}

/// What a stage wants done with a packet; of an ICMP error, with the packet that it quotes at its other end. In the order of `repr(C)`, which
/// keeps what is often zero apart: the compiler would have a function clear more than a few words together.
#[repr(C)]
pub struct Wish {
    /// Target id.
    pub target: u32,
    /// The availability's generation; 0 on the way back.
    pub generation: u32,
    /// The backup endpoint under which the way back is remembered; 0: it needs no memory.
    pub endpoint: u32,
    /// With an endpoint: the service that was asked.
    pub service: u32,
    /// The rewrite.
    pub change: Change,
    /// With an endpoint: whether it serves that service alone.
    pub exclusive: bool,
    /// Which dialogs are remembered.
    pub call: Calls,
    /// 0: the rewrite; [`failover_common::value::Server::L2`] or [`failover_common::value::Server::IPIP`]: nothing is
    /// rewritten, and the packet goes to the host with the change's address as it is ([`crate::encap`]).
    pub steer: u32,
}

/// Which endpoint's dialogs a packet to it is looked at for.
#[derive(Clone, Copy)]
pub struct Calls {
    /// 0: nobody's.
    pub endpoint: u32,
    /// Whether an earlier stage has read the message.
    pub read: bool,
}

impl Calls {
    /// Nobody's.
    pub const NONE: Self = Self { endpoint: 0, read: false };
}

impl Wish {
    /// What needs no memory.
    #[inline(always)]
    pub const fn forgetful(target: u32, generation: u32, change: Change) -> Self {
        Self {
            target,
            generation,
            change,
            endpoint: 0,
            service: 0,
            exclusive: false,
            call: Calls::NONE,
            steer: 0,
        }
    }
}
