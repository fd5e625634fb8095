//! Real captures, and what networks do to packets on their way.

use std::net::Ipv4Addr;

use etherparse::PacketBuilder;
use proptest::prelude::*;

use super::*;
use crate::proto::capture::{self, Linktype};

const CALL: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/captures/simph323-call-gnugk.pcap"));
const CYCLE: &[u8] = include_bytes!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../tests/data/captures/pycrate-full-cycle-gnugk.pcap"
));
const BYE: &str = "BYE sip:1002@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.5;branch=z9hG4bK1\r\nCall-ID: a@b\r\n\
    CSeq: 1\r\n  BYE\r\nContent-Length: 4\r\n\r\nbody";

fn read(file: &[u8]) -> Vec<Message> {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    capture::read(file, |packet| {
        decoder.packet(&packet, &mut found);
        Ok::<_, capture::Error>(())
    })
    .unwrap();
    decoder.finish(&mut found);
    found
}

/// The messages of frames that were captured on Ethernet.
fn decoded(frames: &[Vec<u8>]) -> Vec<Message> {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    for (at, frame) in frames.iter().enumerate() {
        decoder.packet(&ethernet(at, frame), &mut found);
    }
    decoder.finish(&mut found);
    found
}

fn ethernet(at: usize, data: &[u8]) -> Packet<'_> {
    let link = Linktype::ETHERNET;
    Packet { number: at as u64 + 1, time: None, link, data, original: data.len() }
}

fn udp(ports: (u16, u16), data: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let packet = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 5], [192, 0, 2, 10], 64);
    packet.udp(ports.0, ports.1).write(&mut frame, data).unwrap();
    frame
}

/// A segment from a phone to a server.
fn tcp(port: u16, sequence: u32, flags: &str, data: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let packet = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 5], [192, 0, 2, 10], 64);
    let mut packet = packet.tcp(40_000, port, sequence, 1000);
    for flag in flags.chars() {
        packet = match flag {
            'S' => packet.syn(),
            'F' => packet.fin(),
            _ => packet.rst(),
        };
    }
    packet.write(&mut frame, data).unwrap();
    frame
}

/// Name, or what is wrong, of each.
fn said(messages: &[Message]) -> Vec<String> {
    let one = |message: &Message| match (&message.malformed, &message.content) {
        (Some(why), _) => why.clone(),
        (None, Some(content)) => content.name(),
        (None, None) => panic!("{message:?}"),
    };
    messages.iter().map(one).collect()
}

#[test]
fn a_real_call() {
    let found = read(CALL);
    assert!(found.iter().all(|message| message.malformed.is_none()), "{found:#?}");
    let count = |protocol| found.iter().filter(|message| message.protocol == protocol).count();
    assert_eq!((count(Kind::Ras), count(Kind::H225)), (16, 25));
    let setup = found.iter().find_map(|message| match &message.content {
        Some(Content::H225(content)) if content.message == "Setup" => Some(content),
        _ => None,
    });
    let setup = setup.unwrap();
    assert_eq!(setup.uuie.as_deref(), Some("setup"));
    assert_eq!(setup.destination_aliases, ["1002"]);
    assert_eq!(setup.source_aliases[0], "alice");
    assert_eq!(setup.call_identifier.as_ref().map(String::len), Some(32));
    assert_eq!(setup.h245_tunnelling, Some(true));
}

#[test]
fn the_whole_life_of_an_endpoint() {
    let found = read(CYCLE);
    let wrong: Vec<_> = found.iter().filter(|message| message.malformed.is_some()).collect();
    assert_eq!(wrong.len(), 1, "{wrong:#?}");
    assert!(wrong[0].content.is_none() && wrong[0].frame > 0);
    let ras: Vec<_> = found
        .iter()
        .filter_map(|message| match &message.content {
            Some(Content::Ras(ras)) => Some(ras),
            _ => None,
        })
        .collect();
    let one = |name: &str| ras.iter().find(|ras| ras.message == name).unwrap();
    assert_eq!(one("GRQ").aliases, ["1001", "alice"]);
    assert_eq!(one("GCF").gatekeeper_identifier.as_deref(), Some("GnuGkTest"));
    assert_eq!(one("RCF").time_to_live, Some(60));
    assert_eq!(one("RCF").alternate_gatekeepers, ["10.99.0.11:1719"]);
    assert!(one("RCF").endpoint_identifier.as_ref().unwrap().ends_with("_endp"));
    assert!(one("ARJ").reject_reason.as_ref().unwrap().starts_with(char::is_lowercase));
    assert_eq!(one("DRQ").disengage_reason.as_deref(), Some("normalDrop"));
}

#[test]
fn a_request_in_whole() {
    let found = decoded(&[udp((5062, 5060), BYE.as_bytes())]);
    let [Message { content: Some(Content::Sip(sip)), malformed: None, frame: 1, .. }] = found.as_slice()
    else {
        panic!("{found:?}")
    };
    assert_eq!(sip.start_line, "BYE sip:1002@192.0.2.10 SIP/2.0");
    assert_eq!((sip.method.as_deref(), sip.status), (Some("BYE"), None));
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    assert_eq!(sip.headers[1..3], [header("Call-ID", "a@b"), header("CSeq", "1 BYE")]);
    assert_eq!((sip.headers.len(), sip.body_length), (4, Some(4)));
    assert_eq!(found[0].source, "10.0.0.5:5062".parse().unwrap());
}

#[test]
fn ports_and_looks_tell_the_protocol() {
    let audit = b"AUEP 1200 *@[192.0.2.10] MGCP 1.0\r\nZM: 1\r\n";
    let both = b"200 1200 OK\r\n.\r\nDLCX 1244 a/1@gw MGCP 1.0 NCS 1.0\r\nC : 1\r\n\r\nv=0\r\n";
    let add = b"!/1 [1.2.3.4]:1 T=9{C=${W-A=A/1{M{}},MF=A/2}} P=8{C=-{ER=430{\"Unknown\"}}} ER=401{\"x\"}";
    for (frame, expected) in [
        (udp((5062, 15_060), BYE.as_bytes()), vec!["BYE"]),
        (udp((15_060, 5062), b"SIP/2.0 200 OK\r\n\r\n"), vec!["200"]),
        (udp((2427, 2427), audit), vec!["AUEP"]),
        (udp((2727, 9999), both), vec!["200", "DLCX"]),
        (udp((9999, 2944), add), vec!["Transaction"]),
        (udp((9999, 1719), &[0x0e]), vec![""]),
        (udp((9999, 2944), &[0x30, 3, 2, 1, 0]), vec!["binary"]),
        (udp((9999, 53), b"nobody's"), vec![]),
        // What keeps a NAT open, and STUN.
        (udp((5060, 5060), b"\r\n\r\n"), vec![]),
        (udp((5060, 5060), &[0; 4]), vec![]),
        (udp((5060, 5060), &[[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42], [7; 8], [7; 8]].concat()), vec![]),
    ] {
        let found = said(&decoded(&[frame]));
        assert_eq!(found.len(), expected.len(), "{found:?}");
        assert!(found.iter().zip(&expected).all(|(found, part)| found.contains(part)), "{found:?}");
    }
    let found = decoded(&[udp((9999, 2944), add), udp((2727, 9999), both)]);
    let Some(Content::Megaco(megaco)) = &found[0].content else { panic!("{found:?}") };
    assert_eq!((megaco.version, megaco.mid.as_deref()), (Some(1), Some("[1.2.3.4]:1")));
    let [add, reply, error] = megaco.transactions.as_slice() else { panic!("{megaco:?}") };
    assert_eq!(
        (add.id, add.commands.as_slice()),
        (Some(9), &["Add=A/1".to_owned(), "Modify=A/2".to_owned()][..])
    );
    assert_eq!((reply.kind, reply.error, reply.text.as_deref()), ("Reply", Some(430), Some("Unknown")));
    assert_eq!((error.kind, error.id, error.error), ("Error", None, Some(401)));
    let Some(Content::Mgcp(mgcp)) = &found[2].content else { panic!("{found:?}") };
    assert_eq!((mgcp.endpoint.as_deref(), mgcp.transaction), (Some("a/1@gw"), 1244));
    assert_eq!(mgcp.parameters, [Parameter { name: "C".to_owned(), value: "1".to_owned() }]);
}

#[test]
fn tls_is_left_out_and_counted() {
    let mut decoder = Decoder::default();
    let mut found = Vec::new();
    decoder.packet(&ethernet(0, &tcp(5061, 1, "", &[22, 3, 1, 0, 5])), &mut found);
    decoder.packet(&ethernet(1, &tcp(5061, 9, "", BYE.as_bytes())), &mut found);
    decoder.packet(&Packet { link: Linktype(147), ..ethernet(2, b"x") }, &mut found);
    assert_eq!(said(&found), ["BYE"], "in plain text it is read");
    assert_eq!(decoder.left_out(), LeftOut { encrypted: 1, links: (1, 147) });
}

#[test]
fn every_link_is_taken_off() {
    let frame = udp((5062, 5060), BYE.as_bytes());
    let ip = &frame[14..];
    let tagged = [&frame[..12], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9], &frame[12..]].concat();
    let cooked = [&[0; 14][..], &[8, 0], ip].concat();
    let cooked2 = [&[8, 0][..], &[0; 18], ip].concat();
    let null = [&[2, 0, 0, 0][..], ip].concat();
    for (link, data) in [
        (1, tagged),
        (113, cooked),
        (276, cooked2),
        (101, ip.to_vec()),
        (12, ip.to_vec()),
        (228, ip.to_vec()),
        (0, null),
    ] {
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        decoder.packet(&Packet { link: Linktype(link), ..ethernet(0, &data) }, &mut found);
        assert_eq!(said(&found), ["BYE"], "link type {link}");
    }
    let mut six = Vec::new();
    let packet = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv6([1; 16], [2; 16], 64);
    packet.udp(5062, 5060).write(&mut six, BYE.as_bytes()).unwrap();
    assert_eq!(said(&decoded(&[six])), ["BYE"]);
}

#[test]
fn what_the_capture_cut_off_is_said() {
    let frame = udp((5062, 5060), BYE.as_bytes());
    let found = decoded(&[frame[..frame.len() - 2].to_vec()]);
    assert_eq!(said(&found), ["the capture lacks its last 2 bytes"]);
    assert!(found[0].content.is_some());
}

/// The datagram of `frame` in fragments of `size` bytes.
fn fragments(frame: &[u8], size: usize) -> Vec<Vec<u8>> {
    let (head, payload) = frame.split_at(34);
    let mut parts = Vec::new();
    for (at, part) in payload.chunks(size).enumerate() {
        let mut head = head.to_vec();
        let length = (20 + part.len()) as u16;
        head[16..18].copy_from_slice(&length.to_be_bytes());
        let more = u16::from((at + 1) * size < payload.len()) << 13;
        head[20..22].copy_from_slice(&((at * size / 8) as u16 | more).to_be_bytes());
        parts.push([&head, part].concat());
    }
    parts
}

#[test]
fn fragments_are_put_together_in_any_order() {
    let frame = udp((5062, 5060), BYE.as_bytes());
    let parts = fragments(&frame, 48);
    assert!(parts.len() > 2);
    assert_eq!(said(&decoded(&parts)), ["BYE"]);
    let mut turned = parts.clone();
    turned.reverse();
    turned.insert(1, turned[0].clone());
    assert_eq!(said(&decoded(&turned)), ["BYE"]);
    assert_eq!(said(&decoded(&parts[1..])), [""; 0]);
    // One that lies about what another one said.
    let mut lying = parts[0].clone();
    *lying.last_mut().unwrap() ^= 1;
    let overlapping = [&[parts[0].clone(), lying], &parts[1..]].concat();
    assert_eq!(said(&decoded(&overlapping)), [""; 0]);
}

#[test]
fn fragments_without_end_take_no_more_than_they_may() {
    let mut fragments = Fragments::default();
    for id in 0..20_000 {
        let (source, destination) = (Ipv4Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into());
        let ip = Ip { source, destination, protocol: 17, fragment: None, payload: &[7; 1024] };
        let fragment = link::Fragment { id, offset: 8 * (id as usize % 100), more: true };
        assert!(fragments.add(&ip, fragment).is_none());
        assert!(fragments.held() <= fragments::MAX_BYTES + 2048);
    }
}

/// A stream of three messages.
fn stream() -> Vec<u8> {
    [BYE, "\r\n\r\n", BYE, "SIP/2.0 200 OK\r\nl: 0\r\n\r\n"].concat().into_bytes()
}

/// As a phone sends it: a SYN, and segments of `size` bytes.
fn segments(port: u16, first: u32, bytes: &[u8], size: usize) -> Vec<Vec<u8>> {
    let mut frames = vec![tcp(port, first, "S", b"")];
    let mut sequence = first.wrapping_add(1);
    for part in bytes.chunks(size) {
        frames.push(tcp(port, sequence, "", part));
        sequence = sequence.wrapping_add(part.len() as u32);
    }
    frames
}

#[test]
fn streams_are_put_together() {
    let whole = ["BYE", "BYE", "200"];
    for size in [1, 7, 100, 5000] {
        // Numbers start again at 0 on the way.
        for first in [0, u32::MAX - 100, 1 << 31] {
            let frames = segments(5060, first, &stream(), size);
            assert_eq!(said(&decoded(&frames)), whole, "{size} {first}");
            let mut disordered = frames.clone();
            disordered[1..].reverse();
            disordered.extend_from_slice(&frames[1..]);
            assert_eq!(said(&decoded(&disordered)), whole, "{size} {first}");
        }
    }
    // What comes again behind the end is no new message.
    let mut repeated = segments(5060, 7, &stream(), 5000);
    repeated.extend([
        tcp(5060, 8 + stream().len() as u32, "F", b""),
        repeated[1].clone(),
        repeated[0].clone(),
    ]);
    assert_eq!(said(&decoded(&repeated)), whole);
    // Overlapping ones, in which the second version of a byte counts for nothing.
    let bytes = stream();
    let mut wrong = bytes.clone();
    wrong[..40].fill(b'x');
    let overlapping = [tcp(5060, 0, "S", b""), tcp(5060, 1, "", &bytes[..40]), tcp(5060, 1, "F", &wrong)];
    assert_eq!(said(&decoded(&overlapping)), whole);
}

#[test]
fn a_message_is_of_the_packet_that_completes_it() {
    let mut frames = segments(5060, 7, BYE.as_bytes(), 60);
    let last = frames.len() as u64;
    assert_eq!(decoded(&frames)[0].frame, last);
    frames.swap(1, 2);
    assert_eq!(decoded(&frames)[0].frame, last);
}

#[test]
fn a_stream_that_began_before_the_capture_is_taken_up() {
    let frames = segments(5060, 7, &stream(), BYE.len() / 2);
    let later = &frames[2..];
    assert_eq!(said(&decoded(later)), [""; 0], "in the middle of things");
    let bytes = stream();
    let rest = [tcp(5060, 100, "", b"half of it\r\n"), tcp(5060, 112, "", &bytes)];
    assert_eq!(said(&decoded(&rest)), ["BYE", "BYE", "200"]);
}

#[test]
fn what_is_missing_is_said_and_the_rest_is_read() {
    let first = segments(5060, 7, BYE.as_bytes(), 5000);
    let after = 8 + BYE.len() as u32 + 100;
    let frames = [first.as_slice(), &[tcp(5060, after, "", BYE.as_bytes())]].concat();
    assert_eq!(
        said(&decoded(&frames)),
        ["BYE", "100 bytes of the connection are missing from the capture", "BYE"]
    );
    let cut = segments(5060, 7, &BYE.as_bytes()[..50], 5000);
    assert_eq!(said(&decoded(&cut)), ["the connection ends 50 bytes into a message"]);
    let mut garbage = segments(1720, 7, b"GET / HTTP/1.1\r\n\r\n", 5000);
    garbage.push(tcp(1720, 26, "", &[3, 0, 0, 9, 8, 2, 0, 1, 0x75]));
    // Not even looked at before something looks like a packet of TPKT: it is said once.
    assert_eq!(
        said(&decoded(&garbage)),
        ["not a TPKT stream: a packet begins with 71, not with version 3", "StatusEnquiry"]
    );
}

#[test]
fn lengths_beyond_everything_are_said() {
    let long = b"BYE sip:a SIP/2.0\r\nContent-Length: 4294967296\r\n\r\n";
    assert_eq!(said(&decoded(&[udp((1, 5060), long)])), ["malformed Content-Length header in a SIP message"]);
    assert_eq!(
        said(&decoded(&segments(5060, 7, long, 5000))),
        ["malformed Content-Length header in a SIP message"]
    );
    let empty = [3, 0, 0, 12, 8, 2, 0, 1, 5, 0x7e, 0, 0];
    let found = decoded(&segments(1720, 7, &empty, 5000));
    assert_eq!(said(&found), ["malformed Q.931 message: its User-user element is empty"]);
    assert_eq!(found[0].content.as_ref().map(Content::name).as_deref(), Some("Setup"));
}

#[test]
fn streams_without_end_take_no_more_than_they_may() {
    let mut streams = Streams::default();
    let mut found = Vec::new();
    for port in 0..20_000_u32 {
        let way = Way {
            source: SocketAddr::new(Ipv4Addr::from(port / 5000).into(), (port % 5000) as u16),
            destination: SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 5060),
        };
        let place = Place { frame: port.into(), time: None, way, transport: Transport::Tcp };
        for sequence in [1, 2000, 3000, 4000, 5000, 6000, 7000] {
            let segment = Segment { sequence, data: &[b'x'; 900], syn: false, fin: false, rst: false };
            streams.segment(place, segment, &mut found);
        }
        assert!(streams.held() <= streams::MAX_BYTES + (1 << 20));
    }
}

proptest! {
    #[test]
    fn no_packet_brings_it_down(bytes: Vec<u8>, link in prop::sample::select(vec![0, 1, 101, 113, 276])) {
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        decoder.packet(&Packet { link: Linktype(link), ..ethernet(0, &bytes) }, &mut found);
    }

    #[test]
    fn no_segment_brings_it_down(
        parts in prop::collection::vec((any::<u32>(), 0_usize..300, 0_usize..300, "[SFR]{0,1}"), 0..20)
    ) {
        let bytes = stream();
        let frames: Vec<_> = parts.iter().map(|(sequence, start, length, flags)| {
            let part = bytes.get(*start..).unwrap_or_default();
            tcp(5060, sequence % 500, flags, part.get(..*length).unwrap_or(part))
        }).collect();
        decoded(&frames);
    }
}
