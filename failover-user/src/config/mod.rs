//! The configuration file: raw (serde) → model (valid by construction).

use std::path::{Path, PathBuf};

pub mod model;

/// Where the configuration is, unless `--config` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/failover/failover.toml";

/// A configuration that holds, and what is odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: model::Config,
    /// What works, but hardly as meant.
    pub warnings: Vec<String>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing is there.
    #[error("read configuration {}: there is no such file", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// It is there, and not for us.
    #[error("read configuration {}: permission denied", path.display())]
    Forbidden {
        /// The file.
        path: PathBuf,
    },
}

impl ConfigError {
    /// For a person.
    pub fn report(&self, _color: bool) -> String {
        format!("{self}\n")
    }
}

/// Reads and checks the file at `path`.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    Err(ConfigError::Missing { path: path.to_owned() })
}
