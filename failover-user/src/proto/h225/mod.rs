//! H.323's signalling (H.225.0 v7): [`ras`] over UDP, and over TCP call signalling, which is [`q931`] with H.323's
//! own part ([`uuie`]) in one of its elements.
//!
//! The types are H.225.0's, with its names for everything, and in aligned PER. Of the additions of later versions
//! those that somebody here looks at have their types; others that stand before them are kept as they came
//! ([`opaque::Opaque`]), and those behind the last one are skipped, and lost where a message is written again.
//!
//! An encoder may write the map of a SEQUENCE's additions as long as it knows additions, so a message that is read
//! and written again has the same values, and not always the same octets.
//!
//! Bounds: [`MAX_MESSAGE`] octets; no type holds itself, so that depth is bounded by the types alone.

// Each field is what H.225.0 says of the field of that name, and as many of them are BOOLEAN as it says.
#![allow(missing_docs, clippy::struct_excessive_bools)]
// The derived decoders bind each field to a name with an underscore before it.
#![allow(clippy::no_effect_underscore_binding)]
// A message is decoded where it is looked at, and kept nowhere.
#![allow(clippy::large_enum_variant)]

pub mod address;
mod aper;
pub mod convert;
pub mod endpoint;
pub mod opaque;
pub mod q931;
pub mod ras;
pub mod token;
pub mod uuie;

/// The longest message: what a UDP datagram, or a TPKT packet, can hold.
pub const MAX_MESSAGE: usize = 65_535;

/// Why octets are no message, or a message cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than it may be.
    #[error("{0} too long")]
    TooLong(&'static str),
    /// Not the encoding of anything.
    #[error("malformed {what}: {why}")]
    Decode {
        /// What it should have been.
        what: &'static str,
        /// The decoder's own words.
        why: String,
    },
    /// A value that its type does not allow.
    #[error("cannot write {what}: {why}")]
    Encode {
        /// What is written.
        what: &'static str,
        /// The encoder's own words.
        why: String,
    },
    /// Not Q.931.
    #[error("not a Q.931 message: its protocol discriminator is {0}, not 8")]
    Discriminator(u8),
    /// The octets end too soon.
    #[error("Q.931 message cut short: it ends {0}")]
    CutShort(&'static str),
    /// A length that H.225.0 does not have.
    #[error("malformed Q.931 message: a call reference of {0} octets, expected 2")]
    CallReference(u8),
    /// Not a message's type.
    #[error("malformed Q.931 message: {0:#04x} is no type of a message")]
    Kind(u8),
    /// More than [`q931::MAX_ELEMENTS`].
    #[error("Q.931 message with too many information elements: more than {}", q931::MAX_ELEMENTS)]
    TooManyElements,
    /// An element that is longer than what is left of the message.
    #[error("Q.931 message cut short: it ends in information element {0:#04x}")]
    ElementCutShort(u8),
    /// A User-user element of no length.
    #[error("malformed Q.931 message: its User-user element is empty")]
    NoUserInformation,
    /// A User-user element that is not H.323's.
    #[error("the User-user element is not of H.323: its protocol discriminator is {0}, not 5")]
    NotAsn1(u8),
}

#[cfg(test)]
mod tests;
