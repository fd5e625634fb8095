//! LRQ, LCF, LRJ: where is an alias?

use rasn::prelude::*;

use super::super::address::{AliasAddress, NonStandardParameter, TransportAddress};
use super::super::endpoint::{AltGkInfo, CallIdentifier, EndpointType};
use super::super::opaque::Opaque;

/// LRQ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct LocationRequest {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    #[rasn(size("1..=128"))]
    pub endpoint_identifier: Option<BmpString>,
    pub destination_info: Vec<AliasAddress>,
    pub non_standard_data: Option<NonStandardParameter>,
    pub reply_address: TransportAddress,
    #[rasn(extension_addition)]
    pub source_info: Option<Vec<AliasAddress>>,
    #[rasn(extension_addition)]
    pub can_map_alias: Option<bool>,
    #[rasn(extension_addition, size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
    #[rasn(extension_addition)]
    pub desired_protocols: Option<Opaque>,
    #[rasn(extension_addition)]
    pub desired_tunnelled_protocol: Option<Opaque>,
    #[rasn(extension_addition)]
    pub feature_set: Option<Opaque>,
    #[rasn(extension_addition)]
    pub generic_data: Option<Opaque>,
    #[rasn(extension_addition, value("1..=255"))]
    pub hop_count: Option<u8>,
    #[rasn(extension_addition)]
    pub circuit_info: Option<Opaque>,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
}

/// LCF.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct LocationConfirm {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub call_signal_address: TransportAddress,
    pub ras_address: TransportAddress,
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
    pub alternate_transport_addresses: Option<Opaque>,
    #[rasn(extension_addition)]
    pub supported_protocols: Option<Opaque>,
    #[rasn(extension_addition)]
    pub multiple_calls: Option<bool>,
}

/// `LocationRejectReason`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum LocationRejectReason {
    NotRegistered,
    InvalidPermission,
    RequestDenied,
    UndefinedReason,
    #[rasn(extension_addition)]
    SecurityDenial,
    #[rasn(extension_addition)]
    AliasesInconsistent,
    #[rasn(extension_addition)]
    RouteCalltoSCN(Opaque),
    #[rasn(extension_addition)]
    ResourceUnavailable,
    #[rasn(extension_addition)]
    GenericDataReason,
    #[rasn(extension_addition)]
    NeededFeatureNotSupported,
    #[rasn(extension_addition)]
    HopCountExceeded,
    #[rasn(extension_addition)]
    IncompleteAddress,
    #[rasn(extension_addition)]
    SecurityError(Opaque),
    #[rasn(extension_addition)]
    SecurityDHmismatch,
    #[rasn(extension_addition)]
    NoRouteToDestination,
    #[rasn(extension_addition)]
    UnallocatedNumber,
}

/// LRJ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct LocationReject {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub reject_reason: LocationRejectReason,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub alt_gk_info: Option<AltGkInfo>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
}
