//! Q.931 as H.225.0 §7 has it: a message is a protocol discriminator, a call reference, a type, and information
//! elements, of which User-user carries H.323's own part.
//!
//! Elements stay as they came, so that whoever forwards a message can change one and leave the others alone. Their
//! order is not judged, and of one that is there twice the first counts (Q.931 §5.8.5.2). Strict elsewhere: an element
//! that is longer than what is left, or half of one, makes the whole message malformed.

mod element;

use rasn::types::ObjectIdentifier;

pub use self::element::{Element, id};
use super::{
    Error, MAX_MESSAGE,
    uuie::{MessageBody, UserInformation, UuPdu},
};

/// The first octet of every message (Q.931 §4.2).
pub const DISCRIMINATOR: u8 = 8;
/// The most information elements; a message of H.225.0 has some ten.
pub const MAX_ELEMENTS: usize = 128;

/// The flag of a call reference: this message goes to the side that chose it (Q.931 §4.3).
const TO_ORIGIN: u16 = 0x8000;
/// What User-user's value begins with: X.208 and X.209 coded user information, which H.225.0 takes for its own.
const ASN1: u8 = 5;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Which call.
    pub call: CallReference,
    /// What it is.
    pub kind: Kind,
    /// At most [`MAX_ELEMENTS`].
    pub elements: Vec<Element<'a>>,
}

/// A call, as one end of a connection knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallReference {
    /// Below 2¹⁵. 0 is no call: the connection itself.
    pub value: u16,
    /// The message goes to the side that chose the value.
    pub to_origin: bool,
}

/// A message's type (Q.931 table 4-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kind(pub u8);

impl Kind {
    /// The called side rings.
    pub const ALERTING: Self = Self(0x01);
    /// The call is on its way.
    pub const CALL_PROCEEDING: Self = Self(0x02);
    /// Something happens meanwhile.
    pub const PROGRESS: Self = Self(0x03);
    /// A call.
    pub const SETUP: Self = Self(0x05);
    /// The called side has answered.
    pub const CONNECT: Self = Self(0x07);
    /// More of the number is wanted.
    pub const SETUP_ACKNOWLEDGE: Self = Self(0x0d);
    /// The call is over, or never was.
    pub const RELEASE_COMPLETE: Self = Self(0x5a);
    /// Supplementary services, and whatever has no message of its own.
    pub const FACILITY: Self = Self(0x62);
    /// Something to tell a user.
    pub const NOTIFY: Self = Self(0x6e);
    /// How is this call?
    pub const STATUS_ENQUIRY: Self = Self(0x75);
    /// More of the number.
    pub const INFORMATION: Self = Self(0x7b);
    /// How a call is.
    pub const STATUS: Self = Self(0x7d);

    /// As the recommendation writes it; none for a type that H.225.0 does not use.
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::ALERTING => "Alerting",
            Self::CALL_PROCEEDING => "CallProceeding",
            Self::PROGRESS => "Progress",
            Self::SETUP => "Setup",
            Self::CONNECT => "Connect",
            Self::SETUP_ACKNOWLEDGE => "SetupAcknowledge",
            Self::RELEASE_COMPLETE => "ReleaseComplete",
            Self::FACILITY => "Facility",
            Self::NOTIFY => "Notify",
            Self::STATUS_ENQUIRY => "StatusEnquiry",
            Self::INFORMATION => "Information",
            Self::STATUS => "Status",
            _ => return None,
        })
    }
}

impl<'a> Message<'a> {
    /// Reads a message: what one TPKT packet holds.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Error> {
        if octets.len() > MAX_MESSAGE {
            return Err(Error::TooLong("Q.931 message"));
        }
        let (discriminator, rest) =
            octets.split_first().ok_or(Error::CutShort("before its discriminator"))?;
        if *discriminator != DISCRIMINATOR {
            return Err(Error::Discriminator(*discriminator));
        }
        let (call, rest) = CallReference::parse(rest)?;
        let (kind, rest) = rest.split_first().ok_or(Error::CutShort("before its type"))?;
        if kind & 0x80 != 0 {
            return Err(Error::Kind(*kind));
        }
        Ok(Self { call, kind: Kind(*kind), elements: Element::parse_all(rest)? })
    }

    /// Writes it, without TPKT.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut octets = vec![DISCRIMINATOR];
        octets.extend_from_slice(&self.call.to_bytes());
        octets.push(self.kind.0);
        self.elements.iter().try_for_each(|element| element.write(&mut octets))?;
        if octets.len() > MAX_MESSAGE {
            return Err(Error::TooLong("Q.931 message"));
        }
        Ok(octets)
    }

    /// The value of the first element `wanted` of the first codeset.
    pub fn element(&self, wanted: u8) -> Option<&'a [u8]> {
        self.elements.iter().find_map(|element| match element {
            Element::Variable { codeset: 0, id, value } if *id == wanted => Some(*value),
            _ => None,
        })
    }

    /// H.323's part, in its encoding; none where there is no User-user element.
    pub fn user_user(&self) -> Result<Option<&'a [u8]>, Error> {
        match self.element(id::USER_USER) {
            None => Ok(None),
            Some([ASN1, encoded @ ..]) => Ok(Some(encoded)),
            Some([]) => Err(Error::NoUserInformation),
            Some([other, ..]) => Err(Error::NotAsn1(*other)),
        }
    }

    /// H.323's part; none where there is no User-user element.
    pub fn user_information(&self) -> Result<Option<UserInformation>, Error> {
        self.user_user()?.map(UserInformation::decode).transpose()
    }

    /// Why a call ended: the cause value (Q.850), below 128.
    pub fn cause(&self) -> Option<u8> {
        // An octet with its top bit clear is continued by another one, before the value's own.
        match self.element(id::CAUSE)? {
            [first, value, ..] if first & 0x80 != 0 => Some(value & 0x7f),
            [_, _, value, ..] => Some(value & 0x7f),
            _ => None,
        }
    }
}

impl CallReference {
    /// Two octets are what H.225.0 writes; none and one are Q.931's.
    fn parse(octets: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (length, rest) = octets.split_first().ok_or(Error::CutShort("before its call reference"))?;
        let cut = Error::CutShort("in its call reference");
        let (value, rest) = match *length {
            0 => (0, rest),
            1 => {
                let (octet, rest) = rest.split_first().ok_or(cut)?;
                (u16::from(octet & 0x7f) | (u16::from(octet & 0x80) << 8), rest)
            }
            2 => {
                let (octets, rest) = rest.split_first_chunk::<2>().ok_or(cut)?;
                (u16::from_be_bytes(*octets), rest)
            }
            length => return Err(Error::CallReference(length)),
        };
        Ok((Self { value: value & !TO_ORIGIN, to_origin: value & TO_ORIGIN != 0 }, rest))
    }

    fn to_bytes(self) -> [u8; 3] {
        let flag = if self.to_origin { TO_ORIGIN } else { 0 };
        let [high, low] = ((self.value & !TO_ORIGIN) | flag).to_be_bytes();
        [2, high, low]
    }
}

/// The question that any server of call signalling answers, about a call that it does not know: Status Enquiry, with
/// an empty H.323 part. `call` is below 2¹⁵.
pub fn status_enquiry(call: u16) -> Result<Vec<u8>, Error> {
    let pdu = UuPdu { h245_tunnelling: Some(true), ..UuPdu::new(MessageBody::Empty) };
    let mut value = vec![ASN1];
    value.extend_from_slice(&UserInformation { h323_uu_pdu: pdu, user_data: None }.encode()?);
    let user_user = Element::Variable { codeset: 0, id: id::USER_USER, value: &value };
    let call = CallReference { value: call, to_origin: false };
    Message { call, kind: Kind::STATUS_ENQUIRY, elements: vec![user_user] }.to_bytes()
}

/// H.225.0 version 7: `{itu-t(0) recommendation(0) h(8) 2250 version(0) 7}`.
pub fn version_7() -> ObjectIdentifier {
    ObjectIdentifier::new_unchecked(vec![0, 0, 8, 2250, 0, 7].into())
}
