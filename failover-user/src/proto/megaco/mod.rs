//! MEGACO, in its text encoding (H.248.1 annex B): the question whether somebody is there, and its answer.
//!
//! Of an answer only what is needed is read: whose transaction it is, whether it is done, and the first error in it; an
//! [`outline()`] says what else is in a message. Words may be long or short and in any case, as the grammar has them.
//!
//! Bounds: [`MAX_MESSAGE`] bytes; nothing is copied, and nothing recurs, however deep its braces.

mod outline;
mod token;

use std::net::SocketAddr;

pub use self::outline::{Outline, Transaction, outline};
use self::token::{Token, Tokens};

/// The longest message, as in a UDP datagram.
pub const MAX_MESSAGE: usize = 65_535;

/// Why bytes are no message of MEGACO.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Longer than [`MAX_MESSAGE`].
    #[error("MEGACO message too long: more than {MAX_MESSAGE} bytes")]
    TooLong,
    /// It does not begin with `MEGACO/` or `!/`, a version, and who sends it.
    #[error("not a MEGACO message: it does not begin with MEGACO/, a version, and who sends it")]
    Header,
    /// It ends within a transaction or a quoted text.
    #[error("MEGACO message cut short: it ends within a transaction")]
    CutShort,
    /// Something else than a transaction, a reply, or what belongs to one.
    #[error("malformed MEGACO message: expected a transaction or a reply")]
    Body,
    /// A transaction without a number below 2³².
    #[error("malformed MEGACO message: a transaction without a number")]
    Transaction,
}

/// An AuditValue of the termination that stands for the whole gateway, and of nothing that it would have to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditRoot {
    /// Not 0.
    pub transaction: u32,
    /// Who asks, as the message's mId.
    pub local: SocketAddr,
}

impl AuditRoot {
    /// The message.
    pub fn to_bytes(self) -> Vec<u8> {
        let Self { transaction, local } = self;
        let (address, port) = (local.ip(), local.port());
        format!("MEGACO/1 [{address}]:{port}\nTransaction={transaction}{{Context=-{{AuditValue=ROOT{{Audit{{}}}}}}}}\n")
            .into_bytes()
    }
}

/// What a message says of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// It is still at work.
    Pending,
    /// It is done.
    Done,
    /// It is refused, or what it asked for cannot be had.
    Refused {
        /// H.248.8: 400 to 599.
        code: u16,
        /// The error's text, as it came.
        text: &'a [u8],
    },
}

/// What `message` says of `transaction`: none where it is about others.
pub fn answer(message: &[u8], transaction: u32) -> Result<Option<Answer<'_>>, Error> {
    if message.len() > MAX_MESSAGE {
        return Err(Error::TooLong);
    }
    let mut tokens = Tokens::new(message);
    header(&mut tokens)?;
    while let Some(token) = tokens.next()? {
        let Token::Word(word) = token else { return Err(Error::Body) };
        let kind = Kind::of(word).ok_or(Error::Body)?;
        let id = kind.has_number().then(|| number(&mut tokens)).transpose()?;
        let found = block(&mut tokens)?;
        match kind {
            Kind::Reply if id == Some(transaction) => return Ok(Some(found)),
            Kind::Pending if id == Some(transaction) => return Ok(Some(Answer::Pending)),
            _ => {}
        }
    }
    Ok(None)
}

/// What a message is made of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Reply,
    Pending,
    Acknowledgement,
    /// About the whole message: nobody knows which transaction.
    Error,
}

impl Kind {
    fn of(word: &[u8]) -> Option<Self> {
        let is = |long: &str, short: &str| {
            word.eq_ignore_ascii_case(long.as_bytes()) || word.eq_ignore_ascii_case(short.as_bytes())
        };
        if is("Reply", "P") {
            Some(Self::Reply)
        } else if is("Pending", "PN") {
            Some(Self::Pending)
        } else if is("Transaction", "T") {
            Some(Self::Request)
        } else if is("TransactionResponseAck", "K") {
            Some(Self::Acknowledgement)
        } else if is("Error", "ER") {
            Some(Self::Error)
        } else {
            None
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Request => "Transaction",
            Self::Reply => "Reply",
            Self::Pending => "Pending",
            Self::Acknowledgement => "TransactionResponseAck",
            Self::Error => "Error",
        }
    }

    const fn has_number(self) -> bool {
        !matches!(self, Self::Acknowledgement)
    }
}

/// The authentication header, if there is one, `MEGACO/1`, and the mId; the version, and the mId.
fn header<'a>(tokens: &mut Tokens<'a>) -> Result<(u8, &'a [u8]), Error> {
    let mut word = |wanted: bool| match tokens.next() {
        Ok(Some(Token::Word(word))) => Ok(word),
        Ok(Some(Token::Equal)) if !wanted => Ok(&b"="[..]),
        _ => Err(Error::Header),
    };
    let mut first = word(true)?;
    if first.eq_ignore_ascii_case(b"Authentication") || first.eq_ignore_ascii_case(b"AU") {
        word(false)?;
        word(true)?;
        first = word(true)?;
    }
    let slash = first.iter().position(|byte| *byte == b'/').ok_or(Error::Header)?;
    let (name, version) = first.split_at(slash);
    let known = name.eq_ignore_ascii_case(b"MEGACO") || name == b"!";
    let version = version.get(1..).filter(|digits| (1..=2).contains(&digits.len()));
    let version = version.and_then(decimal).filter(|_| known).ok_or(Error::Header)?;
    let sender = word(true)?;
    if sender.eq_ignore_ascii_case(b"MTP") {
        block(tokens).map_err(|_| Error::Header)?;
    }
    Ok((version as u8, sender))
}

/// `= 1234`, or `= 1234/1/END` of a reply in segments.
fn number(tokens: &mut Tokens<'_>) -> Result<u32, Error> {
    let (Some(Token::Equal), Some(Token::Word(word))) = (tokens.next()?, tokens.next()?) else {
        return Err(Error::Transaction);
    };
    let digits = word.split(|byte| *byte == b'/').next().unwrap_or_default();
    decimal(digits).ok_or(Error::Transaction)
}

/// Everything from a brace to the one that closes it; the first error in it.
fn block<'a>(tokens: &mut Tokens<'a>) -> Result<Answer<'a>, Error> {
    let Some(Token::Open) = tokens.next()? else { return Err(Error::Body) };
    let mut depth = 1_usize;
    let mut found = Answer::Done;
    let mut last = [None, None];
    while depth > 0 {
        let token = tokens.next()?.ok_or(Error::CutShort)?;
        match token {
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            Token::Word(digits) if found == Answer::Done && is_error(last) => {
                if let Some(code) = decimal(digits).and_then(|code| u16::try_from(code).ok()) {
                    found = Answer::Refused { code, text: b"" };
                }
            }
            Token::Quoted(words) => {
                if let Answer::Refused { text, .. } = &mut found
                    && text.is_empty()
                {
                    *text = words;
                }
            }
            _ => {}
        }
        last = [last[1], Some(token)];
    }
    Ok(found)
}

/// `Error =`
fn is_error(last: [Option<Token<'_>>; 2]) -> bool {
    matches!(last, [Some(Token::Word(word)), Some(Token::Equal)] if Kind::of(word) == Some(Kind::Error))
}

fn decimal(digits: &[u8]) -> Option<u32> {
    let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(digits).ok().filter(|_| plain)?.parse().ok()
}

#[cfg(test)]
mod tests;
