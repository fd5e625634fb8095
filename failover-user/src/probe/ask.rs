//! One probe's question, in whatever protocol: what the transports need to know of it.

use std::{fmt::Write as _, net::SocketAddr, sync::Arc, time::Duration};

use crate::config::model::Transport;

/// Longest piece of a server's own text that is repeated in reports: it goes to terminals and logs.
const LONGEST_TEXT: usize = 64;

/// One probe's question, and to whom.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    pub(super) server: SocketAddr,
    pub(super) transport: Transport,
    /// How long the answer is waited for, from the first packet on; at most `timeout`.
    pub(super) wait: Duration,
    /// After how much of that it is sent once more, over UDP.
    pub(super) repeat: Option<Duration>,
    /// The policy's time-out, within which a late answer counts as well.
    pub(super) timeout: Duration,
    pub(super) question: &'a Arc<dyn Question>,
}

/// A protocol's question, with a token that its answer has to repeat.
pub(super) trait Question: Send + Sync {
    /// The request, as sent from `local`; over TCP with whatever frames it.
    fn request(&self, local: SocketAddr) -> Vec<u8>;

    /// What nobody off the path can know of the request, as it stands in what was sent from `local`.
    fn token(&self, local: SocketAddr) -> Vec<u8>;

    /// The question, in words: `OPTIONS sip:192.0.2.10:5060, CSeq 7`.
    fn words(&self) -> String;

    /// Judges one message. Over UDP: one datagram, which may hold several.
    fn judge(&self, message: &[u8]) -> Verdict;

    /// Whether each question is asked from another port, as a part of what nobody can guess.
    fn has_fresh_port(&self) -> bool {
        false
    }

    /// What cuts a TCP stream into messages; none where the protocol is not spoken over TCP.
    fn framing(&self) -> Option<Box<dyn Framing>> {
        None
    }
}

/// Cuts a stream into messages. After an error the stream cannot be trusted any more.
pub(super) trait Framing: Send {
    /// Takes in bytes as they were read; [`Self::next_message`] has to be drained before more are pushed.
    fn push(&mut self, bytes: &[u8]) -> Result<(), String>;

    /// The next whole message, if it is there.
    fn next_message(&mut self) -> Result<Option<Vec<u8>>, String>;
}

/// What one message is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The answer, and a code that counts as alive.
    Alive(String),
    /// The answer, and final, and a code that does not count.
    Failed(String),
    /// The answer, but a provisional one that does not count: the final one is still to come.
    Provisional(String),
    /// Not an answer to this question. Forged, late, or garbage.
    NotOurs,
}

impl Ask<'_> {
    /// What is said when time is up. `heard` is what came in meanwhile and did not decide.
    pub(super) fn no_answer(&self, heard: Option<&str>) -> String {
        said_nothing("answer", self.wait, heard)
    }
}

/// `no answer in 300ms (connected)`.
pub(super) fn said_nothing(what: &str, timeout: Duration, heard: Option<&str>) -> String {
    let whole = Duration::from_millis(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
    let timeout = humantime::format_duration(whole);
    match heard {
        Some(heard) => format!("no {what} in {timeout} ({heard})"),
        None => format!("no {what} in {timeout}"),
    }
}

/// A code and the server's own words for it: `200 OK`.
pub(super) fn said(code: impl std::fmt::Display, text: &[u8]) -> String {
    let mut said = String::with_capacity(LONGEST_TEXT);
    // Writing to a String does not fail.
    let _ = write!(said, "{code} ");
    said.extend(cleaned(&String::from_utf8_lossy(text)).take(LONGEST_TEXT));
    said.truncate(said.trim_end().len());
    said
}

/// A server's text, as far as it is fit for a line. Whatever could move a cursor or break a line is left out.
pub(super) fn clean(text: &[u8]) -> String {
    clean_within(LONGEST_TEXT, text)
}

/// The same, of another length.
pub(super) fn clean_within(longest: usize, text: &[u8]) -> String {
    cleaned(&String::from_utf8_lossy(text)).take(longest).collect()
}

fn cleaned(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|char| !char.is_control() && !is_format(*char))
}

/// Characters that reorder or hide the text around them (Unicode's bidirectional controls and zero-width ones).
fn is_format(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
