//! `cargo xtask bench`: what packets cost, on this machine.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::{
    process,
    setup::{self, Scope},
    step,
};

/// What is measured runs in the kernel, and is optimised whatever the profile. For what starts it there, the profile
/// and the packages of the tests do, and are compiled once for both.
const BENCH: &str = "bench --profile dev --workspace --exclude failover-ebpf --bench bench";

/// What these measure is the daemon itself, as it is installed.
const OF_THE_DAEMON: [&str; 4] = ["health", "deaths", "flapping", "slow"];

/// Arguments of `cargo xtask bench`.
#[derive(clap::Args)]
pub struct Args {
    /// Only this bench: `datapath` or `veth`; or what is measured only when it is named: `health`, `deaths`, `flapping`, `slow`
    name: Option<String>,
    /// Deaths of each way (`deaths`)
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Write the rows to FILE, too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Sets up, builds, and measures.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!(
            "the benches load BPF programs and make network namespaces, and only root may do that; type: sudo -E env PATH=\"$PATH\" cargo xtask bench"
        );
    }
    setup::run(Scope::Everything)?;
    let channel = setup::channel()?;
    let bench = || {
        let mut cargo = process::pinned(&channel, "cargo");
        cargo.args(BENCH.split(' '));
        cargo
    };
    step::step("build", || process::run(bench().arg("--no-run")))?;
    let mut cargo = bench();
    if args.name.as_deref().is_some_and(|name| OF_THE_DAEMON.contains(&name)) {
        let mut build = process::pinned(&channel, "cargo");
        build.args(["build", "--release", "--package", "failover-user"]);
        step::step("build the daemon, optimised", || process::run(&mut build))?;
        cargo.env("FAILOVER_BIN", Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/release/failover"));
    }
    cargo.arg("--").args(&args.name);
    if let Some(rounds) = args.rounds {
        cargo.arg("--rounds").arg(rounds.to_string());
    }
    if let Some(file) = &args.json {
        // Cargo starts the bench in another folder.
        let file = std::path::absolute(file).with_context(|| format!("find {}", file.display()))?;
        cargo.arg("--json").arg(file);
    }
    step::step("measuring: leave the machine alone meanwhile", || process::run(&mut cargo))
}
