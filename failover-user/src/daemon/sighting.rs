//! An entry of the ring, as the control API says it: numbers get their names, bytes are looked into.
//!
//! The bytes are as hostile as any packet: what cannot be read is left out, and nothing else is.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use etherparse::{LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice};
use failover_common::{observe::Sighting, reason::Reason, trace::Trace};
use jiff::Timestamp;

use crate::control::{journal::timestamp, message::Seen};

/// The most that is said of a packet's first line.
const LINE: usize = 120;

/// What gives names to numbers.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// By id: the name, and the backups.
    pub targets: BTreeMap<u32, (String, Vec<NamedHost>)>,
}

/// A host's name and addresses.
pub type NamedHost = (String, Vec<IpAddr>);

/// A packet, and the hosts that it is from and to.
pub struct Glimpse {
    pub seen: Seen,
    pub hosts: Vec<IpAddr>,
}

/// Reads an entry; `began` is when the monotonic clock was zero. None: of another layout.
pub fn read(
    entry: &[u8],
    names: &Names,
    device: impl Fn(u32) -> Option<String>,
    began: Timestamp,
) -> Option<Glimpse> {
    let (head, bytes) = entry.split_at_checked(size_of::<Sighting>())?;
    // SAFETY: the length is the type's, any bytes are a valid `Sighting` (integers), and the read makes no demand on
    // alignment.
    let head = unsafe { head.as_ptr().cast::<Sighting>().read_unaligned() };
    let (before, rest) = bytes.split_at_checked(head.before as usize)?;
    let after = rest.get(..head.after as usize)?;
    let after = (!after.is_empty() && (after != before || head.left != head.length)).then_some(after);
    let (old, new) = (Way::of(before), after.map(Way::of));
    let end = Trace { end: head.end, ..Trace::default() };
    let known = names.targets.get(&end.target());
    let target = (end.target() != 0)
        .then(|| known.map_or_else(|| format!("#{}", end.target()), |(name, _)| name.clone()));
    let hosts: Vec<IpAddr> = [Some(&old), new.as_ref()].into_iter().flatten().flat_map(Way::hosts).collect();
    let backup = known.and_then(|(_, backups)| backup(backups, &old, new.as_ref()));
    let name = |index| device(index).unwrap_or_else(|| format!("#{index}"));
    let since = i64::try_from(head.time_ns / 1000).ok()?;
    let time = began.checked_add(jiff::SignedDuration::from_micros(since)).ok()?;
    let seen = Seen {
        time: timestamp(time),
        interface: name(head.ingress),
        verdict: ["pass", "drop", "redirect"].get((head.end >> 16 & 3) as usize)?.to_string(),
        reason: end.reason().map_or_else(|| format!("#{}", head.end as u16), |r: Reason| r.name().to_owned()),
        target,
        backup,
        egress: (head.egress != 0).then(|| name(head.egress)),
        cpu: head.cpu,
        protocol: old.protocol.clone(),
        from: old.from.map(At::text),
        to: old.to.map(At::text),
        new_from: new.as_ref().and_then(|new| new.from).map(At::text),
        new_to: new.as_ref().and_then(|new| new.to).map(At::text),
        says: old.says,
        length: head.length,
        before: hex(before),
        new_length: after.map(|_| head.left),
        after: after.map(hex),
    };
    Some(Glimpse { seen, hosts })
}

/// The backup that the packet goes to, or came from.
fn backup(backups: &[(String, Vec<IpAddr>)], old: &Way, new: Option<&Way>) -> Option<String> {
    let ends = [new.and_then(|new| new.to), old.from, new.and_then(|new| new.from)];
    let is_there = |addresses: &[IpAddr]| ends.iter().flatten().any(|end| addresses.contains(&end.0));
    backups.iter().find(|(_, addresses)| is_there(addresses)).map(|(name, _)| name.clone())
}

/// An address, and a port where there is one.
#[derive(Clone, Copy)]
struct At(IpAddr, Option<u16>);

impl At {
    fn text(self) -> String {
        match self.1 {
            Some(port) => SocketAddr::new(self.0, port).to_string(),
            None => self.0.to_string(),
        }
    }
}

/// Where a frame is from and to, as far as it can be read.
#[derive(Default)]
struct Way {
    protocol: Option<String>,
    from: Option<At>,
    to: Option<At>,
    says: Option<String>,
}

impl Way {
    fn of(frame: &[u8]) -> Self {
        let Ok(packet) = LaxSlicedPacket::from_ethernet(frame) else { return Self::default() };
        let (from, to, number): (IpAddr, IpAddr, u8) = match &packet.net {
            Some(LaxNetSlice::Ipv4(ip)) => {
                let header = ip.header();
                (header.source_addr().into(), header.destination_addr().into(), ip.payload().ip_number.0)
            }
            Some(LaxNetSlice::Ipv6(ip)) => {
                let header = ip.header();
                (header.source_addr().into(), header.destination_addr().into(), ip.payload().ip_number.0)
            }
            _ => return Self::default(),
        };
        let (ports, says) = match &packet.transport {
            Some(TransportSlice::Udp(udp)) => {
                (Some((udp.source_port(), udp.destination_port())), line(udp.payload()))
            }
            Some(TransportSlice::Tcp(tcp)) => {
                let says = line(tcp.payload()).or_else(|| flags(tcp));
                (Some((tcp.source_port(), tcp.destination_port())), says)
            }
            _ => (None, None),
        };
        let protocol = match number {
            1 => "icmp".to_owned(),
            6 => "tcp".to_owned(),
            17 => "udp".to_owned(),
            58 => "icmpv6".to_owned(),
            other => other.to_string(),
        };
        let at = |ip, port: Option<u16>| Some(At(ip, port));
        Self {
            protocol: Some(protocol),
            from: at(from, ports.map(|(from, _)| from)),
            to: at(to, ports.map(|(_, to)| to)),
            says,
        }
    }

    fn hosts(&self) -> impl Iterator<Item = IpAddr> {
        [self.from, self.to].into_iter().flatten().map(|at| at.0)
    }
}

/// The first line of a text.
fn line(payload: &[u8]) -> Option<String> {
    let end = payload.iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
    let line = std::str::from_utf8(payload.get(..end)?).ok()?;
    let line = &line[..line.floor_char_boundary(LINE)];
    (!line.is_empty() && !line.chars().any(char::is_control)).then(|| line.to_owned())
}

fn flags(tcp: &TcpSlice<'_>) -> Option<String> {
    let flags =
        [(tcp.syn(), "SYN"), (tcp.fin(), "FIN"), (tcp.rst(), "RST"), (tcp.psh(), "PSH"), (tcp.ack(), "ACK")];
    let set: Vec<&str> = flags.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect();
    (!set.is_empty()).then(|| set.join(" "))
}

fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).flatten().collect()
}

#[cfg(test)]
mod tests;
