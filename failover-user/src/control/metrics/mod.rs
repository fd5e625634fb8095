//! Metrics over HTTP, for Prometheus: `GET /metrics` on an address of the operator's choice; and a page for people, `GET /`.
//!
//! Whoever can reach that address is a stranger: connections, heads and whole exchanges are bounded, nothing is read but a
//! request's head, and the daemon is asked once a second at most, however many ask here. What is asked for in one go is a
//! [`Page`] of few targets, so that a large fleet does not keep the daemon from its work.

mod page;
mod snapshot;
mod text;

use std::{convert::Infallible, sync::Arc, time::Duration};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Semaphore, mpsc, oneshot},
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};

pub use self::snapshot::{
    Aftermath, BOUNDS, Flow, Histogram, Packets, Page, RouterPage, ServerPage, TargetPage, Turn,
};
use super::server::{Command, Reply};

/// The media type of OpenMetrics text.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Connections at a time.
const CONNECTIONS: usize = 16;
/// Until a request's head is there.
const HEAD: Duration = Duration::from_secs(5);
/// Until the whole exchange is over.
const EXCHANGE: Duration = Duration::from_secs(30);
/// Until the daemon has answered for one page.
const ANSWER: Duration = Duration::from_secs(4);
/// The least time between two looks.
const FRESH: Duration = Duration::from_secs(1);
/// How long nothing is accepted after accepting failed.
const BREATH: Duration = Duration::from_millis(100);

/// Serves `listener` until its future is dropped.
pub async fn serve(listener: TcpListener, commands: mpsc::Sender<Command>) {
    let desk = Arc::new(Desk::new(commands));
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = Arc::clone(&desk);
                connections.spawn(async move {
                    let _ = timeout(EXCHANGE, exchange(stream, desk)).await;
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection for metrics was not accepted");
                sleep(BREATH).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

/// Where the daemon is asked, and what it said last.
struct Desk {
    commands: mpsc::Sender<Command>,
    metrics: Mutex<Looked>,
    page: Mutex<Looked>,
}

/// A text, and when it was made.
type Looked = Option<(Instant, Bytes)>;

async fn exchange(stream: TcpStream, desk: Arc<Desk>) {
    let service = service_fn(|request: Request<Incoming>| {
        let desk = Arc::clone(&desk);
        async move { Ok::<_, Infallible>(desk.answer(&request).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection for metrics ended early");
    }
}

impl Desk {
    fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands, metrics: Mutex::new(None), page: Mutex::new(None) }
    }

    async fn answer<B>(&self, request: &Request<B>) -> Response<Full<Bytes>> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return said(StatusCode::METHOD_NOT_ALLOWED, "only GET is possible here\n");
        }
        match request.uri().path() {
            "/metrics" => match self.metrics().await {
                Some(text) => response(StatusCode::OK, OPENMETRICS, text),
                None => busy(),
            },
            "/" => self.page().await.map_or_else(busy, |text| {
                let mut response = response(StatusCode::OK, page::HTML, text);
                let policy = header::HeaderValue::from_static(page::POLICY);
                response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
                response
            }),
            _ => said(StatusCode::NOT_FOUND, "there is a page at / and the metrics are at /metrics\n"),
        }
    }

    /// The text, a second old at most.
    async fn metrics(&self) -> Option<Bytes> {
        let mut last = self.metrics.lock().await;
        if let Some((_, text)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Some(text.clone());
        }
        let mut targets = Vec::new();
        let router = loop {
            let first = targets.len();
            let page = self.ask(|reply| Command::Metrics { first, reply }).await?;
            let done = page.targets.is_empty();
            targets.extend(page.targets);
            if done {
                break page.router;
            }
        };
        // Of thousands of targets it is megabytes: probes do not wait for it.
        let text = spawn_blocking(|| text::encode(router, targets)).await.ok()?.ok()?;
        let text = Bytes::from(text);
        *last = Some((Instant::now(), text.clone()));
        Some(text)
    }

    /// The page, a second old at most.
    async fn page(&self) -> Option<Bytes> {
        let mut last = self.page.lock().await;
        if let Some((_, text)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Some(text.clone());
        }
        let status = self.ask(|reply| Command::Status { reply }).await?;
        let text = spawn_blocking(move || page::render(&status)).await.ok()?;
        let text = Bytes::from(text);
        *last = Some((Instant::now(), text.clone()));
        Some(text)
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.commands.send(command(reply)).await.ok()?;
            answer.await.ok()?.ok()
        };
        timeout(ANSWER, exchange).await.ok()?
    }
}

fn busy() -> Response<Full<Bytes>> {
    said(StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping, or overloaded\n")
}

fn said(status: StatusCode, words: &'static str) -> Response<Full<Bytes>> {
    response(status, "text/plain; charset=utf-8", Bytes::from_static(words.as_bytes()))
}

fn response(status: StatusCode, media: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(media));
    response
}

#[cfg(test)]
mod openmetrics;
#[cfg(test)]
mod tests;
