use std::net::IpAddr;

use etherparse::{PacketHeaders, TransportHeader};
use failover_common::{key::mapped, reason::Reason, trace::Trace, value::Availability};
use proptest::prelude::*;

use super::*;

fn at(text: &str) -> SocketAddr {
    text.parse().expect("an address and a port")
}

fn invite() -> Vec<u8> {
    let mac = Some([2, 0, 0, 0, 7, 7]);
    frame::build(at("10.0.0.5:5062"), at("192.0.2.10:5060"), Proto::Udp, mac).expect("a frame")
}

#[test]
fn frames_are_what_a_phone_would_send() {
    for (from, to) in [("10.0.0.5:5062", "192.0.2.10:5060"), ("[2001:db8::5]:5062", "[2001:db8::a]:5060")]
        .map(|(a, b)| (at(a), at(b)))
    {
        let udp = frame::build(from, to, Proto::Udp, Some([2, 0, 0, 0, 7, 7])).expect("a frame");
        let headers = PacketHeaders::from_ethernet_slice(&udp).expect("it can be parsed");
        assert_eq!(udp[..6], [2, 0, 0, 0, 7, 7]);
        let Some(TransportHeader::Udp(header)) = headers.transport else { panic!("{headers:?}") };
        assert_eq!((header.source_port, header.destination_port), (5062, 5060));
        assert_ne!(header.checksum, 0);
        assert!(udp.windows(8).any(|part| part == b"OPTIONS "));

        let tcp = frame::build(from, to, Proto::Tcp, None).expect("a frame");
        let headers = PacketHeaders::from_ethernet_slice(&tcp).expect("it can be parsed");
        let Some(TransportHeader::Tcp(header)) = headers.transport else { panic!("{headers:?}") };
        assert!(header.syn && !header.ack);
        assert_eq!(frame::source(&tcp), Some(from.ip()));
    }
    let mixed = frame::build(at("10.0.0.5:1"), at("[2001:db8::a]:2"), Proto::Udp, None);
    assert_eq!(mixed.expect_err("two versions").exit(), 2);
}

#[test]
fn sources_are_found_behind_vlan_tags_and_nowhere_else() {
    let plain = invite();
    let tag = [0x81, 0x00, 0, 7];
    let tagged = [&plain[..12], &tag, &plain[12..]].concat();
    let twice = [&plain[..12], &[0x88, 0xa8, 0, 7], &tag, &plain[12..]].concat();
    let thrice = [&twice[..12], &tag, &twice[12..]].concat();
    let source: IpAddr = [10, 0, 0, 5].into();
    assert_eq!([&plain, &tagged, &twice].map(|frame| frame::source(frame)), [Some(source); 3]);
    assert_eq!(frame::source(&thrice), None);
    for cut in 0..30 {
        assert_eq!(frame::source(&plain[..cut.min(plain.len())]).is_some(), cut >= 30, "{cut}");
    }
}

#[test]
fn hex_digits_are_read_as_tools_write_them() {
    let read = |text: &str| text.parse::<Bytes>().map(|Bytes(bytes)| bytes);
    for text in ["00a1fF", "00 a1 ff", "00:a1:ff", "00-A1-FF\n", " 00a1 ff "] {
        assert_eq!(read(text), Ok(vec![0, 0xa1, 0xff]), "{text}");
    }
    assert_eq!(read(""), Ok(vec![]));
    for text in ["0", "00a", "0x00", "zz", "é0", "\u{1b}[2J"] {
        assert!(read(text).is_err(), "{text}");
    }
    assert_eq!(frame::check(&[0; 13]).expect_err("too short").exit(), 2);
    assert!(frame::check(&[0; 14]).is_ok());
}

/// A pcap file of this link type: each packet with its length on the wire.
fn pcap(link: u32, packets: &[(&[u8], u32)]) -> Vec<u8> {
    let mut file = Vec::new();
    file.extend(0xa1b2_c3d4_u32.to_le_bytes());
    file.extend([2, 0, 4, 0]);
    for word in [0, 0, 65_535, link] {
        file.extend(u32::to_le_bytes(word));
    }
    for (data, original) in packets {
        for word in [1, 2, data.len() as u32, *original] {
            file.extend(word.to_le_bytes());
        }
        file.extend(*data);
    }
    file
}

fn block(kind: u32, body: &[u8]) -> Vec<u8> {
    let padded = body.len().next_multiple_of(4);
    let length = (padded as u32 + 12).to_le_bytes();
    [&kind.to_le_bytes()[..], &length, body, &vec![0; padded - body.len()], &length].concat()
}

/// A pcapng file with one interface of this link type, and one packet that names interface `by`.
fn pcapng(link: u16, by: u32, data: &[u8]) -> Vec<u8> {
    let section = [&0x1a2b_3c4d_u32.to_le_bytes()[..], &[1, 0, 0, 0], &u64::MAX.to_le_bytes()].concat();
    let interface = [&link.to_le_bytes()[..], &[0; 6]].concat();
    let length = (data.len() as u32).to_le_bytes();
    let packet = [&by.to_le_bytes()[..], &[0; 8], &length, &length, data].concat();
    [block(0x0a0d_0d0a, &section), block(1, &interface), block(6, &packet)].concat()
}

#[test]
fn captures_of_both_kinds_are_read() {
    let frame = invite();
    let length = frame.len() as u32;
    let two = pcap(1, &[(&frame, length), (&frame[..60], 60)]);
    assert_eq!(capture::packets(&two), Ok(vec![frame.clone(), frame[..60].to_vec()]));
    assert_eq!(capture::packets(&pcapng(1, 0, &frame)), Ok(vec![frame.clone()]));
    let odd = &frame[..61];
    assert_eq!(capture::packets(&pcapng(1, 0, odd)), Ok(vec![odd.to_vec()]), "padding is no part of it");
    assert_eq!(capture::packets(&pcap(1, &[])), Ok(vec![]));
}

#[test]
fn captures_that_cannot_be_explained_say_why() {
    let frame = invite();
    let length = frame.len() as u32;
    let whole = pcap(1, &[(&frame, length)]);
    let mut endless = whole.clone();
    endless[32..36].copy_from_slice(&u32::MAX.to_le_bytes());
    for (file, why) in [
        (vec![], "empty"),
        (b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n".to_vec(), "neither"),
        (whole[..whole.len() - 1].to_vec(), "ends within a packet"),
        (endless, ""),
        (pcap(113, &[(&frame, length)]), "no Ethernet frame (link type 113)"),
        (pcap(1, &[(&frame[..60], length)]), "only 60 of"),
        (pcapng(101, 0, &frame), "no Ethernet frame"),
        (pcapng(1, 7, &frame), "does not name"),
    ] {
        let said = capture::packets(&file).expect_err(why).0;
        assert!(said.contains(why), "{said}: {why}");
    }
    let many = pcap(1, &vec![(&frame[..14], 14); 10_001]);
    assert!(capture::packets(&many).expect_err("too many").0.contains("10,000"));
    let missing = capture::read("/nonexistent.pcap".as_ref()).expect_err("no such file");
    assert_eq!(missing.exit(), 1);
}

proptest! {
    #[test]
    fn no_capture_brings_the_reader_down(bytes: Vec<u8>, at in 0_usize..200, to: u8, ng: bool) {
        let _ = capture::packets(&bytes);
        let mut file = if ng { pcapng(1, 0, &invite()) } else { pcap(1, &[(&invite(), 400)]) };
        if let Some(byte) = file.get_mut(at) {
            *byte = to;
        }
        let _ = capture::packets(&file);
        file.truncate(at);
        let _ = capture::packets(&file);
    }

    #[test]
    fn no_frame_brings_the_reader_down(bytes: Vec<u8>) {
        let _ = frame::source(&bytes);
    }
}

/// What the program would note about [`invite`] on its way to a backup.
fn steered() -> Answer {
    let mut after = invite();
    after[..6].copy_from_slice(&[2, 0, 0, 0, 9, 9]);
    after[22] = 63;
    after[30..34].copy_from_slice(&[198, 51, 100, 7]);
    let known = Trace::IP | Trace::PORTS | Trace::SERVICE | Trace::AVAILABILITY | Trace::WISH | Trace::ROUTE;
    let trace = Trace {
        end: Reason::Steered as u64 | 2 << 16 | 1 << 32,
        availability: Availability::new(1, 0b11, 7).0,
        source: mapped([10, 0, 0, 5]),
        destination: mapped([192, 0, 2, 10]),
        address: mapped([198, 51, 100, 7]),
        known,
        ip: 14,
        payload: 34,
        total_len: after.len() as u32 - 14,
        service_target: 1,
        egress: 3,
        source_port: 5062_u16.to_be_bytes(),
        destination_port: 5060_u16.to_be_bytes(),
        port: 5060_u16.to_be_bytes(),
        version: 4,
        protocol: 17,
        ..Trace::default()
    };
    Answer {
        action: 4,
        after,
        trace,
        target: Some("paris".into()),
        service: Some("sip/udp of target paris".into()),
        backup: Some("nsp-1".into()),
        egress: Some("wan1".into()),
    }
}

fn lan0() -> Ingress {
    Ingress { name: "lan0".into(), index: 2, mac: None }
}

#[test]
fn a_steered_packet_is_told_stage_by_stage() {
    let before = invite();
    let packets = vec![packet(&before, &lan0(), steered())];
    let text = text(&Explained { schema: 1, packets });
    let lines: Vec<&str> = text.lines().collect();
    let length = before.len() - 14;
    assert_eq!(
        lines[..8],
        [
            format!("parse     IPv4 UDP 10.0.0.5:5062 → 192.0.2.10:5060, {length} bytes, in by lan0")
                .as_str(),
            "service   sip/udp of target paris",
            "decision  backup nsp-1 serves (generation 7)",
            "rewrite   destination becomes 198.51.100.7:5060",
            "forward   a route and a neighbour: redirect by wan1 to 02:00:00:00:09:09",
            "verdict   STEERED: redirected (target paris)",
            "",
            "FIELD                BEFORE             AFTER",
        ]
    );
    assert!(lines.contains(&"TTL                  64                 63"), "{text}");
    assert!(lines.contains(&"destination address  192.0.2.10         198.51.100.7"), "{text}");
}

#[test]
fn a_target_that_drains_says_who_keeps_what_and_why_this_packet_goes_where_it_goes() {
    let decision = |availability: Availability, known, protocol, backup: Option<&str>| {
        let mut answer = steered();
        answer.trace.availability = availability.0;
        answer.trace.known |= Trace::DRAINS | known;
        answer.trace.protocol = protocol;
        answer.backup = backup.map(str::to_owned);
        let json = serde_json::to_value(packet(&invite(), &lan0(), answer)).expect("JSON");
        let stages = json["stages"].as_array().expect("stages");
        let rewrite = stages.iter().find(|stage| stage["stage"] == "rewrite").expect("a rewrite");
        assert_eq!(
            rewrite["finding"], "destination becomes 198.51.100.7:5060",
            "draining is no way to steer"
        );
        let stage = stages.iter().find(|stage| stage["stage"] == "decision").expect("a decision");
        stage["finding"].as_str().expect("words").to_owned()
    };
    let back = Availability::new(0, 0b11, 7).kept_by(2);
    let away = Availability::new(1, 0b11, 7).kept_by(1);
    let to_primary = "draining: the primary serves, and backup nsp-1 keeps what began there";
    let to_backup = "draining: backup nsp-1 gets what is new, and the primary keeps what it has";
    for (now, both) in [(back, to_primary), (away, to_backup)] {
        for (known, protocol, this) in [
            (Trace::BEGINS, 6, "a new connection"),
            (Trace::BEGAN_AT_BACKUP, 6, "a connection that began at the backup"),
            (0, 6, "nothing that is known to have begun at the backup"),
            (Trace::QUOTE, 1, "nothing that is known to have begun at the backup"),
            (Trace::CALL | Trace::BEGINS, 17, "a request for something new"),
            (Trace::CALL | Trace::BEGAN_AT_BACKUP, 17, "of a call that began at the backup"),
            (Trace::CALL, 17, "nothing that is known to have begun at the backup"),
            (0, 17, "neither TCP nor a call that can be read, and goes to the primary"),
        ] {
            let said = decision(now, known, protocol, Some("nsp-1"));
            assert_eq!(said, format!("{both}; this is {this} (generation 7)"));
        }
    }
    let unnamed = decision(back, Trace::BEGINS, 6, None);
    assert!(unnamed.contains("backup number 1 keeps"), "{unnamed}");
    let impossible = decision(Availability::new(0, 0, 7), Trace::BEGINS, 6, None);
    assert!(impossible.contains("backup number 0 keeps"), "{impossible}");
}

#[test]
fn json_has_every_field_and_null_for_what_is_unknown() {
    let before = invite();
    let blank = Answer {
        action: 2,
        after: before.clone(),
        trace: Trace::default(),
        target: None,
        service: None,
        backup: None,
        egress: None,
    };
    let packets = vec![packet(&before, &lan0(), blank), packet(&before, &lan0(), steered())];
    let json = serde_json::to_value(Explained { schema: SCHEMA, packets }).expect("JSON");
    let (first, second) = (&json["packets"][0], &json["packets"][1]);
    assert_eq!(json["schema"], 1);
    assert_eq!((&first["verdict"], &first["reason"]), (&"pass".into(), &().into()));
    assert_eq!((&first["target"], &first["changes"]), (&().into(), &serde_json::json!([])));
    assert_eq!(first["before"], first["after"]);
    assert_eq!((&second["verdict"], &second["reason"]), (&"redirect".into(), &"steered".into()));
    assert_eq!((&second["interface"], &second["target"]), (&"lan0".into(), &"paris".into()));
    assert_eq!(second["changes"][1], serde_json::json!({ "field": "TTL", "before": "64", "after": "63" }));
    assert_eq!(
        second["stages"][1],
        serde_json::json!({ "stage": "service", "finding": "sip/udp of target paris" })
    );
}

#[test]
fn a_byte_outside_of_all_fields_is_shown_all_the_same() {
    let before = invite();
    let mut after = before.clone();
    after[50] ^= 0xff;
    after.push(0);
    let fields: Vec<_> =
        changes::changes(&before, &after, &steered().trace).into_iter().map(|c| c.field).collect();
    assert_eq!(fields, ["byte 50", "length"]);
    // Offsets that lead nowhere are no reason to fall over.
    let wild = Trace { ip: u32::MAX, payload: 9_999, ..steered().trace };
    assert_eq!(changes::changes(&before, &before, &wild), []);
}
