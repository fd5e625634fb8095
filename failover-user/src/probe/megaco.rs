//! What is asked over MEGACO, and what an answer is worth.

use std::net::SocketAddr;

use super::ask::{Framing, Question, Verdict, said};
use crate::{
    config::model::{StatusSet, Transport},
    proto::{
        megaco::{Answer, AuditRoot, answer},
        tpkt,
    },
};

/// An AuditValue of ROOT.
pub(super) struct Megaco {
    pub(super) transport: Transport,
    /// The token: 32 bits, and those of the socket's port or the connection's numbers.
    pub(super) transaction: u32,
    /// The errors that count. A reply without one does always.
    pub(super) alive: StatusSet,
}

impl Question for Megaco {
    fn request(&self, local: SocketAddr) -> Vec<u8> {
        let message = AuditRoot { transaction: self.transaction, local }.to_bytes();
        match self.transport {
            Transport::Udp => message,
            // A hundred bytes fit into a packet.
            Transport::Tcp => tpkt::packet(&message).unwrap_or(message),
        }
    }

    fn token(&self, _: SocketAddr) -> Vec<u8> {
        self.transaction.to_string().into_bytes()
    }

    fn words(&self) -> String {
        format!("AuditValue of ROOT, transaction {}", self.transaction)
    }

    fn judge(&self, message: &[u8]) -> Verdict {
        match answer(message, self.transaction) {
            Ok(Some(Answer::Pending)) => Verdict::Alive("Pending".to_owned()),
            Ok(Some(Answer::Done)) => Verdict::Alive("Reply".to_owned()),
            Ok(Some(Answer::Refused { code, text })) => {
                let said = said(format!("error {code}"), text);
                if self.alive.contains(code) { Verdict::Alive(said) } else { Verdict::Failed(said) }
            }
            Ok(None) | Err(_) => Verdict::NotOurs,
        }
    }

    fn framing(&self) -> Option<Box<dyn Framing>> {
        Some(Box::new(tpkt::Framer::default()))
    }
}

impl Framing for tpkt::Framer {
    fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        Self::push(self, bytes).map_err(|error| error.to_string())
    }

    fn next_message(&mut self) -> Result<Option<Vec<u8>>, String> {
        Self::next_message(self).map_err(|error| error.to_string())
    }
}
