//! The daemon: builds every part and owns the tasks. What the parts do with each other is in `core`.
//!
//! Tasks:
//! - `core`: owns the data plane, the director's decisions and the operator's orders; the only writer of a map
//! - one prober for each probed service (`fleet`)
//! - the control server
//! - a thread that watches what primaries are asked and say, and sees to what a switch leaves behind (`aftermath`)
//! - the server of the metrics, and the runner of the hook, which have no say in anything
//! - the watch on the network devices
//!
//! Tasks share one thread, which therefore waits for nobody: what reads whole tables, or writes megabytes, is a thread's of its own.
//!
//! A graceful stop ends the probers and the server and leaves programs, links and maps as they are: the kernel keeps
//! the last decisions, and the next daemon adopts them. So does a death of any other kind.

mod aftermath;
mod comparison;
mod core;
mod discovery;
mod fleet;
mod hook;
mod kernel_events;
mod lived;
mod metrics;
mod observe;
mod reload;
mod remembered;
mod sighting;
mod start;
mod status;
mod suspicion;
mod tally;
mod targets;
mod transcript;

use std::{net::SocketAddr, path::PathBuf};

use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
};

use self::{core::Core, start::Started};
use crate::control::{
    journal::{Draft, Journal},
    metrics as scrapes, server,
};

/// How `failover run` was called.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration.
    pub config: PathBuf,
    /// Take the data plane away at the end.
    pub detach_on_exit: bool,
}

/// Commands that wait for the core.
const COMMANDS: usize = 64;

/// Runs the daemon until a signal ends it.
pub async fn run(options: Options) -> anyhow::Result<()> {
    raise_descriptors();
    let journal = Journal::new();
    let started = Started::up(&options.config, &journal).await?;
    let socket = started.config().router.control_socket.clone();
    let listener = match server::bind(&socket) {
        Ok(listener) => listener,
        Err(error) => return Err(started.undo(error.into())),
    };
    let (hook, hooks) = watch::channel(started.config().router.hook.clone());
    let metrics = started.config().router.http_listen;
    let (commands, queue) = mpsc::channel(COMMANDS);
    let mut core = Core::new(options.config, started, journal.clone(), commands.clone(), hook)?;
    let others = start_others(hooks, metrics, &journal, commands.clone()).await;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(server::serve(listener, commands, journal, async {
        // The sender is dropped or used: both mean stop.
        let _ = stopped.await;
    }));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!(socket = %socket.display(), "ready");
    core.work(queue, &mut hang_up, async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    })
    .await;
    notify(&[sd_notify::NotifyState::Stopping]);
    let _ = stop.send(());
    // The server ends its followers and removes its socket; that is bounded in time.
    if let Err(error) = server.await {
        tracing::error!(%error, "the control server died");
    }
    drop(others);
    core.end(options.detach_on_exit)
}

/// What has no say in anything: the hook's runner, and the metrics.
async fn start_others(
    hooks: watch::Receiver<Option<PathBuf>>,
    metrics: Option<SocketAddr>,
    journal: &Journal,
    commands: mpsc::Sender<server::Command>,
) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(hook::serve(journal.clone(), hooks));
    if let Some(address) = metrics {
        serve_metrics(address, journal, commands, &mut tasks).await;
    }
    tasks
}

/// Serves the metrics. Phones come first: where the address is somebody else's, the daemon runs without them, and says so.
async fn serve_metrics(
    address: SocketAddr,
    journal: &Journal,
    commands: mpsc::Sender<server::Command>,
    tasks: &mut JoinSet<()>,
) {
    match TcpListener::bind(address).await {
        Ok(listener) => drop(tasks.spawn(scrapes::serve(listener, commands))),
        Err(error) => {
            let reason = format!(
                "no metrics: http_listen {address} cannot be listened on: {error}; restart the daemon when it is free"
            );
            tracing::warn!("{reason}");
            journal.record(Draft { kind: "warning".into(), reason: Some(reason), ..Draft::default() });
        }
    }
}

/// Every prober holds sockets: as many descriptors as this process may have. With too few of them living servers
/// would not be probed, and look dead.
fn raise_descriptors() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, "the limit of open descriptors stays where it is");
    }
}

/// Tells systemd; without it there is nobody to tell.
fn notify(state: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the service manager could not be told");
    }
}
