//! Reads the tables back from the kernel, beside the task that owns them: of ten thousand targets that takes a while.

use super::{
    error::Error,
    load::Dataplane,
    maps::Maps,
    pins::Pins,
    tables::{Desired, Tables},
};

/// Reads them.
#[derive(Clone, Debug)]
pub struct Auditor {
    pins: Pins,
    writes: u64,
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Found {
    tables: Tables,
    /// The changes of ours that are in it for certain.
    writes: u64,
}

impl Auditor {
    /// Reads the tables as they are now.
    pub fn read(&self) -> Result<Found, Error> {
        Ok(Found { tables: Maps::open(&self.pins.maps())?.tables()?, writes: self.writes })
    }
}

impl Dataplane {
    /// Something that reads the tables.
    pub fn auditor(&self) -> Auditor {
        Auditor { pins: self.pins.clone(), writes: self.writes }
    }

    /// Makes the maps hold `desired`, which is what was applied last. Where they were `found` to hold something else, that is said
    /// in words. A look that a change of our own came in between of says nothing.
    pub fn compare(&mut self, found: Found, desired: Desired<'_>) -> Result<Option<&'static str>, Error> {
        let Found { tables, writes } = found;
        if writes == self.writes && tables != self.applied {
            self.applied = tables;
            self.sync(desired)?;
            return Ok(Some("the tables on the map side were changed by another hand"));
        }
        self.place_all(desired)?;
        Ok(None)
    }
}
