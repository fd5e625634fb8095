//! How a target's servers are probed, explained.

use std::time::Duration;

use humantime::format_duration;
use serde_json::{Value, json};

use crate::config::model::{Probe, RasRequest, ServiceKind, Target, Tls, Transport, Way};

/// What is asked of whom, how often, and what counts as life.
pub(super) fn lines(target: &Target) -> Vec<(&'static str, String)> {
    let probe = &target.probe;
    let pace = format!(
        "every {}, every {} after a failure; an answer may take {}",
        format_duration(probe.interval),
        format_duration(probe.fast_interval),
        format_duration(probe.timeout),
    );
    let mut lines = vec![("probed", format!("{} {pace}", questions(target)))];
    if asks(target, |kind, _| kind == ServiceKind::Sips) {
        lines.push(("certificate", certificate(&probe.tls)));
    }
    lines.extend(alive(target).into_iter().map(|alive| ("alive", alive)));
    if matches!(probe.way, Way::Command(_)) {
        let beware = "what the program sends to the ports of these services must bear the mark FAILOVER_MARK, or a \
                      backup that serves answers for a dead primary";
        lines.push(("beware", beware.to_owned()));
    }
    lines
}

/// Whether one of the services is asked as its protocol has it, and is one of these.
fn asks(target: &Target, which: impl Fn(ServiceKind, Transport) -> bool) -> bool {
    let asked = |transport| match target.probe.way {
        Way::Protocol => true,
        Way::Connect => transport == Transport::Udp,
        Way::Command(_) => false,
    };
    target.probed(0..).any(|(service, _)| asked(service.transport) && which(service.kind, service.transport))
}

/// The words for each kind of question, and the services that are asked it, in their order.
fn questions(target: &Target) -> String {
    let mut questions: Vec<(String, Vec<String>)> = Vec::new();
    for (service, _) in target.probed(0..) {
        let question = match &target.probe.way {
            Way::Command(command) => format!("exit code of {command} for"),
            Way::Connect if service.transport == Transport::Tcp => {
                "a connection, and no question, to".to_owned()
            }
            Way::Protocol | Way::Connect => question(service.kind, target.probe.ras).to_owned(),
        };
        let name = service.to_string();
        match questions.iter_mut().find(|(same, _)| *same == question) {
            Some((_, services)) => services.push(name),
            None => questions.push((question, vec![name])),
        }
    }
    let said = questions.iter().map(|(question, services)| format!("{question} {}", services.join(" and ")));
    said.collect::<Vec<_>>().join(", ")
}

const fn question(kind: ServiceKind, ras: RasRequest) -> &'static str {
    match kind {
        ServiceKind::Sip => "SIP OPTIONS to",
        ServiceKind::Sips => "SIP OPTIONS under TLS to",
        ServiceKind::Mgcp => "MGCP AUEP to",
        ServiceKind::Megaco => "MEGACO AuditValue to",
        ServiceKind::Ras => match ras {
            RasRequest::Lrq => "RAS LRQ to",
            RasRequest::Grq => "RAS GRQ to",
        },
        ServiceKind::H225 => "Status Enquiry to",
    }
}

fn certificate(tls: &Tls) -> String {
    let shown = tls.own.as_ref().map(|own| format!("; ours is {}", own.certificate.display()));
    theirs(tls) + shown.as_deref().unwrap_or_default()
}

fn theirs(tls: &Tls) -> String {
    if !tls.verify {
        return "any, whoever's: sip.tls.verify is false".to_owned();
    }
    let name = tls.server_name.as_deref().unwrap_or("the server's address");
    match &tls.ca {
        Some(path) => format!("for {name}, by an authority of {}", path.display()),
        None => format!("for {name}, by an authority that this machine trusts"),
    }
}

fn alive(target: &Target) -> Vec<String> {
    let probe = &target.probe;
    let is = |kinds: &[ServiceKind]| asks(target, |kind, _| kinds.contains(&kind));
    let mut alive = Vec::new();
    if is(&[ServiceKind::Sip, ServiceKind::Sips]) {
        alive.push(format!("SIP status {}", probe.sip_alive));
    }
    if is(&[ServiceKind::Mgcp]) {
        alive.push(format!("MGCP response {}", probe.mgcp_alive));
    }
    if is(&[ServiceKind::Megaco]) {
        alive.push(format!("MEGACO reply without an error, or with error {}", probe.megaco_alive));
    }
    if is(&[ServiceKind::Ras]) {
        alive.push(format!("RAS {}", probe.ras_alive));
    }
    if is(&[ServiceKind::H225]) {
        alive.push("ReleaseComplete or Status".to_owned());
    }
    let other = match probe.way {
        Way::Command(_) => Some("exit code 0"),
        Way::Connect => Some("a connection that is accepted, which a server that hangs does too"),
        Way::Protocol => None,
    };
    alive.extend(other.map(str::to_owned));
    alive
}

/// The same in JSON, every word.
pub(super) fn json(probe: &Probe) -> Value {
    let millis = |d: Duration| d.as_millis() as u64;
    let command = match &probe.way {
        Way::Command(command) => {
            Some([vec![command.program.display().to_string()], command.arguments.clone()].concat())
        }
        Way::Protocol | Way::Connect => None,
    };
    json!({
        "interval_ms": millis(probe.interval),
        "fast_interval_ms": millis(probe.fast_interval),
        "timeout_ms": millis(probe.timeout),
        "fall": probe.fall,
        "rise": probe.rise,
        "hold_down_ms": millis(probe.hold_down),
        "silence_ms": millis(probe.silence),
        "warm_up_ms": millis(probe.warm_up),
        "flap": {
            "limit": probe.flap.limit,
            "half_life_ms": millis(probe.flap.half_life),
            "longest_ms": millis(probe.flap.longest),
        },
        "connect": probe.way == Way::Connect,
        "command": command,
        "sip_alive": probe.sip_alive.ranges.to_vec(),
        "sip_tls": {
            "server_name": probe.tls.server_name,
            "ca": probe.tls.ca,
            "verify": probe.tls.verify,
            "certificate": probe.tls.own.as_ref().map(|own| &own.certificate),
            "key": probe.tls.own.as_ref().map(|own| &own.key),
        },
        "ras_request": probe.ras.name(),
        "ras_alive": probe.ras_alive.words(),
        "mgcp_alive": probe.mgcp_alive.ranges.to_vec(),
        "megaco_alive": probe.megaco_alive.ranges.to_vec(),
    })
}
