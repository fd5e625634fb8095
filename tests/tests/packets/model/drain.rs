//! Who gets what while a target drains.

use std::net::SocketAddr;

use failover_user::config::model::{Failback, Family, Service, Steer};

use super::{
    Endpoint, Model,
    calls::{self, Kind},
    decide::Said,
    parse,
};

const SYN: u8 = 0x02;
const ACK: u8 = 0x10;

impl Model {
    /// Who serves: 0 the primary, n the n-th backup. `said` is the segment, if it is one.
    pub(super) fn serving(
        &self,
        target: usize,
        asked: Endpoint,
        client: SocketAddr,
        said: Option<&Said<'_>>,
    ) -> u8 {
        let (serving, keeper) = (self.serving[target], self.keeper[target]);
        if keeper == 0 {
            return serving;
        }
        if asked.1 != parse::TCP {
            return said.map_or(0, |said| self.serves_call(target, asked, said.message));
        }
        if said.is_some_and(|said| said.flags & (SYN | ACK) == SYN) {
            return serving;
        }
        let backup = if serving == 0 { keeper - 1 } else { serving };
        let kept = serving != 0 || self.targets[target].failback == Failback::Drain;
        let endpoint = self.endpoint(target, asked, backup);
        if kept && endpoint.is_some_and(|at| self.memory.knows(client, at)) { backup } else { 0 }
    }

    /// The same for a datagram.
    fn serves_call(&self, target: usize, asked: Endpoint, message: &[u8]) -> u8 {
        let (serving, keeper) = (self.serving[target], self.keeper[target]);
        let Some(call) = self.is_sip(target, asked).then(|| calls::read(message, true)).flatten() else {
            return 0;
        };
        if serving == 0 && !self.targets[target].keeps_calls() {
            return 0;
        }
        let backup = if serving == 0 { keeper - 1 } else { serving };
        if self.endpoint(target, asked, backup).is_some_and(|at| self.memory.knows_call(&call.id, at, target))
        {
            return backup;
        }
        let follows = matches!(calls::kind(message), Kind::Follows | Kind::Success);
        if call.tagged || follows { 0 } else { serving }
    }

    /// A datagram goes to the backup at `endpoint`.
    pub(super) fn note_call(&mut self, target: usize, asked: Endpoint, endpoint: Endpoint, message: &[u8]) {
        let draining = self.keeper[target] != 0;
        let begins = calls::kind(message) == Kind::Begins;
        if !begins || !self.is_sip(target, asked) || !(draining || self.targets[target].keeps_calls()) {
            return;
        }
        if let Some(call) = calls::read(message, draining) {
            self.memory.remember_call(call.id, endpoint, target);
        }
    }

    /// A backup says something in the name of `target`.
    pub(super) fn note_call_of(&mut self, target: usize, backup: Endpoint, message: &[u8]) {
        let kept = self.keeper[target] != 0 || self.keeps_calls_at(backup);
        if backup.1 == parse::TCP || calls::kind(message) != Kind::Begins || !kept {
            return;
        }
        if let Some(call) = calls::read(message, false) {
            self.memory.remember_call(call.id, backup, target);
        }
    }

    /// Whether any target that is served there keeps its calls.
    fn keeps_calls_at(&self, backup: Endpoint) -> bool {
        self.targets.iter().filter(|target| target.keeps_calls()).any(|target| {
            target.backups.iter().any(|other| {
                let sip =
                    |(service, port): (&Service, &u16)| service.is_sip_over_udp() && *port == backup.0.port();
                let there = other.addresses.iter().any(|address| address == backup.0.ip());
                there && target.services.iter().zip(&other.ports).any(sip)
            })
        })
    }

    /// Whether it is SIP over UDP that was asked, and the answers come by here.
    fn is_sip(&self, target: usize, asked: Endpoint) -> bool {
        let target = &self.targets[target];
        let is = |service: &Service| service.is_sip_over_udp() && service.port == asked.0.port();
        asked.1 == parse::UDP && target.remembers() && target.services.iter().any(is)
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
