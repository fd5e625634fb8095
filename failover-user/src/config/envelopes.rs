//! `envelope_source`: the prefix of which each flow has an address as the source of its envelopes.

use std::{net::IpAddr, ops::RangeInclusive};

use toml::Spanned;

use super::{
    convert::{Placed, PlacedBackup},
    error::{Problem, Problems},
    model::{Prefix, Steer},
    prefix::NoPrefix,
    section::{Word, quoted},
};

/// From what a flow's label can tell apart to what spreads at all.
const LENGTHS: RangeInclusive<u8> = 16..=31;

/// Reads it.
pub(super) fn source(word: &Word<'_>, problems: &mut Problems) -> Option<Prefix> {
    const WHAT: &str = "an IPv4 prefix such as \"192.0.2.0/28\"";
    let text = word.text(WHAT, problems)?;
    let problem = |why: String, label: &str| Problem::new(word.span.clone(), why, label);
    let (problem, help) = match text.parse::<Prefix>() {
        Ok(prefix) if !LENGTHS.contains(&prefix.length()) => {
            let (low, high) = (LENGTHS.start(), LENGTHS.end());
            let why = format!("`envelope_source` must be a prefix from /{low} to /{high}, not {prefix}");
            let help = "16 addresses (/28) spread flows well; to have all envelopes from the router's own, leave it out";
            (problem(why, "out of range"), help.to_owned())
        }
        Ok(prefix) => match nobodys(prefix) {
            None => return Some(prefix),
            Some(kind) => {
                let why = format!("{prefix} has {kind} addresses: no packet may come from one");
                (
                    problem(why, "not the addresses of hosts"),
                    "choose a prefix that is routed to this router".into(),
                )
            }
        },
        Err(NoPrefix::HostBits { meant }) => {
            let why = format!("{} has bits behind the first {}", quoted(text), meant.length());
            (problem(why, "not the first address"), format!("write \"{meant}\""))
        }
        Err(NoPrefix::Form) => {
            let why = format!("`envelope_source` must be {WHAT}, not {}", quoted(text));
            let help = "an envelope of IPv6 needs none: it has a flow label";
            (problem(why, "not an IPv4 prefix"), help.to_owned())
        }
    };
    problems.push(problem.help(help));
    None
}

/// What kind of addresses a prefix has that no host on another link may have: each kind has a block of /16 at least.
fn nobodys(prefix: Prefix) -> Option<&'static str> {
    Some(match prefix.network().octets() {
        [0, ..] => "unspecified",
        [127, ..] => "loopback",
        [169, 254, ..] => "link-local",
        [224..=239, ..] => "multicast",
        [240..=255, ..] => "reserved",
        _ => return None,
    })
}

/// Reports a server's address among them: that host would take the envelopes for its own packets.
pub(super) fn check(source: Option<&Spanned<Prefix>>, targets: &[Placed], problems: &mut Problems) {
    let Some(source) = source else { return };
    for target in targets {
        let own = target.addresses().iter().map(|address| (address, "the target"));
        let backups = target.backups.iter().flatten();
        let others =
            backups.flat_map(|backup| backup.addresses().iter().map(|address| (address, "the backup")));
        for (address, who) in own.chain(others) {
            if let IpAddr::V4(v4) = *address.get_ref()
                && source.get_ref().contains(v4)
            {
                let why = format!("{} has the address of a server, {v4}", source.get_ref());
                let problem =
                    Problem::new(source.span(), why, "a server is in here").also(address.span(), who);
                problems.push(problem.help("choose a prefix that no host has, routed to this router"));
            }
        }
    }
}

/// Says if no envelope will come from there.
pub(super) fn warnings(source: Option<&Spanned<Prefix>>, targets: &[Placed]) -> Vec<String> {
    let v4 = |backup: &PlacedBackup| backup.addresses().iter().any(|address| address.get_ref().is_ipv4());
    let used = |target: &Placed| target.steer == Steer::Ipip && target.backups.iter().flatten().any(v4);
    if source.is_none() || targets.iter().any(used) {
        return Vec::new();
    }
    let why = "envelope_source has no effect: no target has steer = \"ipip\" and a backup with an IPv4 address. Leave it out.";
    vec![why.to_owned()]
}
