//! GRQ, GCF, GRJ: who is my gatekeeper?

use rasn::prelude::*;

use super::super::address::{AliasAddress, NonStandardParameter, TransportAddress};
use super::super::endpoint::{AltGkInfo, AlternateGatekeeper, EndpointType, QseriesOptions};
use super::super::opaque::Opaque;

/// GRQ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct GatekeeperRequest {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub protocol_identifier: ObjectIdentifier,
    pub non_standard_data: Option<NonStandardParameter>,
    pub ras_address: TransportAddress,
    pub endpoint_type: EndpointType,
    #[rasn(size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    pub call_services: Option<QseriesOptions>,
    pub endpoint_alias: Option<Vec<AliasAddress>>,
    #[rasn(extension_addition)]
    pub alternate_endpoints: Option<Opaque>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub authentication_capability: Option<Opaque>,
    #[rasn(extension_addition)]
    pub algorithm_oi_ds: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
    #[rasn(extension_addition)]
    pub supports_alt_gk: Option<()>,
}

/// GCF.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct GatekeeperConfirm {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub protocol_identifier: ObjectIdentifier,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    pub ras_address: TransportAddress,
    #[rasn(extension_addition)]
    pub alternate_gatekeeper: Option<Vec<AlternateGatekeeper>>,
    #[rasn(extension_addition)]
    pub authentication_mode: Option<Opaque>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub algorithm_oid: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
}

/// `GatekeeperRejectReason`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum GatekeeperRejectReason {
    ResourceUnavailable,
    TerminalExcluded,
    InvalidRevision,
    UndefinedReason,
    #[rasn(extension_addition)]
    SecurityDenial,
    #[rasn(extension_addition)]
    GenericDataReason,
    #[rasn(extension_addition)]
    NeededFeatureNotSupported,
    #[rasn(extension_addition)]
    SecurityError(Opaque),
}

/// GRJ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct GatekeeperReject {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub protocol_identifier: ObjectIdentifier,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    pub reject_reason: GatekeeperRejectReason,
    #[rasn(extension_addition)]
    pub alt_gk_info: Option<AltGkInfo>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
}
