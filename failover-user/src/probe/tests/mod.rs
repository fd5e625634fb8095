//! Probers against little servers on 127.0.0.1 and ::1. Servers act on what they receive, never on a clock; the one clock is
//! the probe's own timeout, short where it has to pass and long where it must not.

mod command;
mod exempt;
mod h225;
mod ipv6;
mod megaco;
mod mgcp;
mod ras;
mod schedule;
mod tcp;
mod tls;
mod udp;

use std::num::NonZeroU8;

use super::*;
use crate::{
    config::model::{Flap, ServiceKind, StatusSet, Transport},
    proto::sip::Message,
};

/// Where the outcome is that time runs out.
const SHORT: Duration = Duration::from_millis(250);
/// Where time must not run out, however busy the machine is.
const LONG: Duration = Duration::from_secs(20);

const OK: &str = "200 OK";

fn policy(timeout: Duration) -> Probe {
    Probe {
        interval: Duration::from_millis(20),
        fast_interval: Duration::from_millis(10),
        timeout,
        fall: NonZeroU8::new(2).unwrap(),
        rise: NonZeroU8::new(1).unwrap(),
        hold_down: Duration::ZERO,
        silence: Duration::ZERO,
        warm_up: Duration::ZERO,
        flap: Flap::default(),
        ..Probe::default()
    }
}

fn subject(server: SocketAddr, transport: Transport, timeout: Duration) -> Subject {
    let service = Service { kind: ServiceKind::Sip, transport, port: 5060 };
    Subject { server, service, policy: policy(timeout) }
}

/// A channel to a data plane that confirms everything.
fn confirming() -> mpsc::Sender<Exemption> {
    let (exemptions, mut asked) = mpsc::channel::<Exemption>(16);
    tokio::spawn(async move {
        while let Some(exemption) = asked.recv().await {
            exemption.done.map(|done| done.send(()));
        }
    });
    exemptions
}

/// A prober whose exemptions are confirmed.
fn plain_prober(server: SocketAddr, transport: Transport, timeout: Duration) -> Prober {
    Prober::new(1, subject(server, transport, timeout), confirming())
}

/// The same for another protocol.
fn of_kind(kind: ServiceKind, server: SocketAddr, transport: Transport, timeout: Duration) -> Prober {
    let mut prober = plain_prober(server, transport, timeout);
    prober.subject.service.kind = kind;
    prober
}

/// The answer that a server makes of `request`: its Vias, Call-ID and all are copied.
fn answer(request: &[u8], status: &str) -> Vec<u8> {
    let message = Message::parse(request).unwrap();
    let mut text = format!("SIP/2.0 {status}\r\n").into_bytes();
    for header in message.headers() {
        if [&b"Via"[..], b"From", b"To", b"Call-ID", b"CSeq", b"Content-Length"].contains(&header.name) {
            text.extend_from_slice(&[header.name, b": ", header.value, b"\r\n"].concat());
        }
    }
    text.extend_from_slice(b"\r\n");
    text
}

/// `bytes` with one thing replaced that has to be there.
fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{from} in {text}");
    text.replacen(from, to, 1).into_bytes()
}

/// An answer that is right in all but its branch.
fn wrong_branch(request: &[u8]) -> Vec<u8> {
    replaced(&answer(request, OK), "branch=z9hG4bK", "branch=z9hG4bK0")
}

/// An answer that is right in all but its Call-ID.
fn wrong_call_id(request: &[u8]) -> Vec<u8> {
    replaced(&answer(request, OK), "Call-ID: ", "Call-ID: 0")
}

/// What an answer that counts said.
fn alive(outcome: Outcome) -> String {
    match outcome {
        Outcome::Alive { said, .. } => said,
        other => panic!("{other:?}"),
    }
}

/// How a probe failed in silence.
fn failed(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed { said } => said,
        other => panic!("{other:?}"),
    }
}

/// The clear no that a probe got.
fn refused(outcome: Outcome) -> String {
    match outcome {
        Outcome::Refused { said } => said,
        other => panic!("{other:?}"),
    }
}

/// Why a probe could not be made, which is no failure of its server.
fn unable(outcome: Outcome) -> String {
    match outcome {
        Outcome::Unable { said } => said,
        other => panic!("{other:?}"),
    }
}
