//! The configuration's addresses as map keys.

use std::net::IpAddr;

use failover_common::key::{EndpointKey, mapped};

use crate::config::model::{Backup, Family, Target};

/// An address as the maps write it.
pub fn bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => mapped(v4.octets()),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The keys of a target's services: of each of its addresses, in the order of the services.
pub fn service_keys(target: &Target) -> impl Iterator<Item = EndpointKey> {
    target.addresses.iter().flat_map(|address| {
        let key = move |port, transport: u8| EndpointKey::new(bytes(address), port, transport);
        target.services.iter().map(move |service| key(service.port, service.transport.protocol()))
    })
}

/// What leads to a backup: the key of a service, and that of the endpoint at which the backup serves it; in the order
/// of [`service_keys`]. Addresses of which the backup has none of a family that will do lead nowhere.
pub fn ways(target: &Target, backup: &Backup) -> impl Iterator<Item = (EndpointKey, EndpointKey)> {
    let pairs = Family::ALL.into_iter().filter_map(|family| {
        let serves = target.steer.address(backup.addresses, family);
        Some((bytes(target.addresses.of(family)?), bytes(serves?)))
    });
    pairs.flat_map(|(asked, serves)| {
        target.services.iter().zip(&backup.ports).map(move |(service, port)| {
            let protocol = service.transport.protocol();
            (EndpointKey::new(asked, service.port, protocol), EndpointKey::new(serves, *port, protocol))
        })
    })
}
