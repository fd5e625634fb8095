//! SIP (RFC 3261): an index over untouched bytes, and typed views of just the headers that are used.
//!
//! [`Message`] keeps the bytes as they came and an index of offsets into them, so that whoever forwards a message
//! can splice it and leave every other byte alone. Headers are looked at only when asked for.
//!
//! Lenient where deployed servers are and where it cannot change what a message means: compact and any-case
//! header names, folded lines, blanks before the colon (§7.3.1), a line that ends in a bare LF, a status line
//! without a reason, line ends before the start line. Strict elsewhere: a bare CR, a body shorter than its
//! Content-Length, two Content-Lengths that differ, a header section without its empty line are errors.
//!
//! Bounds: [`MAX_MESSAGE`] bytes, [`MAX_HEADERS`] header lines.

mod frame;
mod header;
mod message;
mod request;

pub use frame::Framer;
pub use header::{CSeq, HeaderName, Params, Via};
pub use message::{Header, Message, StartLine};
pub use request::{Carrier, Options, Token};

/// The longest message, as in a UDP datagram (RFC 3261 §18.1.1: "MUST be able to handle … up to 65,535 bytes").
pub const MAX_MESSAGE: usize = 65_535;
/// The most header lines, folds not counted.
pub const MAX_HEADERS: usize = 256;

/// Why bytes are not a SIP message, or a header is not what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing, or nothing but line ends.
    #[error("no SIP message: nothing but line ends")]
    Empty,
    /// Longer than [`MAX_MESSAGE`].
    #[error("SIP message too long: more than {MAX_MESSAGE} bytes")]
    TooLong,
    /// More than [`MAX_HEADERS`].
    #[error("SIP message with too many headers: more than {MAX_HEADERS}")]
    TooManyHeaders,
    /// The bytes end before the empty line that ends the headers.
    #[error("SIP message cut short: it ends before the empty line after its headers")]
    NoEmptyLine,
    /// The first line is neither a request line nor a status line.
    #[error("not a SIP message: its first line is neither a request line nor a status line of SIP/2.0")]
    StartLine,
    /// No colon, or a name that is no token.
    #[error("malformed SIP header at byte {offset}: expected a name and a colon")]
    HeaderLine {
        /// Where the line begins.
        offset: usize,
    },
    /// A CR that no LF follows.
    #[error("malformed SIP line at byte {offset}: it holds a CR that does not end it")]
    BareCr {
        /// Where the line begins.
        offset: usize,
    },
    /// A header that is needed is not there.
    #[error("SIP message without a {0} header")]
    Missing(&'static str),
    /// A header is there, but not as its grammar wants it.
    #[error("malformed {0} header in a SIP message")]
    Malformed(&'static str),
    /// Fewer bytes of body than Content-Length says (§18.3).
    #[error("SIP message cut short: its body has {got} of {expected} bytes")]
    BodyCutShort {
        /// What Content-Length says.
        expected: usize,
        /// What is there.
        got: usize,
    },
}

#[cfg(test)]
mod tests;
