//! Setup.

use rasn::prelude::*;

use super::super::address::{AliasAddress, TransportAddress};
use super::super::endpoint::{CallIdentifier, CallReferenceValue, CallType, EndpointType, QseriesOptions};
use super::super::opaque::Opaque;

/// `conferenceGoal`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum ConferenceGoal {
    Create,
    Join,
    Invite,
    #[rasn(extension_addition)]
    CapabilityNegotiation,
    #[rasn(extension_addition)]
    CallIndependentSupplementaryService,
}

/// `Setup-UUIE`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct Setup {
    pub protocol_identifier: ObjectIdentifier,
    pub h245_address: Option<TransportAddress>,
    pub source_address: Option<Vec<AliasAddress>>,
    pub source_info: EndpointType,
    pub destination_address: Option<Vec<AliasAddress>>,
    pub dest_call_signal_address: Option<TransportAddress>,
    pub dest_extra_call_info: Option<Vec<AliasAddress>>,
    pub dest_extra_crv: Option<Vec<CallReferenceValue>>,
    pub active_mc: bool,
    #[rasn(size("16"))]
    pub conference_id: OctetString,
    pub conference_goal: ConferenceGoal,
    pub call_services: Option<QseriesOptions>,
    pub call_type: CallType,
    #[rasn(extension_addition)]
    pub source_call_signal_address: Option<TransportAddress>,
    #[rasn(extension_addition)]
    pub remote_extension_address: Option<AliasAddress>,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub h245_security_capability: Option<Opaque>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub fast_start: Option<Vec<OctetString>>,
    #[rasn(extension_addition)]
    pub media_wait_for_connect: Option<bool>,
    #[rasn(extension_addition)]
    pub can_overlap_send: Option<bool>,
    #[rasn(extension_addition, size("1..=128"))]
    pub endpoint_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub multiple_calls: Option<bool>,
    #[rasn(extension_addition)]
    pub maintain_connection: Option<bool>,
    #[rasn(extension_addition)]
    pub connection_parameters: Option<Opaque>,
    #[rasn(extension_addition)]
    pub language: Option<Opaque>,
    #[rasn(extension_addition)]
    pub presentation_indicator: Option<Opaque>,
    #[rasn(extension_addition)]
    pub screening_indicator: Option<Opaque>,
    #[rasn(extension_addition)]
    pub service_control: Option<Opaque>,
    #[rasn(extension_addition)]
    pub symmetric_operation_required: Option<()>,
    #[rasn(extension_addition)]
    pub capacity: Option<Opaque>,
    #[rasn(extension_addition)]
    pub circuit_info: Option<Opaque>,
    #[rasn(extension_addition)]
    pub desired_protocols: Option<Opaque>,
    #[rasn(extension_addition)]
    pub needed_features: Option<Opaque>,
    #[rasn(extension_addition)]
    pub desired_features: Option<Opaque>,
    #[rasn(extension_addition)]
    pub supported_features: Option<Opaque>,
    #[rasn(extension_addition)]
    pub parallel_h245_control: Option<Opaque>,
    #[rasn(extension_addition)]
    pub additional_source_addresses: Option<Opaque>,
    #[rasn(extension_addition, value("1..=31"))]
    pub hop_count: Option<u8>,
    #[rasn(extension_addition)]
    pub display_name: Option<Opaque>,
}
