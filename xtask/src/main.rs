//! `cargo xtask`: everything that is done to this workspace. A file per sub-command.

mod bench;
mod fuzz;
mod interrupt;
mod process;
mod run;
mod setup;
mod step;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    about = "Everything that is done to this workspace"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what building, running and testing need; does nothing twice
    Setup,
    /// Set up, then check everything that CI checks
    Test(test::Args),
    /// Set up, then watch a primary die under real calls; with `-- -c FILE`, run the daemon on this machine
    Run(run::Args),
    /// Set up, then measure: what packets cost, or by name what watching costs, and how soon a backup serves
    Bench(bench::Args),
    /// Install a fuzzer, then hold it against the decoders: all of them, or one
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    let outcome = interrupt::listen().and_then(|()| match Cli::parse().task {
        Task::Setup => setup::run(setup::Scope::Everything),
        Task::Test(args) => test::run(&args),
        Task::Run(args) => run::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Fuzz(args) => fuzz::run(&args),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            step::failure(&error);
            ExitCode::FAILURE
        }
    }
}
