//! What is no whole packet of UDP or TCP passes, and not one byte of it changes.

use failover_common::reason::Reason;

use crate::{
    fixture::{Fixture, leave},
    frame::{Frame, IP, L4, Raw, tcp_data, tcp_reset, tcp_syn, udp},
    network::*,
};

/// Offsets in the IPv4 header.
const TOTAL_LEN: usize = IP + 2;
const PROTOCOL: usize = IP + 9;
const UDP_LENGTH: usize = L4 + 4;
const TCP_OFFSET: usize = L4 + 12;

pub fn fixtures() -> Vec<Fixture> {
    [not_ip(), to_a_group(), odd_ip(), other_protocols(), lies(), truncated(), unfinished()].concat()
}

fn not_ip() -> Vec<Fixture> {
    let invite = udp(PHONE, PARIS);
    let arp = [
        &[0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 1, 10][..],
        &PHONE.ip().octets(),
        &[0; 6],
        &PARIS.ip().octets(),
        &[0; 18],
    ]
    .concat();
    let cases: [(&str, Raw); 5] = [
        (
            "ARP",
            invite.broken(|bytes| {
                bytes.truncate(IP);
                bytes[12..].copy_from_slice(&[0x08, 0x06]);
                bytes.extend(&arp);
            }),
        ),
        ("four bytes too many before the EtherType", invite.tagged(&[0, 0, 0, 0])),
        ("MPLS", invite.ethertype(0x8847)),
        ("an IEEE 802.3 length", invite.ethertype(200)),
        (
            "an Ethernet header and no more",
            invite.broken(|bytes| {
                bytes.truncate(IP);
                bytes[12..].copy_from_slice(&[0x08, 0x06]);
            }),
        ),
    ];
    let pppoe = invite.tagged(&[0x88, 0x64, 0x11, 0, 0, 1, 0, 100, 0, 0x21]);
    let fixtures = cases.into_iter().map(|(name, raw)| leave(name, raw, Reason::NotIp));
    fixtures.chain([leave("PPPoE", pppoe, Reason::Pppoe)]).collect()
}

/// The kernel forwards no such frame either.
fn to_a_group() -> Vec<Fixture> {
    let to = |mac: [u8; 6], frame: Frame| frame.broken(|bytes| bytes[..6].copy_from_slice(&mac));
    let (broadcast, multicast) = ([0xff; 6], [0x01, 0, 0x5e, 0, 1, 75]);
    vec![
        leave("an INVITE in a broadcast", to(broadcast, udp(PHONE, PARIS)), Reason::LinkBroadcast),
        leave("an INVITE in a multicast", to(multicast, udp(PHONE, PARIS)), Reason::LinkBroadcast),
        leave("a backup's answer in a broadcast", to(broadcast, udp(PARIS_BACKUP, PHONE)), {
            Reason::LinkBroadcast
        }),
    ]
}

fn odd_ip() -> Vec<Fixture> {
    let (invite, syn) = (udp(PHONE, PARIS), tcp_syn(PHONE, PARIS));
    let options = |frame: &Frame, ihl: u8| {
        frame.bent(|bytes| {
            let words = vec![1; usize::from(ihl - 5) * 4];
            bytes[IP] = 0x40 | ihl;
            let length = u16::from_be_bytes([bytes[TOTAL_LEN], bytes[TOTAL_LEN + 1]]) + words.len() as u16;
            bytes[TOTAL_LEN..TOTAL_LEN + 2].copy_from_slice(&length.to_be_bytes());
            drop(bytes.splice(L4..L4, words));
        })
    };
    let first = |frame: &Frame, byte: u8| frame.bent(|bytes| bytes[IP] = byte);
    let total = |frame: &Frame, length: u16| {
        frame.bent(|bytes| bytes[TOTAL_LEN..TOTAL_LEN + 2].copy_from_slice(&length.to_be_bytes()))
    };
    let length = (invite.bytes().len() - IP) as u16;
    vec![
        leave("one word of options", options(&invite, 6), Reason::IpOptions),
        leave("as many options as there can be", options(&syn, 15), Reason::IpOptions),
        leave("options that are not there", first(&invite, 0x4f), Reason::IpOptions),
        leave("no header", first(&invite, 0x40), Reason::MalformedIp),
        leave("a header of 16 bytes", first(&invite, 0x44), Reason::MalformedIp),
        leave("IPv4 behind IPv6's EtherType", invite.ethertype(0x86dd), Reason::MalformedIp),
        leave("version 6 behind IPv4's EtherType", first(&invite, 0x65), Reason::MalformedIp),
        leave("version 0", first(&syn, 0x05), Reason::MalformedIp),
        leave("a total length of 0", total(&invite, 0), Reason::MalformedIp),
        leave("a total length of 19", total(&invite, 19), Reason::MalformedIp),
        leave("a total length of the header alone", total(&invite, 20), Reason::MalformedL4),
        leave("a total length beyond the frame", total(&invite, length + 1), Reason::Truncated),
        leave("the greatest total length", total(&syn, u16::MAX), Reason::Truncated),
    ]
}

fn other_protocols() -> Vec<Fixture> {
    let protocol = |number: u8| udp(PHONE, PARIS).bent(|bytes| bytes[PROTOCOL] = number);
    [("ICMP", 1), ("IP in IP", 4), ("GRE", 47), ("ESP", 50), ("SCTP", 132), ("UDP-Lite", 136), ("none", 255)]
        .into_iter()
        .map(|(name, number)| leave(name, protocol(number), Reason::NotUdpTcp))
        .collect()
}

fn lies() -> Vec<Fixture> {
    let (invite, data) = (udp(PHONE, PARIS), tcp_data(PHONE, PARIS));
    let segment = (invite.bytes().len() - L4) as u16;
    let length = |length: u16| {
        invite.bent(|bytes| bytes[UDP_LENGTH..UDP_LENGTH + 2].copy_from_slice(&length.to_be_bytes()))
    };
    let offset = |frame: &Frame, words: u8| {
        frame.bent(|bytes| bytes[TCP_OFFSET] = words << 4 | bytes[TCP_OFFSET] & 0x0f)
    };
    // Half a header in the IP packet, and the other half in the frame's padding.
    let half = |frame: Frame, total: u16| {
        frame.padded(40).bent(|bytes| bytes[TOTAL_LEN..TOTAL_LEN + 2].copy_from_slice(&total.to_be_bytes()))
    };
    vec![
        leave("a UDP length of 0", length(0), Reason::MalformedL4),
        leave("a UDP length of 7", length(7), Reason::MalformedL4),
        leave("a UDP length beyond the packet", length(segment + 1), Reason::MalformedL4),
        leave("the greatest UDP length", length(u16::MAX), Reason::MalformedL4),
        leave("half a UDP header", half(udp(PHONE, PARIS).payload(b""), 24), Reason::MalformedL4),
        leave("a TCP header of nothing", offset(&data, 0), Reason::MalformedL4),
        leave("a TCP header of 16 bytes", offset(&data, 4), Reason::MalformedL4),
        leave("a TCP header beyond the segment", offset(&tcp_reset(PHONE, PARIS), 6), Reason::MalformedL4),
        leave("the longest TCP header, in a SYN", offset(&tcp_syn(PHONE, PARIS), 15), Reason::MalformedL4),
        leave("a TCP header of 15 bytes in padding", half(tcp_reset(PHONE, PARIS), 28), Reason::MalformedL4),
    ]
}

/// Every length from the Ethernet header on to the last byte but one.
fn truncated() -> Vec<Fixture> {
    let frames = [
        ("an INVITE", udp(PHONE, PARIS)),
        ("a SYN", tcp_syn(PHONE, PARIS)),
        ("data", tcp_data(PHONE, PARIS)),
        ("a dedicated backup's answer", udp(PARIS_BACKUP, PHONE)),
        ("a dedicated backup's RST", tcp_reset(PARIS_BACKUP, PHONE)),
    ];
    frames
        .into_iter()
        .flat_map(|(name, frame)| {
            (IP..frame.bytes().len()).map(move |length| {
                leave(&format!("{name}, cut to {length} bytes"), frame.cut(length), Reason::Truncated)
            })
        })
        .collect()
}

/// Whose checksums are left to a device: what is steered is steered where it leaves.
fn unfinished() -> Vec<Fixture> {
    let towards = [udp(PHONE, PARIS), tcp_syn(PHONE, PARIS), tcp_data(PHONE, PARIS)];
    let back = [udp(PARIS_BACKUP, PHONE), tcp_data(PARIS_BACKUP, PHONE)];
    let about = |frame: &Frame| {
        let name =
            format!("unfinished checksum, {} to {}, {} bytes", frame.from, frame.to, frame.bytes().len());
        leave(&name, frame.unfinished(), Reason::LeftToEgress).about(PARIS)
    };
    towards.iter().chain(&back).map(about).collect()
}
