//! `failover check`.

use crate::config::{ConfigError, Loaded};

/// The configuration in words.
pub fn explain(loaded: &Loaded) -> String {
    loaded.warnings.join("\n")
}

/// The configuration as JSON.
pub fn explain_json(loaded: &Loaded) -> String {
    loaded.warnings.join("\n")
}

/// What is wrong, as JSON.
pub fn error_json(error: &ConfigError) -> String {
    error.to_string()
}
