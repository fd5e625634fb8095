//! `failover explain`: what the loaded program does with a packet, asked of the program itself.
//!
//! The one that is attached would count what it is shown, and remember it. So a twin is asked: the same object, loaded
//! once more on the same pinned maps with [`names::ROLE`] set, which decides the same and writes nothing but a
//! [`Trace`]. It is never attached, never pinned, and gone with this value. What it cannot foretell is that a table
//! has no room when the real program wants to remember something. Each packet stands for itself: the way that one of
//! them would open is not there for the next.

use std::{collections::BTreeMap, fs::File, net::IpAddr, os::fd::AsRawFd as _, path::PathBuf};

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, PerCpuArray, PerCpuValues},
    programs::ProgramInfo,
};
use failover_common::{
    key::{EndpointKey, unmapped},
    names,
    trace::Trace,
    value::Availability,
};

use super::{OfflineError, Pinned};
use crate::{
    config::model::{Backup, Config, Service, Target},
    dataplane::{
        constants::Constants,
        error::Error,
        keys::ways,
        load::{OBJECT, program},
        maps::{NAMES, fails},
        netdev::{self, Devices},
        route, test_run,
    },
};

/// The twin, and what gives names to its numbers.
pub struct Twin {
    targets: Vec<Target>,
    pinned: Pinned,
    devices: Devices,
    ebpf: Ebpf,
    trace: PerCpuArray<MapData, Trace>,
    /// The devices of the ways back that were asked for.
    ways: BTreeMap<IpAddr, Ingress>,
}

/// The device by which a packet comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ingress {
    /// Its name.
    pub name: String,
    /// Its index.
    pub index: u32,
    /// Its Ethernet address, where it has one.
    pub mac: Option<[u8; 6]>,
}

/// What the program did with a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The kernel's `enum xdp_action` (linux/bpf.h).
    pub action: u32,
    /// The frame as the program left it.
    pub after: Vec<u8>,
    /// What the program noted.
    pub trace: Trace,
    /// The target that it ended at.
    pub target: Option<String>,
    /// The service that was asked: `sip/udp of target paris`.
    pub service: Option<String>,
    /// The backup that serves, or keeps what began there, or that the packet is from.
    pub backup: Option<String>,
    /// The device that the FIB named.
    pub egress: Option<String>,
}

impl Twin {
    /// Loads it, beside a program that must be of the same build.
    pub fn open(config: &Config) -> Result<Self, OfflineError> {
        let pinned = Pinned::open(config)?;
        let constants = Constants::new(config.router.forward, config.router.envelope_source);
        let mut ebpf = load(pinned.pins.maps(), constants)?;
        let own = program(&mut ebpf)?.info().map_err(|error| Error::load(&error))?;
        let running = ProgramInfo::from_pin(pinned.pins.program()).map_err(|error| Error::load(&error))?;
        // The tag is made of the instructions, whatever maps and constants they refer to.
        if own.tag() != running.tag() {
            return Err(OfflineError::AnotherBuild);
        }
        let trace = ebpf
            .take_map(names::TRACE)
            .ok_or_else(|| Error::Load { reason: format!("the object has no map {}", names::TRACE) })?;
        let trace =
            PerCpuArray::try_from(trace).map_err(fails(names::TRACE, "take for what it should be"))?;
        let devices = netdev::look_once()?;
        Ok(Self { targets: config.targets.clone(), pinned, devices, ebpf, trace, ways: BTreeMap::new() })
    }

    /// The attached device of that name; else the one by which the kernel would answer `source`; else, of a packet
    /// without a source, in which no device makes a difference, any that is attached.
    pub fn ingress(&mut self, name: Option<&str>, source: Option<IpAddr>) -> Result<Ingress, OfflineError> {
        match (name, source) {
            (Some(name), _) => self.named(name),
            (None, Some(host)) => {
                if let Some(known) = self.ways.get(&host) {
                    return Ok(known.clone());
                }
                let index = route::device_to(host)?.ok_or(OfflineError::NoWayBack { host })?;
                let interface = self.name_of(index).ok_or(OfflineError::NoWayBack { host })?;
                let found = self.named(&interface).map_err(|error| match error {
                    OfflineError::NotAttached { name } => {
                        OfflineError::NotAttachedThere { host, interface: name }
                    }
                    other => other,
                })?;
                self.ways.insert(host, found.clone());
                Ok(found)
            }
            (None, None) => {
                let first = self.pinned.pins.linked().into_iter().find_map(|name| self.named(&name).ok());
                first.ok_or_else(|| OfflineError::NotAttached { name: "any interface".into() })
            }
        }
    }

    fn named(&self, name: &str) -> Result<Ingress, OfflineError> {
        let name = name.to_owned();
        let Some(device) = self.devices.named(&name) else { return Err(OfflineError::NoInterface { name }) };
        if device.xdp.is_none() || !self.pinned.pins.linked().contains(&name) {
            return Err(OfflineError::NotAttached { name });
        }
        Ok(Ingress { name, index: device.index, mac: device.mac })
    }

    fn name_of(&self, index: u32) -> Option<String> {
        self.devices.all.iter().find(|device| device.index == index).map(|device| device.name.clone())
    }

    /// Shows the twin a frame.
    pub fn explain(&mut self, frame: &[u8], ingress: &Ingress) -> Result<Answer, OfflineError> {
        let cpus = self.trace.get(&0, 0).map_err(fails(names::TRACE, "read"))?.len();
        let blank = PerCpuValues::try_from(vec![Trace::default(); cpus])
            .map_err(|source| Error::io("count the CPUs", source))?;
        self.trace.set(0, blank, 0).map_err(fails(names::TRACE, "clear"))?;
        let run = test_run::run(program(&mut self.ebpf)?, frame, ingress.index)?;
        let traces = self.trace.get(&0, 0).map_err(fails(names::TRACE, "read"))?;
        let trace = traces.iter().find(|trace| trace.end != 0).copied().unwrap_or_default();
        Ok(Answer {
            action: run.action,
            after: run.frame,
            target: self.target(trace.target()),
            service: self.service(&trace),
            backup: self.backup(&trace),
            egress: Some(trace.egress).filter(|_| trace.knows(Trace::ROUTE)).and_then(|i| self.name_of(i)),
            trace,
        })
    }

    fn by_id(&self, id: u32) -> Option<&Target> {
        self.targets.iter().find(|target| id != 0 && self.pinned.id(target) == Some(id))
    }

    fn target(&self, id: u32) -> Option<String> {
        self.by_id(id).map(|target| target.name.clone())
    }

    fn service(&self, trace: &Trace) -> Option<String> {
        let target = trace.knows(Trace::SERVICE).then(|| self.by_id(trace.service_target))??;
        let asked = (u16::from_be_bytes(trace.destination_port), trace.protocol);
        let is_asked = |service: &&Service| (service.port, service.transport.protocol()) == asked;
        Some(match target.services.iter().find(is_asked) {
            Some(service) => format!("{service} of target {}", target.name),
            None => format!("target {}", target.name),
        })
    }

    fn backup(&self, trace: &Trace) -> Option<String> {
        let name = |backup: &Backup| backup.name.clone();
        if trace.knows(Trace::BACKUP) {
            let serves = key(trace.source, trace.source_port, trace.protocol);
            let known = |target: &Target, backup: &Backup| ways(target, backup).any(|(_, key)| key == serves);
            let mut all = self.targets.iter().flat_map(|t| t.backups.iter().map(move |b| (t, b)));
            return all.find(|(target, backup)| known(target, backup)).map(|(_, backup)| name(backup));
        }
        let target = trace.knows(Trace::SERVICE).then(|| self.by_id(trace.service_target))??;
        let now = Availability(trace.availability);
        let number = match now.serving() {
            0 => usize::from(now.keeper()).checked_sub(1)?,
            n => usize::from(n),
        };
        target.backups.get(number.checked_sub(1)?).map(name)
    }
}

/// Loads the twin on the maps in `folder`. The folder is held open: while a daemon puts larger maps in its place, the
/// twin gets the maps of one folder alone, and where that is gone, none are made.
fn load(folder: PathBuf, constants: Constants) -> Result<Ebpf, OfflineError> {
    let held =
        File::open(&folder).map_err(|source| Error::io(format!("open {}", folder.display()), source))?;
    let maps = PathBuf::from(format!("/proc/self/fd/{}", held.as_raw_fd()));
    if NAMES.iter().any(|name| !maps.join(name).exists()) {
        return Err(Error::NotPinned { path: folder }.into());
    }
    let mut loader = EbpfLoader::new();
    for name in NAMES {
        loader.map_pin_path(name, maps.join(name));
    }
    loader.override_global(names::ROLE, &names::ROLE_TWIN, true);
    constants.set(&mut loader);
    let mut ebpf = loader.load(OBJECT).map_err(|error| Error::load(&error))?;
    program(&mut ebpf)?.load().map_err(|error| Error::load(&error))?;
    Ok(ebpf)
}

fn key(address: [u8; 16], port: [u8; 2], protocol: u8) -> EndpointKey {
    EndpointKey::new(address, u16::from_be_bytes(port), protocol)
}

/// An address as the maps write it.
pub fn address(bytes: [u8; 16]) -> IpAddr {
    unmapped(bytes).map_or_else(|| IpAddr::from(bytes), IpAddr::from)
}
