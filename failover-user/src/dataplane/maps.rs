//! Typed handles of every map, and what they hold now.

use std::io;

use aya::{
    Ebpf, Pod,
    maps::{Array, HashMap, IterableMap, Map, MapData, MapError, PerCpuArray, RingBuf, xdp::DevMapHash},
};
use failover_common::{
    key::{CallKey, EndpointKey, FlowKey, HostKey},
    names,
    value::{Call, Counter, Endpoint, Filters, Flow, Origin, PortBitmap, Server, Service, Station},
};

use super::{
    availability::AvailabilityTable, batch::Walk, error::Error, interfaces::Interfaces, pins::Pins,
    tables::Tables,
};

/// The maps whose sizes the loader chooses, and all others: every name there is.
pub const NAMES: [&str; 29] = [
    names::PORTS,
    names::FILTERS,
    names::SERVICES,
    names::AVAILABILITY,
    names::SERVERS,
    names::BACKUPS,
    names::HOSTS,
    names::ORIGINS,
    names::UNANSWERED,
    names::ANSWERED,
    names::UNANSWERED_CALLS,
    names::ANSWERED_CALLS,
    names::CALL_SEED,
    names::FRAGMENTS,
    names::PROBES,
    names::DEVICES,
    names::EPOCH,
    names::STATIONS,
    names::DISCOVERIES,
    names::COUNTERS,
    names::INTERFACES,
    names::INTERFACE_NAMES,
    names::INTERFACE_COUNTERS,
    names::ANNOUNCED,
    names::SUSPECTED,
    names::EVENTS,
    names::COPIES,
    names::COPIES_LOST,
    names::CONNECTIONS,
];

/// Every map that this side reads or writes, but the ring buffer, whose one reader owns it.
pub struct Maps {
    pub ports: Array<MapData, PortBitmap>,
    pub filters: Array<MapData, Filters>,
    pub services: HashMap<MapData, EndpointKey, Service>,
    pub availability: AvailabilityTable,
    pub servers: Array<MapData, Server>,
    pub backups: HashMap<MapData, EndpointKey, Endpoint>,
    pub hosts: HashMap<MapData, HostKey, u32>,
    pub origins: Array<MapData, Origin>,
    pub unanswered: HashMap<MapData, FlowKey, Flow>,
    pub answered: HashMap<MapData, FlowKey, Flow>,
    pub unanswered_calls: HashMap<MapData, CallKey, Call>,
    pub answered_calls: HashMap<MapData, CallKey, Call>,
    pub call_seed: Array<MapData, u64>,
    pub probes: HashMap<MapData, EndpointKey, u32>,
    pub devices: DevMapHash<MapData>,
    pub epoch: Array<MapData, u32>,
    pub stations: HashMap<MapData, u32, Station>,
    pub discoveries: HashMap<MapData, u32, EndpointKey>,
    pub counters: PerCpuArray<MapData, Counter>,
    pub interfaces: Interfaces,
}

/// The ring buffer of kernel events.
pub type Events = RingBuf<MapData>;

impl Maps {
    /// The maps of a loaded object.
    pub fn take(ebpf: &mut Ebpf) -> Result<(Self, Events), Error> {
        Self::collect(|name| {
            ebpf.take_map(name).ok_or_else(|| Error::Load { reason: format!("the object has no map {name}") })
        })
    }

    /// The maps that are pinned in `folder`.
    pub fn open(folder: &std::path::Path) -> Result<Self, Error> {
        let pinned = |name: &'static str| {
            let path = folder.join(name);
            let map = MapData::from_pin(&path).and_then(Map::from_map_data);
            map.map_err(|source| match Error::load(&source) {
                permission @ Error::NotPermitted { .. } => permission,
                _ => Error::Map { map: name, action: "open its pin", source },
            })
        };
        Self::collect(pinned).map(|(maps, _)| maps)
    }

    fn collect(mut map: impl FnMut(&'static str) -> Result<Map, Error>) -> Result<(Self, Events), Error> {
        let availability = match map(names::AVAILABILITY)? {
            Map::Array(data) => {
                let len = data.info().map_err(fails(names::AVAILABILITY, "look at"))?.max_entries();
                AvailabilityTable::map(&data, len as usize)?
            }
            _ => return Err(Error::Load { reason: "AVAILABILITY is not an array".into() }),
        };
        let maps = Self {
            ports: typed(names::PORTS, &mut map)?,
            filters: typed(names::FILTERS, &mut map)?,
            services: typed(names::SERVICES, &mut map)?,
            availability,
            servers: typed(names::SERVERS, &mut map)?,
            backups: typed(names::BACKUPS, &mut map)?,
            hosts: typed(names::HOSTS, &mut map)?,
            origins: typed(names::ORIGINS, &mut map)?,
            unanswered: typed(names::UNANSWERED, &mut map)?,
            answered: typed(names::ANSWERED, &mut map)?,
            unanswered_calls: typed(names::UNANSWERED_CALLS, &mut map)?,
            answered_calls: typed(names::ANSWERED_CALLS, &mut map)?,
            call_seed: typed(names::CALL_SEED, &mut map)?,
            probes: typed(names::PROBES, &mut map)?,
            devices: typed(names::DEVICES, &mut map)?,
            epoch: typed(names::EPOCH, &mut map)?,
            stations: typed(names::STATIONS, &mut map)?,
            discoveries: typed(names::DISCOVERIES, &mut map)?,
            counters: typed(names::COUNTERS, &mut map)?,
            interfaces: Interfaces {
                slots: typed(names::INTERFACES, &mut map)?,
                names: typed(names::INTERFACE_NAMES, &mut map)?,
                counters: typed(names::INTERFACE_COUNTERS, &mut map)?,
            },
        };
        Ok((maps, typed(names::EVENTS, &mut map)?))
    }

    /// What the tables hold now.
    pub fn tables(&self) -> Result<Tables, Error> {
        let mut tables = Tables {
            services: entries(&self.services, names::SERVICES).collect::<Result<_, _>>()?,
            backups: entries(&self.backups, names::BACKUPS).collect::<Result<_, _>>()?,
            discoveries: entries(&self.discoveries, names::DISCOVERIES).collect::<Result<_, _>>()?,
            ..Tables::default()
        };
        for entry in entries(&self.hosts, names::HOSTS) {
            tables.hosts.insert(entry?.0);
        }
        for entry in entries(&self.origins, names::ORIGINS) {
            let (row, origin) = entry?;
            if origin.target != 0 {
                tables.origins.insert(row, origin);
            }
        }
        // Behind the last service there is nothing that anybody looks at.
        let services = tables.origins.keys().next_back().map_or(0, |last| last + 1);
        for entry in entries(&self.servers, names::SERVERS).take((services * names::MAX_BACKUPS) as usize) {
            let (row, server) = entry?;
            if server.endpoint != 0 {
                tables.servers.insert(row, server);
            }
        }
        Ok(tables)
    }
}

/// Every entry of a hash map, or of an array by index.
pub fn entries<'a, K: Pod, V: Pod>(
    map: &'a impl IterableMap<K, V>,
    name: &'static str,
) -> impl Iterator<Item = Result<(K, V), Error>> + 'a {
    Walk::of(map.map()).map(move |entry| entry.map_err(reading(name)))
}

/// An error of reading many entries of the map `name`.
pub fn reading(name: &'static str) -> impl Fn(io::Error) -> Error {
    move |error| Error::io(format!("read the map {name}"), error)
}

/// An error of the map `name`.
pub fn fails(map: &'static str, action: &'static str) -> impl Fn(MapError) -> Error {
    move |source| Error::Map { map, action, source }
}

fn typed<T: TryFrom<Map, Error = MapError>>(
    name: &'static str,
    map: &mut impl FnMut(&'static str) -> Result<Map, Error>,
) -> Result<T, Error> {
    T::try_from(map(name)?).map_err(fails(name, "take for what it should be"))
}

/// The number of entries that the pinned map `name` has room for; `None` where it is not pinned.
pub fn pinned_room(pins: &Pins, name: &str) -> Option<u32> {
    MapData::from_pin(pins.maps().join(name)).ok()?.info().ok().map(|info| info.max_entries())
}
