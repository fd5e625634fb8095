//! What happened, in order: a bounded history of events, and whoever follows it.
//!
//! Invariants: sequence numbers count up from 1 without a gap; a follower sees every event once, in order, or is
//! told how many it missed; memory is bounded ([`HISTORY`] events of at most [`MAX_TEXT`] bytes a field), however
//! slow the followers are. The lock is held for a push and a wake-up, never across an await; recording never
//! waits, so that any task may do it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;
use tokio::sync::broadcast;

use super::message::Event;

/// Events that are remembered, and how far a follower may lag behind.
pub const HISTORY: usize = 4096;

/// The longest text that an event keeps in one field, in bytes.
pub const MAX_TEXT: usize = 512;

/// The kind of the event that tells a follower what it missed.
const WARNING: &str = "warning";

/// An event before it has its number and its time. See [`Event`] for the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Draft {
    /// The event's kind.
    pub kind: String,
    /// The target; none: about the router.
    pub target: Option<String>,
    /// `primary` or the backup's name, for `health`.
    pub server: Option<String>,
    /// Before.
    pub from: Option<String>,
    /// After.
    pub to: Option<String>,
    /// In words.
    pub reason: Option<String>,
}

/// The daemon's history. Clones share it.
#[derive(Clone, Debug)]
pub struct Journal {
    book: Arc<Mutex<Book>>,
}

/// What the lock guards.
#[derive(Debug)]
struct Book {
    /// The number of the last event.
    seq: u64,
    /// Oldest first.
    history: VecDeque<Arc<Event>>,
    live: broadcast::Sender<Arc<Event>>,
    /// How many there were of each kind. There are few kinds, and all of them are ours.
    kinds: BTreeMap<String, u64>,
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

impl Journal {
    /// An empty history.
    pub fn new() -> Self {
        let (live, _) = broadcast::channel(HISTORY);
        let history = VecDeque::new();
        Self { book: Arc::new(Mutex::new(Book { seq: 0, history, live, kinds: BTreeMap::new() })) }
    }

    /// Numbers and dates an event, remembers it and tells every follower. Fields longer than [`MAX_TEXT`] are cut.
    pub fn record(&self, draft: Draft) -> Event {
        let mut book = self.book();
        book.seq += 1;
        let event = Arc::new(draft.dated(book.seq));
        match book.kinds.get_mut(&event.kind) {
            Some(count) => *count += 1,
            None => drop(book.kinds.insert(event.kind.clone(), 1)),
        }
        if book.history.len() == HISTORY {
            book.history.pop_front();
        }
        book.history.push_back(Arc::clone(&event));
        // No receiver is no error: nobody follows.
        let _ = book.live.send(Arc::clone(&event));
        Event::clone(&event)
    }

    /// The last `n` events, oldest first.
    pub fn recent(&self, n: usize) -> Vec<Event> {
        let book = self.book();
        let skip = book.history.len().saturating_sub(n);
        book.history.iter().skip(skip).map(|event| Event::clone(event)).collect()
    }

    /// How many events there were of each kind, forgotten ones included.
    pub fn kinds(&self) -> BTreeMap<String, u64> {
        self.book().kinds.clone()
    }

    /// The last `n` events about one target, oldest first.
    pub fn about(&self, target: &str, n: usize) -> Vec<Event> {
        let book = self.book();
        let about = book.history.iter().rev().filter(|event| event.target.as_deref() == Some(target));
        let mut events: Vec<_> = about.take(n).map(|event| Event::clone(event)).collect();
        events.reverse();
        events
    }

    /// The whole history and then everything new, without a gap or a duplicate between the two.
    pub fn subscribe(&self) -> Follower {
        self.subscribe_last(HISTORY)
    }

    /// The last `n` events, of those that are not older than `since`, and then everything new.
    pub fn subscribe_since(&self, since: &str, n: usize) -> Follower {
        let mut follower = self.subscribe_last(n);
        // In the one form that there is, times sort as they are written. A clock that was stepped may have them out of order.
        follower.history.retain(|event| event.time.as_str() >= since);
        follower
    }

    /// The last `n` events and then everything new.
    pub fn subscribe_last(&self, n: usize) -> Follower {
        let book = self.book();
        let skip = book.history.len().saturating_sub(n);
        let history = book.history.iter().skip(skip).cloned().collect();
        Follower { history, live: book.live.subscribe(), seq: book.seq }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // A book is whole between any two statements above, even if a holder of the lock had died.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Someone who reads along.
#[derive(Debug)]
pub struct Follower {
    /// What had happened before it came.
    history: VecDeque<Arc<Event>>,
    live: broadcast::Receiver<Arc<Event>>,
    /// The number of the last live event that it got, or was told to have missed.
    seq: u64,
}

impl Follower {
    /// The next event; none once every [`Journal`] is gone and everything was read.
    ///
    /// Where the follower was too slow, an event of kind `warning` stands for what it missed, under the number of
    /// the last missed event. Cancel safe: no event is lost when the future is dropped.
    pub async fn next(&mut self) -> Option<Arc<Event>> {
        if let Some(event) = self.history.pop_front() {
            return Some(event);
        }
        match self.live.recv().await {
            Ok(event) => {
                self.seq = event.seq;
                Some(event)
            }
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                self.seq += missed;
                Some(Arc::new(missed_events(missed).dated(self.seq)))
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// What is left of the history that was there at the start.
    pub fn history(&mut self) -> impl Iterator<Item = Arc<Event>> {
        self.history.drain(..)
    }
}

impl Draft {
    fn dated(self, seq: u64) -> Event {
        Event {
            seq,
            time: timestamp(Timestamp::now()),
            kind: cut(self.kind),
            target: self.target.map(cut),
            server: self.server.map(cut),
            from: self.from.map(cut),
            to: self.to.map(cut),
            reason: self.reason.map(cut),
        }
    }
}

fn missed_events(missed: u64) -> Draft {
    let reason = Some(format!("this follower was too slow and missed {missed} events"));
    Draft { kind: WARNING.to_owned(), reason, ..Draft::default() }
}

/// RFC 3339 in UTC with microseconds, the one form of time in this API.
pub fn timestamp(time: Timestamp) -> String {
    format!("{time:.6}")
}

/// The first [`MAX_TEXT`] bytes, to a whole character.
fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}

#[cfg(test)]
mod tests;
