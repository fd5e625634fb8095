//! Responses as RFC 3435 has them, and as it does not.

use proptest::prelude::*;

use super::*;

fn parsed(text: &str) -> Result<(u16, u32, String), Error> {
    let response = Response::parse(text.as_bytes())?;
    Ok((response.code, response.transaction, String::from_utf8_lossy(response.comment).into_owned()))
}

#[test]
fn the_question() {
    let question = |domain: &str| {
        let audit = AuditEndpoint { transaction: 1200, domain: domain.parse().unwrap() };
        String::from_utf8(audit.to_bytes()).unwrap()
    };
    assert_eq!(question("192.0.2.10"), "AUEP 1200 *@[192.0.2.10] MGCP 1.0\r\nZM: 1\r\n");
    assert_eq!(question("2001:db8::10"), "AUEP 1200 *@[2001:db8::10] MGCP 1.0\r\nZM: 1\r\n");
}

#[test]
fn responses() {
    for (text, code, transaction, comment) in [
        ("200 1200 OK\r\n", 200, 1200, "OK"),
        ("200 1200\n", 200, 1200, ""),
        ("200 1 OK\r\nZ: aaln/1@gw.example\r\nZN: 24\r\n", 200, 1, "OK"),
        ("500 999999999 Endpoint unknown\r\n", 500, 999_999_999, "Endpoint unknown"),
        ("000 000000007\r\n", 0, 7, ""),
        ("800 5 /L package says no\r\n", 800, 5, "/L package says no"),
        ("100  \t 5 \t pending \r\n", 100, 5, "pending"),
    ] {
        assert_eq!(parsed(text), Ok((code, transaction, comment.to_owned())), "{text:?}");
    }
}

#[test]
fn what_is_no_response() {
    for (text, error) in [
        ("", Error::CutShort),
        ("200 1200 OK", Error::CutShort),
        ("\r\n", Error::Code),
        ("20\r\n", Error::Code),
        ("200\r\n", Error::Code),
        ("2001200\r\n", Error::Code),
        ("+20 1\r\n", Error::Code),
        ("AUEP 1200 *@[192.0.2.10] MGCP 1.0\r\n", Error::Code),
        ("200 \r\n", Error::Transaction),
        ("200 x\r\n", Error::Transaction),
        ("200 -1\r\n", Error::Transaction),
        ("200 1200x\r\n", Error::Transaction),
        ("200 1234567890\r\n", Error::Transaction),
        ("200 99999999999999999999999\r\n", Error::Transaction),
    ] {
        assert_eq!(parsed(text), Err(error), "{text:?}");
    }
}

#[test]
fn a_datagram_may_hold_several() {
    let all = |text: &str| -> Vec<String> {
        let found = messages(text.as_bytes()).unwrap();
        found.map(|message| String::from_utf8_lossy(message).into_owned()).collect()
    };
    assert_eq!(all("200 1 OK\r\n"), ["200 1 OK\r\n"]);
    assert_eq!(all("RSIP 1 a\r\nX: 1\r\n.\r\n200 1 OK\r\n"), ["RSIP 1 a\r\nX: 1\r\n", "200 1 OK\r\n"]);
    assert_eq!(all("a\n.\nb\n"), ["a\n", "b\n"]);
    assert_eq!(all("..\n. \n"), ["..\n. \n"]);
    assert_eq!(all(".\n.\n"), ["", "", ""]);
    assert!(messages(&vec![b'.'; MAX_DATAGRAM + 1]).is_err());
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for message in messages(&bytes).unwrap() {
            let _ = Response::parse(message);
        }
    }

    #[test]
    fn what_looks_right_is_read_or_refused(text in "[0-9 \\t\\r\\n./A-C]{0,60}") {
        for message in messages(text.as_bytes()).unwrap() {
            if let Ok(response) = Response::parse(message) {
                prop_assert!(response.code <= 999 && response.transaction <= MAX_TRANSACTION);
            }
        }
    }
}

#[test]
fn commands() {
    let text = b"crcx 1204 aaln/1@rgw-2567.example.net  MGCP 1.0 NCS 1.0\r\nC: A3C4\r\nL : p:10, a:PCMU\nM:\r\n\r\nv=0\r\n";
    let command = Command::parse(text).unwrap();
    assert_eq!((command.verb, command.transaction), (&b"crcx"[..], 1204));
    assert_eq!(
        (command.endpoint, command.version),
        (&b"aaln/1@rgw-2567.example.net"[..], &b"1.0 NCS 1.0"[..])
    );
    let expected = [(&b"C"[..], &b"A3C4"[..]), (b"L", b"p:10, a:PCMU"), (b"M", b"")];
    assert_eq!(parameters(text).collect::<Vec<_>>(), expected);
    let audit = AuditEndpoint { transaction: 7, domain: "192.0.2.10".parse().unwrap() }.to_bytes();
    assert_eq!(Command::parse(&audit).map(|command| command.endpoint), Ok(&b"*@[192.0.2.10]"[..]));
}

#[test]
fn what_is_no_command() {
    for (text, error) in [
        ("", Error::CutShort),
        ("AUEP 1200 *@[192.0.2.10] MGCP 1.0", Error::CutShort),
        ("AUE 1200 *@x MGCP 1.0\r\n", Error::Verb),
        ("200 1200 OK\r\n", Error::Verb),
        ("2AEP 1200 *@x MGCP 1.0\r\n", Error::Verb),
        ("AUEP x *@x MGCP 1.0\r\n", Error::Transaction),
        ("AUEP 1234567890 *@x MGCP 1.0\r\n", Error::Transaction),
        ("AUEP 1200\r\n", Error::Command),
        ("AUEP 1200 *@x SIP/2.0\r\n", Error::Command),
        ("AUEP 1200 *@x MGCP\r\n", Error::Command),
    ] {
        assert_eq!(Command::parse(text.as_bytes()), Err(error), "{text:?}");
    }
}
