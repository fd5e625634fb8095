//! Ctrl-C and friends as a flag, so that what was put up is taken down again.
//!
//! Children in the foreground process group get the same signal and end; whoever waits for them sees them
//! fail, unwinds, and every guard on the way cleans up. Loops ask [`requested`].

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// From now on the three signals raise the flag instead of ending the process.
pub fn listen() -> anyhow::Result<()> {
    let flag = REQUESTED.get_or_init(Arc::default);
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(flag))
            .with_context(|| format!("install a handler for signal {signal}"))?;
    }
    Ok(())
}

/// Whether the user asked us to stop.
pub fn requested() -> bool {
    REQUESTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}

/// Does `work` on a thread of its own, and abandons it as soon as the user asks us to stop. Only for work whose
/// traces something else removes when this process ends, as the laboratory's reaper does.
pub fn abandonable<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let worker = thread::spawn(work);
    while !worker.is_finished() {
        if requested() {
            bail!("interrupted");
        }
        thread::sleep(Duration::from_millis(20));
    }
    worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
