//! What is asked for by `failover observe`, and seen.

use std::net::IpAddr;

use failover_common::reason::Reason;
use serde::{Deserialize, Serialize};

use super::Problem;

/// The most words that one list of [`Observe`] may have.
const MOST: usize = 64;

/// Body of `POST /v1/observe`: which packets to show. An empty list forbids nothing, but that packets about no target are
/// shown only under reasons that are named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observe {
    /// Names of targets.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Names of reasons.
    #[serde(default)]
    pub reasons: Vec<String>,
    /// Hosts that the packet is from or to, before or after it was rewritten.
    #[serde(default)]
    pub hosts: Vec<IpAddr>,
    /// Names of interfaces by which it comes or is redirected.
    #[serde(default)]
    pub interfaces: Vec<String>,
    /// Of so many packets, one, by chance.
    #[serde(default = "every")]
    pub sample: u32,
}

const fn every() -> u32 {
    1
}

impl Default for Observe {
    fn default() -> Self {
        Self { targets: vec![], reasons: vec![], hosts: vec![], interfaces: vec![], sample: every() }
    }
}

impl Observe {
    /// What is wrong with it, whatever the configuration.
    pub fn check(&self) -> Result<(), Problem> {
        let lists = [self.targets.len(), self.reasons.len(), self.hosts.len(), self.interfaces.len()];
        if self.sample == 0 || lists.iter().any(|list| *list > MOST) {
            let error =
                format!("observe: a sample is one of 1 packet or more, and a list has at most {MOST} words");
            return Err(Problem::new(2, error));
        }
        for name in &self.reasons {
            if reason(name).is_none() {
                let all: Vec<_> = Reason::ALL.iter().map(|reason| reason.name()).collect();
                return Err(Problem::new(7, format!("observe: there is no reason {name:?}"))
                    .help(format!("one of {}", all.join(", "))));
            }
        }
        Ok(())
    }

    /// Whether it wants to see such a packet, which is from and to these hosts; its chance is another matter.
    pub fn wants(&self, seen: &Seen, hosts: &[IpAddr]) -> bool {
        let named = |list: &[String], name: Option<&str>| list.iter().any(|word| Some(word.as_str()) == name);
        let target = if self.targets.is_empty() {
            !self.reasons.is_empty() || seen.target.is_some()
        } else {
            named(&self.targets, seen.target.as_deref())
        };
        let interface = self.interfaces.is_empty()
            || named(&self.interfaces, Some(&seen.interface))
            || named(&self.interfaces, seen.egress.as_deref());
        target
            && interface
            && (self.reasons.is_empty() || named(&self.reasons, Some(&seen.reason)))
            && (self.hosts.is_empty() || self.hosts.iter().any(|host| hosts.contains(host)))
    }
}

/// The reason of that name.
pub fn reason(name: &str) -> Option<Reason> {
    Reason::ALL.iter().copied().find(|reason| reason.name() == name)
}

/// One line of `failover observe -o jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Observation {
    /// A packet.
    Packet(Box<Seen>),
    /// Packets that this observer was not shown.
    Lost {
        /// How many, since the line that said so before. Of those that the data plane could not show it is not known
        /// whether this observer wanted them.
        packets: u64,
        /// `observer`, which was too slow, or `router`, where there were too many of them.
        by: String,
    },
}

/// A packet that was observed. What is unknown is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// RFC 3339, microseconds.
    pub time: String,
    /// The interface by which it came.
    pub interface: String,
    /// `pass`, `drop` or `redirect`.
    pub verdict: String,
    /// The reason's name.
    pub reason: String,
    /// The target; null: about none.
    pub target: Option<String>,
    /// The target's backup that it goes to, or comes from.
    pub backup: Option<String>,
    /// The interface by which it leaves, where it is redirected.
    pub egress: Option<String>,
    /// The CPU that saw it.
    pub cpu: u32,
    /// `udp`, `tcp`, `icmp`, `icmpv6`, or the number.
    pub protocol: Option<String>,
    /// Address, and port where there is one.
    pub from: Option<String>,
    /// The same.
    pub to: Option<String>,
    /// Where it seems to be from, once it was rewritten; null: it was not.
    pub new_from: Option<String>,
    /// Where it goes, once it was rewritten; null: it was not.
    pub new_to: Option<String>,
    /// Its first line, where it carries text; or its TCP flags.
    pub says: Option<String>,
    /// Bytes of the frame, as it came.
    pub length: u32,
    /// The frame as it came, in hex; of a long one, the beginning.
    pub before: String,
    /// Bytes of the frame, as it leaves; null: as it came.
    pub new_length: Option<u32>,
    /// The frame as it leaves; null: as it came.
    pub after: Option<String>,
}
