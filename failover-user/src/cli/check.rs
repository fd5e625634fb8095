//! `failover check`: the configuration, explained. Pure: from a checked file to text or JSON.

mod probing;

use std::{
    fmt::Write as _,
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use humantime::format_duration;
use serde_json::{Value, json};

use crate::{
    config::{
        ConfigError, Loaded,
        model::{
            Addresses, Affinity, AllDown, Backup, Failback, Family, Forward, Interface, Probe, Require,
            Router, Service, Steer, Target, Transport,
        },
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
    // What is not there is shown where it is named.
    let others = loaded.warnings.iter().take(loaded.warnings.len() - loaded.absent.len());
    parts.extend(others.map(|warning| format!("warning: {warning}\n")));
    parts.extend((!loaded.absent.is_empty()).then(|| loaded.absent.report(false)));
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
    let counted = probe.timeout + each * u32::from(probe.fall.get() - 1);
    late(probe.interval) + counted.max(probe.silence + each)
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
    if router.forward == Forward::Kernel {
        line(&mut out, "forwards", "through the kernel, its firewall and its address translation");
    }
    if let Some(prefix) = router.envelope_source {
        line(&mut out, "envelopes", format!("of IPv4 from {prefix}, an address for each flow"));
    }
    out
}

fn target(target: &Target) -> String {
    let mut out = format!("target {} at {}\n", target.name, target.addresses);
    for (n, service) in target.services.iter().enumerate() {
        for address in target.addresses.iter() {
            let ways: Vec<_> =
                ways(target, n, address).map(|(backup, at)| format!("{} {at}", backup.name)).collect();
            let ways = if ways.is_empty() { "never steered".to_owned() } else { ways.join(", else ") };
            let asked = SocketAddr::new(address, service.port);
            line(&mut out, &service.to_string(), format!("{asked} → {ways}"));
        }
    }
    if let Some(how) = unrewritten(target.steer) {
        line(&mut out, "steered", how);
    }
    for backup in &target.backups {
        line(&mut out, "way back", return_way(target, backup));
    }
    for (what, text) in probing::lines(target) {
        line(&mut out, what, text);
    }
    line(&mut out, "down", down(target));
    line(&mut out, "up again", up(target));
    line(&mut out, "stays", stays(target));
    line(&mut out, "none healthy", all_down(target.all_down));
    out
}

/// The backups that can serve `address`, and where they serve the `n`-th service.
fn ways(target: &Target, n: usize, address: IpAddr) -> impl Iterator<Item = (&Backup, SocketAddr)> {
    target.backups.iter().filter_map(move |backup| {
        let at = target.steer.address(backup.addresses, Family::of(address))?;
        Some((backup, SocketAddr::new(at, *backup.ports.get(n)?)))
    })
}

fn line(out: &mut String, what: &str, text: impl std::fmt::Display) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "  {what:<14}{text}");
}

fn return_way(target: &Target, backup: &Backup) -> String {
    let serves = |own: &IpAddr| target.steer.address(backup.addresses, Family::of(*own)).is_some();
    let steered = target.addresses.iter().filter(serves);
    let own = steered.map(|own| own.to_string()).collect::<Vec<_>>().join(" or ");
    if target.steer != Steer::Nat {
        format!("{} carries {own} itself, and answers past this router's tables", backup.name)
    } else if backup.dedicated {
        format!("all that {} sends from these ports comes from {own}", backup.name)
    } else {
        format!("{} answers, and calls hosts that were steered to it, as {own}", backup.name)
    }
}

fn unrewritten(steer: Steer) -> Option<&'static str> {
    match steer {
        Steer::Nat => None,
        Steer::L2 => {
            Some("l2: unchanged, to the MAC address of the backup, which must be a direct neighbour")
        }
        Steer::Ipip => Some("ipip: unchanged, in an envelope, which the backup's host must open"),
    }
}

fn down(target: &Target) -> String {
    let probe = &target.probe;
    let which = match (target.require, target.probed(0..).count()) {
        (_, 1) => "",
        (Require::All, _) => " of any service",
        (Require::Any, _) => " of every service",
    };
    let failures = match probe.fall.get() {
        1 => "1 failure".to_owned(),
        n => format!("{n} failures in a row"),
    };
    let at = if target.addresses.iter().count() > 1 { " at either address" } else { "" };
    format!("after {failures}{which}{at}: at worst {} after death", format_duration(worst_detection(probe)))
}

fn up(target: &Target) -> String {
    let probe = &target.probe;
    let answers = match probe.rise.get() {
        1 => "1 answer".to_owned(),
        n => format!("{n} answers in a row"),
    };
    let least = format_duration(least_recovery(probe));
    let returns = match target.failback {
        Failback::Drain if target.keeps() => "at once, but for what began at a backup",
        Failback::Drain | Failback::Immediate => "at once",
        Failback::Manual => "when an operator says `failover target auto`",
    };
    format!("after {answers}, at least {least} after the first; packets return to the primary {returns}")
}

/// What stays with the backup at which it began when the primary returns.
fn stays(target: &Target) -> String {
    let tcp = target.services.iter().any(|service| service.transport == Transport::Tcp);
    let connections = (tcp && target.keeps_connections()).then(|| {
        format!("TCP connections (until they end, or {} of silence)", format_duration(target.tcp_idle))
    });
    let calls = target.keeps_calls().then(|| {
        let idle = format_duration(target.udp_idle);
        format!("calls and subscriptions of SIP over UDP (until BYE, or {idle} of silence)")
    });
    let kept: Vec<_> = connections.into_iter().chain(calls).collect();
    if kept.is_empty() {
        return "nothing, when the primary returns".to_owned();
    }
    let limit = format_duration(target.drain_limit);
    format!("what began at a backup: {}; at most {limit}", kept.join(" and "))
}

fn all_down(policy: AllDown) -> &'static str {
    match policy {
        AllDown::Primary => "packets go to the primary, as without failover",
        AllDown::Backup => "packets go to the first backup",
        AllDown::Drop => "packets are dropped",
    }
}

/// One service, and where each backup serves it.
fn service_json(target: &Target, (n, service): (usize, &Service)) -> Value {
    let ways = target.addresses.iter().flat_map(|address| ways(target, n, address));
    let server = |(backup, at): (&Backup, SocketAddr)| json!({ "backup": backup.name, "address": at.ip(), "port": at.port() });
    let servers: Vec<_> = ways.map(server).collect();
    json!({
        "service": service.to_string(), "protocol": service.kind.name(),
        "transport": service.transport.to_string(), "port": service.port, "backups": servers,
    })
}

fn target_json(target: &Target) -> Value {
    let millis = |d: Duration| d.as_millis() as u64;
    let all = |addresses: Addresses| addresses.iter().collect::<Vec<_>>();
    let backup = |b: &Backup| {
        let (first, all) = (b.addresses.first(), all(b.addresses));
        json!({ "name": b.name, "address": first, "addresses": all, "dedicated": b.dedicated })
    };
    let services = target.services.iter().enumerate();
    let probe = &target.probe;
    json!({
        "name": target.name,
        "address": target.addresses.first(),
        "addresses": all(target.addresses),
        "services": services.map(|service| service_json(target, service)).collect::<Vec<_>>(),
        "backups": target.backups.iter().map(backup).collect::<Vec<_>>(),
        "steer": target.steer.to_string(),
        "failback": match target.failback {
            Failback::Drain => "drain",
            Failback::Immediate => "immediate",
            Failback::Manual => "manual",
        },
        "affinity": match target.affinity { Affinity::Flow => "flow", Affinity::Call => "call" },
        "udp_idle_s": target.udp_idle.as_secs(),
        "tcp_idle_s": target.tcp_idle.as_secs(),
        "drain_limit_s": target.drain_limit.as_secs(),
        "all_down": match target.all_down {
            AllDown::Primary => "primary",
            AllDown::Backup => "backup",
            AllDown::Drop => "drop",
        },
        "require": match target.require { Require::All => "all", Require::Any => "any" },
        "probe": probing::json(probe),
        "worst_detection_ms": millis(worst_detection(probe)),
        "least_recovery_ms": millis(least_recovery(probe)),
    })
}

#[cfg(test)]
mod tests;
