//! What the first octets of an answer say: which message it is, and of which request. They say so for next to nothing,
//! and also where something behind them is of a later version than this codec.

use super::RasMessage;
use crate::proto::h225::{Error, aper};

/// Answers to a question that anybody may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    GatekeeperConfirm,
    GatekeeperReject,
    LocationConfirm,
    LocationReject,
    UnknownMessageResponse,
    RequestInProgress,
}

/// The beginning of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which message.
    pub kind: Kind,
    /// Its requestSeqNum.
    pub number: u16,
}

impl Head {
    /// Reads it; none where it is no answer of these kinds.
    ///
    /// In aligned PER a root alternative of `RasMessage` is a clear bit and five bits of index; then comes the SEQUENCE's own
    /// extension bit, a bit for each OPTIONAL field of its root, and, on the next octet's boundary, requestSeqNum less 1. An
    /// alternative that was added later is an open type: a set bit, seven bits of index, and a length before the SEQUENCE.
    pub fn of(octets: &[u8]) -> Option<Self> {
        let first = *octets.first()?;
        let (kind, at) = match first >> 2 {
            1 => (Kind::GatekeeperConfirm, 2),
            2 => (Kind::GatekeeperReject, 2),
            19 => (Kind::LocationConfirm, 1),
            20 => (Kind::LocationReject, 1),
            24 => (Kind::UnknownMessageResponse, 1),
            _ if first == 0x80 => {
                let long = octets.get(1)? & 0x80 != 0;
                (Kind::RequestInProgress, if long { 4 } else { 3 })
            }
            _ => return None,
        };
        let (high, low) = (*octets.get(at)?, *octets.get(at + 1)?);
        let number = u16::from_be_bytes([high, low]).checked_add(1)?;
        Some(Self { kind, number })
    }
}

impl Kind {
    /// The name that the protocol's users know it by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::GatekeeperConfirm => "GCF",
            Self::GatekeeperReject => "GRJ",
            Self::LocationConfirm => "LCF",
            Self::LocationReject => "LRJ",
            Self::UnknownMessageResponse => "XRS",
            Self::RequestInProgress => "RIP",
        }
    }
}

/// Reads what stands at the beginning of a datagram, as every endpoint does: what is behind it is not looked at. `None`: it
/// holds something that this codec does not know. What is cut short is an error.
pub fn decode_first(octets: &[u8]) -> Result<Option<RasMessage>, Error> {
    aper::decode_first(octets, "RAS message")
}
