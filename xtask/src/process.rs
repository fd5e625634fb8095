//! Child processes: what a person would have typed, run where a person would have typed it.

use std::{
    ffi::OsStr,
    io::{Read, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
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

/// Runs `command` with both its outputs on our screen, in the order in which it writes them, and shows each full
/// line to `see` as well.
pub fn run_seen(command: &mut Command, see: impl FnMut(&str)) -> anyhow::Result<()> {
    let (output, input) = std::io::pipe().context("make a pipe")?;
    command.stdout(input.try_clone().context("duplicate a pipe")?).stderr(input);
    let mut child = command.spawn().with_context(|| format!("start {}", shown(command)))?;
    // The command keeps the writing ends until it is told otherwise, and the pipe would never end.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    let copied = copy(output, see);
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

/// What arrives goes out at once, half lines too: a test's name shows before its verdict.
fn copy(mut output: impl Read, mut see: impl FnMut(&str)) -> std::io::Result<()> {
    let mut screen = anstream::stdout();
    let mut chunk = [0; 4096];
    let mut line = Vec::new();
    loop {
        let length = output.read(&mut chunk)?;
        if length == 0 {
            return Ok(());
        }
        screen.write_all(&chunk[..length])?;
        screen.flush()?;
        line.extend_from_slice(&chunk[..length]);
        while let Some(end) = line.iter().position(|&byte| byte == b'\n') {
            see(String::from_utf8_lossy(&line[..end]).trim_end());
            line.drain(..=end);
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_outputs_are_seen_in_order_and_line_by_line() {
        let mut lines = Vec::new();
        let mut shell = command("sh");
        shell.args(["-c", "echo one; echo two >&2; printf thr; sleep 0.1; echo ee; printf rest"]);
        run_seen(&mut shell, |line| lines.push(line.to_owned())).unwrap();
        assert_eq!(lines, ["one", "two", "three"]);
    }

    #[test]
    fn a_failure_names_the_command() {
        let error = run(command("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(error.to_string().contains("sh -c exit 3"), "{error}");
        assert!(ask(command("sh").args(["-c", "exit 3"])).is_none());
        assert!(is_installed("sh") && !is_installed("no-such-program"));
    }
}
