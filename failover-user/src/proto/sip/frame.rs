//! Cuts a TCP stream into messages (RFC 3261 §18.3, §20.14).

use super::{Error, MAX_MESSAGE, Message, message::leading_line_ends};

/// Collects a stream's bytes and gives out whole messages.
///
/// Line ends between messages are keep-alives (§7.5, RFC 5626 §4.4.1) and are skipped. Holds at most twice
/// [`MAX_MESSAGE`] bytes. After an error the stream cannot be trusted any more: where its next message begins is
/// not known, so the connection has to be closed.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// What was given out already: it goes when more is pushed, so that many small messages at once cost no more than a large
    /// one. What follows counts from here.
    taken: usize,
    /// No line end is left to be found before this.
    scanned: usize,
    /// Where the line that is being scanned begins.
    line: usize,
    /// The length of the message, once its headers are complete.
    length: Option<usize>,
}

impl Framer {
    /// Takes in bytes as they were read. [`Self::next_message`] has to be drained before more are pushed.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        if self.buffer.len() + bytes.len() > 2 * MAX_MESSAGE {
            return Err(Error::TooLong);
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// How many bytes wait for their rest.
    pub fn held(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// The next whole message, if it is there.
    pub fn next_message(&mut self) -> Result<Option<Vec<u8>>, Error> {
        if self.line == 0 {
            self.skip_keep_alives();
        }
        let Some(length) = self.find_length()? else {
            return if self.rest().len() > MAX_MESSAGE { Err(Error::TooLong) } else { Ok(None) };
        };
        let Some(message) = self.rest().get(..length).map(<[u8]>::to_vec) else { return Ok(None) };
        self.taken += length;
        (self.scanned, self.line, self.length) = (0, 0, None);
        Ok(Some(message))
    }

    fn skip_keep_alives(&mut self) {
        let skip = leading_line_ends(self.rest());
        if skip > 0 {
            self.taken += skip;
            self.scanned = 0;
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    /// Of the whole message; none while its headers are incomplete.
    fn find_length(&mut self) -> Result<Option<usize>, Error> {
        if self.length.is_some() {
            return Ok(self.length);
        }
        let Some(end) = self.find_header_end() else { return Ok(None) };
        let headers = self.rest().get(..end).unwrap_or_default();
        let body = Message::parse(headers)?.content_length()?.ok_or(Error::Missing("Content-Length"))?;
        if end.saturating_add(body) > MAX_MESSAGE {
            return Err(Error::TooLong);
        }
        self.length = Some(end + body);
        Ok(self.length)
    }

    /// Goes on where it stopped, so that a stream in small pieces costs no more than one in large ones.
    fn find_header_end(&mut self) -> Option<usize> {
        while let Some(found) = self.rest().get(self.scanned..)?.iter().position(|&byte| byte == b'\n') {
            let end = self.scanned + found;
            let line = self.rest().get(self.line..end)?;
            let empty = matches!(line, [] | [b'\r']);
            (self.scanned, self.line) = (end + 1, end + 1);
            if empty {
                return Some(end + 1);
            }
        }
        self.scanned = self.rest().len();
        None
    }
}
