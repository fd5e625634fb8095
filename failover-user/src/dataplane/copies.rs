//! What clients and watched primaries say to each other, and the way back in for what has to be sent again.

use aya::{
    maps::{Map, MapData, PerCpuArray, RingBuf},
    programs::{TestRun as _, TestRunAttrs, TestRunOptions, Xdp},
};
use aya_obj::programs::XdpAttachType;
use failover_common::{names, watch::Copied};

use super::{
    error::Error,
    load::Dataplane,
    maps::fails,
    test_run::{context, fails as run_fails},
};

/// Copies, as they were made. Its owner may be another task than the data plane's.
pub struct Copies {
    ring: RingBuf<MapData>,
    lost: PerCpuArray<MapData, u64>,
}

/// Sends frames through the loaded program, as if they came in once more.
#[derive(Debug)]
pub struct Injector(Xdp);

impl Dataplane {
    /// The readable end of what is copied. There must be one reader.
    pub fn copies(&self) -> Result<Copies, Error> {
        let ring = RingBuf::try_from(self.pinned(names::COPIES)?).map_err(fails(names::COPIES, "open"))?;
        let lost = PerCpuArray::try_from(self.pinned(names::COPIES_LOST)?);
        Ok(Copies { ring, lost: lost.map_err(fails(names::COPIES_LOST, "open"))? })
    }

    /// The way back in.
    pub fn injector(&self) -> Result<Injector, Error> {
        let path = self.pins.program();
        Xdp::from_pin(&path, XdpAttachType::Interface).map(Injector).map_err(|error| Error::Pin {
            action: "open the program",
            path,
            reason: error.to_string(),
        })
    }

    /// A map that is not the core's alone.
    pub(super) fn pinned(&self, name: &'static str) -> Result<Map, Error> {
        let path = self.pins.maps().join(name);
        MapData::from_pin(&path).and_then(Map::from_map_data).map_err(fails(name, "open its pin"))
    }
}

impl Copies {
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

impl Injector {
    /// The longest frame that the kernel takes: a page, without what it keeps there itself (`bpf_test_init`,
    /// `struct xdp_page_head`), rounded down.
    pub const ROOM: usize = 3072;

    /// Sends a frame through the program, as if it had come in by the device with index `ingress`, which must be in the network
    /// namespace of the calling thread.
    pub fn send(&self, frame: &[u8], ingress: u32) -> Result<(), Error> {
        let context = context(frame.len() as u32, ingress);
        let options = TestRunOptions {
            data_in: Some(frame),
            ctx_in: Some(&context),
            attrs: TestRunAttrs::new().xdp_live_frames(1),
            ..TestRunOptions::new()
        };
        self.0.test_run(options).map(drop).map_err(run_fails)
    }
}
