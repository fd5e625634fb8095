//! Reading the counters.

use aya::maps::{IterableMap as _, MapData, PerCpuArray};
use failover_common::{
    names::{self, REASON_SLOTS},
    reason::Reason,
    value::Counter,
};

use super::{
    batch::per_cpu_rows,
    error::Error,
    load::Dataplane,
    maps::{Maps, reading},
};
use crate::{
    config::model::Target,
    control::message::{By, Count, CpuCounts, InterfaceCounts, SCHEMA, Stats, TargetCounts},
};

/// The counters of one target (or of no target), by reason; only reasons that were counted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Counts(pub Vec<(Reason, Counter)>);

/// The same, each with what the single CPUs counted.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
struct Rows(Vec<(Reason, Vec<Counter>)>);

/// The sums that a target's status shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct TargetCounters {
    /// Sent to a backup.
    pub steered: Counter,
    /// Came back under the target's address.
    pub returned: Counter,
}

impl Counts {
    /// What was steered, and what came back.
    pub fn sums(&self) -> TargetCounters {
        let mut sums = TargetCounters::default();
        for (reason, counter) in &self.0 {
            if reason.is_steered() {
                add(&mut sums.steered, counter);
            } else if reason.is_returned() {
                add(&mut sums.returned, counter);
            }
        }
        sums
    }

    /// As `stats` says them.
    pub fn rows(&self) -> Vec<Count> {
        let row = |(reason, counter): &(Reason, Counter)| Count {
            number: *reason as u32,
            reason: reason.name().to_owned(),
            packets: counter.packets,
            bytes: counter.bytes,
        };
        self.0.iter().map(row).collect()
    }
}

impl Rows {
    /// The rows of `map` from `first` on.
    fn read(map: &PerCpuArray<MapData, Counter>, name: &'static str, first: u32) -> Result<Self, Error> {
        let values = per_cpu_rows(map.map(), first, REASON_SLOTS).map_err(reading(name))?;
        let cpus = values.len() / REASON_SLOTS as usize;
        let of = |reason: Reason| values.get(reason as usize * cpus..)?.get(..cpus).map(<[Counter]>::to_vec);
        Ok(Self(Reason::ALL.iter().map(|reason| (*reason, of(*reason).unwrap_or_default())).collect()))
    }

    /// These and `more`, reason by reason and CPU by CPU.
    fn add(&mut self, more: &Self) {
        if self.0.is_empty() {
            return self.clone_from(more);
        }
        for ((_, to), (_, from)) in self.0.iter_mut().zip(&more.0) {
            to.iter_mut().zip(from).for_each(|(to, from)| add(to, from));
        }
    }

    fn counts(&self, of: impl Fn(&[Counter]) -> Counter) -> Counts {
        let rows = self.0.iter().map(|(reason, cpus)| (*reason, of(cpus)));
        Counts(rows.filter(|(_, counter)| counter.packets != 0).collect())
    }

    /// Over all CPUs.
    fn all(&self) -> Counts {
        self.counts(|cpus| {
            let mut sum = Counter::default();
            for cpu in cpus {
                add(&mut sum, cpu);
            }
            sum
        })
    }

    fn cpu(&self, n: usize) -> Counts {
        self.counts(|cpus| cpus.get(n).copied().unwrap_or_default())
    }

    fn cpus(&self) -> usize {
        self.0.first().map_or(0, |(_, cpus)| cpus.len())
    }
}

impl Maps {
    /// The counters of target `id`; 0 is "no target".
    pub fn counts(&self, id: u32) -> Result<Counts, Error> {
        let rows = if id == 0 { sum(&self.by_interface(false)?) } else { self.of_target(id)? };
        Ok(rows.all())
    }

    /// Every counter, for `stats`: of the targets by name and number, and `by` something more.
    pub fn stats(
        &self,
        targets: &[(&str, Option<u32>)],
        by: Option<By>,
        stale: bool,
    ) -> Result<Stats, Error> {
        let router = self.by_interface(false)?;
        let rows =
            |id: &Option<u32>| id.map(|id| self.of_target(id)).transpose().map(Option::unwrap_or_default);
        let targets =
            targets.iter().map(|(name, id)| Ok((*name, rows(id)?))).collect::<Result<Vec<_>, Error>>()?;
        let interfaces = match by {
            Some(By::Interface) => Some(interfaces(&router, &self.by_interface(true)?)),
            _ => None,
        };
        let router = sum(&router);
        let named = |counts: &dyn Fn(&Rows) -> Counts| {
            let named = |(name, rows): &(&str, Rows)| TargetCounts {
                name: (*name).to_owned(),
                counts: counts(rows).rows(),
            };
            targets.iter().map(named).collect::<Vec<_>>()
        };
        let cpu = |n| {
            let counts = |rows: &Rows| rows.cpu(n);
            CpuCounts { cpu: n as u32, router: counts(&router).rows(), targets: named(&counts) }
        };
        Ok(Stats {
            schema: SCHEMA,
            stale,
            router: router.all().rows(),
            targets: named(&Rows::all),
            interfaces,
            cpus: (by == Some(By::Cpu)).then(|| (0..router.cpus()).map(cpu).collect()),
        })
    }

    fn of_target(&self, id: u32) -> Result<Rows, Error> {
        Rows::read(&self.counters, names::COUNTERS, id * REASON_SLOTS)
    }

    /// The counters of each interface: of packets about a target, or about none.
    fn by_interface(&self, about: bool) -> Result<Vec<(Option<String>, Rows)>, Error> {
        let (map, name) = (&self.interfaces.counters, names::INTERFACE_COUNTERS);
        let rows = |(slot, interface): (u32, Option<String>)| {
            Ok((interface, Rows::read(map, name, (slot * 2 + u32::from(about)) * REASON_SLOTS)?))
        };
        self.interfaces.all()?.into_iter().map(rows).collect()
    }
}

fn interfaces(router: &[(Option<String>, Rows)], targets: &[(Option<String>, Rows)]) -> Vec<InterfaceCounts> {
    let row = |((name, router), (_, targets)): (&(Option<String>, Rows), &(_, Rows))| InterfaceCounts {
        name: name.clone(),
        router: router.all().rows(),
        targets: targets.all().rows(),
    };
    let rows = router.iter().zip(targets).map(row);
    // Nobody's slot only where something is in it.
    rows.filter(|row| row.name.is_some() || !(row.router.is_empty() && row.targets.is_empty())).collect()
}

fn sum(interfaces: &[(Option<String>, Rows)]) -> Rows {
    let mut sum = Rows::default();
    for (_, rows) in interfaces {
        sum.add(rows);
    }
    sum
}

impl Dataplane {
    /// The counters of packets about no target.
    pub fn router_counts(&self) -> Result<Counts, Error> {
        self.maps.counts(0)
    }

    /// The counters of `target`.
    pub fn counts(&self, target: &Target) -> Result<Counts, Error> {
        self.maps.counts(self.ids.target(target))
    }

    /// Every counter, as `stats` says them.
    pub fn stats(&self, targets: &[Target], by: Option<By>) -> Result<Stats, Error> {
        let numbered = |target| Some(self.ids.target(target));
        let targets: Vec<_> = targets.iter().map(|target| (target.name.as_str(), numbered(target))).collect();
        self.maps.stats(&targets, by, false)
    }
}

fn add(sum: &mut Counter, more: &Counter) {
    sum.packets += more.packets;
    sum.bytes += more.bytes;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(steered: &[u64]) -> Rows {
        let counter = |packets: &u64| Counter { packets: *packets, bytes: packets * 100 };
        Rows(vec![
            (Reason::NotOurs, vec![Counter::default(); steered.len()]),
            (Reason::Steered, steered.iter().map(counter).collect()),
        ])
    }

    #[test]
    fn cpus_and_interfaces_add_up() {
        let total = sum(&[(Some("lan0".to_owned()), rows(&[1, 2])), (None, rows(&[0, 5]))]);
        let counted = |packets| Counts(vec![(Reason::Steered, Counter { packets, bytes: packets * 100 })]);
        assert_eq!((total.cpus(), total.all()), (2, counted(8)));
        assert_eq!((total.cpu(0), total.cpu(1), total.cpu(2)), (counted(1), counted(7), Counts::default()));
        assert_eq!(sum(&[]).all(), Counts::default());
    }

    #[test]
    fn nobodys_slot_is_shown_where_something_is_in_it() {
        let shown = |nobody: &[u64]| {
            let some = [(Some("lan0".to_owned()), Rows::default()), (None, rows(nobody))];
            interfaces(&some, &[(Some("lan0".to_owned()), Rows::default()), (None, Rows::default())]).len()
        };
        assert_eq!((shown(&[0, 0]), shown(&[0, 1])), (1, 2));
    }
}
