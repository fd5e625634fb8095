//! What packets cost: `cargo xtask bench`. See `docs/benchmarks.md`.

mod suite;

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use failover_tests::topology::{Weight, take_turn};
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};

use suite::{Bench, Effort, report::Report};

/// Calls a second.
const CALLS: u32 = 100;

#[derive(Parser)]
struct Cli {
    /// Only this one
    name: Option<Bench>,
    /// Write the rows to this file, too
    #[arg(long)]
    json: Option<PathBuf>,
    /// Deaths of each way (`deaths`)
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Said by `cargo bench`
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<()> {
    refuse_statistics()?;
    if let Some((table, json)) = watch(cli)? {
        println!("\n{table}");
        return write(cli, &json);
    }
    let _turn = take_turn(Weight::Heavy)?;
    stay_on_one_cpu()?;
    let benches = cli.name.map_or_else(|| vec![Bench::Datapath, Bench::Veth], |name| vec![name]);
    let mut report = Report::default();
    for bench in benches {
        report.rows.extend(suite::run(bench, &Effort::FULL)?);
    }
    println!("\n{}\n\n{}", report.table(), report.verdict());
    write(cli, &report.json())
}

/// What is about the daemon and not about packets: a table, and the same for programs.
fn watch(cli: &Cli) -> Result<Option<(String, serde_json::Value)>> {
    use suite::{deaths, health, unrest};
    let unrest = |ailment: unrest::Ailment| -> Result<_> {
        let figures = unrest::run(ailment, ailment.full(), CALLS)?;
        Ok(Some((figures.table(), figures.json())))
    };
    match cli.name {
        Some(Bench::Health) => {
            let _turn = take_turn(Weight::Heavy)?;
            let figures = health::run(health::Fleet::FULL)?;
            Ok(Some((figures.table(), figures.json())))
        }
        Some(Bench::Deaths) => {
            let figures = deaths::run(deaths::Effort { rounds: cli.rounds, rate: CALLS, ways: 3 })?;
            Ok(Some((figures.table(), figures.json())))
        }
        Some(Bench::Flapping) => unrest(unrest::Ailment::Flapping),
        Some(Bench::Slow) => unrest(unrest::Ailment::Slow),
        None | Some(Bench::Datapath | Bench::Veth) => Ok(None),
    }
}

fn write(cli: &Cli, rows: &serde_json::Value) -> Result<()> {
    if let Some(path) = &cli.json {
        let text = format!("{rows:#}\n");
        std::fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
        println!("the rows are in {}", path.display());
    }
    Ok(())
}

/// With statistics on, each run of a program costs more than what most rows measure.
fn refuse_statistics() -> Result<()> {
    let path = "/proc/sys/kernel/bpf_stats_enabled";
    let text = std::fs::read_to_string(path).with_context(|| format!("read {path}"))?;
    if text.trim() != "0" {
        bail!(
            "kernel.bpf_stats_enabled is on, and would be measured too; type: sysctl kernel.bpf_stats_enabled=0"
        );
    }
    Ok(())
}

/// Neither the counters nor the caches move while a row is measured.
fn stay_on_one_cpu() -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(sched_getcpu());
    sched_setaffinity(None, &cpus).context("stay on one CPU")
}
