//! What the core knows of one target, and how a decision is made and carried out.

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    aftermath::Aftermath,
    fleet::{Crew, Fleet, Post},
    tally::Tally,
};
use crate::{
    config::model::Target,
    control::{
        admin::{Order, Orders},
        journal::{Draft, Journal},
        message::Admin,
    },
    dataplane::Dataplane,
    director::{self, Drain, Place, Serves, Situation, To},
    health::{
        Health,
        combine::{Silent, whole},
    },
};

/// One target's present state. What is configured of it stands in the configuration, at the same index.
#[derive(Clone, Debug)]
pub struct TargetState {
    /// Who probes it.
    pub crew: Crew,
    /// The primary's health.
    pub primary: Health,
    /// The backups' health.
    pub backups: Vec<Health>,
    /// Who serves.
    pub serves: Serves,
    /// Since when.
    pub since: Timestamp,
    /// The same, by the monotonic clock.
    pub began: Instant,
    /// What was found at the backup since then, if anybody has looked.
    pub kept: Option<u64>,
    /// Why.
    pub reason: String,
    /// What was last written to the map.
    pub place: Place,
    /// The generation whose first steered packet was announced.
    pub announced: u32,
    /// When its primary was last asked because of a suspicion.
    pub suspected: Option<tokio::time::Instant>,
    /// What was warned of, because it never answered: the server, and what of it.
    pub left_out: Vec<(usize, Silent)>,
}

impl TargetState {
    /// The state before any probe: what the availability map says.
    pub fn new(target: &Target, crew: Crew, dataplane: &Dataplane, now: Timestamp) -> Self {
        let found = dataplane.placed(target);
        let serves = director::serves(found, target.backups.len());
        let reason = match serves {
            Serves::Primary => "started",
            _ => "taken over from the daemon before",
        };
        Self {
            crew,
            primary: Health::Unknown,
            backups: vec![Health::Unknown; target.backups.len()],
            serves,
            since: now,
            began: Instant::now(),
            kept: None,
            reason: reason.to_owned(),
            place: Place { serving: found.serving(), keeper: found.keeper(), live: found.live() },
            announced: found.generation(),
            suspected: None,
            left_out: Vec::new(),
        }
    }

    /// Takes the probes' last words, decides, and has the decision written at once.
    pub fn refresh(&mut self, target: &Target, with: &mut Means<'_>) {
        let said = with.fleet.said(self.crew.of(0));
        self.take_health(target, with);
        let order = with.orders.of(&target.name);
        let situation = Situation {
            // What began at the primary cannot be told from what is new.
            admin: if order.state == Admin::Drain && !target.remembers() {
                Admin::Disabled
            } else {
                order.state
            },
            all_down: target.all_down,
            primary: self.primary,
            backups: &self.backups,
            now: self.serves,
            failback: target.failback,
            keeps: target.keeps(),
            drain: Drain { age: self.began.elapsed(), pins: self.kept },
            drain_limit: target.drain_limit,
            told: with.cause == Cause::Operator,
        };
        let (serves, why) = director::decide(&situation);
        let words = match (&order, order.state) {
            (Order { reason: Some(reason), .. }, Admin::Disabled | Admin::Drain | Admin::Primary) => {
                format!("{}: {reason}", why.words(&said))
            }
            _ => why.words(&said),
        };
        self.place = director::place(serves, self.primary, &self.backups);
        with.dataplane.place(target, self.place);
        if serves != self.serves {
            if matches!(serves, Serves::Backup(_)) && !matches!(self.serves, Serves::Backup(_)) {
                with.aftermath.switched(with.dataplane.id_of(target));
            }
            record_serving(with.journal, target, self.serves, serves, &words);
            with.tally.serving(&target.name, outcome(serves), why.name());
            self.serves = serves;
            self.since = Timestamp::now();
            (self.began, self.kept) = (Instant::now(), None);
            self.reason = words;
        } else if with.cause != Cause::Nothing {
            self.reason = words;
        }
    }

    /// Somebody has looked, beginning at `began`, how many flows and calls are left at the target's backups.
    pub fn found(&mut self, kept: u64, began: Instant) {
        if began >= self.began {
            self.kept = Some(kept);
        }
    }

    /// Whether draining may be over without anybody's health having changed.
    pub const fn drains(&self) -> bool {
        matches!(self.serves, Serves::Draining { .. })
    }

    fn take_health(&mut self, target: &Target, with: &mut Means<'_>) {
        for server in 0..=target.backups.len() {
            let posts = self.crew.of(server);
            let parts: Vec<_> = posts.iter().map(|post| with.fleet.parts(&post.probers)).collect();
            let whole = whole(&parts, target.require);
            let name = server.checked_sub(1).map_or("primary", |n| target.backups[n].name.as_str());
            let known = match server {
                0 => &mut self.primary,
                n => &mut self.backups[n - 1],
            };
            if *known != whole.health {
                let said = with.fleet.said(posts);
                record_health(with.journal, target, name, *known, whole.health, &said);
                with.tally.health(&target.name, name, whole.health, with.fleet.why(posts));
                *known = whole.health;
            }
            for silent in whole.left_out {
                if !self.left_out.contains(&(server, silent)) {
                    self.left_out.push((server, silent));
                    warn_left_out(with.journal, target, name, &left_out(target, posts, silent));
                }
            }
        }
    }
}

/// What a decision is made with.
pub struct Means<'a> {
    /// The probers.
    pub fleet: &'a Fleet,
    /// The operator's orders.
    pub orders: &'a Orders,
    /// The maps.
    pub dataplane: &'a mut Dataplane,
    /// The history.
    pub journal: &'a Journal,
    /// The counts.
    pub tally: &'a mut Tally,
    /// What a switch leaves behind.
    pub aftermath: &'a Aftermath,
    /// What asks for the decision: an unchanged one gets new words where its cause is another one.
    pub cause: Cause,
}

/// What asks for a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing that is worth new words.
    Nothing,
    /// A server's health has changed.
    Health,
    /// The operator has spoken, or an order of his has ended.
    Operator,
}

/// The word of `status` for who serves.
const fn outcome(serves: Serves) -> &'static str {
    match serves {
        Serves::Primary => "primary",
        Serves::Backup(_) => "backup",
        Serves::Draining { .. } => "draining",
        Serves::Nobody => "none",
    }
}

/// The name in events of the server that gets what is new.
pub fn name(target: &Target, serves: Serves) -> &str {
    match serves {
        Serves::Primary | Serves::Draining { to: To::Primary, .. } => "primary",
        Serves::Backup(n) | Serves::Draining { backup: n, to: To::Backup } => backup(target, n),
        Serves::Nobody => "none",
    }
}

fn backup(target: &Target, n: usize) -> &str {
    target.backups.get(n).map_or("backup", |backup| backup.name.as_str())
}

/// The event's kind, and both servers, for a change of who serves. Where one server is drained, its name is the first.
fn change(target: &Target, from: Serves, to: Serves) -> (&'static str, &str, &str) {
    match (from, to) {
        (_, Serves::Draining { backup: n, to: To::Primary }) => ("draining", backup(target, n), "primary"),
        (_, Serves::Draining { backup: n, to: To::Backup }) => ("draining", "primary", backup(target, n)),
        (Serves::Draining { backup: n, to: To::Primary }, Serves::Primary) => {
            ("drained", backup(target, n), "primary")
        }
        (Serves::Draining { to: To::Backup, .. }, Serves::Backup(n)) => {
            ("drained", "primary", backup(target, n))
        }
        _ => ("serving", name(target, from), name(target, to)),
    }
}

fn record_serving(journal: &Journal, target: &Target, from: Serves, to: Serves, words: &str) {
    let (kind, from, to) = change(target, from, to);
    tracing::info!(target = %target.name, from, to, reason = %words, "{kind}");
    journal.record(Draft {
        kind: kind.into(),
        target: Some(target.name.clone()),
        from: Some(from.into()),
        to: Some(to.into()),
        reason: Some(words.to_owned()),
        ..Draft::default()
    });
}

fn record_health(journal: &Journal, target: &Target, server: &str, from: Health, to: Health, said: &str) {
    tracing::info!(target = %target.name, server, from = from.name(), to = to.name(), said, "health");
    journal.record(Draft {
        kind: "health".into(),
        target: Some(target.name.clone()),
        server: Some(server.to_owned()),
        from: Some(from.name().into()),
        to: Some(to.name().into()),
        reason: Some(said.to_owned()),
    });
}

/// What never answered, in words.
fn left_out(target: &Target, posts: &[Post], silent: Silent) -> String {
    let address = |family: usize| posts.get(family).map_or_else(String::new, |post| post.address.to_string());
    match silent {
        Silent::Family(family) => format!(
            "nothing ever answered at {address}, and it does not count; leave it out of `address` if it is not there",
            address = address(family),
        ),
        Silent::Service { family, service } => {
            let service = target.probed(0..).nth(service).map_or_else(String::new, |(it, _)| it.to_string());
            let at = if posts.len() > 1 { format!(" at {}", address(family)) } else { String::new() };
            format!(
                "{service}{at} never answered, and does not count; leave it out of `services` if it is not there"
            )
        }
    }
}

fn warn_left_out(journal: &Journal, target: &Target, server: &str, reason: &str) {
    tracing::warn!(target = %target.name, server, %reason);
    journal.record(Draft {
        kind: "warning".into(),
        target: Some(target.name.clone()),
        server: Some(server.to_owned()),
        reason: Some(reason.to_owned()),
        ..Draft::default()
    });
}
