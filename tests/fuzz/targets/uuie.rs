//! H.323's part of call signalling, Setup and all: what is read is written, and reads as the same.
#![no_main]

use failover_fuzz::{in_proportion, proto::h225::uuie::UserInformation};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = in_proportion(bytes.len(), 1024, || UserInformation::decode(bytes)) else { return };
    let again = message.encode().expect("what was read can be written");
    assert_eq!(UserInformation::decode(&again).as_ref(), Ok(&message));
});
