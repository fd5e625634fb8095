//! The index: one pass over the bytes finds the start line, every header, and where the body begins.

use super::{Error, HeaderName, MAX_HEADERS, MAX_MESSAGE};

/// Offsets into the message. [`MAX_MESSAGE`] fits in 16 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u16,
    end: u16,
}

impl Span {
    fn new(start: usize, end: usize) -> Self {
        debug_assert!(start <= end && end <= MAX_MESSAGE);
        Self { start: start as u16, end: end as u16 }
    }

    fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(usize::from(self.start)..usize::from(self.end)).unwrap_or_default()
    }

    /// Without the blanks and line ends (of folds) around it.
    fn trimmed(self, bytes: &[u8]) -> Self {
        let whole = self.of(bytes);
        let blank = |byte: &&u8| is_lws(**byte);
        let before = whole.iter().take_while(blank).count();
        let after = whole[before..].iter().rev().take_while(blank).count();
        Self::new(usize::from(self.start) + before, usize::from(self.end) - after)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    Request { method: Span, uri: Span },
    Response { status: u16, reason: Span },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    name: Span,
    value: Span,
}

/// A SIP message: its untouched bytes, and where things are in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    bytes: &'a [u8],
    start: Start,
    headers: Vec<Entry>,
    body: usize,
}

/// The first line of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// `OPTIONS sip:192.0.2.10 SIP/2.0`, §7.1.
    Request {
        /// Case-sensitive.
        method: &'a [u8],
        /// The Request-URI.
        uri: &'a [u8],
    },
    /// `SIP/2.0 200 OK`, §7.2.
    Response {
        /// 100 to 699.
        status: u16,
        /// May be empty, and may be any bytes but line ends.
        reason: &'a [u8],
    },
}

/// One header line, folds included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// As it is written.
    pub name: &'a [u8],
    /// As it is written, folds inside included, without the blanks around it.
    pub value: &'a [u8],
    /// Where its name begins in the message.
    pub offset: usize,
}

impl<'a> Message<'a> {
    /// Indexes one message: a whole datagram, or what [`super::Framer`] cut out of a stream.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_MESSAGE {
            return Err(Error::TooLong);
        }
        let mut lines = Lines { bytes, at: leading_line_ends(bytes) };
        if lines.at == bytes.len() {
            return Err(Error::Empty);
        }
        let start = parse_start(bytes, lines.next_line()?)?;
        let mut headers: Vec<Entry> = Vec::new();
        loop {
            let line = lines.next_line()?;
            match line.of(bytes).first() {
                None => break,
                Some(b' ' | b'\t') => {
                    let offset = usize::from(line.start);
                    headers.last_mut().ok_or(Error::HeaderLine { offset })?.value.end = line.end;
                }
                Some(_) if headers.len() == MAX_HEADERS => return Err(Error::TooManyHeaders),
                Some(_) => headers.push(parse_header(bytes, line)?),
            }
        }
        for header in &mut headers {
            header.value = header.value.trimmed(bytes);
        }
        Ok(Self { bytes, start, headers, body: lines.at })
    }

    /// The whole message, untouched.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its first line.
    pub fn start_line(&self) -> StartLine<'a> {
        match self.start {
            Start::Request { method, uri } => {
                StartLine::Request { method: method.of(self.bytes), uri: uri.of(self.bytes) }
            }
            Start::Response { status, reason } => {
                StartLine::Response { status, reason: reason.of(self.bytes) }
            }
        }
    }

    /// Every header, in order.
    pub fn headers(&self) -> impl Iterator<Item = Header<'a>> + '_ {
        self.headers.iter().map(|entry| Header {
            name: entry.name.of(self.bytes),
            value: entry.value.of(self.bytes),
            offset: usize::from(entry.name.start),
        })
    }

    /// The headers of one name, compact form included, in order.
    pub fn named(&self, name: HeaderName) -> impl Iterator<Item = Header<'a>> + '_ {
        self.headers().filter(move |header| name.matches(header.name))
    }

    /// The body: as long as Content-Length says (what follows is not part of the message, §18.3), or all that is
    /// left where there is none.
    pub fn body(&self) -> Result<&'a [u8], Error> {
        let rest = self.bytes.get(self.body..).unwrap_or_default();
        match self.content_length()? {
            None => Ok(rest),
            Some(expected) => rest.get(..expected).ok_or(Error::BodyCutShort { expected, got: rest.len() }),
        }
    }
}

/// Blanks, and the line ends of folds (LWS, §25.1).
pub(super) fn is_lws(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// How many bytes of line ends come before the start line, where they are to be ignored (§7.5).
pub(super) fn leading_line_ends(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match bytes.get(at..) {
            Some([b'\r', b'\n', ..]) => at += 2,
            Some([b'\n', ..]) => at += 1,
            _ => return at,
        }
    }
}

/// A token, §25.1.
fn is_token(bytes: &[u8]) -> bool {
    let is_token_byte = |b: &u8| b.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(b);
    !bytes.is_empty() && bytes.iter().all(is_token_byte)
}

struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Lines<'_> {
    /// The next line, without its line end.
    fn next_line(&mut self) -> Result<Span, Error> {
        let offset = self.at;
        let rest = self.bytes.get(offset..).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(Error::NoEmptyLine)?;
        self.at = offset + length + 1;
        let line = rest[..length].strip_suffix(b"\r").unwrap_or(&rest[..length]);
        if line.contains(&b'\r') {
            return Err(Error::BareCr { offset });
        }
        Ok(Span::new(offset, offset + line.len()))
    }
}

fn parse_start(bytes: &[u8], line: Span) -> Result<Start, Error> {
    let text = line.of(bytes);
    let version = |word: &[u8]| word.eq_ignore_ascii_case(b"SIP/2.0");
    let mut words = text.splitn(3, |&byte| byte == b' ');
    let (first, second, third) = (words.next().unwrap_or_default(), words.next(), words.next());
    let second = second.ok_or(Error::StartLine)?;
    let start = usize::from(line.start);
    let after_second = start + first.len() + 1 + second.len();
    if version(first) {
        let reason = Span::new(after_second + usize::from(third.is_some()), line.end.into());
        let status = parse_status(second).ok_or(Error::StartLine)?;
        return Ok(Start::Response { status, reason: reason.trimmed(bytes) });
    }
    let well_formed = is_token(first) && !second.is_empty() && third.is_some_and(version);
    if !well_formed {
        return Err(Error::StartLine);
    }
    let method = Span::new(start, start + first.len());
    Ok(Start::Request { method, uri: Span::new(start + first.len() + 1, after_second) })
}

fn parse_status(word: &[u8]) -> Option<u16> {
    match word {
        [a @ b'1'..=b'6', b @ b'0'..=b'9', c @ b'0'..=b'9'] => {
            Some(u16::from(a - b'0') * 100 + u16::from(b - b'0') * 10 + u16::from(c - b'0'))
        }
        _ => None,
    }
}

fn parse_header(bytes: &[u8], line: Span) -> Result<Entry, Error> {
    let offset = usize::from(line.start);
    let text = line.of(bytes);
    let malformed = Error::HeaderLine { offset };
    let colon = text.iter().position(|&byte| byte == b':').ok_or(malformed)?;
    let blanks = text[..colon].iter().rev().take_while(|&&b| b == b' ' || b == b'\t').count();
    let name = Span::new(offset, offset + colon - blanks);
    if !is_token(name.of(bytes)) {
        return Err(malformed);
    }
    Ok(Entry { name, value: Span::new(offset + colon + 1, line.end.into()) })
}
