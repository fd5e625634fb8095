//! Who has a TCP connection with a primary.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr, SocketAddr},
};

use aya::maps::{Array, HashMap, MapData};
use failover_common::{key::ConnectionKey, names, value::Origin};

use super::{
    error::Error,
    load::Dataplane,
    maps::{entries, fails},
};

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// Target id.
    pub target: u32,
    /// Who has it.
    pub client: SocketAddr,
    /// The address that the client asked: the primary's.
    pub asked: SocketAddr,
}

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
    /// The connections with the primaries of these targets; they are forgotten with that.
    pub fn take(&mut self, targets: &BTreeSet<u32>) -> Result<Vec<Connection>, Error> {
        let mut mine = Vec::new();
        for entry in entries(&self.connections, names::CONNECTIONS) {
            let (key, _) = entry?;
            // A row that is gone is no target's.
            let origin = self.origins.get(&key.service, 0).unwrap_or_default();
            if targets.contains(&origin.target) {
                mine.push((key, origin));
            }
        }
        let mut taken = Vec::with_capacity(mine.len());
        for (key, origin) in mine {
            // One that has ended meanwhile is nobody's.
            if self.connections.remove(&key).is_ok() {
                let (client, asked) = (at(key.client, key.port), at(origin.address, origin.port));
                taken.push(Connection { target: origin.target, client, asked });
            }
        }
        Ok(taken)
    }
}

fn at(address: [u8; 16], port: [u8; 2]) -> SocketAddr {
    let address: IpAddr = Ipv6Addr::from(address).to_canonical();
    SocketAddr::new(address, u16::from_be_bytes(port))
}
