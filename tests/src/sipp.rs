//! Real calls: sipp as callees and as callers, both in the phones' namespace.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    kamailio::CALLEE_PORT,
    process::Process,
    sip,
    topology::{CALLEES, CALLERS, Lab, PRIMARY},
};

const CALLER: &str = include_str!("../peers/caller.xml");
const CALLEE: &str = include_str!("../peers/callee.xml");

/// A call whose set-up takes longer than this waited for a retransmission.
pub const SLOW: Duration = Duration::from_millis(400);

/// What both ends need: one port for all calls, no keyboard, no failure for 180 and 200 in swapped order (two
/// workers of a proxy can do that), and an end for calls that would wait for ever.
const COMMON: [&str; 8] = [
    "-nostdin",
    "-default_behaviors",
    "all,-abortunexp",
    "-recv_timeout",
    "20000",
    "-l",
    "4000",
    "-trace_err",
];

/// Phones that pick up. Dropping them ends them.
#[derive(Debug)]
pub struct Callees {
    _process: Process,
}

impl Callees {
    /// Starts them at 10.77.1.20:5070; returns once they listen.
    pub fn start(lab: &Lab) -> Result<Self> {
        let dir = folder(lab, "callees")?;
        let scenario = write(&dir, "callee.xml", CALLEE)?;
        let mut command = lab.phones.command("sipp");
        command
            .arg("-sf")
            .arg(scenario)
            .args(["-i", &CALLEES.to_string(), "-mi", &CALLEES.to_string(), "-p", &CALLEE_PORT.to_string()])
            .args(COMMON)
            .current_dir(&dir);
        let mut process = lab.phones.spawn("callees", command)?;
        let sockets = format!("/proc/{}/net/udp", process.pid());
        let place = format!("{:08X}:{CALLEE_PORT:04X} ", u32::from_ne_bytes(CALLEES.octets()));
        process.wait_ready(Duration::from_secs(10), || {
            Ok(std::fs::read_to_string(&sockets).is_ok_and(|table| table.contains(&place)))
        })?;
        Ok(Self { _process: process })
    }
}

/// How many calls, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Load {
    /// New calls per second.
    pub rate: u32,
    /// Calls in all.
    pub calls: u32,
    /// From the caller's ACK to its BYE.
    pub talk: Duration,
}

impl Load {
    /// `rate` calls per second for so long, each talking for three seconds: calls in progress, too, see the switch.
    pub const fn new(rate: u32, seconds: u32) -> Self {
        Self { rate, calls: rate * seconds, talk: Duration::from_secs(3) }
    }

    /// Starts to place calls with the primary, from 10.77.1.10:5060.
    pub fn start(self, lab: &Lab) -> Result<Calls> {
        let dir = folder(lab, "callers")?;
        let scenario = write(&dir, "caller.xml", CALLER)?;
        let mut command = lab.phones.command("sipp");
        command
            .arg(format!("{PRIMARY}:{}", sip::PORT))
            .arg("-sf")
            .arg(scenario)
            .args(["-s", "svc", "-i", &CALLERS.to_string(), "-mi", &CALLERS.to_string()])
            .args(["-p", &sip::PORT.to_string()])
            .args(["-r", &self.rate.to_string(), "-m", &self.calls.to_string()])
            .args(["-d", &self.talk.as_millis().to_string()])
            .args(["-trace_stat", "-stf", "statistics.csv", "-fd", "1", "-trace_rtt", "-rtt_freq", "1"])
            .args(COMMON)
            .current_dir(&dir);
        let process = lab.phones.spawn("callers", command)?;
        Ok(Calls { load: self, dir, process, began: Instant::now() })
    }
}

/// Calls being placed. Dropping this ends them.
#[derive(Debug)]
pub struct Calls {
    load: Load,
    dir: PathBuf,
    process: Process,
    began: Instant,
}

/// How many calls stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Placed so far.
    pub placed: u32,
    /// Not ended yet.
    pub open: u32,
    /// Ended as they should.
    pub successful: u32,
    /// Ended otherwise.
    pub failed: u32,
}

/// What became of the calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Placed.
    pub placed: u32,
    /// Ended otherwise than they should.
    pub failed: u32,
    /// From each first INVITE to its 200 OK, ascending.
    pub setups: Vec<Duration>,
}

impl Calls {
    /// As of the last full second; all zero before the first.
    pub fn progress(&self) -> Result<Progress> {
        let path = self.dir.join("statistics.csv");
        match std::fs::read_to_string(&path) {
            Ok(text) => parse_statistics(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Progress::default()),
            Err(error) => Err(error).with_context(|| format!("read {}", path.display())),
        }
    }

    /// Since the first call was placed.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Waits until `since_start` has passed since the first call; fails if the callers end before.
    pub fn wait_until(&mut self, since_start: Duration) -> Result<()> {
        while let Some(left) = since_start.checked_sub(self.began.elapsed()).filter(|left| !left.is_zero()) {
            if !self.process.is_running()? {
                bail!("the callers ended early; they printed: {}", self.process.output());
            }
            std::thread::sleep(left.min(Duration::from_millis(100)));
        }
        Ok(())
    }

    /// Whether calls are still being placed or open.
    pub fn is_running(&mut self) -> Result<bool> {
        self.process.is_running()
    }

    /// Waits for the last call to end, and counts.
    pub fn finish(mut self) -> Result<Report> {
        let placing = Duration::from_secs(u64::from(self.load.calls / self.load.rate.max(1)));
        // The longest that a call may hang: its retransmissions, then its BYE's, each half a minute.
        let limit = placing + self.load.talk + Duration::from_secs(75);
        let status = self.process.wait(limit.saturating_sub(self.began.elapsed()))?;
        // 0: all calls succeeded, 1: at least one failed.
        if !matches!(status.code(), Some(0 | 1)) {
            bail!("the callers ended with {status}; they printed: {}", self.process.output());
        }
        let progress = self.progress()?;
        let mut setups = read_setups(&self.dir)?;
        setups.sort_unstable();
        Ok(Report { placed: progress.placed, failed: progress.failed, setups })
    }
}

impl Report {
    /// The longest set-up.
    pub fn worst_setup(&self) -> Duration {
        self.setups.last().copied().unwrap_or_default()
    }

    /// The set-up time that half of the calls did not exceed.
    pub fn median_setup(&self) -> Duration {
        self.setups.get(self.setups.len() / 2).copied().unwrap_or_default()
    }

    /// How many set-ups took longer than [`SLOW`].
    pub fn slow(&self) -> usize {
        self.setups.iter().filter(|&&setup| setup > SLOW).count()
    }
}

impl fmt::Display for Report {
    /// `6000 calls placed, 0 failed; set-up: median 1 ms, worst 504 ms, 31 over 400 ms [<10 ms: 5969, …]`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |duration: Duration| duration.as_millis();
        write!(f, "{} calls placed, {} failed; ", self.placed, self.failed)?;
        write!(f, "set-up: median {} ms, ", ms(self.median_setup()))?;
        write!(f, "worst {} ms, {} over 400 ms [", ms(self.worst_setup()), self.slow())?;
        let mut begin = Duration::ZERO;
        let mut separator = "";
        for end in [10, 100, 400, 600, 1000, 1600, 4000, 60_000].map(Duration::from_millis) {
            let count = self.setups.iter().filter(|&&setup| begin <= setup && setup < end).count();
            if count > 0 {
                write!(f, "{separator}<{} ms: {count}", end.as_millis())?;
                separator = ", ";
            }
            begin = end;
        }
        write!(f, "]")
    }
}

fn folder(lab: &Lab, name: &str) -> Result<PathBuf> {
    let dir =
        tempfile::Builder::new().prefix(name).tempdir_in(lab.dir()).context("create a folder for sipp")?;
    // It goes with the laboratory.
    Ok(dir.keep())
}

fn write(dir: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = dir.join(name);
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    Ok(path)
}

/// The last full line of sipp's statistics, columns found by name.
fn parse_statistics(text: &str) -> Result<Progress> {
    let full = text.rfind('\n').map_or("", |end| &text[..end]);
    let mut lines = full.lines();
    let (Some(names), Some(last)) = (lines.next(), lines.next_back()) else {
        return Ok(Progress::default());
    };
    let values: Vec<&str> = last.split(';').collect();
    let value = |name: &str| -> Result<u32> {
        let column = names.split(';').position(|n| n == name);
        let value =
            column.and_then(|c| values.get(c)).with_context(|| format!("sipp's statistics: {name}"))?;
        value.parse().with_context(|| format!("sipp's statistics: {name} = {value}"))
    };
    Ok(Progress {
        placed: value("TotalCallCreated")?,
        open: value("CurrentCall")?,
        successful: value("SuccessfulCall(C)")?,
        failed: value("FailedCall(C)")?,
    })
}

/// The set-up times that sipp wrote as `date;milliseconds;setup`.
fn read_setups(dir: &Path) -> Result<Vec<Duration>> {
    let mut setups = Vec::new();
    for entry in std::fs::read_dir(dir).with_context(|| format!("list {}", dir.display()))? {
        let path = entry?.path();
        if path.file_name().is_some_and(|name| name.to_string_lossy().ends_with("_rtt.csv")) {
            let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
            setups.extend(text.lines().filter_map(parse_setup));
        }
    }
    Ok(setups)
}

fn parse_setup(line: &str) -> Option<Duration> {
    let mut fields = line.split(';');
    let milliseconds: f64 = fields.nth(1)?.trim().parse().ok()?;
    let name = fields.next()?.trim();
    (name == "setup").then(|| Duration::try_from_secs_f64(milliseconds / 1000.0).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_are_read_by_column_name_and_only_whole_lines() {
        let head =
            "TargetRate;TotalCallCreated;CurrentCall;SuccessfulCall(P);SuccessfulCall(C);FailedCall(C);";
        let text = format!("{head}\n100;5;5;0;0;0;\n100;205;3;9;200;2;\n100;30");
        let progress = parse_statistics(&text).unwrap();
        assert_eq!(progress, Progress { placed: 205, open: 3, successful: 200, failed: 2 });
        assert_eq!(parse_statistics(head).unwrap(), Progress::default());
        assert!(parse_statistics("A;B\n1;2\n").is_err());
    }

    #[test]
    fn a_report_reads_like_a_sentence() {
        let setups = [1, 2, 3, 504].map(Duration::from_millis).to_vec();
        let report = Report { placed: 5, failed: 1, setups };
        let text = "5 calls placed, 1 failed; set-up: median 3 ms, worst 504 ms, 1 over 400 ms \
                    [<10 ms: 3, <600 ms: 1]";
        assert_eq!(report.to_string(), text);
        assert_eq!(parse_setup("1700000000;12.5;setup"), Some(Duration::from_micros(12_500)));
        assert_eq!(parse_setup("Date_ms;response_time_ms;rtd_no"), None);
    }
}
