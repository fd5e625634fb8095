//! The configuration's addresses as map keys.

use std::net::IpAddr;

use failover_common::key::{EndpointKey, mapped};

use crate::config::model::{Backup, Target};

/// An address as the maps write it.
pub fn bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => mapped(v4.octets()),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The keys of a target's services, in their order.
pub fn service_keys(target: &Target) -> impl Iterator<Item = EndpointKey> {
    target
        .services
        .iter()
        .map(|service| EndpointKey::new(bytes(target.address), service.port, service.transport.protocol()))
}

/// The keys of a backup's endpoints, in the order of the target's services.
pub fn backup_keys(target: &Target, backup: &Backup) -> impl Iterator<Item = EndpointKey> {
    target
        .services
        .iter()
        .zip(&backup.ports)
        .map(|(service, port)| EndpointKey::new(bytes(backup.address), *port, service.transport.protocol()))
}
