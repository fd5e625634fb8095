//! Requests to a primary that have had no answer yet (SIP over UDP): what is sent again, to the backup, when the primary dies.
//! Pure: frames in, frames out, and time comes with them.
//!
//! A request is settled, and never sent again, when
//! - a final answer to it was seen, or of an INVITE any answer but 100 Trying: after that its caller does not send it again, and
//!   without this it would wait for minutes;
//! - it was seen leaving the primary: what was forwarded is on its way, and a second copy by another proxy would be a
//!   merged request (482, RFC 3261 §8.2.2.2);
//! - it was sent again;
//! - it is older than [`AGE`]: by then its caller has given up (RFC 3261 §17.1.1.2, timers B and F).
//!
//! So is an answer that a client gave the primary, which has to hand it on: until that is seen leaving, the client's peer waits for it, and the
//! client says it again only after half a second (RFC 3261 §13.3.1.4).
//!
//! An ACK has no answer, and is nobody's. `100 Trying` goes no further than to whom it is said. Where nothing is ever seen coming from a primary, because its answers go another way,
//! nothing is known about what it has answered, and nothing is sent again.
//!
//! Bounded by [`MOST_BYTES`] and [`MOST_REQUESTS`] for all targets together; the oldest make room.

mod frame;
mod message;
mod pulse;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::RandomState},
    hash::BuildHasher,
    net::IpAddr,
    time::Duration,
};

use self::{
    frame::Datagram,
    message::{Said, Words},
    pulse::Pulse,
};

/// How long a request may be sent again.
pub const AGE: Duration = Duration::from_secs(32);
/// The most bytes of frames that are kept.
pub const MOST_BYTES: usize = 16 << 20;
/// The most requests that are known, settled ones included.
pub const MOST_REQUESTS: usize = 32_768;

/// Who has said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A client, to the primary.
    ToPrimary,
    /// The primary.
    FromPrimary,
    /// A client; the frame is a later fragment of what it said.
    Fragment,
}

/// A frame that was seen.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// When, by the monotonic clock.
    pub at: Duration,
    /// Target id.
    pub target: u32,
    /// Index of the interface by which it came.
    pub ingress: u32,
    /// Who has said it.
    pub way: Way,
    /// From its Ethernet header on.
    pub frame: &'a [u8],
}

/// A request that waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Index of the interface by which it came.
    pub ingress: u32,
    /// The frame, or those of its fragments.
    pub frames: Vec<Box<[u8]>>,
}

/// What is known.
#[derive(Debug, Default)]
pub struct Memory {
    hashed: RandomState,
    /// In the order in which they came.
    entries: BTreeMap<u64, Entry>,
    /// The place of each, by its transaction.
    transactions: HashMap<u64, u64>,
    /// Of each that waits, by what it keeps when it is forwarded.
    forwards: HashMap<u64, u64>,
    /// Of each in fragments that waits, by its datagram.
    fragments: HashMap<(IpAddr, IpAddr, u32), u64>,
    next: u64,
    bytes: usize,
    pulses: HashMap<u32, Pulse>,
}

#[derive(Debug)]
struct Entry {
    target: u32,
    at: Duration,
    transaction: u64,
    /// None: it is settled.
    waits: Option<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    request: Request,
    forward: u64,
    datagram: Option<(IpAddr, IpAddr, u32)>,
}

impl Memory {
    /// Takes in a frame.
    pub fn take(&mut self, seen: Seen<'_>) {
        self.forget_old(seen.at);
        let Some(datagram) = Datagram::read(seen.frame) else { return };
        match seen.way {
            Way::Fragment => self.add_fragment(&seen, &datagram),
            Way::ToPrimary => self.asked(&seen, &datagram),
            Way::FromPrimary => self.said(&seen, &datagram),
        }
    }

    /// Frames were lost: what was answered is not known any more, and nothing that waited until now is sent again.
    pub fn lost(&mut self) {
        let pulses = std::mem::take(&mut self.pulses);
        *self = Self { next: self.next, pulses, ..Self::default() };
        self.pulses.values_mut().for_each(Pulse::calm);
    }

    /// Targets from whose primary nothing was heard for longer than it usually takes, though somebody has asked it.
    pub fn suspects(&self, now: Duration) -> impl Iterator<Item = u32> + '_ {
        self.pulses.iter().filter(move |(_, pulse)| pulse.is_suspect(now)).map(|(target, _)| *target)
    }

    /// What waits for an answer of these targets' primaries, the oldest first, each with its target; it is settled with that.
    pub fn take_waiting(&mut self, targets: &BTreeSet<u32>, now: Duration) -> Vec<(u32, Request)> {
        self.forget_old(now);
        let answers = |target: &u32| self.pulses.get(target).is_some_and(Pulse::answers);
        let answering: BTreeSet<u32> = targets.iter().copied().filter(answers).collect();
        self.pulses.retain(|target, _| !targets.contains(target));
        let theirs = self.entries.iter().filter(|(_, entry)| targets.contains(&entry.target));
        let places: Vec<(u64, u32)> = theirs.map(|(place, entry)| (*place, entry.target)).collect();
        let mut waiting = Vec::new();
        for (place, target) in places {
            waiting.extend(self.settle(place).filter(|_| answering.contains(&target)).map(|it| (target, it)));
        }
        waiting
    }

    fn asked(&mut self, seen: &Seen<'_>, datagram: &Datagram<'_>) {
        let Some((said, words)) = message::read(&datagram.payload) else { return };
        match said {
            Said::Request if words.method == b"ACK" => return,
            Said::Request => self.pulses.entry(seen.target).or_default().asked(seen.at),
            Said::Answer(100) => return,
            Said::Answer(_) => {}
        }
        let transaction = self.transaction(seen.target, said, &words);
        if self.transactions.contains_key(&transaction) {
            return;
        }
        let forward = self.forward(seen.target, said, &words);
        let (place, datagram) = (self.next, datagram.first_of());
        self.next += 1;
        self.transactions.insert(transaction, place);
        self.forwards.insert(forward, place);
        if let Some(datagram) = datagram {
            self.fragments.insert(datagram, place);
        }
        let request = Request { ingress: seen.ingress, frames: vec![seen.frame.into()] };
        let waits = Some(Waiting { request, forward, datagram });
        self.entries.insert(place, Entry { target: seen.target, at: seen.at, transaction, waits });
        self.bytes += seen.frame.len();
        self.make_room();
    }

    fn said(&mut self, seen: &Seen<'_>, datagram: &Datagram<'_>) {
        let Some((said, words)) = message::read(&datagram.payload) else { return };
        self.pulses.entry(seen.target).or_default().heard(seen.at);
        let answers =
            matches!(said, Said::Answer(status) if status >= 200 || (words.is_invite() && status > 100));
        let answered =
            answers.then(|| self.transactions.get(&self.transaction(seen.target, Said::Request, &words)));
        let handed_on = self.forwards.get(&self.forward(seen.target, said, &words));
        for place in [answered.flatten().copied(), handed_on.copied()].into_iter().flatten() {
            drop(self.settle(place));
        }
    }

    fn add_fragment(&mut self, seen: &Seen<'_>, datagram: &Datagram<'_>) {
        let Some(place) = datagram.key().and_then(|key| self.fragments.get(&key)) else { return };
        let Some(waiting) = self.entries.get_mut(place).and_then(|entry| entry.waits.as_mut()) else {
            return;
        };
        waiting.request.frames.push(seen.frame.into());
        self.bytes += seen.frame.len();
        self.make_room();
    }

    /// It is settled; what it was.
    fn settle(&mut self, place: u64) -> Option<Request> {
        let waiting = self.entries.get_mut(&place)?.waits.take()?;
        self.bytes -= waiting.request.frames.iter().map(|frame| frame.len()).sum::<usize>();
        forget(&mut self.forwards, &waiting.forward, place);
        if let Some(datagram) = &waiting.datagram {
            forget(&mut self.fragments, datagram, place);
        }
        Some(waiting.request)
    }

    fn remove(&mut self, place: u64) {
        drop(self.settle(place));
        if let Some(entry) = self.entries.remove(&place) {
            forget(&mut self.transactions, &entry.transaction, place);
        }
    }

    fn forget_old(&mut self, now: Duration) {
        while let Some((&place, entry)) = self.entries.first_key_value()
            && now.saturating_sub(entry.at) > AGE
        {
            self.remove(place);
        }
    }

    fn make_room(&mut self) {
        while self.bytes > MOST_BYTES || self.entries.len() > MOST_REQUESTS {
            let Some((&place, _)) = self.entries.first_key_value() else { return };
            self.remove(place);
        }
    }

    /// Nobody who does not know the seed can make two of them the same.
    fn transaction(&self, target: u32, said: Said, words: &Words<'_>) -> u64 {
        self.hashed.hash_one((target, said, words.via, words.call_id, words.number, words.method))
    }

    /// Of an INVITE, its Call-ID; of anything else, what a proxy leaves as it is.
    fn forward(&self, target: u32, said: Said, words: &Words<'_>) -> u64 {
        let number = if words.is_invite() && said == Said::Request { None } else { Some(words.number) };
        self.hashed.hash_one((target, said, words.call_id, number, words.method))
    }
}

/// Where it stands for `place`, and for no later one.
fn forget<K: std::hash::Hash + Eq>(index: &mut HashMap<K, u64>, key: &K, place: u64) {
    if index.get(key) == Some(&place) {
        index.remove(key);
    }
}

#[cfg(test)]
mod tests;
