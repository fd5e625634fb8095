//! How many servers one daemon can watch: 10,000 targets that share 100 backups, each server probed once a second, and 1,000
//! primaries that fall silent in one instant.
//!
//! Everything is in a namespace of its own, on addresses of its loopback device: a thread answers for all servers, the daemon is
//! the real one, with a real data plane at a veth.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpStream},
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail, ensure};
use failover_tests::{
    daemon::{binary, parse_time},
    netns::{Namespace, Namespaces},
    process::{self, Process},
};
use serde_json::{Value, json};

use super::responders::Responders;

/// How large the fleet is, and how long it is watched.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// Targets.
    pub targets: u16,
    /// Backups that they share.
    pub backups: u16,
    /// Primaries that die.
    pub deaths: u16,
    /// How long processor time and lateness are measured.
    pub watched: Duration,
}

impl Fleet {
    /// What the documentation's figures were made with.
    #[allow(dead_code)] // the smoke test needs less
    pub const FULL: Self =
        Self { targets: 10_000, backups: 100, deaths: 1000, watched: Duration::from_secs(30) };
    /// Enough to see that every figure is there.
    #[allow(dead_code)] // the bench itself needs more
    pub const SMOKE: Self = Self { targets: 50, backups: 5, deaths: 10, watched: Duration::from_secs(3) };
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Figures {
    fleet: Fleet,
    /// From the daemon's start until every server was up.
    all_up: Duration,
    /// Of one processor, in percent.
    cpu: f64,
    /// Probes per second.
    rate: f64,
    /// Of probes, the 99th percentile is not above it.
    late_p99: Duration,
    /// From the deaths until the first target was steered, and until all were.
    first: Duration,
    last: Duration,
    /// Resident memory.
    memory_mib: u64,
}

/// Where metrics are.
const METRICS: &str = "127.0.0.1:9469";
/// The longest from a death to the verdict, with the defaults and round trips as short as here: the rest of an interval,
/// `silence`, and the last probe's time-out.
const VERDICT: Duration = Duration::from_millis(1100 + 200 + 55);
/// What is asked: percent of a processor, lateness, and from the last verdict until all are steered.
const ASKED: (f64, Duration, Duration) = (40.0, Duration::from_millis(100), Duration::from_secs(1));

fn primary(n: u16) -> SocketAddrV4 {
    let [high, low] = n.to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(10, 64, high, low), 5060)
}

fn backup(n: u16) -> SocketAddrV4 {
    let [high, low] = n.to_be_bytes();
    SocketAddrV4::new(Ipv4Addr::new(10, 65, high, low), 5060)
}

/// Measures.
pub fn run(fleet: Fleet) -> Result<Figures> {
    let mut namespaces = Namespaces::new()?;
    let pins = fs::canonicalize("/sys/fs/bpf")?.join(namespaces.prefix());
    namespaces.reap_folder(&pins)?;
    let router = namespaces.add("router")?;
    router.ip("link add wan0 type veth peer name far0")?;
    router.ip("link set wan0 up")?;
    router.ip("link set far0 up")?;
    router.ip("route add local 10.64.0.0/15 dev lo")?;
    let servers = (0..fleet.targets).map(primary).chain((0..fleet.backups).map(backup)).collect();
    let responders = Responders::start(&router, servers)?;
    let config = namespaces.dir().join("failover.toml");
    fs::write(&config, settings(fleet, &namespaces, &pins))?;
    let mut command = router.command(binary()?);
    command.arg("run").arg("-c").arg(&config).env("RUST_LOG", "warn");
    let began = Instant::now();
    let mut daemon = router.spawn("failover", command)?;
    wait_all_up(&namespaces.dir().join("state"), &mut daemon, fleet)?;
    let all_up = began.elapsed();
    // What the start left to do is done.
    sleep(Duration::from_secs(3));

    let before = scrape_at_last(&router)?;
    let (spent, clock) = (processor_time(&daemon)?, Instant::now());
    sleep(fleet.watched);
    let (spent, seconds) = ((processor_time(&daemon)? - spent), clock.elapsed().as_secs_f64());
    let after = scrape_at_last(&router)?;
    let probes =
        |samples: &Samples| samples.get("failover_probe_lateness_seconds_count").copied().unwrap_or(0.0);

    let death = SystemTime::now();
    responders.silence(usize::from(fleet.deaths));
    sleep(VERDICT + ASKED.2 * 3);
    let steered = steered(&router, &config, death)?;
    ensure!(
        steered.len() == usize::from(fleet.deaths),
        "{} of {} dead primaries were replaced; the daemon said: {}",
        steered.len(),
        fleet.deaths,
        daemon.output()
    );
    Ok(Figures {
        fleet,
        all_up,
        cpu: 100.0 * spent / seconds,
        rate: (probes(&after) - probes(&before)) / seconds,
        late_p99: late(&before, &after).context("no probe was late, nor in time")?,
        first: steered.iter().min().copied().unwrap_or_default(),
        last: steered.iter().max().copied().unwrap_or_default(),
        memory_mib: memory(&daemon)?,
    })
}

fn settings(fleet: Fleet, namespaces: &Namespaces, pins: &Path) -> String {
    let dir = namespaces.dir().display();
    let mut text = format!(
        "[router]\ninterfaces = [\"wan0\"]\ncontrol_socket = \"{dir}/control.sock\"\nstate_dir = \"{dir}/state\"\n\
         bpffs_dir = \"{}\"\nhttp_listen = \"{METRICS}\"\n[defaults]\nservices = [\"sip/udp\"]\n",
        pins.display()
    );
    for n in 0..fleet.targets {
        // Writing into a String cannot fail.
        let _ = write!(
            text,
            "[[target]]\nname = \"t{n}\"\naddress = \"{}\"\n[[target.backup]]\nname = \"b{}\"\naddress = \"{}\"\n",
            primary(n).ip(),
            n % fleet.backups,
            backup(n % fleet.backups).ip()
        );
    }
    text
}

/// By the daemon's memory of what was ever alive: to ask it for 10,000 targets again and again would be work, too.
fn wait_all_up(state: &Path, daemon: &mut Process, fleet: Fleet) -> Result<()> {
    const PATIENCE: Duration = Duration::from_mins(2);
    let wanted = usize::from(fleet.targets) + usize::from(fleet.backups);
    let end = Instant::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(state.join("lived.json")).unwrap_or_default();
        let lived = serde_json::from_str::<Value>(&text).unwrap_or_default();
        let found = lived["lived"].as_array().map_or(0, Vec::len);
        if found == wanted {
            return Ok(());
        }
        if Instant::now() > end || !daemon.is_running()? {
            bail!("{found} of {wanted} servers were alive; the daemon said: {}", daemon.output());
        }
        sleep(Duration::from_millis(100));
    }
}

type Samples = BTreeMap<String, f64>;

fn scrape(router: &Namespace) -> Result<Samples> {
    let text = router.enter(|| {
        let mut stream = TcpStream::connect(METRICS).context("connect to the metrics")?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: router\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    })?;
    ensure!(text.ends_with("# EOF\n"), "the metrics are not whole");
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ')?;
        Some((name.to_owned(), value.parse().ok()?))
    };
    Ok(text.lines().filter(|line| line.starts_with("failover_")).filter_map(sample).collect())
}

/// The least bound that 99 of 100 probes between two scrapes were not later than.
fn late(before: &Samples, after: &Samples) -> Option<Duration> {
    let mut buckets: Vec<(f64, f64)> = after
        .iter()
        .filter_map(|(name, count)| {
            let bound =
                name.strip_prefix("failover_probe_lateness_seconds_bucket{le=\"")?.strip_suffix("\"}")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count - before.get(name).copied().unwrap_or(0.0)))
        })
        .collect();
    buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
    let all = buckets.last().filter(|(_, count)| *count > 0.0)?.1;
    let (bound, _) = buckets.into_iter().find(|(_, count)| *count >= all * 0.99)?;
    Some(if bound.is_finite() { Duration::from_secs_f64(bound) } else { Duration::MAX })
}

/// The same, again where the daemon has no time for it now.
fn scrape_at_last(router: &Namespace) -> Result<Samples> {
    const TRIES: usize = 3;
    (1..TRIES).find_map(|_| scrape(router).ok()).map_or_else(|| scrape(router), Ok)
}

/// When each target that a backup serves was steered there, since `death`.
fn steered(router: &Namespace, config: &Path, death: SystemTime) -> Result<Vec<Duration>> {
    let mut command: Command = router.command(binary()?);
    command.arg("-c").arg(config).args(["events", "-o", "jsonl"]);
    let mut steered = BTreeMap::new();
    for line in process::run(command)?.lines() {
        let event: Value = serde_json::from_str(line)?;
        let since = parse_time(event["time"].as_str().unwrap_or_default())?.duration_since(death);
        if let (Ok(since), "serving", Some(target)) =
            (since, event["kind"].as_str().unwrap_or_default(), event["target"].as_str())
        {
            steered.entry(target.to_owned()).or_insert(since);
        }
    }
    Ok(steered.into_values().collect())
}

/// Seconds of processor time, of all threads.
fn processor_time(daemon: &Process) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid()))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<f64>().ok());
    let spent =
        ticks(11).zip(ticks(12)).map(|(user, system)| user + system).context("read /proc/PID/stat")?;
    // USER_HZ is part of the kernel's ABI, and 100.
    Ok(spent / 100.0)
}

fn memory(daemon: &Process) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
    let kib = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next()?.parse::<u64>().ok());
    Ok(kib.context("read /proc/PID/status")? / 1024)
}

impl Figures {
    /// For people.
    pub fn table(&self) -> String {
        let Self { fleet, all_up, cpu, rate, late_p99, first, last, memory_mib } = self;
        format!(
            "{} targets, {} backups, {rate:.0} probes a second\n\
             all up after the start       {all_up:.1?}\n\
             processor, of one            {cpu:.1} %     (asked: at most {} %)\n\
             probe lateness, p99          ≤ {late_p99:?}   (asked: at most {:?})\n\
             {} deaths: first steered     {first:.2?}\n\
             {} deaths: all steered       {last:.2?}   (asked: at most {:?} after the last verdict, so {:?})\n\
             resident memory              {memory_mib} MiB\n",
            fleet.targets,
            fleet.backups,
            ASKED.0,
            ASKED.1,
            fleet.deaths,
            fleet.deaths,
            ASKED.2,
            VERDICT + ASKED.2,
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({"schema": 1, "health": {
            "targets": self.fleet.targets, "backups": self.fleet.backups, "deaths": self.fleet.deaths,
            "all_up_s": self.all_up.as_secs_f64(), "cpu_percent": self.cpu, "probes_per_s": self.rate,
            "late_p99_ms": self.late_p99.as_secs_f64() * 1000.0, "first_steered_s": self.first.as_secs_f64(),
            "all_steered_s": self.last.as_secs_f64(), "memory_mib": self.memory_mib,
            "met": {"cpu": self.cpu <= ASKED.0, "late": self.late_p99 <= ASKED.1, "steered": self.last <= VERDICT + ASKED.2},
        }})
    }
}
