//! H.323's part of call signalling.

use super::{USER_INFORMATION, vectors};
use crate::proto::h225::{
    address::AliasAddress,
    uuie::{MessageBody, UserInformation, messages::ReleaseCompleteReason},
};

fn decoded() -> impl Iterator<Item = (&'static str, UserInformation)> {
    vectors(USER_INFORMATION).map(|(name, octets)| (name, UserInformation::decode(&octets).unwrap()))
}

#[test]
fn real_messages_are_read_and_written_again() {
    for (name, information) in decoded() {
        let body = &information.h323_uu_pdu.h323_message_body;
        let found = match body {
            MessageBody::Setup(_) => "setup",
            MessageBody::CallProceeding(_) => "callProceeding",
            MessageBody::Connect(_) => "connect",
            MessageBody::ReleaseComplete(_) => "releaseComplete",
            MessageBody::Empty => "empty",
            other => panic!("{other:?}"),
        };
        assert_eq!(found, name);
        let again = information.encode().unwrap();
        assert_eq!(UserInformation::decode(&again).unwrap(), information, "{name}");
    }
}

#[test]
fn a_setup_in_whole() {
    let (_, information) = decoded().next().unwrap();
    let MessageBody::Setup(setup) = information.h323_uu_pdu.h323_message_body else { panic!() };
    let texts = |aliases: Option<Vec<AliasAddress>>| -> Vec<_> {
        aliases.unwrap().iter().map(|alias| alias.text().unwrap()).collect()
    };
    assert_eq!(texts(setup.source_address), ["alice", "1001"]);
    assert_eq!(texts(setup.destination_address), ["1002"]);
    let called = setup.dest_call_signal_address.unwrap().socket_address();
    assert_eq!(called, Some("10.99.0.1:1720".parse().unwrap()));
    let calling = setup.source_call_signal_address.unwrap().socket_address();
    assert_eq!(calling, Some("10.99.0.2:59150".parse().unwrap()));
    assert_eq!(setup.call_identifier.unwrap().guid.len(), 16);
    assert_eq!((setup.media_wait_for_connect, setup.can_overlap_send), (Some(false), Some(false)));
    assert_eq!(information.h323_uu_pdu.h245_tunnelling, Some(true));
    // The language "en-us", which nothing here reads.
    assert!(setup.language.unwrap().0.ends_with(b"en-us"));
}

#[test]
fn the_answer_to_a_status_enquiry_has_a_reason() {
    let (_, information) = decoded().last().unwrap();
    let MessageBody::ReleaseComplete(release) = information.h323_uu_pdu.h323_message_body else { panic!() };
    assert_eq!(release.reason, Some(ReleaseCompleteReason::UndefinedReason));
}

#[test]
fn tunnelled_control_is_kept() {
    let control: Vec<_> = decoded().filter_map(|(_, found)| found.h323_uu_pdu.h245_control).collect();
    assert_eq!(control.len(), 11);
    assert_eq!(control[3][0].as_ref(), [0x21, 0x80, 0x01]);
}
