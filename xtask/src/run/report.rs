//! What a run has shown, for a person to read.

use std::time::Duration;

use anyhow::bail;
use comfy_table::{Table, presets};
use failover_tests::sipp;

use crate::step;

/// The outcome of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// As the callers count.
    pub calls: sipp::Report,
    /// Of the failed ones, those whose callers had stopped retransmitting before the primary died.
    pub beyond_help: usize,
    /// How long the primary was away.
    pub away: Option<Duration>,
    /// From its death to the first packet that was steered.
    pub steered_after: Option<Duration>,
    /// From its return, when it answered again, to the moment at which it served.
    pub served_after: Option<Duration>,
    /// What was on the phones' wire.
    pub wire: Wire,
}

/// Packets on the phones' side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// All of them.
    pub packets: usize,
    /// With the backup's own address.
    pub from_backup: usize,
    /// With a wrong checksum.
    pub bad_checksums: usize,
}

impl Report {
    /// A line for each finding.
    pub fn table(&self) -> Table {
        let Self { calls, wire, .. } = self;
        let mut table = Table::new();
        table.load_style(presets::NOTHING).add_rows([
            ["calls placed".to_owned(), calls.placed.to_string()],
            ["calls failed".to_owned(), self.failed()],
            [
                "worst set-up time".to_owned(),
                format!("{} (median {})", ms(calls.worst_setup()), ms(calls.median_setup())),
            ],
            [format!("set-ups over {} ms", sipp::SLOW.as_millis()), calls.slow().to_string()],
            ["the primary was away for".to_owned(), time(self.away)],
            ["from its death to the first steered packet".to_owned(), time(self.steered_after)],
            ["from its return until it served again".to_owned(), time(self.served_after)],
            ["packets on the phones' side".to_owned(), wire.packets.to_string()],
            ["… with the backup's address".to_owned(), wire.from_backup.to_string()],
            ["… with a wrong checksum".to_owned(), wire.bad_checksums.to_string()],
        ]);
        table
    }

    /// The last word: a sentence, or what went wrong.
    pub fn judge(&self) -> anyhow::Result<()> {
        let lost = usize::try_from(self.calls.failed)?.saturating_sub(self.beyond_help);
        if lost > 0 {
            bail!("{lost} calls failed that could have been saved");
        }
        if self.steered_after.is_none() || self.served_after.is_none() {
            bail!("the daemon did not switch to the backup and back");
        }
        if self.wire.from_backup > 0 || self.wire.bad_checksums > 0 {
            bail!("the phones could tell that somebody else answered");
        }
        step::success(&format!(
            "the primary was away for {}, and the calls went on: {} placed, {} failed",
            time(self.away),
            self.calls.placed,
            self.failed()
        ));
        Ok(())
    }

    fn failed(&self) -> String {
        match self.beyond_help {
            0 => self.calls.failed.to_string(),
            n => format!(
                "{} ({n} had got 100 Trying and nothing more when the primary died, and were not repeated)",
                self.calls.failed
            ),
        }
    }
}

/// Callers count in whole milliseconds.
fn ms(time: Duration) -> String {
    match time.as_millis() {
        0 => "under 1 ms".to_owned(),
        milliseconds => format!("{milliseconds} ms"),
    }
}

fn time(time: Option<Duration>) -> String {
    match time {
        None => "never".to_owned(),
        Some(time) if time < Duration::from_secs(1) => ms(time),
        Some(time) => format!("{:.2} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Report {
        Report {
            calls: sipp::Report { placed: 6000, failed: 0, setups: vec![Duration::from_millis(2); 6000] },
            away: Some(Duration::from_secs(20)),
            steered_after: Some(Duration::from_millis(312)),
            served_after: Some(Duration::from_secs(10)),
            ..Report::default()
        }
    }

    #[test]
    fn a_run_is_good_when_every_call_that_could_be_saved_was_saved() {
        let mut report = good();
        report.judge().unwrap();
        report.calls.failed = 2;
        assert!(report.judge().is_err());
        report.beyond_help = 2;
        report.judge().unwrap();
        assert!(report.table().to_string().contains("2 (2 had got 100 Trying"));
    }

    #[test]
    fn a_run_without_a_switch_or_with_a_trace_of_the_backup_is_not_good() {
        assert!(Report { steered_after: None, ..good() }.judge().is_err());
        assert!(Report { served_after: None, ..good() }.judge().is_err());
        let wire = Wire { packets: 9, from_backup: 1, bad_checksums: 0 };
        assert!(Report { wire, ..good() }.judge().is_err());
    }
}
