//! What is looked at in a SIP message: enough to tell which answer belongs to which request.

use crate::proto::sip::{Message, StartLine};

/// A request, or an answer of this status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Said {
    Request,
    Answer(u16),
}

/// What a request and its answers have in common (RFC 3261 §17.1.3, §8.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Words<'a> {
    /// Of the topmost Via: its branch and its sent-by.
    pub via: (&'a [u8], &'a [u8]),
    pub call_id: &'a [u8],
    /// Of CSeq.
    pub number: u32,
    /// Of CSeq, and of a request.
    pub method: &'a [u8],
}

impl Words<'_> {
    pub fn is_invite(&self) -> bool {
        self.method == b"INVITE"
    }
}

/// None: it is no SIP message, or one that nobody could answer.
pub(super) fn read(payload: &[u8]) -> Option<(Said, Words<'_>)> {
    let message = Message::parse(payload).ok()?;
    let (via, call_id, cseq) = (message.top_via().ok()?, message.call_id().ok()?, message.cseq().ok()?);
    let said = match message.start_line() {
        StartLine::Request { method, .. } if method == cseq.method => Said::Request,
        StartLine::Request { .. } => return None,
        StartLine::Response { status, .. } => Said::Answer(status),
    };
    let via = (via.branch().unwrap_or_default(), via.sent_by);
    Some((said, Words { via, call_id, number: cseq.number, method: cseq.method }))
}
