//! IRQ and IRR, and what is said beside questions and answers: RIP, RAI, RAC, XRS, non-standard messages.

use rasn::prelude::*;

use super::super::address::{AliasAddress, NonStandardParameter, TransportAddress};
use super::super::endpoint::{CallIdentifier, CallModel, CallType, EndpointType, SupportedProtocols};
use super::super::opaque::{Opaque, Unreadable};
use super::super::token::{ClearToken, Icv};

/// IRQ.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct InfoRequest {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    #[rasn(value("0..=65535"))]
    pub call_reference_value: u16,
    pub non_standard_data: Option<NonStandardParameter>,
    pub reply_address: Option<TransportAddress>,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
}

/// `TransportChannelInfo`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct TransportChannelInfo {
    pub send_address: Option<TransportAddress>,
    pub recv_address: Option<TransportAddress>,
}

/// `RTPSession`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct RtpSession {
    pub rtp_address: TransportChannelInfo,
    pub rtcp_address: TransportChannelInfo,
    pub cname: PrintableString,
    #[rasn(value("1..=4294967295"))]
    pub ssrc: u32,
    #[rasn(value("1..=255"))]
    pub session_id: u8,
    pub associated_session_ids: Vec<SessionId>,
    #[rasn(extension_addition)]
    pub multicast: Option<()>,
}

/// `_item_`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct PerCallInfo {
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(value("0..=65535"))]
    pub call_reference_value: u16,
    #[rasn(size("16"))]
    pub conference_id: OctetString,
    pub originator: Option<bool>,
    pub audio: Option<Vec<RtpSession>>,
    pub video: Option<Vec<RtpSession>>,
    pub data: Option<Vec<TransportChannelInfo>>,
    pub h245: TransportChannelInfo,
    pub call_signalling: TransportChannelInfo,
    pub call_type: CallType,
    #[rasn(value("0..=4294967295"))]
    pub band_width: u32,
    pub call_model: CallModel,
    #[rasn(extension_addition)]
    pub call_identifier: Option<CallIdentifier>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
}

/// IRR.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct InfoRequestResponse {
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub endpoint_type: EndpointType,
    #[rasn(size("1..=128"))]
    pub endpoint_identifier: BmpString,
    pub ras_address: TransportAddress,
    pub call_signal_address: Vec<TransportAddress>,
    pub endpoint_alias: Option<Vec<AliasAddress>>,
    pub per_call_info: Option<Vec<PerCallInfo>>,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
    #[rasn(extension_addition)]
    pub need_response: Option<bool>,
}

/// `NonStandardMessage`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct NonStandardMessage {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub non_standard_data: NonStandardParameter,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
}

/// XRS.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct UnknownMessageResponse {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    #[rasn(extension_addition)]
    pub tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub crypto_tokens: Option<Opaque>,
    #[rasn(extension_addition)]
    pub integrity_check_value: Option<Opaque>,
}

/// RIP.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct RequestInProgress {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub non_standard_data: Option<NonStandardParameter>,
    pub tokens: Option<Vec<ClearToken>>,
    pub crypto_tokens: Option<Vec<Unreadable>>,
    pub integrity_check_value: Option<Icv>,
    #[rasn(value("1..=65535"))]
    pub delay: u16,
}

/// RAI.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct ResourcesAvailableIndicate {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub protocol_identifier: ObjectIdentifier,
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(size("1..=128"))]
    pub endpoint_identifier: BmpString,
    pub protocols: Vec<SupportedProtocols>,
    pub almost_out_of_resources: bool,
    pub tokens: Option<Vec<ClearToken>>,
    pub crypto_tokens: Option<Vec<Unreadable>>,
    pub integrity_check_value: Option<Icv>,
}

/// RAC.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct ResourcesAvailableConfirm {
    #[rasn(value("1..=65535"))]
    pub request_seq_num: u16,
    pub protocol_identifier: ObjectIdentifier,
    pub non_standard_data: Option<NonStandardParameter>,
    pub tokens: Option<Vec<ClearToken>>,
    pub crypto_tokens: Option<Vec<Unreadable>>,
    pub integrity_check_value: Option<Icv>,
}

/// The number of an RTP session.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(delegate, value("1..=255"))]
pub struct SessionId(pub u8);
