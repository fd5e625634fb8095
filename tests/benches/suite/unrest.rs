//! A primary that does not die and does not live well either, under a hundred calls a second, with defaults: one that comes and
//! goes must not take its calls with it each time, and one that is slow is not dead.

use std::time::Duration;

use anyhow::Result;
use failover_tests::{
    sipp::{Load, Report},
    topology::lose_datagrams,
};
use serde_json::{Value, json};

use super::scene::Scene;

/// What ails the primary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ailment {
    /// One second up, one second down: all of its processes are killed, and started anew.
    Flapping,
    /// Two of a hundred packets are lost each way, and for 150 ms every 10 s its processes stand still.
    Slow,
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Figures {
    ailment: Ailment,
    lasted: Duration,
    transitions: Vec<String>,
    report: Report,
}

/// The defaults.
const PROBE: &str = "{}";
/// Well before, and calls after.
const MARGIN: Duration = Duration::from_secs(4);

impl Ailment {
    /// How long the documentation's figures were measured for.
    #[allow(dead_code)] // the smoke test needs less
    pub const fn full(self) -> Duration {
        match self {
            Self::Flapping => Duration::from_mins(2),
            Self::Slow => Duration::from_mins(5),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Flapping => "flapping",
            Self::Slow => "slow",
        }
    }

    const fn asked(self) -> usize {
        match self {
            Self::Flapping => 4,
            Self::Slow => 0,
        }
    }
}

/// Measures, for so long and at so many calls a second.
pub fn run(ailment: Ailment, lasts: Duration, rate: u32) -> Result<Figures> {
    let mut scene = Scene::new(PROBE)?;
    let load = Load::new(rate, u32::try_from((lasts + MARGIN * 2).as_secs())?);
    let mut calls = load.start(&scene.lab)?;
    calls.wait_until(MARGIN)?;
    if ailment == Ailment::Slow {
        lose_datagrams(&scene.lab.primary, 2)?;
    }
    let cycle = match ailment {
        Ailment::Flapping => Duration::from_secs(2),
        Ailment::Slow => Duration::from_secs(10),
    };
    let mut at = MARGIN;
    while at < MARGIN + lasts {
        match ailment {
            Ailment::Flapping => {
                scene.primary.kill()?;
                calls.wait_until(at + Duration::from_secs(1))?;
                scene.primary.restart()?;
            }
            Ailment::Slow => {
                scene.primary.stop()?;
                std::thread::sleep(Duration::from_millis(150));
                scene.primary.cont()?;
            }
        }
        at += cycle;
        calls.wait_until(at)?;
    }
    let transitions = scene.transitions()?;
    Ok(Figures { ailment, lasted: lasts, transitions, report: calls.finish()? })
}

impl Figures {
    fn met(&self) -> bool {
        self.transitions.len() <= self.ailment.asked() && self.calls_met()
    }

    /// Of a slow one, calls are not asked about: what it loses, it loses of them as well.
    fn calls_met(&self) -> bool {
        self.report.failed == 0 || self.ailment == Ailment::Slow
    }

    /// For people.
    pub fn table(&self) -> String {
        let Self { ailment, lasted, transitions, report } = self;
        format!(
            "{} for {lasted:?}: {} transitions (asked: at most {}), {}\n{report}\n{}\n",
            ailment.name(),
            transitions.len(),
            ailment.asked(),
            if self.met() { "met" } else { "not met" },
            transitions.join("\n"),
        )
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let Self { ailment, lasted, transitions, report } = self;
        json!({"schema": 1, ailment.name(): {
            "lasted_s": lasted.as_secs(), "transitions": transitions.len(), "placed": report.placed,
            "failed": report.failed, "worst_setup_ms": report.worst_setup().as_secs_f64() * 1000.0, "met": self.met(),
        }})
    }
}
