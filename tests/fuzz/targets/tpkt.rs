//! TPKT on a TCP connection: however it is cut, the same messages come out, and packed again they are the same stream.
#![no_main]

use failover_fuzz::{
    in_proportion, pieces,
    proto::tpkt::{Error, Framer, packet},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (whole, pieces) = pieces(bytes);
    let (found, end) = in_proportion(whole.len(), 16, || read([whole].into_iter()));
    assert_eq!(read(pieces), (found.clone(), end));
    let mut at = 0;
    for message in &found {
        let mut packet = packet(message).expect("what came in a packet fits into one");
        // The reserved octet is nobody's.
        packet[1] = whole[at + 1];
        assert!(whole[at..].starts_with(&packet));
        at += packet.len();
    }
});

/// The messages, and why there are no more.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Vec<u8>>, Option<Error>) {
    let (mut framer, mut found) = (Framer::default(), Vec::new());
    for piece in pieces {
        if let Err(error) = framer.push(piece) {
            return (found, Some(error));
        }
        loop {
            match framer.next_message() {
                Ok(Some(message)) => found.push(message),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, None)
}
