//! `cargo xtask test`: everything that CI checks, in the order in which a mistake shows up soonest.

mod plan;
mod tally;

use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use comfy_table::{Table, presets};

use crate::{
    interrupt, process,
    setup::{self, Scope},
    step,
};
use plan::Check;
use tally::Tally;

/// Arguments of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Args {
    /// Run only tests whose name contains this, and no lints
    filter: Option<String>,
}

/// Sets up, and checks until the first failure.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let start = Instant::now();
    setup::run(Scope::Everything)?;
    let checks = match &args.filter {
        Some(filter) => plan::only(filter),
        None => plan::everything(),
    };
    let channel = setup::channel()?;
    let mut tally = Tally::default();
    let mut times = Vec::new();
    let mut outcome = Ok(());
    for check in &checks {
        let begin = Instant::now();
        outcome = perform(check, &channel, &mut tally);
        times.push(begin.elapsed());
        if outcome.is_err() {
            break;
        }
    }
    step::table(&summary(&checks, &times, outcome.is_ok()));
    println!("{}", tally.result(outcome.is_ok(), start.elapsed()));
    outcome
}

fn perform(check: &Check, channel: &str, tally: &mut Tally) -> anyhow::Result<()> {
    let mut command = process::pinned(channel, "cargo");
    command.args(&check.arguments);
    if let Some((name, value)) = check.variable {
        command.env(name, value);
    }
    step::step(check.title, || {
        step::note(&check.line());
        if check.counts() {
            if std::io::stdout().is_terminal() {
                command.env("CARGO_TERM_COLOR", "always");
            }
            return process::run_seen(&mut command, |line| tally.read(line));
        }
        // Straight to the terminal, where cargo draws its bar.
        process::run(&mut command)
    })
    .map_err(|error| if interrupt::requested() { error } else { failure(check) })
}

/// What failed is on the screen already; the last line is for what to type next.
fn failure(check: &Check) -> anyhow::Error {
    anyhow!("{} failed; to run it alone, type: {}", check.title, check.line())
}

/// A row for each check: how it ended and how long it took. `times` ends with the check that ran last.
fn summary(checks: &[Check], times: &[Duration], good: bool) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for (number, check) in checks.iter().enumerate() {
        let time = times.get(number).map(|&time| step::elapsed(time)).unwrap_or_default();
        let word = match number + 1 {
            n if n > times.len() => "not run",
            n if n == times.len() && !good => "FAILED",
            _ => "ok",
        };
        table.add_row([check.title, word, &time]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_tells_what_failed_and_what_was_not_run() {
        let checks = plan::everything();
        let text = summary(&checks, &[Duration::from_secs(1), Duration::from_secs(2)], false).to_string();
        let words: Vec<&str> = text
            .lines()
            .map(|line| {
                if line.contains("FAILED") {
                    "FAILED"
                } else if line.contains("not run") {
                    "not run"
                } else {
                    "ok"
                }
            })
            .collect();
        assert_eq!(words[..3], ["ok", "FAILED", "not run"]);
        assert_eq!(words.len(), checks.len());
    }
}
