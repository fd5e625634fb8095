//! IP packets of this machine's own making, in others' names.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use etherparse::{LaxNetSlice, LaxSlicedPacket, PacketBuilder};
use failover_common::names::MARK;
use socket2::{Domain, Protocol, Socket, Type};

/// IPPROTO_RAW: the packet has its IP header.
const RAW: i32 = 255;
/// What a host on the wire starts with.
const TTL: u8 = 64;

/// A socket for each IP version, once it is needed.
#[derive(Debug, Default)]
pub struct Raw {
    /// Steered where they leave.
    steered: [Option<Socket>; 2],
    /// Left alone there.
    marked: [Option<Socket>; 2],
}

impl Raw {
    /// Sends the IP packet in `frame`, as it is, on to where it was going.
    pub fn forward(&mut self, frame: &[u8]) -> io::Result<()> {
        let refused = || io::Error::new(io::ErrorKind::InvalidData, "no IP packet");
        let packet = LaxSlicedPacket::from_ethernet(frame).map_err(|_| refused())?;
        let (to, header): (IpAddr, &[u8]) = match &packet.net {
            Some(LaxNetSlice::Ipv4(ip)) => (ip.header().destination_addr().into(), ip.header().slice()),
            Some(LaxNetSlice::Ipv6(ip)) => (ip.header().destination_addr().into(), ip.header().slice()),
            _ => return Err(refused()),
        };
        let start = header.as_ptr().addr().checked_sub(frame.as_ptr().addr()).ok_or_else(refused)?;
        let packet = frame.get(start..).ok_or_else(refused)?;
        send(&mut self.steered, to, packet, None)
    }

    /// Sends `client` an acknowledgement in the name of `server`, with numbers that are not the connection's: a living client says
    /// what they are (RFC 9293 §3.10.7.4), and whoever gets that for the server knows of no connection, and resets it.
    pub fn acknowledge(&mut self, server: SocketAddr, client: SocketAddr) -> io::Result<()> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(io::Error::other)?;
        let [a, b, c, d, acknowledged @ ..] = random;
        let ip = match (server.ip(), client.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => PacketBuilder::ipv4(from.octets(), to.octets(), TTL),
            (IpAddr::V6(from), IpAddr::V6(to)) => PacketBuilder::ipv6(from.octets(), to.octets(), TTL),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "two IP versions")),
        };
        let segment = ip
            .tcp(server.port(), client.port(), u32::from_be_bytes([a, b, c, d]), u16::MAX)
            .ack(u32::from_be_bytes(acknowledged));
        let mut packet = Vec::with_capacity(segment.size(0));
        segment.write(&mut packet, &[]).map_err(io::Error::other)?;
        send(&mut self.marked, client.ip(), &packet, Some(MARK))
    }
}

fn send(sockets: &mut [Option<Socket>; 2], to: IpAddr, packet: &[u8], mark: Option<u32>) -> io::Result<()> {
    let [four, six] = sockets;
    let socket = if to.is_ipv4() { four } else { six };
    let socket = match socket {
        Some(socket) => socket,
        None => socket.insert(open(to.is_ipv4(), mark)?),
    };
    socket.send_to(packet, &SocketAddr::new(to, 0).into()).map(drop)
}

fn open(v4: bool, mark: Option<u32>) -> io::Result<Socket> {
    let domain = if v4 { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(RAW)))?;
    // Where its buffer is full, the packet is lost, as any may be.
    socket.set_nonblocking(true)?;
    if v4 {
        socket.set_header_included_v4(true)?;
    } else {
        socket.set_header_included_v6(true)?;
    }
    mark.map_or(Ok(()), |mark| socket.set_mark(mark))?;
    Ok(socket)
}
