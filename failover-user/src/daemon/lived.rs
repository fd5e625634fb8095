//! Which services were ever seen alive, kept in a file so that it outlives the daemon: a service that never answered
//! has no say in its server's health, and without this memory a service that died before a restart would be one.
//!
//! What cannot be read or written is worth a warning and no more: it is learnt again from the next answer.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::control::message::SCHEMA;

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    schema: u32,
    lived: BTreeSet<String>,
}

/// The memory, and where it is kept.
#[derive(Debug)]
pub struct Lived {
    path: PathBuf,
    services: BTreeSet<String>,
    /// When it was last written; [`PAUSE`] is over where that is not known.
    written: Option<Instant>,
    /// Not written yet.
    changed: bool,
}

/// The least time between two writes: thousands of services may be seen alive within a second.
const PAUSE: Duration = Duration::from_secs(1);

impl Lived {
    /// Reads what is kept in `state_dir`.
    pub fn load(state_dir: &Path) -> Self {
        let path = state_dir.join("lived.json");
        let read = fs::read(&path).and_then(|bytes| Ok(serde_json::from_slice::<Contents>(&bytes)?));
        let services = match read {
            Ok(contents) => contents.lived,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(path = %path.display(), %error, "what was ever alive is not known");
                }
                BTreeSet::new()
            }
        };
        Self { path, services, written: None, changed: false }
    }

    /// Whether `service` was ever alive.
    pub fn knows(&self, service: &str) -> bool {
        self.services.contains(service)
    }

    /// `service` is alive.
    pub fn learn(&mut self, service: String) {
        if self.services.insert(service) {
            self.changed = true;
            self.keep();
        }
    }

    /// Forgets all but `services`.
    pub fn keep_only(&mut self, services: &BTreeSet<String>) {
        let before = self.services.len();
        self.services.retain(|service| services.contains(service));
        if self.services.len() != before {
            self.changed = true;
            self.keep();
        }
    }

    /// Writes what has changed, unless it was written a moment ago. To be called every now and then.
    pub fn keep(&mut self) {
        if self.changed && self.written.is_none_or(|written| written.elapsed() >= PAUSE) {
            (self.changed, self.written) = (false, Some(Instant::now()));
            self.store();
        }
    }

    /// Writes to a file beside, and renames: a reader sees the old memory or the new one.
    fn store(&self) {
        let contents = Contents { schema: SCHEMA, lived: self.services.clone() };
        let beside = self.path.with_extension("json.new");
        let written = serde_json::to_vec_pretty(&contents)
            .map_err(io::Error::from)
            .and_then(|bytes| fs::write(&beside, bytes))
            .and_then(|()| fs::rename(&beside, &self.path));
        if let Err(error) = written {
            tracing::warn!(path = %self.path.display(), %error, "what was ever alive could not be kept");
        }
    }
}

impl Drop for Lived {
    fn drop(&mut self) {
        if self.changed {
            self.store();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learnt_survives_and_what_is_not_needed_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut lived = Lived::load(dir.path());
        for service in ["sip/udp 192.0.2.10:5060", "sip/tcp 192.0.2.10:5060"] {
            assert!(!lived.knows(service));
            lived.learn(service.to_owned());
        }
        // What the last second brought is written at the end.
        drop(lived);
        let mut again = Lived::load(dir.path());
        assert!(again.knows("sip/udp 192.0.2.10:5060") && again.knows("sip/tcp 192.0.2.10:5060"));
        again.keep_only(&BTreeSet::from(["sip/udp 192.0.2.10:5060".to_owned()]));
        assert!(!Lived::load(dir.path()).knows("sip/tcp 192.0.2.10:5060"));
    }

    #[test]
    fn a_broken_file_and_a_missing_folder_are_an_empty_memory() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("lived.json"), b"{\"schema\":1,").unwrap();
        assert!(!Lived::load(dir.path()).knows("sip/udp 192.0.2.10:5060"));
        let mut nowhere = Lived::load(&dir.path().join("missing"));
        nowhere.learn("a".into());
        assert!(nowhere.knows("a"), "known for as long as this daemon lives");
    }
}
