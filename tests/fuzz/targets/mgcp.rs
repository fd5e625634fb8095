//! A datagram of MGCP: its messages lie within it, in order, and a first line written again is the same.
#![no_main]

use failover_fuzz::{
    in_proportion, is_within,
    proto::mgcp::{Command, MAX_TRANSACTION, Response, messages, parameters},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(found) = in_proportion(bytes.len(), 1, || messages(bytes)) else { return };
    let mut before = bytes.as_ptr();
    for message in found {
        is_within(message, bytes);
        assert!(message.as_ptr() >= before);
        before = message.as_ptr_range().end;
        for (name, value) in parameters(message) {
            is_within(name, message);
            is_within(value, message);
        }
        if let Ok(command) = Command::parse(message) {
            let Command { verb, transaction, endpoint, version } = command;
            assert!(Response::parse(message).is_err() && transaction <= MAX_TRANSACTION);
            let number = transaction.to_string();
            let line = [verb, b" ", number.as_bytes(), b" ", endpoint, b" MGCP ", version, b"\n"].concat();
            assert_eq!(Command::parse(&line), Ok(command));
        }
        let Ok(response) = Response::parse(message) else { continue };
        is_within(response.comment, bytes);
        assert!(response.code <= 999 && response.transaction <= MAX_TRANSACTION);
        let mut line = format!("{:03} {} ", response.code, response.transaction).into_bytes();
        line.extend([response.comment, b"\r\n"].concat());
        assert_eq!(Response::parse(&line), Ok(response));
    }
});
