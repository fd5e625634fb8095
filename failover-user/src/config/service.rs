//! Services: "sip", "sip/udp", "sip/udp:5080", and the ports at which a backup serves them.

use std::ops::Range;

use toml::Spanned;

use super::{
    error::{Problem, Problems},
    model::{Service, ServiceKind, Transport},
    section::{Word, entries, nearest, quoted},
};

const KINDS: [ServiceKind; 6] = [
    ServiceKind::Sip,
    ServiceKind::Sips,
    ServiceKind::Ras,
    ServiceKind::H225,
    ServiceKind::Mgcp,
    ServiceKind::Megaco,
];

/// A service as it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub kind: ServiceKind,
    /// `None`: every transport of the kind.
    pub transport: Option<Transport>,
    /// `None`: the registered port.
    pub port: Option<u16>,
}

/// One `service = port` of a backup's `ports`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PortOverride {
    /// The target's service.
    pub service: Spanned<Written>,
    /// Where the backup serves it.
    pub port: u16,
}

/// Why a text is no service.
struct Refusal {
    why: String,
    help: String,
}

/// A target's services, in the order of the list.
pub(super) fn services(word: &Word<'_>, problems: &mut Problems) -> Option<Vec<Spanned<Service>>> {
    let list = word.list("a list of services such as [\"sip\"]", problems)?;
    if list.len() == 0 {
        let why = "`services` is empty: a target has at least one service";
        problems.push(Problem::new(word.span.clone(), why, "no service").help("write services = [\"sip\"]"));
        return None;
    }
    let mut found: Vec<Spanned<Service>> = Vec::new();
    let mut complete = true;
    for element in list {
        let Some(written) = service(&element, problems) else {
            complete = false;
            continue;
        };
        for service in written.meant() {
            let same = |s: &&Spanned<Service>| {
                (s.get_ref().transport, s.get_ref().port) == (service.transport, service.port)
            };
            match found.iter().find(same) {
                None => found.push(Spanned::new(element.span.clone(), service)),
                Some(first) => {
                    let why = format!("{}/{} is there twice", service.port, service.transport);
                    let problem = Problem::new(element.span.clone(), why, "a second time");
                    problems.push(problem.also(first.span(), "first here").help("leave one of them out"));
                    complete = false;
                }
            }
        }
    }
    complete.then_some(found)
}

fn service(word: &Word<'_>, problems: &mut Problems) -> Option<Written> {
    let text = word.text("a service such as \"sip\" or \"sip/udp:5080\"", problems)?;
    read(text, word.span.clone(), problems)
}

/// A backup's `ports`.
pub(super) fn ports(word: &Word<'_>, problems: &mut Problems) -> Option<Vec<PortOverride>> {
    let table = word.table("a table of services and ports such as { \"sip/udp\" = 15060 }", problems)?;
    let mut overrides = Vec::new();
    let mut complete = true;
    for (key, value) in entries(table, word.name) {
        let service = read(key.get_ref(), key.span(), problems).and_then(|written| {
            if written.transport.is_none() {
                problems.push(bare_key(key.get_ref(), key.span(), written.kind));
            }
            written.transport.map(|_| Spanned::new(key.span(), written))
        });
        match (service, value.integer(1..=65535, problems)) {
            (Some(service), Some(port)) => overrides.push(PortOverride { service, port: port as u16 }),
            _ => complete = false,
        }
    }
    complete.then_some(overrides)
}

fn bare_key(text: &str, span: Range<usize>, kind: ServiceKind) -> Problem {
    let each: Vec<_> = kind.transports().iter().map(|t| format!("\"{}/{t}\" = …", kind.name())).collect();
    let why = format!("{} in `ports` needs a transport", quoted(text));
    Problem::new(span, why, "which transport?").help(format!("write {{ {} }}", each.join(", ")))
}

fn read(text: &str, span: Range<usize>, problems: &mut Problems) -> Option<Written> {
    match Written::parse(text) {
        Ok(written) => Some(written),
        Err(refusal) => {
            let problem = Problem::new(span, refusal.why, "not a service");
            problems.push(problem.help(refusal.help));
            None
        }
    }
}

impl Written {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let (name, rest) = text.split_once('/').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let Some(kind) = KINDS.into_iter().find(|kind| kind.name() == name) else {
            return Err(Refusal::kind(text, name));
        };
        let Some(rest) = rest else { return Ok(Self { kind, transport: None, port: None }) };
        let (transport, port) = rest.split_once(':').map_or((rest, None), |(t, port)| (t, Some(port)));
        let transport = match transport {
            "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            _ => return Err(Refusal::transport(text, kind)),
        };
        if !kind.transports().contains(&transport) {
            return Err(Refusal::transport(text, kind));
        }
        let port = port.map(|port| strict_port(port).ok_or_else(|| Refusal::port(text))).transpose()?;
        Ok(Self { kind, transport: Some(transport), port })
    }

    /// The services that are meant.
    pub fn meant(self) -> impl Iterator<Item = Service> {
        let transports = self.kind.transports().iter().copied();
        let wanted = transports.filter(move |t| self.transport.is_none_or(|wanted| wanted == *t));
        let port = self.port.unwrap_or(self.kind.port());
        wanted.map(move |transport| Service { kind: self.kind, transport, port })
    }
}

impl Refusal {
    fn kind(text: &str, name: &str) -> Self {
        let names = KINDS.map(ServiceKind::name);
        let (bare, port) = name.split_once(':').unwrap_or((name, ""));
        let help = match KINDS.into_iter().find(|kind| kind.name() == bare) {
            Some(kind) if bare != name => {
                let whole: Vec<_> = kind
                    .transports()
                    .iter()
                    .map(|t| format!("\"{bare}/{t}:{}\"", port.escape_debug()))
                    .collect();
                format!("a port needs its transport: {}", whole.join(", "))
            }
            _ => match nearest(name, names.into_iter()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => "an explicit one is written \"sip/udp:5080\"".to_owned(),
            },
        };
        let why = format!("{} is no service: expected one of \"{}\"", quoted(text), names.join("\", \""));
        Self { why, help }
    }

    fn transport(text: &str, kind: ServiceKind) -> Self {
        let transports: Vec<_> =
            kind.transports().iter().map(|t| format!("\"{}/{t}\"", kind.name())).collect();
        let expected = transports.join(" or ");
        let help = match kind {
            ServiceKind::Sip => "SIP over TLS is \"sips\"".to_owned(),
            _ => format!("write {expected}"),
        };
        Self { why: format!("{} has no such transport: expected {expected}", quoted(text)), help }
    }

    fn port(text: &str) -> Self {
        let why = format!("{} has no such port: expected a number from 1 to 65535", quoted(text));
        Self { why, help: "an explicit service is written \"sip/udp:5080\"".to_owned() }
    }
}

/// A port in plain digits, without sign or leading zeros.
fn strict_port(text: &str) -> Option<u16> {
    let plain = !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}
