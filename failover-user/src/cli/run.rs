//! `failover run`.

use clap::Args;

use super::{failure::Failure, output, session::Session};
use crate::daemon;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Take the data plane away at the end, instead of leaving it to the next daemon
    #[arg(long)]
    detach_on_exit: bool,
}

pub(super) fn run(session: &Session, arguments: &Arguments) -> Result<(), Failure> {
    output::log_daemon("info", session.verbose());
    // One thread decides, probes and serves, without waking another one for each answer; what takes long has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Failure::new(1, format!("start the runtime: {source}")))?;
    let options = daemon::Options {
        config: session.config_path().to_owned(),
        detach_on_exit: arguments.detach_on_exit,
    };
    Ok(runtime.block_on(daemon::run(options))?)
}
