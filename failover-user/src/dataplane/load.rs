//! Loading: from nothing, or into what an older daemon left.

use std::{collections::BTreeMap, path::PathBuf};

use aya::{
    Ebpf, EbpfLoader,
    programs::{SchedClassifier, Xdp},
};
use failover_common::names::{self, MAX_BACKUPS, PROGRAM_EGRESS, PROGRAM_XDP, REASON_SLOTS};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::{
    attach::{self, Attachment},
    constants::Constants,
    device, egress,
    error::Error,
    ids::Ids,
    kernel,
    maps::{Events, Maps, NAMES, pinned_room},
    observe::Observing,
    pins::{Pins, make_private, remove_folder},
    probe_ports::ProbePorts,
    tables::Tables,
};
use crate::config::model::{Family, Forward, Mode, Prefix, Target};

/// The eBPF object, built by the build script.
pub(super) static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/failover-ebpf"));

/// What a data plane is opened with.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The pin folder.
    pub bpffs_dir: PathBuf,
    /// Room in the flow tables.
    pub max_flows: u32,
    /// Who forwards what is rewritten.
    pub forward: Forward,
    /// Where envelopes of IPv4 come from, if not from the router's own address.
    pub envelope_source: Option<Prefix>,
    /// The topology that the tables must have room for.
    pub targets: &'a [Target],
}

/// The data plane: programs, links and maps, and what was written to them.
pub struct Dataplane {
    pub(super) pins: Pins,
    pub(super) maps: Maps,
    pub(super) ids: Ids,
    pub(super) applied: Tables,
    /// How often those were changed.
    pub(super) writes: u64,
    pub(super) sizes: Sizes,
    pub(super) links: BTreeMap<String, Attachment>,
    pub(super) ebpf: Ebpf,
    /// While somebody observes: what runs in its place.
    pub(super) observing: Option<Observing>,
    pub(super) probe_ports: ProbePorts,
    adopted: bool,
    pub(super) constants: Constants,
    /// Whether the programs of the way out are loaded.
    egress: bool,
    /// Of the pin folder.
    _lock: std::fs::File,
}

/// Rows that the maps need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub targets: u32,
    pub services: u32,
    pub flows: u32,
}

impl Sizes {
    const LEAST: u32 = 64;
    /// Some for each of the most CPUs there may be.
    const LEAST_UNANSWERED: u32 = 8192;

    fn of(ids: &Ids, max_flows: u32) -> Self {
        let (target, service) = ids.highest();
        let room = |highest: u32| (highest + 1).next_power_of_two().max(Self::LEAST);
        Self { targets: room(target), services: room(service), flows: max_flows }
    }

    /// Room for every address of every server.
    pub const fn hosts(self) -> u32 {
        self.targets * (MAX_BACKUPS + 1) * Family::ALL.len() as u32
    }

    /// Nobody waits for an answer for long.
    const fn unanswered(self) -> u32 {
        let half = self.flows / 2;
        if half < Self::LEAST_UNANSWERED { Self::LEAST_UNANSWERED } else { half }
    }

    /// Every map whose size is not fixed, with its number of entries.
    const fn entries(self) -> [(&'static str, u32); 14] {
        [
            (names::SERVICES, self.services),
            (names::AVAILABILITY, self.targets),
            (names::SERVERS, self.services * MAX_BACKUPS),
            (names::BACKUPS, self.services * MAX_BACKUPS),
            (names::HOSTS, self.hosts()),
            (names::ORIGINS, self.services),
            (names::UNANSWERED, self.unanswered()),
            (names::ANSWERED, self.flows),
            (names::UNANSWERED_CALLS, self.unanswered()),
            (names::ANSWERED_CALLS, self.flows),
            // Each endpoint has a socket of ours, and one more while it is made anew.
            (names::PROBES, self.services * (MAX_BACKUPS + 1) * 2),
            (names::COUNTERS, self.targets * REASON_SLOTS),
            (names::ANNOUNCED, self.targets),
            (names::SUSPECTED, self.targets),
        ]
    }
}

impl Dataplane {
    /// Loads the programs, with the pinned maps of an older daemon where there are any, and swaps them into its links.
    /// Nothing is attached that was not.
    pub fn open(options: &Options<'_>) -> Result<(Self, Events), Error> {
        kernel::check()?;
        let egress = kernel::has_tcx();
        if !egress && options.forward == Forward::Kernel {
            return Err(Error::NoTcx { release: kernel::release() });
        }
        let pins = Pins::new(&options.bpffs_dir);
        pins.create()?;
        let lock = pins.lock()?;
        let (before, mut ids) = pinned(&pins)?;
        ids.assign(options.targets);
        let sizes = Sizes::of(&ids, options.max_flows);
        let constants = Constants::new(options.forward, options.envelope_source);
        let (mut ebpf, fits) = match &before {
            Some(_) if fits(&pins, sizes) => (load(&pins.maps(), sizes, constants)?, true),
            _ => (load_anew(&pins, sizes, constants)?, false),
        };
        let (mut maps, events) = Maps::take(&mut ebpf)?;
        let adopted = before.is_some();
        let older = before.filter(|_| !fits);
        if let Some(older) = &older {
            maps.carry_over(older)?;
        }
        maps.seed_calls()?;
        let links = swap_in(&mut ebpf, &pins, egress)?;
        for attachment in links.values() {
            maps.interfaces.count(&attachment.name, attachment.index)?;
        }
        if let Some(older) = &older {
            // What came in while the old program still ran.
            maps.carry_over_flows(older)?;
            maps.carry_over_calls(older)?;
        }
        settle(&mut ebpf, &pins, fits)?;
        let applied = maps.tables()?;
        let opened = Self {
            pins,
            maps,
            ids,
            applied,
            writes: 0,
            sizes,
            links,
            ebpf,
            observing: None,
            probe_ports: ProbePorts::default(),
            adopted,
            constants,
            egress,
            _lock: lock,
        };
        Ok((opened, events))
    }

    /// Whether an older daemon's state was taken over.
    pub const fn adopted(&self) -> bool {
        self.adopted
    }

    /// Whether what the router itself sends is steered.
    pub const fn steers_own_packets(&self) -> bool {
        self.egress
    }

    /// The interfaces on which our program is attached by a link of ours.
    pub fn attached(&self) -> impl Iterator<Item = &Attachment> {
        self.links.values()
    }

    /// Our link on `interface`.
    pub fn attachment(&self, interface: &str) -> Option<&Attachment> {
        self.links.get(interface)
    }

    /// The kernel's id of our program.
    pub fn program_id(&self) -> Option<u32> {
        self.program().ok()?.info().ok().map(|info| info.id())
    }

    /// Instructions that the kernel's verifier went through to load our program: what it costs to say yes. `None`: the
    /// kernel does not tell (before Linux 5.16).
    pub fn verified_instructions(&self) -> Option<u32> {
        self.program().ok()?.info().ok()?.verified_instruction_count()
    }

    /// Our program: the one that the links run.
    pub(super) fn program(&self) -> Result<&Xdp, Error> {
        let ebpf = self.observing.as_ref().map_or(&self.ebpf, |observing| &observing.ebpf);
        ebpf.program(PROGRAM_XDP).and_then(|program| program.try_into().ok()).ok_or_else(no_program)
    }

    /// The program of the way out.
    pub(super) fn egress_program(&self) -> Result<&SchedClassifier, Error> {
        let program = self.ebpf.program(PROGRAM_EGRESS).and_then(|program| program.try_into().ok());
        program.ok_or_else(no_program)
    }

    /// Attaches to `interface`; one that is attached stays so.
    pub fn attach(&mut self, interface: &str, mode: Mode) -> Result<(), Error> {
        if self.links.contains_key(interface) {
            return self.attach_egress(interface);
        }
        device::make_ready(&self.pins, interface, mode)?;
        self.maps.interfaces.count(interface, attach::index(interface)?)?;
        let ebpf = self.observing.as_mut().map_or(&mut self.ebpf, |observing| &mut observing.ebpf);
        let attached = attach::attach(program(ebpf)?, &self.pins, interface, mode);
        let attachment = attached.inspect_err(|_| self.put_back(interface))?;
        self.links.insert(interface.to_owned(), attachment);
        self.attach_egress(interface).or_else(|error| self.detach(interface).and(Err(error)))
    }

    /// The way out of one that is attached, where the kernel can.
    fn attach_egress(&mut self, interface: &str) -> Result<(), Error> {
        let attachment = self.links.get_mut(interface).filter(|link| link.egress.is_none());
        if let Some(attachment) = attachment.filter(|_| self.egress) {
            let program = egress::program(&mut self.ebpf)?;
            attachment.egress = Some(egress::attach(program, &self.pins, interface)?);
        }
        Ok(())
    }

    /// Makes a device ready once more, to which an older daemon has attached the program.
    pub fn make_ready(&self, interface: &str, mode: Mode) -> Result<(), Error> {
        device::make_ready(&self.pins, interface, mode)
    }

    fn put_back(&self, interface: &str) {
        let index = self.links.get(interface).map_or_else(|| attach::index(interface), |link| Ok(link.index));
        if let Err(error) = index.and_then(|index| device::put_back(&self.pins, index)) {
            tracing::debug!(interface, %error, "nothing to put back");
        }
    }

    /// Detaches from `interface`, or forgets the link of a device that is gone; one that is not attached is no error.
    pub fn detach(&mut self, interface: &str) -> Result<(), Error> {
        self.pins.remove_links(interface)?;
        self.put_back(interface);
        match self.links.remove(interface) {
            Some(attachment) => self.maps.interfaces.forget(attachment.index),
            None => Ok(()),
        }
    }

    /// Takes everything away: links, programs, maps.
    pub fn remove(self) -> Result<(), Error> {
        device::put_all_back(&self.pins)?;
        self.pins.remove_all()
    }
}

/// What is pinned: the maps, and the numbers in them. An incomplete set is no set.
fn pinned(pins: &Pins) -> Result<(Option<Maps>, Ids), Error> {
    if NAMES.iter().any(|name| !pins.maps().join(name).exists()) {
        return Ok((None, Ids::default()));
    }
    let maps = Maps::open(&pins.maps())?;
    let ids = Ids::adopt(&maps.tables()?);
    Ok((Some(maps), ids))
}

/// The tables that have the very size that was asked for.
const IN_FULL: [&str; 2] = [names::ANSWERED, names::ANSWERED_CALLS];

/// Whether the pinned maps have the room that is needed, and the flow tables the very size that was asked for.
fn fits(pins: &Pins, sizes: Sizes) -> bool {
    sizes.entries().into_iter().all(|(name, entries)| match pinned_room(pins, name) {
        // The kernel gives each CPU the same part of this one.
        Some(room) if [names::UNANSWERED, names::UNANSWERED_CALLS].contains(&name) => {
            room.abs_diff(entries) < Sizes::LEAST_UNANSWERED
        }
        Some(room) if IN_FULL.contains(&name) => room == entries,
        Some(room) => room >= entries,
        None => false,
    })
}

fn load(maps: &std::path::Path, sizes: Sizes, constants: Constants) -> Result<Ebpf, Error> {
    let mut loader = EbpfLoader::new();
    for (name, entries) in sizes.entries() {
        loader.map_max_entries(name, entries);
    }
    for name in NAMES {
        loader.map_pin_path(name, maps.join(name));
    }
    constants.set(&mut loader);
    let mut ebpf = loader.load(OBJECT).map_err(|error| Error::load(&error))?;
    program(&mut ebpf)?.load().map_err(|error| Error::load(&error))?;
    if kernel::has_tcx() {
        egress::program(&mut ebpf)?.load().map_err(|error| Error::load(&error))?;
    }
    #[cfg(feature = "packet-log")]
    log_packets(&mut ebpf);
    Ok(ebpf)
}

fn load_anew(pins: &Pins, sizes: Sizes, constants: Constants) -> Result<Ebpf, Error> {
    let folder = pins.next_layout();
    remove_folder(&folder)?;
    let maps = folder.join("maps");
    make_private(&folder)?;
    make_private(&maps)?;
    load(&maps, sizes, constants)
}

/// Puts our program in the place of the one that every pinned link runs.
fn swap_in(ebpf: &mut Ebpf, pins: &Pins, egress: bool) -> Result<BTreeMap<String, Attachment>, Error> {
    let mut links = BTreeMap::new();
    for name in pins.linked() {
        let Some(mut attachment) = attach::adopt(program(ebpf)?, pins, &name)? else {
            Pins::remove(&pins.egress_link(&name))?;
            continue;
        };
        if egress {
            attachment.egress = egress::adopt(egress::program(ebpf)?, pins, &name)?;
        }
        links.insert(name, attachment);
    }
    Ok(links)
}

/// Pins the program; maps that were made anew take the place of the older ones, in one step.
fn settle(ebpf: &mut Ebpf, pins: &Pins, fits: bool) -> Result<(), Error> {
    if !fits {
        let (old, new) = (pins.layout(), pins.next_layout());
        renameat_with(CWD, &new, CWD, &old, RenameFlags::EXCHANGE)
            .map_err(|error| Error::io(format!("put {} into place", new.display()), error.into()))?;
        remove_folder(&new)?;
    }
    let path = pins.program();
    Pins::remove(&path)?;
    program(ebpf)?.pin(&path).map_err(|error| Error::Pin {
        action: "pin the program",
        path,
        reason: error.to_string(),
    })
}

pub(super) fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp, Error> {
    ebpf.program_mut(PROGRAM_XDP).and_then(|program| program.try_into().ok()).ok_or_else(no_program)
}

fn no_program() -> Error {
    Error::Load { reason: format!("the object has no XDP program {PROGRAM_XDP}") }
}

#[cfg(feature = "packet-log")]
fn log_packets(ebpf: &mut Ebpf) {
    match aya_log::EbpfLogger::init(ebpf) {
        Ok(mut logger) => {
            tokio::spawn(async move { logger.flush() });
        }
        Err(error) => tracing::warn!(%error, "the packet log cannot be read"),
    }
}
