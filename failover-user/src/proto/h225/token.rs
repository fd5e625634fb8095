//! H.235's clear tokens and integrity checks, as far as they stand in front of other fields.

use rasn::prelude::*;

/// `DHset`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct DhSet {
    #[rasn(size("0..=2048"))]
    pub halfkey: BitString,
    #[rasn(size("0..=2048"))]
    pub mod_size: BitString,
    #[rasn(size("0..=2048"))]
    pub generator: BitString,
}

/// `TypedCertificate`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct TypedCertificate {
    pub kind: ObjectIdentifier,
    pub certificate: OctetString,
}

/// `ClearToken`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
#[non_exhaustive]
pub struct ClearToken {
    pub token_oid: ObjectIdentifier,
    #[rasn(value("1..=4294967295"))]
    pub time_stamp: Option<u32>,
    #[rasn(size("1..=128"))]
    pub password: Option<BmpString>,
    pub dhkey: Option<DhSet>,
    #[rasn(size("8..=128"))]
    pub challenge: Option<OctetString>,
    pub random: Option<Integer>,
    pub certificate: Option<TypedCertificate>,
    #[rasn(size("1..=128"))]
    pub general_id: Option<BmpString>,
    pub non_standard: Option<NonStandardToken>,
}

/// `NonStandardParameter` of H.235, which is not H.225.0's of that name.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
pub struct NonStandardToken {
    pub non_standard_identifier: ObjectIdentifier,
    pub data: OctetString,
}

/// `ICV`.
#[derive(AsnType, Clone, Debug, Decode, Encode, PartialEq, Eq)]
#[rasn(automatic_tags)]
pub struct Icv {
    pub algorithm_oid: ObjectIdentifier,
    pub icv: BitString,
}
