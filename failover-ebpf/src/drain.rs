//! Which of two servers gets a packet while a target drains: one keeps what began there, and the other one gets what is
//! new.
//!
//! | | back to the primary | away from the primary (the operator's `drain`) |
//! |---|---|---|
//! | TCP: SYN | primary | backup |
//! | TCP: a connection that began at the backup | backup | backup |
//! | SIP over UDP | by its Call-ID ([`dialog`]) | the same |
//! | anything else | primary | primary |

use failover_common::{
    key::TCP,
    names::MAX_BACKUPS,
    trace::Trace,
    value::{Availability, Service},
};

use crate::{
    apart::Apart,
    dialog, flows, maps,
    packet::Packet,
    parse::{
        ip::{Address, Ip},
        l4::L4,
    },
    trace,
};

/// As [`Availability::serving`] counts it.
pub const PRIMARY: u32 = 0;

/// The server, as [`Availability::serving`] counts them.
#[inline(always)]
pub fn server<F: Apart>(packet: &Packet<F>, ip: &Ip, l4: &L4, service: &Service, now: Availability) -> u32 {
    if ip.protocol != TCP {
        let sip = service.flags & Service::SIP != 0;
        return if sip { dialog::server(packet, l4, service, now) } else { PRIMARY };
    }
    if l4.flags & (L4::SYN | L4::ACK) == L4::SYN {
        trace::known(Trace::BEGINS);
        return u32::from(now.serving());
    }
    known(&ip.source, l4.source, service, now.0)
}

/// Who gets an error about what the target said from this port to `client`: it was the backup only where the connection
/// is known to have begun there.
#[inline(always)]
pub fn speaker(client: &Address, port: u16, protocol: u8, service: &Service, now: Availability) -> u32 {
    if protocol == TCP { known(client, port, service, now.0) } else { PRIMARY }
}

/// The backup that is drained, or drained to, if it has this connection. A function of its own, because it is rare, and
/// the stack has 512 bytes.
#[inline(never)]
fn known(client: &Address, port: u16, service: &Service, now: u64) -> u32 {
    let Some((backup, endpoint)) = backup(service, Availability(now), Service::PIN_FLOWS) else {
        return PRIMARY;
    };
    if !flows::is_known(*client, port, TCP, endpoint) {
        return PRIMARY;
    }
    trace::known(Trace::BEGAN_AT_BACKUP);
    backup
}

/// The backup that is drained, or drained to, and its endpoint; none where what went there does not stay (`pins`).
#[inline(always)]
pub fn backup(service: &Service, now: Availability, pins: u32) -> Option<(u32, u32)> {
    let backup = match now.serving() {
        0 if service.flags & pins == 0 => return None,
        0 => u32::from(now.keeper()).wrapping_sub(1),
        n => u32::from(n),
    };
    let row = service.service.wrapping_mul(MAX_BACKUPS) + backup.wrapping_sub(1);
    let endpoint = maps::SERVERS.get(row)?.endpoint;
    Some((backup, endpoint))
}
