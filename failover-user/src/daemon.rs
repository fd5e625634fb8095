//! Composition root.

use std::path::PathBuf;

/// How `failover run` was called.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration.
    pub config: PathBuf,
    /// Take the data plane away at the end.
    pub detach_on_exit: bool,
}

/// Runs the daemon.
pub async fn run(options: Options) -> anyhow::Result<()> {
    std::future::ready(Err(anyhow::anyhow!("no daemon for {}", options.config.display()))).await
}
