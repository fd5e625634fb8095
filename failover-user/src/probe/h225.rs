//! What is asked over H.225.0 call signalling, and what an answer is worth.
//!
//! A Status Enquiry about a call that nobody knows is answered by whatever speaks Q.931: with Status, or, as GnuGk
//! does, with ReleaseComplete. Nothing is set up by it.
//!
//! GnuGk 5.15 answers with call reference 0 instead of the one that it was asked about, so that counts too. It is
//! the connection that nobody else can speak on: its sequence numbers are the token.

use std::net::SocketAddr;

use super::ask::{Framing, Question, Verdict};
use crate::proto::{
    h225::q931::{Kind, Message, status_enquiry},
    tpkt,
};

/// The highest call reference: it has 15 bits.
pub(super) const MOST_CALLS: u32 = 0x7fff;

/// A Status Enquiry.
pub(super) struct H225 {
    /// The call that is asked about; from 1 to 2¹⁵ − 1.
    pub(super) call: u16,
}

impl Question for H225 {
    fn request(&self, _: SocketAddr) -> Vec<u8> {
        // It has some twenty octets; an empty request would be a probe that fails.
        let enquiry = status_enquiry(self.call).unwrap_or_default();
        tpkt::packet(&enquiry).unwrap_or_default()
    }

    /// Asked over TCP alone, where the kernel knows the quotes of its own connections.
    fn token(&self, _: SocketAddr) -> Vec<u8> {
        self.call.to_be_bytes().to_vec()
    }

    fn words(&self) -> String {
        format!("Status Enquiry, call reference {}", self.call)
    }

    fn judge(&self, octets: &[u8]) -> Verdict {
        let Ok(message) = Message::parse(octets) else { return Verdict::NotOurs };
        let answers = matches!(message.kind, Kind::RELEASE_COMPLETE | Kind::STATUS);
        if !answers || ![0, self.call].contains(&message.call.value) {
            return Verdict::NotOurs;
        }
        let name = message.kind.name().unwrap_or_default();
        Verdict::Alive(match message.cause() {
            Some(cause) => format!("{name}, cause {cause}"),
            None => name.to_owned(),
        })
    }

    fn framing(&self) -> Option<Box<dyn Framing>> {
        Some(Box::new(tpkt::Framer::default()))
    }
}
