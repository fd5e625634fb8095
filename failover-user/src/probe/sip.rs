//! What is asked over SIP, and what an answer is worth.

use std::{net::SocketAddr, time::Duration};

use crate::{
    config::model::{Probe, Transport},
    proto::sip::{Message, Options, StartLine, Token},
};

/// Longest reason phrase that is repeated in reports. It is the server's own text and goes to terminals and logs.
const LONGEST_REASON: usize = 64;

/// One probe's question.
pub(super) struct Ask<'a> {
    pub(super) server: SocketAddr,
    pub(super) transport: Transport,
    pub(super) token: Token,
    pub(super) cseq: u32,
    pub(super) policy: &'a Probe,
    /// How long the answer is waited for, at most the policy's time-out.
    pub(super) wait: Duration,
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
    /// The request, as sent from `local`.
    pub(super) fn request(&self, local: SocketAddr) -> Vec<u8> {
        let Self { server, transport, ref token, cseq, .. } = *self;
        Options { server, local, transport, token, cseq }.to_bytes()
    }

    /// Judges one message.
    pub(super) fn judge(&self, bytes: &[u8]) -> Verdict {
        self.judge_by(&self.token, bytes)
    }

    /// Judges one message as an answer to the question that had `token`.
    pub(super) fn judge_by(&self, token: &Token, bytes: &[u8]) -> Verdict {
        let Ok(message) = Message::parse(bytes) else { return Verdict::NotOurs };
        let StartLine::Response { status, reason } = message.start_line() else { return Verdict::NotOurs };
        if !is_answered_by(token, &message) {
            return Verdict::NotOurs;
        }
        let said = said(status, reason);
        match status {
            _ if self.policy.sip_alive.contains(status) => Verdict::Alive(said),
            100..=199 => Verdict::Provisional(said),
            _ => Verdict::Failed(said),
        }
    }

    /// The question, in words.
    pub(super) fn words(&self) -> String {
        format!("OPTIONS sip:{}, CSeq {}", self.server, self.cseq)
    }

    /// What is said when time is up. `heard` is what came in meanwhile and did not decide.
    pub(super) fn no_answer(&self, heard: Option<&str>) -> String {
        let whole = Duration::from_millis(u64::try_from(self.wait.as_millis()).unwrap_or(u64::MAX));
        let timeout = humantime::format_duration(whole);
        match heard {
            Some(heard) => format!("no answer in {timeout} ({heard})"),
            None => format!("no answer in {timeout}"),
        }
    }
}

fn is_answered_by(token: &Token, message: &Message<'_>) -> bool {
    let branch = message.top_via().ok().and_then(|via| via.branch());
    branch == Some(token.branch.as_bytes())
        && message.call_id() == Ok(token.call_id.as_bytes())
        && message.body().is_ok()
}

/// `200 OK`. Whatever could move a cursor or break a line is left out.
fn said(status: u16, reason: &[u8]) -> String {
    let reason = String::from_utf8_lossy(reason);
    let clean: String =
        reason.chars().filter(|char| !char.is_control() && !is_format(*char)).take(LONGEST_REASON).collect();
    format!("{status} {clean}").trim_end().to_owned()
}

/// Characters that reorder or hide the text around them (Unicode's bidirectional controls and zero-width ones).
fn is_format(char: char) -> bool {
    matches!(char, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
