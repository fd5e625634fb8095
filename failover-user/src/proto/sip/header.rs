//! Typed views of the headers that are used.

use super::{Error, Message, message::is_lws};

/// A header's name in its two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HeaderName {
    long: &'static str,
    compact: Option<u8>,
}

impl HeaderName {
    /// §20.8.
    pub const CALL_ID: Self = Self { long: "Call-ID", compact: Some(b'i') };
    /// §20.14.
    pub const CONTENT_LENGTH: Self = Self { long: "Content-Length", compact: Some(b'l') };
    /// §20.16.
    pub const CSEQ: Self = Self { long: "CSeq", compact: None };
    /// §20.20.
    pub const FROM: Self = Self { long: "From", compact: Some(b'f') };
    /// §20.39.
    pub const TO: Self = Self { long: "To", compact: Some(b't') };
    /// §20.42.
    pub const VIA: Self = Self { long: "Via", compact: Some(b'v') };

    /// Whether `written` is this name: any case, long or compact.
    pub fn matches(self, written: &[u8]) -> bool {
        match (written, self.compact) {
            ([letter], Some(compact)) => letter.to_ascii_lowercase() == compact,
            _ => written.eq_ignore_ascii_case(self.long.as_bytes()),
        }
    }
}

/// One element of a Via header, §20.42.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`, …, as written.
    pub transport: &'a [u8],
    /// Host and port, as written.
    pub sent_by: &'a [u8],
    /// `branch`, `received`, `rport`, …
    pub params: Params<'a>,
}

impl<'a> Via<'a> {
    /// The transaction's identifier, §8.1.1.7.
    pub fn branch(&self) -> Option<&'a [u8]> {
        self.params.get("branch").flatten()
    }

    /// Of one element, without the comma after it.
    fn parse(element: &'a [u8]) -> Option<Self> {
        let (sent, params) = cut(element, b';');
        let mut parts = sent.splitn(3, |&byte| byte == b'/');
        let protocol = trim(parts.next()?);
        let version = trim(parts.next()?);
        let rest = trim(parts.next()?);
        let blank = rest.iter().position(|&byte| is_lws(byte))?;
        let (transport, sent_by) = (&rest[..blank], trim(&rest[blank..]));
        let well_formed = protocol.eq_ignore_ascii_case(b"SIP") && version == b"2.0" && !transport.is_empty();
        well_formed.then_some(Self { transport, sent_by, params: Params(params) })
    }
}

/// The parameters after an element, each behind a `;`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params<'a>(&'a [u8]);

impl<'a> Params<'a> {
    /// Names and values as written, quotes included; a parameter without `=` has no value.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let (param, after) = cut(rest, b';');
                rest = after;
                let (name, value) = match param.iter().position(|&byte| byte == b'=') {
                    Some(at) => (trim(&param[..at]), Some(trim(&param[at + 1..]))),
                    None => (trim(param), None),
                };
                if !name.is_empty() {
                    return Some((name, value));
                }
            }
            None
        })
    }

    /// The first parameter of that name, in any case: `Some(None)` where it has no value.
    pub fn get(self, name: &str) -> Option<Option<&'a [u8]>> {
        self.iter().find(|(written, _)| written.eq_ignore_ascii_case(name.as_bytes())).map(|(_, value)| value)
    }
}

/// CSeq, §20.16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CSeq<'a> {
    /// Below 2³¹ (§8.1.1.5).
    pub number: u32,
    /// Case-sensitive.
    pub method: &'a [u8],
}

impl<'a> Message<'a> {
    fn first(&self, name: HeaderName) -> Result<&'a [u8], Error> {
        self.named(name).next().map(|header| header.value).ok_or(Error::Missing(name.long))
    }

    /// The topmost Via.
    pub fn top_via(&self) -> Result<Via<'a>, Error> {
        let (element, _) = cut(self.first(HeaderName::VIA)?, b',');
        Via::parse(element).ok_or(Error::Malformed(HeaderName::VIA.long))
    }

    /// Call-ID, case-sensitive.
    pub fn call_id(&self) -> Result<&'a [u8], Error> {
        let value = self.first(HeaderName::CALL_ID)?;
        let well_formed = !value.is_empty() && !value.iter().any(|&byte| is_lws(byte));
        well_formed.then_some(value).ok_or(Error::Malformed(HeaderName::CALL_ID.long))
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq<'a>, Error> {
        let value = self.first(HeaderName::CSEQ)?;
        let malformed = Error::Malformed(HeaderName::CSEQ.long);
        let blank = value.iter().position(|&byte| is_lws(byte)).ok_or(malformed)?;
        let number = decimal(&value[..blank]).filter(|number| *number < 1 << 31).ok_or(malformed)?;
        Ok(CSeq { number, method: trim(&value[blank..]) })
    }

    /// From's tag, where it has one.
    pub fn from_tag(&self) -> Result<Option<&'a [u8]>, Error> {
        self.first(HeaderName::FROM).map(tag)
    }

    /// To's tag, where it has one.
    pub fn to_tag(&self) -> Result<Option<&'a [u8]>, Error> {
        self.first(HeaderName::TO).map(tag)
    }

    /// Content-Length, where there is one. Several that differ are an error: peers would not agree where the
    /// message ends.
    pub fn content_length(&self) -> Result<Option<usize>, Error> {
        let malformed = Error::Malformed(HeaderName::CONTENT_LENGTH.long);
        let mut length = None;
        for header in self.named(HeaderName::CONTENT_LENGTH) {
            let number = decimal(header.value).ok_or(malformed)?;
            if length.is_some_and(|before| before != number) {
                return Err(malformed);
            }
            length = Some(number);
        }
        Ok(length.map(|number| number as usize))
    }
}

/// The tag of a From or To value, in either of its forms (`"A" <sip:…>;tag=x` and `sip:…;tag=x`, §20).
fn tag(value: &[u8]) -> Option<&[u8]> {
    let (_, params) = cut(value, b';');
    Params(params).get("tag").flatten().filter(|tag| !tag.is_empty())
}

/// Splits at the first `separator` outside of quotes and angle brackets; without one, all of it and nothing.
fn cut(value: &[u8], separator: u8) -> (&[u8], &[u8]) {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, &byte) in value.iter().enumerate() {
        if escaped {
            escaped = false;
        } else if quoted {
            escaped = byte == b'\\';
            quoted = byte != b'"';
        } else if byte == separator && !bracketed {
            return (&value[..at], &value[at + 1..]);
        } else {
            quoted = byte == b'"' && !bracketed;
            bracketed = (bracketed || byte == b'<') && byte != b'>';
        }
    }
    (value, &[])
}

fn trim(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|&byte| !is_lws(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|&byte| !is_lws(byte)).map_or(start, |last| last + 1);
    &bytes[start..end]
}

/// 1*DIGIT that fits in 32 bits.
fn decimal(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0_u32, |number, byte| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u32::from(byte - b'0')),
        _ => None,
    })
}
