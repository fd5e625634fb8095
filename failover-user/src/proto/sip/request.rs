//! Requests that we send of our own accord.

use std::{fmt::Write as _, net::SocketAddr};

/// What makes one request's answer unguessable: a stranger who cannot see the request cannot forge its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// The Via branch: RFC 3261's cookie and 128 bits in hex.
    pub branch: [u8; COOKIE.len() + 32],
    /// The Call-ID: 128 bits in hex.
    pub call_id: [u8; 32],
    /// The From tag: 64 bits in hex.
    pub tag: [u8; 16],
}

/// What every branch begins with (§8.1.1.7).
const COOKIE: &[u8; 7] = b"z9hG4bK";

impl Token {
    /// Random bytes that [`Self::from_random`] wants.
    pub const RANDOM: usize = 40;

    /// A token of `random`, which has to come from a cryptographic source.
    pub fn from_random(random: &[u8; Self::RANDOM]) -> Self {
        let mut token = Self { branch: [0; COOKIE.len() + 32], call_id: [0; 32], tag: [0; 16] };
        let (cookie, branch) = token.branch.split_at_mut(COOKIE.len());
        cookie.copy_from_slice(COOKIE);
        let digits = branch.iter_mut().chain(&mut token.call_id).chain(&mut token.tag);
        let nibbles = random.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        digits.zip(nibbles).for_each(|(digit, nibble)| *digit = b"0123456789abcdef"[usize::from(nibble)]);
        token
    }
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
        let cseq = self.cseq.to_string();
        let parts: [&[u8]; _] = [
            b"OPTIONS sip:",
            server.as_bytes(),
            b" SIP/2.0\r\nVia: SIP/2.0/",
            via.as_bytes(),
            b" ",
            local.as_bytes(),
            b";rport;branch=",
            branch,
            b"\r\nMax-Forwards: 70\r\nFrom: <sip:failover@",
            local.as_bytes(),
            b">;tag=",
            tag,
            b"\r\nTo: <sip:",
            server.as_bytes(),
            b">\r\nCall-ID: ",
            call_id,
            b"\r\nCSeq: ",
            cseq.as_bytes(),
            b" OPTIONS\r\nContact: <sip:failover@",
            local.as_bytes(),
            uri.as_bytes(),
            b">\r\nAccept: application/sdp\r\nUser-Agent: failover\r\nContent-Length: 0\r\n\r\n",
        ];
        parts.concat()
    }
}

/// As a SIP URI has it: an IPv6 address in brackets, and never with a zone, which means nothing to the other side.
fn host_port(address: SocketAddr) -> String {
    let mut text = String::with_capacity(64);
    // Writing to a String does not fail.
    let _ = match address {
        SocketAddr::V4(v4) => write!(text, "{v4}"),
        SocketAddr::V6(v6) => write!(text, "[{}]:{}", v6.ip(), v6.port()),
    };
    text
}
