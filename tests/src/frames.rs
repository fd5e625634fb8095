//! Frames put on the wire byte for byte, as no socket with a protocol would send them.

use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, bail};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::netns::Namespace;

/// ETH_P_IP.
pub const IPV4: u16 = 0x0800;

/// Sends `frames` out of `device` of `host`, each from its Ethernet header on.
pub fn inject(host: &Namespace, device: &str, frames: &[Vec<u8>]) -> Result<()> {
    let socket = host.enter(|| {
        Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0))).context("open an AF_PACKET socket")
    })?;
    let index = rustix::net::netdevice::name_to_index(&socket, device)
        .with_context(|| format!("no device {device}"))?;
    let address = packet_address(index)?;
    for frame in frames {
        let sent = socket.send_to(frame, &address).with_context(|| format!("send {} bytes", frame.len()))?;
        if sent != frame.len() {
            bail!("sent {sent} of {} bytes", frame.len());
        }
    }
    Ok(())
}

/// An Ethernet frame: destination, source, EtherType, payload.
pub fn ethernet(to: [u8; 6], from: [u8; 6], ethertype: u16, payload: &[u8]) -> Vec<u8> {
    [&to[..], &from, &ethertype.to_be_bytes(), payload].concat()
}

/// An IPv4 packet with a right header checksum, whatever its payload. `options` are whole 32-bit words.
pub fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = 5 + options.len() / 4;
    let length = (words * 4 + payload.len()) as u16;
    let mut header = vec![0x40 | words as u8, 0];
    header.extend(length.to_be_bytes());
    header.extend([0x12, 0x34, 0, 0, 64, protocol, 0, 0]);
    header.extend(from.octets());
    header.extend(to.octets());
    header.extend(options);
    header.extend(payload);
    seal_ipv4(&mut header);
    header
}

/// Makes the header checksum of an IPv4 packet right again after a change.
pub fn seal_ipv4(packet: &mut [u8]) {
    let header = usize::from(packet[0] & 0x0f) * 4;
    packet[10..12].fill(0);
    let sum = checksum(&packet[..header]);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// A UDP datagram without checksum (RFC 768: zero).
pub fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len()) as u16;
    [&from.to_be_bytes()[..], &to.to_be_bytes(), &length.to_be_bytes(), &[0, 0], payload].concat()
}

/// The MAC address of a device.
pub fn mac(host: &Namespace, device: &str) -> Result<[u8; 6]> {
    let text = host.ip(&format!("-o link show dev {device}"))?;
    let mut words = text.split_whitespace().skip_while(|&word| word != "link/ether").skip(1);
    let bytes: Vec<u8> = words
        .next()
        .with_context(|| format!("{device} has no MAC address"))?
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16))
        .collect::<Result<_, _>>()?;
    <[u8; 6]>::try_from(bytes).ok().context("a MAC address has six bytes")
}

/// RFC 1071, over an even number of bytes.
pub fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 =
        bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// A sockaddr_ll (packet(7)) that names a device.
#[repr(C)]
struct LinkAddress {
    family: u16,
    protocol: u16,
    index: u32,
    hardware: u16,
    kind: u8,
    length: u8,
    address: [u8; 8],
}

fn packet_address(index: u32) -> Result<SockAddr> {
    const AF_PACKET: u16 = 17;
    let link = LinkAddress {
        family: AF_PACKET,
        protocol: 0,
        index,
        hardware: 0,
        kind: 0,
        length: 0,
        address: [0; 8],
    };
    // SAFETY: the storage is larger than LinkAddress and aligned for any socket address; the length given back is
    // that of what was written; its first two bytes are the address family.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            storage.cast::<LinkAddress>().write(link);
            *length = size_of::<LinkAddress>() as _;
            Ok(())
        })
    }
    .context("compose a packet address")?;
    Ok(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_header_sums_to_zero() {
        let (from, to) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2));
        let packet = ipv4(from, to, 17, &[1, 1, 1, 0], &udp(5060, 5060, b"x"));
        assert_eq!(checksum(&packet[..24]), 0);
        assert_eq!(packet[0], 0x46);
        assert_eq!(packet.len(), 24 + 8 + 1);
    }
}
