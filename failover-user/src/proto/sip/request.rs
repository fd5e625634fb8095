//! Requests that we send of our own accord.

use std::{fmt::Write as _, net::SocketAddr};

/// What makes one request's answer unguessable: a stranger who cannot see the request cannot forge its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The Via branch: RFC 3261's cookie and 128 bits in hex.
    pub branch: String,
    /// The Call-ID: 128 bits in hex.
    pub call_id: String,
    /// The From tag: 64 bits in hex.
    pub tag: String,
}

impl Token {
    /// Random bytes that [`Self::from_random`] wants.
    pub const RANDOM: usize = 40;

    /// A token of `random`, which has to come from a cryptographic source.
    pub fn from_random(random: &[u8; Self::RANDOM]) -> Self {
        Self {
            branch: hex("z9hG4bK", &random[..16]),
            call_id: hex("", &random[16..32]),
            tag: hex("", &random[32..]),
        }
    }
}

fn hex(prefix: &str, bytes: &[u8]) -> String {
    let mut text = prefix.to_owned();
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// What carries a message, as a Via header names it (§20.42).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// RFC 768.
    Udp,
    /// RFC 9293.
    Tcp,
    /// RFC 8446 over TCP.
    Tls,
}

/// An OPTIONS request that asks whether a server is alive, RFC 3261 §11.1.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Whom it asks.
    pub server: SocketAddr,
    /// Where it is sent from.
    pub local: SocketAddr,
    /// Over what.
    pub carrier: Carrier,
    /// What its answer has to repeat.
    pub token: &'a Token,
    /// CSeq number; below 2³¹.
    pub cseq: u32,
}

impl Options<'_> {
    /// The request. The Request-URI has no user part: it asks the server itself, not one of its users. `rport`
    /// (RFC 3581) has the answer come back to the very port it is sent from, past a NAT too. Max-Forwards is the
    /// usual 70: with 0 a proxy would answer 483 without looking at the request any further.
    pub fn to_bytes(&self) -> Vec<u8> {
        let (via, uri) = match self.carrier {
            Carrier::Udp => ("UDP", ""),
            Carrier::Tcp => ("TCP", ";transport=tcp"),
            Carrier::Tls => ("TLS", ";transport=tls"),
        };
        let (server, local) = (host_port(self.server), host_port(self.local));
        let Token { branch, call_id, tag } = self.token;
        let cseq = self.cseq;
        format!(
            "OPTIONS sip:{server} SIP/2.0\r\n\
             Via: SIP/2.0/{via} {local};rport;branch={branch}\r\n\
             Max-Forwards: 70\r\n\
             From: <sip:failover@{local}>;tag={tag}\r\n\
             To: <sip:{server}>\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: {cseq} OPTIONS\r\n\
             Contact: <sip:failover@{local}{uri}>\r\n\
             Accept: application/sdp\r\n\
             User-Agent: failover\r\n\
             Content-Length: 0\r\n\
             \r\n"
        )
        .into_bytes()
    }
}

/// As a SIP URI has it: an IPv6 address in brackets, and never with a zone, which means nothing to the other side.
fn host_port(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(v4) => v4.to_string(),
        SocketAddr::V6(v6) => format!("[{}]:{}", v6.ip(), v6.port()),
    }
}
