//! The pinned maps of a dead daemon.

use std::path::PathBuf;

use crate::{
    config::model::Config,
    control::message::{SetAdmin, Stats, Status, TargetStatus},
};

/// Why the pinned maps do not answer.
#[derive(Debug, thiserror::Error)]
pub enum OfflineError {
    /// Nothing is pinned.
    #[error("{path}: no data plane is pinned here")]
    NotPinned {
        /// The folder.
        path: PathBuf,
    },
}

impl OfflineError {
    /// The exit code of a command that ends with this.
    pub fn exit(&self) -> u8 {
        5
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        None
    }
}

fn nothing<T>(config: &Config) -> Result<T, OfflineError> {
    Err(OfflineError::NotPinned { path: config.router.bpffs_dir.clone() })
}

/// `status`.
pub fn status(config: &Config) -> Result<Status, OfflineError> {
    nothing(config)
}

/// `stats`.
pub fn stats(config: &Config) -> Result<Stats, OfflineError> {
    nothing(config)
}

/// `target disable|auto|primary`.
pub fn set_admin(config: &Config, _name: &str, _set: &SetAdmin) -> Result<TargetStatus, OfflineError> {
    nothing(config)
}

/// `detach`.
pub fn detach(config: &Config, _interface: Option<&str>) -> Result<Vec<String>, OfflineError> {
    nothing(config)
}
