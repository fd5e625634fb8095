//! H.225.0's addresses and names, from and to those that the rest of the house uses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rasn::types::{BmpString, Ia5String, OctetString};

use super::{
    Error,
    address::{AliasAddress, Ip6Address, IpAddress, PartyNumber, TransportAddress},
};

impl From<SocketAddr> for TransportAddress {
    fn from(address: SocketAddr) -> Self {
        let port = address.port();
        match address.ip() {
            IpAddr::V4(v4) => Self::IpAddress(IpAddress { ip: OctetString::from_slice(&v4.octets()), port }),
            IpAddr::V6(v6) => {
                Self::Ip6Address(Ip6Address { ip: OctetString::from_slice(&v6.octets()), port })
            }
        }
    }
}

impl TransportAddress {
    /// The address and port; none where it is of another kind than IP.
    pub fn socket_address(&self) -> Option<SocketAddr> {
        match self {
            Self::IpAddress(IpAddress { ip, port }) => {
                let octets: [u8; 4] = ip.as_ref().try_into().ok()?;
                Some((Ipv4Addr::from(octets), *port).into())
            }
            Self::Ip6Address(Ip6Address { ip, port }) => {
                let octets: [u8; 16] = ip.as_ref().try_into().ok()?;
                Some((Ipv6Addr::from(octets), *port).into())
            }
            _ => None,
        }
    }
}

impl AliasAddress {
    /// `dialledDigits` where the text is digits, else `h323-ID`.
    pub fn from_text(text: &str) -> Result<Self, Error> {
        let refused = |why: String| Error::Encode { what: "alias", why };
        if !text.is_empty() && text.bytes().all(|byte| b"#*,0123456789".contains(&byte)) {
            let digits =
                Ia5String::from_iso646_bytes(text.as_bytes()).map_err(|error| refused(error.to_string()))?;
            return Ok(Self::DialledDigits(digits));
        }
        Ok(Self::H323ID(bmp(text).map_err(|why| refused(why.to_owned()))?))
    }

    /// The name or number; none where it has another form. Whatever is no character is replaced by U+FFFD.
    pub fn text(&self) -> Option<String> {
        let ascii = |text: &Ia5String| String::from_utf8_lossy(text.as_iso646_bytes()).into_owned();
        match self {
            Self::DialledDigits(text) | Self::UrlID(text) | Self::EmailID(text) => Some(ascii(text)),
            Self::H323ID(text) => Some(unicode(text)),
            Self::PartyNumber(PartyNumber::E164Number(number)) => Some(ascii(&number.public_number_digits)),
            Self::PartyNumber(PartyNumber::PrivateNumber(number)) => {
                Some(ascii(&number.private_number_digits))
            }
            _ => None,
        }
    }
}

/// A text of the Basic Multilingual Plane, such as an identifier.
pub fn bmp(text: &str) -> Result<BmpString, &'static str> {
    const BEYOND: &str = "it has a character beyond the Basic Multilingual Plane";
    let units = text.chars().map(|char| u16::try_from(u32::from(char)).map_err(|_| BEYOND));
    let octets: Vec<u8> =
        units.collect::<Result<Vec<_>, _>>()?.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    BmpString::try_from(octets.as_slice()).map_err(|_| BEYOND)
}

/// The text of an identifier.
pub fn unicode(text: &BmpString) -> String {
    let units = text.to_bytes();
    let units = units.chunks_exact(2).filter_map(|pair| Some(u16::from_be_bytes(pair.try_into().ok()?)));
    char::decode_utf16(units).map(|char| char.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}
