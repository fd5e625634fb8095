//! The program that shows packets, in the place of the one that does not.
//!
//! It is the same object on the same pinned maps, loaded with another constant: so what nobody observes costs nothing.
//! It is not pinned: a daemon that dies leaves it in the links, where the next one swaps in its own.

use std::path::PathBuf;

use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, Map, MapData, MapError, PerCpuArray, RingBuf},
    programs::Xdp,
};
use failover_common::{
    names,
    observe::{Interest, Missed},
};

use super::{
    attach,
    constants::Constants,
    error::Error,
    load::{Dataplane, OBJECT, program},
    maps::{NAMES, fails},
    pins::Pins,
};

/// Bytes of the ring: some thousand packets.
const RING: u32 = 4 << 20;

/// Loads the program; it takes a good part of a second, and is not for a task that has decisions to make.
#[derive(Clone, Debug)]
pub struct ObserverLoader {
    maps: PathBuf,
    constants: Constants,
}

/// The program, loaded.
pub struct Observing {
    pub(super) ebpf: Ebpf,
    interest: Array<MapData, Interest>,
}

/// What it shows.
pub struct Sights {
    /// Entries of [`failover_common::observe::Sighting`], each with its bytes behind it.
    pub ring: RingBuf<MapData>,
    missed: PerCpuArray<MapData, Missed>,
}

impl ObserverLoader {
    /// Loads it. It shows nothing yet.
    pub fn load(&self) -> Result<(Observing, Sights), Error> {
        let mut loader = EbpfLoader::new();
        for name in NAMES {
            loader.map_pin_path(name, self.maps.join(name));
        }
        loader.map_max_entries(names::SIGHTINGS, RING);
        self.constants.set(&mut loader);
        loader.override_global(names::ROLE, &names::ROLE_OBSERVER, true);
        let mut ebpf = loader.load(OBJECT).map_err(|error| Error::load(&error))?;
        program(&mut ebpf)?.load().map_err(|error| Error::load(&error))?;
        let ring = take(&mut ebpf, names::SIGHTINGS)?;
        let missed = take(&mut ebpf, names::MISSED)?;
        let interest = take(&mut ebpf, names::INTEREST)?;
        Ok((Observing { ebpf, interest }, Sights { ring, missed }))
    }
}

impl Sights {
    /// Packets that could not be shown, since the program was loaded.
    pub fn missed(&self) -> Result<u64, Error> {
        let cpus = self.missed.get(&0, 0).map_err(fails(names::MISSED, "read"))?;
        Ok(cpus.iter().map(|cpu| cpu.packets).sum())
    }
}

impl Dataplane {
    /// What loads the program that shows packets.
    pub fn observer(&self) -> ObserverLoader {
        ObserverLoader { maps: self.pins.maps(), constants: self.constants }
    }

    /// Puts that program in the place of the one that does not; no packet passes without a program in between.
    pub fn observe(&mut self, mut observing: Observing) -> Result<(), Error> {
        let swapped = swap(program(&mut observing.ebpf)?, &self.pins, self.links.keys());
        self.observing = Some(observing);
        // Whatever runs it already goes back.
        swapped.or_else(|error| self.observe_no_more().and(Err(error)))
    }

    /// The one that shows nothing, again.
    pub fn observe_no_more(&mut self) -> Result<(), Error> {
        if self.observing.is_none() {
            return Ok(());
        }
        swap(program(&mut self.ebpf)?, &self.pins, self.links.keys())?;
        self.observing = None;
        Ok(())
    }

    /// What to show from now on.
    pub fn show(&mut self, interest: Interest) -> Result<(), Error> {
        match &mut self.observing {
            Some(observing) => {
                observing.interest.set(0, interest, 0).map_err(fails(names::INTEREST, "write"))
            }
            None => Ok(()),
        }
    }
}

/// Puts `program` into every link. One whose device is gone is seen to when the device's end is heard of.
fn swap<'a>(program: &mut Xdp, pins: &Pins, links: impl Iterator<Item = &'a String>) -> Result<(), Error> {
    for name in links {
        attach::adopt(program, pins, name)?;
    }
    Ok(())
}

fn take<T: TryFrom<Map, Error = MapError>>(ebpf: &mut Ebpf, name: &'static str) -> Result<T, Error> {
    let map =
        ebpf.take_map(name).ok_or_else(|| Error::Load { reason: format!("the object has no map {name}") })?;
    T::try_from(map).map_err(fails(name, "take for what it should be"))
}
