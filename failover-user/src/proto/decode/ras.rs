//! RAS.

use rasn::types::BmpString;

use super::{
    content::{Content, Ras},
    h225::{address, aliases, asn1_name, hex},
    text::Read,
};
use crate::proto::h225::{
    address::TransportAddress,
    convert::unicode,
    endpoint::{AltGkInfo, AlternateGatekeeper, CallIdentifier},
    ras::{
        RasMessage,
        admission::{AdmissionConfirm, AdmissionRequest},
        registration::{RegistrationConfirm, RegistrationRequest},
    },
};

pub(super) fn read(data: &[u8]) -> Read {
    match RasMessage::decode(data) {
        Ok(message) => (Some(Content::Ras(content(&message))), None),
        Err(error) => (None, Some(error.to_string())),
    }
}

fn content(message: &RasMessage) -> Ras {
    let mut found = Ras {
        message: message.name(),
        request_seq_num: message.request_seq_num(),
        reject_reason: reject_reason(message),
        ..Ras::default()
    };
    if !discovery(&mut found, message) && !registration(&mut found, message) && !call(&mut found, message) {
        rest(&mut found, message);
    }
    found
}

fn text(text: Option<&BmpString>) -> Option<String> {
    text.map(unicode)
}

fn addresses(addresses: &[TransportAddress]) -> Vec<String> {
    addresses.iter().map(address).collect()
}

fn alternates(gatekeepers: Option<&[AlternateGatekeeper]>) -> Vec<String> {
    let gatekeepers = gatekeepers.unwrap_or_default().iter();
    gatekeepers.map(|gatekeeper| address(&gatekeeper.ras_address)).collect()
}

fn instead(info: Option<&AltGkInfo>) -> Vec<String> {
    alternates(info.map(|info| info.alternate_gatekeeper.as_slice()))
}

fn guid(call: Option<&CallIdentifier>) -> Option<String> {
    call.map(|call| hex(&call.guid))
}

fn reject_reason(message: &RasMessage) -> Option<String> {
    Some(match message {
        RasMessage::GatekeeperReject(reject) => asn1_name(&reject.reject_reason),
        RasMessage::RegistrationReject(reject) => asn1_name(&reject.reject_reason),
        RasMessage::UnregistrationReject(reject) => asn1_name(&reject.reject_reason),
        RasMessage::AdmissionReject(reject) => asn1_name(&reject.reject_reason),
        RasMessage::BandwidthReject(reject) => asn1_name(&reject.reject_reason),
        RasMessage::DisengageReject(reject) => asn1_name(&reject.reject_reason),
        RasMessage::LocationReject(reject) => asn1_name(&reject.reject_reason),
        _ => return None,
    })
}

/// GRQ, GCF, GRJ, LRQ, LCF, LRJ.
fn discovery(found: &mut Ras, message: &RasMessage) -> bool {
    match message {
        RasMessage::GatekeeperRequest(request) => {
            found.gatekeeper_identifier = text(request.gatekeeper_identifier.as_ref());
            found.aliases = aliases(request.endpoint_alias.as_deref());
            found.ras_addresses = vec![address(&request.ras_address)];
        }
        RasMessage::GatekeeperConfirm(confirm) => {
            found.gatekeeper_identifier = text(confirm.gatekeeper_identifier.as_ref());
            found.ras_addresses = vec![address(&confirm.ras_address)];
            found.alternate_gatekeepers = alternates(confirm.alternate_gatekeeper.as_deref());
        }
        RasMessage::GatekeeperReject(reject) => {
            found.gatekeeper_identifier = text(reject.gatekeeper_identifier.as_ref());
            found.alternate_gatekeepers = instead(reject.alt_gk_info.as_ref());
        }
        RasMessage::LocationRequest(request) => {
            found.gatekeeper_identifier = text(request.gatekeeper_identifier.as_ref());
            found.endpoint_identifier = text(request.endpoint_identifier.as_ref());
            found.aliases = aliases(request.source_info.as_deref());
            found.destination_aliases = aliases(Some(&request.destination_info));
            found.ras_addresses = vec![address(&request.reply_address)];
            found.call_identifier = guid(request.call_identifier.as_ref());
        }
        RasMessage::LocationConfirm(confirm) => {
            found.destination_aliases = aliases(confirm.destination_info.as_deref());
            found.ras_addresses = vec![address(&confirm.ras_address)];
            found.call_signal_addresses = vec![address(&confirm.call_signal_address)];
        }
        RasMessage::LocationReject(reject) => {
            found.alternate_gatekeepers = instead(reject.alt_gk_info.as_ref());
        }
        _ => return false,
    }
    true
}

/// RRQ, RCF, RRJ, URQ, URJ.
fn registration(found: &mut Ras, message: &RasMessage) -> bool {
    match message {
        RasMessage::RegistrationRequest(request) => registration_request(found, request),
        RasMessage::RegistrationConfirm(confirm) => registration_confirm(found, confirm),
        RasMessage::RegistrationReject(reject) => {
            found.gatekeeper_identifier = text(reject.gatekeeper_identifier.as_ref());
            found.alternate_gatekeepers = instead(reject.alt_gk_info.as_ref());
        }
        RasMessage::UnregistrationRequest(request) => {
            found.gatekeeper_identifier = text(request.gatekeeper_identifier.as_ref());
            found.endpoint_identifier = text(request.endpoint_identifier.as_ref());
            found.aliases = aliases(request.endpoint_alias.as_deref());
            found.call_signal_addresses = addresses(&request.call_signal_address);
            found.alternate_gatekeepers = alternates(request.alternate_gatekeeper.as_deref());
        }
        RasMessage::UnregistrationReject(reject) => {
            found.alternate_gatekeepers = instead(reject.alt_gk_info.as_ref());
        }
        _ => return false,
    }
    true
}

fn registration_request(found: &mut Ras, request: &RegistrationRequest) {
    found.gatekeeper_identifier = text(request.gatekeeper_identifier.as_ref());
    found.endpoint_identifier = text(request.endpoint_identifier.as_ref());
    found.aliases = aliases(request.terminal_alias.as_deref());
    found.ras_addresses = addresses(&request.ras_address);
    found.call_signal_addresses = addresses(&request.call_signal_address);
    found.time_to_live = request.time_to_live;
    found.keep_alive = request.keep_alive;
}

fn registration_confirm(found: &mut Ras, confirm: &RegistrationConfirm) {
    found.gatekeeper_identifier = text(confirm.gatekeeper_identifier.as_ref());
    found.endpoint_identifier = text(Some(&confirm.endpoint_identifier));
    found.aliases = aliases(confirm.terminal_alias.as_deref());
    found.call_signal_addresses = addresses(&confirm.call_signal_address);
    found.alternate_gatekeepers = alternates(confirm.alternate_gatekeeper.as_deref());
    found.time_to_live = confirm.time_to_live;
}

/// ARQ, ACF, ARJ, BRQ, BCF, BRJ, DRQ, DRJ.
fn call(found: &mut Ras, message: &RasMessage) -> bool {
    match message {
        RasMessage::AdmissionRequest(request) => admission_request(found, request),
        RasMessage::AdmissionConfirm(confirm) => admission_confirm(found, confirm),
        RasMessage::AdmissionReject(reject) => {
            found.alternate_gatekeepers = instead(reject.alt_gk_info.as_ref());
        }
        RasMessage::BandwidthRequest(request) => {
            found.gatekeeper_identifier = text(request.gatekeeper_identifier.as_ref());
            found.endpoint_identifier = text(Some(&request.endpoint_identifier));
            found.band_width = Some(request.band_width);
            found.call_reference = Some(request.call_reference_value);
            found.call_identifier = guid(request.call_identifier.as_ref());
        }
        RasMessage::BandwidthConfirm(confirm) => found.band_width = Some(confirm.band_width),
        RasMessage::BandwidthReject(reject) => {
            found.band_width = Some(reject.allowed_band_width);
            found.alternate_gatekeepers = instead(reject.alt_gk_info.as_ref());
        }
        RasMessage::DisengageRequest(request) => {
            found.gatekeeper_identifier = text(request.gatekeeper_identifier.as_ref());
            found.endpoint_identifier = text(Some(&request.endpoint_identifier));
            found.disengage_reason = Some(asn1_name(&request.disengage_reason));
            found.call_reference = Some(request.call_reference_value);
            found.call_identifier = guid(request.call_identifier.as_ref());
        }
        RasMessage::DisengageReject(reject) => {
            found.alternate_gatekeepers = instead(reject.alt_gk_info.as_ref());
        }
        _ => return false,
    }
    true
}

fn admission_request(found: &mut Ras, request: &AdmissionRequest) {
    found.gatekeeper_identifier = text(request.gatekeeper_identifier.as_ref());
    found.endpoint_identifier = text(Some(&request.endpoint_identifier));
    found.aliases = aliases(Some(&request.src_info));
    found.destination_aliases = aliases(request.destination_info.as_deref());
    found.call_signal_addresses = request.src_call_signal_address.iter().map(address).collect();
    found.destination_address = request.dest_call_signal_address.as_ref().map(address);
    found.answer_call = Some(request.answer_call);
    found.band_width = Some(request.band_width);
    found.call_reference = Some(request.call_reference_value);
    found.call_identifier = guid(request.call_identifier.as_ref());
}

fn admission_confirm(found: &mut Ras, confirm: &AdmissionConfirm) {
    found.destination_aliases = aliases(confirm.destination_info.as_deref());
    found.destination_address = Some(address(&confirm.dest_call_signal_address));
    found.band_width = Some(confirm.band_width);
}

/// IRQ, IRR, RIP, RAI.
fn rest(found: &mut Ras, message: &RasMessage) {
    match message {
        RasMessage::InfoRequest(request) => {
            found.ras_addresses = request.reply_address.iter().map(address).collect();
            found.call_reference = Some(request.call_reference_value);
            found.call_identifier = guid(request.call_identifier.as_ref());
        }
        RasMessage::InfoRequestResponse(response) => {
            found.endpoint_identifier = text(Some(&response.endpoint_identifier));
            found.aliases = aliases(response.endpoint_alias.as_deref());
            found.ras_addresses = vec![address(&response.ras_address)];
            found.call_signal_addresses = addresses(&response.call_signal_address);
        }
        RasMessage::RequestInProgress(progress) => found.delay_ms = Some(progress.delay),
        RasMessage::ResourcesAvailableIndicate(indication) => {
            found.endpoint_identifier = text(Some(&indication.endpoint_identifier));
        }
        _ => {}
    }
}
