//! SIP on a TCP connection: however it is cut, the same messages come out, each as it went in.
#![no_main]

use failover_fuzz::{
    in_proportion, pieces,
    proto::sip::{Error, Framer, Message},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (whole, pieces) = pieces(bytes);
    let (found, end) = in_proportion(whole.len(), 16, || read([whole].into_iter()));
    assert_eq!(read(pieces), (found.clone(), end));
    let mut at = 0;
    for message in &found {
        let parsed = Message::parse(message).expect("what is cut out is a message");
        assert_eq!(parsed.body().map(<[u8]>::len), Ok(parsed.content_length().unwrap().unwrap()));
        let ahead = &whole[at..];
        let skipped = ahead.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        assert!(ahead[skipped..].starts_with(message));
        at += skipped + message.len();
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
