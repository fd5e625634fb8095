//! Which of two servers gets a packet while a target drains: one keeps what began there, and the other one gets what is
//! new.
//!
//! | | back to the primary | away from the primary (the operator's `drain`) |
//! |---|---|---|
//! | TCP: SYN | primary | backup |
//! | TCP: a connection that began at the backup | backup | backup |
//! | anything else | primary | primary |

use failover_common::{
    key::TCP,
    names::MAX_BACKUPS,
    trace::Trace,
    value::{Availability, Service},
};

use crate::{
    flows, maps,
    parse::{
        ip::{Address, Ip},
        l4::L4,
    },
    trace,
};

const PRIMARY: u32 = 0;

/// The server, as [`Availability::serving`] counts them.
#[inline(always)]
pub fn server(ip: &Ip, l4: &L4, service: &Service, now: Availability) -> u32 {
    if ip.protocol != TCP {
        return PRIMARY;
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
    let now = Availability(now);
    let backup = match now.serving() {
        0 if service.flags & Service::PIN_FLOWS == 0 => return PRIMARY,
        0 => u32::from(now.keeper()).wrapping_sub(1),
        n => u32::from(n),
    };
    let row = service.service.wrapping_mul(MAX_BACKUPS) + backup.wrapping_sub(1);
    let Some(server) = maps::SERVERS.get(row) else { return PRIMARY };
    if !flows::is_known(*client, port, TCP, server.endpoint) {
        return PRIMARY;
    }
    trace::known(Trace::BEGAN_AT_BACKUP);
    backup
}
