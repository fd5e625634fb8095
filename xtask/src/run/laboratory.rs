//! The main job in the laboratory: a primary dies under real calls, and comes back.

use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use failover_tests::{
    capture::Capture,
    daemon::Daemon,
    kamailio::Kamailio,
    settings::Settings,
    sipp::{Callees, Calls, Load},
    topology::{BACKUP, CALLERS, DEVICE, Lab, Weight},
    verdict,
};
use serde_json::Value;

use super::{
    report::{Report, Wire},
    screen::{Moment, Screen},
};
use crate::{interrupt, step};

const RATE: u32 = 100;
const SECONDS: u32 = 60;
const DEATH: Duration = Duration::from_secs(10);
const RETURN: Duration = Duration::from_secs(30);
/// The target of [`Settings::standard`].
const TARGET: &str = "paris";
/// Of the kinds of events, those that belong to the piece.
const TOLD: [&str; 4] = ["health", "serving", "steering-began", "warning"];

/// Plays the whole piece; an error when a call failed that could have been saved.
pub fn run() -> anyhow::Result<()> {
    let mut stage = step::step("laboratory: phones – router – primary, backup", || {
        interrupt::abandonable(Stage::build)
    })?;
    step::note(&format!("{RATE} calls per second for {SECONDS} s, each of them talks for 3 s"));
    step::note(&format!(
        "the primary dies after {} s and runs again after {} s;",
        DEATH.as_secs(),
        RETURN.as_secs()
    ));
    step::note("it serves again once it has answered for 10 s (hold_down). Ctrl-C ends it all.");
    let calls = Load::new(RATE, SECONDS).start(&stage.lab)?;
    let mut play = Play::new(calls);
    play.watch(&mut stage)?;
    let report =
        step::step("reading what the phones saw", || interrupt::abandonable(|| play.conclude(stage)))?;
    step::table(&report.table());
    report.judge()
}

/// Everything that stands before the first call. Fields drop from the top: the laboratory goes last.
struct Stage {
    capture: Capture,
    daemon: Daemon,
    primary: Kamailio,
    _backup: Kamailio,
    _callees: Callees,
    lab: Lab,
}

impl Stage {
    fn build() -> anyhow::Result<Self> {
        let lab = Lab::new(Weight::Heavy)?;
        let primary = Kamailio::primary(&lab)?;
        let backup = Kamailio::backup(&lab)?;
        let callees = Callees::start(&lab)?;
        let daemon = Daemon::start_with_redirect(&lab, &Settings::standard(&lab))?;
        let capture = Capture::start(&lab.phones, DEVICE, &lab.dir().join("phones.pcapng"))?;
        Ok(Self { capture, daemon, primary, _backup: backup, _callees: callees, lab })
    }
}

/// The calls, and what was done to the primary meanwhile.
struct Play {
    calls: Calls,
    began: SystemTime,
    screen: Screen,
    told: u64,
    died: Option<SystemTime>,
    returned: Option<SystemTime>,
}

impl Play {
    fn new(calls: Calls) -> Self {
        let began = SystemTime::now() - calls.elapsed();
        Self { calls, began, screen: Screen::new(), told: 0, died: None, returned: None }
    }

    /// Until the last call has ended.
    fn watch(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        let mut next = Duration::ZERO;
        while self.calls.is_running()? {
            if interrupt::requested() {
                self.screen.erase();
                bail!("interrupted");
            }
            self.act(stage)?;
            if self.calls.elapsed() >= next {
                next += Duration::from_secs(1);
                self.draw(stage)?;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.tell(stage)?;
        self.screen.erase();
        Ok(())
    }

    /// Kills the primary, and brings it back, when it is time.
    fn act(&mut self, stage: &mut Stage) -> anyhow::Result<()> {
        if self.died.is_none() && self.calls.elapsed() >= DEATH {
            self.died = Some(SystemTime::now());
            stage.primary.kill()?;
            self.screen.event(self.calls.elapsed(), "the primary is killed, with all its processes");
        }
        if self.returned.is_none() && self.calls.elapsed() >= RETURN {
            stage.primary.restart()?;
            self.returned = Some(SystemTime::now());
            self.screen.event(self.calls.elapsed(), "the primary runs again");
        }
        Ok(())
    }

    fn draw(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.tell(stage)?;
        let target = stage.daemon.target(TARGET)?;
        let word = |name: &str| target[name].as_str().unwrap_or("unknown").to_owned();
        let backup = target["backup"].as_str().map(|name| format!(" ({name})")).unwrap_or_default();
        self.screen.show(&Moment {
            elapsed: self.calls.elapsed(),
            whole: Duration::from_secs(u64::from(SECONDS) + 3),
            calls: self.calls.progress()?,
            serving: word("serving") + &backup,
            health: word("health"),
            steered: target["steered_packets"].as_u64().unwrap_or(0),
            returned: target["returned_packets"].as_u64().unwrap_or(0),
        });
        Ok(())
    }

    /// Tells the events that are new.
    fn tell(&mut self, stage: &Stage) -> anyhow::Result<()> {
        for event in stage.daemon.events()? {
            let number = event["seq"].as_u64().unwrap_or(0);
            if number <= self.told {
                continue;
            }
            self.told = number;
            let time = event["time"].as_str().map(failover_tests::daemon::parse_time).transpose()?;
            // What happened before the first call is not part of the piece.
            let since = time.and_then(|time| time.duration_since(self.began).ok());
            if let Some(since) = since.filter(|_| TOLD.iter().any(|kind| event["kind"] == *kind)) {
                self.screen.event(since, &sentence(&event));
            }
        }
        Ok(())
    }

    /// Ends everything but the laboratory's files, and reads them.
    fn conclude(self, stage: Stage) -> anyhow::Result<Report> {
        let died = self.died.context("the calls ended before the primary was killed")?;
        let returned = self.returned.context("the calls ended before the primary was brought back")?;
        let since = |kind, to, start| -> anyhow::Result<Option<Duration>> {
            let time = stage.daemon.event_time(kind, to, start)?;
            Ok(time.and_then(|time| time.duration_since(start).ok()))
        };
        let steered_after = since("steering-began", None, died)?;
        let served_after = since("serving", Some("primary"), returned)?;
        let calls = self.calls.finish()?;
        let captured = stage.capture.stop()?;
        let beyond_help = match calls.failed {
            0 => 0,
            _ => verdict::judge(&captured, CALLERS, died)?.beyond_help.len(),
        };
        let wire = Wire {
            packets: captured.count("ip")?,
            from_backup: captured.with_address(BACKUP)?,
            bad_checksums: captured.bad_checksums()?,
        };
        Ok(Report {
            calls,
            beyond_help,
            away: returned.duration_since(died).ok(),
            steered_after,
            served_after,
            wire,
        })
    }
}

/// One event of the daemon: `backup up → down: sip/udp: no answer in 100ms`.
fn sentence(event: &Value) -> String {
    let word = |name: &str| event[name].as_str();
    let mut text = word("kind").unwrap_or("event").replace('-', " ");
    if let Some(server) = word("server") {
        text = format!("{text} of {server}");
    }
    match (word("from"), word("to")) {
        (Some(from), Some(to)) => text = format!("{text}: {from} → {to}"),
        (None, Some(to)) => text = format!("{text}: {to}"),
        _ => {}
    }
    match word("reason") {
        Some(reason) => format!("{text} ({reason})"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_read_like_sentences() {
        let health =
            r#"{"kind":"health","server":"primary","from":"up","to":"down","reason":"no answer, 3 of 3"}"#;
        let first =
            r#"{"kind":"steering-began","server":null,"from":null,"to":"paris-backup","reason":null}"#;
        let said = [health, first].map(|text| sentence(&serde_json::from_str(text).unwrap()));
        assert_eq!(
            said,
            ["health of primary: up → down (no answer, 3 of 3)", "steering began: paris-backup"]
        );
    }
}
