//! What is asked over RAS, and what an answer is worth.
//!
//! The number of a request is all that an answer has to repeat, and it has 16 bits: a stranger who sends one forged
//! answer for each of them would hit in every probe. So each probe has a fresh port too, which the kernel chooses at
//! random, and a forger has to guess both within one probe's timeout. (The other fields of an answer are the
//! gatekeeper's own; GnuGk 5.15 repeats nothing else in LRJ, GRJ or GCF.)

use std::{fmt, net::SocketAddr};

use super::ask::{Question, Verdict};
use crate::{
    config::model::RasRequest,
    proto::h225::{
        Error,
        address::AliasAddress,
        ras::{
            RasMessage,
            discovery::GatekeeperRejectReason,
            location::LocationRejectReason,
            question::{gatekeeper_request, location_request},
        },
    },
};

/// Where GnuGk answers anybody: it knows the alias as its neighbours' probe, looks nothing up, and rejects it.
const MONITORING: &str = "gatekeeper-monitoring-check";
/// Who asks.
const SELF: &str = "failover";

/// An LRQ or a GRQ.
pub(super) struct Ras {
    /// Which of them.
    pub(super) request: RasRequest,
    /// The token, together with the socket's port; not 0.
    pub(super) number: u16,
}

impl Ras {
    fn encoded(&self, local: SocketAddr) -> Result<Vec<u8>, Error> {
        let asks = AliasAddress::from_text(SELF)?;
        match self.request {
            RasRequest::Lrq => {
                location_request(self.number, AliasAddress::from_text(MONITORING)?, asks, local)
            }
            RasRequest::Grq => gatekeeper_request(self.number, asks, local),
        }
    }
}

impl Question for Ras {
    fn request(&self, local: SocketAddr) -> Vec<u8> {
        // Nothing in it is beyond what its type allows; an empty datagram would be a probe that fails.
        self.encoded(local).unwrap_or_default()
    }

    /// All of it: the number alone is too short to be told from what happens to look like it.
    fn token(&self, local: SocketAddr) -> Vec<u8> {
        self.request(local)
    }

    fn words(&self) -> String {
        format!("{}, requestSeqNum {}", self.request.name().to_uppercase(), self.number)
    }

    fn judge(&self, datagram: &[u8]) -> Verdict {
        let Ok(message) = RasMessage::decode(datagram) else { return Verdict::NotOurs };
        if message.request_seq_num() != Some(self.number) {
            return Verdict::NotOurs;
        }
        let name = message.name();
        match (self.request, message) {
            // Whoever needs more time, or does not know the question, is there.
            (_, RasMessage::RequestInProgress(_) | RasMessage::UnknownMessageResponse(_))
            | (RasRequest::Lrq, RasMessage::LocationConfirm(_))
            | (RasRequest::Grq, RasMessage::GatekeeperConfirm(_)) => Verdict::Alive(name.to_owned()),
            (RasRequest::Lrq, RasMessage::LocationReject(reject)) => {
                let wants_none = reject.reject_reason == LocationRejectReason::ResourceUnavailable;
                rejected(name, wants_none, &reject.reject_reason)
            }
            (RasRequest::Grq, RasMessage::GatekeeperReject(reject)) => {
                let wants_none = reject.reject_reason == GatekeeperRejectReason::ResourceUnavailable;
                rejected(name, wants_none, &reject.reject_reason)
            }
            _ => Verdict::NotOurs,
        }
    }

    fn has_fresh_port(&self) -> bool {
        true
    }
}

/// Any reject is life; but who is in maintenance says `resourceUnavailable`, and means that calls should go elsewhere.
fn rejected(name: &str, wants_none: bool, reason: &impl fmt::Debug) -> Verdict {
    let said = format!("{name} {}", word(reason));
    if wants_none { Verdict::Failed(format!("{said}: alive, wants no calls")) } else { Verdict::Alive(said) }
}

/// A reason as H.225.0 writes it: `undefinedReason`.
fn word(reason: &impl fmt::Debug) -> String {
    let written = format!("{reason:?}");
    let name = written.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}
