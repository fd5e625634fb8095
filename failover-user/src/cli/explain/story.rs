//! What the program found, stage by stage, in words.

use std::net::SocketAddr;

use failover_common::{key, reason::Reason, trace::Trace, value::Availability};
use serde::Serialize;

use crate::dataplane::offline::explain::{Answer, address};

/// One stage, and what it found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Stage {
    pub(super) stage: &'static str,
    pub(super) finding: String,
}

/// The kernel's `enum xdp_action` (linux/bpf.h), as far as the program uses it.
pub(super) fn verdict(action: u32) -> Option<&'static str> {
    match action {
        1 => Some("drop"),
        2 => Some("pass"),
        4 => Some("redirect"),
        _ => None,
    }
}

/// The stages that the packet came to.
pub(super) fn stages(answer: &Answer, frame: &[u8], interface: &str) -> Vec<Stage> {
    let findings = [
        ("parse", Some(parse(answer, frame.len(), interface))),
        ("service", service(answer)),
        ("decision", decision(answer)),
        ("return", way_back(answer)),
        ("rewrite", rewrite(&answer.trace)),
        ("forward", forward(answer, frame)),
        ("verdict", Some(ending(answer, frame))),
    ];
    let stage = |(stage, finding): (_, Option<_>)| finding.map(|finding| Stage { stage, finding });
    findings.into_iter().filter_map(stage).collect()
}

fn parse(answer: &Answer, length: usize, interface: &str) -> String {
    let trace = &answer.trace;
    if !trace.knows(Trace::IP) {
        return format!("no IP packet that can be looked at, {length} bytes, in by {interface}");
    }
    let protocol = match trace.protocol {
        key::UDP => "UDP".to_owned(),
        key::TCP => "TCP".to_owned(),
        key::ICMP => "ICMP".to_owned(),
        key::ICMPV6 => "ICMPv6".to_owned(),
        other => format!("protocol {other}"),
    };
    let (source, destination) = (address(trace.source), address(trace.destination));
    let way = if trace.knows(Trace::PORTS) {
        let at = |ip, port| SocketAddr::new(ip, u16::from_be_bytes(port));
        format!("{} → {}", at(source, trace.source_port), at(destination, trace.destination_port))
    } else {
        format!("{source} → {destination}")
    };
    let kind = match (trace.knows(Trace::FRAGMENT), trace.knows(Trace::QUOTE)) {
        (true, _) => ", a fragment without ports",
        (_, true) => ", an error about another packet",
        _ => "",
    };
    format!("IPv{} {protocol} {way}{kind}, {} bytes, in by {interface}", trace.version, trace.total_len)
}

fn service(answer: &Answer) -> Option<String> {
    let trace = &answer.trace;
    if trace.knows(Trace::BACKUP) {
        let backup = answer.backup.as_deref().unwrap_or("that the configuration does not name");
        return Some(format!("from backup {backup}"));
    }
    let unnamed =
        || format!("of target number {}, which the configuration does not name", trace.service_target);
    trace.knows(Trace::SERVICE).then(|| answer.service.clone().unwrap_or_else(unnamed))
}

fn decision(answer: &Answer) -> Option<String> {
    let now = Availability(answer.trace.knows(Trace::AVAILABILITY).then_some(answer.trace.availability)?);
    let who = match now.serving() {
        _ if answer.trace.knows(Trace::DRAINS) => drains(answer, now),
        0 => "the primary serves".to_owned(),
        Availability::NOBODY => "nobody may serve".to_owned(),
        n => format!("{} serves", backup(answer, n)),
    };
    Some(format!("{who} (generation {})", now.generation()))
}

fn backup(answer: &Answer, number: u8) -> String {
    match &answer.backup {
        // Of a packet from a backup, the name is that backup's.
        Some(name) if !answer.trace.knows(Trace::BACKUP) => format!("backup {name}"),
        _ => format!("backup number {number}"),
    }
}

/// Who gets what is new, who keeps what began there, and which of the two this packet is.
fn drains(answer: &Answer, now: Availability) -> String {
    let trace = &answer.trace;
    let back = now.serving() == 0;
    let both = if back {
        let keeper = backup(answer, now.keeper().saturating_sub(1));
        format!("draining: the primary serves, and {keeper} keeps what began there")
    } else {
        let new = backup(answer, now.serving());
        format!("draining: {new} gets what is new, and the primary keeps what it has")
    };
    // An error is about what the quoted packet belongs to.
    let call = trace.knows(Trace::CALL);
    let kind = match (trace.knows(Trace::BEGINS), trace.knows(Trace::BEGAN_AT_BACKUP)) {
        (true, _) if call => "a request for something new",
        (true, _) => "a new connection",
        (_, true) if call => "of a call that began at the backup",
        (_, true) => "a connection that began at the backup",
        _ if call || trace.protocol == key::TCP || trace.knows(Trace::QUOTE) => {
            "nothing that is known to have begun at the backup"
        }
        _ => "neither TCP nor a call that can be read, and goes to the primary",
    };
    format!("{both}; this is {kind}")
}

fn way_back(answer: &Answer) -> Option<String> {
    let trace = &answer.trace;
    let words = if trace.knows(Trace::DEDICATED) {
        "the backup serves this target alone"
    } else if trace.knows(Trace::WAY_FOUND) {
        "whom the client asked is known"
    } else if trace.knows(Trace::WAY_ASKED) {
        "nobody knows that this client was ever steered there"
    } else {
        return None;
    };
    Some(words.to_owned())
}

fn rewrite(trace: &Trace) -> Option<String> {
    let side = if trace.knows(Trace::FROM) { "source" } else { "destination" };
    let ip = address(trace.knows(Trace::WISH).then_some(trace.address)?);
    if trace.knows(Trace::L2) {
        return Some(format!("none: l2 to {ip}, by its MAC address"));
    }
    if trace.knows(Trace::IPIP) {
        return Some(format!("none: ipip to {ip}, in an envelope"));
    }
    Some(match u16::from_be_bytes(trace.port) {
        0 => format!("{side} becomes {ip}"),
        port => format!("{side} becomes {}", SocketAddr::new(ip, port)),
    })
}

/// `BPF_FIB_LKUP_RET_*` of linux/bpf.h.
fn fib(answer: i32) -> &'static str {
    match answer {
        0 => "a route and a neighbour",
        1 => "a blackhole route",
        2 => "an unreachable route",
        3 => "a prohibited route",
        4 => "no route that leads out: for this host, or none at all",
        5 => "forwarding is off at the ingress device",
        6 => "a route through a tunnel, which the kernel must take",
        7 => "a route, but no neighbour yet",
        8 => "a route that is too narrow for the packet",
        9 => "no source address",
        _ => "an error",
    }
}

fn forward(answer: &Answer, frame: &[u8]) -> Option<String> {
    let trace = &answer.trace;
    let found = fib(trace.knows(Trace::ROUTE).then_some(trace.fib)?);
    let by = answer.egress.as_deref().unwrap_or("an unknown device");
    if verdict(answer.action) == Some("redirect") {
        let mac: Vec<String> = answer.after.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        return Some(format!("{found}: redirect by {by} to {}", mac.join(":")));
    }
    Some(match (trace.fib, frame == answer.after) {
        (0, false) => {
            format!("{found} by {by}, which cannot take this frame at once: the kernel forwards it")
        }
        (_, false) => format!("{found}: the kernel forwards it"),
        (_, true) => found.to_owned(),
    })
}

fn ending(answer: &Answer, frame: &[u8]) -> String {
    let name =
        answer.trace.reason().map_or_else(|| "UNKNOWN".to_owned(), |r: Reason| r.name().to_uppercase());
    let fate = match (verdict(answer.action), frame == answer.after) {
        (Some("redirect" | "pass"), false) if answer.trace.reason() == Some(Reason::SenderTold) => {
            "turned into an ICMP error to its sender"
        }
        (Some("redirect"), _) => "redirected",
        (Some("drop"), _) => "thrown away",
        (Some("pass"), true) => "passes untouched",
        (Some("pass"), false) => "rewritten, and handed to the kernel",
        _ => "an unknown verdict",
    };
    match &answer.target {
        Some(target) => format!("{name}: {fate} (target {target})"),
        None => format!("{name}: {fate}"),
    }
}
