//! ARQ, ACF, ARJ: may I call?

use rasn::prelude::*;

use super::super::address::{AliasAddress, NonStandardParameter, TransportAddress};
use super::super::endpoint::{AltGkInfo, CallIdentifier, CallModel, CallType, EndpointType, QseriesOptions};
use super::super::opaque::Opaque;

/// ARQ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct AdmissionRequest {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub call_type: CallType,
    pub call_model: Option<CallModel>,
    #[rasn(size("1..=128"))]
    pub endpoint_identifier: BmpString,
    pub destination_info: Option<Vec<AliasAddress>>,
    pub dest_call_signal_address: Option<TransportAddress>,
    pub dest_extra_call_info: Option<Vec<AliasAddress>>,
    pub src_info: Vec<AliasAddress>,
    pub src_call_signal_address: Option<TransportAddress>,
    #[rasn(value("0..=4294967295"))]
    pub band_width: u32,
    #[rasn(value("0..=65535"))]
    pub call_reference_value: u16,
    pub non_standard_data: Option<NonStandardParameter>,
    pub call_services: Option<QseriesOptions>,
    #[rasn(size("16"))]
    pub conference_id: OctetString,
    pub active_mc: bool,
    pub answer_call: bool,
    #[rasn(extension_addition)]
    pub can_map_alias: Option<bool>,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub src_alternatives: Option<Opaque>,
    #[rasn(extension_addition)]
    pub dest_alternatives: Option<Opaque>,
    #[rasn(extension_addition, size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
    #[rasn(extension_addition)]
    pub transport_qos: Option<Opaque>,
    #[rasn(extension_addition)]
    pub will_supply_uui_es: Option<bool>,
}

/// ACF.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct AdmissionConfirm {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    #[rasn(value("0..=4294967295"))]
    pub band_width: u32,
    pub call_model: CallModel,
    pub dest_call_signal_address: TransportAddress,
    #[rasn(value("1..=65535"))]
    pub irr_frequency: Option<u16>,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub destination_info: Option<Vec<AliasAddress>>,
    #[rasn(extension_addition)]
    pub dest_extra_call_info: Option<Vec<AliasAddress>>,
    #[rasn(extension_addition)]
    pub destination_type: Option<EndpointType>,
    #[rasn(extension_addition)]
    pub remote_extension_address: Option<Vec<AliasAddress>>,
    #[rasn(extension_addition)]
    pub alternate_endpoints: Option<Opaque>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
    #[rasn(extension_addition)]
    pub transport_qos: Option<Opaque>,
    #[rasn(extension_addition)]
    pub will_respond_to_irr: Option<bool>,
    #[rasn(extension_addition)]
    pub uuies_requested: Option<Opaque>,
    #[rasn(extension_addition)]
    pub language: Option<Opaque>,
    #[rasn(extension_addition)]
    pub alternate_transport_addresses: Option<Opaque>,
    #[rasn(extension_addition)]
    pub use_specified_transport: Option<Opaque>,
    #[rasn(extension_addition)]
    pub circuit_info: Option<Opaque>,
    #[rasn(extension_addition)]
    pub usage_spec: Option<Opaque>,
    #[rasn(extension_addition)]
    pub supported_protocols: Option<Opaque>,
    #[rasn(extension_addition)]
    pub service_control: Option<Opaque>,
    #[rasn(extension_addition)]
    pub multiple_calls: Option<bool>,
}

/// `AdmissionRejectReason`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum AdmissionRejectReason {
    CalledPartyNotRegistered,
    InvalidPermission,
    RequestDenied,
    UndefinedReason,
    CallerNotRegistered,
    RouteCallToGatekeeper,
    InvalidEndpointIdentifier,
    ResourceUnavailable,
    #[rasn(extension_addition)]
    SecurityDenial,
    #[rasn(extension_addition)]
    QosControlNotSupported,
    #[rasn(extension_addition)]
    IncompleteAddress,
    #[rasn(extension_addition)]
    AliasesInconsistent,
    #[rasn(extension_addition)]
    RouteCallToSCN(Opaque),
    #[rasn(extension_addition)]
    ExceedsCallCapacity,
    #[rasn(extension_addition)]
    CollectDestination,
    #[rasn(extension_addition)]
    CollectPIN,
    #[rasn(extension_addition)]
    GenericDataReason,
    #[rasn(extension_addition)]
    NeededFeatureNotSupported,
    #[rasn(extension_addition)]
    SecurityError(Opaque),
    #[rasn(extension_addition)]
    SecurityDHmismatch,
    #[rasn(extension_addition)]
    NoRouteToDestination,
    #[rasn(extension_addition)]
    UnallocatedNumber,
    #[rasn(extension_addition)]
    RegisterWithAssignedGK,
}

/// ARJ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct AdmissionReject {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub reject_reason: AdmissionRejectReason,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub alt_gk_info: Option<AltGkInfo>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub call_signal_address: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
}
