//! A RAS message: what is read is written, and reads as the same.
#![no_main]

use failover_fuzz::{in_proportion, proto::h225::ras::RasMessage};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = in_proportion(bytes.len(), 1024, || RasMessage::decode(bytes)) else { return };
    assert!(!message.name().is_empty());
    let _ = message.request_seq_num();
    let again = message.encode().expect("what was read can be written");
    assert_eq!(RasMessage::decode(&again).as_ref(), Ok(&message));
});
