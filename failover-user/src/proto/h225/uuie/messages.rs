//! Every other message of call signalling.

use rasn::prelude::*;

use super::super::address::{AliasAddress, TransportAddress};
use super::super::endpoint::{CallIdentifier, EndpointType};
use super::super::opaque::{Opaque, Unreadable};
use super::super::token::ClearToken;

/// `CallProceeding-UUIE`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct CallProceeding {
    pub protocol_identifier: ObjectIdentifier,
    pub destination_info: EndpointType,
    pub h245_address: Option<TransportAddress>,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub h245_security_mode: Option<Opaque>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub fast_start: Option<Vec<OctetString>>,
    #[rasn(extension_addition)]
    pub multiple_calls: Option<bool>,
    #[rasn(extension_addition)]
    pub maintain_connection: Option<bool>,
    #[rasn(extension_addition)]
    pub fast_connect_refused: Option<()>,
    #[rasn(extension_addition)]
    pub feature_set: Option<Opaque>,
}

/// `Connect-UUIE`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct Connect {
    pub protocol_identifier: ObjectIdentifier,
    pub h245_address: Option<TransportAddress>,
    pub destination_info: EndpointType,
    #[rasn(size("16"))]
    pub conference_id: OctetString,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub h245_security_mode: Option<Opaque>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub fast_start: Option<Vec<OctetString>>,
    #[rasn(extension_addition)]
    pub multiple_calls: Option<bool>,
    #[rasn(extension_addition)]
    pub maintain_connection: Option<bool>,
    #[rasn(extension_addition)]
    pub language: Option<Opaque>,
    #[rasn(extension_addition)]
    pub connected_address: Option<Opaque>,
    #[rasn(extension_addition)]
    pub presentation_indicator: Option<Opaque>,
    #[rasn(extension_addition)]
    pub screening_indicator: Option<Opaque>,
    #[rasn(extension_addition)]
    pub fast_connect_refused: Option<()>,
    #[rasn(extension_addition)]
    pub service_control: Option<Opaque>,
    #[rasn(extension_addition)]
    pub capacity: Option<Opaque>,
    #[rasn(extension_addition)]
    pub feature_set: Option<Opaque>,
    #[rasn(extension_addition)]
    pub display_name: Option<Opaque>,
}

/// `Alerting-UUIE`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct Alerting {
    pub protocol_identifier: ObjectIdentifier,
    pub destination_info: EndpointType,
    pub h245_address: Option<TransportAddress>,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub h245_security_mode: Option<Opaque>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub fast_start: Option<Vec<OctetString>>,
    #[rasn(extension_addition)]
    pub multiple_calls: Option<bool>,
    #[rasn(extension_addition)]
    pub maintain_connection: Option<bool>,
    #[rasn(extension_addition)]
    pub alerting_address: Option<Opaque>,
    #[rasn(extension_addition)]
    pub presentation_indicator: Option<Opaque>,
    #[rasn(extension_addition)]
    pub screening_indicator: Option<Opaque>,
    #[rasn(extension_addition)]
    pub fast_connect_refused: Option<()>,
    #[rasn(extension_addition)]
    pub service_control: Option<Opaque>,
    #[rasn(extension_addition)]
    pub capacity: Option<Opaque>,
    #[rasn(extension_addition)]
    pub feature_set: Option<Opaque>,
    #[rasn(extension_addition)]
    pub display_name: Option<Opaque>,
}

/// `Information-UUIE`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct Information {
    pub protocol_identifier: ObjectIdentifier,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub fast_start: Option<Vec<OctetString>>,
    #[rasn(extension_addition)]
    pub fast_connect_refused: Option<()>,
    #[rasn(extension_addition)]
    pub circuit_info: Option<Opaque>,
}

/// `ReleaseCompleteReason`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum ReleaseCompleteReason {
    NoBandwidth,
    GatekeeperResources,
    UnreachableDestination,
    DestinationRejection,
    InvalidRevision,
    NoPermission,
    UnreachableGatekeeper,
    GatewayResources,
    BadFormatAddress,
    AdaptiveBusy,
    InConf,
    UndefinedReason,
    #[rasn(extension_addition)]
    FacilityCallDeflection,
    #[rasn(extension_addition)]
    SecurityDenied,
    #[rasn(extension_addition)]
    CalledPartyNotRegistered,
    #[rasn(extension_addition)]
    CallerNotRegistered,
    #[rasn(extension_addition)]
    NewConnectionNeeded,
    #[rasn(extension_addition)]
    NonStandardReason(Opaque),
    #[rasn(extension_addition)]
    ReplaceWithConferenceInvite(Opaque),
    #[rasn(extension_addition)]
    GenericDataReason,
    #[rasn(extension_addition)]
    NeededFeatureNotSupported,
    #[rasn(extension_addition)]
    TunnelledSignallingRejected,
    #[rasn(extension_addition)]
    InvalidCID,
    #[rasn(extension_addition)]
    SecurityError(Opaque),
    #[rasn(extension_addition)]
    HopCountExceeded,
}

/// `ReleaseComplete-UUIE`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct ReleaseComplete {
    pub protocol_identifier: ObjectIdentifier,
    pub reason: Option<ReleaseCompleteReason>,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub busy_address: Option<Opaque>,
    #[rasn(extension_addition)]
    pub presentation_indicator: Option<Opaque>,
    #[rasn(extension_addition)]
    pub screening_indicator: Option<Opaque>,
    #[rasn(extension_addition)]
    pub capacity: Option<Opaque>,
    #[rasn(extension_addition)]
    pub service_control: Option<Opaque>,
    #[rasn(extension_addition)]
    pub feature_set: Option<Opaque>,
    #[rasn(extension_addition)]
    pub destination_info: Option<EndpointType>,
    #[rasn(extension_addition)]
    pub display_name: Option<Opaque>,
}

/// `FacilityReason`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum FacilityReason {
    RouteCallToGatekeeper,
    CallForwarded,
    RouteCallToMC,
    UndefinedReason,
    #[rasn(extension_addition)]
    ConferenceListChoice,
    #[rasn(extension_addition)]
    StartH245,
    #[rasn(extension_addition)]
    NoH245,
    #[rasn(extension_addition)]
    NewTokens,
    #[rasn(extension_addition)]
    FeatureSetUpdate,
    #[rasn(extension_addition)]
    ForwardedElements,
    #[rasn(extension_addition)]
    TransportedInformation,
}

/// `Facility-UUIE`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct Facility {
    pub protocol_identifier: ObjectIdentifier,
    pub alternative_address: Option<TransportAddress>,
    pub alternative_alias_address: Option<Vec<AliasAddress>>,
    #[rasn(size("16"))]
    pub conference_id: Option<OctetString>,
    pub reason: FacilityReason,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub dest_extra_call_info: Option<Vec<AliasAddress>>,
    #[rasn(extension_addition)]
    pub remote_extension_address: Option<AliasAddress>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub conferences: Option<Opaque>,
    #[rasn(extension_addition)]
    pub h245_address: Option<Opaque>,
    #[rasn(extension_addition)]
    pub fast_start: Option<Vec<OctetString>>,
    #[rasn(extension_addition)]
    pub multiple_calls: Option<bool>,
    #[rasn(extension_addition)]
    pub maintain_connection: Option<bool>,
    #[rasn(extension_addition)]
    pub fast_connect_refused: Option<()>,
    #[rasn(extension_addition)]
    pub service_control: Option<Opaque>,
    #[rasn(extension_addition)]
    pub circuit_info: Option<Opaque>,
    #[rasn(extension_addition)]
    pub feature_set: Option<Opaque>,
    #[rasn(extension_addition)]
    pub destination_info: Option<EndpointType>,
    #[rasn(extension_addition)]
    pub h245_security_mode: Option<Opaque>,
}

/// `Status-UUIE`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct Status {
    pub protocol_identifier: ObjectIdentifier,
    pub call_identifier: CallIdentifier,
    pub tokens: Option<Vec<ClearToken>>,
    pub crypto_tokens: Option<Vec<Unreadable>>,
}

/// `StatusInquiry-UUIE`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct StatusInquiry {
    pub protocol_identifier: ObjectIdentifier,
    pub call_identifier: CallIdentifier,
    pub tokens: Option<Vec<ClearToken>>,
    pub crypto_tokens: Option<Vec<Unreadable>>,
}
