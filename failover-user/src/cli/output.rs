//! Standard output, standard error, and the log.

use std::{
    io::{self, IsTerminal as _, Write as _},
    os::fd::AsFd,
};

use serde::Serialize;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::{Output, failure::Failure};

/// Prints text, with colours where they are wanted.
pub(super) fn text(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Prints a value: as JSON, or as the text that it is made into.
pub(super) fn value<T: Serialize>(
    output: Output,
    value: &T,
    to_text: impl FnOnce(&T) -> String,
) -> Result<(), Failure> {
    match output {
        Output::Text => text(&to_text(value)),
        Output::Json | Output::Jsonl | Output::Pcap => raw(json(output, value)?.as_bytes()),
    }
}

/// A document: indented, or in one line.
pub(super) fn json<T: Serialize>(output: Output, value: &T) -> Result<String, Failure> {
    let document = match output {
        Output::Jsonl => serde_json::to_string(value),
        Output::Json | Output::Text | Output::Pcap => serde_json::to_string_pretty(value),
    };
    document.map(|document| document + "\n").map_err(|error| Failure::new(1, format!("write JSON: {error}")))
}

/// Says something beside the output.
pub(super) fn note(words: &str) {
    // With standard error gone there is nobody left to tell.
    drop(writeln!(anstream::stderr(), "failover: {}", super::words::clean(words)));
}

/// Logs as a daemon does: to the journal with all fields (`FAILOVER_TARGET=paris`) where standard error is the journal's, and
/// to standard error otherwise.
pub(super) fn log_daemon(usual: &str, verbose: u8) {
    if !is_the_journals(&io::stderr()) {
        return log(usual, verbose);
    }
    match tracing_journald::layer() {
        Ok(journal) => {
            let journal = journal.with_field_prefix(Some("FAILOVER".to_owned()));
            let journal = journal.with_syslog_identifier("failover".to_owned());
            // A log that is there already stays.
            drop(tracing_subscriber::registry().with(filter(usual, verbose)).with(journal).try_init());
        }
        Err(_) => log(usual, verbose),
    }
}

/// Whether a stream is the one that systemd connected to its journal (systemd.exec(5), JOURNAL_STREAM).
fn is_the_journals(stream: &impl AsFd) -> bool {
    let Some(named) = std::env::var_os("JOURNAL_STREAM") else { return false };
    let is = rustix::fs::fstat(stream).map(|stat| format!("{}:{}", stat.st_dev, stat.st_ino));
    is.is_ok_and(|is| named == *is)
}

fn filter(usual: &str, verbose: u8) -> EnvFilter {
    let level = match verbose {
        0 => usual,
        1 => "info,failover_user=debug",
        _ => "trace",
    };
    // netlink_proto warns of answers to questions that were dropped, which is no news to anyone.
    EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new(format!("{level},netlink_proto=error")))
}

/// Logs to standard error. `RUST_LOG` says what, else `verbose` does; without either `usual` does.
pub(super) fn log(usual: &str, verbose: u8) {
    let filter = filter(usual, verbose);
    let color = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(color);
    // The journal dates every line itself.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some() && !io::stderr().is_terminal();
    // A log that is there already stays.
    if journal { drop(log.without_time().try_init()) } else { drop(log.try_init()) }
}

/// Prints bytes as they are.
pub(super) fn raw(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    Ok(stdout.flush()?)
}
