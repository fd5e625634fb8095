//! Observing: the program that shows packets is there while somebody observes, and not a moment longer.
//!
//! The core alone loads, swaps and writes; it never waits for a load, which takes a good part of a second. One task reads
//! what is shown, and hands it to the observers; when the last of them has left, the core ends it.

use std::{
    collections::BTreeSet,
    os::fd::{AsRawFd, RawFd},
    sync::Arc,
    time::Duration,
};

use failover_common::{names::REASON_SLOTS, observe::Interest};
use jiff::Timestamp;
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    io::{Interest as Readiness, unix::AsyncFd},
    sync::{mpsc, watch},
    task::AbortHandle,
    time::{MissedTickBehavior, interval},
};

use super::{
    core::Core,
    sighting::{self, Glimpse, Names},
    status::problem,
};
use crate::{
    control::{
        message::{Observe, Problem, reason},
        observers::{MOST, Observer, Observers},
        server::Reply,
    },
    dataplane::{self, Observing, Sights, Watch},
};

/// Packets between two chances for other tasks.
const BATCH: usize = 128;
/// How often it is looked how many were missed.
const LOOK: Duration = Duration::from_millis(200);

/// What loading the program came to.
type Loaded = Result<Box<(Observing, Sights)>, dataplane::Error>;

/// What the core hears.
pub enum News {
    /// The program is loaded, or it is not.
    Loaded(Loaded),
    /// An observer left.
    Left,
}

/// The core's part of it.
pub struct Observatory {
    state: State,
    loaded: mpsc::UnboundedSender<Loaded>,
    loads: mpsc::UnboundedReceiver<Loaded>,
    left: mpsc::UnboundedSender<()>,
    leaving: mpsc::UnboundedReceiver<()>,
}

enum State {
    Off,
    Loading(Vec<(Observe, Reply<Observer>)>),
    On { observers: Observers, view: watch::Sender<View>, reader: AbortHandle },
}

/// What the reader knows of the core's world.
#[derive(Clone, Debug, Default)]
struct View {
    names: Arc<Names>,
    /// Of so many packets, the program shows one.
    shown: u32,
}

impl Observatory {
    pub fn new() -> Self {
        let (loaded, loads) = mpsc::unbounded_channel();
        let (left, leaving) = mpsc::unbounded_channel();
        Self { state: State::Off, loaded, loads, left, leaving }
    }

    /// What the core has to look at. Cancel safe.
    pub async fn news(&mut self) -> News {
        tokio::select! {
            Some(loaded) = self.loads.recv() => News::Loaded(loaded),
            Some(()) = self.leaving.recv() => News::Left,
            // Neither ends: both senders are here.
            else => std::future::pending().await,
        }
    }
}

impl Core {
    /// One more observer, as soon as the program is there.
    pub(super) fn observe(&mut self, wish: Observe, reply: Reply<Observer>) {
        if let Err(problem) = self.check(&wish) {
            return drop(reply.send(Err(problem)));
        }
        match &mut self.observatory.state {
            State::Off => {
                let (observer, done) = (self.dataplane.observer(), self.observatory.loaded.clone());
                tokio::task::spawn_blocking(move || drop(done.send(observer.load().map(Box::new))));
                self.observatory.state = State::Loading(vec![(wish, reply)]);
            }
            State::Loading(waiting) if waiting.len() < MOST => waiting.push((wish, reply)),
            State::Loading(_) => drop(reply.send(Err(full()))),
            State::On { observers, .. } => {
                drop(reply.send(observers.join(wish).ok_or_else(full)));
                self.look();
            }
        }
    }

    /// Something about it has changed.
    pub(super) fn observation(&mut self, news: News) {
        match news {
            News::Loaded(Ok(loaded)) => {
                let (observing, sights) = *loaded;
                self.open(observing, sights);
            }
            News::Loaded(Err(error)) => self.refuse(&error),
            News::Left => self.look(),
        }
    }

    /// Targets or their servers have other names or numbers now.
    pub(super) fn rename(&mut self) {
        if let State::On { view, .. } = &self.observatory.state {
            view.send_modify(|view| view.names = Arc::new(self.names()));
        }
        // A target may have another number now.
        self.look();
    }

    /// The plain program, whoever observes.
    pub(super) fn close_observatory(&mut self) {
        if let State::On { reader, .. } = std::mem::replace(&mut self.observatory.state, State::Off) {
            reader.abort();
        }
        if let Err(error) = self.dataplane.observe_no_more() {
            self.warn(format!("the program that is observed stays in place: {error}"));
        }
    }

    fn check(&self, wish: &Observe) -> Result<(), Problem> {
        wish.check()?;
        wish.targets.iter().try_for_each(|name| self.find(name).map(drop))?;
        for name in &wish.interfaces {
            if self.devices.borrow().named(name).is_none() {
                return Err(Problem::new(7, format!("interface {name}: no such device"))
                    .help("see `failover status` for the interfaces"));
            }
        }
        Ok(())
    }

    fn open(&mut self, observing: Observing, sights: Sights) {
        let State::Loading(waiting) = std::mem::replace(&mut self.observatory.state, State::Off) else {
            return;
        };
        let reader = Ring::new(sights).map_err(|error| dataplane::Error::Io {
            action: "watch the ring buffer of packets".into(),
            source: error,
        });
        let reader = reader.and_then(|reader| self.dataplane.observe(observing).map(|()| reader));
        let reader = match reader {
            Ok(reader) => reader,
            Err(error) => {
                self.observatory.state = State::Loading(waiting);
                return self.refuse(&error);
            }
        };
        tracing::info!("observing: the program that shows packets is in place");
        let observers = Observers::new(self.observatory.left.clone());
        let (view, seen) = watch::channel(View { names: Arc::new(self.names()), shown: 1 });
        let reader = tokio::spawn(reader.work(observers.clone(), seen, self.devices.clone())).abort_handle();
        for (wish, reply) in waiting {
            drop(reply.send(observers.join(wish).ok_or_else(full)));
        }
        self.observatory.state = State::On { observers, view, reader };
        self.look();
    }

    fn refuse(&mut self, error: &dataplane::Error) {
        if let State::Loading(waiting) = std::mem::replace(&mut self.observatory.state, State::Off) {
            for (_, reply) in waiting {
                drop(reply.send(Err(problem(error))));
            }
        }
    }

    /// Has the program show what the observers want, or puts the plain one back.
    fn look(&mut self) {
        let State::On { observers, view, .. } = &self.observatory.state else { return };
        let wishes = observers.wishes();
        if wishes.is_empty() {
            self.close_observatory();
            tracing::info!("observing no more: the program that shows nothing is back");
            return;
        }
        let shown = wishes.iter().map(|wish| wish.sample).min().unwrap_or(1);
        view.send_modify(|view| view.shown = shown);
        let interest = interest(&wishes, shown, |name| {
            self.config.targets.iter().find(|target| target.name == name).map(|t| self.dataplane.id_of(t))
        });
        if let Err(error) = self.dataplane.show(interest) {
            self.warn(format!("what is observed stays as it was: {error}"));
        }
    }

    fn names(&self) -> Names {
        let backups = |target: &crate::config::model::Target| {
            let addresses = |backup: &crate::config::model::Backup| backup.addresses.iter().collect();
            target.backups.iter().map(|backup| (backup.name.clone(), addresses(backup))).collect()
        };
        let named = self.config.targets.iter();
        let named =
            named.map(|target| (self.dataplane.id_of(target), (target.name.clone(), backups(target))));
        Names { targets: named.collect() }
    }
}

fn full() -> Problem {
    Problem::new(1, format!("{MOST} commands observe already")).help("end some of them")
}

/// What all of them want, in the program's words: rather too much than too little.
fn interest(wishes: &[Observe], shown: u32, id: impl Fn(&str) -> Option<u32>) -> Interest {
    let every = u64::MAX >> (u64::BITS - REASON_SLOTS);
    let mut interest = Interest { chance: u32::MAX / shown.max(1), ..Interest::default() };
    for wish in wishes {
        let named = wish.reasons.iter().filter_map(|name| reason(name));
        let named = named.fold(0, |bits, reason| bits | 1 << reason as u32);
        interest.about |= if wish.reasons.is_empty() { every } else { named };
        if wish.targets.is_empty() {
            interest.beyond |= named;
        }
    }
    let targets: BTreeSet<_> = wishes.iter().map(|wish| wish.targets.as_slice()).collect();
    if let [[one]] = targets.into_iter().collect::<Vec<_>>()[..] {
        interest.target = id(one).unwrap_or_default();
    }
    interest
}

/// The readable end.
struct Ring {
    ring: AsyncFd<Descriptor>,
    missed: u64,
}

struct Descriptor(Sights);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.ring.as_raw_fd()
    }
}

impl Ring {
    fn new(sights: Sights) -> std::io::Result<Self> {
        // SAFETY: the descriptor is the map's, which `Descriptor` owns and never closes or changes before it is dropped.
        let ring = unsafe { AsyncFd::register_with_interest(Descriptor(sights), Readiness::READABLE) };
        Ok(Self { ring: ring.map_err(|error| std::io::Error::other(error.to_string()))?, missed: 0 })
    }

    /// Until it is aborted.
    async fn work(mut self, observers: Observers, view: watch::Receiver<View>, devices: Watch) {
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let more = tokio::select! {
                ready = self.ring.readable_mut() => {
                    let Ok(mut ready) = ready else { return };
                    let view = view.borrow().clone();
                    let more = drain(&mut ready.get_inner_mut().0, &observers, &view, &devices);
                    if !more {
                        ready.clear_ready();
                    }
                    more
                }
                _ = look.tick() => false,
            };
            if more {
                // The observers' turn, so that they are slow only where their readers are.
                tokio::task::yield_now().await;
            }
            self.tell_missed(&observers);
        }
    }

    fn tell_missed(&mut self, observers: &Observers) {
        if let Ok(missed) = self.ring.get_ref().0.missed()
            && missed > self.missed
        {
            observers.missed(missed - self.missed);
            self.missed = missed;
        }
    }
}

/// Shows what is there, [`BATCH`] at the most; whether there may be more.
fn drain(sights: &mut Sights, observers: &Observers, view: &View, devices: &Watch) -> bool {
    let began = began();
    let named = devices.borrow();
    let device = |index| named.all.iter().find(|device| device.index == index).map(|d| d.name.clone());
    for _ in 0..BATCH {
        let Some(entry) = sights.ring.next() else { return false };
        if let Some(Glimpse { seen, hosts }) = sighting::read(&entry, &view.names, device, began) {
            observers.publish(&Arc::new(seen), &hosts, view.shown);
        }
    }
    true
}

/// When the monotonic clock was zero.
fn began() -> Timestamp {
    let now = Timestamp::now();
    let monotonic = clock_gettime(ClockId::Monotonic);
    let since = jiff::SignedDuration::new(monotonic.tv_sec, monotonic.tv_nsec as i32);
    now.checked_sub(since).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_shows_what_any_of_them_wants() {
        let id = |name: &str| (name == "paris").then_some(3);
        let wish = |targets: &[&str], reasons: &[&str]| Observe {
            targets: targets.iter().map(ToString::to_string).collect(),
            reasons: reasons.iter().map(ToString::to_string).collect(),
            ..Observe::default()
        };
        let all = interest(&[wish(&[], &[])], 1, id);
        assert_eq!(all, Interest { about: u64::MAX, beyond: 0, target: 0, chance: u32::MAX });
        let one = interest(&[wish(&["paris"], &["steered"]), wish(&["paris"], &[])], 10, id);
        assert_eq!(one, Interest { about: u64::MAX, beyond: 0, target: 3, chance: u32::MAX / 10 });
        let beyond = interest(&[wish(&["paris"], &[]), wish(&[], &["not-ours"])], 1, id);
        assert_eq!((beyond.target, beyond.beyond), (0, 1 << 9));
    }
}
