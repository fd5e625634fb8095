//! A Q.931 message: its elements lie within it, and written again they are the same, octet for octet but for the
//! call reference, which is written in two.
#![no_main]

use failover_fuzz::{
    in_proportion, is_within,
    proto::h225::q931::{Element, Message},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = in_proportion(bytes.len(), 64, || Message::parse(bytes)) else { return };
    for element in &message.elements {
        if let Element::Variable { value, .. } = element {
            is_within(value, bytes);
        }
    }
    let _ = (message.cause(), message.kind.name());
    if let Ok(Some(encoded)) = message.user_user() {
        is_within(encoded, bytes);
    }
    let _ = in_proportion(bytes.len(), 1024, || message.user_information());
    let again = message.to_bytes().expect("what was read can be written");
    assert_eq!(Message::parse(&again).as_ref(), Ok(&message));
    let reference = usize::from(bytes[1]);
    assert_eq!(&again[4..], &bytes[2 + reference..]);
});
