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
        let (to, packet) = packet(frame)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "there is no whole IP packet in it"))?;
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

/// The IP packet in a frame, without what an Ethernet frame may be filled up with.
fn packet(frame: &[u8]) -> Option<(IpAddr, &[u8])> {
    let found = LaxSlicedPacket::from_ethernet(frame).ok()?;
    let (to, header, length): (IpAddr, &[u8], usize) = match found.net.as_ref()? {
        LaxNetSlice::Ipv4(ip) => {
            let header = ip.header();
            (header.destination_addr().into(), header.slice(), header.total_len().into())
        }
        LaxNetSlice::Ipv6(ip) => {
            let header = ip.header();
            let length = header.slice().len() + usize::from(header.payload_length());
            (header.destination_addr().into(), header.slice(), length)
        }
        LaxNetSlice::Arp(_) => return None,
    };
    let start = header.as_ptr().addr().checked_sub(frame.as_ptr().addr())?;
    Some((to, frame.get(start..start.checked_add(length)?)?))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packet_of_a_frame_is_taken_out_whole_or_not_at_all() {
        let ethernet = || PacketBuilder::ethernet2([2; 6], [4; 6]);
        let (mut four, mut six) = (Vec::new(), Vec::new());
        ethernet().ipv4([192, 0, 2, 1], [192, 0, 2, 10], 64).udp(1, 2).write(&mut four, b"four").unwrap();
        ethernet().ipv6([1; 16], [2; 16], 64).udp(1, 2).write(&mut six, b"six").unwrap();
        for (frame, to) in [(four, IpAddr::from([192, 0, 2, 10])), (six, IpAddr::from([2_u8; 16]))] {
            let filled = [frame.as_slice(), &[0; 20]].concat();
            assert_eq!(packet(&filled), Some((to, &frame[14..])));
            for length in 0..frame.len() {
                assert_eq!(packet(&frame[..length]), None, "{length} bytes");
            }
        }
    }
}
