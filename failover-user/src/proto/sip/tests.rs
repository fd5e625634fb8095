//! What is read, what is refused, and that nothing panics.

use proptest::prelude::*;

use super::*;

/// Everything that RFC 3261 allows and few expect: line ends first, any case, compact names, blanks before colons,
/// folds, quoted separators, several Vias in one header.
const TORTUOUS: &[u8] = b"\r\n\r\n\
    sip/2.0 200 Tr\xc3\xa8s bien, merci\r\n\
    v  :   SIP  / 2.0\r\n / UDP   proxy.example.com  : 4000 ;ttl = 16\r\n\t;\r\n note=\"a;branch=no, \\\" b\" \
    ; BRANCH = z9hG4bKtop ; rport , SIP/2.0/TCP [2001:db8::1]:5060;branch=z9hG4bKbelow\r\n\
    VIA: SIP/2.0/UDP last.example.com;branch=z9hG4bKlast\r\n\
    i\t:  f81d4fae@[::1]  \r\n\
    cSEQ: 0009\r\n  OPTIONS\r\n\
    f: \"Mr. \\\"<;tag=no>\\\" Bell\" <sip:bell@example.com;tag=uri>\r\n ; x=y ;TAG=from-1\r\n\
    TO: sip:watson@example.com;tag=to-1\r\n\
    X-Empty:\r\n\
    X-Folded:\r\n  one\r\n\ttwo \r\n\
    l: 0\r\n\
    \r\n";

#[test]
fn tortuous_but_valid() {
    let message = Message::parse(TORTUOUS).unwrap();
    let reason = "Très bien, merci".as_bytes();
    assert_eq!(message.start_line(), StartLine::Response { status: 200, reason });
    let via = message.top_via().unwrap();
    assert_eq!((via.transport, via.sent_by), (&b"UDP"[..], &b"proxy.example.com  : 4000"[..]));
    assert_eq!(via.branch(), Some(&b"z9hG4bKtop"[..]));
    assert_eq!(via.params.get("TTL"), Some(Some(&b"16"[..])));
    assert_eq!(via.params.get("rport"), Some(None));
    assert_eq!(via.params.get("received"), None);
    assert_eq!(message.named(HeaderName::VIA).count(), 2);
    assert_eq!(message.call_id(), Ok(&b"f81d4fae@[::1]"[..]));
    assert_eq!(message.cseq(), Ok(CSeq { number: 9, method: b"OPTIONS" }));
    assert_eq!(message.from_tag(), Ok(Some(&b"from-1"[..])));
    assert_eq!(message.to_tag(), Ok(Some(&b"to-1"[..])));
    assert_eq!(message.content_length(), Ok(Some(0)));
    assert_eq!(message.body(), Ok(&b""[..]));
}

#[test]
fn bytes_stay_as_they_came_and_offsets_point_into_them() {
    let message = Message::parse(TORTUOUS).unwrap();
    assert_eq!(message.bytes(), TORTUOUS);
    for header in message.headers() {
        assert!(TORTUOUS[header.offset..].starts_with(header.name));
    }
    let find = |name: &[u8]| message.headers().find(|header| header.name == name).unwrap().value;
    assert_eq!(find(b"X-Empty"), b"");
    assert_eq!(find(b"X-Folded"), b"one\r\n\ttwo");
}

#[test]
fn status_lines() {
    let parse = |line: &str| {
        let bytes = format!("{line}\r\n\r\n");
        match Message::parse(bytes.as_bytes())?.start_line() {
            StartLine::Response { status, reason } => {
                Ok((status, String::from_utf8_lossy(reason).into_owned()))
            }
            StartLine::Request { .. } => panic!("{line} is no request"),
        }
    };
    assert_eq!(parse("SIP/2.0 100 Trying"), Ok((100, "Trying".into())));
    assert_eq!(parse("SIP/2.0 503 Service Unavailable"), Ok((503, "Service Unavailable".into())));
    assert_eq!(parse("SIP/2.0 200 "), Ok((200, String::new())));
    assert_eq!(parse("SIP/2.0 200"), Ok((200, String::new())));
    for wrong in [
        "SIP/2.0 099 x",
        "SIP/2.0 700 x",
        "SIP/2.0 20 x",
        "SIP/2.0 2000 x",
        "SIP/2.0 +20 x",
        "SIP/2.0  200 x",
        "SIP/3.0 200 x",
        "SIP/2.0",
        "HTTP/1.1 200 OK",
        "200 OK",
        "x",
        " SIP/2.0 200 OK",
    ] {
        assert_eq!(parse(wrong), Err(Error::StartLine), "{wrong}");
    }
}

#[test]
fn request_lines() {
    let message = Message::parse(b"INVITE sip:a@b;x=y SIP/2.0\n\nbody").unwrap();
    assert_eq!(message.start_line(), StartLine::Request { method: b"INVITE", uri: b"sip:a@b;x=y" });
    assert_eq!(message.body(), Ok(&b"body"[..]));
    for wrong in ["INVITE sip:a@b", "INVITE  SIP/2.0", "INVITE sip:a@b HTTP/1.1", "IN(VITE sip:a SIP/2.0"] {
        assert_eq!(Message::parse(format!("{wrong}\r\n\r\n").as_bytes()), Err(Error::StartLine), "{wrong}");
    }
}

/// A response with these header lines.
fn with(headers: &str) -> Vec<u8> {
    format!("SIP/2.0 200 OK\r\n{headers}\r\n").into_bytes()
}

#[test]
fn what_is_not_a_message() {
    let refuse = |bytes: &[u8]| Message::parse(bytes).unwrap_err();
    assert_eq!(refuse(b""), Error::Empty);
    assert_eq!(refuse(b"\r\n\r\n"), Error::Empty);
    assert_eq!(refuse(b"SIP/2.0 200 OK\r\n"), Error::NoEmptyLine);
    assert_eq!(refuse(b"SIP/2.0 200 OK\r\nCall-ID: x\r\n"), Error::NoEmptyLine);
    assert_eq!(refuse(b"SIP/2.0 200 OK"), Error::NoEmptyLine);
    assert_eq!(refuse(&with("no colon\r\n")), Error::HeaderLine { offset: 16 });
    assert_eq!(refuse(&with("a: b\r\n: nameless\r\n")), Error::HeaderLine { offset: 22 });
    assert_eq!(refuse(&with("two words: x\r\n")), Error::HeaderLine { offset: 16 });
    assert_eq!(refuse(&with(" a fold of nothing\r\n")), Error::HeaderLine { offset: 16 });
    assert_eq!(refuse(&with("a: b\rc: d\r\n")), Error::BareCr { offset: 16 });
    assert_eq!(refuse(&with("a: b\r\r\n")), Error::BareCr { offset: 16 });
    assert_eq!(refuse(&vec![b'x'; MAX_MESSAGE + 1]), Error::TooLong);
    assert_eq!(refuse(&with(&"a: b\r\n".repeat(MAX_HEADERS + 1))), Error::TooManyHeaders);
    assert_eq!(
        Message::parse(&with(&"a: b\r\n".repeat(MAX_HEADERS))).unwrap().headers().count(),
        MAX_HEADERS
    );
    let longest = with(&format!("a: {}\r\n", "x".repeat(MAX_MESSAGE - 23)));
    assert_eq!(longest.len(), MAX_MESSAGE);
    assert_eq!(Message::parse(&longest).unwrap().headers().count(), 1);
}

#[test]
fn malformed_headers_are_errors_where_they_are_asked_for() {
    let via = |value: &str| {
        let bytes = with(&format!("Via: {value}\r\n"));
        Message::parse(&bytes).unwrap().top_via().map(|via| via.branch().map(<[u8]>::to_vec))
    };
    for wrong in
        ["", ";", "SIP/2.0/UDP", "SIP/2.0 UDP h", "SIP/3.0/UDP h", "HTTP/2.0/UDP h", ",", "SIP/2.0/ h"]
    {
        assert_eq!(via(wrong), Err(Error::Malformed("Via")), "{wrong}");
    }
    assert_eq!(via("SIP/2.0/UDP h"), Ok(None));
    assert_eq!(via("SIP/2.0/UDP h;branch"), Ok(None));
    assert_eq!(via("SIP/2.0/UDP h;;branch=;"), Ok(Some(vec![])));
    assert_eq!(via("SIP/2.0/UDP h;x=\"never closed;branch=y"), Ok(None));

    let cseq = |value: &str| {
        let bytes = with(&format!("CSeq: {value}\r\n"));
        Message::parse(&bytes).unwrap().cseq().map(|cseq| cseq.number)
    };
    assert_eq!(cseq("2147483647 ACK"), Ok((1 << 31) - 1));
    for wrong in ["2147483648 ACK", "99999999999 ACK", "-1 ACK", "1", "ACK", "", "x ACK"] {
        assert_eq!(cseq(wrong), Err(Error::Malformed("CSeq")), "{wrong}");
    }
    let bytes = with("Call-ID: two words\r\nTo: <sip:a;tag=uri>\r\nFrom: <sip:a>;tag=\r\n");
    let message = Message::parse(&bytes).unwrap();
    assert_eq!(message.call_id(), Err(Error::Malformed("Call-ID")));
    assert_eq!((message.to_tag(), message.from_tag()), (Ok(None), Ok(None)));
    assert_eq!(message.cseq(), Err(Error::Missing("CSeq")));
    assert_eq!(message.top_via(), Err(Error::Missing("Via")));
}

#[test]
fn content_length_and_body() {
    let body = |headers: &str| {
        let mut bytes = with(headers);
        bytes.extend_from_slice(b"12345");
        Message::parse(&bytes).unwrap().body().map(<[u8]>::to_vec)
    };
    assert_eq!(body(""), Ok(b"12345".to_vec()));
    assert_eq!(body("l: 3\r\n"), Ok(b"123".to_vec()));
    assert_eq!(body("Content-Length: 5\r\nl:5\r\n"), Ok(b"12345".to_vec()));
    assert_eq!(body("l: 6\r\n"), Err(Error::BodyCutShort { expected: 6, got: 5 }));
    for wrong in ["l: 5\r\nl: 4\r\n", "l:\r\n", "l: -1\r\n", "l: 5 5\r\n", "l: 4294967296\r\n", "l: 0x5\r\n"]
    {
        assert_eq!(body(wrong), Err(Error::Malformed("Content-Length")), "{wrong}");
    }
}

fn options(local: &str, carrier: Carrier, token: &Token) -> String {
    options_to("192.0.2.10:5060", local, carrier, token)
}

fn options_to(server: &str, local: &str, carrier: Carrier, token: &Token) -> String {
    let (server, local) = (server.parse().unwrap(), local.parse().unwrap());
    String::from_utf8(Options { server, local, carrier, token, cseq: 7 }.to_bytes()).unwrap()
}

#[test]
fn options_request() {
    let token = Token::from_random(&std::array::from_fn(|i| i as u8));
    assert_eq!(
        options("198.51.100.1:40000", Carrier::Udp, &token),
        "OPTIONS sip:192.0.2.10:5060 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 198.51.100.1:40000;rport;branch=z9hG4bK000102030405060708090a0b0c0d0e0f\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:failover@198.51.100.1:40000>;tag=2021222324252627\r\n\
         To: <sip:192.0.2.10:5060>\r\n\
         Call-ID: 101112131415161718191a1b1c1d1e1f\r\n\
         CSeq: 7 OPTIONS\r\n\
         Contact: <sip:failover@198.51.100.1:40000>\r\n\
         Accept: application/sdp\r\n\
         User-Agent: failover\r\n\
         Content-Length: 0\r\n\r\n"
    );
    let tcp = options("198.51.100.1:40000", Carrier::Tcp, &token);
    assert!(tcp.contains("Via: SIP/2.0/TCP ") && tcp.contains(";transport=tcp>\r\n"), "{tcp}");
    let v6 = options("[fe80::1%3]:4000", Carrier::Udp, &token);
    assert!(v6.contains("Via: SIP/2.0/UDP [fe80::1]:4000;rport"), "{v6}");
}

#[test]
fn an_ipv6_address_is_in_brackets_wherever_it_stands() {
    let token = Token::from_random(&[0; Token::RANDOM]);
    let text = options_to("[2001:db8::10]:5060", "[2001:db8:2::1]:40000", Carrier::Tcp, &token);
    for line in [
        "OPTIONS sip:[2001:db8::10]:5060 SIP/2.0",
        "Via: SIP/2.0/TCP [2001:db8:2::1]:40000;rport;branch=",
        "From: <sip:failover@[2001:db8:2::1]:40000>;tag=",
        "To: <sip:[2001:db8::10]:5060>",
        "Contact: <sip:failover@[2001:db8:2::1]:40000;transport=tcp>",
    ] {
        assert!(text.lines().any(|found| found.starts_with(line)), "{line}\n{text}");
    }
    let message = Message::parse(text.as_bytes()).unwrap();
    let via = message.top_via().unwrap();
    assert_eq!(via.sent_by, b"[2001:db8:2::1]:40000");
    assert_eq!(via.branch(), Some(&token.branch[..]));
}

#[test]
fn our_own_parser_reads_our_own_request() {
    let token = Token::from_random(&[0xa5; Token::RANDOM]);
    let bytes = options("198.51.100.1:40000", Carrier::Udp, &token);
    let message = Message::parse(bytes.as_bytes()).unwrap();
    assert_eq!(message.top_via().unwrap().branch(), Some(&token.branch[..]));
    assert_eq!(message.call_id(), Ok(&token.call_id[..]));
    assert_eq!(message.from_tag(), Ok(Some(&token.tag[..])));
    assert_eq!(message.to_tag(), Ok(None));
    assert_eq!(message.cseq(), Ok(CSeq { number: 7, method: b"OPTIONS" }));
}

const FIRST: &[u8] = b"SIP/2.0 200 OK\r\nl: 5\r\n\r\n\r\n\r\n!";
const SECOND: &[u8] = b"OPTIONS sip:a SIP/2.0\nContent-Length: 0\n\n";

/// Two messages between keep-alives.
fn stream() -> Vec<u8> {
    [b"\r\n\r\n", FIRST, b"\r\n\r\n\n", SECOND, b"\r\n"].concat()
}

#[test]
fn a_stream_comes_apart_alike_in_pieces_of_any_size() {
    let stream = stream();
    for size in 1..=stream.len() {
        let mut framer = Framer::default();
        let mut messages = Vec::new();
        for piece in stream.chunks(size) {
            framer.push(piece).unwrap();
            while let Some(message) = framer.next_message().unwrap() {
                messages.push(message);
            }
        }
        assert_eq!(messages, [FIRST, SECOND], "in pieces of {size}");
    }
}

/// What a framer says at the end of `bytes`.
fn framed(bytes: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let mut framer = Framer::default();
    framer.push(bytes)?;
    framer.next_message()
}

#[test]
fn streams_that_end_nowhere() {
    assert_eq!(framed(b""), Ok(None));
    assert_eq!(framed(b"\r\n\r\n\r"), Ok(None));
    assert_eq!(framed(b"SIP/2.0 200 OK\r\n"), Ok(None));
    assert_eq!(framed(&with("l: 1\r\n")), Ok(None));
    assert_eq!(framed(&with("")), Err(Error::Missing("Content-Length")));
    assert_eq!(framed(&with("l: 1\r\nl: 2\r\n")), Err(Error::Malformed("Content-Length")));
    assert_eq!(framed(&with("l: 65535\r\n")), Err(Error::TooLong));
    assert_eq!(framed(&with("l: 4294967295\r\n")), Err(Error::TooLong));
    assert_eq!(framed(b"hello\r\n\r\n"), Err(Error::StartLine));
    assert_eq!(framed(&vec![b'x'; MAX_MESSAGE]), Ok(None));
    assert_eq!(framed(&vec![b'x'; MAX_MESSAGE + 1]), Err(Error::TooLong));
    assert_eq!(framed(&vec![b'x'; 2 * MAX_MESSAGE + 1]), Err(Error::TooLong));
}

/// Looks at everything there is to look at.
fn look(bytes: &[u8]) {
    let Ok(message) = Message::parse(bytes) else { return };
    let _ = (message.top_via().map(|via| via.params.iter().count()), message.call_id(), message.cseq());
    let _ = (message.from_tag(), message.to_tag(), message.content_length(), message.body());
    for header in message.headers() {
        assert_eq!(&bytes[header.offset..header.offset + header.name.len()], header.name);
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        look(&bytes);
        let _ = framed(&bytes);
    }

    #[test]
    fn no_near_message_panics(
        at in 0..TORTUOUS.len(),
        cut in 0..TORTUOUS.len(),
        with in prop::collection::vec(prop::sample::select(&b"\r\n\t :;,<>\"\\/=aV0\xff"[..]), 0..6),
    ) {
        let mut bytes = TORTUOUS.to_vec();
        bytes.splice(at..(at + with.len()).min(TORTUOUS.len()), with);
        look(&bytes);
        look(&bytes[..cut]);
        let _ = framed(&bytes);
    }

    #[test]
    fn framer_and_parser_agree_on_where_headers_end(
        lines in prop::collection::vec(prop::sample::select(&["a: b", " fold", "l: 0", "l : 3", "", "v", "x:\r"][..]), 0..8),
        ends in prop::collection::vec(prop::sample::select(&["\r\n", "\n"][..]), 9),
    ) {
        let mut bytes = b"SIP/2.0 200 OK\r\n".to_vec();
        for (line, end) in lines.iter().zip(&ends) {
            bytes.extend_from_slice(line.as_bytes());
            bytes.extend_from_slice(end.as_bytes());
        }
        if let Ok(Some(message)) = framed(&bytes) {
            let parsed = Message::parse(&message).unwrap();
            prop_assert_eq!(parsed.body().map(<[u8]>::len), Ok(parsed.content_length().unwrap().unwrap()));
            prop_assert!(bytes.starts_with(&message));
        }
    }
}
