//! H.225.0 as others read and write it: pycrate, whose tables were made from the standard itself.
#![allow(clippy::unwrap_used)]

use anyhow::Result;
use failover_tests::pycrate::{Kind, differences, make, show};
use failover_user::proto::h225::{
    address::AliasAddress,
    q931::{Message, status_enquiry},
    ras::{RasMessage, head::Head, question},
    uuie::UserInformation,
};
use serde_json::json;

const SEED: u64 = 20;

fn alias(text: &str) -> AliasAddress {
    AliasAddress::from_text(text).unwrap()
}

/// Whatever a peer may say over RAS: every field, addition and alternative.
#[test]
fn what_others_write_over_ras_is_read_with_the_same_values() -> Result<()> {
    let messages = make(Kind::Ras, SEED, 1500)?;
    let mut pairs = Vec::new();
    for (shown, octets) in show(Kind::Ras, &messages)?.iter().zip(messages) {
        let message = RasMessage::decode(&octets).unwrap_or_else(|error| panic!("{error}: {shown}"));
        let (_, inner) = shown.as_object().unwrap().iter().next().unwrap();
        if let Some(number) = message.request_seq_num() {
            assert_eq!(inner["requestSeqNum"], number, "{shown}");
        }
        if let Some(head) = Head::of(&octets) {
            assert_eq!((head.kind.name(), Some(head.number)), (message.name(), message.request_seq_num()));
        }
        pairs.push((octets, message.encode()?));
    }
    assert_eq!(differences(Kind::Ras, &pairs)?, [""; 0]);
    Ok(())
}

#[test]
fn what_others_write_over_call_signalling_is_read_with_the_same_values() -> Result<()> {
    let read = |octets: Vec<u8>| {
        let message =
            UserInformation::decode(&octets).unwrap_or_else(|error| panic!("{error}: {octets:02x?}"));
        let again = message.encode().unwrap();
        (octets, again)
    };
    let pairs: Vec<_> = make(Kind::UserInformation, SEED, 800)?.into_iter().map(read).collect();
    assert_eq!(differences(Kind::UserInformation, &pairs)?, [""; 0]);
    Ok(())
}

#[test]
fn what_we_ask_over_ras_is_what_others_read() -> Result<()> {
    let four = "192.0.2.1:20000".parse()?;
    let six = "[2001:db8::1]:20001".parse()?;
    let questions = [
        question::location_request(65_535, alias("gatekeeper-monitoring-check"), alias("failover"), four)?,
        question::gatekeeper_request(1, alias("1001"), six)?,
    ];
    let lrq = json!({ "locationRequest": {
        "requestSeqNum": 65_535,
        "destinationInfo": [{ "h323-ID": "gatekeeper-monitoring-check" }],
        "replyAddress": { "ipAddress": { "ip": "c0000201", "port": 20000 } },
        "sourceInfo": [{ "h323-ID": "failover" }],
        "canMapAlias": true,
        "hopCount": 1,
    }});
    let grq = json!({ "gatekeeperRequest": {
        "requestSeqNum": 1,
        "protocolIdentifier": [0, 0, 8, 2250, 0, 7],
        "rasAddress": { "ip6Address": { "ip": "20010db8000000000000000000000001", "port": 20001 } },
        "endpointType": { "terminal": {}, "mc": false, "undefinedNode": false },
        "endpointAlias": [{ "dialledDigits": "1001" }],
    }});
    assert_eq!(show(Kind::Ras, &questions)?, [lrq, grq]);
    Ok(())
}

#[test]
fn what_we_ask_over_call_signalling_is_what_others_read() -> Result<()> {
    let enquiry = status_enquiry(1234)?;
    let user_user = Message::parse(&enquiry)?.user_user()?.unwrap().to_vec();
    let expected = json!({ "h323-uu-pdu": {
        "h323-message-body": { "empty": 0 },
        "h245Tunnelling": true,
    }});
    assert_eq!(show(Kind::UserInformation, &[user_user])?, [expected]);
    Ok(())
}
