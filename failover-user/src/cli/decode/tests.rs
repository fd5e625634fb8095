//! What is printed, and how a capture that is none is told.

use std::net::SocketAddr;

use serde_json::Value;

use super::*;

const CALL: &[u8] =
    include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/captures/simph323-call-gnugk.pcap"));

fn printed(output: Output, file: &[u8]) -> (String, Option<String>) {
    let mut printer = Printer { output, zone: TimeZone::UTC, to: Vec::new(), printed: 0 };
    let (ended, left_out) = decode(file, &mut |message| printer.message(message));
    assert_eq!(left_out, LeftOut::default());
    let error = ended.err().map(|ended| match ended {
        Ended::Capture(error) => error.to_string(),
        Ended::Output(failure) => panic!("{failure:?}"),
    });
    if error.is_none() || printer.printed > 0 {
        printer.end().expect("a Vec takes everything");
    }
    (String::from_utf8(printer.to).expect("text"), error)
}

#[test]
fn a_document_and_lines_say_the_same() {
    let (document, error) = printed(Output::Json, CALL);
    assert_eq!(error, None);
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["schema"], 1);
    let (lines, _) = printed(Output::Jsonl, CALL);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(document["messages"].as_array(), Some(&lines));
    let first = &lines[0];
    assert_eq!(
        (&first["frame"], &first["protocol"], &first["message"]),
        (&1.into(), &"ras".into(), &"GRQ".into())
    );
    assert_eq!((&first["transport"], &first["malformed"]), (&"udp".into(), &Value::Null));
    assert_eq!(first["content"]["request_seq_num"].as_u64().map(|number| number > 0), Some(true));
    assert!(first["source"].as_str().is_some_and(|source| source.parse::<SocketAddr>().is_ok()));
    assert!(first["time"].as_str().is_some_and(|time| time.parse::<Timestamp>().is_ok()));
}

#[test]
fn a_message_is_one_line_for_people() {
    let (text, _) = printed(Output::Text, CALL);
    let setup = text.lines().find(|line| line.contains("Setup")).expect("a call");
    assert!(setup.contains("H.225/TCP  Setup  call ") && setup.contains("with setup, from alice"), "{setup}");
    assert!(text.lines().next().is_some_and(|line| line.starts_with("     1  20")), "{text}");
}

#[test]
fn what_is_in_a_message_does_not_move_the_cursor() {
    let sip = b"OPTIONS sip:\x1b]0;x SIP/2.0\r\nCall-ID: a\x07b\r\n\r\n";
    let mut file = CALL[..24].to_vec();
    let ip = [&[0x45, 0, 0, 28 + sip.len() as u8, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2][..]]
        .concat();
    let udp = [0x13, 0xc4, 0x13, 0xc4, 0, 8 + sip.len() as u8, 0, 0];
    let frame = [&[2; 12][..], &[8, 0], &ip, &udp, sip].concat();
    let length = (frame.len() as u32).to_le_bytes();
    file.extend([&[0; 8][..], &length, &length, &frame].concat());
    let (text, error) = printed(Output::Text, &file);
    assert_eq!(error, None);
    assert!(text.contains("OPTIONS") && !text.contains(['\u{1b}', '\u{7}']), "{text:?}");
}

#[test]
fn a_capture_without_messages_says_so_and_one_that_is_none_prints_nothing() {
    let empty = &CALL[..24];
    assert_eq!(printed(Output::Text, empty), ("the capture holds no signalling message\n".to_owned(), None));
    let (document, _) = printed(Output::Json, empty);
    let document: Value = serde_json::from_str(&document).expect("JSON");
    assert_eq!(document["messages"], Value::Array(Vec::new()));
    for output in [Output::Text, Output::Json, Output::Jsonl] {
        let (text, error) = printed(output, b"GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n");
        assert_eq!((text.as_str(), error.as_deref()), ("", Some("neither pcap nor pcapng")));
    }
}

#[test]
fn what_was_found_before_the_end_of_a_broken_capture_is_printed() {
    let (text, error) = printed(Output::Json, &CALL[..CALL.len() - 3]);
    assert_eq!(error.as_deref(), Some("it ends within a packet"));
    assert!(serde_json::from_str::<Value>(&text).is_ok());
}
