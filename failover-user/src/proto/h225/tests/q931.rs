//! Q.931.

use super::{Q931, octets, vectors};
use crate::proto::h225::{
    Error,
    q931::{CallReference, Element, Kind, MAX_ELEMENTS, Message, id, status_enquiry},
    uuie::MessageBody,
};

#[test]
fn real_messages_are_read_and_written_octet_for_octet() {
    let mut all = 0;
    for (said, octets) in vectors(Q931) {
        let message = Message::parse(&octets).unwrap_or_else(|error| panic!("{said}: {error}"));
        assert!(message.kind.name().is_some(), "{said}");
        assert!(message.user_information().unwrap().is_some(), "{said}");
        assert_eq!(message.to_bytes().unwrap(), octets, "{said}");
        all += 1;
    }
    assert_eq!(all, 18);
}

#[test]
fn a_status_enquiry_is_the_one_that_a_real_gatekeeper_answered() {
    assert_eq!(status_enquiry(1).unwrap(), octets("08020001757e0009052810010010800180"));
}

#[test]
fn what_a_real_gatekeeper_answered() {
    let answer = octets("080200005a7e000e052540060008914a000258140100");
    let message = Message::parse(&answer).unwrap();
    assert_eq!(message.kind, Kind::RELEASE_COMPLETE);
    assert_eq!(message.call, CallReference { value: 0, to_origin: false });
    assert_eq!(message.cause(), None);
    let body = message.user_information().unwrap().unwrap().h323_uu_pdu.h323_message_body;
    assert!(matches!(body, MessageBody::ReleaseComplete(_)));
    let rejected = vectors(Q931).map(|(_, octets)| octets).find(|octets| octets[1..5] == [2, 0x80, 1, 0x5a]);
    let rejected = rejected.unwrap();
    let message = Message::parse(&rejected).unwrap();
    assert_eq!(message.call, CallReference { value: 1, to_origin: true });
    assert_eq!(message.cause(), Some(21));
}

#[test]
fn call_references_have_up_to_two_octets() {
    for (hex, value, to_origin) in [
        ("080075", 0, false),
        ("08010575", 5, false),
        ("08018575", 5, true),
        ("0802123475", 0x1234, false),
        ("0802923475", 0x1234, true),
    ] {
        assert_eq!(Message::parse(&octets(hex)).unwrap().call, CallReference { value, to_origin }, "{hex}");
    }
}

#[test]
fn codesets_shift_for_one_element_or_for_good() {
    let message = octets("080200010599 7e0101 040188 97 7e0102 7e00 90 7e0001 05".replace(' ', "").as_str());
    let parsed = Message::parse(&message).unwrap();
    let variable = |codeset, id, value| Element::Variable { codeset, id, value };
    let expected = [
        Element::Single(0x99),
        variable(1, 0x7e, &[1][..]),
        variable(0, 0x04, &[0x88][..]),
        Element::Single(0x97),
        variable(7, 0x7e, &[2][..]),
        variable(7, 0x7e, &[][..]),
        Element::Single(0x90),
        variable(0, 0x7e, &[5][..]),
    ];
    assert_eq!(parsed.elements, expected);
    assert_eq!(parsed.user_user(), Ok(Some(&[][..])));
    assert_eq!(parsed.element(id::BEARER_CAPABILITY), Some(&[0x88][..]));
    assert_eq!(parsed.to_bytes().unwrap(), message);
}

#[test]
fn what_is_wrong_is_said() {
    for (hex, expected) in [
        ("", Error::CutShort("before its discriminator")),
        ("03020001757e0000", Error::Discriminator(3)),
        ("08", Error::CutShort("before its call reference")),
        ("080200", Error::CutShort("in its call reference")),
        ("080400000001", Error::CallReference(4)),
        ("08020001", Error::CutShort("before its type")),
        ("08020001f5", Error::Kind(0xf5)),
        ("080200017504", Error::ElementCutShort(0x04)),
        ("08020001750402aa", Error::ElementCutShort(0x04)),
        ("08020001757e00", Error::ElementCutShort(0x7e)),
        ("08020001757effff05", Error::ElementCutShort(0x7e)),
    ] {
        assert_eq!(Message::parse(&octets(hex)), Err(expected), "{hex}");
    }
    let many = [octets("0802000175"), vec![0xa0; MAX_ELEMENTS + 1]].concat();
    assert_eq!(Message::parse(&many), Err(Error::TooManyElements));
}

#[test]
fn a_user_user_element_of_no_length_is_an_error() {
    let empty = octets("08020001757e0000");
    let message = Message::parse(&empty).unwrap();
    assert_eq!(message.user_information(), Err(Error::NoUserInformation));
    let of_isdn = octets("08020001757e000204aa");
    assert_eq!(Message::parse(&of_isdn).unwrap().user_information(), Err(Error::NotAsn1(4)));
    let nothing_in_it = octets("08020001757e000105");
    assert!(matches!(Message::parse(&nothing_in_it).unwrap().user_information(), Err(Error::Decode { .. })));
}
