//! What may be done with a packet where it is seen: where it comes in (XDP), or where it leaves (TCX).
//!
//! ```text
//!                                        comes in                   leaves
//!  forwarded by XDP, or passed           both ways                  –
//!  made by this machine                  –                          both ways
//!  whose checksum is not worked out      left to the way out        both ways
//!  forward = "kernel"                    to the backup; back, what  back, after conntrack; to the backup, what was
//!                                        the way out has steered    not steered where it came in
//! ```
//!
//! So no packet is rewritten twice. In which of the two places it was, the packet itself tells: what XDP has steered goes to a
//! backup's endpoint, what it has turned back is from a service, and what the way out has steered is marked
//! ([`failover_common::names::MARK`]).

use core::ptr;

use failover_common::{checksum::fold, key::EndpointKey};

use crate::{
    maps,
    packet::{Frame, Packet},
    parse::{
        ip::{Address, Fragment, Ip},
        l4::L4,
    },
    plan::Side,
};

/// Set by the loader, before the verifier looks at it.
#[unsafe(no_mangle)]
static KERNEL_FORWARDS: u8 = 0;

/// Whether it is the kernel that forwards whatever is rewritten (`forward = "kernel"`).
#[inline(always)]
pub fn kernel_forwards() -> bool {
    // SAFETY: a live static; the load is volatile because it is the loader that gives it its value.
    (unsafe { ptr::read_volatile(&raw const KERNEL_FORWARDS) }) != 0
}

/// What may be done with a packet.
#[derive(Clone, Copy)]
pub struct May {
    /// Send it to a backup.
    pub steer: bool,
    /// Give it a target's address.
    pub give_back: bool,
}

impl May {
    const BOTH: Self = Self { steer: true, give_back: true };

    /// With a segment, of which one port at least is a signalling port.
    #[inline(always)]
    pub fn with_segment<F: Frame>(packet: &Packet<F>, ip: &Ip, l4: &L4) -> Self {
        if !F::EGRESS || packet.ingress() == 0 {
            return Self::BOTH;
        }
        let bits = passing_through(packet, ip, l4);
        Self { steer: bits & STEER != 0, give_back: bits & GIVE_BACK != 0 }
    }

    /// With an ICMP error. Its checksum is always worked out.
    #[inline(always)]
    pub fn with_error<F: Frame>(packet: &Packet<F>) -> Self {
        if !F::EGRESS || packet.ingress() == 0 {
            return Self::BOTH;
        }
        Self { steer: false, give_back: kernel_forwards() }
    }
}

const STEER: u32 = 1;
const GIVE_BACK: u32 = 2;

/// What may be done where it leaves with a segment that another machine has made. A function of its own, because the stack
/// has 512 bytes.
#[inline(never)]
fn passing_through<F: Frame>(packet: &Packet<F>, ip: &Ip, l4: &L4) -> u32 {
    let (mut may, unfinished) = (0, is_unfinished(packet, ip, l4));
    if unfinished && !is_backup(ip.destination, l4.destination, ip.protocol) {
        may |= STEER;
    }
    if kernel_forwards() || (unfinished && !is_service(ip.source, l4.source, ip.protocol)) {
        may |= GIVE_BACK;
    }
    may
}

/// Whether a flow is steered where its packets leave, and turned back where they come in, while the kernel forwards. Of a
/// flow the other way about, and of every flow while XDP forwards, that does not matter. The key of a flow holds it, because a client
/// behind the router's masquerading and one on the router may look the same to a backup.
#[inline(always)]
pub fn inbound<F: Frame>(side: Side) -> bool {
    let steered_at_egress = F::EGRESS == matches!(side, Side::Destination);
    steered_at_egress && kernel_forwards()
}

/// Whether the checksum may be one that is not worked out yet: the field then holds the sum of the pseudo-header. So does one
/// in 65,536 of those that are; where the packet leaves, the kernel knows.
#[inline(always)]
pub fn is_unfinished<F: Frame>(packet: &Packet<F>, ip: &Ip, l4: &L4) -> bool {
    let Fragment::Whole = ip.fragment else { return false };
    let Ok([sum]) = packet.read::<[u16; 1]>(l4.checksum) else { return false };
    let words = |address: Address| {
        let [a, b, c, d] = address.0;
        // What makes an address IPv4-mapped is a sum of zero in ones' complement.
        u64::from(a) + u64::from(b) + u64::from(c) + u64::from(d)
    };
    let rest = u64::from(u16::from(ip.protocol).to_be()) + u64::from((ip.payload_len as u16).to_be());
    sum == fold(words(ip.source) + words(ip.destination) + rest)
}

#[inline(always)]
fn is_backup(address: Address, port: u16, protocol: u8) -> bool {
    let key = EndpointKey::new(address.bytes(), port, protocol);
    // SAFETY: only its presence is looked at.
    unsafe { maps::BACKUPS.get(key) }.is_some()
}

#[inline(always)]
fn is_service(address: Address, port: u16, protocol: u8) -> bool {
    let key = EndpointKey::new(address.bytes(), port, protocol);
    // SAFETY: only its presence is looked at.
    unsafe { maps::SERVICES.get(key) }.is_some()
}
