//! The router's own program, loaded and configured as the daemon does it.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    net::{IpAddr, SocketAddrV4},
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use aya::programs::{ProgramFd, ProgramInfo};
use failover_common::{names, reason::Reason};
use failover_user::{
    config::{
        self,
        model::{Forward, Mode, Target},
    },
    dataplane::{Copies, Dataplane, Desired, Events, Options},
    director::Place,
};

use super::{
    network::{
        self, ALSO_SHARING, BY_CALL, BY_MAC, DEDICATED, IDLE, IN_ENVELOPE, SERVING, SHARED, SHARING, SOLE,
        STEERED, STEERED_ALONE, STEERED_BY_CALL, STEERED_IPIP, STEERED_L2, WATCHED, six,
    },
    packets::Frame,
    programs::Action,
};

/// What the daemon has room for when nothing else is said.
pub const FLOWS: u32 = 262_144;

/// Packets of the usual length for which the ring of copies has room, to spare.
const COPIES: u32 = 4096;

/// The router, seen from a thread in its namespace.
pub struct Router {
    /// The program.
    pub program: ProgramFd,
    dataplane: Dataplane,
    targets: Vec<Target>,
    copies: Copies,
    // Open, as the daemon keeps it.
    _events: Events,
}

impl Router {
    /// Loads the program with room for `flows` flows; nothing is attached.
    pub fn open(pins: PathBuf, flows: u32) -> Result<Self> {
        let targets = targets()?;
        let program = pins.join(format!("v{}", names::ABI_VERSION)).join(names::PROGRAM_XDP);
        let options = Options {
            bpffs_dir: pins,
            max_flows: flows,
            forward: Forward::Xdp,
            envelope_source: None,
            targets: &targets,
        };
        let (mut dataplane, events) = Dataplane::open(&options)?;
        let devices = [network::PHONES, network::PRIMARIES, network::BACKUPS];
        let devices: Result<BTreeSet<u32>> =
            devices.iter().map(|subnet| network::index(&format!("dev{subnet}"))).collect();
        dataplane.redirect_to(&devices?)?;
        // As in a network where nothing changes.
        dataplane.set_epoch(1)?;
        let places: Vec<Place> = targets
            .iter()
            .map(|target| Place {
                serving: u8::from(
                    ![*SERVING.ip(), *WATCHED.ip()].map(IpAddr::from).contains(&target.addresses.first()),
                ),
                keeper: 0,
                live: 0b11,
            })
            .collect();
        dataplane.sync(Desired { targets: &targets, places: &places })?;
        let program = ProgramInfo::from_pin(&program)
            .and_then(|info| info.fd())
            .with_context(|| format!("open {}", program.display()))?;
        let copies = dataplane.copies()?;
        Ok(Self { program, dataplane, targets, copies, _events: events })
    }

    /// Attaches to the device, natively.
    pub fn attach(&mut self, device: &str) -> Result<()> {
        Ok(self.dataplane.attach(device, Mode::Native)?)
    }

    /// Detaches from it.
    pub fn detach(&mut self, device: &str) -> Result<()> {
        Ok(self.dataplane.detach(device)?)
    }

    /// Takes it all away again.
    pub fn close(self) -> Result<()> {
        Ok(self.dataplane.remove()?)
    }

    /// Runs the program on `frame` again and again, as [`repeat`](super::programs::repeat) does.
    pub fn repeat(&self, frame: &Frame, ingress: u32, repeats: u32, action: Action) -> Result<Duration> {
        let start = Instant::now();
        let ended = self.dataplane.test_run_repeatedly(&frame.bytes, ingress, repeats)?;
        let time = start.elapsed();
        action.expect(ended)?;
        Ok(time)
    }

    /// The same of what is watched: as many at a time as the ring takes, each of which must be in it after.
    pub fn repeat_watched(&mut self, frame: &Frame, ingress: u32, repeats: u32) -> Result<Duration> {
        let mut time = Duration::ZERO;
        for before in (0..repeats).step_by(COPIES as usize) {
            let repeats = COPIES.min(repeats - before);
            time += self.repeat(frame, ingress, repeats, Action::Pass)?;
            let mut copies = 0;
            while self.copies.next(|_, copied| copies += u32::from(copied == frame.bytes)) {}
            if copies != repeats {
                bail!("of {repeats} packets {copies} were copied");
            }
        }
        Ok(time)
    }

    /// How many packets were counted so far, about `target` (`None`: about no target).
    pub fn counted(&self, target: Option<SocketAddrV4>, reason: Reason) -> Result<u64> {
        let counts = match target {
            None => self.dataplane.router_counts()?,
            Some(primary) => {
                let Some(target) =
                    self.targets.iter().find(|target| target.addresses.first() == *primary.ip())
                else {
                    bail!("no target has the address {}", primary.ip());
                };
                self.dataplane.counts(target)?
            }
        };
        Ok(counts.0.iter().find(|(counted, _)| *counted == reason).map_or(0, |(_, counter)| counter.packets))
    }
}

fn targets() -> Result<Vec<Target>> {
    let mut text = "[router]\ninterfaces = [\"dev1\"]\n".to_owned();
    let nat = [
        (SHARING, SHARED),
        (ALSO_SHARING, SHARED),
        (STEERED, SOLE),
        (STEERED_BY_CALL, BY_CALL),
        (SERVING, IDLE),
        (WATCHED, IDLE),
        (STEERED_ALONE, DEDICATED),
    ];
    let nat = nat.map(|(primary, backup)| (primary, backup, "nat"));
    for (primary, backup, steer) in
        nat.into_iter().chain([(STEERED_L2, BY_MAC, "l2"), (STEERED_IPIP, IN_ENVELOPE, "ipip")])
    {
        let named = |host: SocketAddrV4| {
            let (four, six) = (host.ip(), six(*host.ip()));
            format!("name = \"{four}\"\naddress = [\"{four}\", \"{six}\"]\n")
        };
        writeln!(text, "[[target]]\n{}services = [\"sip\"]\nsteer = \"{steer}\"", named(primary))?;
        // Of a dedicated backup nothing is remembered then, not even connections that are to end where they began.
        let affinity = if primary == STEERED_BY_CALL { "call" } else { "flow" };
        writeln!(
            text,
            "failback = \"immediate\"\naffinity = \"{affinity}\"\nreplay = {}\n[[target.backup]]\n{}",
            primary == WATCHED,
            named(backup)
        )?;
        if primary == STEERED_ALONE {
            writeln!(text, "dedicated = true")?;
        }
    }
    Ok(config::parse("bench.toml", &text).context("the benches' configuration")?.config.targets)
}
