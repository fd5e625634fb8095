//! How soon the backup serves, after each way in which a primary can die: with a hundred calls a second, and without any.
//!
//! One run of calls sees many deaths, one each [`ROUND`]: the primary dies, its calls go to the backup, it comes back. So that it
//! serves again before it dies the next time, `hold_down` is a second, and nothing is damped; all else is as by default.

use std::{
    fmt::Write as _,
    thread::sleep,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use failover_tests::sipp::{Calls, Load};
use serde_json::{Value, json};

use super::{scene::Scene, spread::Spread};

/// How a primary dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// SIGKILL to all of its processes.
    Killed,
    /// SIGSTOP to all of its processes.
    Frozen,
    /// Its host's link goes down.
    Unplugged,
}

/// How much is done for a figure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Deaths of each way, with and without calls.
    pub rounds: u32,
    /// Calls a second.
    pub rate: u32,
    /// How many of the ways: killed, frozen, unplugged.
    pub ways: usize,
}

impl Effort {
    /// Enough to see that every figure is there.
    #[allow(dead_code)] // the bench itself needs more
    pub const SMOKE: Self = Self { rounds: 1, rate: 20, ways: 1 };
}

/// What one way of dying came to.
#[derive(Clone, Debug)]
pub struct Row {
    way: Way,
    /// Whether there were calls.
    calls: bool,
    /// From the death to the first steered packet; without calls to the switch.
    took: Spread,
    /// The same from when the kernel had closed the last of its sockets; of those that were killed.
    since_closed: Option<Spread>,
    /// From the death to the closed sockets, to the first ICMP error at the phones, and to the switch.
    closed: Option<Spread>,
    refused: Option<Spread>,
    switched: Spread,
    /// Calls placed and failed, and the longest set-up.
    placed: u32,
    failed: u32,
    worst_setup: Duration,
    /// What `target show` printed after the slowest death.
    transcript: String,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Figures(Vec<Row>);

const PROBE: &str = r#"{ hold_down = "1s", flap = { half_life = "0s" } }"#;
/// From one death to the next.
const ROUND: Duration = Duration::from_secs(10);
/// From a death to the primary's return.
const DEAD: Duration = Duration::from_secs(3);
/// Calls before the first death.
const EASY: Duration = Duration::from_secs(4);
/// Longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(8);

/// One death, all of it since the order to die.
#[derive(Clone, Copy, Debug)]
struct Death {
    closed: Option<Duration>,
    refused: Option<Duration>,
    switched: Duration,
    steered: Option<Duration>,
}

/// Measures. Progress goes to standard output.
pub fn run(effort: Effort) -> Result<Figures> {
    let mut rows = Vec::new();
    for way in [Way::Killed, Way::Frozen, Way::Unplugged].into_iter().take(effort.ways) {
        for calls in [true, false] {
            let row = if calls { with_calls(way, effort)? } else { without(way, effort)? };
            println!("{}", row.line());
            rows.push(row);
        }
    }
    Ok(Figures(rows))
}

fn with_calls(way: Way, effort: Effort) -> Result<Row> {
    let mut scene = Scene::new(PROBE)?;
    let seconds = EASY + ROUND * effort.rounds;
    let load = Load::new(effort.rate, u32::try_from(seconds.as_secs())?);
    let mut calls = load.start(&scene.lab)?;
    let mut deaths = Deaths::default();
    for round in 0..effort.rounds {
        let begin = EASY + ROUND * round;
        // Not in step with the probes.
        calls.wait_until(begin + lag(round))?;
        scene.wait_calm(Duration::from_secs(1)).context("before the next death")?;
        deaths.add(die(&mut scene, way, true)?, &scene)?;
        calls.wait_until(begin + lag(round) + DEAD)?;
        way.undo(&mut scene)?;
    }
    deaths.row(way, Some(calls))
}

fn without(way: Way, effort: Effort) -> Result<Row> {
    let mut scene = Scene::new(PROBE)?;
    let mut deaths = Deaths::default();
    for round in 0..effort.rounds {
        sleep(lag(round));
        deaths.add(die(&mut scene, way, false)?, &scene)?;
        way.undo(&mut scene)?;
        scene.wait_calm(PATIENCE)?;
    }
    deaths.row(way, None)
}

/// From 0 to 1 s, otherwise each time.
fn lag(round: u32) -> Duration {
    Duration::from_millis(u64::from(round * 377 % 1000))
}

/// The primary dies; returns once the backup serves, and with calls has got the first of them.
fn die(scene: &mut Scene, way: Way, calls: bool) -> Result<Death> {
    scene.steered.forget();
    scene.refused.forget();
    let death = SystemTime::now();
    let closed = way.inflict(scene)?;
    let steered =
        if calls { Some(scene.steered.wait("steered packet at the backup", PATIENCE)?) } else { None };
    scene.daemon.wait_serving("paris", "backup", PATIENCE)?;
    let since = |time: SystemTime| time.duration_since(death).context("the clock was set back");
    let refused = scene.refused.first().map(since).transpose()?;
    // Whoever waits for the end of processes may be told late; the first refusal needs a closed socket, too.
    let closed = closed.map(since).transpose()?.map(|at| refused.map_or(at, |refused| at.min(refused)));
    Ok(Death {
        closed,
        refused,
        switched: since(scene.switched(death)?)?,
        steered: steered.map(since).transpose()?,
    })
}

impl Way {
    /// When its sockets were closed, where they are.
    fn inflict(self, scene: &mut Scene) -> Result<Option<SystemTime>> {
        match self {
            Self::Killed => scene.primary.kill_and_watch().map(Some),
            Self::Frozen => scene.primary.stop().map(|()| None),
            Self::Unplugged => scene.lab.unplug(&scene.lab.primary).map(|()| None),
        }
    }

    fn undo(self, scene: &mut Scene) -> Result<()> {
        match self {
            Self::Killed => scene.primary.restart(),
            Self::Frozen => scene.primary.cont(),
            Self::Unplugged => scene.lab.plug(&scene.lab.primary, 2),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Killed => "killed",
            Self::Frozen => "frozen",
            Self::Unplugged => "unplugged",
        }
    }

    /// The median and the worst that are asked for, with calls and without.
    const fn asked(self, calls: bool) -> (Duration, Duration) {
        let (median, worst) = match (self, calls) {
            (_, false) => (3000, 3000),
            (Self::Killed, true) => (20, 100),
            (Self::Frozen | Self::Unplugged, true) => (250, 400),
        };
        (Duration::from_millis(median), Duration::from_millis(worst))
    }

    /// The longest set-up that is asked for.
    const fn asked_setup(self) -> Duration {
        Duration::from_millis(if matches!(self, Self::Killed) { 150 } else { 500 })
    }
}

/// The deaths of one way, and what was shown after the slowest.
#[derive(Default)]
struct Deaths {
    all: Vec<Death>,
    slowest: Duration,
    transcript: String,
}

impl Deaths {
    fn add(&mut self, death: Death, scene: &Scene) -> Result<()> {
        let took = death.steered.unwrap_or(death.switched);
        if took >= self.slowest {
            (self.slowest, self.transcript) = (took, scene.daemon.run(&["target", "show", "paris"])?);
        }
        self.all.push(death);
        Ok(())
    }

    fn row(self, way: Way, calls: Option<Calls>) -> Result<Row> {
        let with_calls = calls.is_some();
        let report = calls.map(Calls::finish).transpose()?.unwrap_or_default();
        let of = |what: fn(&Death) -> Option<Duration>| Spread::of(self.all.iter().filter_map(what));
        Ok(Row {
            way,
            calls: with_calls,
            took: of(|death| death.steered.or(Some(death.switched))).context("nobody died")?,
            since_closed: of(|d| Some(d.steered.unwrap_or(d.switched).saturating_sub(d.closed?))),
            closed: of(|death| death.closed),
            refused: of(|death| death.refused),
            switched: of(|death| Some(death.switched)).context("nobody died")?,
            placed: report.placed,
            failed: report.failed,
            worst_setup: report.worst_setup(),
            transcript: self.transcript,
        })
    }
}

impl Row {
    fn met(&self) -> bool {
        let (median, worst) = self.way.asked(self.calls);
        self.took.median <= median && self.took.worst <= worst
    }

    fn calls_met(&self) -> bool {
        self.failed == 0 && self.worst_setup <= self.way.asked_setup()
    }

    fn line(&self) -> String {
        let spread = |what: &str, spread: Option<Spread>| {
            spread.map(|spread| format!("; {what} {spread}")).unwrap_or_default()
        };
        let (median, worst) = self.way.asked(self.calls);
        let mut text = format!(
            "{}, {}: {} deaths, {} {} (asked: {} and {} ms, {})",
            self.way.name(),
            if self.calls { "with calls" } else { "without" },
            self.took.count,
            if self.calls { "first packet steered" } else { "switched" },
            self.took,
            median.as_millis(),
            worst.as_millis(),
            if self.met() { "met" } else { "not met" },
        );
        text += &spread("of that, until its sockets were closed", self.closed);
        text += &spread("since then", self.since_closed);
        text += &spread("until the first ICMP error", self.refused);
        text += &spread("until the switch", Some(self.switched));
        if self.calls {
            // Writing into a String cannot fail.
            let _ = write!(
                text,
                "; {} calls, {} failed, worst set-up {} ms (asked: none, and {} ms, {})",
                self.placed,
                self.failed,
                self.worst_setup.as_millis(),
                self.way.asked_setup().as_millis(),
                if self.calls_met() { "met" } else { "not met" },
            );
        }
        text
    }

    fn json(&self) -> Value {
        let spread = |spread: Option<Spread>| spread.map_or(Value::Null, Spread::json);
        json!({
            "way": self.way.name(), "calls": self.calls, "took_ms": self.took.json(),
            "since_closed_ms": spread(self.since_closed), "closed_ms": spread(self.closed),
            "refused_ms": spread(self.refused), "switched_ms": self.switched.json(), "placed": self.placed,
            "failed": self.failed, "worst_setup_ms": self.worst_setup.as_secs_f64() * 1000.0,
            "met": {"took": self.met(), "calls": !self.calls || self.calls_met()},
        })
    }
}

impl Figures {
    /// For people: a line for each way, and what `target show` says of a primary that hangs.
    pub fn table(&self) -> String {
        let lines: Vec<String> = self.0.iter().map(Row::line).collect();
        let shown = self.0.iter().find(|row| row.way == Way::Frozen).map_or("", |row| &row.transcript);
        format!("{}\n\n`target show` after the slowest of the frozen:\n{shown}", lines.join("\n"))
    }

    /// For programs.
    pub fn json(&self) -> Value {
        json!({"schema": 1, "deaths": self.0.iter().map(Row::json).collect::<Vec<_>>()})
    }
}
