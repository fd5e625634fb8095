//! Who gets what while a target drains.

use std::net::SocketAddr;

use failover_user::config::model::{Failback, Family, Steer};

use super::{Endpoint, Model, parse};

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

impl Model {
    /// Who serves: 0 the primary, n the n-th backup. `flags` are those of a segment, if it is one.
    pub(super) fn serving(
        &self,
        target: usize,
        asked: Endpoint,
        client: SocketAddr,
        flags: Option<u8>,
    ) -> u8 {
        let (serving, keeper) = (self.serving[target], self.keeper[target]);
        if keeper == 0 {
            return serving;
        }
        if asked.1 != parse::TCP {
            return 0;
        }
        if flags.is_some_and(|flags| flags & (SYN | ACK) == SYN) {
            return serving;
        }
        let backup = if serving == 0 { keeper - 1 } else { serving };
        let kept = serving != 0 || self.targets[target].failback == Failback::Drain;
        let endpoint = self.endpoint(target, asked, backup);
        if kept && endpoint.is_some_and(|at| self.memory.knows(client, at)) { backup } else { 0 }
    }

    /// Where backup `n` (from 1) serves what was asked.
    pub(super) fn endpoint(&self, target: usize, asked: Endpoint, n: u8) -> Option<Endpoint> {
        let target = &self.targets[target];
        let backup = target.backups.get(usize::from(n).checked_sub(1)?)?;
        // Only an envelope may be of another family, and only IPv6 around IPv4.
        let around = || backup.addresses.of(Family::V6).filter(|_| target.steer == Steer::Ipip);
        let address = backup.addresses.of(Family::of(asked.0.ip())).or_else(around)?;
        let index = target
            .services
            .iter()
            .position(|service| (service.port, service.transport.protocol()) == (asked.0.port(), asked.1));
        Some((SocketAddr::new(address, backup.ports[index.expect("a service")]), asked.1))
    }
}
