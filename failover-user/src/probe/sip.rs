//! What is asked over SIP, and what an answer is worth.

use std::net::SocketAddr;

use super::ask::{Framing, Question, Verdict, said};
use crate::{
    config::model::StatusSet,
    proto::sip::{Carrier, Framer, Message, Options, StartLine, Token},
};

/// An OPTIONS request.
pub(super) struct Sip {
    pub(super) server: SocketAddr,
    pub(super) carrier: Carrier,
    pub(super) token: Token,
    pub(super) cseq: u32,
    /// The codes that count.
    pub(super) alive: StatusSet,
}

impl Question for Sip {
    fn request(&self, local: SocketAddr) -> Vec<u8> {
        let Self { server, carrier, ref token, cseq, .. } = *self;
        Options { server, local, carrier, token, cseq }.to_bytes()
    }

    fn token(&self, _: SocketAddr) -> Vec<u8> {
        self.token.branch.to_vec()
    }

    fn words(&self) -> String {
        format!("OPTIONS sip:{}, CSeq {}", self.server, self.cseq)
    }

    fn judge(&self, bytes: &[u8]) -> Verdict {
        let Ok(message) = Message::parse(bytes) else { return Verdict::NotOurs };
        let StartLine::Response { status, reason } = message.start_line() else { return Verdict::NotOurs };
        if !self.is_answered_by(&message) {
            return Verdict::NotOurs;
        }
        let said = said(status, reason);
        match status {
            _ if self.alive.contains(status) => Verdict::Alive(said),
            100..=199 => Verdict::Provisional(said),
            _ => Verdict::Failed(said),
        }
    }

    fn framing(&self) -> Option<Box<dyn Framing>> {
        Some(Box::new(Framer::default()))
    }
}

impl Sip {
    fn is_answered_by(&self, message: &Message<'_>) -> bool {
        let branch = message.top_via().ok().and_then(|via| via.branch());
        branch == Some(&self.token.branch[..])
            && message.call_id() == Ok(&self.token.call_id[..])
            && message.body().is_ok()
    }
}

impl Framing for Framer {
    fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        Self::push(self, bytes).map_err(|error| error.to_string())
    }

    fn next_message(&mut self) -> Result<Option<Vec<u8>>, String> {
        Self::next_message(self).map_err(|error| error.to_string())
    }
}
