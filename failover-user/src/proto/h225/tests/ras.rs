//! RAS.

use super::{RAS, octets, vectors};
use crate::proto::h225::{
    address::AliasAddress,
    convert::unicode,
    ras::{
        RasMessage,
        head::{Head, decode_first},
        location::LocationRejectReason,
        question,
    },
};

/// The names, by the index of the alternative.
const NAMES: [&str; 25] = [
    "GRQ", "GCF", "GRJ", "RRQ", "RCF", "RRJ", "URQ", "UCF", "URJ", "ARQ", "ACF", "ARJ", "BRQ", "BCF", "BRJ",
    "DRQ", "DCF", "DRJ", "LRQ", "LCF", "LRJ", "IRQ", "IRR", "NSM", "XRS",
];

#[test]
fn real_messages_are_read_and_written_again() {
    let mut same = 0;
    let mut all = 0;
    for (said, octets) in vectors(RAS) {
        let message = RasMessage::decode(&octets).unwrap_or_else(|error| panic!("{said}: {error}"));
        let index: usize = said.rsplit('\t').next().unwrap().parse().unwrap();
        // An extension's index begins at 0 again, behind 25 alternatives of the root.
        let name = NAMES.get(index).copied().unwrap_or("IACK");
        assert_eq!(message.name(), name, "{said}");
        let again = message.encode().unwrap();
        assert_eq!(RasMessage::decode(&again).unwrap(), message, "{said}");
        same += usize::from(again == octets);
        all += 1;
    }
    assert_eq!(all, 169);
    // The others differ in how many additions their writer knew, which is in front of them.
    assert!(same >= 47, "{same} of {all}");
}

#[test]
fn a_request_in_whole() {
    let (_, first) = vectors(RAS).next().unwrap();
    let RasMessage::GatekeeperRequest(request) = RasMessage::decode(&first).unwrap() else { panic!() };
    assert_eq!(request.request_seq_num, 1);
    assert_eq!(request.protocol_identifier.as_ref(), [0, 0, 8, 2250, 0, 7]);
    assert_eq!(request.ras_address.socket_address(), Some("10.99.0.2:1719".parse().unwrap()));
    let vendor = request.endpoint_type.vendor.unwrap();
    assert_eq!(vendor.product_id.unwrap().as_ref(), b"h323-probe");
    assert_eq!(vendor.vendor.manufacturer_code, 18);
    assert!(request.endpoint_type.terminal.is_some() && request.endpoint_type.gateway.is_none());
    let aliases: Vec<_> = request.endpoint_alias.unwrap().iter().map(AliasAddress::text).collect();
    assert_eq!(aliases, [Some("1001".to_owned()), Some("alice".to_owned())]);
    assert_eq!((request.gatekeeper_identifier, request.supports_alt_gk), (None, Some(())));
}

#[test]
fn a_confirmation_in_whole() {
    let found = vectors(RAS).map(|(_, octets)| RasMessage::decode(&octets).unwrap());
    let confirm = found.into_iter().find_map(|message| match message {
        RasMessage::RegistrationConfirm(confirm) => Some(confirm),
        _ => None,
    });
    let confirm = confirm.unwrap();
    assert_eq!(unicode(&confirm.gatekeeper_identifier.unwrap()), "GnuGkTest");
    assert_eq!(unicode(&confirm.endpoint_identifier), "995048081_endp");
    assert_eq!(confirm.time_to_live, Some(60));
    assert_eq!((confirm.will_respond_to_irr, confirm.maintain_connection), (Some(false), Some(false)));
    let alternates = confirm.alternate_gatekeeper.unwrap();
    assert_eq!(unicode(alternates[0].gatekeeper_identifier.as_ref().unwrap()), "GnuGkAlt");
    assert_eq!(alternates[0].ras_address.socket_address(), Some("10.99.0.11:1719".parse().unwrap()));
}

#[test]
fn maintenance_is_a_reason_with_alternates() {
    let LocationReject { reason, alternates } = location_reject("520005830100010b0001000a63000b06b78180");
    assert_eq!(reason, LocationRejectReason::ResourceUnavailable);
    assert_eq!(alternates, [Some("10.99.0.11:1719".parse().unwrap())]);
    let LocationReject { reason, .. } = location_reject("50000940");
    assert_eq!(reason, LocationRejectReason::RequestDenied);
}

struct LocationReject {
    reason: LocationRejectReason,
    alternates: Vec<Option<std::net::SocketAddr>>,
}

fn location_reject(hex: &str) -> LocationReject {
    let RasMessage::LocationReject(reject) = RasMessage::decode(&octets(hex)).unwrap() else {
        panic!("{hex}")
    };
    let info = reject.alt_gk_info.into_iter();
    let alternates = info.flat_map(|info| info.alternate_gatekeeper);
    let alternates = alternates.map(|alternate| alternate.ras_address.socket_address()).collect();
    LocationReject { reason: reject.reject_reason, alternates }
}

#[test]
fn questions_are_as_a_real_gatekeeper_takes_them() {
    let alias = |text| AliasAddress::from_text(text).unwrap();
    let reply = "10.99.0.4:20000".parse().unwrap();
    let location = question::location_request(5, alias("1002"), alias("probe"), reply).unwrap();
    let RasMessage::LocationRequest(request) = RasMessage::decode(&location).unwrap() else { panic!() };
    assert_eq!(request.destination_info[0].text().unwrap(), "1002");
    assert_eq!(request.reply_address.socket_address(), Some(reply));
    let six = "[2001:db8::4]:20000".parse().unwrap();
    let discovery = question::gatekeeper_request(65_535, alias("failover"), six).unwrap();
    let RasMessage::GatekeeperRequest(request) = RasMessage::decode(&discovery).unwrap() else { panic!() };
    assert_eq!(request.request_seq_num, 65_535);
    assert_eq!(request.ras_address.socket_address(), Some(six));
}

#[test]
fn the_beginning_of_an_answer_says_which_it_is_and_to_what() {
    let mut answers = 0;
    for (said, octets) in vectors(RAS) {
        let message = RasMessage::decode(&octets).unwrap();
        let known = ["GCF", "GRJ", "LCF", "LRJ", "XRS", "RIP"].contains(&message.name());
        let head = Head::of(&octets).map(|head| (head.kind.name(), Some(head.number)));
        assert_eq!(head, known.then(|| (message.name(), message.request_seq_num())), "{said}");
        if known {
            answers += 1;
            // Padded, it is the same; cut short, it is none.
            let padded = [&octets[..], &[0; 3]].concat();
            assert_eq!(decode_first(&padded), Ok(Some(message)), "{said}");
            for length in 0..octets.len() {
                assert!(decode_first(&octets[..length]).is_err(), "{said} after {length}");
            }
        }
    }
    assert!(answers > 10, "{answers}");
    for (hex, name, number) in
        [("8005000041 0000", "RIP", 66), ("808110000041", "RIP", 66), ("60ffff", "XRS", 0)]
    {
        let head = Head::of(&octets(&hex.replace(' ', "")));
        assert_eq!(head.map(|head| (head.kind.name(), head.number)), (number > 0).then_some((name, number)));
    }
}

#[test]
fn aliases_are_numbers_or_names() {
    for (text, is_number) in
        [("1002", true), ("*72#,1", true), ("alice", false), ("10 02", false), ("Zoë ☎", false)]
    {
        let alias = AliasAddress::from_text(text).unwrap();
        assert_eq!(matches!(alias, AliasAddress::DialledDigits(_)), is_number, "{text}");
        assert_eq!(alias.text().unwrap(), text);
    }
    assert!(AliasAddress::from_text("beyond 𝄞").is_err());
    let nobody = AliasAddress::from_text("").unwrap();
    let reply = "10.99.0.4:20000".parse().unwrap();
    assert!(question::gatekeeper_request(1, nobody, reply).is_err());
}

#[test]
fn the_number_0_is_none() {
    let alias = AliasAddress::from_text("1002").unwrap();
    assert!(question::gatekeeper_request(0, alias, "10.99.0.4:1".parse().unwrap()).is_err());
}
