//! What the data plane's twin leaves about the one packet that it was shown: a program that decides as the real one
//! does, from the same maps, and writes nothing else than this.

use crate::reason::Reason;

/// One packet's way, as far as it went. All zero before the visit.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Trace {
    /// How the visit ended; 0: there was none on this CPU.
    ///
    /// ```text
    /// bits  0..16  the reason, never 0
    /// bits 16..18  what became of the packet: 0 it passes, 1 it is thrown away, 2 it is redirected
    /// bits 32..64  target id; 0 where no target is concerned
    /// ```
    pub end: u64,
    /// With [`Self::AVAILABILITY`]: a [`crate::value::Availability`].
    pub availability: u64,
    /// With [`Self::IP`]: IPv6 or IPv4-mapped, network order.
    pub source: [u8; 16],
    /// As [`Self::source`].
    pub destination: [u8; 16],
    /// With [`Self::WISH`]: the address that takes the place of one of the two.
    pub address: [u8; 16],
    /// What is known: the bits below.
    pub known: u32,
    /// Where the IP header starts, in the frame; so for all that follow.
    pub ip: u32,
    /// Where what it carries starts.
    pub payload: u32,
    /// Bytes from the IP header on.
    pub total_len: u32,
    /// With [`Self::QUOTE`]: where the IP header that an ICMP error quotes starts.
    pub quote: u32,
    /// Where the UDP or TCP header in it starts.
    pub quote_l4: u32,
    /// With [`Self::SERVICE`]: its target's id.
    pub service_target: u32,
    /// With [`Self::BACKUP`]: the endpoint's id.
    pub endpoint: u32,
    /// With [`Self::ROUTE`]: what the FIB answered, the kernel's `BPF_FIB_LKUP_RET_*`, or a negative errno.
    pub fib: i32,
    /// With [`Self::ROUTE`]: the index of the device that the FIB named.
    pub egress: u32,
    /// With [`Self::PORTS`], network order.
    pub source_port: [u8; 2],
    /// With [`Self::PORTS`], network order.
    pub destination_port: [u8; 2],
    /// With [`Self::WISH`], network order: the port that comes with [`Self::address`]; 0 where there are no ports.
    pub port: [u8; 2],
    /// With [`Self::IP`]: the IP version.
    pub version: u8,
    /// With [`Self::IP`]: of what it carries.
    pub protocol: u8,
}

impl Trace {
    /// The IP header was read.
    pub const IP: u32 = 1 << 0;
    /// The ports were read.
    pub const PORTS: u32 = 1 << 1;
    /// An ICMP error's quote was read.
    pub const QUOTE: u32 = 1 << 2;
    /// The packet, or the quoted one the other way round, is for a service.
    pub const SERVICE: u32 = 1 << 3;
    /// Who serves was looked up.
    pub const AVAILABILITY: u32 = 1 << 4;
    /// The packet, or the quoted one the other way round, is from a backup.
    pub const BACKUP: u32 = 1 << 5;
    /// That backup serves one target alone.
    pub const DEDICATED: u32 = 1 << 6;
    /// A way back was looked for.
    pub const WAY_ASKED: u32 = 1 << 7;
    /// And found.
    pub const WAY_FOUND: u32 = 1 << 8;
    /// The packet is a fragment without ports.
    pub const FRAGMENT: u32 = 1 << 9;
    /// It was decided which address changes.
    pub const WISH: u32 = 1 << 10;
    /// It is the source; else the destination.
    pub const FROM: u32 = 1 << 11;
    /// The FIB was asked.
    pub const ROUTE: u32 = 1 << 12;
    /// No address changes: the packet goes to the MAC address of the host with [`Self::address`].
    pub const L2: u32 = 1 << 13;
    /// No address changes: the packet goes to [`Self::address`] in another one.
    pub const IPIP: u32 = 1 << 14;

    /// The target drains: what belongs to something that began earlier may go elsewhere than what is new.
    pub const DRAINS: u32 = 1 << 15;
    /// The connection or dialog began at the backup that drains, or is drained to.
    pub const BEGAN_AT_BACKUP: u32 = 1 << 16;
    /// The packet begins a connection, or asks for something new.
    pub const BEGINS: u32 = 1 << 17;
    /// The message's Call-ID and To were read.
    pub const CALL: u32 = 1 << 18;

    /// All of the bits above.
    const ALL: [u32; 19] = [
        Self::IP,
        Self::PORTS,
        Self::QUOTE,
        Self::SERVICE,
        Self::AVAILABILITY,
        Self::BACKUP,
        Self::DEDICATED,
        Self::WAY_ASKED,
        Self::WAY_FOUND,
        Self::FRAGMENT,
        Self::WISH,
        Self::FROM,
        Self::ROUTE,
        Self::L2,
        Self::IPIP,
        Self::DRAINS,
        Self::BEGAN_AT_BACKUP,
        Self::BEGINS,
        Self::CALL,
    ];

    /// Whether all of `bits` are known.
    pub const fn knows(&self, bits: u32) -> bool {
        self.known & bits == bits
    }

    /// Why the visit ended; none where there was no visit, or the reason is a later version's.
    pub fn reason(&self) -> Option<Reason> {
        Reason::try_from(u32::from(self.end as u16)).ok()
    }

    /// The target's id; 0 where no target is concerned.
    pub const fn target(&self) -> u32 {
        (self.end >> 32) as u32
    }
}

const _: () = assert!(size_of::<Trace>() == 16 + 3 * 16 + 10 * 4 + 8);

// One bit for each thing that may be known, and no bit for two.
const _: () = {
    let (mut seen, mut n) = (0, 0);
    while n < Trace::ALL.len() {
        assert!(Trace::ALL[n].is_power_of_two() && seen & Trace::ALL[n] == 0);
        seen |= Trace::ALL[n];
        n += 1;
    }
};

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(C)`, integers and byte arrays only, no padding (size asserted above): any bytes are valid.
    unsafe impl aya::Pod for super::Trace {}
}
