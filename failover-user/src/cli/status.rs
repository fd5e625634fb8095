//! `failover status`: read at three in the morning, so the worst comes first, and loud.

use std::time::Duration;

use clap::Args;
use comfy_table::Cell;

use super::{
    Output,
    failure::Failure,
    monitor, output,
    session::Session,
    table::{Mood, View, colored, loud, plain, render},
    words::{self, admin, clean, or_dash, rtt, serving, since, span},
};
use crate::{
    control::message::{Admin, FlowTable, InterfaceStatus, RouterStatus, Serving, Status, TargetStatus},
    dataplane::offline,
    health::Health,
};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Show it again every second, until Ctrl-C
    #[arg(long, conflicts_with = "check")]
    watch: bool,
    /// Be a monitoring plugin: one line with performance data, and exit code 0 (all targets on their primary), 1 (any
    /// on a backup, not `auto`, or stale; or an interface not attached), 2 (any without a healthy server) or 3 (unknown)
    #[arg(long)]
    check: bool,
}

pub(super) async fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.check {
        return monitor::run(session).await;
    }
    if arguments.watch {
        return tokio::select! {
            ended = watch(session) => ended,
            _ = tokio::signal::ctrl_c() => Ok(()),
        };
    }
    let status = session.look(session.client().status().await, offline::status)?;
    output::value(session.output(), &status, |status| text(status, &View::here()))
}

/// Goes on whatever happens to the daemon: this is when somebody watches.
async fn watch(session: &Session) -> Result<(), Failure> {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        second.tick().await;
        let answer = session.or_pinned(session.client().status().await, offline::status);
        match (answer, session.output()) {
            (Ok((status, _)), Output::Text) => redraw(&text(&status, &View::here()))?,
            (Err(failure), Output::Text) => redraw(&failure.text(true))?,
            (Ok((status, _)), _) => output::value(Output::Jsonl, &status, |_| String::new())?,
            (Err(failure), _) => output::note(&failure.line()),
        }
    }
}

/// From the top left corner, over what was there. Where that is no terminal, the escapes are taken out on the way.
fn redraw(text: &str) -> Result<(), Failure> {
    output::text(&format!("\u{1b}[H\u{1b}[2J{text}"))
}

/// Everything, for a person.
pub(super) fn text(status: &Status, view: &View) -> String {
    let mut text = headline(status) + "\n";
    if status.router.stale {
        let line =
            "STALE: no daemon watches. The kernel keeps the last decision, whatever happens to the servers.";
        text += &(loud(Mood::Bad, line) + "\nStart the daemon: systemctl start failover\n");
    }
    for interface in status.router.interfaces.iter().filter(|interface| !interface.attached) {
        let name = clean(&interface.name);
        text +=
            &(loud(Mood::Bad, &format!("{name} IS NOT ATTACHED: what comes in there is not steered")) + "\n");
    }
    if !status.targets.is_empty() {
        let (targets, servers) = (targets(&status.targets, view), servers(&status.targets, view));
        text += &["\n", &targets, "\n", &servers].concat();
    }
    text + "\n" + &interfaces(&status.router.interfaces, view) + "\n" + &daemon(&status.router)
}

/// How bad it is, in one line.
fn headline(status: &Status) -> String {
    let all = status.targets.len();
    let count = |mood| status.targets.iter().filter(|target| self::mood(target) == mood).count();
    match (count(Mood::Bad), count(Mood::Warn)) {
        _ if all == 0 => loud(Mood::Warn, "no target is configured"),
        (0, 0) if status.router.stale => loud(Mood::Warn, &format!("{} when last seen", on_primary(all))),
        (0, 0) => loud(Mood::Good, &on_primary(all)),
        (0, warn) => loud(Mood::Warn, &format!("{warn} of {} to be looked at", words::targets(all))),
        (bad, warn) => {
            let more = if warn == 0 { String::new() } else { format!(", {warn} more to be looked at") };
            loud(Mood::Bad, &format!("{bad} of {} WITHOUT A HEALTHY SERVER{more}", words::targets(all)))
        }
    }
}

fn on_primary(all: usize) -> String {
    if all == 1 {
        "the target is on its primary".to_owned()
    } else {
        format!("all {all} targets are on their primaries")
    }
}

/// Whether a server of this health can serve.
fn can_serve(health: Health) -> bool {
    matches!(health, Health::Up | Health::Suspect)
}

/// Whether it is known that no server of the target can serve.
pub(super) fn is_lost(target: &TargetStatus) -> bool {
    let mut healths = std::iter::once(target.health).chain(target.backups.iter().map(|backup| backup.health));
    let known = healths.clone().any(|health| health != Health::Unknown);
    target.serving == Some(Serving::None) || (known && !healths.any(can_serve))
}

/// How bad it is about one target.
pub(super) fn mood(target: &TargetStatus) -> Mood {
    if is_lost(target) {
        Mood::Bad
    } else if target.serving == Some(Serving::Primary)
        && target.admin == Admin::Auto
        && target.health != Health::Suspect
    {
        Mood::Good
    } else {
        Mood::Warn
    }
}

/// The worst first; among the equally bad those that a backup serves, then in the order of the configuration.
fn worst_first(targets: &[TargetStatus]) -> Vec<&TargetStatus> {
    let mut sorted: Vec<_> = targets.iter().collect();
    sorted.sort_by_key(|target| (mood(target), target.serving == Some(Serving::Primary)));
    sorted
}

/// The table of targets.
pub(super) fn targets(targets: &[TargetStatus], view: &View) -> String {
    let header = ["TARGET", "SERVED BY", "HEALTH", "ADMIN", "SINCE", "REASON"];
    let row = |target: &&TargetStatus| {
        vec![
            colored(mood(target), clean(&target.name)),
            colored(mood(target), serving(target)),
            of_health(target.health),
            admin_cell(target, view),
            plain(since(target.since.as_deref(), view.now, &view.zone)),
            plain(or_dash(target.reason.as_deref())),
        ]
    };
    render(view, &header, worst_first(targets).iter().map(row).collect())
}

fn admin_cell(target: &TargetStatus, view: &View) -> Cell {
    let mood = if target.admin == Admin::Auto { Mood::Plain } else { Mood::Warn };
    colored(mood, admin(target, view.now, &view.zone))
}

fn of_health(is: Health) -> Cell {
    colored(is.into(), is.name())
}

/// The table of servers: each as a whole, then its probes.
pub(super) fn servers(targets: &[TargetStatus], view: &View) -> String {
    let header = ["TARGET", "SERVER", "SERVICE", "ADDRESS", "HEALTH", "RTT", "LAST"];
    render(view, &header, worst_first(targets).into_iter().flat_map(rows).collect())
}

fn rows(target: &TargetStatus) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let primary = std::iter::once(("primary", target.health, target.rtt_us));
    let backups = target.backups.iter().map(|backup| (backup.name.as_str(), backup.health, backup.rtt_us));
    for (server, health, round_trip) in primary.chain(backups) {
        let (name, server_cell) = (clean(&target.name), clean(server));
        rows.push(vec![
            plain(&name),
            plain(&server_cell),
            plain("(all)"),
            plain(""),
            of_health(health),
            plain(rtt(round_trip)),
        ]);
        for probe in target.probes.iter().filter(|probe| probe.server == server) {
            rows.push(vec![
                plain(&name),
                plain(&server_cell),
                plain(clean(&probe.service)),
                plain(clean(&probe.address)),
                of_health(probe.health),
                plain(rtt(probe.rtt_us)),
                plain(or_dash(probe.last.as_deref())),
            ]);
        }
    }
    rows
}

fn interfaces(interfaces: &[InterfaceStatus], view: &View) -> String {
    let row = |interface: &InterfaceStatus| {
        let state = if interface.attached {
            colored(Mood::Good, "attached")
        } else {
            colored(Mood::Bad, "NOT ATTACHED")
        };
        let (mode, reason) = (or_dash(interface.mode.as_deref()), or_dash(interface.reason.as_deref()));
        let reason = if interface.attached && interface.reason.is_none() { "".into() } else { reason };
        vec![plain(clean(&interface.name)), state, plain(mode), plain(reason)]
    };
    render(view, &["INTERFACE", "STATE", "MODE", ""], interfaces.iter().map(row).collect())
}

fn daemon(router: &RouterStatus) -> String {
    let flows = router.flows.map_or_else(String::new, |flows| {
        let FlowTable { answered, calls, room } = flows;
        format!("flows: {answered} of {room} entries; calls: {calls} of {room}\n")
    });
    let daemon = match (router.pid, router.uptime_s) {
        (Some(pid), Some(uptime)) => format!("daemon: pid {pid}, up {}\n", span(uptime as i64)),
        (Some(pid), None) => format!("daemon: pid {pid}\n"),
        (None, _) => "daemon: not running\n".to_owned(),
    };
    daemon + &flows
}

#[cfg(test)]
mod tests;
