//! Child processes that never outlive their owner, and waiting with a limit.
//!
//! Every long-running child leads a process group of its own, so that a signal reaches its workers too: killing
//! only the main process of a proxy leaves its workers serving.

use std::{
    fs::File,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fd::OwnedFd,
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

/// A child process, the leader of its process group. Dropping it kills the group.
#[derive(Debug)]
pub struct Process {
    child: Child,
    what: String,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with both its outputs in the file `log`.
    pub fn spawn(what: &str, mut command: Command, log: &Path) -> Result<Self> {
        let out = File::create(log).with_context(|| format!("create {}", log.display()))?;
        command
            .stdin(Stdio::null())
            .stdout(out.try_clone().context("duplicate the log's descriptor")?)
            .stderr(out)
            .process_group(0);
        let child = command.spawn().with_context(|| format!("start {what}: {command:?}"))?;
        Ok(Self { child, what: what.to_owned(), log: log.to_owned() })
    }

    /// The process id, which is the group's id too.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn output(&self) -> String {
        std::fs::read(&self.log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }

    /// Sends `signal` to the whole group.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let group = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).context("process id")?;
        kill_process_group(group, signal).with_context(|| format!("signal {signal:?} to {}", self.what))
    }

    /// SIGKILL to the whole group, and waits until its leader is gone.
    pub fn kill(&mut self) -> Result<()> {
        // The group outlives its leader where a worker is left, and is unknown once all are gone.
        let _ = self.signal(Signal::KILL);
        self.child.wait().with_context(|| format!("wait for {}", self.what))?;
        Ok(())
    }

    /// Every process of the group, as it is now.
    pub fn watch_members(&self) -> Result<Members> {
        let group = self.pid().to_string();
        let mut members = Vec::new();
        for entry in std::fs::read_dir("/proc").context("list /proc")? {
            let path = entry?.path();
            let Some(pid) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) else { continue };
            // One that has ended meanwhile has no such file.
            let Ok(stat) = std::fs::read_to_string(path.join("stat")) else { continue };
            // After the name, which may hold anything: state, parent, group.
            let of_group =
                stat.rsplit(')').next().is_some_and(|rest| rest.split_whitespace().nth(2) == Some(&group));
            if let Some(pid) = Pid::from_raw(pid).filter(|_| of_group) {
                let member = pidfd_open(pid, PidfdFlags::empty());
                members.push(member.with_context(|| format!("watch a process of {}", self.what))?);
            }
        }
        Ok(Members(members))
    }

    /// Whether the leader still runs.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().with_context(|| format!("look after {}", self.what))?.is_none())
    }

    /// Waits for the leader to end by itself; kills the group and fails when it takes longer than `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().with_context(|| format!("wait for {}", self.what))? {
                return Ok(status);
            }
            if Instant::now() > end {
                self.kill()?;
                bail!("{} did not end within {limit:?}; it printed: {}", self.what, self.output());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until `ready` says so; fails at once when the process ends before, and after `limit` in any case.
    pub fn wait_ready(&mut self, limit: Duration, mut ready: impl FnMut() -> Result<bool>) -> Result<()> {
        let end = Instant::now() + limit;
        while !ready()? {
            if !self.is_running()? {
                bail!("{} ended before it was ready; it printed: {}", self.what, self.output());
            }
            if Instant::now() > end {
                bail!("{} is not ready after {limit:?}; it printed: {}", self.what, self.output());
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// The processes of a group.
#[derive(Debug)]
pub struct Members(Vec<OwnedFd>);

impl Members {
    /// Waits until each of them has ended: when that was. What a process has open is closed before its end is told.
    pub fn wait_for_all(self) -> Result<SystemTime> {
        let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
        let mut left = self.0;
        while !left.is_empty() {
            let mut polled: Vec<_> = left.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
            if poll(&mut polled, Some(&patience)).context("wait for processes to end")? == 0 {
                bail!("{} processes did not end", left.len());
            }
            let ended: Vec<bool> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
            let mut ended = ended.into_iter();
            left.retain(|_| !ended.next().unwrap_or(false));
        }
        Ok(SystemTime::now())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}

/// What a command that ended printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Exit code; 128 + n for one that died of signal n.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs a command to its end, whatever its exit code; fails when it takes longer than a minute.
pub fn output(mut command: Command) -> Result<Output> {
    let what = format!("{command:?}");
    let dir = tempfile::tempdir().context("make a folder for a command's output")?;
    let (out, err) = (dir.path().join("out"), dir.path().join("err"));
    // Files, not pipes: a grandchild that keeps a pipe open cannot make us wait for it.
    command.stdin(Stdio::null()).stdout(File::create(&out)?).stderr(File::create(&err)?).process_group(0);
    let child = command.spawn().with_context(|| format!("start {what}"))?;
    let mut process = Process { child, what, log: err.clone() };
    let status = process.wait(Duration::from_mins(1))?;
    let text =
        |path: &Path| -> Result<String> { Ok(String::from_utf8_lossy(&std::fs::read(path)?).into_owned()) };
    let code = status.code().or_else(|| status.signal().map(|s| 128 + s)).context("exit code")?;
    Ok(Output { code, stdout: text(&out)?, stderr: text(&err)? })
}

/// Runs a command that must succeed, and returns its standard output.
pub fn run(command: Command) -> Result<String> {
    let what = format!("{command:?}");
    let ended = output(command)?;
    if ended.code != 0 {
        bail!("{what} ended with {}: {}{}", ended.code, ended.stderr, ended.stdout);
    }
    Ok(ended.stdout)
}

/// A command with its arguments: `command("ip", ["link", "show"])`.
pub fn command<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Asks `look` again and again until it has something; says what it waited for when `limit` has passed.
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if Instant::now() > end {
            bail!("no {what} within {limit:?}");
        }
        thread::sleep(Duration::from_millis(10));
    }
}
