//! What the data plane remembers, counted every few seconds, and what follows from it: draining is over when nothing that
//! is kept is left.

use std::collections::BTreeMap;

use tokio::{sync::mpsc, time::Instant};

use super::{core::Core, targets::Cause};
use crate::{config::model::Target, dataplane::Flows};

/// One walk.
#[derive(Clone, Debug)]
pub struct Remembered {
    /// When it began.
    began: Instant,
    pub flows: Flows,
}

impl Remembered {
    /// Flows and hosts of the target with this number.
    pub fn pins(&self, id: u32) -> u64 {
        of(&self.flows.of, id)
    }

    /// What `target`, which has this number, leaves at a backup when the primary returns.
    fn kept(&self, target: &Target, id: u32) -> u64 {
        let connections = if target.keeps_connections() { of(&self.flows.connections, id) } else { 0 };
        let calls = if target.keeps_calls() { of(&self.flows.calls, id) } else { 0 };
        connections + calls
    }
}

fn of(counts: &BTreeMap<u32, u64>, id: u32) -> u64 {
    counts.get(&id).copied().unwrap_or_default()
}

impl Core {
    /// Has everything counted, without waiting for it.
    pub(super) fn count(&self, counted: &mpsc::Sender<Remembered>) {
        let Ok(place) = counted.clone().try_reserve_owned() else { return };
        let sweeper = self.dataplane.sweeper(&self.config.targets);
        let began = Instant::now();
        tokio::task::spawn_blocking(move || match sweeper.sweep() {
            Ok(flows) => drop(place.send(Remembered { began, flows })),
            Err(error) => tracing::warn!(%error, "the flow tables could not be walked through"),
        });
    }

    /// What was counted: draining may be over.
    pub(super) fn take_count(&mut self, found: Remembered) {
        self.look_for_room(&found.flows);
        for index in 0..self.targets.len() {
            let target = &self.config.targets[index];
            let kept = found.kept(target, self.dataplane.id_of(target));
            let state = &mut self.targets[index];
            state.found(kept, found.began);
            if state.drains() {
                self.refresh(index, Cause::Nothing);
            }
        }
        self.remembered = Some(found);
    }

    fn look_for_room(&self, flows: &Flows) {
        let before = self.remembered.as_ref().is_some_and(|before| before.flows.is_crowded());
        if flows.is_crowded() && !before {
            let (answered, room) = (flows.fullest(), flows.room);
            self.warn(format!(
                "the flow table is nearly full: {answered} of {room} entries; raise `max_flows`, or later clients are the \
                 first to be forgotten"
            ));
        }
    }

    /// Said once, until there is room again.
    pub(super) fn table_full(&mut self) {
        let room = u64::from(self.config.router.max_flows.get());
        let room = self.remembered.as_ref().map_or(room, |found| found.flows.room);
        let known = self
            .remembered
            .get_or_insert_with(|| Remembered { began: Instant::now(), flows: Flows::default() });
        let known = &mut known.flows;
        if known.fullest() < room || known.room == 0 {
            (known.answered, known.room) = (room, room);
            self.warn(format!(
                "the flow table is full: {room} entries; who is answered now may be forgotten; raise `max_flows`"
            ));
        }
    }
}
