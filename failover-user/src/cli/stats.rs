//! `failover stats`: the packet counters.

use clap::Args;
use comfy_table::Cell;

use super::{
    failure::Failure,
    output,
    session::Session,
    table::{Mood, View, loud, plain, render},
    words::clean,
};
use crate::{
    control::message::{By, Count, Stats, TargetCounts},
    dataplane::offline,
};

/// What stands in the place of a target's name, for packets about none.
const ROUTER: &str = "(router)";
/// The same, for packets about any.
const TARGETS: &str = "(targets)";
/// What stands in the place of an interface's name, for those that have no place in the counters.
const OTHERS: &str = "(others)";

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Tell the packets apart by this, too
    #[arg(long, value_enum)]
    by: Option<By>,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let by = arguments.by;
    let stats = session.look(session.client().stats(by).await, |config| offline::stats(config, by))?;
    output::value(session.output(), &stats, |stats| text(stats, &View::here()))
}

fn text(stats: &Stats, view: &View) -> String {
    let (header, rows) = if let Some(interfaces) = &stats.interfaces {
        let rows = interfaces.iter().flat_map(|interface| {
            let name = interface.name.as_deref().unwrap_or(OTHERS);
            let of = move |what, counts| before(name, rows(what, counts));
            of(TARGETS, &interface.targets).chain(of(ROUTER, &interface.router))
        });
        (&["INTERFACE", "TARGET", "REASON", "PACKETS", "BYTES"][..], rows.collect::<Vec<_>>())
    } else if let Some(cpus) = &stats.cpus {
        let rows = cpus.iter().flat_map(|cpu| before(&cpu.cpu.to_string(), all(&cpu.targets, &cpu.router)));
        (&["CPU", "TARGET", "REASON", "PACKETS", "BYTES"][..], rows.collect())
    } else {
        (&["TARGET", "REASON", "PACKETS", "BYTES"][..], all(&stats.targets, &stats.router))
    };
    let counted =
        if rows.is_empty() { "no packet was counted yet\n".to_owned() } else { render(view, header, rows) };
    if stats.stale {
        loud(Mood::Warn, "STALE: no daemon watches; the kernel counts on") + "\n\n" + &counted
    } else {
        counted
    }
}

/// The targets, and the router last.
fn all(targets: &[TargetCounts], router: &[Count]) -> Vec<Vec<Cell>> {
    let targets = targets.iter().flat_map(|target| rows(&target.name, &target.counts));
    targets.chain(rows(ROUTER, router)).collect()
}

fn rows(target: &str, counts: &[Count]) -> Vec<Vec<Cell>> {
    let row = |count: &Count| {
        vec![plain(clean(target)), plain(clean(&count.reason)), plain(count.packets), plain(count.bytes)]
    };
    counts.iter().map(row).collect()
}

/// The same, with one column more before all others.
fn before(word: &str, rows: Vec<Vec<Cell>>) -> impl Iterator<Item = Vec<Cell>> + use<> {
    let word = clean(word).into_owned();
    rows.into_iter().map(move |row| std::iter::once(plain(&word)).chain(row).collect())
}

#[cfg(test)]
mod tests {
    use jiff::{Timestamp, tz::TimeZone};

    use super::*;
    use crate::control::message::{CpuCounts, InterfaceCounts};

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
        let interface = |name: Option<&str>, router, targets| InterfaceCounts {
            name: name.map(str::to_owned),
            router: vec![count(8, "not-signalling", router)],
            targets,
        };
        let interfaces =
            vec![interface(Some("lan0"), 1000, paris.counts.clone()), interface(None, 234, vec![])];
        let cpus = vec![
            CpuCounts { cpu: 0, router: vec![], targets: vec![paris.clone()] },
            CpuCounts { cpu: 1, router: vec![count(8, "not-signalling", 1234)], targets: vec![] },
        ];
        let mut stats = Stats {
            schema: 1,
            stale: false,
            router: vec![count(8, "not-signalling", 1234)],
            targets: vec![paris],
            interfaces: None,
            cpus: None,
        };
        assert_eq!(
            anstream::adapter::strip_str(&text(&stats, &view)).to_string(),
            "TARGET    REASON          PACKETS  BYTES\n\
             paris     steered         10       5000\n\
             (router)  not-signalling  1234     617000\n"
        );
        stats.stale = true;
        assert!(text(&stats, &view).contains("STALE: no daemon watches"));
        (stats.stale, stats.interfaces) = (false, Some(interfaces));
        assert_eq!(
            text(&stats, &view),
            "INTERFACE  TARGET     REASON          PACKETS  BYTES\n\
             lan0       (targets)  steered         10       5000\n\
             lan0       (router)   not-signalling  1000     500000\n\
             (others)   (router)   not-signalling  234      117000\n"
        );
        (stats.interfaces, stats.cpus) = (None, Some(cpus));
        assert_eq!(
            text(&stats, &view),
            "CPU  TARGET    REASON          PACKETS  BYTES\n\
             0    paris     steered         10       5000\n\
             1    (router)  not-signalling  1234     617000\n"
        );
        let none = Stats { router: vec![], targets: vec![], cpus: None, ..stats };
        assert_eq!(text(&none, &view), "no packet was counted yet\n");
    }
}
