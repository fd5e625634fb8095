//! Probing by a program of the operator's: it ends with exit code 0 in time, or the server is taken for dead.
//!
//! The program leads a process group of its own, and nothing of that group outlives the probe. Its input is empty, its
//! environment is `PATH` and what [`Run::variables`] says. Of what it prints the first line is kept; after
//! [`MOST_OUTPUT`] bytes the pipe is closed. What it sends is its own: no exemption, and no mark, but the one that
//! it may set itself (`FAILOVER_MARK`).

use std::{
    ffi::OsString,
    io,
    net::SocketAddr,
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt as _, ExitStatusExt as _},
    },
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use failover_common::names::MARK;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process_group, pidfd_open, waitpid};
use tokio::{
    io::{Interest, unix::AsyncFd},
    net::unix::pipe,
    sync::Semaphore,
    time::Instant,
};

use super::{
    Outcome,
    ask::{clean, said_nothing},
    words,
};
use crate::config::model::{Command, Service};

/// The most that a program may print.
const MOST_OUTPUT: usize = 64 * 1024;
/// The longest first line that is looked at.
const LONGEST_LINE: usize = 256;
/// The most programs that run at once, of all probers: a thousand that hang must not take the machine with them.
const MOST_AT_ONCE: usize = 64;
static TURNS: Semaphore = Semaphore::const_new(MOST_AT_ONCE);

/// What is kept between probes.
#[derive(Default)]
pub(super) struct Io {
    /// A program that was killed, and had not ended by then.
    last: Option<Running>,
}

/// One run of a program.
pub(super) struct Run<'a> {
    pub(super) command: &'a Command,
    pub(super) server: SocketAddr,
    pub(super) service: Service,
    pub(super) timeout: Duration,
}

impl Io {
    /// One probe. Cancel safety: the program and its group are killed.
    pub(super) async fn probe(&mut self, run: &Run<'_>) -> Outcome {
        let Ok(_turn) = TURNS.acquire().await else { return Outcome::unable("this daemon is about to end") };
        if let Some(mut last) = self.last.take()
            && tokio::time::timeout(run.timeout, last.end()).await.is_err()
        {
            let said = format!("process {} does not end though it was killed", last.child.id());
            self.last = Some(last);
            return Outcome::unable(said);
        }
        let started = Instant::now();
        let mut running = match Running::start(run) {
            Ok(running) => running,
            Err(error) => return Outcome::unable(format!("cannot run {}: {}", run.program(), words(&error))),
        };
        let ended = tokio::time::timeout_at(started + run.timeout, running.end()).await;
        let line = running.line();
        match ended {
            Ok(Ok(status)) => outcome(status, line.as_deref(), started),
            Ok(Err(error)) => {
                Outcome::unable(format!("cannot wait for {}: {}", run.program(), words(&error)))
            }
            Err(_) => {
                running.kill();
                self.last = Some(running);
                Outcome::Failed { said: said_nothing("end", run.timeout, line.as_deref()) }
            }
        }
    }
}

fn outcome(status: ExitStatus, line: Option<&str>, started: Instant) -> Outcome {
    let how = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "no exit code".to_owned(),
    };
    let said = line.map_or_else(|| how.clone(), |line| format!("{how}: {line}"));
    if status.success() { Outcome::Alive { rtt: started.elapsed(), said } } else { Outcome::Failed { said } }
}

impl Run<'_> {
    fn program(&self) -> std::path::Display<'_> {
        self.command.program.display()
    }

    /// What the program is told.
    fn variables(&self) -> [(&'static str, String); 7] {
        [
            ("FAILOVER_TARGET", self.command.target.clone()),
            ("FAILOVER_SERVICE", self.service.kind.name().to_owned()),
            ("FAILOVER_TRANSPORT", self.service.transport.to_string()),
            ("FAILOVER_SERVER", self.server.ip().to_string()),
            ("FAILOVER_PORT", self.server.port().to_string()),
            ("FAILOVER_TIMEOUT_MS", self.timeout.as_millis().to_string()),
            ("FAILOVER_MARK", MARK.to_string()),
        ]
    }
}

/// A program that runs, and what it printed. Dropping it kills its whole group.
struct Running {
    child: Child,
    /// Readable when the child has ended. It is waited for only then, so that its number, which is its group's, is
    /// nobody else's before.
    ended: AsyncFd<OwnedFd>,
    reaped: bool,
    output: Option<pipe::Receiver>,
    printed: usize,
    line: Vec<u8>,
}

impl Running {
    fn start(run: &Run<'_>) -> io::Result<Self> {
        let (output, writer) = io::pipe()?;
        let output = pipe::Receiver::from_owned_fd(output.into())?;
        let mut child = std::process::Command::new(&run.command.program)
            .args(&run.command.arguments)
            .env_clear()
            .env(
                "PATH",
                std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/sbin:/usr/bin:/sbin:/bin")),
            )
            .envs(run.variables())
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        match watch(&child) {
            Ok(ended) => {
                Ok(Self { child, ended, reaped: false, output: Some(output), printed: 0, line: Vec::new() })
            }
            Err(error) => {
                kill(&child);
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// Until the program has ended by itself, or was killed; what else its group left behind is killed.
    ///
    /// Cancel safety: it can be called again.
    async fn end(&mut self) -> io::Result<ExitStatus> {
        loop {
            let Some(output) = &self.output else {
                drop(self.ended.ready(Interest::READABLE).await?);
                break;
            };
            tokio::select! {
                biased;
                readable = output.readable() => {
                    readable?;
                    self.read();
                }
                ended = self.ended.ready(Interest::READABLE) => {
                    drop(ended?);
                    break;
                }
            }
        }
        self.read();
        kill(&self.child);
        let status = self.child.wait()?;
        self.reaped = true;
        Ok(status)
    }

    /// Takes in what is there.
    fn read(&mut self) {
        let mut chunk = [0; 4096];
        while let Some(output) = &self.output {
            match output.try_read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(length) if length > 0 && self.printed < MOST_OUTPUT => {
                    self.printed += length;
                    let room = LONGEST_LINE.saturating_sub(self.line.len());
                    self.line.extend(chunk.iter().take(length.min(room)));
                }
                _ => self.output = None,
            }
        }
    }

    /// The first line that it printed, if it says anything.
    fn line(&self) -> Option<String> {
        let lines = self.line.split(|byte| *byte == b'\n').map(clean);
        lines.map(|line| line.trim().to_owned()).find(|line| !line.is_empty())
    }

    fn kill(&self) {
        if !self.reaped {
            kill(&self.child);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        let Some(pid) = group(&self.child).filter(|_| !self.reaped) else { return };
        // It ends any moment, and would stay a zombie. Nobody else waits for it.
        let reaper = std::thread::Builder::new().name("reaper".to_owned());
        if let Err(error) = reaper.spawn(move || waitpid(Some(pid), WaitOptions::empty())) {
            tracing::warn!(%error, pid = self.child.id(), "a killed probe program is left behind as a zombie");
        }
    }
}

fn watch(child: &Child) -> io::Result<AsyncFd<OwnedFd>> {
    let pid = group(child).ok_or(io::ErrorKind::InvalidInput)?;
    let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
    // SAFETY: an OwnedFd is open, and stays the same descriptor, as long as it lives; the AsyncFd owns it.
    let watched = unsafe { AsyncFd::register_with_interest(pidfd, Interest::READABLE) };
    watched.map_err(|error| io::Error::other(error.to_string()))
}

fn group(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// SIGKILL to all of a group whose leader was not waited for yet.
fn kill(child: &Child) {
    if let Some(group) = group(child) {
        // It fails where all of it is gone.
        let _ = kill_process_group(group, Signal::KILL);
    }
}
