//! Configurations as an operator writes them, rightly and wrongly.

use super::{ConfigError, Loaded, Located, parse};

mod file;
mod hostile;
mod probing;
mod report;
mod right;
mod warnings;
mod wrong;

/// A configuration that holds, in pieces that a test can add to.
pub(super) const ROUTER: &str = "[router]\ninterfaces = [\"wan0\"]\n";
pub(super) const TARGET: &str = "[[target]]\nname = \"paris\"\naddress = \"192.0.2.10\"\n";
pub(super) const BACKUP: &str = "[[target.backup]]\nname = \"nsp-1\"\naddress = \"198.51.100.20\"\n";

/// A valid file whose tables also hold these lines.
pub(super) fn file(router: &str, target: &str, backup: &str) -> String {
    format!("{ROUTER}{router}\n{TARGET}{target}\n{BACKUP}{backup}\n")
}

pub(super) fn right(text: &str) -> Loaded {
    parse("failover.toml", text).unwrap_or_else(|error| panic!("{text}\n{}", error.report(false)))
}

pub(super) fn wrong(text: &str) -> ConfigError {
    match parse("failover.toml", text) {
        Ok(loaded) => panic!("accepted: {text}\n{loaded:?}"),
        Err(error) => error,
    }
}

/// Takes the marks `§` out of `text`: what remains, and line and column of each.
pub(super) fn unmark(text: &str) -> (String, Vec<(usize, usize)>) {
    let mut places = Vec::new();
    let mut clean = String::new();
    for (n, line) in text.lines().enumerate() {
        let mut pieces = line.split('§');
        clean.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let column = clean.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            places.push((n + 1, column));
            clean.push_str(piece);
        }
        clean.push('\n');
    }
    (clean, places)
}

/// `text`, wrong at each `§` and nowhere else; gives the problems in order.
pub(super) fn wrong_at(text: &str) -> Vec<Located> {
    let (clean, places) = unmark(text);
    let error = wrong(&clean);
    let problems = error.problems();
    let found: Vec<_> = problems.iter().map(|p| (p.line.unwrap_or(0), p.column.unwrap_or(0))).collect();
    assert_eq!(found, places, "{}", error.report(false));
    problems
}
