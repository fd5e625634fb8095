//! The live picture of a run: what happened, a line each, and beneath it how things stand.
//!
//! On a terminal the lower part is drawn anew in place; elsewhere every second is one line, so that a log shows
//! progress too.

use std::{
    io::{IsTerminal as _, Write as _, stdout},
    time::Duration,
};

use anstyle::{AnsiColor, Style};
use failover_tests::sipp::Progress;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const DIM: Style = Style::new().dimmed();
const BAR: usize = 30;

/// How things stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// Since the first call.
    pub elapsed: Duration,
    /// The planned end.
    pub whole: Duration,
    /// The calls.
    pub calls: Progress,
    /// Who serves, in a word or two.
    pub serving: String,
    /// The primary's health, in a word.
    pub health: String,
    /// Packets sent to the backup.
    pub steered: u64,
    /// Packets that came back from it.
    pub returned: u64,
}

/// Where the picture is drawn.
pub struct Screen {
    in_place: bool,
    drawn: usize,
}

impl Screen {
    /// Standard output, in place where it can be.
    pub fn new() -> Self {
        let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        Self { in_place: stdout().is_terminal() && !is_dumb, drawn: 0 }
    }

    /// Something happened `elapsed` after the first call.
    pub fn event(&mut self, elapsed: Duration, text: &str) {
        self.erase();
        anstream::println!("{DIM}{:7.2} s{DIM:#}  {text}", elapsed.as_secs_f64());
    }

    /// A second has passed.
    pub fn show(&mut self, moment: &Moment) {
        self.erase();
        if !self.in_place {
            anstream::println!("{}", line(moment));
            return;
        }
        let lines = block(moment);
        // No wrapping: a line that is cut is still one line to erase.
        anstream::print!("\x1b[?7l{}\n\x1b[?7h", lines.join("\n"));
        let _ = stdout().flush();
        self.drawn = lines.len();
    }

    /// Takes the lower part away.
    pub fn erase(&mut self) {
        if self.drawn > 0 {
            anstream::print!("\x1b[{}F\x1b[J", self.drawn);
            // Before anything is said on standard error.
            let _ = stdout().flush();
            self.drawn = 0;
        }
    }
}

fn line(moment: &Moment) -> String {
    let Moment { calls: Progress { placed, open, failed, .. }, serving, health, steered, .. } = moment;
    let seconds = moment.elapsed.as_secs();
    format!(
        "{seconds:7} s     {placed} calls placed, {open} open, {failed} failed; {serving} serves, primary {health}; {steered} packets steered"
    )
}

fn block(moment: &Moment) -> Vec<String> {
    let Moment { calls: Progress { placed, open, failed, .. }, serving, health, steered, returned, .. } =
        moment;
    let (seconds, whole) = (moment.elapsed.as_secs(), moment.whole.as_secs().max(1));
    let full = BAR * usize::try_from(seconds.min(whole)).unwrap_or(0) / usize::try_from(whole).unwrap_or(1);
    let loss = if *failed == 0 { GOOD } else { BAD };
    let state = if health == "up" { GOOD } else { BAD };
    vec![
        String::new(),
        format!(
            "  time      {seconds} s of {whole} s  {}{DIM}{}{DIM:#}",
            "━".repeat(full),
            "─".repeat(BAR - full)
        ),
        format!("  calls     {placed} placed, {open} open, {loss}{failed} failed{loss:#}"),
        format!("  primary   {state}{health}{state:#}"),
        format!("  serving   {serving}"),
        format!("  packets   {steered} steered, {returned} returned"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> Moment {
        Moment {
            elapsed: Duration::from_secs(12),
            whole: Duration::from_mins(1),
            calls: Progress { placed: 1200, open: 300, successful: 900, failed: 0 },
            serving: "backup".to_owned(),
            health: "down".to_owned(),
            steered: 42,
            returned: 40,
        }
    }

    #[test]
    fn a_line_tells_the_time_the_calls_and_who_serves() {
        let text = line(&moment());
        for word in
            ["12 s", "1200 calls placed", "300 open", "0 failed", "backup serves", "primary down", "42"]
        {
            assert!(text.contains(word), "{word} is not in: {text}");
        }
    }

    #[test]
    fn the_bar_is_as_long_at_the_start_as_beyond_the_end() {
        for seconds in [0, 30, 60, 90] {
            let text = &block(&Moment { elapsed: Duration::from_secs(seconds), ..moment() })[1];
            assert_eq!(text.chars().filter(|c| "━─".contains(*c)).count(), BAR);
        }
    }
}
