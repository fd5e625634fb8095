//! Network namespaces that are taken away again whatever happens to their maker.
//!
//! A reaper process in a session of its own reads from a pipe what there is to take away: each thing is named to it
//! *before* it is made. When the pipe closes (we dropped it, panicked, or were killed) it kills every process in the
//! namespaces, deletes them, and removes the folders. Only SIGKILL to the reaper itself leaves anything behind.

use std::{
    ffi::OsStr,
    fs::File,
    io::Write as _,
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio, id},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use anyhow::{Context as _, Result, bail};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process::{self, Output, Process};

/// What the reaper does. One word says what the next one is: `netns NAME`, `dir PATH`.
const REAPER: &str = r#"
trap '' INT TERM HUP QUIT
spaces= dirs=
while read -r kind what; do
    case $kind in
        netns) spaces="$spaces $what" ;;
        dir) dirs="$dirs $what" ;;
    esac
done
for space in $spaces; do
    [ -e "/run/netns/$space" ] || continue
    for again in 1 2 3 4 5 6 7 8 9 10; do
        pids=$(ip netns pids "$space") || break
        [ -n "$pids" ] || break
        kill -9 $pids 2>/dev/null
        sleep 0.02
    done
    ip netns del "$space"
done
for dir in $dirs; do rm -rf "$dir"; done
"#;

/// A set of namespaces with one life, and a folder for the files of what runs in them.
#[derive(Debug)]
pub struct Namespaces {
    prefix: String,
    dir: PathBuf,
    pipe: Option<ChildStdin>,
    reaper: Child,
}

/// One namespace of a [`Namespaces`].
#[derive(Clone, Debug)]
pub struct Namespace {
    name: String,
    dir: PathBuf,
}

impl Namespaces {
    /// An empty set with a name of its own: `fo<pid>-<n>`.
    pub fn new() -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !rustix::process::geteuid().is_root() {
            bail!("make network namespaces: not permitted; run the laboratory as root");
        }
        let prefix = format!("fo{}-{}", id(), COUNT.fetch_add(1, Ordering::Relaxed));
        // Not in a process group of its own: for the leader of one, setsid would fork, and we wait for the wrong one.
        let mut reaper = Command::new("setsid")
            .args(["sh", "-c", REAPER])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .context("start the reaper (setsid sh)")?;
        let pipe = reaper.stdin.take();
        let dir = std::env::temp_dir().join(&prefix);
        let mut namespaces = Self { prefix, dir, pipe, reaper };
        let dir = namespaces.dir.clone();
        namespaces.reap_folder(&dir)?;
        // Left from an earlier process with our id, if at all.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).with_context(|| format!("create {}", dir.display()))?;
        Ok(namespaces)
    }

    /// The first part of every name in this set.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A folder for files; it goes with the namespaces.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the namespace `<prefix>-<name>`, loopback up, IPv6 off (its neighbour discovery is noise in captures).
    pub fn add(&mut self, name: &str) -> Result<Namespace> {
        let name = format!("{}-{name}", self.prefix);
        self.tell(&format!("netns {name}"))?;
        process::run(process::command("ip", ["netns", "add", &name]))?;
        let namespace = Namespace { name, dir: self.dir.clone() };
        for key in ["ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6"] {
            // A kernel without IPv6 has no such file, and needs none.
            let _ = namespace.sysctl(key, "1");
        }
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Has the folder `path` removed together with the namespaces. Call this before making it.
    pub fn reap_folder(&mut self, path: &Path) -> Result<()> {
        let path = path.to_str().filter(|p| p.starts_with('/') && !p.contains(char::is_whitespace));
        self.tell(&format!("dir {}", path.context("the folder must be absolute and without blanks")?))
    }

    fn tell(&mut self, line: &str) -> Result<()> {
        let pipe = self.pipe.as_mut().context("the reaper's pipe is closed")?;
        writeln!(pipe, "{line}").context("write to the reaper")
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        if std::env::var_os("FAILOVER_TEST_KEEP").is_some() {
            let kept = PathBuf::from(format!("{}-kept", self.dir.display()));
            if std::fs::rename(&self.dir, &kept).is_ok() {
                eprintln!("files of the laboratory are kept in {}", kept.display());
            }
        }
        drop(self.pipe.take());
        let _ = self.reaper.wait();
    }
}

impl Namespace {
    /// Its name under /run/netns.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A command that runs inside, with the same process id that its `spawn` returns.
    ///
    /// `ip netns exec` would mount a fresh /sys and so hide /sys/fs/bpf; nsenter changes the network alone.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.name)).arg("--").arg(program);
        command
    }

    /// Runs a command inside to its end; it must succeed. Returns what it printed.
    pub fn run(&self, words: &[&str]) -> Result<String> {
        process::run(self.compose(words)?)
    }

    /// Runs a command inside to its end, whatever its exit code.
    pub fn output(&self, words: &[&str]) -> Result<Output> {
        process::output(self.compose(words)?)
    }

    /// `ip` with the words of `line`, inside.
    pub fn ip(&self, line: &str) -> Result<String> {
        let words = ["-n", &self.name].into_iter().chain(line.split_whitespace());
        process::run(process::command("ip", words))
    }

    /// Starts a long-running command inside; what it prints goes to `<name>.log` in the laboratory's folder.
    pub fn spawn(&self, name: &str, command: Command) -> Result<Process> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let log = self.dir.join(format!("{name}-{}.log", COUNT.fetch_add(1, Ordering::Relaxed)));
        Process::spawn(name, command, &log)
    }

    /// Runs `inside` on a thread that is in the namespace. Sockets that it opens stay there wherever they are used.
    pub fn enter<T: Send>(&self, inside: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let path = format!("/run/netns/{}", self.name);
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                let file = File::open(&path).with_context(|| format!("open {path}"))?;
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .with_context(|| format!("enter {path}"))?;
                inside()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Sets /proc/sys/net/`key` inside.
    pub fn sysctl(&self, key: &str, value: &str) -> Result<()> {
        self.enter(|| {
            let path = Path::new("/proc/sys/net").join(key);
            std::fs::write(&path, value).with_context(|| format!("write {value} to {}", path.display()))
        })
    }

    fn compose(&self, words: &[&str]) -> Result<Command> {
        let (program, arguments) = words.split_first().context("an empty command")?;
        let mut command = self.command(program);
        command.args(arguments);
        Ok(command)
    }
}
