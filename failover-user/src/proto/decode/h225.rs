//! Call signalling: Q.931, and H.323's part in it.

use std::fmt::{self, Write as _};

use rasn::types::OctetString;

use super::{
    content::{Content, H225},
    text::{Read, lossy},
};
use crate::proto::h225::{
    address::{AliasAddress, TransportAddress},
    endpoint::CallIdentifier,
    q931::{Message, id},
    uuie::{MessageBody, UserInformation, messages::Facility, setup::Setup},
};

pub(super) fn read(data: &[u8]) -> Read {
    let message = match Message::parse(data) {
        Ok(message) => message,
        Err(error) => return (None, Some(error.to_string())),
    };
    let mut content = H225 {
        message: message.kind.name().map_or_else(|| format!("{:#04x}", message.kind.0), str::to_owned),
        call_reference: message.call.value,
        to_originator: message.call.to_origin,
        cause: message.cause(),
        display: message.element(id::DISPLAY).map(lossy),
        calling_party: message.element(id::CALLING_PARTY_NUMBER).and_then(number),
        called_party: message.element(id::CALLED_PARTY_NUMBER).and_then(number),
        ..H225::default()
    };
    match message.user_information() {
        Ok(Some(information)) => {
            fill(&mut content, information);
            (Some(Content::H225(content)), None)
        }
        Ok(None) => (Some(Content::H225(content)), None),
        Err(error) => (Some(Content::H225(content)), Some(error.to_string())),
    }
}

/// The digits behind the octets that say of what kind they are: the last of those has its top bit set (Q.931 §4.5.8).
fn number(value: &[u8]) -> Option<String> {
    let kinds = value.iter().position(|octet| octet & 0x80 != 0)? + 1;
    value.get(kinds..).filter(|digits| !digits.is_empty()).map(lossy)
}

fn fill(content: &mut H225, information: UserInformation) {
    let pdu = information.h323_uu_pdu;
    content.h245_tunnelling = pdu.h245_tunnelling;
    content.h245_messages = pdu.h245_control.map_or(0, |messages| messages.len());
    let body = pdu.h323_message_body;
    content.uuie = Some(asn1_name(&body));
    let call = |call: Option<CallIdentifier>| call.map(|call| hex(&call.guid));
    match body {
        MessageBody::Setup(setup) => fill_setup(content, &setup),
        MessageBody::CallProceeding(body) => {
            content.call_identifier = call(body.call_identifier);
            content.h245_address = body.h245_address.as_ref().map(address);
            content.fast_start = count(body.fast_start);
        }
        MessageBody::Connect(body) => {
            content.call_identifier = call(body.call_identifier);
            content.conference_id = Some(hex(&body.conference_id));
            content.h245_address = body.h245_address.as_ref().map(address);
            content.fast_start = count(body.fast_start);
        }
        MessageBody::Alerting(body) => {
            content.call_identifier = call(body.call_identifier);
            content.h245_address = body.h245_address.as_ref().map(address);
            content.fast_start = count(body.fast_start);
        }
        MessageBody::Information(body) => content.call_identifier = call(body.call_identifier),
        MessageBody::ReleaseComplete(body) => {
            content.call_identifier = call(body.call_identifier);
            content.reason = body.reason.as_ref().map(asn1_name);
        }
        MessageBody::Facility(body) => fill_facility(content, &body),
        MessageBody::Status(body) => content.call_identifier = call(Some(body.call_identifier)),
        MessageBody::StatusInquiry(body) => content.call_identifier = call(Some(body.call_identifier)),
        MessageBody::Progress(_)
        | MessageBody::Empty
        | MessageBody::SetupAcknowledge(_)
        | MessageBody::Notify(_) => {}
    }
}

fn count(channels: Option<Vec<OctetString>>) -> usize {
    channels.map_or(0, |channels| channels.len())
}

fn fill_setup(content: &mut H225, setup: &Setup) {
    content.call_identifier = setup.call_identifier.as_ref().map(|call| hex(&call.guid));
    content.conference_id = Some(hex(&setup.conference_id));
    content.source_aliases = aliases(setup.source_address.as_deref());
    content.destination_aliases = aliases(setup.destination_address.as_deref());
    content.source_address = setup.source_call_signal_address.as_ref().map(address);
    content.destination_address = setup.dest_call_signal_address.as_ref().map(address);
    content.h245_address = setup.h245_address.as_ref().map(address);
    content.fast_start = setup.fast_start.as_ref().map_or(0, Vec::len);
}

fn fill_facility(content: &mut H225, facility: &Facility) {
    content.call_identifier = facility.call_identifier.as_ref().map(|call| hex(&call.guid));
    content.conference_id = facility.conference_id.as_deref().map(hex);
    content.destination_aliases = aliases(facility.alternative_alias_address.as_deref());
    content.destination_address = facility.alternative_address.as_ref().map(address);
    content.reason = Some(asn1_name(&facility.reason));
    content.fast_start = facility.fast_start.as_ref().map_or(0, Vec::len);
}

/// Names and numbers; of another form, the form's own name.
pub(super) fn aliases(aliases: Option<&[AliasAddress]>) -> Vec<String> {
    let text = |alias: &AliasAddress| alias.text().unwrap_or_else(|| asn1_name(alias));
    aliases.unwrap_or_default().iter().map(text).collect()
}

/// An address and port; of another network, the network's name.
pub(super) fn address(address: &TransportAddress) -> String {
    address.socket_address().map_or_else(|| asn1_name(address), |address| address.to_string())
}

pub(super) fn hex(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len() * 2);
    for octet in octets {
        // Writing to a String cannot fail.
        let _ = write!(text, "{octet:02x}");
    }
    text
}

/// The name of a CHOICE's alternative, as ASN.1 begins it: `UndefinedReason(…)` is `undefinedReason`.
pub(super) fn asn1_name(choice: &impl fmt::Debug) -> String {
    /// Takes letters and digits, and refuses what follows them, however much it would be.
    struct Name(String);
    impl fmt::Write for Name {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            for char in text.chars() {
                if !char.is_ascii_alphanumeric() {
                    return Err(fmt::Error);
                }
                let first = self.0.is_empty();
                self.0.push(if first { char.to_ascii_lowercase() } else { char });
            }
            Ok(())
        }
    }
    let mut name = Name(String::new());
    // It is cut short where the name ends.
    let _ = write!(name, "{choice:?}");
    name.0
}
