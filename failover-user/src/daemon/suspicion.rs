//! What passes by says that a primary may not live: an ICMP error about a packet to it, a reset in its name, or no word of it
//! while it is asked. Anybody could have sent, or kept back, that, so it decides nothing: the primary is asked itself, at once, though
//! no more often than a stranger may cost it.

use std::time::Duration;

use failover_common::event::Event;
use tokio::time::Instant;

use super::{
    aftermath::{Done, News},
    core::Core,
    kernel_events::client,
};
use crate::control::journal::Draft;

/// The least time between two suspicions of one target that are followed.
const LEAST_GAP: Duration = Duration::from_millis(200);

impl Core {
    /// Something was said to a client.
    pub(super) fn suspicion(&mut self, event: &Event) {
        self.suspect(event.target, || format!("by what was said to {}", client(event)));
    }

    /// The thread that watches has something to say.
    pub(super) fn aftermath_news(&mut self, news: News) {
        match news {
            News::Silent(target) => self.suspect(target, || "by its silence".to_owned()),
            News::Done(target, done) => self.seen_to(target, done),
        }
    }

    /// What is watched, by the configuration of now.
    pub(super) fn watch(&self) {
        let watched = self.config.targets.iter().filter(|target| target.is_watched());
        self.aftermath.watch(watched.map(|target| self.dataplane.id_of(target)).collect());
    }

    /// Has the primary asked.
    fn suspect(&mut self, id: u32, why: impl Fn() -> String) {
        let Some(index) = self.index_of(id) else { return };
        let Some(state) = self.targets.get_mut(index) else { return };
        let now = Instant::now();
        if state.suspected.is_some_and(|last| now.duration_since(last) < LEAST_GAP) {
            return;
        }
        state.suspected = Some(now);
        tracing::debug!(target = %self.config.targets[index].name, why = why(), "suspected");
        let primary = state.crew.of(0).iter().flat_map(|post| post.probers.iter().copied());
        // Nobody waits for the outcome here, and a prober that has been told already needs no telling.
        drop(self.fleet.again(primary));
    }

    /// What a switch left behind has been seen to.
    fn seen_to(&mut self, id: u32, Done { replayed, reset, failed }: Done) {
        let Some(index) = self.index_of(id) else { return };
        let target = self.config.targets[index].name.clone();
        self.tally.aftermath(&target, replayed, reset);
        let failed = if failed == 0 { String::new() } else { format!("; {failed} could not be sent") };
        let reason = format!("requests sent again: {replayed}; connections reset: {reset}{failed}");
        tracing::info!(target, replayed, reset, "{reason}");
        self.journal.record(Draft {
            kind: "aftermath".into(),
            target: Some(target),
            reason: Some(reason),
            ..Draft::default()
        });
    }

    fn index_of(&self, id: u32) -> Option<usize> {
        let target = self.dataplane.target_of(id, &self.config.targets)?;
        self.config.targets.iter().position(|other| other.name == target.name)
    }
}
