//! The OPTIONS request that asks a server: whatever addresses and chance put into it, it reads as what was meant.
#![no_main]

use std::net::{IpAddr, SocketAddr};

use failover_fuzz::proto::sip::{Carrier, Framer, Message, Options, StartLine, Token};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: ([u8; Token::RANDOM], (IpAddr, u16), (IpAddr, u16), u8, u32)| {
    let (random, server, local, carrier, cseq) = input;
    let (server, local) = (SocketAddr::from(server), SocketAddr::from(local));
    let carrier = [Carrier::Udp, Carrier::Tcp, Carrier::Tls][usize::from(carrier % 3)];
    let (token, cseq) = (Token::from_random(&random), cseq >> 1);
    let bytes = Options { server, local, carrier, token: &token, cseq }.to_bytes();
    let message = Message::parse(&bytes).expect("our own request is one");
    assert!(matches!(message.start_line(), StartLine::Request { method: b"OPTIONS", .. }));
    let via = message.top_via().expect("it has a Via");
    assert_eq!(via.branch(), Some(token.branch.as_bytes()));
    assert_eq!(via.sent_by.iter().filter(|byte| **byte == b'%').count(), 0);
    assert_eq!(message.call_id(), Ok(token.call_id.as_bytes()));
    assert_eq!(message.from_tag(), Ok(Some(token.tag.as_bytes())));
    assert_eq!(message.to_tag(), Ok(None));
    assert_eq!(message.cseq().map(|found| (found.number, found.method)), Ok((cseq, &b"OPTIONS"[..])));
    assert_eq!(message.body(), Ok(&b""[..]));
    let mut framer = Framer::default();
    framer.push(&bytes).expect("it is short");
    assert_eq!(framer.next_message(), Ok(Some(bytes)));
});
