//! `failover explain`: what the loaded program does with a packet, stage by stage, and what of the packet is another
//! one afterwards. It needs no daemon, and leaves no trace: see [`offline::explain`].

use std::{fmt::Write as _, net::SocketAddr, path::PathBuf};

use clap::{ArgGroup, Args, ValueEnum};
use serde::Serialize;

use self::{changes::Change, frame::Bytes, story::Stage};
use super::{
    failure::Failure,
    output,
    session::Session,
    table::{View, plain, render},
    words::clean,
};
use crate::{
    config,
    control::message::SCHEMA,
    dataplane::offline::explain::{Answer, Ingress, Twin},
};

mod capture;
mod changes;
mod frame;
mod story;

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("packet").required(true).args(["from", "pcap", "hex"])))]
pub(super) struct Arguments {
    /// A packet from here: with udp an OPTIONS request, with tcp a SYN
    #[arg(long, value_name = "ADDRESS:PORT", requires_all = ["to", "proto"])]
    from: Option<SocketAddr>,
    /// And to there
    #[arg(long, value_name = "ADDRESS:PORT", requires = "from", conflicts_with_all = ["pcap", "hex"])]
    to: Option<SocketAddr>,
    /// Over this
    #[arg(long, value_enum, requires = "from", conflicts_with_all = ["pcap", "hex"])]
    proto: Option<Proto>,
    /// Every packet of a capture (pcap or pcapng, Ethernet), each for itself
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// A frame, from its Ethernet header on
    #[arg(long, value_name = "BYTES")]
    hex: Option<Bytes>,
    /// Where it comes in [default: where the route back to its source leaves]
    #[arg(long, value_name = "IFACE")]
    iface: Option<String>,
}

/// What a packet from an address to another one is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Proto {
    /// An OPTIONS request of SIP
    Udp,
    /// A SYN
    Tcp,
}

/// `failover explain -o json`.
#[derive(Debug, Serialize)]
struct Explained {
    schema: u32,
    packets: Vec<Packet>,
}

/// One packet's way. What is unknown is null.
#[derive(Debug, Serialize)]
struct Packet {
    interface: String,
    verdict: Option<&'static str>,
    reason: Option<&'static str>,
    target: Option<String>,
    stages: Vec<Stage>,
    before: String,
    after: String,
    changes: Vec<Change>,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    let given = given(arguments)?;
    let config = config::load(session.config_path())?.config;
    let mut twin = Twin::open(&config)?;
    let iface = arguments.iface.as_deref();
    let packets = match given {
        Given::Way(from, to, proto) => {
            let ingress = twin.ingress(iface, Some(from.ip()))?;
            let frame = frame::build(from, to, proto, ingress.mac)?;
            vec![explain(&mut twin, &frame, &ingress)?]
        }
        Given::Frames(frames) => {
            let mut packets = Vec::with_capacity(frames.len());
            for (n, frame) in frames.iter().enumerate() {
                let packet = twin
                    .ingress(iface, frame::source(frame))
                    .map_err(Failure::from)
                    .and_then(|ingress| explain(&mut twin, frame, &ingress));
                packets.push(packet.map_err(|failure| numbered(failure, n + 1, frames.len()))?);
            }
            packets
        }
    };
    output::value(session.output(), &Explained { schema: SCHEMA, packets }, text)
}

/// What is to be explained.
enum Given {
    /// From, to, over.
    Way(SocketAddr, SocketAddr, Proto),
    /// Whole frames.
    Frames(Vec<Vec<u8>>),
}

fn given(arguments: &Arguments) -> Result<Given, Failure> {
    if let (Some(from), Some(to), Some(proto)) = (arguments.from, arguments.to, arguments.proto) {
        if from.is_ipv4() != to.is_ipv4() {
            return Err(Failure::new(2, format!("{from} and {to} are not of one IP version")));
        }
        return Ok(Given::Way(from, to, proto));
    }
    match (&arguments.pcap, &arguments.hex) {
        (Some(path), _) => capture::read(path).map(Given::Frames),
        (None, Some(Bytes(bytes))) => Ok(Given::Frames(vec![bytes.clone()])),
        (None, None) => Err(Failure::new(2, "there is no packet to explain")),
    }
}

fn explain(twin: &mut Twin, frame: &[u8], ingress: &Ingress) -> Result<Packet, Failure> {
    frame::check(frame)?;
    Ok(packet(frame, ingress, twin.explain(frame, ingress)?))
}

fn packet(before: &[u8], ingress: &Ingress, answer: Answer) -> Packet {
    Packet {
        interface: ingress.name.clone(),
        verdict: story::verdict(answer.action),
        reason: answer.trace.reason().map(failover_common::reason::Reason::name),
        stages: story::stages(&answer, before, &ingress.name),
        before: frame::hex(before),
        after: frame::hex(&answer.after),
        changes: changes::changes(before, &answer.after, &answer.trace),
        target: answer.target,
    }
}

/// Says which packet of a capture it was.
fn numbered(failure: Failure, n: usize, of: usize) -> Failure {
    match failure {
        Failure::Said { exit, error, help } if of > 1 => {
            Failure::Said { exit, error: format!("packet {n} of {of}: {error}"), help }
        }
        other => other,
    }
}

fn text(explained: &Explained) -> String {
    let view = View::here();
    let of = explained.packets.len();
    let mut text = String::new();
    for (n, packet) in explained.packets.iter().enumerate() {
        if of > 1 {
            let gap = if n == 0 { "" } else { "\n" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{gap}packet {} of {of}", n + 1);
        }
        for Stage { stage, finding } in &packet.stages {
            let _ = writeln!(text, "{stage:<9} {}", clean(finding));
        }
        text += "\n";
        if packet.changes.is_empty() {
            text += "unchanged\n";
        } else {
            let row =
                |change: &Change| vec![plain(&change.field), plain(&change.before), plain(&change.after)];
            let rows = packet.changes.iter().map(row).collect();
            text += &render(&view, &["FIELD", "BEFORE", "AFTER"], rows);
        }
    }
    if explained.packets.is_empty() { "the capture holds no packet\n".to_owned() } else { text }
}

#[cfg(test)]
mod tests;
