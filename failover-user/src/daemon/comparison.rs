//! Now and then the tables are read back from the kernel, and put right where another hand has changed them.

use tokio::sync::mpsc;

use super::core::Core;
use crate::{
    dataplane::{Desired, Error, Found},
    director::Place,
};

/// What a look found.
pub type Comparison = Result<Found, Error>;

impl Core {
    /// Has the tables read, without waiting for it.
    pub(super) fn compare(&self, compared: &mpsc::Sender<Comparison>) {
        let Ok(place) = compared.clone().try_reserve_owned() else { return };
        let auditor = self.dataplane.auditor();
        tokio::task::spawn_blocking(move || drop(place.send(auditor.read())));
    }

    /// What was read: put right where it has to be.
    pub(super) fn take_comparison(&mut self, comparison: Comparison) {
        let places: Vec<Place> = self.targets.iter().map(|state| state.place).collect();
        let desired = Desired { targets: &self.config.targets, places: &places };
        match comparison.and_then(|found| self.dataplane.compare(found, desired)) {
            Ok(None) => {}
            Ok(Some(difference)) => self.warn(difference.to_owned()),
            Err(error) => self.warn(error.to_string()),
        }
    }
}
