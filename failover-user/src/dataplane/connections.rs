//! Who has a TCP connection with a primary.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use aya::maps::{Array, HashMap, MapData};
use failover_common::{key::ConnectionKey, names, value::Origin};

use super::{
    error::Error,
    load::Dataplane,
    maps::{entries, fails},
};

/// The table of them. Its owner may be another task than the data plane's.
pub struct Connections {
    connections: HashMap<MapData, ConnectionKey, u32>,
    origins: Array<MapData, Origin>,
}

impl Dataplane {
    /// The table of TCP connections with primaries.
    pub fn connections(&self) -> Result<Connections, Error> {
        let connections = HashMap::try_from(self.pinned(names::CONNECTIONS)?);
        let origins = Array::try_from(self.pinned(names::ORIGINS)?);
        Ok(Connections {
            connections: connections.map_err(fails(names::CONNECTIONS, "open"))?,
            origins: origins.map_err(fails(names::ORIGINS, "open"))?,
        })
    }
}

impl Connections {
    /// The connections with the primary of this target, each with the client and the address that it asked; they are
    /// forgotten with that.
    pub fn take(&mut self, target: u32) -> Result<Vec<(SocketAddr, SocketAddr)>, Error> {
        let mut mine = Vec::new();
        for entry in entries(&self.connections, names::CONNECTIONS) {
            let (key, _) = entry?;
            // A row that is gone is no target's.
            let origin = self.origins.get(&key.service, 0).unwrap_or_default();
            if origin.target == target {
                mine.push((key, origin));
            }
        }
        let mut taken = Vec::with_capacity(mine.len());
        for (key, origin) in mine {
            // One that has ended meanwhile is nobody's.
            if self.connections.remove(&key).is_ok() {
                taken.push((at(key.client, key.port), at(origin.address, origin.port)));
            }
        }
        Ok(taken)
    }
}

fn at(address: [u8; 16], port: [u8; 2]) -> SocketAddr {
    let address: IpAddr = Ipv6Addr::from(address).to_canonical();
    SocketAddr::new(address, u16::from_be_bytes(port))
}
