//! The interfaces' slots in the counters. A name keeps its slot for as long as the maps are pinned, whatever becomes of
//! its device: so its counters go on where they were. What has no slot any more is counted in slot 0.

use aya::maps::{Array, MapData, PerCpuArray};
use failover_common::{
    names::{self, INTERFACE_SLOTS, INTERFACES_END, REASON_SLOTS},
    value::Counter,
};

use super::{error::Error, maps::fails};

/// An interface's name, filled up with zeros (IFNAMSIZ).
type Name = [u8; 16];

/// The three maps.
pub struct Interfaces {
    pub slots: Array<MapData, u32>,
    pub names: Array<MapData, Name>,
    pub counters: PerCpuArray<MapData, Counter>,
}

impl Interfaces {
    /// Counts the packets that come in by device `index` as those of the interface `name`.
    pub fn count(&mut self, name: &str, index: u32) -> Result<(), Error> {
        if index >= INTERFACES_END {
            return Ok(());
        }
        let slot = match self.slot(name)? {
            Some(slot) => slot,
            None => self.new_slot(name)?,
        };
        self.slots.set(index, slot, 0).map_err(fails(names::INTERFACES, "write"))
    }

    /// Device `index` has gone: its number may become another one's.
    pub fn forget(&mut self, index: u32) -> Result<(), Error> {
        if index >= INTERFACES_END {
            return Ok(());
        }
        self.slots.set(index, 0, 0).map_err(fails(names::INTERFACES, "clear"))
    }

    /// Every slot that packets are counted in, and whose it is; the last one is nobody's.
    pub fn all(&self) -> Result<Vec<(u32, Option<String>)>, Error> {
        let mut all = Vec::new();
        for slot in 1..INTERFACE_SLOTS {
            if let Some(name) = self.name(slot)? {
                all.push((slot, Some(name)));
            }
        }
        all.push((0, None));
        Ok(all)
    }

    /// The names and counters of maps of an older size. The devices' numbers follow when the links are taken over.
    pub fn carry_over(&mut self, older: &Self) -> Result<(), Error> {
        for slot in 0..INTERFACE_SLOTS {
            let name = older.names.get(&slot, 0).map_err(fails(names::INTERFACE_NAMES, "carry over"))?;
            if slot != 0 && name[0] == 0 {
                continue;
            }
            self.names.set(slot, name, 0).map_err(fails(names::INTERFACE_NAMES, "carry over"))?;
            for row in slot * 2 * REASON_SLOTS..(slot + 1) * 2 * REASON_SLOTS {
                let fails = || fails(names::INTERFACE_COUNTERS, "carry over");
                let values = older.counters.get(&row, 0).map_err(fails())?;
                self.counters.set(row, values, 0).map_err(fails())?;
            }
        }
        Ok(())
    }

    fn slot(&self, name: &str) -> Result<Option<u32>, Error> {
        let wanted = written(name);
        for slot in 1..INTERFACE_SLOTS {
            if self.names.get(&slot, 0).map_err(fails(names::INTERFACE_NAMES, "read"))? == wanted {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    fn new_slot(&mut self, name: &str) -> Result<u32, Error> {
        for slot in 1..INTERFACE_SLOTS {
            if self.name(slot)?.is_none() {
                let fails = fails(names::INTERFACE_NAMES, "write");
                self.names.set(slot, written(name), 0).map_err(fails)?;
                return Ok(slot);
            }
        }
        tracing::warn!(interface = name, "its packets are counted, but not by interface: no slot is left");
        Ok(0)
    }

    fn name(&self, slot: u32) -> Result<Option<String>, Error> {
        let name = self.names.get(&slot, 0).map_err(fails(names::INTERFACE_NAMES, "read"))?;
        Ok(read(name))
    }
}

fn written(name: &str) -> Name {
    let mut written = [0; 16];
    written.iter_mut().zip(name.bytes()).for_each(|(to, byte)| *to = byte);
    written
}

fn read(name: Name) -> Option<String> {
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
    (end != 0).then(|| String::from_utf8_lossy(&name[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back_and_an_empty_slot_has_none() {
        for name in ["lan0", "fifteen-letters"] {
            assert_eq!(read(written(name)).as_deref(), Some(name));
        }
        assert_eq!(read([0; 16]), None);
    }
}
