use pcap_parser::{Block, PcapBlockOwned, PcapError};

use super::*;

fn steered() -> Seen {
    let word = |word: &str| Some(word.to_owned());
    Seen {
        time: "2026-03-01T02:03:04.567890Z".into(),
        interface: "lan0".into(),
        verdict: "redirect".into(),
        reason: "steered".into(),
        target: word("paris"),
        backup: word("nsp-1"),
        egress: word("srv1"),
        cpu: 0,
        protocol: word("udp"),
        from: word("10.0.0.5:5062"),
        to: word("192.0.2.10:5060"),
        new_from: word("10.0.0.5:5062"),
        new_to: word("198.51.100.20:5060"),
        says: word("OPTIONS sip:paris SIP/2.0"),
        length: 400,
        before: "00112233445566778899aabbccddeeff".into(),
        new_length: Some(400),
        after: word("ff"),
    }
}

#[test]
fn a_packet_is_one_line_whatever_is_in_it() {
    assert_eq!(
        line(&steered(), &TimeZone::UTC),
        "2026-03-01 02:03:04.567  lan0 → srv1  STEERED paris → nsp-1  udp 10.0.0.5:5062 > 192.0.2.10:5060, \
         becomes 10.0.0.5:5062 > 198.51.100.20:5060  400 bytes  OPTIONS sip:paris SIP/2.0"
    );
    let odd = Seen {
        egress: None,
        target: None,
        backup: None,
        from: None,
        says: Some("\u{1b}[2J".into()),
        reason: "not-ip".into(),
        ..steered()
    };
    assert_eq!(line(&odd, &TimeZone::UTC), "2026-03-01 02:03:04.567  lan0  NOT-IP  400 bytes  \\u{1b}[2J");
}

#[test]
fn a_sample_is_said_as_a_fraction() {
    assert_eq!((sample("1/100"), sample("5")), (Ok(100), Ok(5)));
    for wrong in ["0", "1/0", "2/3", "", "1/-1", "a"] {
        assert!(sample(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_capture_is_read_back_with_both_packets_and_their_comments() {
    let mut bytes = Vec::new();
    let mut writer = capture::Writer::begin(&mut bytes, false).expect("a header");
    writer.packet(&steered()).expect("a packet");
    writer.packet(&Seen { after: None, egress: None, ..steered() }).expect("a packet");
    writer.flush().expect("memory");
    let mut reader = pcap_parser::create_reader(1 << 16, &bytes[..]).expect("pcapng");
    let (mut names, mut packets) = (Vec::new(), Vec::new());
    loop {
        match reader.next() {
            Ok((length, block)) => {
                match block {
                    PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                        names.push(block.if_name().expect("a name").expect("UTF-8").to_owned());
                    }
                    PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                        let comment = packet.options[0].as_str().expect("text").to_owned();
                        packets.push((packet.if_id, packet.caplen, packet.origlen, comment));
                    }
                    _ => {}
                }
                reader.consume(length);
            }
            Err(PcapError::Incomplete(_)) => reader.refill().expect("memory"),
            Err(PcapError::Eof) => break,
            Err(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(names, ["lan0", "srv1"]);
    let words = "steered paris → nsp-1 (redirect, lan0 → srv1)".to_owned();
    let expected = [
        (0, 16, 400, words.clone()),
        (1, 1, 400, words + ": as it leaves"),
        (0, 16, 400, "steered paris → nsp-1 (redirect, lan0)".to_owned()),
    ];
    assert_eq!(packets, expected);
}
