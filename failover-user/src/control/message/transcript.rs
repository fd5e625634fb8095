//! Probes as a conversation.

use serde::{Deserialize, Serialize};

/// What one probed service of one server was asked lately.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// `sip/udp`, `sip/tcp:5080`.
    pub service: String,
    /// `primary`, or the backup's name.
    pub server: String,
    /// Where it is asked: `192.0.2.10:5060`, `[2001:db8::10]:5060`.
    pub address: String,
    /// The last ones, oldest first; at most 16.
    pub exchanges: Vec<Exchange>,
}

/// One probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// When its outcome was known, RFC 3339.
    pub time: String,
    /// What was sent: `OPTIONS sip:192.0.2.10:5060, CSeq 7`.
    pub sent: String,
    /// What came back, or that nothing did: `200 OK`, `no answer in 20ms`.
    pub received: String,
    /// What that is worth.
    pub outcome: Exchanged,
    /// The round trip in microseconds; null: there was none.
    pub rtt_us: Option<u64>,
}

/// What an exchange is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Exchanged {
    /// Life.
    Alive,
    /// No answer.
    Silent,
    /// A clear no.
    Refused,
    /// It could not be sent, which says nothing about the server.
    Unable,
}
