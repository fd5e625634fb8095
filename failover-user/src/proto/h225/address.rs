//! What names an endpoint, and where it is.

use rasn::prelude::*;

use super::opaque::Opaque;

/// `H221NonStandard`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct H221NonStandard {
    #[rasn(value("0..=255"))]
    pub t35_country_code: u8,
    #[rasn(value("0..=255"))]
    pub t35_extension: u8,
    #[rasn(value("0..=65535"))]
    pub manufacturer_code: u16,
}

/// `NonStandardIdentifier`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum NonStandardIdentifier {
    Object(ObjectIdentifier),
    H221NonStandard(H221NonStandard),
}

/// `NonStandardParameter`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
pub struct NonStandardParameter {
    pub non_standard_identifier: NonStandardIdentifier,
    pub data: OctetString,
}

/// `ipAddress`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
pub struct IpAddress {
    #[rasn(size("4"))]
    pub ip: OctetString,
    #[rasn(value("0..=65535"))]
    pub port: u16,
}

/// `routing`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum IpSourceRouteRouting {
    Strict,
    Loose,
}

/// `ipSourceRoute`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct IpSourceRoute {
    #[rasn(size("4"))]
    pub ip: OctetString,
    #[rasn(value("0..=65535"))]
    pub port: u16,
    pub route: Vec<Hop>,
    pub routing: IpSourceRouteRouting,
}

/// `ipxAddress`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
pub struct IpxAddress {
    #[rasn(size("6"))]
    pub node: OctetString,
    #[rasn(size("4"))]
    pub netnum: OctetString,
    #[rasn(size("2"))]
    pub port: OctetString,
}

/// `ip6Address`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct Ip6Address {
    #[rasn(size("16"))]
    pub ip: OctetString,
    #[rasn(value("0..=65535"))]
    pub port: u16,
}

/// `TransportAddress`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum TransportAddress {
    IpAddress(IpAddress),
    IpSourceRoute(IpSourceRoute),
    IpxAddress(IpxAddress),
    Ip6Address(Ip6Address),
    #[rasn(size("16"))]
    NetBios(OctetString),
    #[rasn(size("1..=20"))]
    Nsap(OctetString),
    NonStandardAddress(NonStandardParameter),
}

/// `PublicTypeOfNumber`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum PublicTypeOfNumber {
    Unknown,
    InternationalNumber,
    NationalNumber,
    NetworkSpecificNumber,
    SubscriberNumber,
    AbbreviatedNumber,
}

/// `PublicPartyNumber`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
pub struct PublicPartyNumber {
    pub public_type_of_number: PublicTypeOfNumber,
    #[rasn(size("1..=128"), from("#", "*", ",", "0..=9"))]
    pub public_number_digits: Ia5String,
}

/// `PrivateTypeOfNumber`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum PrivateTypeOfNumber {
    Unknown,
    Level2RegionalNumber,
    Level1RegionalNumber,
    PISNSpecificNumber,
    LocalNumber,
    AbbreviatedNumber,
}

/// `PrivatePartyNumber`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
pub struct PrivatePartyNumber {
    pub private_type_of_number: PrivateTypeOfNumber,
    #[rasn(size("1..=128"), from("#", "*", ",", "0..=9"))]
    pub private_number_digits: Ia5String,
}

/// `PartyNumber`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum PartyNumber {
    E164Number(PublicPartyNumber),
    #[rasn(size("1..=128"), from("#", "*", ",", "0..=9"))]
    DataPartyNumber(Ia5String),
    #[rasn(size("1..=128"), from("#", "*", ",", "0..=9"))]
    TelexPartyNumber(Ia5String),
    PrivateNumber(PrivatePartyNumber),
    #[rasn(size("1..=128"), from("#", "*", ",", "0..=9"))]
    NationalStandardPartyNumber(Ia5String),
}

/// `AliasAddress`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(choice, automatic_tags)]
#[non_exhaustive]
pub enum AliasAddress {
    #[rasn(size("1..=128"), from("#", "*", ",", "0..=9"))]
    DialledDigits(Ia5String),
    #[rasn(size("1..=256"))]
    H323ID(BmpString),
    #[rasn(extension_addition, size("1..=512"))]
    UrlID(Ia5String),
    #[rasn(extension_addition)]
    TransportID(TransportAddress),
    #[rasn(extension_addition, size("1..=512"))]
    EmailID(Ia5String),
    #[rasn(extension_addition)]
    PartyNumber(PartyNumber),
    #[rasn(extension_addition)]
    MobileUIM(Opaque),
    #[rasn(extension_addition)]
    IsupNumber(Opaque),
}

/// A router on the way.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(delegate, size("4"))]
pub struct Hop(pub OctetString);
