//! What an endpoint is and can do.

use rasn::prelude::*;

use super::address::{AliasAddress, H221NonStandard, NonStandardParameter, TransportAddress};
use super::opaque::Opaque;

/// `VendorIdentifier`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct VendorIdentifier {
    pub vendor: H221NonStandard,
    #[rasn(size("1..=256"))]
    pub product_id: Option<OctetString>,
    #[rasn(size("1..=256"))]
    pub version_id: Option<OctetString>,
    #[rasn(extension_addition)]
    pub enterprise_number: Option<ObjectIdentifier>,
}

/// `GatekeeperInfo`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct GatekeeperInfo {
    pub non_standard_data: Option<NonStandardParameter>,
}

/// `DataRate`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct DataRate {
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(value("0..=4294967295"))]
    pub channel_rate: u32,
    #[rasn(value("1..=256"))]
    pub channel_multiplier: Option<u16>,
}

/// `SupportedPrefix`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct SupportedPrefix {
    pub non_standard_data: Option<NonStandardParameter>,
    pub prefix: AliasAddress,
}

/// `H310Caps`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct ProtocolCaps {
    pub non_standard_data: Option<NonStandardParameter>,
    #[rasn(extension_addition)]
    pub data_rates_supported: Option<Vec<DataRate>>,
    #[rasn(extension_addition)]
    pub supported_prefixes: Option<Vec<SupportedPrefix>>,
}

/// `SupportedProtocols`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum SupportedProtocols {
    NonStandardData(NonStandardParameter),
    H310(ProtocolCaps),
    H320(ProtocolCaps),
    H321(ProtocolCaps),
    H322(ProtocolCaps),
    H323(ProtocolCaps),
    H324(ProtocolCaps),
    Voice(ProtocolCaps),
    T120Only(ProtocolCaps),
    #[rasn(extension_addition)]
    NonStandardProtocol(Opaque),
    #[rasn(extension_addition)]
    T38FaxAnnexbOnly(Opaque),
    #[rasn(extension_addition)]
    Sip(Opaque),
}

/// `GatewayInfo`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct GatewayInfo {
    pub protocol: Option<Vec<SupportedProtocols>>,
    pub non_standard_data: Option<NonStandardParameter>,
}

/// `McuInfo`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct McuInfo {
    pub non_standard_data: Option<NonStandardParameter>,
}

/// `TerminalInfo`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct TerminalInfo {
    pub non_standard_data: Option<NonStandardParameter>,
}

/// `EndpointType`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct EndpointType {
    pub non_standard_data: Option<NonStandardParameter>,
    pub vendor: Option<VendorIdentifier>,
    pub gatekeeper: Option<GatekeeperInfo>,
    pub gateway: Option<GatewayInfo>,
    pub mcu: Option<McuInfo>,
    pub terminal: Option<TerminalInfo>,
    pub mc: bool,
    pub undefined_node: bool,
}

/// `Q954Details`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct Q954Details {
    pub conference_calling: bool,
    pub three_party_service: bool,
}

/// `QseriesOptions`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct QseriesOptions {
    pub q932_full: bool,
    pub q951_full: bool,
    pub q952_full: bool,
    pub q953_full: bool,
    pub q955_full: bool,
    pub q956_full: bool,
    pub q957_full: bool,
    pub q954_info: Q954Details,
}

/// `AlternateGK`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct AlternateGatekeeper {
    pub ras_address: TransportAddress,
    #[rasn(size("1..=128"))]
    pub gatekeeper_identifier: Option<BmpString>,
    pub need_to_register: bool,
    #[rasn(value("0..=127"))]
    pub priority: u8,
}

/// `AltGKInfo`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct AltGkInfo {
    pub alternate_gatekeeper: Vec<AlternateGatekeeper>,
    pub alt_g_kis_permanent: bool,
}

/// `CallType`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum CallType {
    PointToPoint,
    OneToN,
    NToOne,
    NToN,
}

/// `CallModel`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum CallModel {
    Direct,
    GatekeeperRouted,
}

/// `CallIdentifier`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct CallIdentifier {
    #[rasn(size("16"))]
    pub guid: OctetString,
}

/// A call at one interface of an endpoint; Q.931 has it, too.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(delegate, value("0..=65535"))]
pub struct CallReferenceValue(pub u16);
