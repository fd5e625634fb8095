//! What the daemon tells the metrics.

use std::{collections::BTreeMap, time::Duration};

use failover_common::{reason::Reason, value::Counter};

use crate::{
    control::message::{Admin, FlowTable, InterfaceStatus, Serving},
    health::Health,
};

/// Some of the targets, and the router.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// As it is at this page.
    pub router: RouterPage,
    /// From the one asked for on; none: there are no more.
    pub targets: Vec<TargetPage>,
}

/// Packets by reason; only reasons that were counted.
pub type Packets = Vec<(Reason, Counter)>;

/// The router and the daemon.
#[derive(Clone, Debug, Default)]
pub struct RouterPage {
    /// When the daemon started, in seconds since 1970.
    pub started: f64,
    /// As in `status`.
    pub interfaces: Vec<InterfaceStatus>,
    /// How full the tables are; none until they have been walked through.
    pub flows: Option<FlowTable>,
    /// When the configuration was last read, in seconds since 1970, and whether it was taken.
    pub reload: Option<(f64, bool)>,
    /// About no target.
    pub packets: Packets,
    /// Probes by service (`sip/udp`) and outcome.
    pub probes: BTreeMap<(String, &'static str), u64>,
    /// Round trips of probes by service.
    pub round_trips: BTreeMap<String, Histogram>,
    /// How much later than planned probes were asked.
    pub lateness: Histogram,
    /// Events by kind.
    pub events: BTreeMap<String, u64>,
}

/// One target.
#[derive(Clone, Debug)]
pub struct TargetPage {
    /// Its name.
    pub name: String,
    /// The operator's word.
    pub admin: Admin,
    /// Who serves.
    pub serving: Serving,
    /// The primary, then the backups.
    pub servers: Vec<ServerPage>,
    /// Changes of health and of who serves.
    pub turns: BTreeMap<Turn, u64>,
    /// What switches left behind.
    pub aftermath: Aftermath,
    /// About it.
    pub packets: Packets,
}

/// What switches from the primary to a backup left behind, and was seen to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Aftermath {
    /// Requests without an answer that were sent to the backup.
    pub replayed: u64,
    /// Clients' TCP connections that were reset.
    pub reset: u64,
}

/// One server of a target.
#[derive(Clone, Debug)]
pub struct ServerPage {
    /// `primary`, or the backup's name.
    pub name: String,
    /// What probing knows.
    pub health: Health,
    /// The last round trip.
    pub rtt: Option<Duration>,
}

/// One kind of change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Of a server's health.
    Health {
        /// `primary`, or the backup's name.
        server: String,
        /// After.
        to: &'static str,
        /// Why, in a word.
        reason: &'static str,
    },
    /// Of who serves.
    Serving(Flow),
}

/// Who serves, after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flow {
    /// After.
    pub to: &'static str,
    /// Why, in a word.
    pub reason: &'static str,
}

/// Upper bounds of round trips and lateness: from what a neighbour takes to the longest time-out that is usual.
pub const BOUNDS: [Duration; 12] = [
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
];

/// How long round trips took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// For each of [`BOUNDS`], and beyond.
    pub counts: [u64; BOUNDS.len() + 1],
    /// All of them together.
    pub sum: Duration,
}

impl Histogram {
    /// Takes in one.
    pub fn observe(&mut self, rtt: Duration) {
        let place = BOUNDS.iter().position(|bound| rtt <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(rtt);
    }
}
