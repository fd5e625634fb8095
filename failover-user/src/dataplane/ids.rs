//! The numbers under which the kernel knows targets, services and endpoints.
//!
//! They outlive daemons: a flow that an older daemon's packets left in the tables names its endpoint by number. So
//! a number is read back from the pinned tables, kept while its owner is configured, and an endpoint's number is
//! given to another one only after every flow of it was removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use failover_common::key::EndpointKey;

use super::{
    keys::{backup_keys, bytes, service_keys},
    tables::Tables,
};
use crate::config::model::Target;

/// The numbers in use.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    targets: BTreeMap<[u8; 16], u32>,
    services: BTreeMap<EndpointKey, u32>,
    endpoints: BTreeMap<EndpointKey, u32>,
}

impl Ids {
    /// The numbers that pinned tables hold.
    pub fn adopt(tables: &Tables) -> Self {
        Self {
            targets: tables.services.iter().map(|(key, s)| (key.address, s.target)).collect(),
            services: tables.services.iter().map(|(key, s)| (*key, s.service)).collect(),
            endpoints: tables.backups.iter().map(|(key, e)| (*key, e.id)).collect(),
        }
    }

    /// Gives every part of `targets` a number. Those of parts that are gone are free from the next time on: until then
    /// the tables and the flows still know them under their old meaning. Targets and endpoints count from 1, services
    /// from 0.
    pub fn assign(&mut self, targets: &[Target]) {
        assign(&mut self.targets, targets.iter().map(|t| bytes(t.address)), 1);
        assign(&mut self.services, targets.iter().flat_map(service_keys), 0);
        let endpoints = targets.iter().flat_map(|t| t.backups.iter().flat_map(|b| backup_keys(t, b)));
        assign(&mut self.endpoints, endpoints, 1);
    }

    /// A target's number; 0, "no target", for one that was never given to [`Self::assign`].
    pub fn target(&self, target: &Target) -> u32 {
        self.target_at(target.address)
    }

    /// The number of the target with this address; 0 where there is none.
    pub fn target_at(&self, address: IpAddr) -> u32 {
        self.targets.get(&bytes(address)).copied().unwrap_or_default()
    }

    /// A service's number.
    pub fn service(&self, key: &EndpointKey) -> u32 {
        self.services.get(key).copied().unwrap_or_default()
    }

    /// An endpoint's number; 0 for one that was never given to [`Self::assign`].
    pub fn endpoint(&self, key: &EndpointKey) -> u32 {
        self.endpoints.get(key).copied().unwrap_or_default()
    }

    /// The highest numbers in use: target, service.
    pub fn highest(&self) -> (u32, u32) {
        let highest = |numbers: Option<&u32>| numbers.copied().unwrap_or_default();
        (highest(self.targets.values().max()), highest(self.services.values().max()))
    }
}

fn assign<K: Ord>(numbers: &mut BTreeMap<K, u32>, keys: impl Iterator<Item = K>, first: u32) {
    let keys: BTreeSet<K> = keys.collect();
    let mut used: BTreeSet<u32> = numbers.values().copied().collect();
    numbers.retain(|key, _| keys.contains(key));
    let mut next = first;
    for key in keys {
        numbers.entry(key).or_insert_with(|| {
            while !used.insert(next) {
                next += 1;
            }
            next
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_kept_and_gaps_are_filled_but_not_at_once() {
        let mut numbers = BTreeMap::from([("a", 1), ("b", 2), ("c", 3)]);
        assign(&mut numbers, ["a", "c", "d"].into_iter(), 1);
        assert_eq!(numbers, BTreeMap::from([("a", 1), ("c", 3), ("d", 4)]), "2 may still name b");
        assign(&mut numbers, ["a", "c", "d", "e"].into_iter(), 1);
        assert_eq!(numbers, BTreeMap::from([("a", 1), ("c", 3), ("d", 4), ("e", 2)]));
    }
}
