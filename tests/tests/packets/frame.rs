//! Frames as they should be: every checksum is worked out from nothing by etherparse, which knows nothing of the
//! program's arithmetic.

use std::net::SocketAddrV4;

use etherparse::{
    EtherType, Ethernet2Header, IpNumber, Ipv4Header, TcpHeader, TcpOptionElement, UdpHeader,
    checksum::Sum16BitWords,
};
use failover_tests::frames::seal_ipv4;

use crate::network::{mac, router_mac, subnet};

/// Where the parts of an IPv4 frame without options begin.
pub const IP: usize = 14;
/// See [`IP`].
pub const L4: usize = 34;
/// The payload of a UDP frame.
pub const UDP_PAYLOAD: usize = 42;

/// What the phones say.
const INVITE: &[u8] = b"INVITE sip:1001@paris.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.88.1.10:5062\r\n\r\n";

/// One frame, part by part.
#[derive(Clone, Debug)]
pub struct Frame {
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub ttl: u8,
    pub macs: Macs,
    tos: u8,
    segment: Segment,
    payload: Vec<u8>,
    padding: Vec<u8>,
}

/// The Ethernet addresses.
#[derive(Clone, Copy, Debug)]
pub struct Macs {
    pub to: [u8; 6],
    pub from: [u8; 6],
}

#[derive(Clone, Debug)]
enum Segment {
    Udp { summed: bool },
    Tcp(Box<TcpHeader>),
}

/// A SIP request over UDP, as the router receives it from `from`.
pub fn udp(from: SocketAddrV4, to: SocketAddrV4) -> Frame {
    frame(from, to, Segment::Udp { summed: true }, INVITE)
}

/// A connection's first segment, with the options that Linux sends.
pub fn tcp_syn(from: SocketAddrV4, to: SocketAddrV4) -> Frame {
    let mut header = tcp_header();
    header.syn = true;
    header
        .set_options(&[
            TcpOptionElement::MaximumSegmentSize(1460),
            TcpOptionElement::SelectiveAcknowledgementPermitted,
            TcpOptionElement::Timestamp(0x0102_0304, 0),
            TcpOptionElement::Noop,
            TcpOptionElement::WindowScale(7),
        ])
        .unwrap();
    frame(from, to, Segment::Tcp(Box::new(header)), b"")
}

/// The answer to a connection's first segment.
pub fn tcp_syn_ack(from: SocketAddrV4, to: SocketAddrV4) -> Frame {
    let mut header = tcp_header();
    (header.syn, header.ack) = (true, true);
    frame(from, to, Segment::Tcp(Box::new(header)), b"")
}

/// A segment with data and time stamps.
pub fn tcp_data(from: SocketAddrV4, to: SocketAddrV4) -> Frame {
    let mut header = tcp_header();
    (header.ack, header.psh) = (true, true);
    header.acknowledgment_number = 0x8765_4321;
    let stamps = TcpOptionElement::Timestamp(0x0102_0304, 0x0506_0708);
    header.set_options(&[TcpOptionElement::Noop, TcpOptionElement::Noop, stamps]).unwrap();
    frame(from, to, Segment::Tcp(Box::new(header)), INVITE)
}

/// A bare RST without options: the shortest segment there is.
pub fn tcp_reset(from: SocketAddrV4, to: SocketAddrV4) -> Frame {
    let mut header = tcp_header();
    (header.rst, header.window_size) = (true, 0);
    frame(from, to, Segment::Tcp(Box::new(header)), b"")
}

/// Ports come with the frame.
fn tcp_header() -> TcpHeader {
    TcpHeader::new(0, 0, 0x1234_5678, 64_240)
}

fn frame(from: SocketAddrV4, to: SocketAddrV4, segment: Segment, payload: &[u8]) -> Frame {
    let macs = Macs { to: router_mac(subnet(*from.ip())), from: mac(*from.ip()) };
    Frame { from, to, ttl: 64, macs, tos: 0, segment, payload: payload.to_vec(), padding: Vec::new() }
}

impl Frame {
    pub fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    /// DSCP and ECN.
    pub fn tos(self, tos: u8) -> Self {
        Self { tos, ..self }
    }

    pub fn payload(self, payload: &[u8]) -> Self {
        Self { payload: payload.to_vec(), ..self }
    }

    /// UDP's zero: no checksum was made.
    pub fn without_checksum(mut self) -> Self {
        self.segment = Segment::Udp { summed: false };
        self
    }

    /// Bytes after the IP packet, as a driver pads a short frame; not zeros, so that a change would show.
    pub fn padded(self, bytes: usize) -> Self {
        Self { padding: (0..bytes).map(|n| 0xa0 + n as u8).collect(), ..self }
    }

    /// To another device than the one that its source address is behind.
    pub fn arriving_in(mut self, subnet: u8) -> Self {
        self.macs.to = router_mac(subnet);
        self
    }

    /// With these Ethernet addresses.
    pub fn addressed(self, macs: Macs) -> Self {
        Self { macs, ..self }
    }

    /// As the router sends it: from its own device to the next hop.
    pub fn leaving(mut self) -> Self {
        self.macs = Macs { to: mac(*self.to.ip()), from: router_mac(subnet(*self.to.ip())) };
        self
    }

    /// The subnet by which it comes in.
    pub fn ingress(&self) -> u8 {
        self.macs.to[4]
    }

    /// Changes the payload's last two bytes until `checksum` of the frame is `wanted`.
    pub fn tuned(mut self, wanted: u16, checksum: impl Fn(&Self) -> u16) -> Self {
        let end = self.payload.len();
        for word in 0..=u16::MAX {
            self.payload[end - 2..].copy_from_slice(&word.to_be_bytes());
            if checksum(&self) == wanted {
                return self;
            }
        }
        panic!("no payload gives the checksum {wanted:#06x}");
    }

    /// The UDP or TCP checksum.
    pub fn l4_checksum(&self) -> u16 {
        let bytes = self.bytes();
        let at = L4 + if matches!(self.segment, Segment::Udp { .. }) { 6 } else { 16 };
        u16::from_be_bytes([bytes[at], bytes[at + 1]])
    }

    /// The same frame between other ends.
    pub fn between(mut self, from: SocketAddrV4, to: SocketAddrV4) -> Self {
        (self.from, self.to) = (from, to);
        self
    }

    /// The whole frame.
    pub fn bytes(&self) -> Vec<u8> {
        let ethernet = Ethernet2Header {
            source: self.macs.from,
            destination: self.macs.to,
            ether_type: EtherType::IPV4,
        };
        let (protocol, header) = match &self.segment {
            Segment::Udp { .. } => (IpNumber::UDP, UdpHeader::LEN),
            Segment::Tcp(tcp) => (IpNumber::TCP, tcp.header_len()),
        };
        let (from, to) = (self.from.ip().octets(), self.to.ip().octets());
        let mut ip =
            Ipv4Header::new((header + self.payload.len()) as u16, self.ttl, protocol, from, to).unwrap();
        ip.identification = 0x4242;
        ip.dscp = (self.tos >> 2).try_into().unwrap();
        ip.ecn = (self.tos & 3).try_into().unwrap();
        ip.header_checksum = ip.calc_header_checksum();
        let segment = self.segment_bytes(&ip);
        [&ethernet.to_bytes()[..], &ip.to_bytes(), &segment, &self.payload, &self.padding].concat()
    }

    fn segment_bytes(&self, ip: &Ipv4Header) -> Vec<u8> {
        let (from, to) = (self.from.port(), self.to.port());
        match &self.segment {
            Segment::Udp { summed } => {
                let mut udp = UdpHeader::with_ipv4_checksum(from, to, ip, &self.payload).unwrap();
                if !summed {
                    udp.checksum = 0;
                }
                udp.to_bytes().to_vec()
            }
            Segment::Tcp(tcp) => {
                let mut tcp = tcp.clone();
                (tcp.source_port, tcp.destination_port) = (from, to);
                tcp.checksum = tcp.calc_checksum_ipv4(ip, &self.payload).unwrap();
                tcp.to_bytes().to_vec()
            }
        }
    }

    /// With the sum of the pseudo-header for a checksum, as a container leaves it to a device.
    pub fn unfinished(&self) -> Raw {
        let (header, protocol) = match &self.segment {
            Segment::Udp { .. } => (8, 17),
            Segment::Tcp(tcp) => (tcp.header_len(), 6),
        };
        let length = ((header + self.payload.len()) as u16).to_be_bytes();
        let sum = Sum16BitWords::new()
            .add_4bytes(self.from.ip().octets())
            .add_4bytes(self.to.ip().octets())
            .add_2bytes([0, protocol])
            .add_2bytes(length);
        let at = L4 + if protocol == 17 { 6 } else { 16 };
        let sum = !sum.ones_complement().to_be();
        self.broken(|bytes| bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes()))
    }

    /// The bytes after `change`; the IP header's checksum is right again, so that nothing else is wrong with it.
    pub fn bent(&self, change: impl FnOnce(&mut Vec<u8>)) -> Raw {
        let mut bytes = self.bytes();
        change(&mut bytes);
        let header = usize::from(bytes[IP] & 0x0f) * 4;
        if header >= 20 && bytes.len() >= IP + header {
            seal_ipv4(&mut bytes[IP..]);
        }
        Raw { bytes, ingress: self.ingress() }
    }

    /// The bytes after `change`, nothing put right.
    pub fn broken(&self, change: impl FnOnce(&mut Vec<u8>)) -> Raw {
        let mut bytes = self.bytes();
        change(&mut bytes);
        Raw { bytes, ingress: self.ingress() }
    }

    /// Its first `length` bytes.
    pub fn cut(&self, length: usize) -> Raw {
        self.broken(|bytes| bytes.truncate(length))
    }

    /// The same payload behind another EtherType.
    pub fn ethertype(&self, ethertype: u16) -> Raw {
        self.broken(|bytes| bytes[12..14].copy_from_slice(&ethertype.to_be_bytes()))
    }

    /// `tag` between the Ethernet addresses and the EtherType.
    pub fn tagged(&self, tag: &[u8]) -> Raw {
        self.broken(|bytes| drop(bytes.splice(12..12, tag.iter().copied())))
    }
}

/// Bytes that come in by a device.
#[derive(Clone, Debug)]
pub struct Raw {
    pub bytes: Vec<u8>,
    pub ingress: u8,
}

impl Raw {
    /// Its first `length` bytes.
    pub fn cut(mut self, length: usize) -> Self {
        self.bytes.truncate(length);
        self
    }
}

impl From<Frame> for Raw {
    fn from(frame: Frame) -> Self {
        Self { bytes: frame.bytes(), ingress: frame.ingress() }
    }
}
