//! Who observes: any number of observers of one stream of packets.
//!
//! Invariants: publishing never waits, so a slow observer loses packets, and is told how many; memory is bounded
//! (`QUEUE` packets for each of [`MOST`] observers). The lock is never held across an await. An observer that is
//! dropped has left, and says so once.

use std::{
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, mpsc};

use super::message::{Observation, Observe, Seen};

/// Observers at a time.
pub const MOST: usize = 8;
/// Packets that wait for one of them.
const QUEUE: usize = 1024;

/// All of them.
#[derive(Clone, Debug)]
pub struct Observers {
    seats: Arc<Mutex<Vec<Seat>>>,
    left: mpsc::UnboundedSender<()>,
}

#[derive(Debug)]
struct Seat {
    wish: Observe,
    packets: mpsc::Sender<Arc<Seen>>,
    losses: Arc<Losses>,
}

#[derive(Debug, Default)]
struct Losses {
    /// It was too slow.
    observer: AtomicU64,
    /// The data plane showed them to nobody.
    router: AtomicU64,
    more: Notify,
}

/// One of them. Dropping it leaves.
#[derive(Debug)]
pub struct Observer {
    packets: mpsc::Receiver<Arc<Seen>>,
    losses: Arc<Losses>,
    left: mpsc::UnboundedSender<()>,
}

impl Observers {
    /// Nobody yet; `left` hears of everyone who leaves.
    pub fn new(left: mpsc::UnboundedSender<()>) -> Self {
        Self { seats: Arc::default(), left }
    }

    /// One more; none where all places are taken.
    pub fn join(&self, wish: Observe) -> Option<Observer> {
        let mut seats = self.seats();
        if seats.len() >= MOST {
            return None;
        }
        let (sender, packets) = mpsc::channel(QUEUE);
        let losses = Arc::<Losses>::default();
        seats.push(Seat { wish, packets: sender, losses: Arc::clone(&losses) });
        Some(Observer { packets, losses, left: self.left.clone() })
    }

    /// What those who are still there wish to see.
    pub fn wishes(&self) -> Vec<Observe> {
        let mut seats = self.seats();
        seats.retain(|seat| !seat.packets.is_closed());
        seats.iter().map(|seat| seat.wish.clone()).collect()
    }

    /// Shows a packet, from and to these hosts, to everyone who wishes to see it. `shown` is the sample that has been
    /// taken already: of so many packets, one.
    pub fn publish(&self, seen: &Arc<Seen>, hosts: &[IpAddr], shown: u32) {
        for seat in self.seats().iter() {
            if !seat.wish.wants(seen, hosts) || !by_chance(seat.wish.sample, shown) {
                continue;
            }
            if let Err(mpsc::error::TrySendError::Full(_)) = seat.packets.try_send(Arc::clone(seen)) {
                seat.losses.observer.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// The data plane could not show so many.
    pub fn missed(&self, packets: u64) {
        for seat in self.seats().iter() {
            seat.losses.router.fetch_add(packets, Ordering::Relaxed);
            seat.losses.more.notify_one();
        }
    }

    fn seats(&self) -> MutexGuard<'_, Vec<Seat>> {
        // The list is whole between any two statements above.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of `wanted` packets, where one of `shown` has been taken already.
fn by_chance(wanted: u32, shown: u32) -> bool {
    // Without random numbers there is too much to see, which is better than nothing.
    let dice = || getrandom::u32().unwrap_or_default();
    wanted <= shown || u64::from(dice()) * u64::from(wanted) < u64::from(shown) << 32
}

impl Observer {
    /// The next packet, or what was lost since; none once nothing is observed any more. Cancel safe.
    pub async fn next(&mut self) -> Option<Observation> {
        loop {
            if let Some(lost) = self.lost() {
                return Some(lost);
            }
            let losses = Arc::clone(&self.losses);
            tokio::select! {
                biased;
                packet = self.packets.recv() => {
                    return packet.map(|seen| Observation::Packet(Box::new(Seen::clone(&seen))));
                }
                () = losses.more.notified() => {}
            }
        }
    }

    fn lost(&self) -> Option<Observation> {
        let lost = |counter: &AtomicU64, by: &str| match counter.swap(0, Ordering::Relaxed) {
            0 => None,
            packets => Some(Observation::Lost { packets, by: by.to_owned() }),
        };
        lost(&self.losses.observer, "observer").or_else(|| lost(&self.losses.router, "router"))
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        self.packets.close();
        // With nobody there to hear it, nothing is observed any more.
        let _ = self.left.send(());
    }
}

#[cfg(test)]
mod tests;
