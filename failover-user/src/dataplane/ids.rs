//! The numbers under which the kernel knows targets, services and endpoints.
//!
//! They outlive daemons: a flow that an older daemon's packets left in the tables names its endpoint by number. So
//! a number is read back from the pinned tables, kept while its owner is configured, and an endpoint's number is
//! given to another one only after every flow of it was removed.
//!
//! A target has one number for all of its services, in both families. It is known again by any service that it had
//! before, or else by any of its addresses; so it keeps its number when an address or a service comes or goes.

use std::collections::{BTreeMap, BTreeSet};

use failover_common::key::EndpointKey;

use super::{
    keys::{service_keys, ways},
    tables::Tables,
};
use crate::config::model::{Steer, Target};

/// The numbers in use.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    /// The target's number, by the key of each of its services.
    targets: BTreeMap<EndpointKey, u32>,
    services: BTreeMap<EndpointKey, u32>,
    endpoints: BTreeMap<EndpointKey, u32>,
}

impl Ids {
    /// The numbers that pinned tables hold.
    pub fn adopt(tables: &Tables) -> Self {
        Self {
            targets: tables.services.iter().map(|(key, s)| (*key, s.target)).collect(),
            services: tables.services.iter().map(|(key, s)| (*key, s.service)).collect(),
            endpoints: tables.backups.iter().map(|(key, e)| (*key, e.id)).collect(),
        }
    }

    /// Gives every part of `targets` a number. Those of parts that are gone are free from the next time on: until then
    /// the tables and the flows still know them under their old meaning. Targets and endpoints count from 1, services
    /// from 0.
    pub fn assign(&mut self, targets: &[Target]) {
        self.assign_targets(targets);
        assign(&mut self.services, targets.iter().flat_map(service_keys), 0);
        let backups = |target| move |backup| ways(target, backup).map(|(_, serves)| serves);
        // Where nothing comes back through us, no endpoint needs a number.
        let targets = targets.iter().filter(|target| target.steer == Steer::Nat);
        let endpoints = targets.flat_map(|target| target.backups.iter().flat_map(backups(target)));
        assign(&mut self.endpoints, endpoints, 1);
    }

    fn assign_targets(&mut self, targets: &[Target]) {
        let known = self.known(targets);
        let mut used: BTreeSet<u32> = self.targets.values().copied().collect();
        let mut next = 1;
        self.targets.clear();
        for (target, known) in targets.iter().zip(known) {
            let number = known.unwrap_or_else(|| {
                while !used.insert(next) {
                    next += 1;
                }
                next
            });
            self.targets.extend(service_keys(target).map(|key| (key, number)));
        }
    }

    /// The numbers that `targets` have already, or would keep: no number twice.
    pub fn known(&self, targets: &[Target]) -> Vec<Option<u32>> {
        let mut taken = BTreeSet::new();
        let mut known = vec![None; targets.len()];
        // Who has a service of before goes before who has but an address of before.
        for by in [Self::by_service, Self::by_address] {
            for (target, known) in targets.iter().zip(&mut known).filter(|(_, known)| known.is_none()) {
                *known = by(self, target).into_iter().find(|number| taken.insert(*number));
            }
        }
        known
    }

    fn by_service(&self, target: &Target) -> Vec<u32> {
        service_keys(target).filter_map(|key| self.targets.get(&key).copied()).collect()
    }

    fn by_address(&self, target: &Target) -> Vec<u32> {
        let addresses: BTreeSet<[u8; 16]> = service_keys(target).map(|key| key.address).collect();
        self.targets.iter().filter(|(key, _)| addresses.contains(&key.address)).map(|(_, n)| *n).collect()
    }

    /// A target's number; 0, "no target", for one that was never given to [`Self::assign`].
    pub fn target(&self, target: &Target) -> u32 {
        service_keys(target).find_map(|key| self.targets.get(&key).copied()).unwrap_or_default()
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
    use crate::dataplane::tables::tests::targets;

    #[test]
    fn numbers_are_kept_and_gaps_are_filled_but_not_at_once() {
        let mut numbers = BTreeMap::from([("a", 1), ("b", 2), ("c", 3)]);
        assign(&mut numbers, ["a", "c", "d"].into_iter(), 1);
        assert_eq!(numbers, BTreeMap::from([("a", 1), ("c", 3), ("d", 4)]), "2 may still name b");
        assign(&mut numbers, ["a", "c", "d", "e"].into_iter(), 1);
        assert_eq!(numbers, BTreeMap::from([("a", 1), ("c", 3), ("d", 4), ("e", 2)]));
    }

    /// The targets' numbers after each configuration of a list of targets, each its addresses; the next daemon's
    /// are read from the tables of the one before.
    fn numbers(configurations: &[&[&str]]) -> Vec<Vec<u32>> {
        let mut tables = Tables::default();
        let mut numbers = Vec::new();
        for configuration in configurations {
            let targets = targets(configuration);
            let mut ids = Ids::adopt(&tables);
            let known = ids.known(&targets);
            ids.assign(&targets);
            let now: Vec<u32> = targets.iter().map(|target| ids.target(target)).collect();
            for (known, now) in known.iter().zip(&now) {
                assert!(known.is_none_or(|known| known == *now));
            }
            tables = Tables::of(&targets, &ids);
            assert!(tables.services.values().all(|service| now.contains(&service.target)));
            numbers.push(now);
        }
        numbers
    }

    const V4: &str = "\"192.0.2.1\"";
    const V6: &str = "\"2001:db8::1\"";
    const BOTH: &str = "[\"192.0.2.1\", \"2001:db8::1\"]";
    const TURNED: &str = "[\"2001:db8::1\", \"192.0.2.1\"]";
    const OTHER: &str = "\"192.0.2.2\"";

    #[test]
    fn a_target_keeps_its_number_when_a_family_comes_or_goes() {
        let story = [&[OTHER, V4][..], &[BOTH, OTHER], &[TURNED, OTHER], &[OTHER, V6], &[BOTH, OTHER]];
        assert_eq!(numbers(&story), [[1, 2], [2, 1], [2, 1], [1, 2], [2, 1]]);
    }

    #[test]
    fn a_target_that_is_parted_leaves_its_number_to_the_first_part() {
        assert_eq!(numbers(&[&[BOTH], &[V4, V6], &[BOTH]]), [vec![1], vec![1, 2], vec![1]]);
        assert_eq!(numbers(&[&[BOTH], &[V6, V4], &[BOTH]]), [vec![1], vec![1, 2], vec![2]]);
    }

    #[test]
    fn a_target_is_known_by_its_address_where_its_services_are_new() {
        let (here, moved) =
            ("\"192.0.2.1\"\nservices = [\"sip/udp\"]", "\"192.0.2.1\"\nservices = [\"sip/udp:5080\"]");
        assert_eq!(numbers(&[&[OTHER, here], &[moved]]), [vec![1, 2], vec![2]]);
        // Two targets on one address are two targets.
        assert_eq!(numbers(&[&[here], &[moved, here], &[here, moved]]), [vec![1], vec![2, 1], vec![1, 2]]);
    }
}
