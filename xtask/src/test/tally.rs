//! Adds up what the test programs report, so that the last line of a long run says it all.

use std::time::Duration;

/// Sums over `test result:` lines.
#[derive(Debug, Default, PartialEq)]
pub struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
    filtered: u64,
}

impl Tally {
    /// Looks at one line of output.
    pub fn read(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let counts = result.split_once(". ").map_or(result, |(_, counts)| counts);
        for count in counts.split("; ") {
            let Some((number, what)) = count.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                "filtered out" => self.filtered += number,
                _ => {}
            }
        }
    }

    /// The line for all of them, in the form of each.
    pub fn result(&self, good: bool, time: Duration) -> String {
        let Self { passed, failed, ignored, filtered } = self;
        let word = if good { "ok" } else { "FAILED" };
        let time = time.as_secs_f64();
        format!(
            "test result: {word}. {passed} passed; {failed} failed; {ignored} ignored; 0 measured; {filtered} filtered out; finished in {time:.2}s"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_added_and_the_sum_reads_like_one() {
        let mut tally = Tally::default();
        tally.read("test reason::tests::numbers ... ok");
        tally.read(
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 0.01s",
        );
        tally.read("test result: FAILED. 3 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        let sum = tally.result(false, Duration::from_millis(1500));
        assert_eq!(
            sum,
            "test result: FAILED. 8 passed; 1 failed; 1 ignored; 0 measured; 2 filtered out; finished in 1.50s"
        );
        let mut again = Tally::default();
        again.read(&sum);
        assert_eq!(again, tally);
    }
}
