//! Commands, and what they are answered with.

use std::{net::SocketAddr, process, time::Duration};

use tokio::time::timeout;

use super::{core::Core, fleet::Prober};
use crate::{
    config::model::{Mode, Service, Target},
    control::{
        journal::timestamp,
        message::{
            BackupStatus, FlowTable, InterfaceStatus, ProbeStatus, Problem, RouterStatus, SCHEMA, Status,
            TargetDetail, TargetStatus, Transcript,
        },
        server::{Command, Reply},
    },
    dataplane,
};

/// Events in a target's detail.
const EVENTS: usize = 20;
/// The longest that `probe` waits: the probers' own time-outs end sooner.
const LONGEST_PROBE: Duration = Duration::from_mins(1);

impl Core {
    /// Answers one command.
    pub(super) fn obey(&mut self, command: Command) {
        // Whoever asked and went away is not waited for: the answer is dropped.
        match command {
            Command::Status { reply } => drop(reply.send(self.status())),
            Command::Target { name, reply } => drop(reply.send(self.detail(&name))),
            Command::SetAdmin { name, set, reply } => drop(reply.send(self.set_admin(&name, &set))),
            Command::Probe { name, reply } => self.probe(name, reply),
            Command::Stats { by, reply } => {
                let stats = self.dataplane.stats(&self.config.targets, by);
                drop(reply.send(stats.map_err(|error| problem(&error))));
            }
            Command::Metrics { first, reply } => drop(reply.send(self.metrics(first))),
            Command::Observe { wish, reply } => self.observe(wish, reply),
            Command::Attach { name, mode, reply } => drop(reply.send(self.attach(&name, mode))),
            Command::Detach { name, reply } => drop(reply.send(self.detach(&name))),
            Command::Reload { reply } => drop(reply.send(self.reload())),
        }
    }

    fn status(&self) -> Result<Status, Problem> {
        let targets =
            (0..self.targets.len()).map(|index| self.target_status(index)).collect::<Result<_, _>>()?;
        Ok(Status { schema: SCHEMA, router: self.router_status(), targets })
    }

    pub(super) fn router_status(&self) -> RouterStatus {
        RouterStatus {
            pid: Some(process::id()),
            uptime_s: Some(self.started.elapsed().as_secs_f64()),
            stale: false,
            interfaces: self.config.router.interfaces.iter().map(|i| self.interface(&i.name)).collect(),
            flows: self.remembered.as_ref().map(|found| &found.flows).map(|flows| FlowTable {
                answered: flows.answered,
                calls: flows.answered_calls,
                room: flows.room,
            }),
        }
    }

    fn interface(&self, name: &str) -> InterfaceStatus {
        let devices = self.devices.borrow();
        let device = devices.named(name);
        let attachment = self.dataplane.attachment(name).filter(|_| device.is_some());
        let attached = attachment.is_some();
        // The watch on the devices may not have seen yet what was attached a moment ago.
        let mode = attachment.and_then(|link| device?.xdp.map(|(mode, _)| mode).or(link.mode));
        InterfaceStatus {
            name: name.to_owned(),
            mode: mode.map(|mode| mode.to_string()),
            attached,
            reason: match device {
                None => Some("no such device".into()),
                Some(_) if attached => None,
                Some(_) => Some("detached".into()),
            },
        }
    }

    pub(super) fn target_status(&self, index: usize) -> Result<TargetStatus, Problem> {
        let gone = || Problem::new(7, "no such target");
        let target = self.config.targets.get(index).ok_or_else(gone)?;
        let state = self.targets.get(index).ok_or_else(gone)?;
        let counts = self.dataplane.counts(target).map_err(|error| problem(&error))?.sums();
        let order = self.orders.of(&target.name);
        let (serving, draining_to) = state.serves.words();
        let backup = state.serves.backup().and_then(|n| target.backups.get(n));
        let backups = target.backups.iter().zip(&state.backups).zip(1..);
        Ok(TargetStatus {
            name: target.name.clone(),
            admin: order.state,
            admin_until: order.until.map(timestamp),
            admin_reason: order.reason,
            health: state.primary,
            serving: Some(serving),
            backup: backup.map(|backup| backup.name.clone()),
            draining_to,
            since: Some(timestamp(state.since)),
            reason: Some(state.reason.clone()),
            rtt_us: micros(self.fleet.rtt(state.crew.of(0))),
            steered_packets: counts.steered.packets,
            steered_bytes: counts.steered.bytes,
            returned_packets: counts.returned.packets,
            pins: self.remembered.as_ref().map(|found| found.pins(self.dataplane.id_of(target))),
            backups: backups
                .map(|((backup, health), server)| BackupStatus {
                    name: backup.name.clone(),
                    health: *health,
                    rtt_us: micros(self.fleet.rtt(state.crew.of(server))),
                })
                .collect(),
            probes: self.probes(target, index),
        })
    }

    fn probes(&self, target: &Target, index: usize) -> Vec<ProbeStatus> {
        self.asked(target, index, |service, server, at, prober| ProbeStatus {
            service: service.to_string(),
            server: server.to_owned(),
            address: at.to_string(),
            health: prober.map(|p| p.part.health).unwrap_or_default(),
            rtt_us: micros(prober.and_then(|p| p.rtt)),
            last: prober.and_then(|p| p.said()).map(str::to_owned),
        })
    }

    fn transcripts(&self, target: &Target, index: usize) -> Vec<Transcript> {
        self.asked(target, index, |service, server, at, prober| Transcript {
            service: service.to_string(),
            server: server.to_owned(),
            address: at.to_string(),
            exchanges: prober.map(|prober| prober.transcript.exchanges()).unwrap_or_default(),
        })
    }

    /// What is told of each probed service of each of the target's servers, the primary first.
    fn asked<T>(
        &self,
        target: &Target,
        index: usize,
        tell: impl Fn(&Service, &str, SocketAddr, Option<&Prober>) -> T,
    ) -> Vec<T> {
        let Some(state) = self.targets.get(index) else { return Vec::new() };
        let mut list = Vec::new();
        for (n, server) in target.servers().enumerate() {
            for post in state.crew.of(n) {
                let asked = target.probed(server.at(post.address)).zip(&post.probers);
                list.extend(
                    asked.map(|((service, at), id)| tell(service, server.name, at, self.fleet.get(*id))),
                );
            }
        }
        list
    }

    fn detail(&self, name: &str) -> Result<TargetDetail, Problem> {
        let index = self.find(name)?;
        let target = &self.config.targets[index];
        Ok(TargetDetail {
            schema: SCHEMA,
            target: self.target_status(index)?,
            address: target.addresses.first().to_string(),
            addresses: target.addresses.iter().map(|address| address.to_string()).collect(),
            services: target.services.iter().map(ToString::to_string).collect(),
            events: self.journal.about(name, EVENTS),
            transcripts: self.transcripts(target, index),
        })
    }

    /// Has every server of the target probed, and answers when that is done, without the core waiting for it.
    fn probe(&self, name: String, reply: Reply<TargetDetail>) {
        let index = match self.find(&name) {
            Ok(index) => index,
            Err(problem) => return drop(reply.send(Err(problem))),
        };
        let probes = self.fleet.again(self.targets[index].crew.all());
        let commands = self.commands.clone();
        tokio::spawn(async move {
            let all = async {
                for probe in probes {
                    // A prober that ended has nothing more to say.
                    let _ = probe.await;
                }
            };
            let _ = timeout(LONGEST_PROBE, all).await;
            // Behind the reports, which have been queued before.
            let _ = commands.send(Command::Target { name, reply }).await;
        });
    }

    fn attach(&mut self, name: &str, mode: Option<Mode>) -> Result<InterfaceStatus, Problem> {
        let configured = self.config.router.interfaces.iter().find(|interface| interface.name == name);
        let Some(configured) = configured else {
            return Err(Problem::new(7, format!("{name} is not an interface of the configuration"))
                .help("add it to [router] interfaces, then `failover reload`"));
        };
        let mode = mode.unwrap_or(configured.mode);
        let was = if self.dataplane.attachment(name).is_some() { "attached" } else { "detached" };
        let attached = self.dataplane.attach(name, mode);
        attached.as_ref().map_err(problem)?;
        self.detached.remove(name);
        self.follow_devices();
        self.interface_event(name, was, "attached", &attached);
        Ok(InterfaceStatus { attached: true, reason: None, ..self.interface(name) })
    }

    fn detach(&mut self, name: &str) -> Result<InterfaceStatus, Problem> {
        if self.dataplane.attachment(name).is_none() {
            return Err(Problem::new(7, format!("nothing of ours is attached to {name}"))
                .help("see `failover status` for the interfaces"));
        }
        let detached = self.dataplane.detach(name);
        detached.as_ref().map_err(problem)?;
        self.detached.insert(name.to_owned());
        self.follow_devices();
        self.interface_event(name, "attached", "detached", &detached);
        Ok(InterfaceStatus { mode: None, ..self.interface(name) })
    }
}

/// A data plane's error as the control API says it.
pub(super) fn problem(error: &dataplane::Error) -> Problem {
    Problem { error: error.to_string(), help: error.help(), exit: error.exit() }
}

fn micros(rtt: Option<Duration>) -> Option<u64> {
    rtt.map(|rtt| u64::try_from(rtt.as_micros()).unwrap_or(u64::MAX))
}
