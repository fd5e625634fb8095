//! Child processes: what a person would have typed, run where a person would have typed it.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
};

use anyhow::{Context as _, bail};

use crate::interrupt;

/// What `cargo run` and a user's shell may have put into our environment and must not reach a build of ours.
const UNWANTED: [&str; 3] = ["RUSTC_BOOTSTRAP", "RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS"];

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask)
}

/// Where the children's cargo puts what it builds.
pub fn target() -> PathBuf {
    workspace().join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// A command in the workspace's root, without standard input.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace()).stdin(Stdio::null());
    command
}

/// A command line's program in the pinned toolchain, whichever cargo started us.
pub fn pinned(channel: &str, program: &str) -> Command {
    let mut command = command("rustup");
    command.args(["run", channel, program]);
    for name in UNWANTED {
        command.env_remove(name);
    }
    command
}

/// Runs `command` with its output on our screen.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("start {}", shown(command)))?;
    judge(command, status)
}

/// Runs `command` with its standard output on our screen, and shows each line to `see` as well.
pub fn run_seen(command: &mut Command, mut see: impl FnMut(&str)) -> anyhow::Result<()> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("start {}", shown(command)))?;
    let copied = copy_lines(&mut child, &mut see);
    let status = child.wait().with_context(|| format!("wait for {}", shown(command)))?;
    judge(command, status)?;
    copied.with_context(|| format!("read the output of {}", shown(command)))
}

/// Runs `command` in silence and returns what it printed; `None` if it cannot be started or fails.
pub fn ask(command: &mut Command) -> Option<String> {
    let output = command.stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program of this name can be found, in `PATH` or where administrators' tools are.
pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(system).any(|folder| folder.join(program).is_file())
}

fn copy_lines(child: &mut Child, see: &mut impl FnMut(&str)) -> std::io::Result<()> {
    let Some(output) = child.stdout.take() else { return Ok(()) };
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        anstream::print!("{text}");
        see(text.trim_end());
        line.clear();
    }
    Ok(())
}

fn judge(command: &Command, status: ExitStatus) -> anyhow::Result<()> {
    if interrupt::requested() {
        bail!("interrupted");
    }
    if !status.success() {
        bail!("`{}` failed ({status})", shown(command));
    }
    Ok(())
}

fn shown(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}
