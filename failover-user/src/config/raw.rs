//! The file's tables, word by word: what is written, of the right type, and where. Nothing is merged or compared
//! here; every word of the design is known here, also those whose feature is not built.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    ops::Range,
    path::PathBuf,
    time::Duration,
};

use toml::{
    Spanned,
    de::{DeTable, Error as Syntax},
};

use super::{
    envelopes,
    error::{Problem, Problems},
    model::{Affinity, AllDown, Failback, Forward, Interface, Mode, Prefix, Require, Service, Steer},
    probe::{self, RawProbe},
    scalar,
    section::{Said, Section, Word, quoted},
    service::{self, PortOverride},
    words::{BACKUP, DEFAULTS, DRAIN, INTERFACE, MAX_FLOWS, PROBE, RESERVED, ROOT, ROUTER, TARGET},
};

/// The whole file.
pub(super) struct RawConfig {
    /// `None`: the file has no such table.
    pub router: Option<RawRouter>,
    pub defaults: RawTarget,
    /// Nothing: the file has no such table.
    pub targets: Said<Vec<RawTarget>>,
}

/// `[router]`.
#[derive(Default)]
pub(super) struct RawRouter {
    /// The table's header.
    pub span: Range<usize>,
    pub interfaces: Said<Vec<Interface>>,
    pub control_socket: Said<PathBuf>,
    pub state_dir: Said<PathBuf>,
    pub bpffs_dir: Said<PathBuf>,
    pub max_flows: Said<u32>,
    pub forward: Said<Forward>,
    pub envelope_source: Said<Prefix>,
    pub http_listen: Said<SocketAddr>,
    pub hook: Said<PathBuf>,
}

/// `[[target]]` or `[defaults]`. Words with one possible value today were checked, and are not kept.
#[derive(Default)]
pub(super) struct RawTarget {
    /// The table's header.
    pub span: Range<usize>,
    pub name: Said<String>,
    pub address: Said<Vec<Spanned<IpAddr>>>,
    pub services: Said<Vec<Spanned<Service>>>,
    pub steer: Said<Steer>,
    pub failback: Said<Failback>,
    pub affinity: Said<Affinity>,
    pub udp_idle: Said<Duration>,
    pub tcp_idle: Said<Duration>,
    pub drain_limit: Said<Duration>,
    pub all_down: Said<AllDown>,
    pub require: Said<Require>,
    pub replay: Said<bool>,
    pub probe: RawProbe,
    pub backups: Said<Vec<RawBackup>>,
}

/// `[[target.backup]]`.
#[derive(Clone)]
pub(super) struct RawBackup {
    /// The table's header.
    pub span: Range<usize>,
    pub name: Said<String>,
    pub address: Said<Vec<Spanned<IpAddr>>>,
    pub ports: Said<Vec<PortOverride>>,
    pub dedicated: Said<bool>,
}

/// Reads the file. `None`: it is no TOML, and nothing beyond that can be said.
pub(super) fn read(text: &str, problems: &mut Problems) -> Option<RawConfig> {
    let document = match document(text) {
        Ok(document) => document,
        Err(errors) => {
            for error in &errors {
                problems.push(syntax(error, text));
            }
            return None;
        }
    };
    let root = Section::open(document.get_ref(), 0..0, &ROOT, &[&ROUTER, &TARGET], problems);
    let defaults = root.read("defaults", problems, |word, problems| {
        let table = word.table("a table: [defaults]", problems)?;
        let elsewhere = [&ROUTER, &PROBE, &BACKUP];
        Some(target(&Section::open(table, word.span.clone(), &DEFAULTS, &elsewhere, problems), problems))
    });
    Some(RawConfig {
        router: root.word("router").map(|word| router(&word, problems)),
        defaults: value(defaults).unwrap_or_default(),
        targets: root.read("target", problems, targets),
    })
}

/// Every syntax error of a file that a person may have written. Of a larger one the first alone: each byte could be
/// an error, and cost a hundred times its size.
fn document(text: &str) -> Result<Spanned<DeTable<'_>>, Vec<Syntax>> {
    const BY_HAND: usize = 1 << 20;
    if text.len() > BY_HAND {
        return DeTable::parse(text).map_err(|error| vec![error]);
    }
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() { Ok(document) } else { Err(errors) }
}

fn syntax(error: &Syntax, text: &str) -> Problem {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    let found = text.get(span.clone()).unwrap_or_default();
    let problem = Problem::new(span, format!("not TOML: {message}"), "here");
    match message {
        m if m.starts_with("duplicate key") => {
            let help = "a word or table can be written once; each target begins with [[target]]";
            Problem { message: format!("{} is there twice", quoted(found)), ..problem }.help(help)
        }
        m if m.starts_with("string values must be quoted") => {
            problem.help(format!("write \"{}\"", found.trim().escape_debug()))
        }
        _ => problem,
    }
}

fn router(word: &Word<'_>, problems: &mut Problems) -> RawRouter {
    let Some(table) = word.table("a table: [router]", problems) else {
        return RawRouter { interfaces: Said::Wrong, ..RawRouter::default() };
    };
    let section = Section::open(table, word.span.clone(), &ROUTER, &[&TARGET, &PROBE], problems);
    let forward = [("xdp", Forward::Xdp), ("kernel", Forward::Kernel)];
    RawRouter {
        interfaces: section.read("interfaces", problems, interfaces),
        control_socket: section.read("control_socket", problems, scalar::socket_path),
        state_dir: section.read("state_dir", problems, scalar::path),
        bpffs_dir: section.read("bpffs_dir", problems, scalar::path),
        max_flows: section.read("max_flows", problems, |word, problems| word.integer(MAX_FLOWS, problems)),
        forward: section.read("forward", problems, |word, problems| word.choice(&forward, &[], problems)),
        envelope_source: section.read("envelope_source", problems, envelopes::source),
        http_listen: section.read("http_listen", problems, scalar::listener),
        hook: section.read("hook", problems, scalar::path),
        span: section.span,
    }
}

fn interfaces(word: &Word<'_>, problems: &mut Problems) -> Option<Vec<Interface>> {
    let list = word.list("a list of interfaces such as [\"wan0\", \"lan0\"]", problems)?;
    if list.len() == 0 {
        let why = "`interfaces` is empty: signalling enters and leaves through at least one";
        problems.push(Problem::new(word.span.clone(), why, "no interface").help("`ip -br link` lists them"));
        return None;
    }
    let mut found = Vec::new();
    let mut places: HashMap<String, Range<usize>> = HashMap::new();
    let mut complete = true;
    for element in list {
        let Some(interface) = interface(&element, problems) else {
            complete = false;
            continue;
        };
        if let Some(first) = places.get(&interface.name) {
            let why = format!("interface {} is there twice", quoted(&interface.name));
            let problem = Problem::new(element.span, why, "a second time").also(first.clone(), "first here");
            problems.push(problem.help("leave one of them out"));
            complete = false;
        } else {
            places.insert(interface.name.clone(), element.span);
            found.push(interface);
        }
    }
    complete.then_some(found)
}

fn interface(word: &Word<'_>, problems: &mut Problems) -> Option<Interface> {
    let Some(table) = word.as_table() else {
        return scalar::interface(word, problems).map(|name| Interface { name, mode: Mode::Auto });
    };
    let section = Section::open(table, word.span.clone(), &INTERFACE, &[], problems);
    let modes = [("auto", Mode::Auto), ("native", Mode::Native), ("generic", Mode::Generic)];
    let mode = section.read("mode", problems, |word, problems| word.choice(&modes, &[], problems));
    let name = section.read("name", problems, scalar::interface);
    if let Said::Nothing = name {
        missing(
            "an interface",
            "name",
            "{ name = \"wan0\", mode = \"native\" }",
            word.span.clone(),
            problems,
        );
    }
    let mode = if let Said::Wrong = mode { None } else { Some(mode.unwrap_or(Mode::Auto)) };
    Some(Interface { name: value(name)?, mode: mode? })
}

fn targets(word: &Word<'_>, problems: &mut Problems) -> Option<Vec<RawTarget>> {
    let read = |word: Word<'_>, problems: &mut Problems| {
        let table = word.table("a table: [[target]]", problems)?;
        let elsewhere = [&ROUTER, &PROBE, &BACKUP];
        Some(target(&Section::open(table, word.span, &TARGET, &elsewhere, problems), problems))
    };
    let list = tables(word, "[[target]]", problems)?;
    let targets: Vec<_> = list.map(|word| read(word, problems)).collect();
    targets.into_iter().collect()
}

fn target(section: &Section<'_>, problems: &mut Problems) -> RawTarget {
    learn(section, problems);
    let mut time =
        |name| section.read(name, problems, |word, problems| scalar::duration(word, &DRAIN, problems));
    let (udp_idle, tcp_idle, drain_limit) = (time("udp_idle"), time("tcp_idle"), time("drain_limit"));
    RawTarget {
        span: section.span.clone(),
        name: section.read("name", problems, |word, problems| scalar::name(word, &[], problems)),
        address: section.read("address", problems, scalar::addresses),
        services: section.read("services", problems, service::services),
        steer: section.read("steer", problems, |word, problems| {
            let words = [("nat", Steer::Nat), ("l2", Steer::L2), ("ipip", Steer::Ipip)];
            word.choice(&words, &[], problems)
        }),
        failback: section.read("failback", problems, |word, problems| {
            let words = [
                ("drain", Failback::Drain),
                ("immediate", Failback::Immediate),
                ("manual", Failback::Manual),
            ];
            word.choice(&words, &[], problems)
        }),
        affinity: section.read("affinity", problems, |word, problems| {
            word.choice(&[("flow", Affinity::Flow), ("call", Affinity::Call)], &[], problems)
        }),
        udp_idle,
        tcp_idle,
        drain_limit,
        all_down: section.read("all_down", problems, |word, problems| {
            let words = [("primary", AllDown::Primary), ("backup", AllDown::Backup), ("drop", AllDown::Drop)];
            word.choice(&words, &[], problems)
        }),
        require: section.read("require", problems, |word, problems| {
            word.choice(&[("all", Require::All), ("any", Require::Any)], &[], problems)
        }),
        replay: section.read("replay", problems, Word::boolean),
        probe: value(section.read("probe", problems, probe::read)).unwrap_or_default(),
        backups: section.read("backup", problems, backups),
    }
}

/// The word that has one possible value today.
fn learn(section: &Section<'_>, problems: &mut Problems) {
    section.read("learn", problems, |word, problems| {
        let wanted = word.boolean(problems)?;
        if wanted {
            let today = "write false: let the backup share the primary's registrations by its own means";
            problems.push(Problem::not_yet(word.span.clone(), "`learn = true`", today));
        }
        (!wanted).then_some(())
    });
}

fn backups(word: &Word<'_>, problems: &mut Problems) -> Option<Vec<RawBackup>> {
    let list = tables(word, "[[target.backup]]", problems)?;
    let backups: Vec<_> = list.map(|word| backup(&word, problems)).collect();
    backups.into_iter().collect()
}

fn backup(word: &Word<'_>, problems: &mut Problems) -> Option<RawBackup> {
    let table = word.table("a table: [[target.backup]]", problems)?;
    let section = Section::open(table, word.span.clone(), &BACKUP, &[&TARGET, &PROBE], problems);
    let backup = RawBackup {
        name: section.read("name", problems, |word, problems| scalar::name(word, RESERVED, problems)),
        address: section.read("address", problems, scalar::addresses),
        ports: section.read("ports", problems, service::ports),
        dedicated: section.read("dedicated", problems, Word::boolean),
        span: section.span,
    };
    if let Said::Nothing = backup.name {
        missing("a backup", "name", "name = \"nsp-1\"", backup.span.clone(), problems);
    }
    if let Said::Nothing = backup.address {
        missing("a backup", "address", "address = \"198.51.100.20\"", backup.span.clone(), problems);
    }
    Some(backup)
}

/// A list of tables; `header` is how one is written.
fn tables<'t>(
    word: &Word<'t>,
    header: &str,
    problems: &mut Problems,
) -> Option<impl ExactSizeIterator<Item = Word<'t>> + use<'t>> {
    if word.as_table().is_some() {
        let why = format!("`{}` is a list of tables: expected {header}", word.name);
        let help = format!("write {header}, with two brackets, once for each");
        problems.push(Problem::new(word.span.clone(), why, format!("expected {header}")).help(help));
        return None;
    }
    word.list(&format!("a list of tables: {header}"), problems)
}

/// Reports a word that must be there.
pub(super) fn missing(who: &str, word: &str, example: &str, span: Range<usize>, problems: &mut Problems) {
    let problem = Problem::new(span, format!("{who} needs `{word}`"), format!("no `{word}`"));
    problems.push(problem.help(format!("write {example}")));
}

/// The value alone.
pub(super) fn value<T>(said: Said<T>) -> Option<T> {
    match said {
        Said::This(value) => Some(value.into_inner()),
        _ => None,
    }
}
