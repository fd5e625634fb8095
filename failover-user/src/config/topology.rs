//! What must hold between targets, and what holds but is odd.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    net::{IpAddr, SocketAddr},
    ops::Range,
};

use failover_common::names::MOST_DISCOVERIES;
use toml::Spanned;

use super::{
    convert::{Placed, PlacedBackup},
    error::{Problem, Problems},
    families,
    model::{Affinity, Service, ServiceKind, Steer, Transport},
    probing,
    section::Said,
    section::quoted,
};

/// One place where something is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Endpoint {
    pub address: IpAddr,
    pub transport: Transport,
    pub port: u16,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", SocketAddr::new(self.address, self.port), self.transport)
    }
}

/// Reports what must not be between targets.
pub(super) fn check(targets: &[Placed], problems: &mut Problems) {
    names(targets, problems);
    services(targets, problems);
    dedicated(targets, problems);
}

fn names(targets: &[Placed], problems: &mut Problems) {
    let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
    for name in targets.iter().filter_map(|target| target.name.as_ref()) {
        if let Some(first) = seen.get(name.get_ref().as_str()) {
            let why = format!("two targets are called {}", quoted(name.get_ref()));
            let problem = Problem::new(name.span(), why, "a second time").also(first.clone(), "first here");
            problems.push(problem.help("give each target a name of its own"));
        } else {
            seen.insert(name.get_ref(), name.span());
        }
    }
}

fn services(targets: &[Placed], problems: &mut Problems) {
    let mut seen: HashMap<Endpoint, (usize, &Spanned<IpAddr>)> = HashMap::new();
    for (n, target) in targets.iter().enumerate() {
        for (address, endpoint) in served(target) {
            match seen.get(&endpoint) {
                Some((other, first)) if *other != n => {
                    let why = format!("two targets serve {endpoint}");
                    let problem =
                        Problem::new(address.span(), why, "a second time").also(first.span(), "first here");
                    problems.push(
                        problem.help("one server is one target: join them, or give each other `services`"),
                    );
                    break;
                }
                Some(_) => {}
                None => {
                    seen.insert(endpoint, (n, address));
                }
            }
        }
    }
}

/// Where the target serves: the address, and the whole endpoint.
fn served(target: &Placed) -> impl Iterator<Item = (&Spanned<IpAddr>, Endpoint)> {
    let services = target.services.as_deref().unwrap_or_default();
    target.addresses().iter().flat_map(move |address| {
        services.iter().map(Spanned::get_ref).map(move |service| {
            let (transport, port) = (service.transport, service.port);
            (address, Endpoint { address: *address.get_ref(), transport, port })
        })
    })
}

fn dedicated(targets: &[Placed], problems: &mut Problems) {
    let (users, owners) = (users(targets), owners(targets));
    for (n, target) in targets.iter().enumerate() {
        for backup in target.backups.iter().flatten() {
            let (Some(true), Some(dedicated)) = (backup.dedicated.value(), backup.dedicated.here()) else {
                continue;
            };
            let help = "leave `dedicated` out, or give the backup an address for this target alone";
            let of_others = backup.addresses().iter().find_map(|address| {
                let address = address.get_ref();
                let alone = "a dedicated backup stands in for one target alone, and";
                if let Some((_, own)) = owners.get(address).filter(|(owner, _)| *owner != n) {
                    return Some((format!("{alone} {address} is a target itself"), Some(own.clone())));
                }
                let other = users.get(address)?.iter().find(|user| **user != n)?;
                Some((format!("{alone} {address} is a backup of {} too", name(&targets[*other])), None))
            });
            let Some((why, owner)) = of_others else { continue };
            let problem = Problem::new(dedicated.span(), why, "not for one target alone").help(help);
            problems.push(match owner {
                Some(own) => problem.also(own, "a target"),
                None => problem,
            });
        }
    }
}

/// Which targets use each backup address.
fn users(targets: &[Placed]) -> HashMap<IpAddr, BTreeSet<usize>> {
    let mut users: HashMap<IpAddr, BTreeSet<usize>> = HashMap::new();
    for (n, target) in targets.iter().enumerate() {
        for address in target.backups.iter().flatten().flat_map(PlacedBackup::addresses) {
            users.entry(*address.get_ref()).or_default().insert(n);
        }
    }
    users
}

/// Which target is at each address, and where that is written: the first in the file.
fn owners(targets: &[Placed]) -> HashMap<IpAddr, (usize, Range<usize>)> {
    let last_first = targets.iter().enumerate().rev();
    last_first
        .flat_map(|(n, target)| target.addresses().iter().map(move |a| (*a.get_ref(), (n, a.span()))))
        .collect()
}

/// The target's name, where it has one.
pub(super) fn name(target: &Placed) -> &str {
    target.name.as_ref().map_or("another target", |name| name.get_ref())
}

/// Two services that lead to one port of a backup.
pub(super) fn same_port(services: &[Spanned<Service>], ports: &[u16]) -> Option<(Service, Service)> {
    let mut seen: HashMap<(Transport, u16), Service> = HashMap::new();
    services.iter().zip(ports).find_map(|(service, port)| {
        let service = *service.get_ref();
        seen.insert((service.transport, *port), service).map(|first| (first, service))
    })
}

/// What is odd, in the order of the targets: whole sentences, with what to do.
pub(super) fn warnings(targets: &[Placed]) -> Vec<String> {
    let mut warnings = shared(targets);
    discovery(targets, &mut warnings);
    let (users, owners) = (users(targets), owners(targets));
    for target in targets {
        let who = name(target);
        pace(who, target, &mut warnings);
        without_effect(who, target, &mut warnings);
        families::warnings(target, &mut warnings);
        probing::warnings(who, target, &mut warnings);
        for backup in target.backups.iter().flatten() {
            let (Some(services), Some(ports)) = (&target.services, &backup.ports) else { continue };
            let called = backup.called();
            let nat = target.steer == Steer::Nat;
            if let Some((first, second)) = same_port(services, ports).filter(|_| nat) {
                warnings.push(format!(
                    "target {who}: {first} and {second} lead to one port of backup {called}; its answers cannot \
                     always be told apart on the way back. Give each service a port of its own in `ports`."
                ));
            }
            let addresses = || backup.addresses().iter().map(Spanned::get_ref);
            if let Some((address, (itself, _))) = addresses().find_map(|a| Some((a, owners.get(a)?))) {
                warnings.push(format!(
                    "target {who}: backup {called} ({address}) is itself the target {}. It keeps its own callers, \
                     and both targets are without a server when it dies; where that is not meant, use another host.",
                    name(&targets[*itself]),
                ));
            } else if nat && could_be_dedicated(backup, &users) {
                let address = addresses().map(IpAddr::to_string).collect::<Vec<_>>().join(" and ");
                warnings.push(format!(
                    "target {who}: backup {called} ({address}) serves this target alone. With `dedicated = true` \
                     its calls to phones that never spoke to it come from the target's address too; with \
                     `dedicated = false` this hint is gone."
                ));
            }
        }
    }
    warnings
}

fn could_be_dedicated(backup: &PlacedBackup, users: &HashMap<IpAddr, BTreeSet<usize>>) -> bool {
    let alone = |a: &Spanned<IpAddr>| users.get(a.get_ref()).is_some_and(|users| users.len() == 1);
    backup.dedicated.here().is_none() && backup.addresses().iter().all(alone)
}

fn pace(who: &str, target: &Placed, warnings: &mut Vec<String>) {
    let probe = &target.probe;
    let show = humantime::format_duration;
    if probe.fast_interval > probe.interval {
        warnings.push(format!(
            "target {who}: fast_interval ({}) is longer than interval ({}), so a suspect server is probed less often \
             than a healthy one. Make it shorter.",
            show(probe.fast_interval),
            show(probe.interval),
        ));
    }
    if probe.timeout > probe.interval {
        warnings.push(format!(
            "target {who}: timeout ({}) is longer than interval ({}), so a lost answer delays the next probe. Make \
             it shorter, or interval longer.",
            show(probe.timeout),
            show(probe.interval),
        ));
    }
}

/// Phones that ask for any gatekeeper ask nobody in particular.
fn discovery(targets: &[Placed], warnings: &mut Vec<String>) {
    let has_ras = |target: &&Placed| {
        target.services.iter().flatten().any(|service| service.get_ref().kind == ServiceKind::Ras)
    };
    let found: Vec<&str> = targets.iter().filter(has_ras).map(name).collect();
    if found.len() > 1 {
        warnings.push(format!(
            "targets {} have `ras`: a phone that asks for any gatekeeper, by multicast, is answered by the backup of the \
             first of them whose primary does not serve{}.",
            found.join(", "),
            if found.len() > MOST_DISCOVERIES as usize { ", of the first eight" } else { "" },
        ));
    }
}

/// What is not rewritten, the kernel would take to the primary, or for its own.
pub(super) fn through_the_kernel(steer: &Said<Steer>, problems: &mut Problems) {
    if let Said::This(steer) = steer
        && *steer.get_ref() != Steer::Nat
    {
        let why = format!("steer = \"{}\" cannot go with forward = \"kernel\"", steer.get_ref());
        let problem = Problem::new(steer.span(), why, "the kernel knows no way for it");
        problems.push(problem.help("write \"nat\" here, or forward = \"xdp\" in [router]"));
    }
}

/// Words about what the target does not have.
fn without_effect(who: &str, target: &Placed, warnings: &mut Vec<String>) {
    let services = target.services.as_deref().unwrap_or_default();
    let tcp = services.iter().any(|service| service.get_ref().transport == Transport::Tcp);
    let udp = services.iter().any(|service| service.get_ref().transport == Transport::Udp);
    for (word, transport, there) in [("tcp_idle", "TCP", tcp), ("udp_idle", "UDP", udp)] {
        if target.said.contains(&word) && !there {
            let why = format!("because no service is {transport}. Leave it out.");
            warnings.push(format!("target {who}: {word} has no effect, {why}"));
        }
    }
    let sip = services.iter().any(|service| service.get_ref().is_sip_over_udp());
    if target.said.contains(&"replay") && !sip {
        warnings.push(format!("target {who}: replay has no effect: it is for SIP over UDP. Leave it out."));
    }
    if target.affinity == Affinity::Call && !(sip && target.steer == Steer::Nat) {
        warnings.push(format!(
            "target {who}: affinity = \"call\" has no effect: it is for SIP over UDP, under steer = \"nat\". Leave it out."
        ));
    }
}

/// Backup endpoints that several targets share: one warning for each backup address and group of targets.
fn shared(targets: &[Placed]) -> Vec<String> {
    let mut users: BTreeMap<Endpoint, BTreeSet<usize>> = BTreeMap::new();
    for (n, target) in targets.iter().enumerate().filter(|(_, target)| target.steer == Steer::Nat) {
        for backup in target.backups.iter().flatten() {
            for (_, endpoint) in backup.endpoints(target.services.as_deref().unwrap_or_default()) {
                users.entry(endpoint).or_default().insert(n);
            }
        }
    }
    let mut groups: BTreeMap<(BTreeSet<usize>, IpAddr), Vec<String>> = BTreeMap::new();
    for (endpoint, users) in users.into_iter().filter(|(_, users)| users.len() > 1) {
        let Endpoint { address, transport, port } = endpoint;
        groups.entry((users, address)).or_default().push(format!("{transport} {port}"));
    }
    groups.into_iter().map(|((users, address), ports)| shared_by(targets, &users, address, &ports)).collect()
}

fn shared_by(targets: &[Placed], users: &BTreeSet<usize>, address: IpAddr, ports: &[String]) -> String {
    const NAMED: usize = 5;
    let mut who: Vec<String> = users.iter().take(NAMED).map(|n| name(&targets[*n]).to_owned()).collect();
    if users.len() > NAMED {
        who.push(format!("{} more", users.len() - NAMED));
    }
    let last = who.pop().unwrap_or_default();
    format!(
        "targets {} and {last} share the backup {address} at {}: its answers to a client that asked more than one of \
         them cannot always be told apart on the way back, and then pass unchanged and are counted as \
         ambiguous-return. Set `ports` or give another address, so that each target has its own.",
        who.join(", "),
        ports.join(" and "),
    )
}
