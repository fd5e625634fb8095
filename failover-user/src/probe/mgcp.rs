//! What is asked over MGCP, and what an answer is worth.

use std::net::SocketAddr;

use super::ask::{Question, Verdict, said};
use crate::{
    config::model::StatusSet,
    proto::mgcp::{AuditEndpoint, Response, messages},
};

/// An AuditEndpoint command.
pub(super) struct Mgcp {
    pub(super) server: SocketAddr,
    /// The token: thirty bits, all that MGCP has for it, and those of the socket's port.
    pub(super) transaction: u32,
    /// The codes that count.
    pub(super) alive: StatusSet,
}

impl Question for Mgcp {
    fn request(&self, _: SocketAddr) -> Vec<u8> {
        AuditEndpoint { transaction: self.transaction, domain: self.server.ip() }.to_bytes()
    }

    fn token(&self, _: SocketAddr) -> Vec<u8> {
        self.transaction.to_string().into_bytes()
    }

    fn words(&self) -> String {
        format!("AUEP {} to {}", self.transaction, self.server)
    }

    fn judge(&self, datagram: &[u8]) -> Verdict {
        let Ok(messages) = messages(datagram) else { return Verdict::NotOurs };
        let responses = messages.filter_map(|message| Response::parse(message).ok());
        // Code 000 acknowledges a response, and we have sent none.
        let mut ours = responses.filter(|found| found.transaction == self.transaction && found.code >= 100);
        let Some(Response { code, comment, .. }) = ours.next() else { return Verdict::NotOurs };
        let said = said(code, comment);
        match code {
            _ if self.alive.contains(code) => Verdict::Alive(said),
            100..=199 => Verdict::Provisional(said),
            _ => Verdict::Failed(said),
        }
    }
}
