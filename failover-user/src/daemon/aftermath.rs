//! What a switch leaves behind: requests to the primary that have had no answer, which are sent to the backup, and TCP connections with
//! nobody, whose clients are told. And what tells of a death before any probe does: a primary that is asked, and says nothing.
//!
//! A thread of its own, because all of its work is system calls. The core tells it what to watch, and who serves; it tells the core
//! what it suspects, and what it has done.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::mpsc::{self as orders, RecvTimeoutError},
    time::Duration,
};

use failover_common::watch::Copied;
use rustix::time::{ClockId, clock_gettime};
use tokio::sync::mpsc;

use crate::{
    dataplane::{Connection, Connections, Copies, Dataplane, Error, Injector},
    replay::{Memory, Request, Seen, Way},
};

/// How often what was copied is looked at.
const LOOK: Duration = Duration::from_millis(5);
/// Copies between two looks at anything else: some 100,000 in a second.
const BATCH: usize = 512;
/// As many batches as the ring holds of the shortest messages.
const FULL_RING: usize = 128;
/// Words to the core that wait.
const QUEUE: usize = 256;

/// What the core says.
enum Order {
    /// These targets are watched from now on.
    Watch(BTreeSet<u32>),
    /// A backup has taken a target over from its primary.
    Switched(u32),
}

/// What the core hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// This target's primary was asked, and has said nothing for longer than it usually takes.
    Silent(u32),
    /// After a switch of this target: what was done.
    Done(u32, Done),
}

/// What a switch left behind, and has been seen to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Requests that were sent to the backup.
    pub replayed: u64,
    /// Clients whose connections were reset.
    pub reset: u64,
    /// Of both, what could not be sent.
    pub failed: u64,
}

/// The core's end.
pub struct Aftermath {
    orders: orders::Sender<Order>,
    news: mpsc::Receiver<News>,
}

impl Aftermath {
    /// Starts the thread. It ends when this does.
    pub fn start(dataplane: &Dataplane) -> anyhow::Result<Self> {
        let (orders, ordered) = orders::channel();
        let (told, news) = mpsc::channel(QUEUE);
        let mut copies = dataplane.copies()?;
        copies.clear();
        let worker = Worker {
            lost: Some(copies.lost()?),
            copies,
            injector: dataplane.injector()?,
            connections: dataplane.connections()?,
            memory: Memory::default(),
            watched: BTreeSet::new(),
            news: told,
        };
        std::thread::Builder::new().name("aftermath".into()).spawn(move || worker.work(&ordered))?;
        Ok(Self { orders, news })
    }

    /// What the core has to look at. Cancel safe.
    pub async fn news(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            // The thread has died, and the daemon goes on without it.
            None => std::future::pending().await,
        }
    }

    /// These targets are watched from now on.
    pub fn watch(&self, targets: BTreeSet<u32>) {
        self.order(Order::Watch(targets));
    }

    /// A backup has taken `target` over from its primary.
    pub fn switched(&self, target: u32) {
        self.order(Order::Switched(target));
    }

    fn order(&self, order: Order) {
        if self.orders.send(order).is_err() {
            tracing::error!(
                "nothing is sent again, and no connection reset: the thread that does so has died"
            );
        }
    }
}

struct Worker {
    copies: Copies,
    /// Copies that were lost, when that was last looked at; none: that could not be told.
    lost: Option<u64>,
    injector: Injector,
    connections: Connections,
    memory: Memory,
    watched: BTreeSet<u32>,
    news: mpsc::Sender<News>,
}

impl Worker {
    fn work(mut self, ordered: &orders::Receiver<Order>) {
        loop {
            let order = if self.watched.is_empty() {
                ordered.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                ordered.recv_timeout(LOOK)
            };
            match order {
                Ok(Order::Watch(targets)) => self.watched = targets,
                Ok(Order::Switched(target)) => self.switched_with(target, ordered),
                Err(RecvTimeoutError::Timeout) => self.look(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// One target, and whoever has switched since.
    fn switched_with(&mut self, target: u32, ordered: &orders::Receiver<Order>) {
        let mut targets = BTreeSet::from([target]);
        let mut watched = None;
        for order in ordered.try_iter() {
            match order {
                Order::Switched(target) => drop(targets.insert(target)),
                Order::Watch(targets) => watched = Some(targets),
            }
        }
        self.switched(&targets);
        self.watched = watched.unwrap_or_else(|| std::mem::take(&mut self.watched));
    }

    /// What was said since the last look, and what was not.
    fn look(&mut self) {
        self.read();
        for target in self.memory.suspects(now()).filter(|target| self.watched.contains(target)) {
            // A core that has no time hears it again.
            let _ = self.news.try_send(News::Silent(target));
        }
    }

    /// Takes in what was copied; whether there may be more.
    fn read(&mut self) -> bool {
        for n in 0..BATCH {
            let memory = &mut self.memory;
            if !self.copies.next(|head, frame| take(memory, head, frame)) {
                // Nothing is lost but what finds the ring full.
                if n != 0 {
                    self.look_for_losses();
                }
                return false;
            }
        }
        self.look_for_losses();
        true
    }

    fn look_for_losses(&mut self) {
        let lost = self.copies.lost().ok();
        if lost.is_none() || lost != self.lost {
            tracing::debug!(lost, "more is said than can be watched");
            self.lost = lost;
            self.memory.lost();
        }
    }

    /// What the switches of these targets have left behind: all of them at once, because each look is at everything.
    fn switched(&mut self, targets: &BTreeSet<u32>) {
        // Whatever came before the switch is in the ring by now; what comes meanwhile is others'.
        for _ in 0..FULL_RING {
            if !self.read() {
                break;
            }
        }
        let mut done: BTreeMap<u32, Done> = BTreeMap::new();
        for (target, request) in self.memory.take_waiting(targets, now()) {
            let done = done.entry(target).or_default();
            note(replay(&mut self.injector, &request), &mut done.replayed, &mut done.failed);
        }
        let connections = self.connections.take(targets).unwrap_or_else(|error| {
            tracing::warn!(%error, "no connection is reset");
            Vec::new()
        });
        for Connection { target, client, asked } in connections {
            let done = done.entry(target).or_default();
            note(self.injector.reset(client, asked), &mut done.reset, &mut done.failed);
        }
        for (target, done) in done {
            // The core may be gone.
            let _ = self.news.blocking_send(News::Done(target, done));
        }
    }
}

fn take(memory: &mut Memory, head: &Copied, frame: &[u8]) {
    let way = match head.way {
        Copied::TO_PRIMARY => Way::ToPrimary,
        Copied::FROM_PRIMARY => Way::FromPrimary,
        _ => Way::Fragment,
    };
    let at = Duration::from_nanos(head.time_ns);
    memory.take(Seen { at, target: head.target, ingress: head.ingress, way, frame });
}

/// By the clock that the data plane reads.
fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}

/// Counts it as done, or as failed.
fn note(sent: Result<(), Error>, done: &mut u64, failed: &mut u64) {
    match sent {
        Ok(()) => *done += 1,
        Err(error) => {
            tracing::debug!(%error, "what a switch left behind could not be seen to");
            *failed += 1;
        }
    }
}

/// Sends all of a request through the program again.
fn replay(injector: &mut Injector, request: &Request) -> Result<(), Error> {
    request.frames.iter().try_for_each(|frame| injector.send(frame, request.ingress))
}
