//! How single values read: words, ages, moments, round trips. Everything that came from elsewhere goes through
//! [`clean`]: a server's reason phrase must not be able to drive the operator's terminal.

use std::{borrow::Cow, fmt::Write as _, time::Duration};

use jiff::{Timestamp, tz::TimeZone};

use crate::control::message::{Admin, Serving, TargetStatus};

/// What stands where nothing is known.
pub(super) const NOTHING: &str = "-";

/// The text, with everything that a terminal might obey spelled out.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_command) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        if is_command(char) { plain.extend(char.escape_unicode()) } else { plain.push(char) }
    }
    Cow::Owned(plain)
}

/// Control characters, and those that turn the direction of what follows.
fn is_command(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text, or a dash.
pub(super) fn or_dash(text: Option<&str>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(NOTHING), clean)
}

/// How many targets.
pub(super) fn targets(count: usize) -> String {
    if count == 1 { "1 target".to_owned() } else { format!("{count} targets") }
}

/// Who serves: anything but the primary in capitals, for those who see no colour.
pub(super) fn serving(target: &TargetStatus) -> String {
    let backup = || or_dash(target.backup.as_deref());
    match target.serving {
        None => "unknown".to_owned(),
        Some(Serving::Primary) => "primary".to_owned(),
        Some(Serving::Backup) => format!("BACKUP {}", backup()),
        Some(Serving::Draining) => match target.draining_to.as_deref() {
            Some("backup") => format!("DRAINING to {}", backup()),
            Some(to) => format!("DRAINING to {}", clean(to)),
            None => "DRAINING".to_owned(),
        },
        Some(Serving::None) => "NOBODY".to_owned(),
    }
}

/// What the operator said, until when and why.
pub(super) fn admin(target: &TargetStatus, now: Timestamp, zone: &TimeZone) -> String {
    let mut words = match target.admin {
        Admin::Auto => "auto".to_owned(),
        state => state.name().to_uppercase(),
    };
    // Writing to a String cannot fail.
    if let Some(until) = target.admin_until.as_deref() {
        let _ = write!(words, " until {}", moment(until, zone));
        if let Some(left) = until.parse::<Timestamp>().ok().map(|until| until.duration_since(now).as_secs()) {
            let _ = write!(words, " (in {})", span(left));
        }
    }
    if let Some(reason) = target.admin_reason.as_deref() {
        let _ = write!(words, ": {}", clean(reason));
    }
    words
}

/// How long ago, and when.
pub(super) fn since(time: Option<&str>, now: Timestamp, zone: &TimeZone) -> String {
    let Some(time) = time else { return NOTHING.to_owned() };
    match time.parse::<Timestamp>() {
        Ok(then) => format!("{} ago ({})", span(now.duration_since(then).as_secs()), moment(time, zone)),
        Err(_) => clean(time).into_owned(),
    }
}

/// A moment to the second, in the given zone.
pub(super) fn moment(time: &str, zone: &TimeZone) -> String {
    match time.parse::<Timestamp>() {
        Ok(then) => then.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        Err(_) => clean(time).into_owned(),
    }
}

/// A moment to the millisecond, without its zone: for lines that come one after the other.
pub(super) fn instant(time: &str, zone: &TimeZone) -> String {
    match time.parse::<Timestamp>() {
        Ok(then) => then.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
        Err(_) => clean(time).into_owned(),
    }
}

/// Seconds in the two largest units that they fill; nothing is below zero.
pub(super) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let units = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let first = units.iter().position(|&(_, size)| seconds >= size).unwrap_or(units.len() - 1);
    let (unit, size) = units[first];
    let mut words = format!("{}{unit}", seconds / size);
    if let Some((unit, smaller)) = units.get(first + 1)
        && seconds % size >= *smaller
    {
        let _ = write!(words, " {}{unit}", seconds % size / smaller);
    }
    words
}

/// A round trip.
pub(super) fn rtt(micros: Option<u64>) -> String {
    match micros {
        None => NOTHING.to_owned(),
        Some(micros @ 0..1_000) => format!("{micros} µs"),
        Some(micros @ 1_000..1_000_000) => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        Some(micros) => format!("{}.{} s", micros / 1_000_000, micros % 1_000_000 / 100_000),
    }
}

/// A duration that an operator gave, as it would be given again.
pub(super) fn given(duration: Duration) -> String {
    humantime::format_duration(duration).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        let cases = [
            (-5, "0s"),
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (192, "3m 12s"),
            (3_600, "1h"),
            (3_659, "1h"),
            (7_260, "2h 1m"),
            (200_000, "2d 7h"),
        ];
        for (seconds, words) in cases {
            assert_eq!(span(seconds), words);
        }
    }

    #[test]
    fn round_trips_keep_their_unit_readable() {
        assert_eq!(rtt(None), "-");
        assert_eq!(rtt(Some(131)), "131 µs");
        assert_eq!(rtt(Some(1_250)), "1.2 ms");
        assert_eq!(rtt(Some(2_340_000)), "2.3 s");
    }

    #[test]
    fn what_a_terminal_might_obey_is_spelled_out() {
        assert_eq!(clean("200 OK"), "200 OK");
        assert_eq!(clean("\u{1b}[2J\r\nOK"), "\\u{1b}[2J\\u{d}\\u{a}OK");
        assert_eq!(clean("a\u{202e}b"), "a\\u{202e}b");
    }

    #[test]
    fn moments_that_cannot_be_read_are_shown_as_they_are() {
        let (now, zone) = (Timestamp::UNIX_EPOCH, TimeZone::UTC);
        assert_eq!(since(Some("soon"), now, &zone), "soon");
        assert_eq!(since(None, now, &zone), "-");
        assert_eq!(moment("1970-01-01T00:00:01.5Z", &zone), "1970-01-01 00:00:01 UTC");
        assert_eq!(instant("1970-01-01T00:00:01.5Z", &zone), "1970-01-01 00:00:01.500");
    }
}
