//! OpenMetrics text. Names and labels are listed in `docs/metrics.md`: others have dashboards for them.

use std::{fmt, time::Duration};

use failover_common::reason::Reason;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text},
    metrics::MetricType,
    registry::{Registry, Unit},
};

use super::snapshot::{BOUNDS, Flow, Histogram, Packets, RouterPage, TargetPage, Turn};
use crate::{
    control::message::{Admin, Serving},
    health::Health,
};

/// Everything, as one text.
pub(super) fn encode(router: RouterPage, targets: Vec<TargetPage>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("failover");
    registry.register_collector(Box::new(All { router, targets }));
    let mut text = String::new();
    text::encode(&mut text, &registry)?;
    Ok(text)
}

#[derive(Debug)]
struct All {
    router: RouterPage,
    targets: Vec<TargetPage>,
}

impl Collector for All {
    fn encode(&self, mut to: DescriptorEncoder) -> fmt::Result {
        let mut page = Writer(&mut to);
        self.daemon(&mut page)?;
        self.interfaces(&mut page)?;
        self.tables(&mut page)?;
        self.probes(&mut page)?;
        self.states(&mut page)?;
        self.servers(&mut page)?;
        self.turns(&mut page)?;
        self.aftermath(&mut page)?;
        self.packets(&mut page)
    }
}

impl All {
    fn daemon(&self, page: &mut Writer<'_, '_>) -> fmt::Result {
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        page.gauge("build", "The version that runs", None)?.row(&version, 1.0)?;
        let help = "When the daemon started, since 1970";
        page.gauge("start_time", help, Some(&Unit::Seconds))?.row(&[], self.router.started)?;
        let help = "Whether no daemon watches and the kernel keeps its last decision: never, while there are metrics";
        page.gauge("stale", help, None)?.row(&[], 0.0)?;
        if let Some((at, taken)) = self.router.reload {
            let help = "When the configuration was last read, since 1970";
            page.gauge("last_reload_time", help, Some(&Unit::Seconds))?.row(&[], at)?;
            let help = "Whether the configuration was taken that was read last";
            page.gauge("last_reload_successful", help, None)?.row(&[], flag(taken))?;
        }
        let mut events = page.counter("events", "What happened, by kind", None)?;
        self.router.events.iter().try_for_each(|(kind, count)| events.count(&[("kind", kind)], *count))
    }

    fn interfaces(&self, page: &mut Writer<'_, '_>) -> fmt::Result {
        let mut rows = page.gauge("interface_attached", "Whether the program is attached", None)?;
        for interface in &self.router.interfaces {
            let mode = interface.mode.as_deref().unwrap_or("none");
            let name = escaped(&interface.name);
            rows.row(&[("interface", &name), ("mode", mode)], flag(interface.attached))?;
        }
        Ok(())
    }

    fn tables(&self, page: &mut Writer<'_, '_>) -> fmt::Result {
        let Some(flows) = self.router.flows else { return Ok(()) };
        let used = [("answered", flows.answered), ("calls", flows.calls)];
        let mut rows = page.gauge("table_entries", "Entries that a table of remembered flows has", None)?;
        used.iter().try_for_each(|(table, used)| rows.row(&[("table", table)], float(*used)))?;
        let mut rows = page.gauge("table_capacity", "Entries that it has room for", None)?;
        used.iter().try_for_each(|(table, _)| rows.row(&[("table", table)], float(flows.room)))
    }

    fn probes(&self, page: &mut Writer<'_, '_>) -> fmt::Result {
        let mut rows = page.counter("probes", "Probes that ended, by service and outcome", None)?;
        for ((service, outcome), count) in &self.router.probes {
            rows.count(&[("service", service), ("outcome", outcome)], *count)?;
        }
        let help = "Round trips of the probes that were answered, by service";
        let mut rows = page.histogram("probe_rtt", help, &Unit::Seconds)?;
        for (service, trips) in &self.router.round_trips {
            rows.histogram(&[("service", service)], trips)?;
        }
        let help = "How much later than planned probes were sent: what this router is too busy for";
        page.histogram("probe_lateness", help, &Unit::Seconds)?.histogram(&[], &self.router.lateness)
    }

    fn states(&self, page: &mut Writer<'_, '_>) -> fmt::Result {
        let servings = [Serving::Primary, Serving::Backup, Serving::Draining, Serving::None];
        let mut rows = page.gauge("target_serving", "Who serves the target: 1 for what is so", None)?;
        for target in &self.targets {
            for state in servings {
                let labels = [("target", target.name.as_str()), ("serving", serving(state))];
                rows.row(&labels, flag(state == target.serving))?;
            }
        }
        let admins = [Admin::Auto, Admin::Disabled, Admin::Drain, Admin::Primary];
        let mut rows = page.gauge("target_admin", "What the operator said: 1 for what is so", None)?;
        for target in &self.targets {
            for state in admins {
                let labels = [("target", target.name.as_str()), ("admin", state.name())];
                rows.row(&labels, flag(state == target.admin))?;
            }
        }
        Ok(())
    }

    fn servers(&self, page: &mut Writer<'_, '_>) -> fmt::Result {
        let all = [Health::Unknown, Health::Up, Health::Suspect, Health::Down, Health::Recovering];
        let mut rows = page.gauge("server_health", "The health of each server: 1 for what is so", None)?;
        for (target, server) in self.targets.iter().flat_map(|t| t.servers.iter().map(move |s| (t, s))) {
            for health in all {
                let labels =
                    [("target", target.name.as_str()), ("server", &server.name), ("health", health.name())];
                rows.row(&labels, flag(health == server.health))?;
            }
        }
        let help = "The last round trip of a probe of the server";
        let mut rows = page.gauge("server_rtt", help, Some(&Unit::Seconds))?;
        for (target, server) in self.targets.iter().flat_map(|t| t.servers.iter().map(move |s| (t, s))) {
            if let Some(rtt) = server.rtt {
                let labels = [("target", target.name.as_str()), ("server", &server.name)];
                rows.row(&labels, rtt.as_secs_f64())?;
            }
        }
        Ok(())
    }

    fn turns(&self, page: &mut Writer<'_, '_>) -> fmt::Result {
        let all = || self.targets.iter().flat_map(|t| t.turns.iter().map(move |turn| (t, turn)));
        let mut rows = page.counter("health_transitions", "Changes of a server's health, by why", None)?;
        for (target, (turn, count)) in all() {
            if let Turn::Health { server, to, reason } = turn {
                let labels =
                    [("target", target.name.as_str()), ("server", server), ("to", to), ("reason", reason)];
                rows.count(&labels, *count)?;
            }
        }
        let mut rows = page.counter("serving_transitions", "Changes of who serves, by why", None)?;
        for (target, (turn, count)) in all() {
            if let Turn::Serving(Flow { to, reason }) = turn {
                rows.count(&[("target", target.name.as_str()), ("to", to), ("reason", reason)], *count)?;
            }
        }
        Ok(())
    }

    fn aftermath(&self, page: &mut Writer<'_, '_>) -> fmt::Result {
        let help = "Requests without an answer that were sent to a backup at a switch";
        let mut rows = page.counter("replayed_requests", help, None)?;
        for target in &self.targets {
            rows.count(&[("target", target.name.as_str())], target.aftermath.replayed)?;
        }
        let help = "Clients' TCP connections that were reset at a switch";
        let mut rows = page.counter("reset_connections", help, None)?;
        for target in &self.targets {
            rows.count(&[("target", target.name.as_str())], target.aftermath.reset)?;
        }
        Ok(())
    }

    fn packets(&self, page: &mut Writer<'_, '_>) -> fmt::Result {
        let help =
            "Packets that the program looked at, by target (none: about no target), verdict and reason";
        let mut rows = page.counter("packets", help, None)?;
        self.counted().try_for_each(|(target, packets)| {
            packets
                .iter()
                .try_for_each(|(reason, counter)| rows.count(&cause(target, *reason), counter.packets))
        })?;
        let help = "The bytes of those packets, whole frames";
        let mut rows = page.counter("packet_size", help, Some(&Unit::Bytes))?;
        self.counted().try_for_each(|(target, packets)| {
            packets
                .iter()
                .try_for_each(|(reason, counter)| rows.count(&cause(target, *reason), counter.bytes))
        })
    }

    fn counted(&self) -> impl Iterator<Item = (&str, &Packets)> {
        let targets = self.targets.iter().map(|target| (target.name.as_str(), &target.packets));
        std::iter::once(("", &self.router.packets)).chain(targets)
    }
}

/// A label's value as OpenMetrics wants it, which the encoder leaves to us. The kernel allows quotes in the names of devices; all
/// other values are names of the configuration, or words of ours, and have none.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"")
}

fn cause(target: &str, reason: Reason) -> [(&str, &str); 3] {
    [("target", target), ("verdict", verdict(reason)), ("reason", reason.name())]
}

/// What became of a packet.
const fn verdict(reason: Reason) -> &'static str {
    match reason {
        Reason::NobodyServes | Reason::HalfWritten => "dropped",
        Reason::IcmpTranslated => "translated",
        Reason::SenderTold => "answered",
        _ if reason.is_steered() => "steered",
        _ if reason.is_returned() => "returned",
        _ => "passed",
    }
}

const fn serving(serving: Serving) -> &'static str {
    match serving {
        Serving::Primary => "primary",
        Serving::Backup => "backup",
        Serving::Draining => "draining",
        Serving::None => "none",
    }
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[expect(clippy::cast_precision_loss, reason = "beyond 2^53 nobody counts single entries")]
const fn float(number: u64) -> f64 {
    number as f64
}

/// Begins families of rows.
struct Writer<'a, 'e>(&'a mut DescriptorEncoder<'e>);

/// The rows of one family.
struct Rows<'a>(MetricEncoder<'a>);

impl Writer<'_, '_> {
    fn gauge<'s>(
        &'s mut self,
        name: &'s str,
        help: &'s str,
        unit: Option<&'s Unit>,
    ) -> Result<Rows<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, unit, MetricType::Gauge).map(Rows)
    }

    fn counter<'s>(
        &'s mut self,
        name: &'s str,
        help: &'s str,
        unit: Option<&'s Unit>,
    ) -> Result<Rows<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, unit, MetricType::Counter).map(Rows)
    }

    fn histogram<'s>(
        &'s mut self,
        name: &'s str,
        help: &'s str,
        unit: &'s Unit,
    ) -> Result<Rows<'s>, fmt::Error> {
        self.0.encode_descriptor(name, help, Some(unit), MetricType::Histogram).map(Rows)
    }
}

impl Rows<'_> {
    fn row(&mut self, labels: &[(&str, &str)], value: f64) -> fmt::Result {
        if labels.is_empty() {
            return self.0.encode_gauge(&value);
        }
        self.0.encode_family(&labels)?.encode_gauge(&value)
    }

    fn count(&mut self, labels: &[(&str, &str)], count: u64) -> fmt::Result {
        self.0.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&count, None)
    }

    fn histogram(&mut self, labels: &[(&str, &str)], trips: &Histogram) -> fmt::Result {
        let bounds = BOUNDS.iter().map(Duration::as_secs_f64).chain([f64::MAX]);
        let buckets: Vec<(f64, u64)> = bounds.zip(trips.counts).collect();
        let count = trips.counts.iter().sum();
        let sum = trips.sum.as_secs_f64();
        if labels.is_empty() {
            return self.0.encode_histogram::<NoLabelSet>(sum, count, &buckets, None);
        }
        self.0.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }
}
