//! What is asked over RAS, and what an answer is worth.
//!
//! The number of a request is all that an answer has to repeat, and it has 16 bits: a stranger who sends one forged
//! answer for each of them would hit in every probe. So each probe has a fresh port too, which the kernel chooses at
//! random, and a forger has to guess both within one probe's timeout. (The other fields of an answer are the
//! gatekeeper's own; GnuGk 5.15 repeats nothing else in LRJ, GRJ or GCF.)
//!
//! An answer is known by its first octets ([`Head`]): what a forger sends costs no more than a look at them, and a
//! gatekeeper that says more than H.225.0 v7 has words for is alive.

use std::{fmt, net::SocketAddr};

use super::ask::{Question, Verdict};
use crate::{
    config::model::{RasAlive, RasRequest},
    proto::h225::{
        Error,
        address::AliasAddress,
        ras::{
            RasMessage,
            head::{Head, Kind, decode_first},
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
    /// The answers that count.
    pub(super) alive: RasAlive,
}

impl Ras {
    /// Whoever needs more time, or does not know the question, is there.
    fn is_answered_by(&self, head: Head) -> bool {
        let fits = match head.kind {
            Kind::RequestInProgress | Kind::UnknownMessageResponse => true,
            Kind::LocationConfirm | Kind::LocationReject => self.request == RasRequest::Lrq,
            Kind::GatekeeperConfirm | Kind::GatekeeperReject => self.request == RasRequest::Grq,
        };
        fits && head.number == self.number
    }

    /// What is no reject, or one whose reason is not known.
    fn counted(&self, kind: Kind, said: String) -> Verdict {
        let counts = match kind {
            Kind::LocationConfirm | Kind::GatekeeperConfirm => self.alive.confirms(),
            Kind::LocationReject | Kind::GatekeeperReject => self.alive.rejects(""),
            Kind::RequestInProgress | Kind::UnknownMessageResponse => true,
        };
        if counts { Verdict::Alive(said) } else { Verdict::Failed(said) }
    }

    /// Any reject is life; but who is in maintenance says `resourceUnavailable`, and means that calls should go elsewhere.
    fn rejected(&self, name: &str, reason: &impl fmt::Debug) -> Verdict {
        let reason = word(reason);
        let said = format!("{name} {reason}");
        match self.alive.rejects(&reason) {
            true => Verdict::Alive(said),
            false if RasAlive::wants_none(&reason) => {
                Verdict::Failed(format!("{said}: alive, wants no calls"))
            }
            false => Verdict::Failed(said),
        }
    }

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
        let Some(head) = Head::of(datagram).filter(|head| self.is_answered_by(*head)) else {
            return Verdict::NotOurs;
        };
        let Ok(message) = decode_first(datagram) else { return Verdict::NotOurs };
        let name = head.kind.name();
        match message {
            Some(RasMessage::LocationReject(reject)) => self.rejected(name, &reject.reject_reason),
            Some(RasMessage::GatekeeperReject(reject)) => self.rejected(name, &reject.reject_reason),
            Some(_) => self.counted(head.kind, name.to_owned()),
            None => self.counted(head.kind, format!("{name}, which holds something unknown")),
        }
    }

    fn has_fresh_port(&self) -> bool {
        true
    }
}

/// A reason as H.225.0 writes it: `undefinedReason`.
fn word(reason: &impl fmt::Debug) -> String {
    let written = format!("{reason:?}");
    let name = written.split(|char: char| !char.is_alphanumeric()).next().unwrap_or_default();
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| first.to_ascii_lowercase().to_string() + chars.as_str())
}
