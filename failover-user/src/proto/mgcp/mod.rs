//! MGCP (RFC 3435): the question whether somebody is there, and its answer.
//!
//! A datagram holds one message or, piggybacked, several, each two parted by a line of a single dot (§3.5.5). Lines may end
//! in a bare LF (§3.1). The first line is read, of a response and of a command, and [`parameters`] for those who show them.
//!
//! Bounds: [`MAX_DATAGRAM`] bytes; nothing is copied.

mod command;

use std::net::IpAddr;

pub use self::command::{Command, parameters};

/// The longest datagram.
pub const MAX_DATAGRAM: usize = 65_535;
/// The largest transaction identifier (§3.2.1.2: one to nine digits).
pub const MAX_TRANSACTION: u32 = 999_999_999;

/// Why bytes are no response of MGCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than [`MAX_DATAGRAM`].
    #[error("MGCP datagram too long: more than {MAX_DATAGRAM} bytes")]
    TooLong,
    /// The first line does not begin with a code of three digits and a blank.
    #[error("not an MGCP response: its first line does not begin with a code of three digits")]
    Code,
    /// What follows the code is no transaction identifier.
    #[error("malformed MGCP message: no transaction identifier of one to nine digits")]
    Transaction,
    /// The line does not end.
    #[error("MGCP message cut short: its first line does not end")]
    CutShort,
    /// The first line begins neither as a response nor with a verb.
    #[error("not an MGCP message: its first line begins neither with a code nor with a verb of four letters")]
    Verb,
    /// No endpoint behind the transaction identifier, or no version behind it.
    #[error("malformed MGCP command: expected an endpoint and MGCP with its version behind the transaction")]
    Command,
}

/// An AuditEndpoint of all endpoints (§2.3.10): any gateway and any call agent has an answer to it, if only that it
/// does not know of such a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditEndpoint {
    /// 1 to [`MAX_TRANSACTION`].
    pub transaction: u32,
    /// Whose endpoints: their domain, which is the server's address (§2.1.2).
    pub domain: IpAddr,
}

impl AuditEndpoint {
    /// The datagram. A gateway answers with the names of its endpoints, and is asked for one of them alone
    /// (MaxEndPointIds, §2.3.10): an answer to all would not fit.
    pub fn to_bytes(self) -> Vec<u8> {
        let Self { transaction, domain } = self;
        format!("AUEP {transaction} *@[{domain}] MGCP 1.0\r\nZM: 1\r\n").into_bytes()
    }
}

/// The first line of a response (§3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    /// 000 to 999.
    pub code: u16,
    /// Of the command that it answers.
    pub transaction: u32,
    /// The rest of the line, as it came: the package of a code from 800 on, and a comment.
    pub comment: &'a [u8],
}

impl<'a> Response<'a> {
    /// Reads one message.
    pub fn parse(message: &'a [u8]) -> Result<Self, Error> {
        let end = message.iter().position(|byte| *byte == b'\n').ok_or(Error::CutShort)?;
        let line = trimmed(message.get(..end).unwrap_or_default());
        let (code, rest) = line.split_at_checked(3).ok_or(Error::Code)?;
        let code = digits(code).ok_or(Error::Code)?;
        let number = rest.trim_ascii_start();
        if number.len() == rest.len() {
            return Err(Error::Code);
        }
        let length = number.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(number.len());
        let (transaction, comment) = number.split_at_checked(length).ok_or(Error::Transaction)?;
        let bare = comment.first().is_none_or(|byte| matches!(byte, b' ' | b'\t'));
        let transaction = digits(transaction).filter(|_| bare && length <= 9).ok_or(Error::Transaction)?;
        Ok(Self { code: code as u16, transaction, comment: comment.trim_ascii() })
    }
}

/// The messages of a datagram.
pub fn messages(datagram: &[u8]) -> Result<impl Iterator<Item = &[u8]>, Error> {
    if datagram.len() > MAX_DATAGRAM {
        return Err(Error::TooLong);
    }
    let mut rest = Some(datagram);
    Ok(std::iter::from_fn(move || {
        let (message, after) = split(rest?);
        rest = after;
        Some(message)
    }))
}

/// The first message, and what follows the dot behind it.
fn split(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut at = 0;
    while let Some(length) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n')) {
        let next = at + length + 1;
        if trimmed(bytes.get(at..at + length).unwrap_or_default()) == b"." {
            return (bytes.get(..at).unwrap_or_default(), bytes.get(next..));
        }
        at = next;
    }
    (bytes, None)
}

/// A line without its CR.
fn trimmed(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// A number of digits alone.
fn digits(text: &[u8]) -> Option<u32> {
    let plain = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| plain)?.parse().ok()
}

#[cfg(test)]
mod tests;
