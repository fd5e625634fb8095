//! The configuration file: text → raw (what is written, and where) → model (valid by construction).
//!
//! [`load`] and [`parse`] give a [`Loaded`] or every independent problem of the file at once, each with its place.
//! Nothing is guessed: an unknown word, a wrong value and a word whose feature is not built yet are all errors.
//!
//! | file | what is in it |
//! |---|---|
//! | `section` | reading one TOML table: known words, types, places |
//! | `scalar`, `service` | single values: durations, names, addresses, status patterns, services |
//! | `words` | which words there are |
//! | `raw`, `probe` | the file's tables, word by word |
//! | `addresses`, `servers`, `policy` | parts of the model: a server's addresses, where a target's servers serve it, how they are probed |
//! | `convert` | built-in values < `[defaults]` < `[[target]]`, and what must hold within one target |
//! | `families` | what must hold between the addresses of a target and its backups |
//! | `files` | what is named, and is not there |
//! | `envelopes`, `prefix` | the addresses that envelopes come from |
//! | `ras` | which answers of a gatekeeper count |
//! | `topology`, `probing` | what must hold between targets, and what is odd |
//! | `error`, `report` | what is wrong, and how a person is shown where |

use std::{fs::File, io::Read as _, path::Path};

mod addresses;
mod convert;
mod envelopes;
mod error;
mod families;
mod files;
mod flap;
mod merge;
pub mod model;
mod policy;
pub mod prefix;
mod probe;
mod probing;
mod ras;
mod raw;
mod report;
mod scalar;
mod section;
mod servers;
mod service;
#[cfg(test)]
mod tests;
mod topology;
mod words;

pub use error::{ConfigError, Located};
use error::{Invalid, Problems};
pub use files::Absent;
use files::Named;

/// Where the configuration is, unless `--config` says otherwise.
pub const DEFAULT_PATH: &str = "/etc/failover/failover.toml";

/// The largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 16 << 20;

/// A configuration that holds, and what is odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The configuration.
    pub config: model::Config,
    /// What works, but hardly as meant: a sentence each, with what to do.
    pub warnings: Vec<String>,
    /// Files that it names and that are not there, where it was [`load`]ed. They are the last of the warnings, too.
    pub absent: Absent,
}

/// Reads and checks the file at `path`. No more than [`MAX_BYTES`] are read, whatever `path` leads to.
pub fn load(path: &Path) -> Result<Loaded, ConfigError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|source| ConfigError::unreadable(path, source))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned() });
    }
    let text = String::from_utf8(bytes).map_err(|error| ConfigError::not_text(path, &error))?;
    let name = path.display().to_string();
    let (mut loaded, named) = read(&name, &text)?;
    loaded.absent = files::absent(&name, &text, &named);
    loaded.warnings.extend(loaded.absent.lines());
    Ok(loaded)
}

/// Checks `text`; `name` is what errors call it. Looks at nothing else.
pub fn parse(name: &str, text: &str) -> Result<Loaded, ConfigError> {
    read(name, text).map(|(loaded, _)| loaded)
}

fn read(name: &str, text: &str) -> Result<(Loaded, Vec<Named>), ConfigError> {
    let mut problems = Problems::default();
    let raw = raw::read(text, &mut problems);
    let named = raw.as_ref().map(files::named).unwrap_or_default();
    match raw.and_then(|raw| convert::convert(&raw, &mut problems)) {
        Some(loaded) if problems.is_empty() => Ok((loaded, named)),
        _ => Err(ConfigError::Invalid(Box::new(Invalid::new(name, text, problems)))),
    }
}
