//! The core: the one task that decides, and that writes to the data plane.
//!
//! It never waits for a prober or a command's sender: both may be waiting for it. A report that changes who serves is
//! in the availability map before the next message is looked at.

use std::{collections::BTreeSet, fs::File, path::PathBuf, time::Duration};

use failover_common::event::{Event, Kind};
use jiff::Timestamp;
use tokio::{
    signal::unix::Signal,
    sync::{mpsc, watch},
    time::{Instant, Interval, MissedTickBehavior, interval_at},
};

use super::{
    aftermath::Aftermath,
    discovery::Group,
    fleet::Fleet,
    kernel_events::{KernelEvents, client},
    lived::Lived,
    observe::Observatory,
    remembered::Remembered,
    start::Started,
    tally::Tally,
    targets::{Cause, Means, TargetState},
};
use crate::{
    config::model::Config,
    control::{
        admin::{Order, Orders},
        journal::{Draft, Journal},
        message::{Problem, SetAdmin, TargetStatus},
        server::Command,
    },
    dataplane::{self, Dataplane, Epoch, Watch},
    director::{Serves, To},
    probe::{Exemption, Ledger, Outcome, Report},
};

/// How often the maps are read back and compared.
const COMPARISON: Duration = Duration::from_secs(10);
/// How often orders are looked at for their end.
const ORDERS: Duration = Duration::from_secs(1);
/// How often the flow tables are walked through.
const FLOWS: Duration = Duration::from_secs(5);
/// Reports and exemptions that wait.
const QUEUE: usize = 1024;

/// Everything that the core owns.
pub struct Core {
    pub(super) path: PathBuf,
    pub(super) config: Config,
    pub(super) dataplane: Dataplane,
    pub(super) orders: Orders,
    pub(super) journal: Journal,
    pub(super) fleet: Fleet,
    pub(super) targets: Vec<TargetState>,
    pub(super) devices: Watch,
    epoch: Epoch,
    /// Interfaces that the operator had detached: they stay so until he, or a reload, says otherwise.
    pub(super) detached: BTreeSet<String>,
    /// What is remembered, when that was last walked through.
    pub(super) remembered: Option<Remembered>,
    pub(super) started: Instant,
    /// The same, by the wall clock.
    pub(super) began: Timestamp,
    pub(super) tally: Tally,
    /// What is run on every transition.
    pub(super) hook: watch::Sender<Option<PathBuf>>,
    /// Where phones ask for any gatekeeper.
    pub(super) group: Group,
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) observatory: Observatory,
    pub(super) aftermath: Aftermath,
    kernel: KernelEvents,
    ledger: Ledger,
    exemptions: mpsc::Receiver<Exemption>,
    reports: mpsc::Receiver<Report>,
    _lock: File,
}

impl Core {
    /// Starts the probers; nothing is decided yet.
    pub fn new(
        path: PathBuf,
        started: Started,
        journal: Journal,
        commands: mpsc::Sender<Command>,
        hook: watch::Sender<Option<PathBuf>>,
    ) -> anyhow::Result<Self> {
        let config = started.config().clone();
        let interfaces = config.router.interfaces.iter().map(|interface| interface.name.as_str());
        let odd = dataplane::warnings(interfaces, &config.targets);
        let blind = (!started.dataplane.steers_own_packets()).then(dataplane::without_egress);
        for reason in started.loaded().warnings.iter().cloned().chain(odd).chain(blind) {
            tracing::warn!("{reason}");
            journal.record(Draft { kind: "warning".into(), reason: Some(reason), ..Draft::default() });
        }
        let (exemption, exemptions) = mpsc::channel(QUEUE);
        let (report, reports) = mpsc::channel(QUEUE);
        let mut fleet = Fleet::new(Lived::load(&config.router.state_dir), exemption, report);
        let now = Timestamp::now();
        let crews = fleet.follow(&config.targets);
        let targets = config
            .targets
            .iter()
            .zip(crews)
            .map(|(target, crew)| TargetState::new(target, crew, &started.dataplane, now))
            .collect();
        let aftermath = Aftermath::start(&started.dataplane)?;
        let mut core = Self {
            path,
            config,
            dataplane: started.dataplane,
            orders: started.orders,
            journal,
            fleet,
            targets,
            devices: started.devices,
            epoch: started.epoch,
            detached: BTreeSet::new(),
            remembered: None,
            started: Instant::now(),
            began: now,
            tally: Tally::default(),
            hook,
            group: Group::default(),
            commands,
            observatory: Observatory::new(),
            aftermath,
            kernel: KernelEvents::new(started.events)?,
            ledger: Ledger::default(),
            exemptions,
            reports,
            _lock: started.lock,
        };
        core.tally.reloaded(true);
        core.expire_orders();
        core.refresh_all();
        core.follow_devices();
        core.watch();
        Ok(core)
    }

    /// Works until `stop`.
    pub async fn work(
        &mut self,
        mut commands: mpsc::Receiver<Command>,
        hang_up: &mut Signal,
        stop: impl Future<Output = ()>,
    ) {
        let mut stop = std::pin::pin!(stop);
        let mut comparison = every(COMPARISON);
        let mut orders = every(ORDERS);
        let mut flows = every(FLOWS);
        let (counted, mut counts) = mpsc::channel(1);
        let (compared, mut comparisons) = mpsc::channel(1);
        let mut reports = Vec::with_capacity(QUEUE);
        loop {
            // In no order: ten thousand probers always have something to report, and would leave nobody else a turn.
            tokio::select! {
                () = &mut stop => return,
                Some(exemption) = self.exemptions.recv() => self.exempt(exemption),
                1.. = self.reports.recv_many(&mut reports, QUEUE) => {
                    reports.drain(..).for_each(|report| self.take_report(report));
                }
                Some(command) = commands.recv() => self.obey(command),
                Ok(()) = self.epoch.changed() => self.network_changed(),
                Ok(events) = self.kernel.next() => self.take_events(&events),
                news = self.aftermath.news() => self.aftermath_news(news),
                news = self.observatory.news() => self.observation(news),
                Ok(()) = self.devices.changed() => self.devices_changed(),
                Some(found) = counts.recv() => self.take_count(found),
                Some(()) = hang_up.recv() => drop(self.reload()),
                Some(found) = comparisons.recv() => self.take_comparison(found),
                _ = comparison.tick() => self.compare(&compared),
                _ = orders.tick() => self.expire_orders(),
                _ = flows.tick() => self.count(&counted),
            }
        }
    }

    /// Ends the probers; the data plane goes on, or is taken away.
    pub fn end(mut self, detach: bool) -> anyhow::Result<()> {
        tracing::info!(detach, "stopping");
        self.close_observatory();
        // Closed first: probers that end now have no exemption to take back.
        drop(self.exemptions);
        if detach { Ok(self.dataplane.remove()?) } else { Ok(()) }
    }

    /// One target, anew.
    pub(super) fn refresh(&mut self, index: usize, cause: Cause) {
        let (Some(target), Some(state)) = (self.config.targets.get(index), self.targets.get_mut(index))
        else {
            return;
        };
        state.refresh(
            target,
            &mut Means {
                fleet: &self.fleet,
                orders: &self.orders,
                dataplane: &mut self.dataplane,
                journal: &self.journal,
                tally: &mut self.tally,
                aftermath: &self.aftermath,
                cause,
            },
        );
    }

    /// Every target, anew.
    pub(super) fn refresh_all(&mut self) {
        (0..self.targets.len()).for_each(|index| self.refresh(index, Cause::Nothing));
    }

    /// The index of the target of this name.
    pub(super) fn find(&self, name: &str) -> Result<usize, Problem> {
        self.config.targets.iter().position(|target| target.name == name).ok_or_else(|| {
            Problem::new(7, format!("no such target: {name}")).help("see `failover target list`")
        })
    }

    fn take_report(&mut self, report: Report) {
        let (id, changed) = (report.id, report.transition.is_some());
        let unable = match &report.outcome {
            Outcome::Unable { said } => Some(said.clone()),
            _ => None,
        };
        let Some(prober) = self.fleet.get(id) else { return };
        self.tally.probe(prober.subject.service, &report.outcome);
        // Said once, for as long as nothing else is.
        let unable = unable.filter(|said| prober.said() != Some(said.as_str()));
        let learnt = report.ever_alive && !prober.part.ever_alive;
        self.tally.late(report.late);
        self.fleet.note(report);
        if let Some(said) = unable {
            self.warn(format!("a probe could not be sent, which says nothing about its server: {said}"));
        }
        // Most reports say what is known: with thousands of targets, deciding anew each time would be most of the work.
        if changed || learnt {
            for index in self.fleet.served_by(id) {
                self.refresh(index, Cause::Health);
            }
        }
    }

    fn exempt(&mut self, exemption: Exemption) {
        let Exemption { endpoint, exempt, done } = exemption;
        if self.ledger.note(endpoint, exempt)
            && let Err(error) = self.dataplane.exempt(&endpoint, exempt)
        {
            tracing::error!(%error, "a probe socket could not be exempted");
            return;
        }
        if let Some(done) = done {
            // A prober that has ended needs no answer.
            let _ = done.send(());
        }
    }

    /// The operator's word: kept, then obeyed, then answered.
    pub(super) fn set_admin(&mut self, name: &str, set: &SetAdmin) -> Result<TargetStatus, Problem> {
        let index = self.find(name)?;
        let before = self.orders.of(name).state;
        let order = Order::given(set, Timestamp::now());
        self.orders.give(name, order).map_err(|error| Problem::new(1, error.to_string()))?;
        tracing::info!(target = name, from = before.name(), to = set.state.name(), "admin");
        self.journal.record(Draft {
            kind: "admin".into(),
            target: Some(name.to_owned()),
            from: Some(before.name().into()),
            to: Some(set.state.name().into()),
            reason: set.reason.clone(),
            ..Draft::default()
        });
        self.refresh(index, Cause::Operator);
        self.target_status(index)
    }

    fn expire_orders(&mut self) {
        self.fleet.keep();
        match self.orders.expire(Timestamp::now()) {
            Ok(over) => {
                for name in over {
                    self.journal.record(Draft {
                        kind: "admin".into(),
                        target: Some(name.clone()),
                        to: Some("auto".into()),
                        reason: Some("its time is over".into()),
                        ..Draft::default()
                    });
                    if let Ok(index) = self.find(&name) {
                        self.refresh(index, Cause::Operator);
                    }
                }
            }
            Err(error) => tracing::error!(%error, "an order's time is over, but that cannot be kept"),
        }
    }

    fn take_events(&mut self, events: &[(Kind, Event)]) {
        for (kind, event) in events {
            match kind {
                Kind::SteeringBegan => self.steering_began(event),
                Kind::FlowTableFull => self.table_full(),
                Kind::Suspicion => self.suspicion(event),
            }
        }
    }

    /// Packets look their next hops up again.
    fn network_changed(&mut self) {
        let epoch = *self.epoch.borrow_and_update();
        if let Err(error) = self.dataplane.set_epoch(epoch) {
            self.warn(error.to_string());
        }
    }

    fn steering_began(&mut self, event: &Event) {
        let Some(target) = self.dataplane.target_of(event.target, &self.config.targets) else { return };
        let Some(index) = self.config.targets.iter().position(|t| t.name == target.name) else { return };
        let Some(state) = self.targets.get_mut(index) else { return };
        if state.announced == event.generation {
            return;
        }
        state.announced = event.generation;
        if matches!(state.serves, Serves::Draining { to: To::Primary, .. }) {
            // What began at the backup goes on there: nothing begins.
            return;
        }
        self.journal.record(Draft {
            kind: "steering-began".into(),
            target: Some(target.name.clone()),
            to: Some(super::targets::name(target, state.serves).to_owned()),
            reason: Some(format!("first packet from {}", client(event))),
            ..Draft::default()
        });
    }

    /// A device came, went, or can now take redirected frames.
    fn devices_changed(&mut self) {
        let devices = self.devices.borrow_and_update().clone();
        for interface in self.config.router.interfaces.clone() {
            let attached = self.dataplane.attachment(&interface.name).map(|link| link.index);
            let index = devices.named(&interface.name).map(|device| device.index);
            if attached == index {
                continue;
            }
            if attached.is_some() {
                let gone = self.dataplane.detach(&interface.name);
                self.interface_event(&interface.name, "attached", "gone", &gone);
            }
            if index.is_some() && !self.detached.contains(&interface.name) {
                let again = self.dataplane.attach(&interface.name, interface.mode);
                self.interface_event(&interface.name, "gone", "attached", &again);
            }
        }
        self.follow_devices();
    }

    pub(super) fn interface_event(
        &self,
        name: &str,
        from: &str,
        to: &str,
        outcome: &Result<(), dataplane::Error>,
    ) {
        let reason = outcome.as_ref().err().map(ToString::to_string);
        tracing::info!(interface = name, from, to, reason, "interface");
        let (from, to) = if outcome.is_ok() { (from, to) } else { (from, from) };
        self.journal.record(Draft {
            kind: "interface".into(),
            server: Some(name.to_owned()),
            from: Some(from.to_owned()),
            to: Some(to.to_owned()),
            reason,
            ..Draft::default()
        });
    }

    pub(super) fn warn(&self, reason: String) {
        tracing::warn!("{reason}");
        self.journal.record(Draft { kind: "warning".into(), reason: Some(reason), ..Draft::default() });
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
