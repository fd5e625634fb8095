//! Fixed answers of a daemon, for the tests of what is made of them.

use jiff::tz::TimeZone;

use super::table::View;
use crate::{
    control::message::{
        Admin, BackupStatus, FlowTable, InterfaceStatus, ProbeStatus, RouterStatus, SCHEMA, Serving, Status,
        TargetStatus,
    },
    health::Health,
};

/// Three minutes and twelve seconds after everything began.
pub(super) fn view() -> View {
    let now = "2026-03-01T03:03:12Z".parse().expect("a time");
    View { now, zone: TimeZone::UTC, width: None }
}

pub(super) fn status(targets: Vec<TargetStatus>) -> Status {
    let interfaces = vec![interface("wan0", true)];
    let router = RouterStatus {
        pid: Some(4711),
        uptime_s: Some(192.4),
        stale: false,
        interfaces,
        flows: Some(FlowTable { answered: 1200, calls: 40, room: 262_144 }),
    };
    Status { schema: SCHEMA, router, targets }
}

pub(super) fn interface(name: &str, attached: bool) -> InterfaceStatus {
    let reason = (!attached).then(|| "no such device".to_owned());
    InterfaceStatus { name: name.to_owned(), mode: attached.then(|| "native".to_owned()), attached, reason }
}

/// On its primary, all well.
pub(super) fn target(name: &str) -> TargetStatus {
    TargetStatus {
        name: name.to_owned(),
        admin: Admin::Auto,
        admin_until: None,
        admin_reason: None,
        health: Health::Up,
        serving: Some(Serving::Primary),
        backup: None,
        draining_to: None,
        since: Some("2026-03-01T03:00:00.000000Z".to_owned()),
        reason: None,
        rtt_us: Some(131),
        steered_packets: 10,
        steered_bytes: 5000,
        returned_packets: 9,
        pins: Some(4),
        backups: vec![BackupStatus { name: "nsp-1".to_owned(), health: Health::Up, rtt_us: Some(1250) }],
        probes: vec![probe("primary", Health::Up, "200 OK"), probe("nsp-1", Health::Up, "200 OK")],
    }
}

/// On its backup: the primary is dead.
pub(super) fn down(name: &str) -> TargetStatus {
    TargetStatus {
        health: Health::Down,
        serving: Some(Serving::Backup),
        backup: Some("nsp-1".to_owned()),
        reason: Some("sip options: no answer, 3 of 3".to_owned()),
        rtt_us: None,
        probes: vec![
            probe("primary", Health::Down, "no answer in 300ms"),
            probe("nsp-1", Health::Up, "200 OK"),
        ],
        ..target(name)
    }
}

fn probe(server: &str, health: Health, last: &str) -> ProbeStatus {
    let rtt_us = (health == Health::Up).then_some(120);
    ProbeStatus {
        service: "sip/udp".to_owned(),
        server: server.to_owned(),
        address: if server == "primary" { "192.0.2.10:5060" } else { "[2001:db8::20]:15060" }.to_owned(),
        health,
        rtt_us,
        last: Some(last.to_owned()),
    }
}
