//! The real `failover` binary: as daemon in the router's namespace, and as the command line that talks to it.

use std::{
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    netns::Namespace,
    process::{self, Output, Process},
    settings::Settings,
    topology::{DEVICE, Lab},
};

/// The binary under test: `FAILOVER_BIN`, or the one built beside the running program.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("FAILOVER_BIN") {
        return Ok(path.into());
    }
    let own = std::env::current_exe().context("find the running program")?;
    let found = own.ancestors().skip(1).take(2).map(|dir| dir.join("failover")).find(|path| path.is_file());
    found.with_context(|| {
        format!("no `failover` beside {}: run `cargo build` first, or set FAILOVER_BIN", own.display())
    })
}

/// A daemon of a laboratory. Dropping it kills it, and leaves its data plane for the laboratory to take away.
#[derive(Debug)]
pub struct Daemon {
    commands: Commands,
    process: Option<Process>,
}

/// The command line, on one configuration file; works while the daemon is dead.
#[derive(Clone, Debug)]
pub struct Commands {
    binary: PathBuf,
    router: Namespace,
    config: PathBuf,
}

impl Commands {
    /// Writes the configuration into the laboratory's folder.
    pub fn new(lab: &Lab, settings: &Settings) -> Result<Self> {
        let config = lab.dir().join("failover.toml");
        std::fs::write(&config, settings.to_string())
            .with_context(|| format!("write {}", config.display()))?;
        Ok(Self { binary: binary()?, router: lab.router.clone(), config })
    }

    /// The configuration file.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// A command line `failover -c FILE WORDS…`, not started yet.
    pub fn compose(&self, words: &[&str]) -> std::process::Command {
        let mut command = self.router.command(&self.binary);
        command.arg("-c").arg(&self.config).args(words);
        command
    }

    /// Runs one to its end, whatever its exit code.
    pub fn output(&self, words: &[&str]) -> Result<Output> {
        process::output(self.compose(words))
    }

    /// Runs one, which must succeed, and returns its standard output.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        process::run(self.compose(words))
    }

    /// `failover -o json WORDS…`, parsed.
    pub fn json(&self, words: &[&str]) -> Result<Value> {
        let words: Vec<&str> = ["-o", "json"].iter().chain(words).copied().collect();
        let text = self.run(&words)?;
        serde_json::from_str(&text).with_context(|| format!("{words:?} printed no JSON: {text}"))
    }

    /// `failover status`.
    pub fn status(&self) -> Result<Value> {
        self.json(&["status"])
    }

    /// One target of `failover status`.
    pub fn target(&self, name: &str) -> Result<Value> {
        let status = self.status()?;
        let targets = status["targets"].as_array().context("status has no targets")?;
        let found = targets.iter().find(|t| t["name"] == name);
        found.cloned().with_context(|| format!("status has no target {name}: {status}"))
    }

    /// What `failover stats` counted for `reason`, over all targets and the router.
    pub fn counted(&self, reason: &str) -> Result<u64> {
        let stats = self.json(&["stats"])?;
        let targets =
            stats["targets"].as_array().into_iter().flatten().filter_map(|t| t["counts"].as_array());
        let all = targets.chain(stats["router"].as_array()).flatten();
        Ok(all.filter(|c| c["reason"] == reason).filter_map(|c| c["packets"].as_u64()).sum())
    }

    /// The events that the daemon remembers, oldest first.
    pub fn events(&self) -> Result<Vec<Value>> {
        let text = self.run(&["-o", "jsonl", "events"])?;
        text.lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("no JSON: {line}")))
            .collect()
    }

    /// The time of the first event of a kind that is not before `since`; `to` is what it changed to, if that matters.
    pub fn event_time(&self, kind: &str, to: Option<&str>, since: SystemTime) -> Result<Option<SystemTime>> {
        for event in self.events()? {
            if event["kind"] == kind && to.is_none_or(|to| event["to"] == to) {
                let time = parse_time(event["time"].as_str().context("an event without time")?)?;
                if time >= since {
                    return Ok(Some(time));
                }
            }
        }
        Ok(None)
    }

    /// Waits until the target is served by `primary` or `backup`, and returns it as in `status`.
    pub fn wait_serving(&self, target: &str, serving: &str, limit: Duration) -> Result<Value> {
        let found = process::wait_for(&format!("`{serving}` serving {target}"), limit, || {
            let found = self.target(target)?;
            Ok((found["serving"] == serving).then_some(found))
        });
        found.with_context(|| format!("{target} and its events: {}", self.story(target)))
    }

    /// What the daemon says of a target now, and what happened to it: for the one who reads why a test failed.
    fn story(&self, target: &str) -> String {
        let now = self.target(target).map_or_else(|error| format!("{error:#}"), |now| now.to_string());
        let events = self.run(&["events"]).unwrap_or_else(|error| format!("{error:#}"));
        format!("{now}\n{events}")
    }

    /// Waits until probing knows that every server of every target is up, at each of its addresses: one that never answered does
    /// not count, so its death would go unnoticed.
    pub fn wait_all_up(&self, limit: Duration) -> Result<()> {
        process::wait_for("status with every server up", limit, || {
            let status = self.status()?;
            let targets = status["targets"].as_array().context("status has no targets")?;
            let up = |target: &Value| {
                let all = |list: &str| {
                    target[list].as_array().is_some_and(|l| l.iter().all(|e| e["health"] == "up"))
                };
                target["health"] == "up" && all("backups") && all("probes")
            };
            Ok(targets.iter().all(up).then_some(()))
        })
    }
}

impl Daemon {
    /// Starts it on the router; returns once it answers on its control socket.
    pub fn start(lab: &Lab, settings: &Settings) -> Result<Self> {
        Self::start_with(lab, settings, &[])
    }

    /// The same, with more words after `run`.
    pub fn start_with(lab: &Lab, settings: &Settings, words: &[&str]) -> Result<Self> {
        let mut daemon = Self { commands: Commands::new(lab, settings)?, process: None };
        daemon.launch(words)?;
        Ok(daemon)
    }

    /// Starts it, and lets redirected frames arrive at every host: a veth takes them only while the far end has an
    /// XDP program too. Without this the daemon has the kernel forward what it rewrote. Returns once all is up.
    pub fn start_with_redirect(lab: &Lab, settings: &Settings) -> Result<Self> {
        accept_redirects(lab)?;
        let daemon = Self::start(lab, settings)?;
        daemon.wait_all_up(Duration::from_secs(5))?;
        Ok(daemon)
    }

    /// The command line for it.
    pub fn commands(&self) -> &Commands {
        &self.commands
    }

    /// Its process id.
    pub fn pid(&self) -> Result<u32> {
        Ok(self.process.as_ref().context("the daemon is dead")?.pid())
    }

    /// What the running daemon, or the last one, logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Process::output).unwrap_or_default()
    }

    /// SIGKILL: nothing is tidied up.
    pub fn kill9(&mut self) -> Result<()> {
        self.process.take().context("the daemon is dead already")?.kill()
    }

    /// SIGTERM, and waits for the end, which must be a success.
    pub fn terminate(&mut self) -> Result<()> {
        let mut process = self.process.take().context("the daemon is dead already")?;
        let pid = i32::try_from(process.pid()).ok().and_then(Pid::from_raw).context("process id")?;
        kill_process(pid, Signal::TERM).context("terminate the daemon")?;
        let status = process.wait(Duration::from_secs(10))?;
        if !status.success() {
            bail!("the daemon ended with {status} after SIGTERM; it logged: {}", process.output());
        }
        Ok(())
    }

    /// Starts it again after [`Self::kill9`] or [`Self::terminate`].
    pub fn restart(&mut self) -> Result<()> {
        self.launch(&[])
    }

    fn launch(&mut self, words: &[&str]) -> Result<()> {
        let words: Vec<&str> = ["run"].iter().chain(words).copied().collect();
        let mut process = self.commands.router.spawn("failover", self.commands.compose(&words))?;
        let pid = process.pid();
        let commands = &self.commands;
        // Its own answer, not that of the pinned maps, nor of a daemon before it.
        process.wait_ready(Duration::from_secs(15), || {
            let answer = commands.output(&["-o", "json", "status"])?;
            let status: Value = serde_json::from_str(&answer.stdout).unwrap_or_default();
            Ok(answer.code == 0 && status["router"]["pid"] == pid)
        })?;
        self.process = Some(process);
        Ok(())
    }
}

impl std::ops::Deref for Daemon {
    type Target = Commands;

    fn deref(&self) -> &Commands {
        &self.commands
    }
}

/// Attaches the program that passes everything to the device of every host of the laboratory.
pub fn accept_redirects(lab: &Lab) -> Result<()> {
    for host in [&lab.phones, &lab.primary, &lab.backup] {
        accept_redirects_at(lab, host)?;
    }
    Ok(())
}

/// The same for one host.
pub fn accept_redirects_at(lab: &Lab, host: &Namespace) -> Result<()> {
    let mut command = host.command(binary()?);
    command.args(["attach", "--pass", DEVICE, "--bpffs-dir"]).arg(lab.pin_dir(host.name()));
    process::run(command).map(drop)
}

/// An RFC 3339 time in UTC: `2030-01-02T03:04:05.123456Z`.
pub fn parse_time(text: &str) -> Result<SystemTime> {
    let parse = || -> Option<SystemTime> {
        let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
        let mut date = date.splitn(3, '-').map(str::parse::<u64>);
        let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
        let mut time = time.splitn(3, ':').map(str::parse::<f64>);
        let (hour, minute, second) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
        // Days since 1970 of the Gregorian calendar, counted in years that begin with March.
        let (y, m) = if month > 2 { (year, month - 3) } else { (year.checked_sub(1)?, month + 9) };
        let days = (365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day).checked_sub(719_469)?;
        let seconds = Duration::from_secs(days * 86_400);
        let of_day = Duration::try_from_secs_f64(hour * 3600.0 + minute * 60.0 + second).ok()?;
        SystemTime::UNIX_EPOCH.checked_add(seconds)?.checked_add(of_day)
    };
    parse().with_context(|| format!("not an RFC 3339 time in UTC: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_to_the_microsecond() {
        let time = parse_time("2026-03-01T12:34:56.250000Z").unwrap();
        let since_1970 = time.duration_since(SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(since_1970, Duration::new(1_772_368_496, 250_000_000));
        assert_eq!(parse_time("1970-01-01T00:00:00Z").unwrap(), SystemTime::UNIX_EPOCH);
        for bad in ["", "2026-03-01 12:34:56Z", "2026-03-01T12:34:56+01:00", "2026-03T1:2:3Z"] {
            assert!(parse_time(bad).is_err(), "{bad}");
        }
    }
}
