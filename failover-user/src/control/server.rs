//! The daemon's side of the control socket: HTTP/1.1 with JSON, for local users whom the socket's mode lets in.
//!
//! Whatever arrives is hostile until parsed: heads, bodies, answers and whole connections have time limits, bodies
//! and connections have size limits, and garbage gets a 400. Nothing here decides anything: a request becomes a
//! [`Command`] for the daemon's one task, and its answer becomes JSON.
//!
//! Tasks: [`serve`] owns one task per connection and ends them all before it returns. A connection serves one
//! request. Dropping the future of [`serve`] ends them at once.

mod answer;
mod routes;
mod socket;

use std::{
    io::Write as _,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::Request};
use hyper::{
    body::Incoming,
    service::{Service as _, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{UnixListener, UnixStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

pub use self::socket::{BindError, bind};
use super::{
    journal::Journal,
    message::{
        By, InterfaceStatus, Observe, Problem, Reloaded, SetAdmin, Stats, Status, TargetDetail, TargetStatus,
    },
    metrics::Page,
    observers::Observer,
};
use crate::config::model::Mode;

/// Where a command's answer goes.
pub type Reply<T> = oneshot::Sender<Result<T, Problem>>;

/// What the daemon is asked to do. An answer that is not awaited any more may be dropped.
#[derive(Debug)]
pub enum Command {
    /// Everything about everything.
    Status {
        /// The answer.
        reply: Reply<Status>,
    },
    /// One target.
    Target {
        /// Its name.
        name: String,
        /// The answer.
        reply: Reply<TargetDetail>,
    },
    /// Set a target's admin state; the answer comes after the change took effect.
    SetAdmin {
        /// The target's name.
        name: String,
        /// The new state; [`SetAdmin::check`] has passed.
        set: SetAdmin,
        /// The answer.
        reply: Reply<TargetStatus>,
    },
    /// Probe each of a target's servers once, now.
    Probe {
        /// The target's name.
        name: String,
        /// The answer, after the probes.
        reply: Reply<TargetDetail>,
    },
    /// Every counter.
    Stats {
        /// What they are told apart by, beside targets and reasons.
        by: Option<By>,
        /// The answer.
        reply: Reply<Stats>,
    },
    /// Everything that is measured, a few targets at a time.
    Metrics {
        /// The first target, by its place in the configuration.
        first: usize,
        /// The answer.
        reply: Reply<Page>,
    },
    /// Show packets.
    Observe {
        /// Which; [`Observe::check`] has not been asked.
        wish: Observe,
        /// The answer, once they are shown.
        reply: Reply<Observer>,
    },
    /// Attach the data plane to an interface.
    Attach {
        /// The device's name.
        name: String,
        /// How; none: as configured.
        mode: Option<Mode>,
        /// The answer.
        reply: Reply<InterfaceStatus>,
    },
    /// Take the data plane off an interface.
    Detach {
        /// The device's name.
        name: String,
        /// The answer.
        reply: Reply<InterfaceStatus>,
    },
    /// Read the configuration again.
    Reload {
        /// The answer.
        reply: Reply<Reloaded>,
    },
}

/// What one connection, and all of them together, may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// Until the request's head is there.
    head: Duration,
    /// Until its body is there.
    body: Duration,
    /// Until the daemon has answered.
    answer: Duration,
    /// Until it has probed.
    probe: Duration,
    /// Until the whole exchange is over, unless it is a follower's.
    exchange: Duration,
    /// Until every connection has ended, once the server stops.
    stop: Duration,
    /// Bytes of a head.
    head_bytes: usize,
    /// Bytes of a body.
    body_bytes: usize,
    /// Connections at a time.
    connections: usize,
    /// Followers of the events among them: fewer, so that commands always get through.
    followers: usize,
}

const LIMITS: Limits = Limits {
    head: Duration::from_secs(5),
    body: Duration::from_secs(5),
    // Below the client's patience, so that the client hears the reason.
    answer: Duration::from_secs(4),
    probe: Duration::from_secs(14),
    exchange: Duration::from_secs(30),
    stop: Duration::from_secs(2),
    head_bytes: 16 * 1024,
    body_bytes: 64 * 1024,
    connections: 64,
    followers: 48,
};

/// Serves the socket until `shutdown` resolves; then lets the running exchanges finish for a moment, removes the
/// socket's file and returns. Followers get every event that was recorded before.
pub async fn serve(
    listener: UnixListener,
    commands: mpsc::Sender<Command>,
    journal: Journal,
    shutdown: impl Future<Output = ()>,
) {
    serve_within(LIMITS, listener, commands, journal, shutdown).await;
}

async fn serve_within(
    limits: Limits,
    listener: UnixListener,
    commands: mpsc::Sender<Command>,
    journal: Journal,
    shutdown: impl Future<Output = ()>,
) {
    let (stop, stopping) = watch::channel(false);
    let router = routes::router(routes::Desk::new(commands, journal, limits, stopping.clone()));
    let slots = Arc::new(Semaphore::new(limits.connections));
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => match Arc::clone(&slots).try_acquire_owned() {
                Ok(slot) => {
                    let exchange = Exchange { limits, router: router.clone(), stopping: stopping.clone() };
                    connections.spawn(exchange.run(stream, slot));
                }
                Err(_) => refuse(stream, limits.connections),
            },
            Err(error) => {
                // Out of descriptors, mostly: accepting again at once would only spin.
                tracing::warn!(%error, "cannot accept a control connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    socket::remove(&listener);
    drop(listener);
    stop.send_replace(true);
    if timeout(limits.stop, async { while connections.join_next().await.is_some() {} }).await.is_err() {
        tracing::debug!(left = connections.len(), "control connections cut short");
    }
    connections.shutdown().await;
}

/// Says why, without waiting: a fresh socket's buffer always takes this much.
fn refuse(stream: UnixStream, connections: usize) {
    let problem = Problem::new(1, format!("all {connections} control connections are in use"))
        .help("end some of the commands that follow the events, then try again");
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nconnection: close";
    let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let sent = stream.into_std().and_then(|mut stream| stream.write_all(answer.as_bytes()));
    tracing::warn!(connections, told = sent.is_ok(), "control connection refused: all are in use");
}

/// One connection: one request and its answer.
struct Exchange {
    limits: Limits,
    router: Router,
    stopping: watch::Receiver<bool>,
}

/// A request's mark on its connection: this one has no end.
#[derive(Clone, Debug, Default)]
struct Following(Arc<AtomicBool>);

impl Following {
    fn begin(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn has_begun(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Exchange {
    async fn run(mut self, stream: UnixStream, _slot: OwnedSemaphorePermit) {
        let following = Following::default();
        let routes = TowerToHyperService::new(self.router);
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(following.clone());
            routes.call(request)
        });
        let mut connection = pin!(
            hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(self.limits.head)
                .keep_alive(false)
                .max_header_size(self.limits.head_bytes)
                .max_buf_size(self.limits.body_bytes)
                .serve_connection(TokioIo::new(stream), service)
        );
        let mut deadline = pin!(sleep(self.limits.exchange));
        let (mut expired, mut stopping) = (false, false);
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "control connection ended early");
                    }
                    return;
                }
                _ = self.stopping.wait_for(|stop| *stop), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
                () = &mut deadline, if !expired => {
                    expired = true;
                    if !following.has_begun() {
                        return;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
