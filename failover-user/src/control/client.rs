//! The commands' side of the control socket.
//!
//! One connection per request. Every future here may be dropped at any time: its connection goes with it; a
//! command that the daemon has already read is carried out all the same.

mod error;

use std::{
    fmt::Write as _,
    marker::PhantomData,
    path::{Path, PathBuf},
    time::Duration,
};

use http_body_util::{BodyExt as _, Collected, Full, Limited};
use hyper::{
    Method, Request, Response,
    body::{Bytes, Incoming},
    header,
};
use hyper_util::rt::TokioIo;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{net::UnixStream, task::AbortHandle, time::timeout};

pub use self::error::ClientError;
use super::message::{
    By, Event, InterfaceStatus, Observation, Observe, Problem, Reloaded, SetAdmin, Stats, Status,
    TargetDetail, TargetStatus,
};
use crate::config::model::Mode;

/// How long the daemon may take for a command.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How long it may take to probe.
pub const PROBE_PATIENCE: Duration = Duration::from_secs(15);

/// The most that an answer may hold.
const MAX_ANSWER: usize = 64 * 1024 * 1024;

/// The most that one line may hold.
const MAX_LINE: usize = 64 * 1024;

/// A daemon, by its socket.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
    patience: Duration,
    probe_patience: Duration,
}

impl Client {
    /// Connects to nothing yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), patience: PATIENCE, probe_patience: PROBE_PATIENCE }
    }

    /// The same, but it waits for `patience` only, whatever it asks.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        (self.patience, self.probe_patience) = (patience, patience);
        self
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Everything about everything.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.ask(Method::GET, "/v1/status", self.patience).await
    }

    /// One target and its last events.
    pub async fn target(&self, name: &str) -> Result<TargetDetail, ClientError> {
        self.ask(Method::GET, &format!("/v1/targets/{}", Segment(name)), self.patience).await
    }

    /// Sets a target's admin state; returns once it took effect.
    pub async fn set_admin(&self, name: &str, set: &SetAdmin) -> Result<TargetStatus, ClientError> {
        let route = format!("/v1/targets/{}/admin", Segment(name));
        self.send(Method::POST, &route, json(set), self.patience).await
    }

    /// Probes each of a target's servers once.
    pub async fn probe(&self, name: &str) -> Result<TargetDetail, ClientError> {
        self.ask(Method::POST, &format!("/v1/targets/{}/probe", Segment(name)), self.probe_patience).await
    }

    /// Every counter.
    pub async fn stats(&self, by: Option<By>) -> Result<Stats, ClientError> {
        let route = match by {
            None => "/v1/stats",
            Some(By::Interface) => "/v1/stats?by=interface",
            Some(By::Cpu) => "/v1/stats?by=cpu",
        };
        self.ask(Method::GET, route, self.patience).await
    }

    /// Attaches the data plane to an interface; no mode: as configured.
    pub async fn attach(&self, name: &str, mode: Option<Mode>) -> Result<InterfaceStatus, ClientError> {
        let mut route = format!("/v1/interfaces/{}", Segment(name));
        if let Some(mode) = mode {
            // Writing to a String cannot fail.
            let _ = write!(route, "?mode={mode}");
        }
        self.ask(Method::POST, &route, self.patience).await
    }

    /// Takes the data plane off an interface.
    pub async fn detach(&self, name: &str) -> Result<InterfaceStatus, ClientError> {
        self.ask(Method::DELETE, &format!("/v1/interfaces/{}", Segment(name)), self.patience).await
    }

    /// Makes the daemon read its configuration again.
    pub async fn reload(&self) -> Result<Reloaded, ClientError> {
        self.ask(Method::POST, "/v1/reload", self.patience).await
    }

    /// The last events (all that are remembered, without `last`) since a time of RFC 3339 in UTC; with `follow`, then every
    /// new one.
    pub async fn events(
        &self,
        follow: bool,
        last: Option<usize>,
        since: Option<&str>,
    ) -> Result<Lines<Event>, ClientError> {
        let mut route = format!("/v1/events?follow={follow}");
        if let Some(last) = last {
            let _ = write!(route, "&last={last}");
        }
        if let Some(since) = since {
            let _ = write!(route, "&since={}", Segment(since));
        }
        let patience = (!follow).then_some(self.patience);
        self.lines(Method::GET, &route, Bytes::new(), patience).await
    }

    /// Packets as they come, without end. Returns once they are shown.
    pub async fn observe(&self, wish: &Observe) -> Result<Lines<Observation>, ClientError> {
        self.lines(Method::POST, "/v1/observe", json(wish), None).await
    }

    async fn lines<T>(
        &self,
        method: Method,
        route: &str,
        body: Bytes,
        patience: Option<Duration>,
    ) -> Result<Lines<T>, ClientError> {
        let exchange = self.exchange(method, route, body);
        let (answer, connection) = self.within(self.patience, exchange).await?;
        if !answer.status().is_success() {
            return Err(self.within(self.patience, self.problem(answer)).await?);
        }
        Ok(Lines {
            client: self.clone(),
            body: answer.into_body(),
            read: Vec::new(),
            patience,
            kind: PhantomData,
            _connection: connection,
        })
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        route: &str,
        patience: Duration,
    ) -> Result<T, ClientError> {
        self.send(method, route, Bytes::new(), patience).await
    }

    async fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        route: &str,
        body: Bytes,
        patience: Duration,
    ) -> Result<T, ClientError> {
        self.within(patience, async {
            let (answer, _connection) = self.exchange(method, route, body).await?;
            if !answer.status().is_success() {
                return Err(self.problem(answer).await?);
            }
            let body = self.body(answer).await?;
            serde_json::from_slice(&body).map_err(|error| self.odd(&error))
        })
        .await
    }

    /// Until the answer's head is there.
    async fn exchange(
        &self,
        method: Method,
        route: &str,
        body: Bytes,
    ) -> Result<(Response<Incoming>, Connection), ClientError> {
        let stream = UnixStream::connect(&self.path).await;
        let stream = stream.map_err(|source| ClientError::connect(&self.path, source))?;
        let handshake = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.odd(&error))?;
        let connection = Connection(tokio::spawn(async { drop(connection.await) }).abort_handle());
        let request = Request::builder()
            .method(method)
            .uri(route)
            .header(header::HOST, "failover")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| self.odd(&error))?;
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|error| ClientError::exchange(&self.path, &error))?;
        Ok((answer, connection))
    }

    /// What an answer that is no success says.
    async fn problem(&self, answer: Response<Incoming>) -> Result<ClientError, ClientError> {
        let status = answer.status();
        let body = self.body(answer).await?;
        Ok(match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) => ClientError::Problem(problem),
            Err(_) => self.odd(&format_args!("HTTP status {status} without a word of explanation")),
        })
    }

    async fn body(&self, answer: Response<Incoming>) -> Result<Bytes, ClientError> {
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await;
        body.map(Collected::to_bytes).map_err(|error| match error.downcast_ref::<hyper::Error>() {
            Some(error) => ClientError::exchange(&self.path, error),
            None => self.odd(&error),
        })
    }

    async fn within<T>(
        &self,
        patience: Duration,
        exchange: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ClientError> {
        let late = |_| ClientError::Silent { path: self.path.clone(), patience };
        timeout(patience, exchange).await.map_err(late)?
    }

    fn odd(&self, why: &dyn std::fmt::Display) -> ClientError {
        ClientError::Odd { path: self.path.clone(), why: why.to_string() }
    }
}

/// A stream of lines: events, or observations.
#[derive(Debug)]
pub struct Lines<T> {
    client: Client,
    body: Incoming,
    /// Read, but not given out yet.
    read: Vec<u8>,
    /// For each line; none: for ever.
    patience: Option<Duration>,
    kind: PhantomData<fn() -> T>,
    _connection: Connection,
}

impl<T: DeserializeOwned> Lines<T> {
    /// The next one; none at the end. Cancel safe.
    pub async fn next(&mut self) -> Result<Option<T>, ClientError> {
        loop {
            if let Some(end) = self.read.iter().position(|&byte| byte == b'\n') {
                let line: Vec<_> = self.read.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line).map_err(|error| self.client.odd(&error))?));
            }
            if self.read.len() > MAX_LINE {
                return Err(self.client.odd(&"a line without end"));
            }
            let frame = match self.patience {
                Some(patience) => {
                    let client = self.client.clone();
                    client.within(patience, async { Ok(self.body.frame().await) }).await?
                }
                None => self.body.frame().await,
            };
            match frame {
                None => return Ok(None),
                Some(frame) => {
                    let frame = frame.map_err(|error| ClientError::exchange(&self.client.path, &error))?;
                    self.read.extend(frame.into_data().unwrap_or_default());
                }
            }
        }
    }
}

/// Ends the connection's task with whoever holds it.
#[derive(Debug)]
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn json(value: &impl Serialize) -> Bytes {
    // Our own messages are structs of text and numbers; were one not, the daemon would say so.
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}

/// Text as one segment of a path, percent-encoded (RFC 3986 §3.3).
struct Segment<'a>(&'a str);

impl std::fmt::Display for Segment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.bytes().try_for_each(|byte| match byte {
            b'.' if matches!(self.0, "." | "..") => f.write_str("%2E"),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => f.write_char(byte.into()),
            _ => write!(f, "%{byte:02X}"),
        })
    }
}
