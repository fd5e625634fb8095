//! The desired tables: what the maps must hold for a configuration. Pure.

use std::collections::{BTreeMap, BTreeSet};

use failover_common::{
    key::{EndpointKey, HostKey, UDP, mapped},
    names::{DISCOVERY, MAX_BACKUPS, MOST_DISCOVERIES},
    value::{Availability, Endpoint, Filters, Hosts, Origin, PortBitmap, Server, Service},
};

use super::{
    ids::Ids,
    keys::{bytes, service_keys, ways},
};
use crate::{
    config::model::{self, Addresses, Family, ServiceKind, Steer, Target},
    director::Place,
};

/// What the data plane should be doing.
#[derive(Clone, Copy, Debug)]
pub struct Desired<'a> {
    /// The topology.
    pub targets: &'a [Target],
    /// Who serves each, in the same order.
    pub places: &'a [Place],
}

/// The contents of the maps that follow the topology.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Tables {
    pub services: BTreeMap<EndpointKey, Service>,
    pub origins: BTreeMap<u32, Origin>,
    pub servers: BTreeMap<u32, Server>,
    pub backups: BTreeMap<EndpointKey, Endpoint>,
    pub hosts: BTreeSet<HostKey>,
    /// By place in the order of the targets.
    pub discoveries: BTreeMap<u32, EndpointKey>,
}

impl Tables {
    /// The tables for `targets`; `ids` has given every one of them its numbers.
    pub fn of(targets: &[Target], ids: &Ids) -> Self {
        let mut tables = Self::default();
        for target in targets {
            tables.add(target, ids);
        }
        let hosts = tables.backups.keys().map(|key| words(&key.address));
        let backups = hosts.fold(Hosts::default(), Hosts::and);
        for (key, service) in &mut tables.services {
            service.backups = backups;
            service.endpoint = tables.backups.get(key).map_or(0, |endpoint| endpoint.id);
        }
        tables.find_exclusive();
        tables.mark_pins();
        let found = targets.iter().filter_map(discovered);
        tables.discoveries = (0..MOST_DISCOVERIES).zip(found).collect();
        tables
    }

    fn add(&mut self, target: &Target, ids: &Ids) {
        let id = ids.target(target);
        let servers = target.backups.iter().map(|backup| backup.addresses);
        let mut hosts = Hosts::default();
        for address in std::iter::once(target.addresses).chain(servers).flat_map(Addresses::iter) {
            let key = HostKey { address: bytes(address), target: id };
            hosts = hosts.and(words(&key.address));
            self.hosts.insert(key);
        }
        for key in service_keys(target) {
            let (number, flags) = (ids.service(&key), flags(target, &key));
            let service = Service { target: id, service: number, flags, hosts, ..Service::default() };
            self.services.insert(key, service);
            let origin = Origin { address: key.address, port: key.port, reserved: [0; 2], target: id };
            self.origins.insert(number, origin);
        }
        for (n, backup) in target.backups.iter().enumerate() {
            for (asked, serves) in ways(target, backup) {
                let row = ids.service(&asked) * MAX_BACKUPS + n as u32;
                match target.steer {
                    Steer::Nat => self.add_backup(row, backup.dedicated, hosts, serves, ids),
                    Steer::L2 => self.add_itself(row, Server::L2, &serves),
                    Steer::Ipip => self.add_itself(row, Server::IPIP, &serves),
                }
            }
        }
    }

    fn add_backup(&mut self, row: u32, dedicated: bool, hosts: Hosts, serves: EndpointKey, ids: &Ids) {
        let id = ids.endpoint(&serves);
        let flags = if dedicated { Server::DEDICATED } else { 0 };
        let place = Server { address: serves.address, port: serves.port, flags, endpoint: id };
        self.servers.insert(row, place);
        let endpoint = self.backups.entry(serves).or_default();
        endpoint.id = id;
        endpoint.hosts = endpoint.hosts.and_all(hosts);
        if dedicated {
            endpoint.flags = Endpoint::DEDICATED;
            endpoint.origin = self.origins.get(&(row / MAX_BACKUPS)).copied().unwrap_or_default();
        }
    }

    /// An endpoint of one service alone, which is not a service itself, needs less memory of its clients.
    fn find_exclusive(&mut self) {
        let mut served: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for (row, server) in &self.servers {
            served.entry(server.endpoint).or_default().insert(row / MAX_BACKUPS);
        }
        for (key, endpoint) in &mut self.backups {
            let services = served.get(&endpoint.id).into_iter().flatten();
            let [service] = services.copied().collect::<Vec<_>>()[..] else { continue };
            if endpoint.flags == 0 && !self.services.contains_key(key) {
                endpoint.flags = Endpoint::EXCLUSIVE;
                endpoint.origin = self.origins.get(&service).copied().unwrap_or_default();
                let places = self.servers.values_mut().filter(|server| server.endpoint == endpoint.id);
                places.for_each(|server| server.flags |= Server::EXCLUSIVE);
            }
        }
    }

    /// A backup that carries the target's address: what comes from it is the target's own, and needs nothing here.
    fn add_itself(&mut self, row: u32, steer: u16, serves: &EndpointKey) {
        let (address, port) = (serves.address, serves.port);
        self.servers.insert(row, Server { address, port, flags: steer, endpoint: Server::ITSELF });
    }

    /// What a service pins is to be noted wherever it is served.
    fn mark_pins(&mut self) {
        let flags: BTreeMap<u32, u32> = self.services.values().map(|s| (s.service, s.flags)).collect();
        let mut pinned: BTreeMap<u32, u32> = BTreeMap::new();
        for (row, server) in &self.servers {
            let flags = flags.get(&(row / MAX_BACKUPS)).copied().unwrap_or_default();
            *pinned.entry(server.endpoint).or_default() |= pins(flags);
        }
        for endpoint in self.backups.values_mut() {
            endpoint.flags |= pinned.get(&endpoint.id).copied().unwrap_or_default();
        }
    }

    /// Where the server that these tables have at place `n` (from 0) of `target`'s backups stands in its list by now.
    pub fn moved_to(&self, target: &Target, n: u32) -> Option<usize> {
        let same = |alike: fn(&EndpointKey, &Server) -> bool| {
            let leads_there = |(asked, serves): (EndpointKey, EndpointKey)| {
                self.server(&asked, n).is_some_and(|server| alike(&serves, server))
            };
            target.backups.iter().position(|backup| ways(target, backup).any(leads_there))
        };
        same(|key, server| (key.address, key.port) == (server.address, server.port))
            .or_else(|| same(|key, server| key.address == server.address))
    }

    /// Where the backup at place `n` (from 0) serves the service `asked`.
    pub fn server(&self, asked: &EndpointKey, n: u32) -> Option<&Server> {
        self.servers.get(&(self.services.get(asked)?.service * MAX_BACKUPS + n))
    }

    /// The hosts at which anything is served, with these decisions.
    pub fn filters(&self, availability: impl Fn(u32) -> Availability) -> Filters {
        let hosts = |addresses: &mut dyn Iterator<Item = [u8; 16]>| {
            addresses.map(|address| words(&address)).fold(Hosts::default(), Hosts::and)
        };
        let away = self.services.iter().filter(|(_, service)| is_away(availability(service.target)));
        Filters {
            services: hosts(&mut self.services.keys().map(|key| key.address)),
            backups: hosts(&mut self.backups.keys().map(|key| key.address)),
            away: hosts(&mut away.map(|(key, _)| key.address)),
        }
    }

    /// The ports at which signalling enters or leaves.
    pub fn ports(&self) -> Box<PortBitmap> {
        let group = EndpointKey::new(mapped(DISCOVERY.0), DISCOVERY.1, UDP);
        let asked = (!self.discoveries.is_empty()).then_some(&group);
        bitmap(self.services.keys().chain(self.backups.keys()).chain(asked))
    }

    /// Ids of the targets whose rows of servers in `before` are not the same in `self`.
    pub fn disturbed(&self, before: &Self) -> BTreeSet<u32> {
        let owners: BTreeMap<u32, u32> =
            before.services.values().map(|service| (service.service, service.target)).collect();
        let rows = self.servers.keys().chain(before.servers.keys());
        rows.filter(|row| self.servers.get(row) != before.servers.get(row))
            .filter_map(|row| owners.get(&(row / MAX_BACKUPS)).copied())
            .collect()
    }
}

/// Whether a target is not with its primary alone.
pub fn is_away(now: Availability) -> bool {
    (now.serving(), now.keeper()) != (0, 0)
}

/// The same filters, once `target` is away as well.
pub fn widened(filters: Filters, target: &Target) -> Filters {
    let away = service_keys(target).map(|key| words(&key.address)).fold(filters.away, Hosts::and);
    Filters { away, ..filters }
}

/// The ports of these endpoints.
pub fn bitmap<'a>(endpoints: impl Iterator<Item = &'a EndpointKey>) -> Box<PortBitmap> {
    let mut bitmap = Box::new(PortBitmap([0; PortBitmap::WORDS]));
    for key in endpoints {
        let tcp = key.protocol == failover_common::key::TCP;
        let (word, bit) = PortBitmap::place(u16::from_be_bytes(key.port), tcp);
        if let Some(word) = bitmap.0.get_mut(word) {
            *word |= bit;
        }
    }
    bitmap
}

/// An address in words of memory.
fn words(address: &[u8; 16]) -> [u32; 4] {
    std::array::from_fn(|n| {
        u32::from_ne_bytes([address[4 * n], address[4 * n + 1], address[4 * n + 2], address[4 * n + 3]])
    })
}

/// The RAS service at which a phone finds `target` that asks for any gatekeeper; only IPv4 has a group for that.
fn discovered(target: &Target) -> Option<EndpointKey> {
    let ras = target.services.iter().find(|service| service.kind == ServiceKind::Ras)?;
    let address = bytes(target.addresses.of(Family::V4)?);
    Some(EndpointKey::new(address, ras.port, ras.transport.protocol()))
}

/// What failback leaves where it began.
fn flags(target: &Target, asked: &EndpointKey) -> u32 {
    let is_asked = |service: &&model::Service| {
        (service.port.to_be_bytes(), service.transport.protocol()) == (asked.port, asked.protocol)
    };
    let sip = target.services.iter().find(is_asked).is_some_and(model::Service::is_sip_over_udp);
    let flag = |is, flag| if is { flag } else { 0 };
    flag(target.keeps_connections(), Service::PIN_FLOWS)
        | flag(sip && target.remembers(), Service::SIP)
        | flag(sip && target.keeps_calls(), Service::PIN_CALLS)
        | flag(sip && target.replay, Service::WATCHED)
}

/// The same of an endpoint at which a service with these `flags` is served.
const fn pins(flags: u32) -> u32 {
    (if flags & Service::PIN_FLOWS != 0 { Endpoint::PIN_FLOWS } else { 0 })
        | if flags & Service::PIN_CALLS != 0 { Endpoint::PIN_CALLS } else { 0 }
}

#[cfg(test)]
pub(super) mod tests {
    use std::net::IpAddr;

    use super::*;
    use crate::config;

    const ROUTER: &str = "[router]\ninterfaces = [\"wan0\"]\n";

    /// Targets as a configuration has them.
    fn parsed(text: &str) -> Vec<Target> {
        config::parse("test", &(ROUTER.to_owned() + text)).unwrap().config.targets
    }

    /// A target for each of `addresses`, which may say more words behind; with a backup that has both families.
    pub fn targets(addresses: &[&str]) -> Vec<Target> {
        let target = |(n, address): (usize, &&str)| {
            let backup = format!("[\"198.51.100.{n}\", \"2001:db8:1::{n}\"]", n = n + 1);
            format!(
                "[[target]]\nname = \"t{n}\"\naddress = {address}\n[[target.backup]]\nname = \"b\"\naddress = {backup}\n"
            )
        };
        parsed(&addresses.iter().enumerate().map(target).collect::<String>())
    }

    fn paris(address: &str, backups: &[(&str, u16)]) -> Target {
        let head =
            format!("[[target]]\nname = \"paris\"\naddress = {address}\nservices = [\"sip/udp:5060\"]\n");
        let backup = |(n, (address, port)): (usize, &(&str, u16))| {
            let ports = format!("{{ \"sip/udp\" = {port} }}");
            format!("[[target.backup]]\nname = \"b{n}\"\naddress = {address}\nports = {ports}\n")
        };
        let backups: String = backups.iter().enumerate().map(backup).collect();
        parsed(&(head + &backups)).remove(0)
    }

    fn tables(target: &Target) -> (Tables, Ids) {
        let mut ids = Ids::default();
        ids.assign(std::slice::from_ref(target));
        (Tables::of(std::slice::from_ref(target), &ids), ids)
    }

    const V4: &str = "\"192.0.2.10\"";
    const BOTH: &str = "[\"192.0.2.10\", \"2001:db8::10\"]";

    #[test]
    fn a_backup_is_found_again_after_its_list_was_changed() {
        let [one, two, three] = ["\"198.51.100.1\"", "\"198.51.100.2\"", "\"198.51.100.3\""];
        let (tables, _) = tables(&paris(V4, &[(one, 5060), (two, 5060), (two, 5070)]));
        let now = paris(V4, &[(two, 5070), (two, 5060), (three, 5060)]);
        assert_eq!([0, 1, 2, 3].map(|n| tables.moved_to(&now, n)), [None, Some(1), Some(0), None]);
        let elsewhere = paris(V4, &[(one, 5080)]);
        assert_eq!(tables.moved_to(&elsewhere, 0), Some(0), "the host, where only its port is another one");
    }

    #[test]
    fn a_backup_is_found_again_by_either_family() {
        let (v4, v6, both) =
            ("\"198.51.100.1\"", "\"2001:db8:1::2\"", "[\"198.51.100.1\", \"2001:db8:1::1\"]");
        let (tables, _) = tables(&paris(BOTH, &[(v4, 5060), (v6, 5060)]));
        let now = paris(BOTH, &[(v6, 5060), (both, 5060)]);
        assert_eq!([0, 1].map(|n| tables.moved_to(&now, n)), [Some(1), Some(0)]);
        let renumbered = paris(BOTH, &[("[\"198.51.100.9\", \"2001:db8:1::2\"]", 5060)]);
        assert_eq!([0, 1].map(|n| tables.moved_to(&renumbered, n)), [None, Some(0)]);
        let v6_alone = paris("\"2001:db8::10\"", &[(v6, 5060)]);
        assert_eq!([0, 1].map(|n| tables.moved_to(&v6_alone, n)), [None, Some(0)]);
    }

    #[test]
    fn each_family_has_its_rows_and_a_backup_without_it_leaves_its_place_empty() {
        let (v4, both) = ("\"198.51.100.1\"", "[\"2001:db8:1::2\", \"198.51.100.2\"]");
        let target = paris(BOTH, &[(v4, 15060), (both, 25060)]);
        let (tables, ids) = tables(&target);
        let keys: Vec<EndpointKey> = service_keys(&target).collect();
        assert_eq!(tables.services.keys().collect::<BTreeSet<_>>(), keys.iter().collect());
        assert!(tables.services.values().all(|service| service.target == ids.target(&target)));
        let server = |key: usize, n| {
            let server = tables.server(&keys[key], n)?;
            Some((server.address, u16::from_be_bytes(server.port)))
        };
        let at = |address: &str, port| Some((bytes(address.parse().unwrap()), port));
        assert_eq!([server(0, 0), server(0, 1)], [at("198.51.100.1", 15060), at("198.51.100.2", 25060)]);
        assert_eq!([server(1, 0), server(1, 1)], [None, at("2001:db8:1::2", 25060)]);
        let hosts = ["192.0.2.10", "2001:db8::10", "198.51.100.1", "198.51.100.2", "2001:db8:1::2"];
        let host = |host: &str| HostKey { address: bytes(host.parse::<IpAddr>().unwrap()), target: 1 };
        assert_eq!(tables.hosts, hosts.map(host).into());
    }

    #[test]
    fn a_backup_that_carries_the_address_needs_nothing_on_the_way_back() {
        let (both, six) = ("[\"198.51.100.1\", \"2001:db8:1::1\"]", "\"2001:db8:1::2\"");
        for (word, flags) in [("l2", Server::L2), ("ipip", Server::IPIP)] {
            let backup = |(n, address)| format!("[[target.backup]]\nname = \"b{n}\"\naddress = {address}\n");
            let backups: String = [both, six].into_iter().enumerate().map(backup).collect();
            let target = parsed(&format!(
                "[[target]]\nname = \"paris\"\naddress = {BOTH}\nservices = [\"sip/udp\"]\nsteer = \"{word}\"\n{backups}"
            ))
            .remove(0);
            let (tables, _) = tables(&target);
            assert!(tables.backups.is_empty());
            let [four, six] = service_keys(&target).collect::<Vec<_>>()[..] else { panic!("two families") };
            let places = [tables.server(&four, 0), tables.server(&six, 0), tables.server(&six, 1)];
            for server in places {
                let server = server.unwrap();
                assert_eq!((server.flags, server.endpoint), (flags, Server::ITSELF));
            }
            let enveloped = tables.server(&four, 1).map(|server| server.address);
            let expected = (flags == Server::IPIP).then(|| bytes("2001:db8:1::2".parse().unwrap()));
            assert_eq!(enveloped, expected);
            assert_eq!(Tables::of(std::slice::from_ref(&target), &Ids::adopt(&tables)), tables);
        }
    }

    #[test]
    fn a_dedicated_backup_answers_in_each_family_as_the_target_of_that_family() {
        let both = "[\"198.51.100.1\", \"2001:db8:1::1\"]\ndedicated = true";
        let (tables, _) = tables(&paris(BOTH, &[(both, 15060)]));
        let origins: Vec<_> = tables.backups.iter().map(|(key, e)| (key.address, e.origin.address)).collect();
        let pair =
            |serves: &str, asked: &str| (bytes(serves.parse().unwrap()), bytes(asked.parse().unwrap()));
        let expected = [pair("198.51.100.1", "192.0.2.10"), pair("2001:db8:1::1", "2001:db8::10")];
        assert_eq!(origins, expected);
        let ids: BTreeSet<u32> = tables.backups.values().map(|endpoint| endpoint.id).collect();
        assert_eq!(ids, [1, 2].into());
    }
}
