//! Puts IP's fragments together (RFC 791 §3.2, RFC 8200 §4.5).
//!
//! A datagram whose fragments overlap is given up (RFC 5722); one that is repeated octet for octet is not.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
};

use super::link::{Fragment, Ip};

/// The most bytes that wait for their rest.
pub const MAX_BYTES: usize = 4 << 20;
/// The most datagrams that do.
const MAX_DATAGRAMS: usize = 1024;
/// What keeping a fragment costs beside its bytes.
const COST: usize = 64;
/// The longest datagram.
const MAX_LENGTH: usize = 65_535;

type Key = (IpAddr, IpAddr, u8, u32);

/// A datagram in parts.
#[derive(Debug, Default)]
struct Parts {
    /// By offset; they do not overlap.
    pieces: BTreeMap<usize, Vec<u8>>,
    /// Bytes of them.
    filled: usize,
    /// What they take.
    held: usize,
    /// Once its last part is there.
    length: Option<usize>,
}

/// What waits for its rest.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    waiting: BTreeMap<Key, Parts>,
    /// The oldest first. Each stands in `waiting`, too.
    order: VecDeque<Key>,
    held: usize,
}

impl Fragments {
    /// The whole datagram, if this was what it lacked.
    pub(super) fn add(&mut self, ip: &Ip<'_>, fragment: Fragment) -> Option<Vec<u8>> {
        let key = (ip.source, ip.destination, ip.protocol, fragment.id);
        if !self.waiting.contains_key(&key) {
            self.make_room(ip.payload.len());
            self.order.push_back(key);
        }
        let parts = self.waiting.entry(key).or_default();
        let before = parts.held;
        let fits = parts.add(fragment, ip.payload);
        self.held += parts.held - before;
        let whole = fits.then(|| parts.whole()).flatten();
        if !fits || whole.is_some() {
            self.drop(key);
            self.order.retain(|other| *other != key);
        } else if self.held > MAX_BYTES {
            self.make_room(0);
        }
        whole
    }

    /// Bytes that wait.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.held
    }

    fn make_room(&mut self, length: usize) {
        while self.held + length > MAX_BYTES || self.order.len() >= MAX_DATAGRAMS {
            let Some(oldest) = self.order.pop_front() else { return };
            self.drop(oldest);
        }
    }

    fn drop(&mut self, key: Key) {
        if let Some(parts) = self.waiting.remove(&key) {
            self.held -= parts.held;
        }
    }
}

impl Parts {
    /// Whether it fits between what is there.
    fn add(&mut self, fragment: Fragment, data: &[u8]) -> bool {
        let (start, end) = (fragment.offset, fragment.offset + data.len());
        if self.pieces.get(&start).is_some_and(|part| part == data) {
            return true;
        }
        let before = self.pieces.range(..=start).next_back().map_or(0, |(at, part)| at + part.len());
        let after = self.pieces.range(start..).next().map_or(MAX_LENGTH, |(at, _)| *at);
        if data.is_empty() || start < before || end > after || self.length.is_some_and(|length| end > length)
        {
            return false;
        }
        if !fragment.more {
            if self.length.is_some() || self.pieces.last_key_value().is_some_and(|(at, _)| *at > start) {
                return false;
            }
            self.length = Some(end);
        }
        self.filled += data.len();
        self.held += data.len() + COST;
        self.pieces.insert(start, data.to_vec());
        true
    }

    fn whole(&self) -> Option<Vec<u8>> {
        (self.length == Some(self.filled)).then(|| self.pieces.values().flatten().copied().collect())
    }
}
