//! What the user sees between the output of the children: headers, elapsed times, the last word.

use std::time::{Duration, Instant};

use anstream::{eprintln, println};
use anstyle::{AnsiColor, Style};

const HEADER: Style = AnsiColor::Cyan.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Runs `work` under a header, and says how long it took.
pub fn step<T>(title: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    println!("{HEADER}==> {title}{HEADER:#}");
    let start = Instant::now();
    let outcome = work();
    let (colour, verdict) = if outcome.is_ok() { (GOOD, "done") } else { (BAD, "failed") };
    println!("{colour}    {verdict}{colour:#} in {}: {title}", elapsed(start.elapsed()));
    outcome
}

/// A line beneath a header.
pub fn note(text: &str) {
    println!("    {text}");
}

/// A table, indented like nothing else.
pub fn table(table: &comfy_table::Table) {
    println!("\n{}", table.trim_fmt());
}

/// A good last word.
pub fn success(text: &str) {
    println!("{GOOD}{text}{GOOD:#}");
}

/// A bad last word, with its causes.
pub fn failure(error: &anyhow::Error) {
    eprintln!("{BAD}error:{BAD:#} {error:#}");
}

/// `1.2 s`, `2 min 05 s`.
pub fn elapsed(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 60.. => format!("{} min {:02} s", seconds / 60, seconds % 60),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_times_are_told_in_minutes() {
        assert_eq!(elapsed(Duration::from_millis(1240)), "1.2 s");
        assert_eq!(elapsed(Duration::from_secs(125)), "2 min 05 s");
    }
}
