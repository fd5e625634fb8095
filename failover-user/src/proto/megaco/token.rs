//! What the text encoding's lines are made of.

use super::Error;

/// One piece of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// Anything up to a blank or a mark: `Reply`, `[192.0.2.1]:2944`, `12/1/END`.
    Word(&'a [u8]),
    /// Between quotation marks, without them.
    Quoted(&'a [u8]),
    Equal,
    Open,
    Close,
    Comma,
}

/// Cuts a message into tokens. Blanks, line ends and comments (from `;` on) part them.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Tokens<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The next one; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token<'a>>, Error> {
        self.skip();
        let Some(first) = self.rest.first() else { return Ok(None) };
        let mark = match first {
            b'=' => Token::Equal,
            b'{' => Token::Open,
            b'}' => Token::Close,
            b',' => Token::Comma,
            b'"' => return self.quoted().map(Some),
            _ => return Ok(Some(Token::Word(self.word()))),
        };
        self.take(1);
        Ok(Some(mark))
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, &[]));
        self.rest = rest;
        taken
    }

    fn skip(&mut self) {
        while let Some(first) = self.rest.first() {
            match first {
                b' ' | b'\t' | b'\r' | b'\n' => self.take(1),
                b';' => {
                    let end = self.rest.iter().position(|byte| matches!(byte, b'\r' | b'\n'));
                    self.take(end.unwrap_or(self.rest.len()))
                }
                _ => return,
            };
        }
    }

    fn quoted(&mut self) -> Result<Token<'a>, Error> {
        self.take(1);
        let end = self.rest.iter().position(|byte| *byte == b'"').ok_or(Error::CutShort)?;
        let text = self.take(end);
        self.take(1);
        Ok(Token::Quoted(text))
    }

    /// At least one byte. A backslash keeps the next one from being a mark (`\}` in a local descriptor).
    fn word(&mut self) -> &'a [u8] {
        let mut length = 0;
        while let Some(byte) = self.rest.get(length) {
            match byte {
                b'\\' => length += 2,
                b' ' | b'\t' | b'\r' | b'\n' | b'=' | b'{' | b'}' | b',' | b'"' | b';' => break,
                _ => length += 1,
            }
        }
        self.take(length)
    }
}
