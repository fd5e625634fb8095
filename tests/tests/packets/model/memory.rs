//! What the router remembers: who asked whom, and where a datagram's first fragment went.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use failover_common::{reason::Reason, value::RIVAL_SECONDS};
use failover_user::config::model::Steer;

use super::{Endpoint, Stop, parse::Parsed};

/// Linux keeps fragments for 30 seconds.
const FRAGMENT_SECONDS: u64 = 30;

/// Whom a client asked.
#[derive(Clone, Copy, Debug)]
struct Way {
    target: usize,
    asked: SocketAddr,
    seen: u64,
    rival_seen: Option<u64>,
}

/// What became of a first fragment.
#[derive(Clone, Copy, Debug)]
pub struct Followed {
    pub target: usize,
    pub towards: bool,
    pub address: IpAddr,
    pub steer: Steer,
    seen: u64,
}

/// RFC 791: source, destination, protocol, identification. RFC 8200 §4.5 leaves out the protocol.
type Datagram = (IpAddr, IpAddr, Option<u8>, u32);

pub struct Memory {
    flows: BTreeMap<(SocketAddr, Endpoint), Way>,
    clients: BTreeMap<(IpAddr, Endpoint), Way>,
    fragments: BTreeMap<Datagram, Followed>,
    calls: BTreeSet<(Vec<u8>, Endpoint, usize)>,
    started: Instant,
    aged: u64,
}

impl Memory {
    pub fn new() -> Self {
        Self {
            flows: BTreeMap::new(),
            clients: BTreeMap::new(),
            fragments: BTreeMap::new(),
            calls: BTreeSet::new(),
            started: Instant::now(),
            aged: 0,
        }
    }

    pub fn age(&mut self, seconds: u32) {
        self.aged += u64::from(seconds);
    }

    pub fn now(&self) -> u64 {
        self.started.elapsed().as_secs() + self.aged
    }

    /// `client` asked `asked`, of `target`, and got to `endpoint`.
    pub fn remember(&mut self, client: SocketAddr, endpoint: Endpoint, target: usize, asked: SocketAddr) {
        let now = self.now();
        let way = |old: Option<&Way>| match old {
            Some(old) if old.target == target && old.asked == asked => Way { seen: now, ..*old },
            old => {
                let rival = old.is_some_and(|old| now - old.seen < u64::from(RIVAL_SECONDS));
                Way { target, asked, seen: now, rival_seen: rival.then_some(now) }
            }
        };
        let flow = way(self.flows.get(&(client, endpoint)));
        self.flows.insert((client, endpoint), flow);
        let host = way(self.clients.get(&(client.ip(), endpoint)));
        self.clients.insert((client.ip(), endpoint), host);
    }

    /// Whom `client` asked, by the flow; else, where the `host` will do, by the host.
    pub fn recall(
        &self,
        client: SocketAddr,
        endpoint: Endpoint,
        host: bool,
    ) -> Result<(usize, SocketAddr), Stop> {
        let by_host = || self.clients.get(&(client.ip(), endpoint)).filter(|_| host);
        let way = self.flows.get(&(client, endpoint)).or_else(by_host).ok_or(Reason::NoReturn)?;
        if way.rival_seen.is_some_and(|seen| self.now() - seen < u64::from(RIVAL_SECONDS)) {
            return Err(Stop { reason: Reason::AmbiguousReturn, target: Some(way.target) });
        }
        Ok((way.target, way.asked))
    }

    /// Whether `client` asked somebody who is served at `endpoint`, from this very port.
    pub fn knows(&self, client: SocketAddr, endpoint: Endpoint) -> bool {
        self.flows.contains_key(&(client, endpoint))
    }

    /// A dialog of `target` began at `endpoint`.
    pub fn remember_call(&mut self, id: Vec<u8>, endpoint: Endpoint, target: usize) {
        self.calls.insert((id, endpoint, target));
    }

    /// Whether it did.
    pub fn knows_call(&self, id: &[u8], endpoint: Endpoint, target: usize) -> bool {
        self.calls.contains(&(id.to_vec(), endpoint, target))
    }

    /// The first fragment of a datagram was rewritten; `None`: it passed.
    pub fn first(&mut self, parsed: &Parsed, id: u32, rewritten: Option<(usize, bool, IpAddr, Steer)>) {
        match rewritten {
            Some((target, towards, address, steer)) => {
                let followed = Followed { target, towards, address, steer, seen: self.now() };
                self.fragments.insert(datagram(parsed, id), followed);
            }
            None => drop(self.fragments.remove(&datagram(parsed, id))),
        }
    }

    pub fn follow(&self, parsed: &Parsed, id: u32) -> Result<Followed, Stop> {
        let followed = *self.fragments.get(&datagram(parsed, id)).ok_or(Reason::Fragment)?;
        if self.now() - followed.seen > FRAGMENT_SECONDS {
            Err(Reason::Fragment.into())
        } else {
            Ok(followed)
        }
    }
}

fn datagram(parsed: &Parsed, id: u32) -> Datagram {
    let protocol = parsed.source.is_ipv4().then_some(parsed.protocol);
    (parsed.source, parsed.destination, protocol, id)
}
