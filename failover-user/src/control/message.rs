//! What goes over the control socket: the JSON of `status`, `stats`, `events` and their commands.
//!
//! Others script against these shapes. A field is never left out: what is unknown is `null`. Adding a field keeps
//! [`SCHEMA`]; changing or removing one raises it.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET /v1/status` | | [`Status`] |
//! | `GET /v1/targets/NAME` | | [`TargetDetail`] |
//! | `POST /v1/targets/NAME/admin` | [`SetAdmin`] | [`TargetStatus`] after the change took effect |
//! | `POST /v1/targets/NAME/probe` | | [`TargetDetail`] after one fresh probe of each of its servers |
//! | `GET /v1/stats?by=BY` | | [`Stats`], told apart [`By`] something more where that is asked for |
//! | `POST /v1/observe` | [`Observe`] | [`Observation`]s, a line each, without end; the packets of before are not among them |
//! | `GET /v1/events?follow=BOOL&last=N&since=TIME` | | The last `N` [`Event`]s (or all), of those since then, a line each; with `follow`, without end |
//! | `POST /v1/interfaces/NAME?mode=MODE` | | [`InterfaceStatus`] |
//! | `DELETE /v1/interfaces/NAME` | | [`InterfaceStatus`] |
//! | `POST /v1/reload` | | [`Reloaded`] |
//!
//! Errors are [`Problem`] with a 4xx or 5xx status.

mod observe;
mod transcript;

pub use observe::{Observation, Observe, Seen, reason};
use serde::{Deserialize, Serialize};
pub use transcript::{Exchange, Exchanged, Transcript};

use crate::health::Health;

/// Version of these shapes.
pub const SCHEMA: u32 = 1;

/// `failover status -o json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The router.
    pub router: RouterStatus,
    /// In the order of the configuration.
    pub targets: Vec<TargetStatus>,
}

/// The router in a [`Status`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RouterStatus {
    /// The daemon's process id; null while it is dead.
    pub pid: Option<u32>,
    /// Seconds since the daemon started; null while it is dead.
    pub uptime_s: Option<f64>,
    /// No daemon watches: the kernel keeps the last decision.
    pub stale: bool,
    /// In the order of the configuration.
    pub interfaces: Vec<InterfaceStatus>,
    /// The table of flows; null until the daemon has walked through it, and while it is dead.
    pub flows: Option<FlowTable>,
}

/// How full the table of flows is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowTable {
    /// Entries of clients who were answered.
    pub answered: u64,
    /// The same of calls that began at a backup.
    pub calls: u64,
    /// The most there may be, of each.
    pub room: u64,
}

/// An interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceStatus {
    /// The device's name.
    pub name: String,
    /// `native` or `generic`; null while nothing is attached.
    pub mode: Option<String>,
    /// Whether our program is attached.
    pub attached: bool,
    /// Why it is not, where that is known.
    pub reason: Option<String>,
}

/// What the operator said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Admin {
    /// Health decides.
    #[default]
    Auto,
    /// The backup serves.
    Disabled,
    /// New flows go to the backup, old ones stay.
    Drain,
    /// Never steered.
    Primary,
}

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Serving {
    /// The primary.
    Primary,
    /// A backup: [`TargetStatus::backup`].
    Backup,
    /// Old flows finish where they began.
    Draining,
    /// Nobody (`all_down = "drop"`).
    None,
}

/// A target in a [`Status`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetStatus {
    /// Its name.
    pub name: String,
    /// What the operator said.
    pub admin: Admin,
    /// When that ends, RFC 3339; null: it does not.
    pub admin_until: Option<String>,
    /// The operator's reason.
    pub admin_reason: Option<String>,
    /// What probing knows of the primary; null: nothing yet.
    #[serde(with = "crate::health::or_null")]
    pub health: Health,
    /// Who serves; null: not known (never, while a daemon runs).
    pub serving: Option<Serving>,
    /// The backup that serves; null: none does.
    pub backup: Option<String>,
    /// `primary` or `backup`, while `draining`.
    pub draining_to: Option<String>,
    /// Since when [`Self::serving`] is so, RFC 3339.
    pub since: Option<String>,
    /// Why it is so, in words.
    pub reason: Option<String>,
    /// The primary's last round trip in microseconds.
    pub rtt_us: Option<u64>,
    /// Packets sent to a backup.
    pub steered_packets: u64,
    /// Bytes of them, whole frames.
    pub steered_bytes: u64,
    /// Packets that came back from a backup under the target's address.
    pub returned_packets: u64,
    /// Flows whose way back is remembered; null: not counted yet.
    pub pins: Option<u64>,
    /// In order of preference.
    pub backups: Vec<BackupStatus>,
    /// Every probe of the primary and of the backups.
    pub probes: Vec<ProbeStatus>,
}

/// A backup in a [`TargetStatus`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackupStatus {
    /// Its name.
    pub name: String,
    /// What probing knows; null: nothing yet.
    #[serde(with = "crate::health::or_null")]
    pub health: Health,
    /// The last round trip in microseconds.
    pub rtt_us: Option<u64>,
}

/// One probed service of one server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeStatus {
    /// `sip/udp`, `sip/tcp:5080`.
    pub service: String,
    /// `primary`, or the backup's name.
    pub server: String,
    /// Where it is asked: `192.0.2.10:5060`, `[2001:db8::10]:5060`.
    #[serde(default)]
    pub address: String,
    /// What this probe alone knows; null: nothing yet.
    #[serde(with = "crate::health::or_null")]
    pub health: Health,
    /// The last round trip in microseconds.
    pub rtt_us: Option<u64>,
    /// The last outcome, in words: `200 OK`, `no answer in 300ms`.
    pub last: Option<String>,
}

/// `failover target show NAME -o json`: a [`TargetStatus`] and what happened lately.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetDetail {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The target as in `status`.
    #[serde(flatten)]
    pub target: TargetStatus,
    /// The primary's address; the IPv4 one where there are two.
    pub address: String,
    /// All of the primary's addresses.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// `sip/udp`, …
    pub services: Vec<String>,
    /// The last events about this target, oldest first.
    pub events: Vec<Event>,
    /// The last probes of each of its servers, in the order of [`TargetStatus::probes`]; none while the daemon is dead.
    #[serde(default)]
    pub transcripts: Vec<Transcript>,
}

/// Body of `POST /v1/targets/NAME/admin`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetAdmin {
    /// The new state.
    pub state: Admin,
    /// Then back to `auto`, after this many seconds.
    #[serde(default)]
    pub for_s: Option<u64>,
    /// Why, in the operator's words; at most 200 bytes.
    #[serde(default)]
    pub reason: Option<String>,
}

/// `failover stats -o json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// [`SCHEMA`].
    pub schema: u32,
    /// No daemon watches.
    pub stale: bool,
    /// Packets about no target, by reason; only reasons that were counted.
    pub router: Vec<Count>,
    /// Packets about a target.
    pub targets: Vec<TargetCounts>,
    /// All of them by the interface at which they were counted; null: not asked for.
    #[serde(default)]
    pub interfaces: Option<Vec<InterfaceCounts>>,
    /// All of them by CPU; null: not asked for.
    #[serde(default)]
    pub cpus: Option<Vec<CpuCounts>>,
}

/// What the counters are told apart by, beside targets and reasons.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The interface at which a packet was counted
    Interface,
    /// The CPU that counted it
    Cpu,
}

/// The counters of one interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct InterfaceCounts {
    /// Its name; null: those that have no place of their own in the counters.
    pub name: Option<String>,
    /// Packets about no target.
    pub router: Vec<Count>,
    /// Packets about any target.
    pub targets: Vec<Count>,
}

/// The counters of one CPU.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CpuCounts {
    /// Its number, from 0.
    pub cpu: u32,
    /// Packets about no target.
    pub router: Vec<Count>,
    /// Packets about a target.
    pub targets: Vec<TargetCounts>,
}

/// The counters of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetCounts {
    /// Its name.
    pub name: String,
    /// Only reasons that were counted.
    pub counts: Vec<Count>,
}

/// One counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// The reason's stable number.
    pub number: u32,
    /// The reason's name.
    pub reason: String,
    /// Packets.
    pub packets: u64,
    /// Bytes, of whole frames.
    pub bytes: u64,
}

/// One line of `failover events -o jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up from 1 in each daemon.
    pub seq: u64,
    /// RFC 3339, microseconds.
    pub time: String,
    /// `started`, `adopted`, `stopping`, `health`, `serving`, `steering-began`, `admin`, `interface`, `reloaded`, `warning`.
    pub kind: String,
    /// The target; null: about the router.
    pub target: Option<String>,
    /// `primary` or the backup's name, for `health`.
    pub server: Option<String>,
    /// Before, where something changed.
    pub from: Option<String>,
    /// After, where something changed.
    pub to: Option<String>,
    /// In words.
    pub reason: Option<String>,
}

/// Answer to a reload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reloaded {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Targets in the configuration now.
    pub targets: usize,
    /// What changed, a line each; empty: nothing.
    pub changes: Vec<String>,
    /// What is odd in the new configuration.
    pub warnings: Vec<String>,
}

/// An error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// What failed, on what, why.
    pub error: String,
    /// What to do next, where that is known.
    pub help: Option<String>,
    /// The exit code that a command ends with.
    pub exit: u8,
}

/// The longest reason that an operator may give, in bytes.
pub const MAX_REASON: usize = 200;

/// The longest time that an admin state may be given for: a year, in seconds.
pub const MAX_FOR_S: u64 = 366 * 24 * 3600;

impl Admin {
    /// The word in JSON and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Disabled => "disabled",
            Self::Drain => "drain",
            Self::Primary => "primary",
        }
    }
}

impl SetAdmin {
    /// What is wrong with it, as a usage error.
    pub fn check(&self) -> Result<(), Problem> {
        let reason = self.reason.as_deref().unwrap_or_default();
        if reason.len() > MAX_REASON || reason.chars().any(char::is_control) {
            let error = format!("set the admin state: a reason is one line of at most {MAX_REASON} bytes");
            return Err(Problem::new(2, error));
        }
        match self.for_s {
            Some(_) if self.state == Admin::Auto => {
                let error = "set the admin state: `auto` has no end, so it takes no duration";
                Err(Problem::new(2, error).help("name a duration only with disabled, drain or primary"))
            }
            Some(0 | MAX_FOR_S..) => {
                Err(Problem::new(2, "set the admin state: the duration must be between 1 second and a year"))
            }
            _ => Ok(()),
        }
    }
}

impl Problem {
    /// An error that a command ends with.
    pub fn new(exit: u8, error: impl Into<String>) -> Self {
        Self { error: error.into(), help: None, exit }
    }

    /// The same, and what to do next.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.error)
    }
}

impl std::error::Error for Problem {}
