//! Answers in the manner of H.248.1's annexes, and what is none.

use proptest::prelude::*;

use super::*;

fn found(text: &str) -> Result<Option<Answer<'_>>, Error> {
    answer(text.as_bytes(), 50_003)
}

fn refused(code: u16, text: &str) -> Answer<'_> {
    Answer::Refused { code, text: text.as_bytes() }
}

#[test]
fn the_question() {
    let question = |local: &str| {
        let audit = AuditRoot { transaction: 4_294_967_295, local: local.parse().unwrap() };
        String::from_utf8(audit.to_bytes()).unwrap()
    };
    let body = "\nTransaction=4294967295{Context=-{AuditValue=ROOT{Audit{}}}}\n";
    assert_eq!(question("192.0.2.1:40000"), format!("MEGACO/1 [192.0.2.1]:40000{body}"));
    assert_eq!(question("[2001:db8::1]:40000"), format!("MEGACO/1 [2001:db8::1]:40000{body}"));
    // It is well-formed by our own reading, and no answer to itself.
    assert_eq!(answer(question("192.0.2.1:1").as_bytes(), u32::MAX), Ok(None));
}

#[test]
fn answers() {
    for (text, expected) in [
        (
            "MEGACO/1 [124.124.124.222]:55555\nReply = 50003 {\n  Context = - {\n    AuditValue = ROOT\n  }\n}\n",
            Answer::Done,
        ),
        ("!/1 [124.124.124.222] P=50003{C=-{AV=ROOT{}}}", Answer::Done),
        ("!/3 <mgc.example>:2944 p=50003/2/END{c=-{av=root}}", Answer::Done),
        ("MEGACO/2 MTP{0a1b} Reply=50003{Context=-{AuditValue=ROOT}}", Answer::Done),
        ("MEGACO/1 gw1/line@example Reply=50003{Context=-{AuditValue=ROOT}}", Answer::Done),
        (
            "Authentication=0x1:0x2:0xabcd MEGACO/1 [::1]:1 Reply=50003{Context=-{AuditValue=ROOT}}",
            Answer::Done,
        ),
        ("!/1 [1.2.3.4] PN=50003{}", Answer::Pending),
        ("MEGACO/1 [1.2.3.4] Pending = 50003 { }", Answer::Pending),
        ("!/1 [1.2.3.4] P=50003{ER=403{\"Syntax error\"}}", refused(403, "Syntax error")),
        ("!/1 [1.2.3.4] P=50003{C=-{ER=430{\"Unknown\"}}}", refused(430, "Unknown")),
        ("!/1 [1.2.3.4] Reply=50003{Context=-{AuditValue=ROOT{Error=501{}}}}", refused(501, "")),
        ("!/1 [1.2.3.4] P=50003{ER=510 {} , ER=511{\"second\"}}", refused(510, "second")),
        // Behind others, with comments, texts and escapes that hold marks.
        (
            "!/1 [1.2.3.4] ; P=50003{ER=400{}}\r\nK{1-3}P=7{ER=401{\"}}\"}} T=8{C=1{}} P=50003{C=-{L{s=\\}\\{}}}",
            Answer::Done,
        ),
    ] {
        assert_eq!(found(text), Ok(Some(expected)), "{text}");
    }
}

#[test]
fn what_is_about_others_is_no_answer() {
    for text in [
        "!/1 [1.2.3.4] P=50004{C=-{AV=ROOT}}",
        "!/1 [1.2.3.4] T=50003{C=-{AV=ROOT{AT{}}}}",
        "!/1 [1.2.3.4] ER=401{\"50003\"}",
        "!/1 [1.2.3.4] K{50003}",
        "!/1 [1.2.3.4]",
    ] {
        assert_eq!(found(text), Ok(None), "{text}");
    }
}

#[test]
fn what_is_wrong_says_how() {
    for (text, error) in [
        ("", Error::Header),
        ("200 50003 OK\r\n", Error::Header),
        ("MEGACO [1.2.3.4] P=50003{}", Error::Header),
        ("MEGACO/ [1.2.3.4] P=50003{}", Error::Header),
        ("MEGACO/x [1.2.3.4] P=50003{}", Error::Header),
        ("MEGACO/100 [1.2.3.4] P=50003{}", Error::Header),
        ("MEGACO/1", Error::Header),
        ("MEGACO/1 {", Error::Header),
        ("!/1 MTP{", Error::Header),
        ("!/1 [1.2.3.4] Q=50003{}", Error::Body),
        ("!/1 [1.2.3.4] =50003{}", Error::Body),
        ("!/1 [1.2.3.4] P=50003", Error::Body),
        ("!/1 [1.2.3.4] P{}", Error::Transaction),
        ("!/1 [1.2.3.4] P=x{}", Error::Transaction),
        ("!/1 [1.2.3.4] P=4294967296{}", Error::Transaction),
        ("!/1 [1.2.3.4] P=-1{}", Error::Transaction),
        ("!/1 [1.2.3.4] P=50003{", Error::CutShort),
        ("!/1 [1.2.3.4] P=50003{C=-{AV=ROOT}", Error::CutShort),
        ("!/1 [1.2.3.4] P=50003{ER=403{\"}}", Error::CutShort),
        ("!/1 [1.2.3.4] P=50003{C=\\}", Error::CutShort),
    ] {
        assert_eq!(found(text), Err(error), "{text}");
    }
    assert_eq!(answer(&vec![b' '; MAX_MESSAGE + 1], 1), Err(Error::TooLong));
}

#[test]
fn depth_costs_nothing() {
    let deep = format!("!/1 a P=50003{}{}", "{".repeat(30_000), "}".repeat(30_000));
    assert_eq!(found(&deep), Ok(Some(Answer::Done)));
    assert_eq!(found(&deep[..deep.len() - 1]), Err(Error::CutShort));
}

#[test]
fn an_outline_says_what_is_in_a_message() {
    let text = b"!/2 [1.2.3.4] T=9{C=${A=A/1{M{ST=1{L{v=0\nc=IN IP4 $\n}}}},O-W-AV=*},C=2{Priority=3,S=A/2}} PN=7{} \
        K{1-3} P=8{C=-{SC=ROOT{ER=501{\"Not here\"}}}} ER=401{\"Nonsense\"}";
    let (outline, error) = outline(text);
    let outline = outline.unwrap();
    assert_eq!((outline.version, outline.mid, error), (2, &b"[1.2.3.4]"[..], None));
    let [request, pending, acknowledged, reply, refused] = outline.transactions.as_slice() else {
        panic!("{outline:?}")
    };
    let expected = [("Add", &b"A/1"[..]), ("AuditValue", b"*"), ("Subtract", b"A/2")];
    assert_eq!(
        (request.kind, request.id, request.commands.as_slice()),
        ("Transaction", Some(9), &expected[..])
    );
    assert_eq!((pending.kind, pending.id), ("Pending", Some(7)));
    assert_eq!((acknowledged.kind, acknowledged.id), ("TransactionResponseAck", None));
    assert_eq!(
        (reply.commands[0], reply.error),
        (("ServiceChange", &b"ROOT"[..]), Some((501, &b"Not here"[..])))
    );
    assert_eq!((refused.kind, refused.id, refused.error), ("Error", None, Some((401, &b"Nonsense"[..]))));
}

#[test]
fn an_outline_ends_where_the_message_is_wrong() {
    for (text, known, error) in [
        ("SIP/2.0 200 OK", None, Error::Header),
        ("!/1 [1.2.3.4] P=8{} Q=9{}", Some(1), Error::Body),
        ("!/1 [1.2.3.4] P=8{} P=9{C=-{", Some(1), Error::CutShort),
        ("!/1 [1.2.3.4] P=x{}", Some(0), Error::Transaction),
    ] {
        let (found, wrong) = outline(text.as_bytes());
        assert_eq!((found.map(|found| found.transactions.len()), wrong), (known, Some(error)), "{text}");
    }
    assert_eq!(outline(&vec![b' '; MAX_MESSAGE + 1]).1, Some(Error::TooLong));
}

proptest! {
    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = (answer(&bytes, 1), outline(&bytes));
    }

    #[test]
    fn nor_does_what_looks_right(body in "[PTKERN=0-9{}\\\\\";, \\n/]{0,120}") {
        let text = format!("!/1 [1.2.3.4] {body}");
        let _ = (answer(text.as_bytes(), 1), outline(text.as_bytes()));
    }

    #[test]
    fn a_reply_cut_anywhere_is_no_answer(length in 0_usize..58) {
        let whole = "!/1 [1.2.3.4]:2944 P=50003{C=-{AV=ROOT{ER=430{\"Unknown\"}}}}";
        prop_assert!(!matches!(found(&whole[..length]), Ok(Some(_))));
    }
}
