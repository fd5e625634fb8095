//! Reconciling: whatever the maps hold, after [`Dataplane::sync`] they hold what is desired.
//!
//! The order keeps every packet's view whole: a target whose servers change their places serves from its primary
//! meanwhile; what is new is complete before a service points to it; what is gone is unreachable before it is
//! removed; an endpoint's flows are forgotten before its number is free.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::Hash,
};

use aya::{
    Pod,
    maps::{HashMap, MapData},
};
use failover_common::{
    key::{EndpointKey, FlowKey},
    names::{self, SCATTERED},
    value::{Availability, Counter, Flow, Origin, Server, Station},
};

use super::{
    error::Error,
    ids::Ids,
    load::Dataplane,
    maps::{Maps, entries, fails},
    netdev::{Devices, MOST_DEVICES},
    tables::{Desired, Tables, is_away, widened},
};
use crate::{config::model::Target, director::Place};

impl Dataplane {
    /// Makes the maps hold `desired`. What they hold is taken to be what was written last.
    pub fn sync(&mut self, desired: Desired<'_>) -> Result<(), Error> {
        let mut ids = self.ids.clone();
        ids.assign(desired.targets);
        let tables = Tables::of(desired.targets, &ids);
        if tables != self.applied {
            self.check_room(&ids, &tables)?;
            self.apply(tables)?;
        }
        self.ids = ids;
        self.place_all(desired)
    }

    /// Every target's decision.
    pub(super) fn place_all(&mut self, desired: Desired<'_>) -> Result<(), Error> {
        for (target, place) in desired.targets.iter().zip(desired.places) {
            self.place(target, *place);
        }
        self.maps.write_filters(&self.applied)
    }

    /// One target's decision, at once.
    pub fn place(&mut self, target: &Target, place: Place) {
        let id = self.ids.target(target);
        let before = self.maps.availability.get(id);
        let generation = before.generation().wrapping_add(u32::from(before.serving() != place.serving));
        let after = Availability::new(place.serving, place.live, generation).kept_by(place.keeper);
        if after != before {
            self.maps.availability.set(id, after);
            // A hint, which costs some time where it is wrong. Who leaves his primary is added, because a thousand may do so in one
            // instant; for who is back, all of it is made anew.
            let filtered = match (is_away(before), is_away(after)) {
                (false, true) => self.maps.widen_filters(target),
                (true, false) => self.maps.write_filters(&self.applied),
                _ => Ok(()),
            };
            if let Err(error) = filtered {
                tracing::debug!(%error, "the filters are as they were");
            }
        }
    }

    /// Who serves `target` by the map.
    pub fn placed(&self, target: &Target) -> Availability {
        self.maps.availability.get(self.ids.target(target))
    }

    /// Who served `target` when its tables were last written, by the list of backups that it has now: an older daemon
    /// may have had another one. The primary, where that server is gone.
    pub fn adopted_place(&self, target: &Target) -> Place {
        let now = self.placed(target);
        // From 1, as availabilities count; 0 where it is gone.
        let moved =
            |n: u8| self.applied.moved_to(target, u32::from(n) - 1).map_or(0, |place| place as u8 + 1);
        let (serving, keeper) = match (now.serving(), now.keeper()) {
            (0, keeper @ 2..) => (0, Some(moved(keeper - 1)).filter(|n| *n != 0).map_or(0, |n| n + 1)),
            (n @ (0 | Availability::NOBODY), _) => (n, 0),
            (n, keeper) => match moved(n) {
                0 => (0, 0),
                n => (n, keeper),
            },
        };
        Place { serving, keeper, live: now.live() }
    }

    /// The number under which the kernel knows `target`.
    pub fn id_of(&self, target: &Target) -> u32 {
        self.ids.target(target)
    }

    /// The numbers under which the kernel knows `targets` by now, of another configuration perhaps.
    pub fn known(&self, targets: &[Target]) -> Vec<Option<u32>> {
        self.ids.known(targets)
    }

    /// The target with this number.
    pub fn target_of<'a>(&self, id: u32, targets: &'a [Target]) -> Option<&'a Target> {
        targets.iter().find(|target| self.ids.target(target) == id)
    }

    /// Leaves packets to this probe socket alone, or no longer.
    pub fn exempt(&mut self, socket: &EndpointKey, exempt: bool) -> Result<(), Error> {
        if exempt {
            self.maps.probes.insert(socket, 1, 0).map_err(fails(names::PROBES, "add a probe socket"))
        } else {
            remove(&mut self.maps.probes, names::PROBES, socket)
        }?;
        if self.probe_ports.note(socket, exempt) { self.write_probe_ports() } else { Ok(()) }
    }

    /// The ports of all probe sockets: an answer's port tells most other packets from one.
    fn write_probe_ports(&mut self) -> Result<(), Error> {
        let ports = self.probe_ports.bitmap();
        self.maps.ports.set(names::PROBING, ports, 0).map_err(fails(names::PORTS, "write"))
    }

    /// Next hops that packets have found are looked up anew from now on; 0: each time.
    pub fn set_epoch(&mut self, epoch: u32) -> Result<(), Error> {
        self.maps.epoch.set(0, epoch, 0).map_err(fails(names::EPOCH, "write"))
    }

    /// Forgets every probe socket: those of an older daemon are closed.
    pub fn forget_probes(&mut self) -> Result<(), Error> {
        let sockets: Vec<EndpointKey> = self.maps.probes.keys().filter_map(Result::ok).collect();
        sockets.iter().try_for_each(|socket| remove(&mut self.maps.probes, names::PROBES, socket))?;
        self.write_probe_ports()
    }

    /// Follows the machine's devices: which can take a redirected frame, and the addresses of those that are attached.
    pub fn follow(&mut self, devices: &Devices) -> Result<(), Error> {
        self.redirect_to(&devices.redirectable)?;
        let attached = self.links.keys().filter_map(|name| devices.named(name));
        let forwards = attached.filter(|device| !device.knows_groups());
        let stations = forwards.filter_map(|device| Some((device.index, device.mac?))).collect();
        self.stand_at(&stations)
    }

    /// The Ethernet addresses of the devices at which the program is attached, by index.
    pub fn stand_at(&mut self, stations: &BTreeMap<u32, [u8; 6]>) -> Result<(), Error> {
        let map = &mut self.maps.stations;
        let known: Vec<u32> = map.keys().filter_map(Result::ok).collect();
        for gone in known.iter().filter(|index| !stations.contains_key(index)) {
            remove(map, names::STATIONS, gone)?;
        }
        for (index, [a, b, c, d, e, f]) in stations {
            let mac = [[*a, *b], [*c, *d], [*e, *f]].map(u16::from_ne_bytes);
            map.insert(index, Station { mac, reserved: 0 }, 0).map_err(fails(names::STATIONS, "write"))?;
        }
        Ok(())
    }

    /// The devices that can take a redirected frame, by index, with [`SCATTERED`] for one in several buffers.
    pub fn redirect_to(&mut self, devices: &BTreeSet<u32>) -> Result<(), Error> {
        let known: BTreeSet<u32> = self.maps.devices.keys().filter_map(Result::ok).collect();
        for gone in known.difference(devices) {
            // A device that was deleted took its entry along.
            let _ = self.maps.devices.remove(*gone);
        }
        for index in devices.difference(&known).take(MOST_DEVICES.saturating_sub(known.len())) {
            if let Err(error) = self.maps.devices.insert(*index, *index & !SCATTERED, None, 0) {
                tracing::debug!(index, %error, "the device is gone again");
            }
        }
        Ok(())
    }

    /// The tables of a running data plane do not grow.
    fn check_room(&self, ids: &Ids, tables: &Tables) -> Result<(), Error> {
        let (target, service) = ids.highest();
        let room = [
            ("AVAILABILITY", target as usize + 1, self.sizes.targets as usize),
            ("SERVICES", service as usize + 1, self.sizes.services as usize),
            ("HOSTS", tables.hosts.len(), self.sizes.hosts() as usize),
        ];
        match room.into_iter().find(|(_, needed, room)| needed > room) {
            Some((table, needed, room)) => Err(Error::NoRoom { table, needed, room }),
            None => Ok(()),
        }
    }

    fn apply(&mut self, new: Tables) -> Result<(), Error> {
        self.writes += 1;
        for target in new.disturbed(&self.applied) {
            let before = self.maps.availability.get(target);
            if (before.serving(), before.keeper()) != (0, 0) {
                let generation = before.generation().wrapping_add(1);
                self.maps.availability.set(target, Availability::new(0, before.live(), generation));
            }
        }
        let written = self.add(&new).and_then(|()| self.retire(&new));
        // After an error only the maps themselves know what they hold.
        self.applied = if written.is_ok() { new } else { self.maps.tables()? };
        written
    }

    /// Writes what `new` has and the maps have not.
    fn add(&mut self, new: &Tables) -> Result<(), Error> {
        let (old, maps) = (&self.applied, &mut self.maps);
        for (row, server) in &new.servers {
            if old.servers.get(row) != Some(server) {
                maps.servers.set(*row, server, 0).map_err(fails(names::SERVERS, "write"))?;
            }
        }
        for (row, origin) in &new.origins {
            if old.origins.get(row) != Some(origin) {
                maps.origins.set(*row, origin, 0).map_err(fails(names::ORIGINS, "write"))?;
            }
        }
        for host in new.hosts.difference(&old.hosts) {
            maps.hosts.insert(host, 1, 0).map_err(fails(names::HOSTS, "add a host"))?;
        }
        for (key, endpoint) in &new.backups {
            if old.backups.get(key) != Some(endpoint) {
                maps.backups.insert(key, endpoint, 0).map_err(fails(names::BACKUPS, "write"))?;
            }
        }
        for (key, service) in &new.services {
            if old.services.get(key) != Some(service) {
                maps.services.insert(key, service, 0).map_err(fails(names::SERVICES, "write"))?;
            }
        }
        for (place, discovery) in &new.discoveries {
            if old.discoveries.get(place) != Some(discovery) {
                let written = maps.discoveries.insert(place, discovery, 0);
                written.map_err(fails(names::DISCOVERIES, "write"))?;
            }
        }
        maps.write_filters(new)?;
        maps.ports.set(names::SIGNALLING, *new.ports(), 0).map_err(fails(names::PORTS, "write"))
    }

    /// Removes what the maps have and `new` has not.
    fn retire(&mut self, new: &Tables) -> Result<(), Error> {
        let (old, maps) = (&self.applied, &mut self.maps);
        for place in old.discoveries.keys().filter(|place| !new.discoveries.contains_key(place)) {
            remove(&mut maps.discoveries, names::DISCOVERIES, place)?;
        }
        for key in old.services.keys().filter(|key| !new.services.contains_key(key)) {
            remove(&mut maps.services, names::SERVICES, key)?;
        }
        for key in old.backups.keys().filter(|key| !new.backups.contains_key(key)) {
            remove(&mut maps.backups, names::BACKUPS, key)?;
        }
        for host in old.hosts.difference(&new.hosts) {
            remove(&mut maps.hosts, names::HOSTS, host)?;
        }
        for row in old.servers.keys().filter(|row| !new.servers.contains_key(row)) {
            maps.servers.set(*row, Server::default(), 0).map_err(fails(names::SERVERS, "clear"))?;
        }
        for row in old.origins.keys().filter(|row| !new.origins.contains_key(row)) {
            maps.origins.set(*row, Origin::default(), 0).map_err(fails(names::ORIGINS, "clear"))?;
        }
        let targets = |tables: &Tables| tables.services.values().map(|s| s.target).collect::<BTreeSet<_>>();
        let away: BTreeSet<u32> = targets(old).difference(&targets(new)).copied().collect();
        for gone in &away {
            // The generation goes on counting: the next owner's first steered packet is a new one.
            let generation = maps.availability.get(*gone).generation();
            maps.availability.set(*gone, Availability::new(0, 0, generation));
            maps.clear_counters(*gone)?;
        }
        let endpoints = |tables: &Tables| tables.backups.values().map(|e| e.id).collect::<BTreeSet<_>>();
        let gone: BTreeSet<u32> = endpoints(old).difference(&endpoints(new)).copied().collect();
        if !(gone.is_empty() && away.is_empty()) {
            maps.forget_calls(&gone, &away)?;
        }
        let changed = |(row, origin): (&u32, &Origin)| (new.origins.get(row) != Some(origin)).then_some(*row);
        let services: BTreeSet<u32> = old.origins.iter().filter_map(changed).collect();
        if gone.is_empty() && services.is_empty() { Ok(()) } else { maps.forget_flows(&gone, &services) }
    }
}

impl Maps {
    /// Everything that decides and everything that is remembered, from the maps of an older size.
    pub fn carry_over(&mut self, older: &Self) -> Result<(), Error> {
        let tables = older.tables()?;
        for (row, server) in &tables.servers {
            self.servers.set(*row, server, 0).map_err(fails(names::SERVERS, "carry over"))?;
        }
        for (row, origin) in &tables.origins {
            self.origins.set(*row, origin, 0).map_err(fails(names::ORIGINS, "carry over"))?;
        }
        copy(&older.hosts, &mut self.hosts, names::HOSTS)?;
        copy(&older.backups, &mut self.backups, names::BACKUPS)?;
        for target in tables.services.values().map(|service| service.target) {
            self.availability.set(target, older.availability.get(target));
            self.carry_over_counters(older, target)?;
        }
        self.interfaces.carry_over(&older.interfaces)?;
        self.carry_over_flows(older)?;
        self.carry_over_calls(older)?;
        copy(&older.services, &mut self.services, names::SERVICES)?;
        copy(&older.discoveries, &mut self.discoveries, names::DISCOVERIES)?;
        self.write_filters(&tables)?;
        self.ports.set(names::SIGNALLING, *tables.ports(), 0).map_err(fails(names::PORTS, "carry over"))
    }

    fn write_filters(&mut self, tables: &Tables) -> Result<(), Error> {
        let filters = tables.filters(|target| self.availability.get(target));
        self.filters.set(0, filters, 0).map_err(fails(names::FILTERS, "write"))
    }

    fn widen_filters(&mut self, target: &Target) -> Result<(), Error> {
        let filters = self.filters.get(&0, 0).map_err(fails(names::FILTERS, "read"))?;
        self.filters.set(0, widened(filters, target), 0).map_err(fails(names::FILTERS, "write"))
    }

    /// The flows alone.
    pub fn carry_over_flows(&mut self, older: &Self) -> Result<(), Error> {
        copy(&older.unanswered, &mut self.unanswered, names::UNANSWERED)?;
        // A smaller table takes as many as it has room for.
        copy_some(&older.answered, &mut self.answered);
        Ok(())
    }

    fn carry_over_counters(&mut self, older: &Self, target: u32) -> Result<(), Error> {
        for reason in 0..names::REASON_SLOTS {
            let index = target * names::REASON_SLOTS + reason;
            let values = older.counters.get(&index, 0).map_err(fails(names::COUNTERS, "carry over"))?;
            self.counters.set(index, values, 0).map_err(fails(names::COUNTERS, "carry over"))?;
        }
        Ok(())
    }

    fn clear_counters(&mut self, target: u32) -> Result<(), Error> {
        for reason in 0..names::REASON_SLOTS {
            let index = target * names::REASON_SLOTS + reason;
            let cpus = self.counters.get(&index, 0).map_err(fails(names::COUNTERS, "read"))?.len();
            let zero = aya::maps::PerCpuValues::try_from(vec![Counter::default(); cpus])
                .map_err(|source| Error::io("count the CPUs", source))?;
            self.counters.set(index, zero, 0).map_err(fails(names::COUNTERS, "clear"))?;
        }
        Ok(())
    }

    fn forget_flows(&mut self, endpoints: &BTreeSet<u32>, services: &BTreeSet<u32>) -> Result<(), Error> {
        for (map, name) in [(&mut self.unanswered, names::UNANSWERED), (&mut self.answered, names::ANSWERED)]
        {
            let gone = |(key, flow): &(FlowKey, Flow)| {
                endpoints.contains(&key.endpoint) || services.contains(&flow.service)
            };
            let flows: Vec<_> = entries(map, name).filter_map(Result::ok).filter(gone).collect();
            flows.iter().try_for_each(|(key, _)| remove(map, name, key))?;
        }
        Ok(())
    }
}

pub(super) fn copy<K: Pod + Hash, V: Pod>(
    from: &HashMap<MapData, K, V>,
    to: &mut HashMap<MapData, K, V>,
    name: &'static str,
) -> Result<(), Error> {
    for entry in entries(from, name) {
        let (key, value) = entry?;
        to.insert(key, value, 0).map_err(fails(name, "carry over"))?;
    }
    Ok(())
}

/// As many as there is room for.
pub(super) fn copy_some<K: Pod + Hash, V: Pod>(
    from: &HashMap<MapData, K, V>,
    to: &mut HashMap<MapData, K, V>,
) {
    // Without room for this one there is none for the next one.
    let _ = entries(from, "").filter_map(Result::ok).try_for_each(|(key, value)| to.insert(key, value, 0));
}

/// Removes a key; one that is not there is no error.
pub(super) fn remove<K: Pod + Hash, V: Pod>(
    map: &mut HashMap<MapData, K, V>,
    name: &'static str,
    key: &K,
) -> Result<(), Error> {
    match map.remove(key) {
        Err(aya::maps::MapError::SyscallError(error))
            if error.io_error.kind() == std::io::ErrorKind::NotFound =>
        {
            Ok(())
        }
        Ok(()) | Err(aya::maps::MapError::KeyNotFound) => Ok(()),
        Err(error) => Err(fails(name, "remove")(error)),
    }
}
