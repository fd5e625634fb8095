//! How a command ends when it does not end well: the sentence, what to do next, and the exit code.

use std::{
    io::{self, ErrorKind, Write as _},
    process::ExitCode,
};

use super::words::clean;
use crate::{
    config::ConfigError,
    control::{client::ClientError, message::Problem, server::BindError},
    dataplane::{self, offline::OfflineError},
};

/// Why a command failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// A sentence.
    Said {
        /// The exit code.
        exit: u8,
        /// What failed, on what, why.
        error: String,
        /// What to do next.
        help: Option<String>,
    },
    /// Several lines of a configuration, and carets.
    Configuration(Box<ConfigError>),
    /// Everything is said already.
    Silent(u8),
}

impl Failure {
    pub(super) fn new(exit: u8, error: impl Into<String>) -> Self {
        Self::Said { exit, error: error.into(), help: None }
    }

    pub(super) fn help(self, words: impl Into<String>) -> Self {
        match self {
            Self::Said { exit, error, .. } => Self::Said { exit, error, help: Some(words.into()) },
            other => other,
        }
    }

    pub(super) fn exit(&self) -> u8 {
        match self {
            Self::Said { exit, .. } | Self::Silent(exit) => *exit,
            Self::Configuration(_) => 3,
        }
    }

    /// In one line, for a place that has room for no more.
    pub(super) fn line(&self) -> String {
        match self {
            Self::Said { error, .. } => clean(error).into_owned(),
            Self::Configuration(error) => {
                clean(error.to_string().lines().next().unwrap_or_default()).into_owned()
            }
            Self::Silent(exit) => format!("exit code {exit}"),
        }
    }

    /// What goes to standard error; nothing where everything is said.
    pub(super) fn text(&self, color: bool) -> String {
        match self {
            Self::Said { error, help, .. } => {
                let help = help.as_ref().map(|help| format!("help: {}\n", clean(help))).unwrap_or_default();
                format!("failover: {}\n{help}", clean(error))
            }
            Self::Configuration(error) => error.report(color),
            Self::Silent(_) => String::new(),
        }
    }

    /// Tells it, and ends with its exit code.
    pub(super) fn tell(&self) -> ExitCode {
        let color = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        // With standard error gone there is nobody left to tell.
        drop(anstream::stderr().write_all(self.text(color).as_bytes()));
        ExitCode::from(self.exit())
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Said { exit: error.exit(), error: error.to_string(), help: error.help() }
    }
}

impl From<OfflineError> for Failure {
    fn from(error: OfflineError) -> Self {
        Self::Said { exit: error.exit(), error: error.to_string(), help: error.help() }
    }
}

impl From<dataplane::Error> for Failure {
    fn from(error: dataplane::Error) -> Self {
        Self::Said { exit: error.exit(), error: error.to_string(), help: error.help() }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let exit = if matches!(error, ConfigError::Forbidden { .. }) { 6 } else { 3 };
        match error {
            ConfigError::Invalid(_) => Self::Configuration(Box::new(error)),
            // About the file as a whole there is no place to point at.
            error => Self::Said { exit, error: error.to_string(), help: error.help().map(str::to_owned) },
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Said { exit: problem.exit, error: problem.error, help: problem.help }
    }
}

impl From<io::Error> for Failure {
    /// Of standard output: a reader that has seen enough (`| head`) is no failure.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::Silent(0),
            _ => Self::new(1, format!("write to standard output: {error}")),
        }
    }
}

impl From<anyhow::Error> for Failure {
    /// The daemon's: whatever in the chain knows its exit code and what to do next is asked for both.
    fn from(error: anyhow::Error) -> Self {
        let error = match error.downcast::<ConfigError>() {
            Ok(error) => return error.into(),
            Err(error) => error,
        };
        let (exit, help) = error.chain().find_map(known).unwrap_or((1, None));
        Self::Said { exit, error: format!("{error:#}"), help }
    }
}

/// The exit code of one cause, and what to do next.
fn known(cause: &(dyn std::error::Error + 'static)) -> Option<(u8, Option<String>)> {
    if let Some(problem) = cause.downcast_ref::<Problem>() {
        return Some((problem.exit, problem.help.clone()));
    }
    if let Some(error) = cause.downcast_ref::<dataplane::Error>() {
        return Some((error.exit(), error.help()));
    }
    if let Some(error) = cause.downcast_ref::<BindError>() {
        return Some((error.exit(), error.help()));
    }
    match cause.downcast_ref::<io::Error>()?.kind() {
        ErrorKind::PermissionDenied => Some((6, Some("run it as root".to_owned()))),
        _ => None,
    }
}
