//! The operator's hook: a program that is run on every transition and every order, with what happened in its environment.
//!
//! Two tasks: one reads the events and puts those that are told into a bounded queue, without ever waiting; the other one runs
//! the hook for each of them, one at a time.
//!
//! Invariants:
//! - Nothing that a hook does holds anything else up. One that takes too long, or writes too much, is killed with its whole
//!   process group; events that do not fit into the queue are dropped, and counted.
//! - Whatever goes wrong is an event of kind `warning`, which no hook is told of: a hook that fails cannot feed itself.
//! - It is given no descriptor but three, and no environment but `PATH` and `FAILOVER_…`.
//!
//! Cancel safety: dropping the future of [`serve`] kills a hook that runs.

mod run;

use std::{path::PathBuf, time::Duration};

use tokio::sync::{mpsc, watch};

use crate::control::{
    journal::{Draft, Journal},
    message::Event,
};

/// The events that are told: transitions, orders, and what an operator, or a device, did to an interface.
const TOLD: &[&str] = &["health", "serving", "draining", "drained", "admin", "interface", "reloaded"];

/// What a hook may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// For one run.
    time: Duration,
    /// Bytes of standard output and standard error together, for one run.
    output: usize,
    /// Events that wait.
    queue: usize,
}

const LIMITS: Limits = Limits { time: Duration::from_secs(10), output: 16 * 1024, queue: 256 };

/// Runs `hook`, where there is one, on every event that is told, from now on; for ever.
pub async fn serve(journal: Journal, hook: watch::Receiver<Option<PathBuf>>) {
    serve_within(LIMITS, journal, hook).await;
}

async fn serve_within(limits: Limits, journal: Journal, hook: watch::Receiver<Option<PathBuf>>) {
    let (queue, events) = mpsc::channel(limits.queue);
    let reading = read(&journal, &hook, queue);
    let running = work(limits, &journal, &hook, events);
    tokio::join!(reading, running);
}

/// Queues what is told, while there is a hook.
async fn read(journal: &Journal, hook: &watch::Receiver<Option<PathBuf>>, queue: mpsc::Sender<Event>) {
    let mut follower = journal.subscribe_last(0);
    let mut dropped = 0_u64;
    while let Some(event) = follower.next().await {
        if !TOLD.contains(&event.kind.as_str()) || hook.borrow().is_none() {
            continue;
        }
        if let Ok(place) = queue.try_reserve() {
            place.send(Event::clone(&event));
            if dropped > 0 {
                let many = std::mem::take(&mut dropped);
                warn(journal, format!("the hook is too slow: it was not told of {many} events"));
            }
        } else {
            dropped += 1;
        }
    }
}

/// Runs the hook for each event.
async fn work(
    limits: Limits,
    journal: &Journal,
    hook: &watch::Receiver<Option<PathBuf>>,
    mut events: mpsc::Receiver<Event>,
) {
    while let Some(event) = events.recv().await {
        let path = hook.borrow().clone();
        let Some(path) = path else { continue };
        match run::run(&path, &event, limits).await {
            Ok(output) => tracing::debug!(event = event.seq, kind = event.kind, output, "hook"),
            Err(error) => warn(
                journal,
                format!("hook {} on event {} ({}) {error}", path.display(), event.seq, event.kind),
            ),
        }
    }
}

fn warn(journal: &Journal, reason: String) {
    tracing::warn!("{reason}");
    journal.record(Draft { kind: "warning".into(), reason: Some(reason), ..Draft::default() });
}

#[cfg(test)]
mod tests;
