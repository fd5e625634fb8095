//! `failover stats`: the packet counters.

use super::{
    failure::Failure,
    output,
    session::Session,
    table::{Mood, View, loud, plain, render},
    words::clean,
};
use crate::{
    control::message::{Count, Stats},
    dataplane::offline,
};

/// What stands in the place of a target's name, for packets about none.
const ROUTER: &str = "(router)";

pub(super) async fn run(session: &Session) -> Result<(), Failure> {
    let stats = session.look(session.client().stats().await, offline::stats)?;
    output::value(session.output(), &stats, |stats| text(stats, &View::here()))
}

fn text(stats: &Stats, view: &View) -> String {
    let router = stats.router.iter().map(|count| row(ROUTER, count));
    let targets = stats.targets.iter();
    let targets = targets.flat_map(|target| target.counts.iter().map(|count| row(&target.name, count)));
    let rows: Vec<_> = targets.chain(router).collect();
    let counted = if rows.is_empty() {
        "no packet was counted yet\n".to_owned()
    } else {
        render(view, &["TARGET", "REASON", "PACKETS", "BYTES"], rows)
    };
    if stats.stale {
        loud(Mood::Warn, "STALE: no daemon watches; the kernel counts on") + "\n\n" + &counted
    } else {
        counted
    }
}

fn row(target: &str, count: &Count) -> Vec<comfy_table::Cell> {
    vec![plain(clean(target)), plain(clean(&count.reason)), plain(count.packets), plain(count.bytes)]
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    use super::*;
    use crate::control::message::TargetCounts;

    #[test]
    fn targets_come_first_and_the_router_last() {
        let view = View { now: Timestamp::UNIX_EPOCH, zone: TimeZone::UTC, width: None };
        let count = |number, reason: &str, packets| Count {
            number,
            reason: reason.into(),
            packets,
            bytes: packets * 500,
        };
        let paris = TargetCounts { name: "paris".into(), counts: vec![count(17, "steered", 10)] };
        let mut stats = Stats {
            schema: 1,
            stale: false,
            router: vec![count(8, "not-signalling", 1234)],
            targets: vec![paris],
        };
        assert_eq!(
            anstream::adapter::strip_str(&text(&stats, &view)).to_string(),
            "TARGET    REASON          PACKETS  BYTES\n\
             paris     steered         10       5000\n\
             (router)  not-signalling  1234     617000\n"
        );
        stats.stale = true;
        assert!(text(&stats, &view).contains("STALE: no daemon watches"));
        let none = Stats { schema: 1, stale: false, router: vec![], targets: vec![] };
        assert_eq!(text(&none, &view), "no packet was counted yet\n");
    }
}
