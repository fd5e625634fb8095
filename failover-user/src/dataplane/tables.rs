//! The desired tables: what the maps must hold for a configuration. Pure.

use std::collections::{BTreeMap, BTreeSet};

use failover_common::{
    key::{EndpointKey, HostKey},
    names::MAX_BACKUPS,
    value::{Endpoint, Origin, PortBitmap, Server, Service},
};

use super::{
    ids::Ids,
    keys::{backup_keys, bytes, service_keys},
};
use crate::{
    config::model::{Backup, Target},
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
    pub servers: BTreeMap<u32, Server>,
    pub backups: BTreeMap<EndpointKey, Endpoint>,
    pub hosts: BTreeSet<HostKey>,
}

impl Tables {
    /// The tables for `targets`; `ids` has given every one of them its numbers.
    pub fn of(targets: &[Target], ids: &Ids) -> Self {
        let mut tables = Self::default();
        for target in targets {
            tables.add(target, ids);
        }
        for (key, service) in &mut tables.services {
            service.endpoint = tables.backups.get(key).map_or(0, |endpoint| endpoint.id);
        }
        tables
    }

    fn add(&mut self, target: &Target, ids: &Ids) {
        let id = ids.target(target);
        self.hosts.insert(HostKey { address: bytes(target.address), target: id });
        for key in service_keys(target) {
            let service = Service { target: id, service: ids.service(&key), endpoint: 0, reserved: 0 };
            self.services.insert(key, service);
        }
        for (n, backup) in target.backups.iter().enumerate() {
            self.hosts.insert(HostKey { address: bytes(backup.address), target: id });
            for (asked, serves) in service_keys(target).zip(backup_keys(target, backup)) {
                self.add_backup(id, n, backup.dedicated, &asked, serves, ids);
            }
        }
    }

    fn add_backup(
        &mut self,
        target: u32,
        n: usize,
        dedicated: bool,
        asked: &EndpointKey,
        serves: EndpointKey,
        ids: &Ids,
    ) {
        let origin = Origin { address: asked.address, port: asked.port, reserved: [0; 2], target };
        let id = ids.endpoint(&serves);
        let place = Server {
            address: serves.address,
            port: serves.port,
            flags: if dedicated { Server::DEDICATED } else { 0 },
            endpoint: id,
        };
        self.servers.insert(ids.service(asked) * MAX_BACKUPS + n as u32, place);
        let endpoint = if dedicated {
            Endpoint { id, flags: Endpoint::DEDICATED, origin }
        } else {
            Endpoint { id, ..Endpoint::default() }
        };
        self.backups.insert(serves, endpoint);
    }

    /// Where the server that these tables have at place `n` (from 0) of `target`'s backups stands in its list by now.
    pub fn moved_to(&self, target: &Target, n: u32) -> Option<usize> {
        let mut keys = service_keys(target).enumerate();
        let (index, service) = keys.find_map(|(index, key)| Some((index, self.services.get(&key)?)))?;
        let server = self.servers.get(&(service.service * MAX_BACKUPS + n))?;
        let same_host = |backup: &Backup| bytes(backup.address) == server.address;
        let same_port =
            |backup: &Backup| backup.ports.get(index).map(|port| port.to_be_bytes()) == Some(server.port);
        let mut backups = target.backups.iter();
        backups
            .position(|backup| same_host(backup) && same_port(backup))
            .or_else(|| target.backups.iter().position(same_host))
    }

    /// The ports at which signalling enters or leaves.
    pub fn ports(&self) -> Box<PortBitmap> {
        let mut bitmap = Box::new(PortBitmap([0; PortBitmap::WORDS]));
        for key in self.services.keys().chain(self.backups.keys()) {
            let tcp = key.protocol == failover_common::key::TCP;
            let (word, bit) = PortBitmap::place(u16::from_be_bytes(key.port), tcp);
            if let Some(word) = bitmap.0.get_mut(word) {
                *word |= bit;
            }
        }
        bitmap
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn paris(backups: &[(&str, u16)]) -> Target {
        let head = "[router]\ninterfaces = [\"wan0\"]\n[[target]]\nname = \"paris\"\naddress = \"192.0.2.10\"\n\
                    services = [\"sip/udp:5060\"]\n";
        let backup = |(n, (address, port)): (usize, &(&str, u16))| {
            let ports = format!("{{ \"sip/udp\" = {port} }}");
            format!("[[target.backup]]\nname = \"b{n}\"\naddress = \"{address}\"\nports = {ports}\n")
        };
        let backups: Vec<String> = backups.iter().enumerate().map(backup).collect();
        let text = head.to_owned() + &backups.concat();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        config::load(file.path()).unwrap().config.targets.remove(0)
    }

    #[test]
    fn a_backup_is_found_again_after_its_list_was_changed() {
        let before = [paris(&[("198.51.100.1", 5060), ("198.51.100.2", 5060), ("198.51.100.2", 5070)])];
        let mut ids = Ids::default();
        ids.assign(&before);
        let tables = Tables::of(&before, &ids);
        let now = paris(&[("198.51.100.2", 5070), ("198.51.100.2", 5060), ("198.51.100.3", 5060)]);
        assert_eq!([0, 1, 2, 3].map(|n| tables.moved_to(&now, n)), [None, Some(1), Some(0), None]);
        let elsewhere = paris(&[("198.51.100.1", 5080)]);
        assert_eq!(tables.moved_to(&elsewhere, 0), Some(0), "the host, where only its port is another one");
    }
}
