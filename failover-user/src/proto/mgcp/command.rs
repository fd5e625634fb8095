//! Commands (RFC 3435 §3.2), and the parameter lines that commands and responses share.

use super::{Error, digits, trimmed};

/// The first line of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// Four letters, in any case.
    pub verb: &'a [u8],
    /// 1 to [`super::MAX_TRANSACTION`].
    pub transaction: u32,
    /// As it is written: `aaln/1@gw.example`.
    pub endpoint: &'a [u8],
    /// Behind `MGCP`: the version, and a profile if there is one.
    pub version: &'a [u8],
}

impl<'a> Command<'a> {
    /// Reads one message.
    pub fn parse(message: &'a [u8]) -> Result<Self, Error> {
        let end = message.iter().position(|byte| *byte == b'\n').ok_or(Error::CutShort)?;
        let line = trimmed(message.get(..end).unwrap_or_default());
        let (verb, rest) = word(line);
        if verb.len() != 4 || !verb.iter().all(u8::is_ascii_alphanumeric) || verb[0].is_ascii_digit() {
            return Err(Error::Verb);
        }
        let (number, rest) = word(rest);
        let transaction = digits(number).filter(|_| number.len() <= 9).ok_or(Error::Transaction)?;
        let (endpoint, rest) = word(rest);
        let (name, version) = word(rest);
        if endpoint.is_empty() || !name.eq_ignore_ascii_case(b"MGCP") || version.is_empty() {
            return Err(Error::Command);
        }
        Ok(Self { verb, transaction, endpoint, version })
    }
}

/// The lines of `name: value` up to the empty one that a session description follows, blanks around both removed.
pub fn parameters(message: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let lines = message.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).skip(1);
    lines.take_while(|line| !line.is_empty()).filter_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = line.split_at_checked(colon)?;
        Some((name.trim_ascii_end(), value.get(1..).unwrap_or_default().trim_ascii_start()))
    })
}

/// Up to a blank, and what follows the blanks.
fn word(line: &[u8]) -> (&[u8], &[u8]) {
    let end = line.iter().position(|byte| matches!(byte, b' ' | b'\t')).unwrap_or(line.len());
    let (word, rest) = line.split_at_checked(end).unwrap_or((line, &[]));
    (word, rest.trim_ascii())
}
