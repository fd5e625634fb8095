//! The daemon: builds every part and owns the tasks. What the parts do with each other is in `core`.
//!
//! Tasks:
//! - `core`: owns the data plane, the director's decisions and the operator's orders; the only writer of a map
//! - one prober for each probed service (`fleet`)
//! - the control server
//! - the watch on the network devices
//!
//! A graceful stop ends the probers and the server and leaves programs, links and maps as they are: the kernel keeps
//! the last decisions, and the next daemon adopts them. So does a death of any other kind.

mod core;
mod discovery;
mod fleet;
mod kernel_events;
mod lived;
mod observe;
mod reload;
mod remembered;
mod sighting;
mod start;
mod status;
mod suspicion;
mod targets;
mod transcript;

use std::path::PathBuf;

use tokio::{
    signal::unix::{SignalKind, signal},
    sync::{mpsc, oneshot},
};

use self::{core::Core, start::Started};
use crate::control::{journal::Journal, server};

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
    let (commands, queue) = mpsc::channel(COMMANDS);
    let mut core = Core::new(options.config, started, journal.clone(), commands.clone())?;
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
    core.end(options.detach_on_exit)
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
