//! `cargo xtask run`: the main job, in the laboratory or on this machine.

mod laboratory;
mod report;
mod screen;

use std::{ffi::OsString, os::unix::process::CommandExt as _, path::PathBuf};

use anyhow::{Context as _, bail};

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
    if args.daemon.is_empty() {
        return in_laboratory();
    }
    setup::run(Scope::Daemon)?;
    let binary = build()?;
    let error = std::process::Command::new(&binary).arg("run").args(&args.daemon).exec();
    Err(error).with_context(|| format!("start {}", binary.display()))
}

fn in_laboratory() -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(
            "the laboratory is made of network namespaces, and only root may make them; type: sudo -E env PATH=\"$PATH\" cargo xtask run"
        );
    }
    setup::run(Scope::Everything)?;
    let binary = build()?;
    // SAFETY: nothing has started a thread in this process yet.
    unsafe { std::env::set_var("FAILOVER_BIN", binary) };
    laboratory::run()
}

/// The daemon as operators run it.
fn build() -> anyhow::Result<PathBuf> {
    let mut cargo = process::pinned(&setup::channel()?, "cargo");
    cargo.args(["build", "--release", "-p", "failover-user"]);
    step::step("failover, release build", || process::run(&mut cargo))?;
    Ok(process::target().join("release/failover"))
}
