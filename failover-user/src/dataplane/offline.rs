//! The pinned maps of a dead daemon: what `status`, `stats`, `target` and `detach` work on while nobody else does.
//!
//! Names come from the configuration, the rest from the maps. Writers hold the daemon's lock; what they decide is a
//! store into the availability map, as a daemon's decision is, and the operator's order is kept where the next
//! daemon finds it.

pub mod explain;

use std::collections::BTreeMap;

use failover_common::value::Availability;
use jiff::Timestamp;

use super::{
    attach, device,
    error::Error,
    ids::Ids,
    maps::{Maps, NAMES},
    netdev::{self, Devices},
    pins::Pins,
    tables::Tables,
};
use crate::{
    config::model::{Config, Target},
    control::{
        admin::{Order, Orders, OrdersError},
        lock::{self, LockError},
        message::{
            Admin, BackupStatus, By, InterfaceStatus, ProbeStatus, RouterStatus, SCHEMA, SetAdmin, Stats,
            Status, TargetStatus,
        },
    },
    director::{Serves, serves},
    health::Health,
};

/// Why the pinned maps do not answer.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// The data plane's own.
    #[error(transparent)]
    Dataplane(#[from] Error),
    /// The operator's orders cannot be read or kept.
    #[error(transparent)]
    Orders(#[from] OrdersError),
    /// A daemon lives after all, or another command is at work.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The configuration, or the tables, know no such target.
    #[error("no such target: {name}")]
    NoTarget {
        /// Its name.
        name: String,
    },
    /// No link of ours is pinned for it.
    #[error("nothing of ours is attached to {name}")]
    NotAttached {
        /// The interface.
        name: String,
    },
    /// No such device.
    #[error("interface {name}: no such device")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// Packets of this host cannot come in by any device, by the kernel's own routes.
    #[error("no route leads back to {host}")]
    NoWayBack {
        /// The packet's source.
        host: std::net::IpAddr,
    },
    /// They would come in by a device at which nobody looks at them.
    #[error("the route back to {host} leaves by {interface}, and nothing of ours is attached there")]
    NotAttachedThere {
        /// The packet's source.
        host: std::net::IpAddr,
        /// The device.
        interface: String,
    },
    /// The program in the kernel is not the one that this binary brings.
    #[error("the program that is loaded is another build's than this command's")]
    AnotherBuild,
}

impl OfflineError {
    /// The exit code of a command that ends with this.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Dataplane(error) => error.exit(),
            Self::Lock(LockError::Held { .. }) => 5,
            Self::Lock(LockError::Io { source, .. })
            | Self::Orders(OrdersError::Read { source, .. } | OrdersError::Write { source, .. })
                if matches!(source.kind(), std::io::ErrorKind::PermissionDenied) =>
            {
                6
            }
            Self::NoTarget { .. }
            | Self::NotAttached { .. }
            | Self::NoInterface { .. }
            | Self::NoWayBack { .. }
            | Self::NotAttachedThere { .. } => 7,
            Self::Orders(_) | Self::Lock(_) | Self::AnotherBuild => 1,
        }
    }

    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Dataplane(error) => error.help(),
            Self::Lock(LockError::Held { .. }) => {
                Some("a daemon runs, but does not answer on its socket: see its log".into())
            }
            Self::NoTarget { .. } => Some("see `failover target list`".into()),
            Self::NoInterface { .. } => Some("see `ip link` for the names there are".into()),
            Self::NoWayBack { .. } | Self::NotAttachedThere { .. } => {
                Some("say by which interface it comes in: --iface IFACE".into())
            }
            Self::AnotherBuild => Some(
                "restart the daemon, which swaps in the program of this build without losing a packet".into(),
            ),
            _ => None,
        }
    }
}

/// What is pinned.
struct Pinned {
    pins: Pins,
    maps: Maps,
    tables: Tables,
    /// By the target's name.
    numbers: BTreeMap<String, u32>,
}

impl Pinned {
    fn open(config: &Config) -> Result<Self, OfflineError> {
        let pins = Pins::new(&config.router.bpffs_dir);
        match std::fs::read_dir(pins.maps()) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(Error::NotPermitted { action: format!("open {}", pins.maps().display()) }.into());
            }
            _ if NAMES.iter().any(|name| !pins.maps().join(name).exists()) => {
                return Err(Error::NotPinned { path: config.router.bpffs_dir.clone() }.into());
            }
            _ => {}
        }
        let maps = Maps::open(&pins.maps())?;
        let tables = maps.tables()?;
        let known = Ids::adopt(&tables).known(&config.targets);
        let numbered = config.targets.iter().zip(known);
        let numbers = numbered.filter_map(|(target, id)| Some((target.name.clone(), id?))).collect();
        Ok(Self { pins, maps, tables, numbers })
    }

    /// The target's number, where the tables have it.
    fn id(&self, target: &Target) -> Option<u32> {
        self.numbers.get(&target.name).copied()
    }

    fn serves(&self, target: &Target) -> Option<Serves> {
        self.id(target).map(|id| serves(self.maps.availability.get(id), target.backups.len()))
    }

    fn target(&self, target: &Target, orders: &Orders) -> Result<TargetStatus, OfflineError> {
        let order = orders.of(&target.name);
        let serves = self.serves(target);
        let sums = self.id(target).map(|id| self.maps.counts(id)).transpose()?.unwrap_or_default().sums();
        Ok(TargetStatus {
            name: target.name.clone(),
            admin: order.state,
            admin_until: order.until.map(|until| until.to_string()),
            admin_reason: order.reason,
            health: Health::Unknown,
            serving: serves.map(|serves| serves.words().0),
            backup: serves
                .and_then(Serves::backup)
                .and_then(|n| target.backups.get(n))
                .map(|backup| backup.name.clone()),
            draining_to: serves.and_then(|serves| serves.words().1),
            since: None,
            reason: Some(match serves {
                Some(_) => "the last decision, kept by the kernel: no daemon watches".into(),
                None => "not in the pinned tables: the configuration is newer than they are".into(),
            }),
            rtt_us: None,
            steered_packets: sums.steered.packets,
            steered_bytes: sums.steered.bytes,
            returned_packets: sums.returned.packets,
            pins: None,
            backups: target
                .backups
                .iter()
                .map(|backup| BackupStatus {
                    name: backup.name.clone(),
                    health: Health::Unknown,
                    rtt_us: None,
                })
                .collect(),
            probes: probes(target),
        })
    }

    fn interfaces(&self, config: &Config, devices: &Devices) -> Vec<InterfaceStatus> {
        let linked = self.pins.linked();
        let interface = |name: &str| {
            let device = devices.named(name);
            let runs =
                device.and_then(|device| device.xdp).filter(|_| linked.iter().any(|link| link == name));
            InterfaceStatus {
                name: name.to_owned(),
                mode: runs.map(|(mode, _)| mode.to_string()),
                attached: runs.is_some(),
                reason: match (device, runs) {
                    (None, _) => Some("no such device".into()),
                    (_, None) => Some("detached".into()),
                    _ => None,
                },
            }
        };
        config.router.interfaces.iter().map(|i| interface(&i.name)).collect()
    }
}

/// `status`.
pub fn status(config: &Config) -> Result<Status, OfflineError> {
    let pinned = Pinned::open(config)?;
    let orders = Orders::load(&config.router.state_dir)?;
    let devices = netdev::look_once()?;
    let targets = config.targets.iter().map(|target| pinned.target(target, &orders));
    Ok(Status {
        schema: SCHEMA,
        router: RouterStatus {
            pid: None,
            uptime_s: None,
            stale: true,
            interfaces: pinned.interfaces(config, &devices),
            flows: None,
        },
        targets: targets.collect::<Result<_, _>>()?,
    })
}

/// `stats`.
pub fn stats(config: &Config, by: Option<By>) -> Result<Stats, OfflineError> {
    let pinned = Pinned::open(config)?;
    let targets: Vec<_> =
        config.targets.iter().map(|target| (target.name.as_str(), pinned.id(target))).collect();
    Ok(pinned.maps.stats(&targets, by, true)?)
}

/// `target disable|drain|auto|primary`. Nobody knows what is healthy: `disable` and `drain` take the backup that serves, else the first
/// one that was alive when a daemon last looked, else the first; `auto` means the primary, until a daemon returns.
pub fn set_admin(config: &Config, name: &str, set: &SetAdmin) -> Result<TargetStatus, OfflineError> {
    let no_target = || OfflineError::NoTarget { name: name.to_owned() };
    let target = config.targets.iter().find(|target| target.name == name).ok_or_else(no_target)?;
    let _lock = lock::take(&config.router.state_dir)?;
    let pinned = Pinned::open(config)?;
    let id = pinned.id(target).ok_or_else(no_target)?;
    let before = pinned.maps.availability.get(id);
    let (serving, keeper) = match set.state {
        Admin::Auto | Admin::Primary => (0, 0),
        Admin::Disabled => (backup(&pinned.tables, target, before), 0),
        // What began at the primary cannot be told from what is new.
        Admin::Drain if !target.remembers() => (backup(&pinned.tables, target, before), 0),
        Admin::Drain => match before.serving() {
            // A backup that serves everything already keeps it.
            n if n != 0 && n != Availability::NOBODY => (n, before.keeper()),
            _ => (backup(&pinned.tables, target, before), 1),
        },
    };
    let mut orders = Orders::load(&config.router.state_dir)?;
    orders.give(name, Order::given(set, Timestamp::now()))?;
    if (serving, keeper) != (before.serving(), before.keeper()) {
        let generation = before.generation().wrapping_add(u32::from(serving != before.serving()));
        pinned
            .maps
            .availability
            .set(id, Availability::new(serving, before.live(), generation).kept_by(keeper));
    }
    pinned.target(target, &orders)
}

/// `detach`: one interface, or everything.
pub fn detach(config: &Config, interface: Option<&str>) -> Result<Vec<String>, OfflineError> {
    let _lock = lock::take(&config.router.state_dir)?;
    let pins = Pins::new(&config.router.bpffs_dir);
    let linked = pins.linked();
    match interface {
        Some(name) if linked.iter().any(|link| link == name) => {
            pins.remove_links(name)?;
            if let Ok(index) = attach::index(name) {
                device::put_back(&pins, index)?;
            }
            Ok(vec![name.to_owned()])
        }
        Some(name) => Err(OfflineError::NotAttached { name: name.to_owned() }),
        None if !pins.layout().exists() => {
            Err(Error::NotPinned { path: config.router.bpffs_dir.clone() }.into())
        }
        None => {
            device::put_all_back(&pins)?;
            pins.remove_all()?;
            Ok(linked)
        }
    }
}

fn backup(tables: &Tables, target: &Target, before: Availability) -> u8 {
    let known = |n: &u8| {
        super::keys::service_keys(target).any(|key| tables.server(&key, u32::from(*n) - 1).is_some())
    };
    let all = 1..=u8::try_from(target.backups.len()).unwrap_or(u8::MAX);
    match before.serving() {
        n if n != 0 && n != Availability::NOBODY => n,
        _ => all.clone().filter(known).find(|n| before.live() & (1 << n) != 0).unwrap_or(1),
    }
}

fn probes(target: &Target) -> Vec<ProbeStatus> {
    let mut probes = Vec::new();
    for server in target.servers() {
        for address in &server.addresses {
            let asked = target.probed(server.at(*address));
            probes.extend(asked.map(|(service, at)| ProbeStatus {
                service: service.to_string(),
                server: server.name.to_owned(),
                address: at.to_string(),
                health: Health::Unknown,
                rtt_us: None,
                last: None,
            }));
        }
    }
    probes
}
