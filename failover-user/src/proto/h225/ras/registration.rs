//! RRQ, RCF, RRJ, and URQ, UCF, URJ.

use rasn::prelude::*;

use super::super::address::{AliasAddress, NonStandardParameter, TransportAddress};
use super::super::endpoint::{
    AltGkInfo, AlternateGatekeeper, EndpointType, SupportedPrefix, VendorIdentifier,
};
use super::super::opaque::Opaque;

/// RRQ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct RegistrationRequest {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub protocol_identifier: ObjectIdentifier,
    pub non_standard_data: Option<NonStandardParameter>,
    pub discovery_complete: bool,
    pub call_signal_address: Vec<TransportAddress>,
    pub ras_address: Vec<TransportAddress>,
    pub terminal_type: EndpointType,
    pub terminal_alias: Option<Vec<AliasAddress>>,
    #[rasn(size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    pub endpoint_vendor: VendorIdentifier,
    #[rasn(extension_addition)]
    pub alternate_endpoints: Option<Opaque>,
    #[rasn(extension_addition, value("1..=4294967295"))]
    pub time_to_live: Option<u32>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
    #[rasn(extension_addition)]
    pub keep_alive: Option<bool>,
    #[rasn(extension_addition, size("1..=128"))]
    pub endpoint_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub will_supply_uui_es: Option<bool>,
    #[rasn(extension_addition)]
    pub maintain_connection: Option<bool>,
    #[rasn(extension_addition)]
    pub alternate_transport_addresses: Option<Opaque>,
    #[rasn(extension_addition)]
    pub additive_registration: Option<()>,
    #[rasn(extension_addition)]
    pub terminal_alias_pattern: Option<Opaque>,
    #[rasn(extension_addition)]
    pub supports_alt_gk: Option<()>,
    #[rasn(extension_addition)]
    pub usage_reporting_capability: Option<Opaque>,
    #[rasn(extension_addition)]
    pub multiple_calls: Option<bool>,
}

/// `preGrantedARQ`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct PreGrantedArq {
    pub make_call: bool,
    pub use_gk_call_signal_address_to_make_call: bool,
    pub answer_call: bool,
    pub use_gk_call_signal_address_to_answer: bool,
}

/// RCF.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct RegistrationConfirm {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub protocol_identifier: ObjectIdentifier,
    pub non_standard_data: Option<NonStandardParameter>,
    pub call_signal_address: Vec<TransportAddress>,
    pub terminal_alias: Option<Vec<AliasAddress>>,
    #[rasn(size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    #[rasn(size("1..=128"))]
    pub endpoint_identifier: BmpString,
    #[rasn(extension_addition)]
    pub alternate_gatekeeper: Option<Vec<AlternateGatekeeper>>,
    #[rasn(extension_addition, value("1..=4294967295"))]
    pub time_to_live: Option<u32>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
    #[rasn(extension_addition)]
    pub will_respond_to_irr: Option<bool>,
    #[rasn(extension_addition)]
    pub pre_granted_arq: Option<PreGrantedArq>,
    #[rasn(extension_addition)]
    pub maintain_connection: Option<bool>,
    #[rasn(extension_addition)]
    pub service_control: Option<Opaque>,
    #[rasn(extension_addition)]
    pub supports_additive_registration: Option<()>,
    #[rasn(extension_addition)]
    pub terminal_alias_pattern: Option<Opaque>,
    #[rasn(extension_addition)]
    pub supported_prefixes: Option<Vec<SupportedPrefix>>,
}

/// `RegistrationRejectReason`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum RegistrationRejectReason {
    DiscoveryRequired,
    InvalidRevision,
    InvalidCallSignalAddress,
    InvalidRASAddress,
    DuplicateAlias(Vec<AliasAddress>),
    InvalidTerminalType,
    UndefinedReason,
    TransportNotSupported,
    #[rasn(extension_addition)]
    TransportQOSNotSupported,
    #[rasn(extension_addition)]
    ResourceUnavailable,
    #[rasn(extension_addition)]
    InvalidAlias,
    #[rasn(extension_addition)]
    SecurityDenial,
    #[rasn(extension_addition)]
    FullRegistrationRequired,
    #[rasn(extension_addition)]
    AdditiveRegistrationNotSupported,
    #[rasn(extension_addition)]
    InvalidTerminalAliases(Opaque),
    #[rasn(extension_addition)]
    GenericDataReason,
    #[rasn(extension_addition)]
    NeededFeatureNotSupported,
    #[rasn(extension_addition)]
    SecurityError(Opaque),
    #[rasn(extension_addition)]
    RegisterWithAssignedGK,
}

/// RRJ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct RegistrationReject {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub protocol_identifier: ObjectIdentifier,
    pub non_standard_data: Option<NonStandardParameter>,
    pub reject_reason: RegistrationRejectReason,
    #[rasn(size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub alt_gk_info: Option<AltGkInfo>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
}

/// URQ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct UnregistrationRequest {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub call_signal_address: Vec<TransportAddress>,
    pub endpoint_alias: Option<Vec<AliasAddress>>,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(size("1..=128"))]
    pub endpoint_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub alternate_endpoints: Option<Opaque>,
    #[rasn(extension_addition, size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
    #[rasn(extension_addition)]
    pub reason: Option<Opaque>,
    #[rasn(extension_addition)]
    pub endpoint_alias_pattern: Option<Opaque>,
    #[rasn(extension_addition)]
    pub supported_prefixes: Option<Vec<SupportedPrefix>>,
    #[rasn(extension_addition)]
    pub alternate_gatekeeper: Option<Vec<AlternateGatekeeper>>,
}

/// UCF.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct UnregistrationConfirm {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
}

/// `UnregRejectReason`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum UnregRejectReason {
    NotCurrentlyRegistered,
    CallInProgress,
    UndefinedReason,
    #[rasn(extension_addition)]
    PermissionDenied,
    #[rasn(extension_addition)]
    SecurityDenial,
    #[rasn(extension_addition)]
    SecurityError(Opaque),
}

/// URJ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct UnregistrationReject {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub reject_reason: UnregRejectReason,
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
