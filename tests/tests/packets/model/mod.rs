//! The data plane once more, in plain Rust on etherparse: what the program has to do with a packet, by the RFCs and
//! by what the reasons say, with no regard for how the program does it.
//!
//! It knows the configuration and the network of `network`, keeps what the program keeps (flows, fragments), and works
//! out every checksum from nothing. `differential` holds the program against it.

mod calls;
mod decide;
mod drain;
mod memory;
mod parse;
mod rewrite;
mod route;
mod unrewritten;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr, SocketAddrV4},
};

use failover_common::reason::Reason;
use failover_user::config::model::{Family, Prefix, ServiceKind, Steer, Target};

use crate::{
    fixture::{Action, Step},
    frame::Raw,
    network,
};
use memory::Memory;

/// Where a service or a backup is, and its protocol's number.
pub type Endpoint = (SocketAddr, u8);

/// What has to come of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub action: Action,
    pub reason: Reason,
    pub target: Option<SocketAddrV4>,
    pub bytes: Vec<u8>,
    /// Where checksums stand that were wrong, or whose data is not all here, and stay so by the same amount: there
    /// zero is as good as 0xffff.
    pub loose: Vec<usize>,
}

/// Why a packet is not rewritten.
struct Stop {
    reason: Reason,
    target: Option<usize>,
}

impl From<Reason> for Stop {
    fn from(reason: Reason) -> Self {
        Self { reason, target: None }
    }
}

/// The router, as it should be.
pub struct Model {
    targets: Vec<Target>,
    /// Where envelopes of IPv4 come from, if not from the router's own address.
    source: Option<Prefix>,
    /// By target; see `failover_common::value::Availability`.
    serving: Vec<u8>,
    /// The same: who keeps what began there.
    keeper: Vec<u8>,
    services: BTreeMap<Endpoint, usize>,
    /// Whom a backup's endpoint stands in for; `None`: for several, or not for one alone.
    backups: BTreeMap<Endpoint, Option<(usize, SocketAddr)>>,
    ports: BTreeSet<(u16, u8)>,
    probes: BTreeSet<Endpoint>,
    memory: Memory,
}

impl Model {
    pub fn new(source: Option<Prefix>) -> Self {
        let mut model = Self {
            targets: network::targets(),
            source,
            serving: Vec::new(),
            keeper: Vec::new(),
            services: BTreeMap::new(),
            backups: BTreeMap::new(),
            ports: BTreeSet::new(),
            probes: BTreeSet::new(),
            memory: Memory::new(),
        };
        for n in 0..model.targets.len() {
            model.learn(n);
        }
        model.reset(&[]);
        model
    }

    /// The endpoints of a target and of its backups.
    fn learn(&mut self, n: usize) {
        let target = self.targets[n].clone();
        for family in Family::ALL {
            let Some(address) = target.addresses.of(family) else { continue };
            for (index, service) in target.services.iter().enumerate() {
                let protocol = service.transport.protocol();
                let asked = SocketAddr::new(address, service.port);
                self.services.insert((asked, protocol), n);
                self.ports.insert((service.port, protocol));
                if service.kind == ServiceKind::Ras {
                    self.ports.insert((network::DISCOVERY.port(), protocol));
                }
                for backup in &target.backups {
                    self.ports.insert((backup.ports[index], protocol));
                    // One that carries the target's address says nothing that has to be turned back.
                    let turned = backup.addresses.of(family).filter(|_| target.steer == Steer::Nat);
                    if let Some(address) = turned {
                        let endpoint = (SocketAddr::new(address, backup.ports[index]), protocol);
                        self.backups.insert(endpoint, backup.dedicated.then_some((n, asked)));
                    }
                }
            }
        }
    }

    /// Everyone's first backup serves, but for those in `but`; nothing is remembered.
    pub fn reset(&mut self, but: &[(SocketAddrV4, u8)]) {
        let serving = |target: &Target| {
            but.iter().find(|(primary, _)| *primary.ip() == target.addresses.first()).map_or(1, |(_, n)| *n)
        };
        self.serving = self.targets.iter().map(serving).collect();
        self.keeper = vec![0; self.targets.len()];
        self.probes.clear();
        self.memory = Memory::new();
    }

    /// What went before.
    pub fn step(&mut self, step: &Step) -> Option<Answer> {
        match step {
            Step::Packet(packet) => return Some(self.judge(packet)),
            Step::Time(seconds) => self.memory.age(*seconds),
            Step::Serve { target, serving, keeper } => {
                let is = |t: &Target| *target.ip() == t.addresses.first();
                let n = self.targets.iter().position(is).expect("a target");
                (self.serving[n], self.keeper[n]) = (*serving, *keeper);
            }
            Step::Probe { socket, tcp } => {
                let protocol = if *tcp { parse::TCP } else { parse::UDP };
                self.probes.insert((SocketAddr::V4(*socket), protocol));
            }
        }
        None
    }

    /// What has to come of `packet`.
    pub fn judge(&mut self, packet: &Raw) -> Answer {
        self.visit(packet).unwrap_or_else(|stop| Answer {
            action: if stop.reason == Reason::NobodyServes { Action::Drop } else { Action::Pass },
            reason: stop.reason,
            target: stop.target.map(|n| self.name(n)),
            bytes: packet.bytes.clone(),
            loose: Vec::new(),
        })
    }

    /// As the counters name a target.
    fn name(&self, target: usize) -> SocketAddrV4 {
        let IpAddr::V4(address) = self.targets[target].addresses.first() else {
            panic!("a target without IPv4")
        };
        SocketAddrV4::new(address, 5060)
    }

    /// Whether all that is remembered of a client at this backup is its host: one service alone is served there, and TCP's
    /// connections are kept one by one.
    fn keeps_hosts_alone(&self, backup: Endpoint) -> bool {
        let mut served = 0;
        for target in &self.targets {
            for family in Family::ALL {
                for other in &target.backups {
                    let ports = target.services.iter().zip(&other.ports);
                    let ends = ports.filter_map(|(service, port)| {
                        target.addresses.of(family)?;
                        let address = other.addresses.of(family)?;
                        Some((SocketAddr::new(address, *port), service.transport.protocol()))
                    });
                    served += ends.filter(|end| *end == backup).count();
                }
            }
        }
        served == 1 && backup.1 == parse::UDP && !self.services.contains_key(&backup)
    }

    /// The target itself, and its backups.
    fn is_own_host(&self, target: usize, host: IpAddr) -> bool {
        let target = &self.targets[target];
        let family = Family::of(host);
        let backups = target.backups.iter().map(|backup| backup.addresses);
        backups.chain([target.addresses]).any(|addresses| addresses.of(family) == Some(host))
    }
}
