//! A target's servers, the primary and its backups alike: where each of them serves it.

use std::net::{IpAddr, SocketAddr};

use super::model::{Backup, Family, Service, Target};

/// One server of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server<'a> {
    /// `primary`, or the backup's name.
    pub name: &'a str,
    /// Those of its addresses to which packets for one of the target's go: the others are never used.
    pub addresses: Vec<IpAddr>,
    /// Where it serves each of the target's services, in their order.
    pub ports: Vec<u16>,
}

impl Server<'_> {
    /// The endpoints at one of its addresses, in the order of the target's services.
    pub fn at(&self, address: IpAddr) -> impl Iterator<Item = SocketAddr> {
        self.ports.iter().map(move |port| SocketAddr::new(address, *port))
    }
}

impl Target {
    /// Whether packets go to this address of `backup`.
    fn is_served_at(&self, backup: &Backup, address: IpAddr) -> bool {
        let leads_there = |own| self.steer.address(backup.addresses, Family::of(own)) == Some(address);
        self.addresses.iter().any(leads_there)
    }

    /// The primary, then the backups in their order.
    pub fn servers(&self) -> impl Iterator<Item = Server<'_>> {
        let primary = Server {
            name: "primary",
            addresses: self.addresses.iter().collect(),
            ports: self.services.iter().map(|service| service.port).collect(),
        };
        let backups = self.backups.iter().map(|backup| Server {
            name: &backup.name,
            addresses: (backup.addresses.iter())
                .filter(|address| self.is_served_at(backup, *address))
                .collect(),
            ports: backup.ports.clone(),
        });
        std::iter::once(primary).chain(backups)
    }

    /// The services, all of which are probed, each with what of `each`, one for every service, belongs to it.
    pub fn probed<T>(&self, each: impl Iterator<Item = T>) -> impl Iterator<Item = (&Service, T)> {
        self.services.iter().zip(each)
    }
}
