//! A SIP phone over TCP (RFC 3261 §18) that keeps one connection, and tells a reset from silence.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use socket2::{Domain, Socket, Type};

use crate::{netns::Namespace, sip};

/// A connected phone.
#[derive(Debug)]
pub struct TcpClient {
    stream: TcpStream,
    to: SocketAddr,
    number: u32,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The response.
    Answered(String),
    /// RST: the server does not know the connection.
    Reset,
    /// FIN without a response.
    Closed,
    /// Nothing within the limit.
    Silent,
}

impl TcpClient {
    /// Connects from `from` in `host`.
    pub fn connect(
        host: &Namespace,
        from: impl Into<IpAddr>,
        to: impl Into<SocketAddr>,
        limit: Duration,
    ) -> Result<Self> {
        let (from, to) = (from.into(), to.into());
        let stream = host.enter(|| {
            let socket =
                Socket::new(Domain::for_address(to), Type::STREAM, None).context("open a TCP socket")?;
            socket.bind(&SocketAddr::new(from, 0).into()).with_context(|| format!("bind {from}"))?;
            socket.connect_timeout(&to.into(), limit).with_context(|| format!("connect to {to}"))?;
            Ok(TcpStream::from(socket))
        })?;
        stream.set_nodelay(true).context("set TCP_NODELAY")?;
        Ok(Self { stream, to, number: 0 })
    }

    /// The `Server` header of the answer that one more OPTIONS gets.
    pub fn server(&mut self, limit: Duration) -> Result<String> {
        match self.options(limit)? {
            Outcome::Answered(answer) => Ok(sip::header(&answer, "Server").unwrap_or_default().to_owned()),
            other => bail!("no answer but {other:?}"),
        }
    }

    /// Sends one OPTIONS, and waits for what comes.
    pub fn options(&mut self, limit: Duration) -> Result<Outcome> {
        self.number += 1;
        let request = sip::options_request("TCP", self.stream.local_addr()?, self.to, self.number);
        self.exchange(&request, limit)
    }

    /// Who answers an OPTIONS whose Call-ID alone has `length` bytes, and comes back whole.
    pub fn large(&mut self, length: usize, limit: Duration) -> Result<String> {
        self.number += 1;
        let call_id = "y".repeat(length);
        let request = sip::options_request("TCP", self.stream.local_addr()?, self.to, self.number)
            .replace("Call-ID: lab-", &format!("Call-ID: {call_id}-"));
        match self.exchange(&request, limit)? {
            Outcome::Answered(answer)
                if sip::header(&answer, "Call-ID").is_some_and(|value| value.starts_with(&call_id)) =>
            {
                Ok(sip::header(&answer, "Server").unwrap_or_default().to_owned())
            }
            other => bail!("no whole answer but {other:?}"),
        }
    }

    /// Says nothing, and waits for the connection's end.
    pub fn wait(&mut self, limit: Duration) -> Result<Outcome> {
        self.stream.set_read_timeout(Some(limit)).context("set a time-out")?;
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(Outcome::Closed),
            Ok(length) => Ok(Outcome::Answered(String::from_utf8_lossy(&buffer[..length]).into_owned())),
            Err(error) => ended(error.kind()).with_context(|| format!("receive: {error}")),
        }
    }

    fn exchange(&mut self, request: &str, limit: Duration) -> Result<Outcome> {
        let end = Instant::now() + limit;
        if let Err(error) = self.stream.write_all(request.as_bytes()) {
            return ended(error.kind()).with_context(|| format!("send: {error}"));
        }
        let mut text = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            self.stream.set_read_timeout(Some(left)).context("set a time-out")?;
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(Outcome::Closed),
                Ok(length) => text.extend_from_slice(&buffer[..length]),
                Err(error) => return ended(error.kind()).with_context(|| format!("receive: {error}")),
            }
            let response = String::from_utf8_lossy(&text);
            if response.ends_with("\r\n\r\n") && sip::sequence(&response) == Some(self.number) {
                return Ok(Outcome::Answered(response.into_owned()));
            }
        }
    }
}

fn ended(kind: ErrorKind) -> Option<Outcome> {
    match kind {
        // A write after the reset was received says EPIPE.
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Some(Outcome::Reset),
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Some(Outcome::Silent),
        _ => None,
    }
}
