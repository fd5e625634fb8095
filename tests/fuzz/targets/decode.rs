//! A whole capture, from its file to JSON: no packet of it, and no order of them, brings the reader down or has it keep more
//! than it may. The first byte chooses: a capture as it is, or packets that are put into one, each behind its length.
#![no_main]

use failover_fuzz::{
    in_proportion,
    proto::{
        capture::{self, Linktype, Packet},
        decode::{Decoder, Message},
    },
};
use libfuzzer_sys::fuzz_target;

/// Devices whose captures are read.
const LINKS: [i32; 8] = [1, 0, 12, 101, 108, 113, 228, 276];

fuzz_target!(|bytes: &[u8]| {
    let Some((how, rest)) = bytes.split_first() else { return };
    // A message in JSON, and its capture's reader, which is as large for any.
    in_proportion(bytes.len() + (1 << 10), 1024, || match LINKS.get(usize::from(*how)) {
        None => file(rest),
        Some(link) => packets(Linktype(*link), rest),
    });
});

fn file(bytes: &[u8]) {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    let mut last = 0;
    let _ = capture::read(bytes, |packet| {
        assert!(packet.number == last + 1);
        last = packet.number;
        decoder.packet(&packet, &mut found);
        found.drain(..).for_each(|message| check(&message, last));
        Ok::<_, capture::Error>(())
    });
    decoder.finish(&mut found);
    found.iter().for_each(|message| check(message, last));
}

fn packets(link: Linktype, mut bytes: &[u8]) {
    let (mut decoder, mut found) = (Decoder::default(), Vec::new());
    let mut number = 0;
    while let Some((length, rest)) = bytes.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(rest.len());
        let (data, behind) = rest.split_at(length);
        (bytes, number) = (behind, number + 1);
        decoder.packet(&Packet { number, time: None, link, data, original: length }, &mut found);
    }
    decoder.finish(&mut found);
    found.iter().for_each(|message| check(message, number));
}

fn check(message: &Message, last: u64) {
    assert!((1..=last).contains(&message.frame));
    assert!(message.content.is_some() || message.malformed.is_some());
    assert!(message.content.as_ref().is_none_or(|content| !content.name().is_empty()));
    serde_json::to_string(&message.content).expect("whatever is read can be shown");
}
