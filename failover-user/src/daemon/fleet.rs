//! The probers: one task for each endpoint that is probed, however many targets share it, and what each said last.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

use crate::{
    config::model::{Backup, Target},
    health::{Health, combine::Part},
    probe::{self, Exemption, Outcome, Report, Subject},
};

/// Requests for an extra probe that wait.
const AGAIN: usize = 4;

/// The probers, by id.
pub struct Fleet {
    probers: BTreeMap<u32, Prober>,
    /// The indices of the targets that each prober works for.
    works_for: BTreeMap<u32, Vec<usize>>,
    next: u32,
    exemptions: mpsc::Sender<Exemption>,
    reports: mpsc::Sender<Report>,
}

/// One prober, and its last words.
pub struct Prober {
    subject: Subject,
    again: mpsc::Sender<oneshot::Sender<()>>,
    task: AbortHandle,
    /// What its machine knows.
    pub part: Part,
    /// Of the last answer.
    pub rtt: Option<Duration>,
    /// The last outcome, in words.
    pub said: Option<String>,
    failures: u32,
    fall: u8,
}

/// The probers of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crew {
    /// Of the primary, in the order of the services.
    pub primary: Vec<u32>,
    /// Of each backup, the same.
    pub backups: Vec<Vec<u32>>,
}

impl Crew {
    /// Everyone.
    pub fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.primary.iter().chain(self.backups.iter().flatten()).copied()
    }
}

impl Fleet {
    /// No probers yet.
    pub const fn new(exemptions: mpsc::Sender<Exemption>, reports: mpsc::Sender<Report>) -> Self {
        Self { probers: BTreeMap::new(), works_for: BTreeMap::new(), next: 0, exemptions, reports }
    }

    /// Starts what `targets` need and is not there, ends what they no longer need; the crews in their order.
    pub fn follow(&mut self, targets: &[Target]) -> Vec<Crew> {
        let crews: Vec<Crew> = targets
            .iter()
            .map(|target| Crew {
                primary: self.crew(target, None),
                backups: target.backups.iter().map(|backup| self.crew(target, Some(backup))).collect(),
            })
            .collect();
        self.works_for = works_for(&crews);
        self.probers.retain(|id, prober| {
            let needed = self.works_for.contains_key(id);
            if !needed {
                prober.task.abort();
            }
            needed
        });
        crews
    }

    fn crew(&mut self, target: &Target, backup: Option<&Backup>) -> Vec<u32> {
        let subjects: Vec<Subject> = target
            .services
            .iter()
            .enumerate()
            .map(|(n, service)| Subject {
                server: match backup {
                    None => SocketAddr::new(target.address, service.port),
                    Some(backup) => {
                        SocketAddr::new(backup.address, backup.ports.get(n).copied().unwrap_or(service.port))
                    }
                },
                service: *service,
                policy: target.probe.clone(),
            })
            .collect();
        subjects.into_iter().map(|subject| self.find_or_start(subject)).collect()
    }

    fn find_or_start(&mut self, subject: Subject) -> u32 {
        let same = |prober: &Prober| {
            prober.subject.server == subject.server
                && prober.subject.service.kind == subject.service.kind
                && prober.subject.service.transport == subject.service.transport
                && prober.subject.policy == subject.policy
        };
        if let Some((id, _)) = self.probers.iter().find(|(_, prober)| same(prober)) {
            return *id;
        }
        self.next += 1;
        let id = self.next;
        let (again, requests) = mpsc::channel(AGAIN);
        let run = probe::run(id, subject.clone(), self.exemptions.clone(), requests, self.reports.clone());
        let task = tokio::spawn(run).abort_handle();
        let part = Part { health: Health::Unknown, ever_alive: false };
        let fall = subject.policy.fall.get();
        let prober = Prober { subject, again, task, part, rtt: None, said: None, failures: 0, fall };
        self.probers.insert(id, prober);
        id
    }

    /// Takes a report to heart; false where its prober has ended.
    pub fn note(&mut self, report: Report) -> bool {
        let Some(prober) = self.probers.get_mut(&report.id) else { return false };
        prober.part = Part { health: report.health, ever_alive: report.ever_alive };
        prober.failures = report.failures;
        prober.fall = report.fall;
        match report.outcome {
            Outcome::Alive { rtt, said } => {
                prober.rtt = Some(rtt);
                prober.said = Some(said);
            }
            Outcome::Failed { said } | Outcome::Unable { said } => prober.said = Some(said),
        }
        true
    }

    /// The indices of the targets that prober `id` works for.
    pub fn served_by(&self, id: u32) -> Vec<usize> {
        self.works_for.get(&id).cloned().unwrap_or_default()
    }

    /// A prober.
    pub fn get(&self, id: u32) -> Option<&Prober> {
        self.probers.get(&id)
    }

    /// What the machines of `ids` know.
    pub fn parts(&self, ids: &[u32]) -> Vec<Part> {
        let unknown = Part { health: Health::Unknown, ever_alive: false };
        ids.iter().map(|id| self.get(*id).map_or(unknown, |prober| prober.part)).collect()
    }

    /// The last round trip of the first of `ids` that has one.
    pub fn rtt(&self, ids: &[u32]) -> Option<Duration> {
        ids.iter().find_map(|id| self.get(*id)?.rtt)
    }

    /// What the worst of `ids` said: `sip/udp: no answer in 100ms, 3 of 3`.
    pub fn said(&self, ids: &[u32]) -> String {
        let worst = ids.iter().filter_map(|id| self.get(*id)).max_by_key(|prober| prober.failures);
        worst.map_or_else(|| "not probed yet".to_owned(), Prober::words)
    }

    /// Asks `ids` for a probe at once; each receiver ends when that probe is done.
    pub fn again(&self, ids: impl Iterator<Item = u32>) -> Vec<oneshot::Receiver<()>> {
        ids.filter_map(|id| {
            let (done, waits) = oneshot::channel();
            self.get(id)?.again.try_send(done).ok()?;
            Some(waits)
        })
        .collect()
    }
}

fn works_for(crews: &[Crew]) -> BTreeMap<u32, Vec<usize>> {
    let mut works_for = BTreeMap::<u32, Vec<usize>>::new();
    for (index, crew) in crews.iter().enumerate() {
        for id in crew.all() {
            let indices = works_for.entry(id).or_default();
            if indices.last() != Some(&index) {
                indices.push(index);
            }
        }
    }
    works_for
}

impl Prober {
    fn words(&self) -> String {
        let said = self.said.as_deref().unwrap_or("not probed yet");
        match self.failures {
            0 => format!("{}: {said}", self.subject.service),
            failures => {
                let failures = failures.min(u32::from(self.fall));
                format!("{}: {said}, {failures} of {}", self.subject.service, self.fall)
            }
        }
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.probers.values().for_each(|prober| prober.task.abort());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prober_that_several_targets_share_works_for_each_once() {
        let crews = [
            Crew { primary: vec![1, 1], backups: vec![vec![3], vec![3]] },
            Crew { primary: vec![2], backups: vec![vec![3]] },
        ];
        assert_eq!(works_for(&crews), BTreeMap::from([(1, vec![0]), (2, vec![1]), (3, vec![0, 1])]));
    }
}
