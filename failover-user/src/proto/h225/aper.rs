//! Aligned PER, within bounds.
//!
//! Depth: no type of this room holds itself. Memory: what is read is a small multiple of what was received, because
//! every element of every list takes some of it.

use rasn::{
    Decode, Encode,
    error::{DecodeError, DecodeErrorKind},
};

use super::{Error, MAX_MESSAGE};

/// Reads a whole message. `what` is its name in errors.
pub(super) fn decode<T: Decode>(octets: &[u8], what: &'static str) -> Result<T, Error> {
    if octets.len() > MAX_MESSAGE {
        return Err(Error::TooLong(what));
    }
    rasn::aper::decode(octets).map_err(|error| Error::Decode { what, why: error.kind.to_string() })
}

/// Reads what stands at the beginning, whatever is behind it. `None`: it is not cut short, and yet not what it should be.
pub(super) fn decode_first<T: Decode>(octets: &[u8], what: &'static str) -> Result<Option<T>, Error> {
    if octets.len() > MAX_MESSAGE {
        return Err(Error::TooLong(what));
    }
    match rasn::aper::decode_with_remainder(octets) {
        Ok((message, _)) => Ok(Some(message)),
        Err(error) if is_cut_short(&error) => Err(Error::Decode { what, why: error.kind.to_string() }),
        Err(_) => Ok(None),
    }
}

fn is_cut_short(error: &DecodeError) -> bool {
    error.matches_root_cause(|kind| matches!(kind, DecodeErrorKind::Incomplete { .. } | DecodeErrorKind::Eof))
}

/// Writes a whole message.
pub(super) fn encode<T: Encode>(message: &T, what: &'static str) -> Result<Vec<u8>, Error> {
    rasn::aper::encode(message).map_err(|error| Error::Encode { what, why: error.kind.to_string() })
}
