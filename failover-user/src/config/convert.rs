//! From what is written to what is meant: built-in values < `[defaults]` < `[[target]]`, word by word, and what must
//! hold within one target. What must hold between targets is in [`super::topology`].

use std::{collections::HashMap, net::IpAddr, num::NonZeroU32, ops::Range, path::PathBuf, time::Duration};

use failover_common::names::MAX_BACKUPS;
use toml::Spanned;

use super::{
    Absent, Loaded, envelopes,
    error::{Problem, Problems},
    families, merge,
    model::{
        Addresses, Affinity, AllDown, Backup, Config, Failback, Forward, Probe, Require, Router, Service,
        ServiceKind, Steer, Target,
    },
    raw::{RawBackup, RawConfig, RawRouter, RawTarget, missing},
    section::{Said, quoted},
    service::{PortOverride, Written},
    topology::{self, Endpoint},
};

/// A call, or a connection, of which nothing is heard for so long is over.
const IDLE: Duration = Duration::from_hours(2);
/// Draining takes no longer.
const DRAIN_LIMIT: Duration = Duration::from_hours(8);

/// A target after merging; what was wrong is `None`, so that the rest can still be compared.
pub(super) struct Placed {
    pub name: Option<Spanned<String>>,
    pub addresses: Option<Vec<Spanned<IpAddr>>>,
    pub services: Option<Vec<Spanned<Service>>>,
    pub backups: Option<Vec<PlacedBackup>>,
    pub steer: Steer,
    pub failback: Failback,
    pub affinity: Affinity,
    pub replay: bool,
    pub udp_idle: Duration,
    pub tcp_idle: Duration,
    pub drain_limit: Duration,
    /// Words of the target's own, not of `[defaults]`, which may have no effect here.
    pub said: Vec<&'static str>,
    pub all_down: AllDown,
    pub require: Require,
    pub probe: Probe,
}

/// A backup of a [`Placed`].
pub(super) struct PlacedBackup {
    pub name: Option<Spanned<String>>,
    pub addresses: Option<Vec<Spanned<IpAddr>>>,
    /// One for each of the target's services.
    pub ports: Option<Vec<u16>>,
    pub dedicated: Said<bool>,
}

/// Merges, compares, and builds the model. `None`: there are problems.
pub(super) fn convert(raw: &RawConfig, problems: &mut Problems) -> Option<Loaded> {
    let router = router(raw.router.as_ref(), problems);
    if let Said::Nothing = raw.targets {
        let why = "the file needs at least one [[target]]";
        problems.push(
            Problem::new(0..0, why, "no [[target]] in the file")
                .help("write [[target]] and its `name`, `address` and [[target.backup]]"),
        );
    }
    let targets = raw.targets.value().map(Vec::as_slice).unwrap_or_default();
    if let (Said::This(list), []) = (&raw.targets, targets) {
        problems.push(Problem::new(list.span(), "`target` is empty: at least one is needed", "no target"));
    }
    let placed: Vec<_> = targets.iter().map(|target| place(target, &raw.defaults, problems)).collect();
    topology::check(&placed, problems);
    let source = raw.router.as_ref().and_then(|router| router.envelope_source.here());
    envelopes::check(source, &placed, problems);
    if let Some(Router { forward: Forward::Kernel, .. }) = &router {
        for target in targets {
            topology::through_the_kernel(target.steer.or(&raw.defaults.steer), problems);
        }
    }
    if !problems.is_empty() {
        return None;
    }
    let warnings = [topology::warnings(&placed), envelopes::warnings(source, &placed)].concat();
    let targets = placed.into_iter().map(Placed::build).collect::<Option<_>>()?;
    Some(Loaded { config: Config { router: router?, targets }, warnings, absent: Absent::default() })
}

fn router(raw: Option<&RawRouter>, problems: &mut Problems) -> Option<Router> {
    let example = "interfaces = [\"wan0\", \"lan0\"]";
    let Some(raw) = raw else {
        let problem = Problem::new(0..0, "the file needs a [router] table", "no [router] in the file");
        problems.push(problem.help(format!("write [router] and {example}")));
        return None;
    };
    if let Said::Nothing = raw.interfaces {
        missing("[router]", "interfaces", example, raw.span.clone(), problems);
    }
    let path = |said: &Said<PathBuf>, built_in: &str| said.unwrap_or(PathBuf::from(built_in));
    Some(Router {
        interfaces: raw.interfaces.value()?.clone(),
        control_socket: path(&raw.control_socket, "/run/failover/control.sock"),
        state_dir: path(&raw.state_dir, "/var/lib/failover"),
        bpffs_dir: path(&raw.bpffs_dir, "/sys/fs/bpf/failover"),
        max_flows: NonZeroU32::new(raw.max_flows.unwrap_or(262_144))?,
        forward: raw.forward.unwrap_or(Forward::Xdp),
        http_listen: raw.http_listen.value().copied(),
        hook: raw.hook.value().cloned(),
        envelope_source: raw.envelope_source.value().copied(),
    })
}

fn place(raw: &RawTarget, defaults: &RawTarget, problems: &mut Problems) -> Placed {
    if let Said::Nothing = raw.name {
        missing("a target", "name", "name = \"paris\"", raw.span.clone(), problems);
    }
    if let Said::Nothing = raw.address {
        missing("a target", "address", "address = \"192.0.2.10\"", raw.span.clone(), problems);
    }
    let services = match raw.services.or(&defaults.services) {
        Said::This(services) => Some(services.get_ref().clone()),
        Said::Wrong => None,
        Said::Nothing => {
            let sip = Written { kind: ServiceKind::Sip, transport: None, port: None };
            Some(sip.meant().map(|service| Spanned::new(raw.span.clone(), service)).collect())
        }
    };
    let backups = match raw.backups.or(&defaults.backups) {
        Said::This(backups) => Some((backups.get_ref().as_slice(), backups.span())),
        Said::Wrong => None,
        Said::Nothing => Some((&[][..], raw.span.clone())),
    };
    let steer = raw.steer.or(&defaults.steer);
    let backups = backups
        .map(|(backups, span)| place_backups(raw, steer, services.as_deref(), backups, span, problems));
    Placed {
        name: raw.name.here().cloned(),
        addresses: raw.address.value().cloned(),
        services,
        backups,
        steer: steer.unwrap_or(Steer::default()),
        failback: raw.failback.or(&defaults.failback).unwrap_or(Failback::default()),
        affinity: raw.affinity.or(&defaults.affinity).unwrap_or(Affinity::default()),
        udp_idle: raw.udp_idle.or(&defaults.udp_idle).unwrap_or(IDLE),
        tcp_idle: raw.tcp_idle.or(&defaults.tcp_idle).unwrap_or(IDLE),
        said: said(raw),
        drain_limit: raw.drain_limit.or(&defaults.drain_limit).unwrap_or(DRAIN_LIMIT),
        all_down: raw.all_down.or(&defaults.all_down).unwrap_or(AllDown::default()),
        require: raw.require.or(&defaults.require).unwrap_or(Require::default()),
        replay: raw.replay.or(&defaults.replay).unwrap_or(true),
        probe: merge::probe(raw.name.value().map_or("", String::as_str), &raw.probe, &defaults.probe),
    }
}

fn said(raw: &RawTarget) -> Vec<&'static str> {
    let sip = &raw.probe.sip;
    let tls = sip.server_name.here().is_some()
        || sip.ca.here().is_some()
        || sip.verify.here().is_some()
        || sip.own.here().is_some();
    let words = [
        ("udp_idle", raw.udp_idle.value().is_some()),
        ("tcp_idle", raw.tcp_idle.value().is_some()),
        ("replay", raw.replay.value() == Some(&true)),
        ("sip.tls", tls),
    ];
    words.into_iter().filter(|(_, said)| *said).map(|(word, _)| word).collect()
}

fn place_backups(
    target: &RawTarget,
    steer: &Said<Steer>,
    services: Option<&[Spanned<Service>]>,
    backups: &[RawBackup],
    span: Range<usize>,
    problems: &mut Problems,
) -> Vec<PlacedBackup> {
    if backups.is_empty() {
        let why = "a target needs at least one backup";
        problems.push(
            Problem::new(span, why, "no backup").help("write [[target.backup]] with `name` and `address`"),
        );
    }
    if let Some(first_too_many) = backups.get(MAX_BACKUPS as usize) {
        let why = format!("a target has at most {MAX_BACKUPS} backups, this one has {}", backups.len());
        let problem = Problem::new(first_too_many.span.clone(), why, "one too many");
        problems.push(problem.help("leave out the least preferred"));
    }
    let placed: Vec<_> =
        backups.iter().map(|raw| place_backup(target, steer, services, raw, problems)).collect();
    check_names(&placed, problems);
    if let Some(services) = services {
        check_endpoints(services, &placed, problems);
    }
    placed
}

fn place_backup(
    target: &RawTarget,
    steer: &Said<Steer>,
    services: Option<&[Spanned<Service>]>,
    raw: &RawBackup,
    problems: &mut Problems,
) -> PlacedBackup {
    if let (Some(own), Some(addresses)) = (target.address.value(), raw.address.value()) {
        families::check(own, addresses, steer.unwrap_or(Steer::default()), problems);
    }
    if let Said::This(steer) = steer
        && *steer.get_ref() != Steer::Nat
    {
        for_nat_alone(steer, raw, problems);
    }
    let ports = services.and_then(|services| match &raw.ports {
        Said::This(overrides) => place_ports(target, services, overrides.get_ref(), problems),
        Said::Wrong => None,
        Said::Nothing => place_ports(target, services, &[], problems),
    });
    if let (Said::This(dedicated), Some(services), Some(ports)) = (&raw.dedicated, services, &ports)
        && *dedicated.get_ref()
        && let Some((first, second)) = topology::same_port(services, ports)
    {
        let why = format!("{first} and {second} lead to one port of a dedicated backup");
        let help =
            "its answers would have two ports to come from: give each service a port of its own in `ports`";
        problems.push(Problem::new(dedicated.span(), why, "one origin for each port").help(help));
    }
    PlacedBackup {
        name: raw.name.here().cloned(),
        addresses: raw.address.value().cloned(),
        ports,
        dedicated: raw.dedicated.clone(),
    }
}

/// A backup that carries the target's address serves at its ports, and answers as the target itself.
fn for_nat_alone(steer: &Spanned<Steer>, raw: &RawBackup, problems: &mut Problems) {
    let ports = raw.ports.here().map(|ports| ("ports", ports.span()));
    let dedicated = raw.dedicated.here().map(|dedicated| ("dedicated", dedicated.span()));
    for (word, span) in ports.into_iter().chain(dedicated) {
        let why = format!("`{word}` is for steer = \"nat\", and this target has \"{}\"", steer.get_ref());
        let help =
            "leave it out: the backup carries the target's address, serves at its ports, and answers as it";
        let problem = Problem::new(span, why, "for \"nat\" alone").also(steer.span(), "here");
        problems.push(problem.help(help));
    }
}

/// The backup's port for each service, in order.
fn place_ports(
    target: &RawTarget,
    services: &[Spanned<Service>],
    overrides: &[PortOverride],
    problems: &mut Problems,
) -> Option<Vec<u16>> {
    let mut ports: Vec<u16> = services.iter().map(|service| service.get_ref().port).collect();
    let mut said: HashMap<usize, Range<usize>> = HashMap::new();
    let mut complete = true;
    for PortOverride { service, port } in overrides {
        let problem = match find(services, *service.get_ref()) {
            Ok(n) => match said.insert(n, service.span()) {
                None => {
                    ports[n] = *port;
                    continue;
                }
                Some(first) => {
                    let why = format!("`ports` names {} twice", services[n].get_ref());
                    Problem::new(service.span(), why, "a second time").also(first, "first here")
                }
            },
            Err(why) => {
                let own: Vec<String> = services.iter().map(|s| format!("\"{}\"", s.get_ref())).collect();
                let whose =
                    target.name.value().map_or(String::new(), |name| format!(" of target {}", quoted(name)));
                let problem =
                    Problem::new(service.span(), format!("`ports` names {why}{whose}"), "which service?");
                problem.help(format!("the target's services are {}", own.join(", ")))
            }
        };
        problems.push(problem);
        complete = false;
    }
    complete.then_some(ports)
}

/// The service that is meant: without a port, the one at the registered port, or else the only one.
fn find(services: &[Spanned<Service>], written: Written) -> Result<usize, &'static str> {
    let of_kind = |s: &Service| s.kind == written.kind && Some(s.transport) == written.transport;
    let port = written.port.unwrap_or(written.kind.port());
    if let Some(n) = services.iter().position(|s| of_kind(s.get_ref()) && s.get_ref().port == port) {
        return Ok(n);
    }
    let mut others = services.iter().enumerate().filter(|(_, s)| of_kind(s.get_ref()));
    match (written.port, others.next(), others.next()) {
        (None, Some((n, _)), None) => Ok(n),
        (None, Some(_), Some(_)) => Err("a service without its port, and there are several"),
        _ => Err("what is no service"),
    }
}

fn check_names(backups: &[PlacedBackup], problems: &mut Problems) {
    let mut seen: HashMap<&str, Range<usize>> = HashMap::new();
    for name in backups.iter().filter_map(|backup| backup.name.as_ref()) {
        if let Some(first) = seen.insert(name.get_ref(), name.span()) {
            let why = format!("two backups of one target are called {}", quoted(name.get_ref()));
            let problem = Problem::new(name.span(), why, "a second time").also(first, "first here");
            problems.push(problem.help("give each backup a name of its own"));
        }
    }
}

fn check_endpoints(services: &[Spanned<Service>], backups: &[PlacedBackup], problems: &mut Problems) {
    let mut seen: HashMap<Endpoint, (usize, Range<usize>)> = HashMap::new();
    for (n, backup) in backups.iter().enumerate() {
        for (address, endpoint) in backup.endpoints(services) {
            match seen.get(&endpoint) {
                Some((other, first)) if *other != n => {
                    let why = format!("two backups of one target are at {endpoint}");
                    let problem = Problem::new(address.span(), why, "a second time");
                    let problem = problem.also(first.clone(), "first here");
                    problems.push(problem.help("leave one of them out, or give it other `ports`"));
                    break;
                }
                Some(_) => {}
                None => {
                    seen.insert(endpoint, (n, address.span()));
                }
            }
        }
    }
}

impl Placed {
    /// Its addresses, as far as they are right.
    pub fn addresses(&self) -> &[Spanned<IpAddr>] {
        self.addresses.as_deref().unwrap_or_default()
    }

    fn build(self) -> Option<Target> {
        let addresses = collect(self.addresses?)?;
        Some(Target {
            name: self.name?.into_inner(),
            addresses,
            services: self.services?.into_iter().map(Spanned::into_inner).collect(),
            steer: self.steer,
            failback: self.failback,
            affinity: self.affinity,
            udp_idle: self.udp_idle,
            tcp_idle: self.tcp_idle,
            drain_limit: self.drain_limit,
            all_down: self.all_down,
            require: self.require,
            replay: self.replay,
            probe: self.probe,
            backups: self.backups?.into_iter().map(PlacedBackup::build).collect::<Option<_>>()?,
        })
    }
}

fn collect(addresses: Vec<Spanned<IpAddr>>) -> Option<Addresses> {
    Addresses::collect(addresses.into_iter().map(Spanned::into_inner))
}

impl PlacedBackup {
    /// Its addresses, as far as they are right.
    pub fn addresses(&self) -> &[Spanned<IpAddr>] {
        self.addresses.as_deref().unwrap_or_default()
    }

    /// Its name, where it has one.
    pub fn called(&self) -> &str {
        self.name.as_ref().map_or("", |name| name.get_ref())
    }

    /// Where it serves `services`, its target's: the address, and the whole endpoint.
    pub fn endpoints(
        &self,
        services: &[Spanned<Service>],
    ) -> impl Iterator<Item = (&Spanned<IpAddr>, Endpoint)> {
        let ports = self.ports.as_deref().unwrap_or_default();
        self.addresses().iter().flat_map(move |address| {
            let at = |(service, port): (&Spanned<Service>, &u16)| Endpoint {
                address: *address.get_ref(),
                transport: service.get_ref().transport,
                port: *port,
            };
            services.iter().zip(ports).map(move |both| (address, at(both)))
        })
    }

    fn build(self) -> Option<Backup> {
        Some(Backup {
            name: self.name?.into_inner(),
            addresses: collect(self.addresses?)?,
            ports: self.ports?,
            dedicated: self.dedicated.unwrap_or(false),
        })
    }
}
