//! What clients and watched primaries say to each other.

use aya::maps::{Map, MapData, PerCpuArray, RingBuf};
use failover_common::{
    names,
    watch::{Copied, RING},
};

use super::{error::Error, load::Dataplane, maps::fails};

/// Copies, as they were made. Its owner may be another task than the data plane's.
pub struct Copies {
    ring: RingBuf<MapData>,
    lost: PerCpuArray<MapData, u64>,
}

impl Dataplane {
    /// The readable end of what is copied. There must be one reader.
    pub fn copies(&self) -> Result<Copies, Error> {
        let ring = RingBuf::try_from(self.pinned(names::COPIES)?).map_err(fails(names::COPIES, "open"))?;
        let lost = PerCpuArray::try_from(self.pinned(names::COPIES_LOST)?);
        Ok(Copies { ring, lost: lost.map_err(fails(names::COPIES_LOST, "open"))? })
    }

    /// A map that is not the core's alone.
    pub(super) fn pinned(&self, name: &'static str) -> Result<Map, Error> {
        let path = self.pins.maps().join(name);
        MapData::from_pin(&path).and_then(Map::from_map_data).map_err(fails(name, "open its pin"))
    }
}

impl Copies {
    /// Throws away what was copied before anybody was there to read it: beyond what the ring holds, nobody knows what was answered.
    pub fn clear(&mut self) {
        // A ring that is filled as fast as it is read is full of what is new.
        for _ in 0..RING as usize / size_of::<Copied>() {
            if !self.next(|_, _| ()) {
                break;
            }
        }
    }

    /// Hands the next one to `take`: its head and its frame. Whether there was any; one of another layout is passed over.
    pub fn next(&mut self, take: impl FnOnce(&Copied, &[u8])) -> bool {
        let Some(entry) = self.ring.next() else { return false };
        if let Some((head, frame)) = read(&entry) {
            take(&head, frame);
        }
        true
    }

    /// Frames for which there was no room, since the maps were made.
    pub fn lost(&self) -> Result<u64, Error> {
        let cpus = self.lost.get(&0, 0).map_err(fails(names::COPIES_LOST, "read"))?;
        Ok(cpus.iter().sum())
    }
}

fn read(entry: &[u8]) -> Option<(Copied, &[u8])> {
    let (head, frame) = entry.split_at_checked(size_of::<Copied>())?;
    // SAFETY: the length is the type's, any bytes are a valid `Copied` (integers), and the read makes no demand on
    // alignment.
    let head = unsafe { head.as_ptr().cast::<Copied>().read_unaligned() };
    // One that was too long to be copied whole is none.
    (frame.len() == head.length as usize).then_some((head, frame))
}
