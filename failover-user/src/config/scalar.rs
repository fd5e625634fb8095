//! Single values: durations, names, interfaces, paths, addresses, status patterns.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::Spanned;

use super::{
    error::{Problem, Problems},
    model::{Family, StatusSet},
    section::{Word, quoted},
};

/// Room in `sockaddr_un` for a path and its final NUL.
const SOCKET_PATH: usize = 108;

fn refuse(word: &Word<'_>, why: impl Into<String>, label: &str, problems: &mut Problems) {
    problems.push(Problem::new(word.span.clone(), why, label));
}

/// A duration such as "300ms", within a range.
pub(super) fn duration(
    word: &Word<'_>,
    range: &RangeInclusive<Duration>,
    problems: &mut Problems,
) -> Option<Duration> {
    let text = word.text("a duration such as \"300ms\" or \"1s\"", problems)?;
    let show = |d: &Duration| humantime::format_duration(*d).to_string();
    match humantime::parse_duration(text) {
        Ok(value) if range.contains(&value) => Some(value),
        Ok(_) => {
            let (low, high) = (show(range.start()), show(range.end()));
            let why = format!("`{}` must be from {low} to {high}, not {}", word.name, quoted(text));
            refuse(word, why, "out of range", problems);
            None
        }
        Err(_) => {
            let why = format!(
                "`{}` must be a duration such as \"300ms\" or \"1s\", not {}",
                word.name,
                quoted(text)
            );
            let problem = Problem::new(word.span.clone(), why, "not a duration");
            problems.push(problem.help("a number and its unit: ms, s, m or h"));
            None
        }
    }
}

/// The name of a target or a backup.
pub(super) fn name(word: &Word<'_>, reserved: &[&str], problems: &mut Problems) -> Option<String> {
    let text = word.text("a name such as \"paris\"", problems)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let why = if text.is_empty() {
        "a name must not be empty".to_owned()
    } else if text.len() > 63 {
        format!("a name has at most 63 bytes, this one {}", text.len())
    } else if !text.chars().all(legal) {
        format!("a name has letters, digits, `-`, `_` and `.` only: {} has others", quoted(text))
    } else if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        format!("a name begins with a letter or a digit: {} does not", quoted(text))
    } else if reserved.contains(&text) {
        format!("{} is a reserved word, and no name for a backup", quoted(text))
    } else {
        return Some(text.to_owned());
    };
    refuse(word, why, "not a name", problems);
    None
}

/// The name of a network device, as the kernel allows it.
pub(super) fn interface(word: &Word<'_>, problems: &mut Problems) -> Option<String> {
    let text = word.text("the name of an interface such as \"wan0\"", problems)?;
    let legal = |c: char| !(c == '/' || c == ':' || c.is_whitespace() || c.is_control());
    if (1..=15).contains(&text.len()) && text.chars().all(legal) && !matches!(text, "." | "..") {
        return Some(text.to_owned());
    }
    let why = format!(
        "{} is no name of an interface: it has 1 to 15 bytes, and no `/`, `:` or white space",
        quoted(text)
    );
    problems.push(Problem::new(word.span.clone(), why, "not an interface").help("`ip -br link` lists them"));
    None
}

/// An absolute path.
pub(super) fn path(word: &Word<'_>, problems: &mut Problems) -> Option<PathBuf> {
    let text = word.text("a path such as \"/run/failover\"", problems)?;
    let why = if text.contains('\0') {
        format!("`{}` must not contain a NUL character", word.name)
    } else if Path::new(text).is_absolute() {
        return Some(PathBuf::from(text));
    } else {
        format!("`{}` must be an absolute path, and {} is not", word.name, quoted(text))
    };
    refuse(word, why, "expected a path that begins with `/`", problems);
    None
}

/// An absolute path that a Unix socket can have.
pub(super) fn socket_path(word: &Word<'_>, problems: &mut Problems) -> Option<PathBuf> {
    let path = path(word, problems)?;
    let length = path.as_os_str().len();
    if length < SOCKET_PATH {
        return Some(path);
    }
    let why =
        format!("the path of a socket must be shorter than {SOCKET_PATH} bytes, and this one has {length}");
    refuse(word, why, "too long", problems);
    None
}

/// An address of this machine and a port to listen on.
pub(super) fn listener(word: &Word<'_>, problems: &mut Problems) -> Option<SocketAddr> {
    let text = word.text("an address and a port such as \"127.0.0.1:9469\"", problems)?;
    match text.parse::<SocketAddr>() {
        Ok(listener) if listener.port() != 0 => return Some(listener),
        Ok(_) => refuse(word, format!("`{}` needs a port from 1 to 65535", word.name), "port 0", problems),
        Err(_) => {
            let why = format!(
                "`{}` must be an address and a port such as \"127.0.0.1:9469\", not {}",
                word.name,
                quoted(text)
            );
            let help = "\"[::1]:9469\" for IPv6, \"0.0.0.0:9469\" for every address of IPv4";
            problems.push(Problem::new(word.span.clone(), why, "not an address and a port").help(help));
        }
    }
    None
}

/// A host's addresses: one, or a list with at most one per family. IPv4 comes first, however they are written.
pub(super) fn addresses(word: &Word<'_>, problems: &mut Problems) -> Option<Vec<Spanned<IpAddr>>> {
    let Some(list) = word.as_list() else {
        return Some(vec![address(word, problems)?]);
    };
    if list.len() == 0 {
        refuse(word, format!("`{}` is empty: expected {ADDRESS}", word.name), "no address", problems);
        return None;
    }
    let mut found: Vec<Spanned<IpAddr>> = Vec::new();
    let mut complete = true;
    for element in list {
        let Some(address) = address(&element, problems) else {
            complete = false;
            continue;
        };
        let family = Family::of(*address.get_ref());
        match found.iter().find(|first| Family::of(*first.get_ref()) == family) {
            None => found.push(address),
            Some(first) => {
                let why = format!("`{}` has two {family} addresses: one per family is possible", word.name);
                let help = "a second server is another [[target]], or another [[target.backup]]";
                let problem = Problem::new(element.span, why, "a second one");
                problems.push(problem.also(first.span(), "first here").help(help));
                complete = false;
            }
        }
    }
    found.sort_by_key(|address| Family::of(*address.get_ref()));
    complete.then_some(found)
}

/// What is expected of an address.
const ADDRESS: &str = "an address such as \"192.0.2.10\"";

fn address(word: &Word<'_>, problems: &mut Problems) -> Option<Spanned<IpAddr>> {
    let text = word.text(ADDRESS, problems)?;
    let problem = match text.parse() {
        Err(_) => no_address(text, word),
        Ok(address) => match no_host(address) {
            None => return Some(Spanned::new(word.span.clone(), address)),
            Some((kind, help)) => {
                let why = format!("{address} is {kind}: expected the address of one host");
                let problem = Problem::new(word.span.clone(), why, "not a host");
                if let Some(help) = help { problem.help(help) } else { problem }
            }
        },
    };
    problems.push(problem);
    None
}

/// What kind of address cannot be one host's, and what to do about it.
fn no_host(address: IpAddr) -> Option<(&'static str, Option<String>)> {
    if let IpAddr::V6(v6) = address {
        if let Some(v4) = v6.to_ipv4_mapped() {
            return Some(("an IPv4-mapped address", Some(format!("write it as IPv4: \"{v4}\""))));
        }
        if v6.is_unicast_link_local() {
            let help = "the router steers between links: write the server's global or unique local address";
            return Some(("a link-local address, which is nobody's beyond its link", Some(help.to_owned())));
        }
    }
    let kind = if address.is_unspecified() {
        "the unspecified address"
    } else if address.is_loopback() {
        "a loopback address"
    } else if address.is_multicast() {
        "a multicast address"
    } else if address == Ipv4Addr::BROADCAST {
        "the broadcast address"
    } else {
        return None;
    };
    Some((kind, None))
}

fn no_address(text: &str, word: &Word<'_>) -> Problem {
    let span = word.span.clone();
    let label = format!("expected {ADDRESS}");
    if has_tail(text) {
        let why = format!(
            "`{}` must be an address alone, without port, prefix or zone, not {}",
            word.name,
            quoted(text)
        );
        let help = "ports are in `services` (of a target) and `ports` (of a backup)";
        return Problem::new(span, why, label).help(help);
    }
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if text.contains(|c: char| c.is_ascii_alphabetic()) && text.chars().all(name) {
        let why = format!("{} is a name, and `{}` must be an address", quoted(text), word.name);
        let help =
            "names are refused, because phones must stay reachable while DNS is not: write its address";
        return Problem::new(span, why, label).help(help);
    }
    Problem::new(span, format!("{} is not an address: expected {ADDRESS}", quoted(text)), label)
}

/// Whether it is an address in brackets, or one with a port, a prefix length or a zone.
fn has_tail(text: &str) -> bool {
    let in_brackets =
        |text: &str| text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).map(str::to_owned);
    let is_address = |text: &str| in_brackets(text).as_deref().unwrap_or(text).parse::<IpAddr>().is_ok();
    is_address(text) || text.rsplit_once([':', '/', '%']).is_some_and(|(head, _)| is_address(head))
}

/// The codes of a protocol's answers.
pub(super) struct Codes {
    /// What one of them is: `SIP status`.
    pub what: &'static str,
    /// First digits, ascending.
    pub classes: &'static [u8],
}

/// Codes that count: a list of "2xx" and "404".
pub(super) fn statuses(word: &Word<'_>, codes: &Codes, problems: &mut Problems) -> Option<StatusSet> {
    let list = word.list("a list of status codes such as [\"2xx\", \"404\"]", problems)?;
    if list.len() == 0 {
        let why = format!("`{}` is empty: no answer would count as alive", word.name);
        refuse(word, why, "no status code", problems);
        return None;
    }
    let mut ranges = Vec::new();
    let mut complete = true;
    for element in list {
        match status(&element, codes, problems) {
            Some(range) => ranges.push(range),
            None => complete = false,
        }
    }
    complete.then(|| StatusSet { ranges: joined(ranges).into() })
}

fn status(word: &Word<'_>, codes: &Codes, problems: &mut Problems) -> Option<(u16, u16)> {
    const WHAT: &str = "a status code such as \"2xx\" or \"404\"";
    let text = word.text(WHAT, problems)?;
    let range = match text.as_bytes() {
        [class, ..] if !codes.classes.contains(class) => None,
        [class, b'x' | b'X', b'x' | b'X'] => {
            let low = u16::from(class - b'0') * 100;
            Some((low, low + 99))
        }
        [_, b'0'..=b'9', b'0'..=b'9'] => text.parse().ok().map(|code| (code, code)),
        _ => None,
    };
    if range.is_none() {
        let classes: Vec<_> = codes.classes.iter().map(|class| format!("{}xx", char::from(*class))).collect();
        let (what, classes) = (codes.what, classes.join(", "));
        let why = format!("{} is no {what}: expected {WHAT}, of {classes}", quoted(text));
        refuse(word, why, "not a status", problems);
    }
    range
}

/// The name of a host, as a certificate has it: not an address, and without a port.
pub(super) fn host_name(word: &Word<'_>, problems: &mut Problems) -> Option<String> {
    let text = word.text("the name of a host such as \"sip.example\"", problems)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(legal)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = text.len() <= 253 && text.split('.').all(label);
    if name && text.parse::<IpAddr>().is_err() {
        return Some(text.to_owned());
    }
    let why = format!("{} is no name of a host: expected one such as \"sip.example\"", quoted(text));
    let problem = Problem::new(word.span.clone(), why, "not a host's name");
    problems.push(problem.help("without it, the certificate has to be for the server's address"));
    None
}

/// The same set in the fewest ranges, ascending.
fn joined(mut ranges: Vec<(u16, u16)>) -> Vec<(u16, u16)> {
    ranges.sort_unstable();
    let mut joined: Vec<(u16, u16)> = Vec::new();
    for (low, high) in ranges {
        match joined.last_mut() {
            Some(last) if low <= last.1 + 1 => last.1 = last.1.max(high),
            _ => joined.push((low, high)),
        }
    }
    joined
}
