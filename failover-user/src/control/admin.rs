//! The operator's words, kept in a file so that they outlive the daemon.
//!
//! The daemon reads the file once and writes it at every change; commands write it while no daemon runs. Times in it
//! are wall-clock, because nothing else survives a restart; the daemon counts them down on its own.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::message::{Admin, SCHEMA, SetAdmin};

/// What the operator said of one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The state.
    pub state: Admin,
    /// Then back to `auto`.
    pub until: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
}

impl Default for Order {
    fn default() -> Self {
        Self { state: Admin::Auto, until: None, reason: None }
    }
}

impl Order {
    /// A command, given now.
    pub fn given(set: &SetAdmin, now: Timestamp) -> Self {
        let after = |seconds| {
            i64::try_from(seconds).ok().and_then(|s| now.checked_add(jiff::SignedDuration::from_secs(s)).ok())
        };
        Self { state: set.state, until: set.for_s.and_then(after), reason: set.reason.clone() }
    }

    /// Whether its time is over.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until.is_some_and(|until| until <= now)
    }
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    schema: u32,
    targets: BTreeMap<String, Order>,
}

/// The orders by target name, and where they are kept. A target without an order is `auto`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orders {
    path: PathBuf,
    targets: BTreeMap<String, Order>,
}

/// An error of the file.
#[derive(Debug, thiserror::Error)]
pub enum OrdersError {
    /// It could not be read.
    #[error("read the admin states in {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not what was written.
    #[error("read the admin states in {path}: {source}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// It could not be written.
    #[error("write the admin states to {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Orders {
    /// Reads the orders kept in `state_dir`; a file that is not there is an empty one.
    pub fn load(state_dir: &Path) -> Result<Self, OrdersError> {
        let path = state_dir.join("admin.json");
        let targets = match fs::read(&path) {
            Ok(bytes) => {
                let contents = serde_json::from_slice::<Contents>(&bytes);
                contents.map_err(|source| OrdersError::Corrupt { path: path.clone(), source })?.targets
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(source) => return Err(OrdersError::Read { path, source }),
        };
        Ok(Self { path, targets })
    }

    /// What holds for `target`.
    pub fn of(&self, target: &str) -> Order {
        self.targets.get(target).cloned().unwrap_or_default()
    }

    /// Takes an order, and keeps it: on an error nothing has changed.
    pub fn give(&mut self, target: &str, order: Order) -> Result<(), OrdersError> {
        let mut targets = self.targets.clone();
        if order == Order::default() {
            targets.remove(target);
        } else {
            targets.insert(target.to_owned(), order);
        }
        self.store(targets)
    }

    /// Ends every order whose time is over, and names their targets.
    pub fn expire(&mut self, now: Timestamp) -> Result<Vec<String>, OrdersError> {
        let over: Vec<String> = self
            .targets
            .iter()
            .filter(|(_, order)| order.is_over(now))
            .map(|(name, _)| name.clone())
            .collect();
        if !over.is_empty() {
            let mut targets = self.targets.clone();
            targets.retain(|_, order| !order.is_over(now));
            self.store(targets)?;
        }
        Ok(over)
    }

    /// Writes to a file beside, and renames: a reader sees the old orders or the new ones.
    fn store(&mut self, targets: BTreeMap<String, Order>) -> Result<(), OrdersError> {
        let contents = Contents { schema: SCHEMA, targets };
        let fails = |source| OrdersError::Write { path: self.path.clone(), source };
        let bytes = serde_json::to_vec_pretty(&contents).map_err(|error| fails(error.into()))?;
        let beside = self.path.with_extension("json.new");
        fs::write(&beside, bytes)
            .and_then(|()| fs::File::open(&beside)?.sync_all())
            .and_then(|()| fs::rename(&beside, &self.path))
            .map_err(fails)?;
        self.targets = contents.targets;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(state: Admin, for_s: Option<u64>) -> SetAdmin {
        SetAdmin { state, for_s, reason: Some("maintenance".into()) }
    }

    #[test]
    fn orders_survive_and_end() {
        let dir = tempfile::tempdir().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let mut orders = Orders::load(dir.path()).unwrap();
        orders.give("paris", Order::given(&set(Admin::Disabled, Some(60)), now)).unwrap();
        orders.give("lyon", Order::given(&set(Admin::Primary, None), now)).unwrap();

        let mut again = Orders::load(dir.path()).unwrap();
        assert_eq!(again, orders);
        assert_eq!(again.of("paris").state, Admin::Disabled);
        let later = now + jiff::SignedDuration::from_secs(60);
        assert_eq!(again.expire(later).unwrap(), ["paris"]);
        assert_eq!(again.of("paris"), Order::default());
        assert_eq!(Orders::load(dir.path()).unwrap().of("lyon").state, Admin::Primary);
    }

    #[test]
    fn a_corrupt_file_is_an_error_not_an_empty_one() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("admin.json"), b"{\"schema\":1,").unwrap();
        assert!(matches!(Orders::load(dir.path()), Err(OrdersError::Corrupt { .. })));
    }

    #[test]
    fn an_order_that_cannot_be_kept_is_not_taken() {
        let dir = tempfile::tempdir().unwrap();
        let mut orders = Orders::load(&dir.path().join("missing")).unwrap();
        let given = orders.give("paris", Order::given(&set(Admin::Disabled, None), Timestamp::UNIX_EPOCH));
        assert!(matches!(given, Err(OrdersError::Write { .. })));
        assert_eq!(orders.of("paris"), Order::default());
    }
}
