//! `cargo xtask run`: the main job.

use std::{ffi::OsString, os::unix::process::CommandExt as _};

use anyhow::Context as _;

use crate::{
    process,
    setup::{self, Scope},
    step,
};

/// Arguments of `cargo xtask run`.
#[derive(clap::Args)]
pub struct Args {
    /// Arguments of `failover run`, such as `-c FILE`; without any: the laboratory
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    daemon: Vec<OsString>,
}

/// Sets up, builds, and runs the laboratory or the daemon.
pub fn run(args: &Args) -> anyhow::Result<()> {
    daemon(&args.daemon)
}

/// The daemon on this machine's own interfaces, in place of this process.
fn daemon(arguments: &[OsString]) -> anyhow::Result<()> {
    setup::run(Scope::Daemon)?;
    build()?;
    let binary = process::workspace().join("target/release/failover");
    let error = std::process::Command::new(&binary).arg("run").args(arguments).exec();
    Err(error).with_context(|| format!("start {}", binary.display()))
}

fn build() -> anyhow::Result<()> {
    let mut cargo = process::pinned(&setup::channel()?, "cargo");
    cargo.args(["build", "--release", "-p", "failover-user"]);
    step::step("failover, release build", || process::run(&mut cargo))
}
