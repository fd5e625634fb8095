//! What a whole message says, transaction by transaction: for those who show it.

use super::{
    Error, Kind, MAX_MESSAGE, decimal, header, is_error, number,
    token::{Token, Tokens},
};

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline<'a> {
    /// Of the protocol.
    pub version: u8,
    /// The message identifier: who sends it.
    pub mid: &'a [u8],
    /// In their order.
    pub transactions: Vec<Transaction<'a>>,
}

/// One transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction<'a> {
    /// The long name of what it is.
    pub kind: &'static str,
    /// None of an acknowledgement, and of an error of the whole message.
    pub id: Option<u32>,
    /// The long names of its commands, and what each is on.
    pub commands: Vec<(&'static str, &'a [u8])>,
    /// The first error in it: H.248.8's code, and the text as it came.
    pub error: Option<(u16, &'a [u8])>,
}

/// Short and long names of commands.
const COMMANDS: [(&str, &str); 8] = [
    ("A", "Add"),
    ("MV", "Move"),
    ("MF", "Modify"),
    ("S", "Subtract"),
    ("AV", "AuditValue"),
    ("AC", "AuditCapability"),
    ("N", "Notify"),
    ("SC", "ServiceChange"),
];

/// How deep commands stand: in a context, in a transaction.
const COMMAND_DEPTH: usize = 2;

/// What could be read of a message, and what is wrong with the rest.
pub fn outline(message: &[u8]) -> (Option<Outline<'_>>, Option<Error>) {
    if message.len() > MAX_MESSAGE {
        return (None, Some(Error::TooLong));
    }
    let mut tokens = Tokens::new(message);
    let (version, mid) = match header(&mut tokens) {
        Ok(header) => header,
        Err(error) => return (None, Some(error)),
    };
    let mut outline = Outline { version, mid, transactions: Vec::new() };
    loop {
        match transaction(&mut tokens) {
            Ok(None) => return (Some(outline), None),
            Ok(Some(found)) => outline.transactions.push(found),
            Err(error) => return (Some(outline), Some(error)),
        }
    }
}

fn transaction<'a>(tokens: &mut Tokens<'a>) -> Result<Option<Transaction<'a>>, Error> {
    let Some(token) = tokens.next()? else { return Ok(None) };
    let Token::Word(word) = token else { return Err(Error::Body) };
    let kind = Kind::of(word).ok_or(Error::Body)?;
    let id = kind.has_number().then(|| number(tokens)).transpose()?;
    let mut found = Transaction { kind: kind.name(), id, commands: Vec::new(), error: None };
    inside(tokens, &mut found)?;
    if kind == Kind::Error {
        // The number of an error is its code.
        found.error = id.and_then(|code| u16::try_from(code).ok()).map(|code| (code, text(&found)));
        found.id = None;
    }
    Ok(Some(found))
}

fn text<'a>(found: &Transaction<'a>) -> &'a [u8] {
    found.error.map_or(&[], |(_, text)| text)
}

/// From a brace to the one that closes it.
fn inside<'a>(tokens: &mut Tokens<'a>, found: &mut Transaction<'a>) -> Result<(), Error> {
    let Some(Token::Open) = tokens.next()? else { return Err(Error::Body) };
    let mut depth = 1_usize;
    let mut last = [None, None];
    while depth > 0 {
        let token = tokens.next()?.ok_or(Error::CutShort)?;
        match token {
            Token::Open => depth += 1,
            Token::Close => depth -= 1,
            Token::Word(word) if found.error.is_none() && is_error(last) => {
                let code = decimal(word).and_then(|code| u16::try_from(code).ok());
                found.error = code.map(|code| (code, &b""[..]));
            }
            Token::Word(word) if depth == COMMAND_DEPTH => {
                found.commands.extend(command(last).map(|name| (name, word)));
            }
            Token::Quoted(words) => match &mut found.error {
                Some((_, text)) if text.is_empty() => *text = words,
                // Of an error of the whole message, whose code stands in front of the brace.
                None if found.kind == Kind::Error.name() => found.error = Some((0, words)),
                _ => {}
            },
            _ => {}
        }
        last = [last[1], Some(token)];
    }
    Ok(())
}

/// `Add =`, `O-AV =`, `W-S =`
fn command(last: [Option<Token<'_>>; 2]) -> Option<&'static str> {
    let [Some(Token::Word(word)), Some(Token::Equal)] = last else { return None };
    // Optional, wildcarded (H.248.1 annex B: commandRequest).
    let word = word.strip_prefix(b"O-").unwrap_or(word);
    let word = word.strip_prefix(b"W-").unwrap_or(word);
    let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
    COMMANDS.iter().find(|(short, long)| is(short) || is(long)).map(|(_, long)| *long)
}
