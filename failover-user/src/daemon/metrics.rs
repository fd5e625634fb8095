//! What the metrics are told: a few targets at a time, because each of them takes some system calls, and somebody's phones
//! may be waiting for a decision meanwhile.

use super::core::Core;
use crate::control::{
    message::Problem,
    metrics::{Packets, Page, RouterPage, ServerPage, TargetPage},
};

/// Targets in a page.
const PAGE: usize = 32;

impl Core {
    /// The targets from the `first` on.
    pub(super) fn metrics(&self, first: usize) -> Result<Page, Problem> {
        let last = self.targets.len().min(first.saturating_add(PAGE));
        let targets = (first..last).map(|index| self.target_metrics(index)).collect::<Result<_, _>>()?;
        Ok(Page {
            router: if first >= last { self.router_metrics()? } else { RouterPage::default() },
            targets,
        })
    }

    fn router_metrics(&self) -> Result<RouterPage, Problem> {
        let status = self.router_status();
        Ok(RouterPage {
            started: self.began.as_duration().as_secs_f64(),
            interfaces: status.interfaces,
            flows: status.flows,
            reload: self.tally.reload,
            packets: self.dataplane.router_counts().map_err(|error| super::status::problem(&error))?.0,
            probes: self.tally.probes(),
            round_trips: self.tally.round_trips(),
            lateness: self.tally.lateness.clone(),
            events: self.journal.kinds(),
        })
    }

    fn target_metrics(&self, index: usize) -> Result<TargetPage, Problem> {
        let (target, state) = (&self.config.targets[index], &self.targets[index]);
        let counts = self.dataplane.counts(target).map_err(|error| super::status::problem(&error))?;
        let healths = std::iter::once(state.primary).chain(state.backups.iter().copied());
        let servers = target.servers().zip(healths).enumerate().map(|(n, (server, health))| ServerPage {
            name: server.name.to_owned(),
            health,
            rtt: self.fleet.rtt(state.crew.of(n)),
        });
        let packets: Packets = counts.0;
        Ok(TargetPage {
            name: target.name.clone(),
            admin: self.orders.of(&target.name).state,
            serving: state.serves.words().0,
            servers: servers.collect(),
            turns: self.tally.turns(&target.name),
            aftermath: self.tally.aftermath_of(&target.name),
            packets,
        })
    }
}
