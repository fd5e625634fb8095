//! Information elements (Q.931 §4.5).

use super::{super::Error, MAX_ELEMENTS};

/// The elements that H.225.0 uses, in the first codeset.
pub mod id {
    /// What is wanted of the network: a call with audio, video, data.
    pub const BEARER_CAPABILITY: u8 = 0x04;
    /// Why.
    pub const CAUSE: u8 = 0x08;
    /// Supplementary services.
    pub const FACILITY: u8 = 0x1c;
    /// How a call is.
    pub const CALL_STATE: u8 = 0x14;
    /// A name to show.
    pub const DISPLAY: u8 = 0x28;
    /// Who calls.
    pub const CALLING_PARTY_NUMBER: u8 = 0x6c;
    /// Who is called.
    pub const CALLED_PARTY_NUMBER: u8 = 0x70;
    /// H.323's own part. It alone has two octets of length.
    pub const USER_USER: u8 = 0x7e;
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element<'a> {
    /// A single octet, its top bit set: Sending Complete, shifts of the codeset and others.
    Single(u8),
    /// An element with a length.
    Variable {
        /// Which list the identifier is of. What has another number than 0 stands behind a [`Self::Single`] that
        /// shifts to it.
        codeset: u8,
        /// Which element; below 128.
        id: u8,
        /// Its contents.
        value: &'a [u8],
    },
}

impl<'a> Element<'a> {
    /// Every element of a message.
    pub(super) fn parse_all(mut rest: &'a [u8]) -> Result<Vec<Self>, Error> {
        let mut elements = Vec::new();
        let mut codesets = Codesets::default();
        while let Some((first, behind)) = rest.split_first() {
            if elements.len() == MAX_ELEMENTS {
                return Err(Error::TooManyElements);
            }
            if first & 0x80 != 0 {
                codesets.see(*first);
                elements.push(Self::Single(*first));
                rest = behind;
                continue;
            }
            let codeset = codesets.take();
            let (length, behind) = length(codeset, *first, behind).ok_or(Error::ElementCutShort(*first))?;
            let (value, behind) = behind.split_at_checked(length).ok_or(Error::ElementCutShort(*first))?;
            elements.push(Self::Variable { codeset, id: *first, value });
            rest = behind;
        }
        Ok(elements)
    }

    /// Appends it.
    pub(super) fn write(&self, octets: &mut Vec<u8>) -> Result<(), Error> {
        match *self {
            Self::Single(octet) => octets.push(octet | 0x80),
            Self::Variable { codeset, id, value } => {
                octets.push(id & 0x7f);
                let too_long = |_| Error::TooLong("information element");
                if has_long_length(codeset, id) {
                    octets.extend_from_slice(&u16::try_from(value.len()).map_err(too_long)?.to_be_bytes());
                } else {
                    octets.push(u8::try_from(value.len()).map_err(too_long)?);
                }
                octets.extend_from_slice(value);
            }
        }
        Ok(())
    }
}

const fn has_long_length(codeset: u8, id: u8) -> bool {
    codeset == 0 && id == id::USER_USER
}

fn length(codeset: u8, id: u8, octets: &[u8]) -> Option<(usize, &[u8])> {
    if has_long_length(codeset, id) {
        let (length, rest) = octets.split_first_chunk::<2>()?;
        return Some((usize::from(u16::from_be_bytes(*length)), rest));
    }
    let (length, rest) = octets.split_first()?;
    Some((usize::from(*length), rest))
}

/// Which list an identifier is of (Q.931 §4.5.2 to §4.5.4).
#[derive(Default)]
struct Codesets {
    locked: u8,
    next: Option<u8>,
}

impl Codesets {
    fn see(&mut self, octet: u8) {
        match octet {
            0x90..=0x97 => self.locked = octet & 7,
            0x98..=0x9f => self.next = Some(octet & 7),
            _ => {}
        }
    }

    fn take(&mut self) -> u8 {
        self.next.take().unwrap_or(self.locked)
    }
}
