//! `failover status --check`: the plugin interface of Nagios and its heirs. One line on standard output, performance
//! data behind the bar, and the exit code as the state. Whatever goes wrong is `UNKNOWN`.

use std::fmt::Write as _;

use super::{
    failure::Failure,
    output,
    session::Session,
    status::is_lost,
    words::{clean, serving, targets},
};
use crate::{
    control::message::{Admin, Serving, Status, TargetStatus},
    dataplane::offline,
};

/// The state that a monitoring system reads from the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// All targets on their primary.
    Ok = 0,
    /// Any on a backup, not `auto`, or stale; or an interface that is not attached.
    Warning = 1,
    /// Any without a healthy server.
    Critical = 2,
    /// Nobody knows.
    Unknown = 3,
}

pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let answer = session.or_pinned(session.client().status().await, offline::status);
    let (state, line) = match answer {
        Ok((status, _)) => judge(&status),
        Err(failure) => (State::Unknown, format!("FAILOVER UNKNOWN: {}", one_field(&failure.line()))),
    };
    output::text(&(line + "\n"))?;
    if state == State::Ok { Ok(()) } else { Err(Failure::Silent(state as u8)) }
}

/// The state and the line.
pub(super) fn judge(status: &Status) -> (State, String) {
    let mut findings: Vec<_> = status.targets.iter().filter_map(finding).collect();
    if status.router.stale {
        findings.push((State::Warning, "stale: no daemon watches".to_owned()));
    }
    let loose = status.router.interfaces.iter().filter(|interface| !interface.attached);
    findings.extend(
        loose.map(|interface| (State::Warning, format!("{} is not attached", clean(&interface.name)))),
    );
    findings.sort_by_key(|(state, _)| std::cmp::Reverse(*state));
    let state = findings.first().map_or(State::Ok, |(state, _)| *state);
    let words = if findings.is_empty() {
        format!("{} on their primary", targets(status.targets.len()))
    } else {
        findings.into_iter().map(|(_, words)| words).collect::<Vec<_>>().join("; ")
    };
    let word = match state {
        State::Ok => "OK",
        State::Warning => "WARNING",
        State::Critical => "CRITICAL",
        State::Unknown => "UNKNOWN",
    };
    (state, format!("FAILOVER {word}: {} | {}", one_field(&words), performance(status)))
}

/// What is not as it should be about a target.
fn finding(target: &TargetStatus) -> Option<(State, String)> {
    let why = target.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    let name = &target.name;
    if is_lost(target) {
        return Some((State::Critical, format!("{name} has no healthy server{why}")));
    }
    if target.serving != Some(Serving::Primary) {
        return Some((State::Warning, format!("{name} is served by {}{why}", serving(target))));
    }
    let manual = target.admin != Admin::Auto;
    manual.then(|| (State::Warning, format!("{name} is set to {}", target.admin.name())))
}

/// `label=value[unit]`, blank between.
fn performance(status: &Status) -> String {
    let count =
        |wanted: fn(&TargetStatus) -> bool| status.targets.iter().filter(|target| wanted(target)).count();
    let mut data = format!(
        "targets={} on_primary={} not_auto={} lost={} stale={}",
        status.targets.len(),
        count(|target| target.serving == Some(Serving::Primary)),
        count(|target| target.admin != Admin::Auto),
        count(is_lost),
        u8::from(status.router.stale),
    );
    for target in &status.targets {
        let name = one_field(&target.name).replace(['\'', '='], "_");
        // Writing to a String cannot fail.
        let _ = write!(data, " '{name}_steered'={}c", target.steered_packets);
        if let Some(rtt) = target.rtt_us {
            let _ = write!(data, " '{name}_rtt'={rtt}us");
        }
    }
    data
}

/// Text that neither ends the line nor begins the performance data.
fn one_field(text: &str) -> String {
    clean(text).replace('|', "/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        cli::fixture::{down, interface, status, target},
        health::Health,
    };

    #[test]
    fn all_on_their_primary_is_0() {
        let (state, line) = judge(&status(vec![target("paris"), target("rome")]));
        assert_eq!(state as u8, 0);
        assert_eq!(
            line,
            "FAILOVER OK: 2 targets on their primary | targets=2 on_primary=2 not_auto=0 lost=0 stale=0 \
             'paris_steered'=10c 'paris_rtt'=131us 'rome_steered'=10c 'rome_rtt'=131us"
        );
    }

    #[test]
    fn on_a_backup_not_auto_stale_or_not_attached_is_1() {
        let (state, line) = judge(&status(vec![target("rome"), down("paris")]));
        assert_eq!(state as u8, 1);
        assert!(line.starts_with(
            "FAILOVER WARNING: paris is served by BACKUP nsp-1 (sip options: no answer, 3 of 3) | "
        ));
        let manual = TargetStatus { admin: Admin::Primary, ..target("paris") };
        let (state, line) = judge(&status(vec![manual]));
        assert_eq!(state as u8, 1);
        assert!(line.starts_with("FAILOVER WARNING: paris is set to primary | "), "{line}");
        let mut unwatched = status(vec![target("paris")]);
        unwatched.router.stale = true;
        assert_eq!(judge(&unwatched).0 as u8, 1);
        assert!(judge(&unwatched).1.contains("stale=1"));
        let mut loose = status(vec![target("paris")]);
        loose.router.interfaces = vec![interface("lan0", false)];
        assert_eq!(judge(&loose), (State::Warning, judge(&loose).1));
        assert!(judge(&loose).1.starts_with("FAILOVER WARNING: lan0 is not attached | "));
    }

    #[test]
    fn without_a_healthy_server_is_2_and_said_first() {
        let mut lost = down("paris");
        lost.backups[0].health = Health::Recovering;
        let (state, line) = judge(&status(vec![down("rome"), lost]));
        assert_eq!(state as u8, 2);
        assert!(line.starts_with("FAILOVER CRITICAL: paris has no healthy server (sip "), "{line}");
        let nobody = TargetStatus { serving: Some(Serving::None), ..target("oslo") };
        assert_eq!(judge(&status(vec![nobody])).0 as u8, 2);
    }

    #[test]
    fn a_suspect_still_serves_and_what_is_unknown_is_not_lost() {
        let suspect = TargetStatus { health: Health::Suspect, ..target("paris") };
        let mut unknown = TargetStatus { health: Health::Unknown, ..target("rome") };
        unknown.backups[0].health = Health::Unknown;
        assert_eq!(judge(&status(vec![suspect, unknown])).0 as u8, 0);
    }

    #[test]
    fn hostile_words_end_neither_the_line_nor_the_text() {
        let reason = Some("503 | x=1\nOK".to_owned());
        let (_, line) = judge(&status(vec![TargetStatus { reason, ..down("paris") }]));
        assert_eq!(line.matches('|').count(), 1);
        assert_eq!(line.lines().count(), 1);
    }
}
