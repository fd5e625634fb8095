//! The tables of calls (SIP dialogs that began at a backup), from this side.

use std::collections::BTreeSet;

use failover_common::names;

use super::{
    error::Error,
    maps::{Maps, entries, fails},
    sync::{copy, copy_some, remove},
};

impl Maps {
    /// Gives the hashes of Call-IDs what makes them nobody else's, unless they have it.
    pub fn seed_calls(&mut self) -> Result<(), Error> {
        let fails = |action| fails(names::CALL_SEED, action);
        if self.call_seed.get(&0, 0).map_err(fails("read"))? != 0 {
            return Ok(());
        }
        let seed = getrandom::u64()
            .map_err(|error| Error::io("ask for random bytes", std::io::Error::other(error)))?;
        self.call_seed.set(0, seed | 1, 0).map_err(fails("write"))
    }

    /// The calls of an older daemon's tables, and what their hashes were made with.
    pub fn carry_over_calls(&mut self, older: &Self) -> Result<(), Error> {
        let fails = || fails(names::CALL_SEED, "carry over");
        let seed = older.call_seed.get(&0, 0).map_err(fails())?;
        self.call_seed.set(0, seed, 0).map_err(fails())?;
        copy(&older.unanswered_calls, &mut self.unanswered_calls, names::UNANSWERED_CALLS)?;
        // A smaller table takes as many as it has room for.
        copy_some(&older.answered_calls, &mut self.answered_calls);
        Ok(())
    }

    /// Forgets the calls of endpoints, and of targets, that are no more.
    pub fn forget_calls(&mut self, endpoints: &BTreeSet<u32>, targets: &BTreeSet<u32>) -> Result<(), Error> {
        let tables = [
            (&mut self.unanswered_calls, names::UNANSWERED_CALLS),
            (&mut self.answered_calls, names::ANSWERED_CALLS),
        ];
        for (map, name) in tables {
            let calls = entries(map, name).filter_map(Result::ok).map(|(key, _)| key);
            let gone: Vec<_> = calls
                .filter(|key| endpoints.contains(&key.endpoint) || targets.contains(&key.target))
                .collect();
            gone.iter().try_for_each(|key| remove(map, name, key))?;
        }
        Ok(())
    }
}
