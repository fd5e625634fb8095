//! What passes by says that a primary may not live: an ICMP error about a packet to it, or a reset in its name. Anybody could
//! have sent that, so it decides nothing: the primary is asked itself, at once, though no more often than a stranger may cost it.

use std::time::Duration;

use failover_common::event::Event;
use tokio::time::Instant;

use super::{core::Core, kernel_events::client};

/// The least time between two suspicions of one target that are followed.
const LEAST_GAP: Duration = Duration::from_millis(200);

impl Core {
    /// Has the primary asked.
    pub(super) fn suspicion(&mut self, event: &Event) {
        let Some(target) = self.dataplane.target_of(event.target, &self.config.targets) else { return };
        let Some(index) = self.config.targets.iter().position(|t| t.name == target.name) else { return };
        let Some(state) = self.targets.get_mut(index) else { return };
        let now = Instant::now();
        if state.suspected.is_some_and(|last| now.duration_since(last) < LEAST_GAP) {
            return;
        }
        state.suspected = Some(now);
        tracing::debug!(target = %target.name, client = %client(event), "suspected");
        let primary = state.crew.of(0).iter().flat_map(|post| post.probers.iter().copied());
        // Nobody waits for the outcome here, and a prober that has been told already needs no telling.
        drop(self.fleet.again(primary));
    }
}
