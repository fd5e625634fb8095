//! The probers: one task for each endpoint that is probed, however many targets share it, and what each said last.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
};

use super::{lived::Lived, transcript::Transcript};
use crate::{
    config::model::{Probe, Server, ServiceKind, Target, Transport},
    health::{Health, combine::Part, machine::Why},
    probe::{self, Exemption, Outcome, Report, Subject},
};

/// Requests for an extra probe that wait.
const AGAIN: usize = 4;

/// The probers, by id.
pub struct Fleet {
    probers: HashMap<u32, Prober>,
    /// Who probes what.
    ids: HashMap<Question, u32>,
    /// The indices of the targets that each prober works for.
    works_for: BTreeMap<u32, Vec<usize>>,
    next: u32,
    lived: Lived,
    exemptions: mpsc::Sender<Exemption>,
    reports: mpsc::Sender<Report>,
}

/// One prober, and its last words.
pub struct Prober {
    pub(super) subject: Subject,
    again: mpsc::Sender<oneshot::Sender<()>>,
    task: AbortHandle,
    /// What its machine knows.
    pub part: Part,
    /// Of the last answer.
    pub rtt: Option<Duration>,
    /// What it asked lately, and what came back.
    pub transcript: Transcript,
    pending: Option<String>,
    /// Of the last change of health.
    why: Option<Why>,
    failures: u32,
    fall: u8,
}

/// The probers of one server at one of its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// The address.
    pub address: IpAddr,
    /// By id, in the order of the services that are probed.
    pub probers: Vec<u32>,
}

/// The probers of one target: of each of its servers, the primary first, a post for each address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crew(pub Vec<Vec<Post>>);

impl Crew {
    /// At the primary (0), or the n-th backup.
    pub fn of(&self, server: usize) -> &[Post] {
        self.0.get(server).map(Vec::as_slice).unwrap_or_default()
    }

    /// Everyone.
    pub fn all(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|posts| everyone(posts))
    }
}

fn everyone(posts: &[Post]) -> impl Iterator<Item = u32> {
    posts.iter().flat_map(|post| post.probers.iter().copied())
}

impl Fleet {
    /// No probers yet.
    pub fn new(lived: Lived, exemptions: mpsc::Sender<Exemption>, reports: mpsc::Sender<Report>) -> Self {
        let (probers, ids, works_for) = (HashMap::new(), HashMap::new(), BTreeMap::new());
        Self { probers, ids, works_for, next: 0, lived, exemptions, reports }
    }

    /// Starts what `targets` need and is not there, ends what they no longer need; the crews in their order.
    pub fn follow(&mut self, targets: &[Target]) -> Vec<Crew> {
        let crews: Vec<Crew> = targets
            .iter()
            .map(|target| Crew(target.servers().map(|server| self.posts(target, &server)).collect()))
            .collect();
        self.works_for = works_for(&crews);
        self.probers.retain(|id, prober| {
            let needed = self.works_for.contains_key(id);
            if !needed {
                prober.task.abort();
                self.ids.remove(&question(&prober.subject));
            }
            needed
        });
        self.lived.keep_only(&self.probers.values().map(|prober| name(&prober.subject)).collect());
        crews
    }

    fn posts(&mut self, target: &Target, server: &Server<'_>) -> Vec<Post> {
        let post = |address: &IpAddr| {
            let subjects = target.probed(server.at(*address)).map(|(service, server)| Subject {
                server,
                service: *service,
                policy: target.probe.clone(),
            });
            let probers = subjects.map(|subject| self.find_or_start(subject)).collect();
            Post { address: *address, probers }
        };
        server.addresses.iter().map(post).collect()
    }

    fn find_or_start(&mut self, subject: Subject) -> u32 {
        let question = question(&subject);
        if let Some(id) = self.ids.get(&question) {
            return *id;
        }
        self.next += 1;
        let id = self.next;
        self.ids.insert(question, id);
        let (again, requests) = mpsc::channel(AGAIN);
        let run = probe::run(id, subject.clone(), self.exemptions.clone(), requests, self.reports.clone());
        let task = tokio::spawn(run).abort_handle();
        let part = Part { health: Health::Unknown, ever_alive: self.lived.knows(&name(&subject)) };
        let fall = subject.policy.fall.get();
        let prober = Prober {
            subject,
            again,
            task,
            part,
            rtt: None,
            transcript: Transcript::default(),
            pending: None,
            why: None,
            failures: 0,
            fall,
        };
        self.probers.insert(id, prober);
        id
    }

    /// Takes a report to heart; false where its prober has ended.
    pub fn note(&mut self, report: Report) -> bool {
        let Some(prober) = self.probers.get_mut(&report.id) else { return false };
        if report.ever_alive && !prober.part.ever_alive {
            self.lived.learn(name(&prober.subject));
        }
        prober.part = Part { health: report.health, ever_alive: report.ever_alive || prober.part.ever_alive };
        prober.failures = report.failures;
        prober.fall = report.fall;
        prober.pending = report.pending;
        prober.why = report.transition.map(|change| change.why).or(prober.why);
        if let Outcome::Alive { rtt, .. } = report.outcome {
            prober.rtt = Some(rtt);
        }
        prober.transcript.note(report.at, report.question, report.outcome);
        true
    }

    /// Keeps what was learnt.
    pub fn keep(&mut self) {
        self.lived.keep();
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

    /// The last round trip of the first prober at `posts` that has one.
    pub fn rtt(&self, posts: &[Post]) -> Option<Duration> {
        everyone(posts).find_map(|id| self.get(id)?.rtt)
    }

    /// What the worst of those at `posts` said that have a say: `sip/udp: no answer in 100ms, 3 of 3`. With more
    /// than one post it tells where: `sip/udp at [2001:db8::10]:5060: …`.
    pub fn said(&self, posts: &[Post]) -> String {
        let worst = self.worst(posts);
        worst.map_or_else(|| "not probed yet".to_owned(), |prober| prober.words(posts.len() > 1))
    }

    /// Why its health last changed, in a word.
    pub fn why(&self, posts: &[Post]) -> &'static str {
        self.worst(posts).and_then(|prober| prober.why).map_or("unknown", Why::name)
    }

    fn worst(&self, posts: &[Post]) -> Option<&Prober> {
        let probers = everyone(posts).filter_map(|id| self.get(id));
        probers.max_by_key(|prober| (prober.part.ever_alive, prober.failures))
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

/// What makes two probers the same.
type Question = (SocketAddr, ServiceKind, Transport, Probe);

fn question(subject: &Subject) -> Question {
    let Subject { server, service, policy } = subject;
    (*server, service.kind, service.transport, policy.clone())
}

/// The service in [`Lived`].
fn name(subject: &Subject) -> String {
    format!("{}/{} {}", subject.service.kind.name(), subject.service.transport, subject.server)
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
    /// The last outcome, in words.
    pub fn said(&self) -> Option<&str> {
        self.transcript.last().map(Outcome::said)
    }

    fn words(&self, tells_where: bool) -> String {
        let said = self.said().unwrap_or("not probed yet");
        let Subject { service, server, .. } = &self.subject;
        let at = if tells_where { format!(" at {server}") } else { String::new() };
        match self.failures {
            0 => match &self.pending {
                Some(pending) => format!("{service}{at}: {said}, {pending}"),
                None => format!("{service}{at}: {said}"),
            },
            failures => {
                let failures = failures.min(u32::from(self.fall));
                format!("{service}{at}: {said}, {failures} of {}", self.fall)
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
mod tests;
