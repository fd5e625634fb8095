//! What of a packet is another one afterwards, field by field. Where the fields stand is what the program found; a
//! byte that changed outside of all of them is shown as a byte, so that nothing is left out.

use std::net::{Ipv4Addr, Ipv6Addr};

use failover_common::{key, reason::Reason, trace::Trace};
use serde::Serialize;

use super::frame::hex;

/// A field that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    pub(super) field: String,
    pub(super) before: String,
    pub(super) after: String,
}

/// How a field is read.
#[derive(Clone, Copy)]
enum Kind {
    Mac,
    Address,
    Number,
    Sum,
}

/// Its name, where it stands, its length.
type Field = (&'static str, usize, usize, Kind);

const ETHERNET: [Field; 2] = [("destination MAC", 0, 6, Kind::Mac), ("source MAC", 6, 6, Kind::Mac)];
const IPV4: [Field; 4] = [
    ("TTL", 8, 1, Kind::Number),
    ("header checksum", 10, 2, Kind::Sum),
    ("source address", 12, 4, Kind::Address),
    ("destination address", 16, 4, Kind::Address),
];
const IPV6: [Field; 3] = [
    ("hop limit", 7, 1, Kind::Number),
    ("source address", 8, 16, Kind::Address),
    ("destination address", 24, 16, Kind::Address),
];
const PORTS: [Field; 2] = [("source port", 0, 2, Kind::Number), ("destination port", 2, 2, Kind::Number)];
const UDP: [Field; 1] = [("UDP checksum", 6, 2, Kind::Sum)];
const TCP: [Field; 1] = [("TCP checksum", 16, 2, Kind::Sum)];
const ICMP: [Field; 1] = [("ICMP checksum", 2, 2, Kind::Sum)];

/// The fields that differ, in the order of the frame; of a packet in an envelope, those of the packet.
pub(super) fn changes(before: &[u8], after: &[u8], trace: &Trace) -> Vec<Change> {
    let ip = trace.ip as usize;
    if trace.reason() == Some(Reason::SenderTold) {
        let told = after.get(ip..).and_then(error).unwrap_or_default();
        let packet = format!("{} bytes", before.len());
        return vec![Change { field: "packet".to_owned(), before: packet, after: told }];
    }
    match after.get(ip..).filter(|_| trace.knows(Trace::IPIP)).and_then(|after| envelope(before, after)) {
        Some((header, ends)) => {
            let unwrapped = [before.get(..ip).unwrap_or_default(), &after[ip + header..]].concat();
            let mut changes = fields_that_differ(before, &with_macs(unwrapped, after), trace);
            let after = format!("{ends}, {header} bytes");
            changes.push(Change { field: "envelope".to_owned(), before: "none".to_owned(), after });
            changes
        }
        None => fields_that_differ(before, after, trace),
    }
}

/// The frame with the Ethernet addresses of `other`.
fn with_macs(mut frame: Vec<u8>, other: &[u8]) -> Vec<u8> {
    if let (Some(own), Some(macs)) = (frame.get_mut(..12), other.get(..12)) {
        own.copy_from_slice(macs);
    }
    frame
}

/// The length of the header that `packet` begins with, and its ends, where something larger has become of `before`.
fn envelope(before: &[u8], packet: &[u8]) -> Option<(usize, String)> {
    let address = |at: std::ops::Range<usize>| Some(read(Kind::Address, packet.get(at)?));
    let (header, from, to) = match packet.first()? >> 4 {
        4 => (20, address(12..16)?, address(16..20)?),
        _ => (40, address(8..24)?, address(24..40)?),
    };
    (before.len() < packet.len() + 14).then(|| (header, format!("{from} → {to}")))
}

/// The ICMP error that says what fits.
fn error(packet: &[u8]) -> Option<String> {
    let (name, at) = match packet.first()? >> 4 {
        4 => ("ICMP fragmentation needed", 20),
        _ => ("ICMPv6 packet too big", 40),
    };
    Some(format!("{name}, MTU {}", read(Kind::Number, packet.get(at + 6..at + 8)?)))
}

fn fields_that_differ(before: &[u8], after: &[u8], trace: &Trace) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut shown = vec![false; before.len()];
    for (name, at, length, kind) in fields(before, trace) {
        let place = at..at.saturating_add(length);
        let (Some(old), Some(new)) = (before.get(place.clone()), after.get(place.clone())) else { continue };
        shown[place].fill(true);
        if old != new {
            changes.push(Change { field: name, before: read(kind, old), after: read(kind, new) });
        }
    }
    for (at, (old, new)) in before.iter().zip(after).enumerate() {
        if old != new && !shown[at] {
            changes.push(Change { field: format!("byte {at}"), before: hex(&[*old]), after: hex(&[*new]) });
        }
    }
    if before.len() != after.len() {
        let bytes = |frame: &[u8]| format!("{} bytes", frame.len());
        changes.push(Change { field: "length".to_owned(), before: bytes(before), after: bytes(after) });
    }
    changes
}

fn fields(frame: &[u8], trace: &Trace) -> Vec<(String, usize, usize, Kind)> {
    let mut fields = Vec::new();
    let mut add = |quoted: bool, base: u32, some: &[Field]| {
        let name = |name: &str| if quoted { format!("quoted {name}") } else { name.to_owned() };
        fields.extend(some.iter().map(|&(n, at, length, kind)| (name(n), base as usize + at, length, kind)));
    };
    add(false, 0, &ETHERNET);
    if !trace.knows(Trace::IP) {
        return fields;
    }
    let header: &[Field] = if trace.version == 4 { &IPV4 } else { &IPV6 };
    add(false, trace.ip, header);
    if trace.knows(Trace::PORTS) {
        add(false, trace.payload, &PORTS);
        add(false, trace.payload, sum(trace.protocol));
    }
    if trace.knows(Trace::QUOTE) {
        add(false, trace.payload, &ICMP);
        add(true, trace.quote, header);
        add(true, trace.quote_l4, &PORTS);
        let protocol = frame.get(trace.quote as usize + if trace.version == 4 { 9 } else { 6 });
        add(true, trace.quote_l4, sum(protocol.copied().unwrap_or_default()));
    }
    fields
}

fn sum(protocol: u8) -> &'static [Field] {
    match protocol {
        key::UDP => &UDP,
        key::TCP => &TCP,
        _ => &[],
    }
}

fn read(kind: Kind, bytes: &[u8]) -> String {
    match kind {
        Kind::Mac => bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":"),
        Kind::Number => bytes.iter().fold(0_u32, |number, byte| number << 8 | u32::from(*byte)).to_string(),
        Kind::Sum => format!("0x{}", hex(bytes)),
        Kind::Address => match (<[u8; 4]>::try_from(bytes), <[u8; 16]>::try_from(bytes)) {
            (Ok(v4), _) => Ipv4Addr::from(v4).to_string(),
            (_, Ok(v6)) => Ipv6Addr::from(v6).to_string(),
            _ => hex(bytes),
        },
    }
}
