//! A SIP message in a datagram: its parts lie within it, and written one by one they are the same message.
#![no_main]

use failover_fuzz::{
    in_proportion, is_within,
    proto::sip::{Message, StartLine},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = in_proportion(bytes.len(), 8, || Message::parse(bytes)) else { return };
    views(&message, bytes);
    let body = message.body().unwrap_or_default();
    is_within(body, bytes);
    let written = written(&message, body);
    let again = Message::parse(&written).expect("what was read can be read again");
    assert_eq!(again.start_line(), message.start_line());
    let (first, second): (Vec<_>, Vec<_>) = (message.headers().collect(), again.headers().collect());
    assert_eq!(first.len(), second.len());
    for (first, second) in first.iter().zip(&second) {
        assert_eq!((first.name, first.value), (second.name, second.value));
    }
    if let Ok(body) = message.body() {
        assert_eq!(again.body(), Ok(body));
    }
});

/// Every view may say no; none may point elsewhere.
fn views(message: &Message<'_>, bytes: &[u8]) {
    for header in message.headers() {
        is_within(header.name, bytes);
        is_within(header.value, bytes);
        assert!(bytes[header.offset..].starts_with(header.name));
    }
    if let Ok(via) = message.top_via() {
        is_within(via.sent_by, bytes);
        via.params.iter().for_each(|(name, value)| {
            is_within(name, bytes);
            is_within(value.unwrap_or_default(), bytes);
        });
        is_within(via.branch().unwrap_or_default(), bytes);
    }
    for view in [message.call_id(), message.cseq().map(|cseq| cseq.method)] {
        is_within(view.unwrap_or_default(), bytes);
    }
    for tag in [message.from_tag(), message.to_tag()] {
        is_within(tag.ok().flatten().unwrap_or_default(), bytes);
    }
}

fn written(message: &Message<'_>, body: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    match message.start_line() {
        StartLine::Request { method, uri } => text.extend([method, b" ", uri, b" SIP/2.0\r\n"].concat()),
        StartLine::Response { status, reason } => {
            text.extend(format!("SIP/2.0 {status} ").bytes());
            text.extend([reason, b"\r\n"].concat());
        }
    }
    for header in message.headers() {
        text.extend([header.name, b": ", header.value, b"\r\n"].concat());
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(body);
    text
}
