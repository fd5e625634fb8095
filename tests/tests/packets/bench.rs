//! A router of its own for each test: a namespace, the loaded program, and what a fixture is held against.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddrV4,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use aya::{
    Pod,
    maps::{Array, HashMap, Map, MapData},
};
use failover_common::{
    key::{CallKey, EndpointKey, FlowKey, FragmentKey, TCP, UDP, mapped},
    names,
    reason::Reason,
    value::{Call, Counter, Flow, FragmentWay},
};
use failover_tests::netns::Namespaces;
use failover_user::{
    config::model::{Config, Forward, Prefix, Router, Target},
    dataplane::{
        Dataplane, Desired, Events, Flows, Options,
        offline::explain::{Answer, Ingress, Twin},
    },
    director::Place,
};

use crate::{
    fixture::{Fixture, Outcome, Step},
    frame::Raw,
    network,
};

/// What moved: the target (`None`: none), the reason, and by how much.
pub type Moved = BTreeMap<(Option<SocketAddrV4>, Reason), Counter>;

/// The router, seen from a thread that is in its namespace.
pub struct Bench {
    pub dataplane: Dataplane,
    pub events: Events,
    targets: Vec<Target>,
    pub devices: BTreeMap<u8, u32>,
    /// The configuration's `envelope_source`.
    pub source: Option<Prefix>,
    pins: PathBuf,
    twin: Twin,
    epoch: u32,
}

/// Runs `test` on a router that is taken away again, whatever happens.
pub fn with_bench<T: Send>(test: impl FnOnce(&mut Bench) -> Result<T> + Send) -> T {
    with_bench_of(None, test)
}

/// The same on one whose envelopes come from `source`.
pub fn with_bench_of<T: Send>(
    source: Option<Prefix>,
    test: impl FnOnce(&mut Bench) -> Result<T> + Send,
) -> T {
    let mut namespaces = Namespaces::new().unwrap();
    let pins = Path::new("/sys/fs/bpf").join(format!("failover-test-{}", namespaces.prefix()));
    namespaces.reap_folder(&pins).unwrap();
    let router = namespaces.add("router").unwrap();
    network::build(&router, namespaces.dir()).unwrap();
    router.enter(|| test(&mut Bench::open(pins, source)?)).unwrap()
}

impl Bench {
    fn open(pins: PathBuf, source: Option<Prefix>) -> Result<Self> {
        let targets = network::targets();
        let options = Options {
            bpffs_dir: pins.clone(),
            max_flows: 4096,
            forward: Forward::Xdp,
            envelope_source: source,
            targets: &targets,
        };
        let (dataplane, events) = Dataplane::open(&options)?;
        let devices = network::subnets().map(|n| Ok((n, index(&network::device(n))?)));
        let router = Router {
            interfaces: Vec::new(),
            control_socket: PathBuf::new(),
            state_dir: PathBuf::new(),
            bpffs_dir: pins.clone(),
            max_flows: std::num::NonZeroU32::MIN,
            forward: Forward::Xdp,
            http_listen: None,
            hook: None,
            envelope_source: source,
        };
        let twin = Twin::open(&Config { router, targets: targets.clone() })?;
        let devices = devices.collect::<Result<_>>()?;
        let mut bench = Self { dataplane, events, targets, devices, source, pins, twin, epoch: 1 };
        let redirectable = network::redirectable().map(|n| bench.devices[&n]);
        let scatterable = network::scatterable().map(|n| bench.devices[&n] | names::SCATTERED);
        let both: BTreeSet<u32> = redirectable.chain(scatterable).collect();
        bench.dataplane.redirect_to(&both)?;
        let stations = network::subnets().map(|n| (bench.devices[&n], network::router_mac(n))).collect();
        bench.dataplane.stand_at(&stations)?;
        bench.dataplane.set_epoch(bench.epoch)?;
        bench.serve(&[])?;
        Ok(bench)
    }

    /// Every target's first backup serves, but for those in `but`.
    pub fn serve(&mut self, but: &[(SocketAddrV4, u8)]) -> Result<()> {
        let serving = |target: &Target| {
            but.iter().find(|(primary, _)| *primary.ip() == target.addresses.first()).map_or(1, |(_, n)| *n)
        };
        let places: Vec<Place> = self.targets.iter().map(|target| place(serving(target), 0)).collect();
        self.dataplane.sync(Desired { targets: &self.targets, places: &places })?;
        Ok(())
    }

    /// Tells `fixture`'s story; `Err` says in what it went otherwise.
    pub fn tell(&mut self, fixture: &Fixture) -> Result<()> {
        self.forget()?;
        self.serve(&fixture.serving)?;
        for step in &fixture.before {
            self.step(step)?;
        }
        let before = self.counters()?;
        let foretold = self.ask_twin(&fixture.sent)?;
        let (action, bytes) = self.send(&fixture.sent)?;
        // Once: the twin counts nothing.
        let moved = difference(&before, &self.counters()?);
        let outcome = &fixture.outcome;
        let target = outcome.target.map_or(0, |primary| self.id_of(primary));
        let trace = &foretold.trace;
        ensure!(
            (trace.reason(), trace.target()) == (Some(outcome.reason), target),
            "the twin says {trace:?}"
        );
        ensure!(
            (foretold.action, &foretold.after) == (action, &bytes),
            "the twin does otherwise: {foretold:?}"
        );
        compare(&fixture.outcome, action, &bytes, &moved)
    }

    /// What happens before a packet; if it is another one, what became of it.
    pub fn step(&mut self, step: &Step) -> Result<Option<(u32, Vec<u8>)>> {
        match step {
            Step::Packet(packet) => return self.send(packet).map(Some),
            Step::Time(seconds) => self.age(*seconds)?,
            Step::Serve { target, serving, keeper } => {
                let is = |known: &&Target| known.addresses.first() == *target.ip();
                let target = self.targets.iter().find(is).context("a target")?;
                self.dataplane.place(target, place(*serving, *keeper));
            }
            Step::Probe { socket, tcp } => {
                let protocol = if *tcp { TCP } else { UDP };
                let key = EndpointKey::new(mapped(socket.ip().octets()), socket.port(), protocol);
                self.dataplane.exempt(&key, true)?;
            }
        }
        Ok(None)
    }

    /// Asks the twin of `failover explain`, which must say what comes of the packet, and remember nothing of it.
    fn ask_twin(&mut self, packet: &Raw) -> Result<Answer> {
        let memory = self.memory()?;
        let ingress = Ingress { name: String::new(), index: self.devices[&packet.ingress], mac: None };
        let answer = self.twin.explain(&packet.bytes, &ingress)?;
        ensure!(self.memory()? == memory, "the twin has changed what is remembered");
        Ok(answer)
    }

    /// Runs the program on a frame: the action's number, and the frame as it is then.
    pub fn send(&self, packet: &Raw) -> Result<(u32, Vec<u8>)> {
        let after = self.dataplane.test_run(&packet.bytes, self.devices[&packet.ingress])?;
        Ok((after.action, after.frame))
    }

    /// Runs the program of the way out on a frame that came in by the device of a subnet, or that the router has made.
    pub fn send_out(&self, packet: &Raw, ingress: Option<u8>, mark: u32) -> Result<(u32, Vec<u8>)> {
        let ingress = ingress.map_or(0, |subnet| self.devices[&subnet]);
        let after = self.dataplane.test_run_egress(
            &packet.bytes,
            ingress,
            self.devices[&network::PRIMARIES],
            mark,
        )?;
        Ok((after.action, after.frame))
    }

    /// Every counter that is not zero.
    pub fn counters(&self) -> Result<Moved> {
        let mut counters = Moved::new();
        counters.extend(self.dataplane.router_counts()?.0.into_iter().map(|(r, c)| ((None, r), c)));
        for target in &self.targets {
            let std::net::IpAddr::V4(address) = target.addresses.first() else { bail!("an IPv4 target") };
            let primary = Some(SocketAddrV4::new(address, 5060));
            counters.extend(self.dataplane.counts(target)?.0.into_iter().map(|(r, c)| ((primary, r), c)));
        }
        Ok(counters)
    }

    /// The number under which the kernel knows the target.
    pub fn id_of(&self, primary: SocketAddrV4) -> u32 {
        let target = self.targets.iter().find(|target| target.addresses.first() == *primary.ip());
        self.dataplane.id_of(target.expect("a target"))
    }

    /// Forgets every flow, fragment, probe socket and next hop.
    pub fn forget(&mut self) -> Result<()> {
        self.epoch += 1;
        self.dataplane.set_epoch(self.epoch)?;
        self.dataplane.forget_probes()?;
        for mut flows in self.flows()? {
            for flow in flows.keys().collect::<Result<Vec<_>, _>>()? {
                flows.remove(&flow)?;
            }
        }
        for mut calls in self.calls()? {
            for call in calls.keys().collect::<Result<Vec<_>, _>>()? {
                calls.remove(&call)?;
            }
        }
        let mut fragments = self.fragments()?;
        for datagram in fragments.keys().collect::<Result<Vec<_>, _>>()? {
            fragments.remove(&datagram)?;
        }
        Ok(())
    }

    /// Counts who is remembered.
    pub fn walk(&self) -> Result<Flows> {
        Ok(self.dataplane.sweeper(&self.targets).sweep()?)
    }

    /// Makes everything that is remembered `seconds` older.
    pub fn age(&self, seconds: u32) -> Result<()> {
        for mut flows in self.flows()? {
            for entry in flows.iter().collect::<Result<Vec<_>, _>>()? {
                let (key, mut flow) = entry;
                flow.seen = flow.seen.wrapping_sub(seconds);
                if flow.rival_seen != 0 {
                    // 0 would mean that there never was a rival.
                    flow.rival_seen = flow.rival_seen.wrapping_sub(seconds).max(1);
                }
                flows.insert(key, flow, 0)?;
            }
        }
        let mut fragments = self.fragments()?;
        for entry in fragments.iter().collect::<Result<Vec<_>, _>>()? {
            let (key, mut way) = entry;
            way.seen = way.seen.wrapping_sub(seconds);
            fragments.insert(key, way, 0)?;
        }
        Ok(())
    }

    /// Everything that the program remembers.
    fn memory(&self) -> Result<impl PartialEq + use<>> {
        fn all<K: Pod, V: Pod>(map: &HashMap<MapData, K, V>) -> Result<Vec<(K, V)>> {
            Ok(map.iter().collect::<Result<_, _>>()?)
        }
        let announced: Array<_, u32> = Array::try_from(self.pinned(names::ANNOUNCED)?)?;
        let announced: Vec<u32> = announced.iter().collect::<Result<_, _>>()?;
        let ([unanswered, answered], [ringing, calls]) = (self.flows()?, self.calls()?);
        let calls = (all(&ringing)?, all(&calls)?);
        let suspected: Array<_, u32> = Array::try_from(self.pinned(names::SUSPECTED)?)?;
        let said = (announced, suspected.iter().collect::<Result<Vec<u32>, _>>()?);
        Ok((all(&unanswered)?, all(&answered)?, all(&self.fragments()?)?, calls, said))
    }

    /// Those who were not answered, and those who were.
    fn flows(&self) -> Result<[HashMap<MapData, FlowKey, Flow>; 2]> {
        let table = |name| Ok::<_, anyhow::Error>(HashMap::try_from(self.pinned(name)?)?);
        Ok([table(names::UNANSWERED)?, table(names::ANSWERED)?])
    }

    /// The same of calls.
    pub fn calls(&self) -> Result<[HashMap<MapData, CallKey, Call>; 2]> {
        let table = |name| Ok::<_, anyhow::Error>(HashMap::try_from(self.pinned(name)?)?);
        Ok([table(names::UNANSWERED_CALLS)?, table(names::ANSWERED_CALLS)?])
    }

    fn fragments(&self) -> Result<HashMap<MapData, FragmentKey, FragmentWay>> {
        Ok(HashMap::try_from(self.pinned(names::FRAGMENTS)?)?)
    }

    /// Where a map is pinned.
    pub fn pin(&self, name: &str) -> PathBuf {
        self.pins.join(format!("v{}", names::ABI_VERSION)).join("maps").join(name)
    }

    /// A map of the program's.
    pub fn pinned(&self, name: &str) -> Result<Map> {
        Ok(Map::from_map_data(MapData::from_pin(self.pin(name)).context("open a pinned map")?)?)
    }
}

/// Everyone lives.
fn place(serving: u8, keeper: u8) -> Place {
    Place { serving, keeper, live: 0b11 }
}

fn index(device: &str) -> Result<u32> {
    use rustix::net::{AddressFamily, SocketType, netdevice, socket};
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    netdevice::name_to_index(socket, device).with_context(|| format!("no device {device}"))
}

/// What `after` has more than `before`.
pub fn difference(before: &Moved, after: &Moved) -> Moved {
    let mut moved = after.clone();
    for (key, old) in before {
        let counter = moved.entry(*key).or_default();
        counter.packets = counter.packets.wrapping_sub(old.packets);
        counter.bytes = counter.bytes.wrapping_sub(old.bytes);
    }
    moved.retain(|_, counter| *counter != Counter::default());
    moved
}

fn compare(outcome: &Outcome, action: u32, bytes: &[u8], moved: &Moved) -> Result<()> {
    let counted = Counter { packets: 1, bytes: outcome.bytes.len() as u64 };
    let mut wrong = Vec::new();
    if action != outcome.action as u32 {
        wrong.push(format!("action {action}, expected {:?}", outcome.action));
    }
    if bytes != outcome.bytes {
        wrong.push(format!("{} bytes, expected {}", bytes.len(), outcome.bytes.len()));
        let pairs = bytes.iter().zip(&outcome.bytes).enumerate();
        wrong.extend(
            pairs
                .filter(|(_, (is, should))| is != should)
                .map(|(at, (is, should))| format!("byte {at} is {is:#04x}, expected {should:#04x}")),
        );
    }
    if *moved != Moved::from([((outcome.target, outcome.reason), counted)]) {
        wrong.push(format!(
            "counted {moved:?}, expected {:?} {:?} {counted:?}",
            outcome.target, outcome.reason
        ));
    }
    if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n  ")) }
}
