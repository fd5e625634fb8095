//! The benches' own programs, loaded, and the one way in which any program is run.

use std::{
    net::SocketAddrV4,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Array, DevMap, DevMapHash, HashMap, PerCpuArray, ProgramArray},
    programs::{ProgramFd, TestRun as _, TestRunOptions, Xdp, XdpMode, xdp::XdpLinkId},
};
use failover_common::{
    bench::{Feed, FloorKey, FloorValue},
    key::{TCP, UDP},
};
use failover_user::dataplane::bench::OBJECT;

use super::{
    network::{FLOOR, SOLE, six},
    packets::Frame,
};

const PROGRAMS: [&str; 7] =
    ["floor_pass", "floor_parse", "floor_forward", "floor_envelope", "feed", "generate", "sink"];
/// Frames that the kernel has under way at once.
const BATCH: u32 = 64;

/// The kernel's `enum xdp_action` (linux/bpf.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// On to the kernel.
    Pass = 2,
    /// Out of a device.
    Redirect = 4,
}

impl Action {
    /// The program must have ended in this one.
    pub fn expect(self, ended: u32) -> Result<()> {
        if ended != self as u32 {
            bail!("the program ended in action {ended}, expected {self:?}");
        }
        Ok(())
    }
}

/// The loaded object.
pub struct Programs {
    ebpf: Ebpf,
    fed: Option<&'static str>,
}

impl Programs {
    /// Loads every program, and tells the floor where to send what.
    pub fn load() -> Result<Self> {
        let ebpf = EbpfLoader::new().load(OBJECT).context("load the programs of the benches")?;
        let mut programs = Self { ebpf, fed: None };
        for name in PROGRAMS {
            programs.xdp_mut(name)?.load().with_context(|| format!("load {name}"))?;
        }
        let (four, six) = ([FLOOR, SOLE].map(|known| known.ip().octets()), [FLOOR, SOLE].map(six_bytes));
        programs.send_on("FLOOR", four)?;
        programs.send_on("FLOOR_SIX", six)?;
        Ok(programs)
    }

    /// The floor sends what comes for the first address on to the second one.
    fn send_on<const N: usize>(&mut self, map: &str, [from, to]: [[u8; N]; 2]) -> Result<()> {
        let mut floor = HashMap::<_, FloorKey<N>, FloorValue<N>>::try_from(self.map(map)?)?;
        for protocol in [UDP, TCP] {
            let key = FloorKey { address: from, port: FLOOR.port().to_be_bytes(), protocol, reserved: 0 };
            let value = FloorValue { address: to, port: SOLE.port().to_be_bytes(), reserved: [0; 2] };
            floor.insert(key, value, 0)?;
        }
        Ok(())
    }

    /// One of them.
    pub fn xdp(&self, name: &str) -> Result<&Xdp> {
        let program = self.ebpf.program(name).with_context(|| format!("the object has no program {name}"))?;
        Ok(program.try_into()?)
    }

    /// Attaches one of them to a device of the calling thread's namespace.
    pub fn attach(&mut self, name: &str, device: &str) -> Result<XdpLinkId> {
        let attached = self.xdp_mut(name)?.attach(device, XdpMode::Driver);
        attached.with_context(|| format!("attach {name} to {device}"))
    }

    /// Takes it off again.
    pub fn detach(&mut self, name: &str, link: XdpLinkId) -> Result<()> {
        self.xdp_mut(name)?.detach(link).with_context(|| format!("detach {name}"))
    }

    /// From now on these frames are fed.
    pub fn feed(&mut self, feed: Feed) -> Result<()> {
        Ok(Array::try_from(self.map("FEED")?)?.set(0, feed, 0)?)
    }

    /// From now on they are fed to this object's own program `name`.
    pub fn feed_to_own(&mut self, name: &'static str) -> Result<()> {
        let fd = self.xdp(name)?.fd()?.try_clone()?;
        self.feed_to(name, &fd)
    }

    /// From now on they are fed to `program`, which is always the same under one `name`. The kernel patches its code for
    /// another one, and that takes it long.
    pub fn feed_to(&mut self, name: &'static str, program: &ProgramFd) -> Result<()> {
        if self.fed != Some(name) {
            ProgramArray::try_from(self.map("NEXT")?)?.set(0, program, 0)?;
            self.fed = Some(name);
        }
        Ok(())
    }

    /// The floor may send out of this device of the calling thread's namespace.
    pub fn redirect_to(&mut self, index: u32) -> Result<()> {
        Ok(DevMapHash::try_from(self.map("DEVICES")?)?.insert(index, index, None, 0)?)
    }

    /// Generated frames go out of this device of the calling thread's namespace.
    pub fn generate_to(&mut self, index: u32) -> Result<()> {
        Ok(DevMap::try_from(self.map("OUTPUT")?)?.set(0, index, None, 0)?)
    }

    /// Frames that reached the sink so far.
    pub fn arrived(&self) -> Result<u64> {
        let map = self.ebpf.map("ARRIVED").context("the object has no map ARRIVED")?;
        Ok(PerCpuArray::<_, u64>::try_from(map)?.get(&0, 0)?.iter().sum())
    }

    fn xdp_mut(&mut self, name: &str) -> Result<&mut Xdp> {
        let program =
            self.ebpf.program_mut(name).with_context(|| format!("the object has no program {name}"))?;
        Ok(program.try_into()?)
    }

    fn map(&mut self, name: &str) -> Result<&mut aya::maps::Map> {
        self.ebpf.map_mut(name).with_context(|| format!("the object has no map {name}"))
    }
}

fn six_bytes(known: SocketAddrV4) -> [u8; 16] {
    six(*known.ip()).octets()
}

/// Runs `program` on `frame` again and again; how long all of it took. It must end in `action`.
pub fn repeat(program: &Xdp, frame: &Frame, ingress: u32, repeats: u32, action: Action) -> Result<Duration> {
    let context = context(frame.bytes.len(), ingress);
    let options = TestRunOptions {
        data_in: Some(&frame.bytes),
        ctx_in: Some(&context),
        repeat: repeats,
        ..TestRunOptions::new()
    };
    let start = Instant::now();
    let result = program.test_run(options).context("run a program on a frame")?;
    let time = start.elapsed();
    action.expect(result.return_value)?;
    Ok(time)
}

/// Has `program` send `frames` live frames, made of `frame`; how long that took.
pub fn send(program: &Xdp, frame: &Frame, ingress: u32, frames: u32) -> Result<Duration> {
    let context = context(frame.bytes.len(), ingress);
    let options = TestRunOptions {
        data_in: Some(&frame.bytes),
        ctx_in: Some(&context),
        repeat: frames,
        attrs: aya::programs::TestRunAttrs::new().xdp_live_frames(BATCH),
        ..TestRunOptions::new()
    };
    let start = Instant::now();
    program.test_run(options).context("send live frames")?;
    Ok(start.elapsed())
}

/// A `struct xdp_md` (linux/bpf.h): data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex.
fn context(length: usize, ingress: u32) -> Vec<u8> {
    [0, length as u32, 0, ingress, 0, 0].into_iter().flat_map(u32::to_ne_bytes).collect()
}
