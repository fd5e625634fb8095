//! What is said of a call in progress: BRQ, BCF, BRJ, and DRQ, DCF, DRJ.

use rasn::prelude::*;

use super::super::address::NonStandardParameter;
use super::super::endpoint::{AltGkInfo, CallIdentifier, CallType};
use super::super::opaque::Opaque;

/// BRQ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct BandwidthRequest {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    #[rasn(size("1..=128"))]
    pub endpoint_identifier: BmpString,
    #[rasn(size("16"))]
    pub conference_id: OctetString,
    #[rasn(value("0..=65535"))]
    pub call_reference_value: u16,
    pub call_type: Option<CallType>,
    #[rasn(value("0..=4294967295"))]
    pub band_width: u32,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition, size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
    #[rasn(extension_addition)]
    pub answered_call: Option<bool>,
}

/// BCF.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct BandwidthConfirm {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    #[rasn(value("0..=4294967295"))]
    pub band_width: u32,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
}

/// `BandRejectReason`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum BandRejectReason {
    NotBound,
    InvalidConferenceID,
    InvalidPermission,
    InsufficientResources,
    InvalidRevision,
    UndefinedReason,
    #[rasn(extension_addition)]
    SecurityDenial,
    #[rasn(extension_addition)]
    SecurityError(Opaque),
}

/// BRJ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct BandwidthReject {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub reject_reason: BandRejectReason,
    #[rasn(value("0..=4294967295"))]
    pub allowed_band_width: u32,
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

/// `DisengageReason`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum DisengageReason {
    ForcedDrop,
    NormalDrop,
    UndefinedReason,
}

/// DRQ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct DisengageRequest {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    #[rasn(size("1..=128"))]
    pub endpoint_identifier: BmpString,
    #[rasn(size("16"))]
    pub conference_id: OctetString,
    #[rasn(value("0..=65535"))]
    pub call_reference_value: u16,
    pub disengage_reason: DisengageReason,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition, size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
    #[rasn(extension_addition)]
    pub answered_call: Option<bool>,
}

/// DCF.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct DisengageConfirm {
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

/// `DisengageRejectReason`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum DisengageRejectReason {
    NotRegistered,
    RequestToDropOther,
    #[rasn(extension_addition)]
    SecurityDenial,
    #[rasn(extension_addition)]
    SecurityError(Opaque),
}

/// DRJ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct DisengageReject {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub reject_reason: DisengageRejectReason,
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
