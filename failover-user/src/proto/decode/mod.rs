//! A capture's signalling messages: packets in, messages out.
//!
//! ```text
//! packet → link → IP → fragments put together → UDP → message
//!                                             → TCP → stream put together → framing → message
//! ```
//!
//! What a message is, its port tells; SIP and Q.931 are known by their looks on other ports, too. A message is of the packet
//! that completes it. What is wrong with one is a part of it ([`Message::malformed`]), and never the end of the others.
//!
//! Bounds, whatever is in the capture: 4 MiB of fragments and 32 MiB of streams wait for their rest, the oldest give way; a message is no larger than its protocol's longest.

mod content;
mod fragments;
mod h225;
mod link;
mod port;
mod ras;
mod streams;
mod text;

use std::{net::SocketAddr, time::Duration};

use etherparse::{TcpSlice, UdpSlice};

use self::{
    fragments::Fragments,
    link::Ip,
    port::Protocol,
    streams::{Segment, Streams},
};
use super::capture::Packet;

pub use content::{Content, H225, Header, Megaco, Mgcp, Parameter, Ras, Sip, Transaction};
pub use port::{Protocol as Kind, Transport};

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// The packet that completes it.
    pub frame: u64,
    /// That packet's.
    pub time: Option<Duration>,
    /// Who sent it.
    pub source: SocketAddr,
    /// To whom.
    pub destination: SocketAddr,
    /// Over what.
    pub transport: Transport,
    /// By its port or its looks.
    pub protocol: Protocol,
    /// What it says; none where not even its name can be read.
    pub content: Option<Content>,
    /// What is wrong with it.
    pub malformed: Option<String>,
}

/// What was left out, and how many packets of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Segments of SIP over TLS.
    pub encrypted: u64,
    /// Packets of devices that are not read, and the last such link type.
    pub links: (u64, i32),
}

/// Who speaks to whom over what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Way {
    source: SocketAddr,
    destination: SocketAddr,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug)]
struct Place {
    frame: u64,
    time: Option<Duration>,
    way: Way,
    transport: Transport,
}

/// Takes packets, gives messages.
#[derive(Debug, Default)]
pub struct Decoder {
    fragments: Fragments,
    streams: Streams,
    left_out: LeftOut,
}

impl Decoder {
    /// The messages that `packet` completes, in their order.
    pub fn packet(&mut self, packet: &Packet<'_>, found: &mut Vec<Message>) {
        let Ok(ip) = link::ip(packet) else {
            self.left_out.links = (self.left_out.links.0 + 1, packet.link.0);
            return;
        };
        let Some(ip) = ip else { return };
        match ip.fragment {
            None => self.datagram(packet, ip, found),
            Some(fragment) => {
                let Some(whole) = self.fragments.add(&ip, fragment) else { return };
                self.datagram(packet, Ip { payload: &whole, fragment: None, ..ip }, found);
            }
        }
    }

    /// What was cut off at the end of the capture.
    pub fn finish(&mut self, found: &mut Vec<Message>) {
        self.streams.finish(found);
    }

    /// What was not looked at.
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }

    fn datagram(&mut self, packet: &Packet<'_>, ip: Ip<'_>, found: &mut Vec<Message>) {
        let place = |source: u16, destination: u16, transport| Place {
            frame: packet.number,
            time: packet.time,
            way: Way {
                source: SocketAddr::new(ip.source, source),
                destination: SocketAddr::new(ip.destination, destination),
            },
            transport,
        };
        match ip.protocol {
            link::UDP => {
                let Ok(udp) = UdpSlice::from_slice_lax(ip.payload) else { return };
                let place = place(udp.source_port(), udp.destination_port(), Transport::Udp);
                let missing = usize::from(udp.length()).saturating_sub(ip.payload.len());
                udp_message(place, udp.payload(), missing, found);
            }
            link::TCP => {
                let Ok(tcp) = TcpSlice::from_slice(ip.payload) else { return };
                let place = place(tcp.source_port(), tcp.destination_port(), Transport::Tcp);
                if port::is_encrypted(place.way, tcp.payload()) {
                    self.left_out.encrypted += 1;
                    return;
                }
                let segment = Segment {
                    sequence: tcp.sequence_number(),
                    data: tcp.payload(),
                    syn: tcp.syn(),
                    fin: tcp.fin(),
                    rst: tcp.rst(),
                };
                self.streams.segment(place, segment, found);
            }
            _ => {}
        }
    }
}

/// A datagram: one message, or with MGCP several.
fn udp_message(place: Place, data: &[u8], missing: usize, found: &mut Vec<Message>) {
    let Some(protocol) = port::of_datagram(place.way, data) else { return };
    let cut = (missing > 0).then(|| format!("the capture lacks its last {missing} bytes"));
    if protocol != Protocol::Mgcp {
        found.push(message(place, protocol, data, cut));
        return;
    }
    match super::mgcp::messages(data) {
        Ok(parts) => {
            let parts: Vec<_> = parts.filter(|part| !part.trim_ascii().is_empty()).collect();
            let last = parts.len().saturating_sub(1);
            let cut = |at: usize| cut.clone().filter(|_| at == last);
            found.extend(parts.iter().enumerate().map(|(at, part)| message(place, protocol, part, cut(at))));
        }
        Err(error) => found.push(malformed(place, protocol, error.to_string())),
    }
}

/// One message, read as far as it can be.
fn message(place: Place, protocol: Protocol, data: &[u8], cut: Option<String>) -> Message {
    let (content, wrong) = match protocol {
        Protocol::Sip => text::sip(data),
        Protocol::Ras => ras::read(data),
        Protocol::H225 => h225::read(data),
        Protocol::Mgcp => text::mgcp(data),
        Protocol::Megaco => text::megaco(data),
    };
    Message { content, ..malformed_if(place, protocol, cut.or(wrong)) }
}

fn malformed(place: Place, protocol: Protocol, why: String) -> Message {
    malformed_if(place, protocol, Some(why))
}

fn malformed_if(place: Place, protocol: Protocol, malformed: Option<String>) -> Message {
    let Place { frame, time, way: Way { source, destination }, transport } = place;
    Message { frame, time, source, destination, transport, protocol, content: None, malformed }
}

#[cfg(test)]
mod tests;
