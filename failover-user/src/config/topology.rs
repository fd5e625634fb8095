//! What must hold between targets, and what holds but is odd.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::IpAddr,
    ops::Range,
};

use toml::Spanned;

use super::{
    convert::{Placed, PlacedBackup},
    error::{Problem, Problems},
    model::{Service, Transport},
    section::quoted,
};

/// One (address, transport, port).
type Endpoint = (IpAddr, Transport, u16);

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
        let (Some(address), Some(services)) = (&target.address, &target.services) else { continue };
        for service in services.iter().map(Spanned::get_ref) {
            let endpoint = (*address.get_ref(), service.transport, service.port);
            match seen.get(&endpoint) {
                Some((other, first)) if *other != n => {
                    let why = format!("two targets serve {}:{}/{}", endpoint.0, endpoint.2, endpoint.1);
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

fn dedicated(targets: &[Placed], problems: &mut Problems) {
    let (users, owners) = (users(targets), owners(targets));
    for (n, target) in targets.iter().enumerate() {
        for backup in target.backups.iter().flatten() {
            let (Some(true), Some(dedicated)) = (backup.dedicated.value(), backup.dedicated.here()) else {
                continue;
            };
            let Some(address) = &backup.address else { continue };
            let help = "leave `dedicated` out, or give the backup an address for this target alone";
            let label = "not for one target alone";
            if let Some(other) = owners.get(address.get_ref()).filter(|owner| **owner != n) {
                let why = format!(
                    "a dedicated backup stands in for one target alone, and {} is a target itself",
                    address.get_ref(),
                );
                let own = targets[*other].address.as_ref().map_or(0..0, Spanned::span);
                problems.push(Problem::new(dedicated.span(), why, label).also(own, "a target").help(help));
            } else if let Some(other) =
                users.get(address.get_ref()).and_then(|users| users.iter().find(|u| **u != n))
            {
                let why = format!(
                    "a dedicated backup stands in for one target alone, and {} is a backup of {} too",
                    address.get_ref(),
                    name(&targets[*other]),
                );
                problems.push(Problem::new(dedicated.span(), why, label).help(help));
            }
        }
    }
}

/// Which targets use each backup address.
fn users(targets: &[Placed]) -> HashMap<IpAddr, BTreeSet<usize>> {
    let mut users: HashMap<IpAddr, BTreeSet<usize>> = HashMap::new();
    for (n, target) in targets.iter().enumerate() {
        for address in target.backups.iter().flatten().filter_map(|backup| backup.address.as_ref()) {
            users.entry(*address.get_ref()).or_default().insert(n);
        }
    }
    users
}

/// Which target is at each address: the first in the file.
fn owners(targets: &[Placed]) -> HashMap<IpAddr, usize> {
    let addresses = targets.iter().enumerate().rev();
    addresses.filter_map(|(n, target)| Some((*target.address.as_ref()?.get_ref(), n))).collect()
}

fn name(target: &Placed) -> &str {
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
    let (users, owners) = (users(targets), owners(targets));
    for target in targets {
        let who = name(target);
        pace(who, target, &mut warnings);
        for backup in target.backups.iter().flatten() {
            let (Some(address), Some(services), Some(ports)) =
                (&backup.address, &target.services, &backup.ports)
            else {
                continue;
            };
            let address = *address.get_ref();
            let called = backup.name.as_ref().map_or("", |name| name.get_ref());
            if let Some((first, second)) = same_port(services, ports) {
                warnings.push(format!(
                    "target {who}: {first} and {second} lead to one port of backup {called}; its answers cannot \
                     always be told apart on the way back. Give each service a port of its own in `ports`."
                ));
            }
            if let Some(itself) = owners.get(&address) {
                warnings.push(format!(
                    "target {who}: backup {called} ({address}) is itself the target {}. It keeps its own callers, \
                     and both targets are without a server when it dies; where that is not meant, use another host.",
                    name(&targets[*itself]),
                ));
            } else if could_be_dedicated(backup, &users) {
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
    let alone =
        backup.address.as_ref().and_then(|a| users.get(a.get_ref())).is_some_and(|users| users.len() == 1);
    backup.dedicated.here().is_none() && alone
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

/// Backup endpoints that several targets share: one warning for each backup address and group of targets.
fn shared(targets: &[Placed]) -> Vec<String> {
    let mut users: BTreeMap<Endpoint, BTreeSet<usize>> = BTreeMap::new();
    for (n, target) in targets.iter().enumerate() {
        for backup in target.backups.iter().flatten() {
            let (Some(address), Some(services), Some(ports)) =
                (&backup.address, &target.services, &backup.ports)
            else {
                continue;
            };
            for (service, port) in services.iter().zip(ports) {
                let endpoint = (*address.get_ref(), service.get_ref().transport, *port);
                users.entry(endpoint).or_default().insert(n);
            }
        }
    }
    let mut groups: BTreeMap<(BTreeSet<usize>, IpAddr), Vec<String>> = BTreeMap::new();
    for ((address, transport, port), users) in users.into_iter().filter(|(_, users)| users.len() > 1) {
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
