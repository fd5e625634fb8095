//! `failover check`: the configuration, explained. Pure: from a checked file to text or JSON.

use std::{fmt::Write as _, time::Duration};

use humantime::format_duration;
use serde_json::{Value, json};

use crate::{
    config::{
        ConfigError, Loaded,
        model::{AllDown, Backup, Interface, Probe, Require, Router, Service, StatusSet, Target},
    },
    control::message::SCHEMA,
};

/// What the configuration does, for a person.
pub fn explain(loaded: &Loaded) -> String {
    let targets = &loaded.config.targets;
    let plural = if targets.len() == 1 { "" } else { "s" };
    let warnings = match loaded.warnings.len() {
        0 => "no warnings".to_owned(),
        1 => "1 warning".to_owned(),
        n => format!("{n} warnings"),
    };
    let mut parts =
        vec![format!("The configuration is valid: {} target{plural}, {warnings}.\n", targets.len())];
    parts.push(router(&loaded.config.router));
    parts.extend(targets.iter().map(target));
    parts.extend(loaded.warnings.iter().map(|warning| format!("warning: {warning}\n")));
    parts.join("\n")
}

/// The same in JSON.
pub fn explain_json(loaded: &Loaded) -> Value {
    let targets: Vec<_> = loaded.config.targets.iter().map(target_json).collect();
    json!({ "schema": SCHEMA, "valid": true, "targets": targets, "warnings": loaded.warnings })
}

/// What is wrong, in JSON: every problem in order of position. What is about the file as a whole has no line.
pub fn error_json(error: &ConfigError) -> Value {
    let problem = |p: crate::config::Located| json!({ "line": p.line, "column": p.column, "message": p.message, "help": p.help });
    let errors: Vec<_> = error.problems().into_iter().map(problem).collect();
    json!({ "schema": SCHEMA, "valid": false, "errors": errors })
}

/// The longest time from a server's death to `down`: it dies just after it was asked; the next probe starts an
/// interval later and runs into its time-out; the others follow at the fast pace, each after the end of the one
/// before. Probes come up to a tenth later than their interval says.
pub fn worst_detection(probe: &Probe) -> Duration {
    let late = |interval: Duration| interval * 11 / 10;
    let each = late(probe.fast_interval).max(probe.timeout);
    late(probe.interval) + probe.timeout + each * u32::from(probe.fall.get() - 1)
}

/// The shortest time from a server's first answer to `up`. Probes come up to a tenth earlier than their interval says.
pub fn least_recovery(probe: &Probe) -> Duration {
    probe.hold_down.max(probe.interval * 9 / 10 * u32::from(probe.rise.get() - 1))
}

fn router(router: &Router) -> String {
    let interface = |i: &Interface| format!("{} ({})", i.name, i.mode);
    let interfaces: Vec<_> = router.interfaces.iter().map(interface).collect();
    let mut out = String::from("router\n");
    line(&mut out, "interfaces", interfaces.join(", "));
    line(&mut out, "control", router.control_socket.display());
    line(&mut out, "state", router.state_dir.display());
    line(&mut out, "pinned in", router.bpffs_dir.display());
    line(&mut out, "room for", format!("{} flows", router.max_flows));
    out
}

fn target(target: &Target) -> String {
    let mut out = format!("target {} at {}\n", target.name, target.address);
    for (n, service) in target.services.iter().enumerate() {
        let way = |backup: &Backup| format!("{} {}:{}", backup.name, backup.address, backup.ports[n]);
        let ways: Vec<_> = target.backups.iter().map(way).collect();
        line(
            &mut out,
            &service.to_string(),
            format!("{}:{} → {}", target.address, service.port, ways.join(", else ")),
        );
    }
    for backup in &target.backups {
        line(&mut out, "way back", return_way(target, backup));
    }
    line(&mut out, "probed", probed(target));
    line(&mut out, "alive", format!("SIP status {}", statuses(&target.probe.sip_alive)));
    line(&mut out, "down", down(target));
    line(&mut out, "up again", up(&target.probe));
    line(&mut out, "none healthy", all_down(target.all_down));
    out
}

fn line(out: &mut String, what: &str, text: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "  {what:<14}{text}");
}

fn return_way(target: &Target, backup: &Backup) -> String {
    if backup.dedicated {
        format!("all that {} sends from these ports comes from {}", backup.name, target.address)
    } else {
        format!("{} answers, and calls hosts that were steered to it, as {}", backup.name, target.address)
    }
}

fn probed(target: &Target) -> String {
    let probe = &target.probe;
    let services: Vec<_> = target.services.iter().map(Service::to_string).collect();
    format!(
        "SIP OPTIONS to {} every {}, every {} after a failure; an answer may take {}",
        services.join(" and "),
        format_duration(probe.interval),
        format_duration(probe.fast_interval),
        format_duration(probe.timeout),
    )
}

fn down(target: &Target) -> String {
    let probe = &target.probe;
    let which = match (target.require, target.services.len()) {
        (_, 1) => "",
        (Require::All, _) => " of any service",
        (Require::Any, _) => " of every service",
    };
    let failures = match probe.fall.get() {
        1 => "1 failure".to_owned(),
        n => format!("{n} failures in a row"),
    };
    format!("after {failures}{which}: at worst {} after death", format_duration(worst_detection(probe)))
}

fn up(probe: &Probe) -> String {
    let answers = match probe.rise.get() {
        1 => "1 answer".to_owned(),
        n => format!("{n} answers in a row"),
    };
    let least = format_duration(least_recovery(probe));
    format!("after {answers}, at least {least} after the first; packets return to the primary at once")
}

fn statuses(set: &StatusSet) -> String {
    let range =
        |&(low, high): &(u16, u16)| if low == high { low.to_string() } else { format!("{low}–{high}") };
    set.ranges.iter().map(range).collect::<Vec<_>>().join(", ")
}

fn all_down(policy: AllDown) -> &'static str {
    match policy {
        AllDown::Primary => "packets go to the primary, as without failover",
        AllDown::Backup => "packets go to the first backup",
        AllDown::Drop => "packets are dropped",
    }
}

fn target_json(target: &Target) -> Value {
    let millis = |d: Duration| d.as_millis() as u64;
    let service = |(n, s): (usize, &Service)| {
        let server = |b: &Backup| json!({ "backup": b.name, "address": b.address, "port": b.ports[n] });
        let servers: Vec<_> = target.backups.iter().map(server).collect();
        json!({
            "service": s.to_string(), "protocol": s.kind.name(), "transport": s.transport.to_string(),
            "port": s.port, "backups": servers,
        })
    };
    let backup = |b: &Backup| json!({ "name": b.name, "address": b.address, "dedicated": b.dedicated });
    let probe = &target.probe;
    json!({
        "name": target.name,
        "address": target.address,
        "services": target.services.iter().enumerate().map(service).collect::<Vec<_>>(),
        "backups": target.backups.iter().map(backup).collect::<Vec<_>>(),
        "all_down": match target.all_down {
            AllDown::Primary => "primary",
            AllDown::Backup => "backup",
            AllDown::Drop => "drop",
        },
        "require": match target.require { Require::All => "all", Require::Any => "any" },
        "probe": {
            "interval_ms": millis(probe.interval),
            "fast_interval_ms": millis(probe.fast_interval),
            "timeout_ms": millis(probe.timeout),
            "fall": probe.fall,
            "rise": probe.rise,
            "hold_down_ms": millis(probe.hold_down),
            "sip_alive": probe.sip_alive.ranges,
        },
        "worst_detection_ms": millis(worst_detection(probe)),
        "least_recovery_ms": millis(least_recovery(probe)),
    })
}

#[cfg(test)]
mod tests;
