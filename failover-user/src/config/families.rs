//! What must hold between the addresses of a target and those of its backups, and what is odd about them. A packet
//! keeps its family on its way to a backup, but for IPv4 in an envelope, which may be IPv6: a family for which the backup
//! has no address stays unsteered.

use std::net::IpAddr;

use toml::Spanned;

use super::{
    convert::{Placed, PlacedBackup},
    error::{Problem, Problems},
    model::{Family, Steer},
    topology::name,
};

/// Reports a backup that has an address of its target's, or none that could be of use to it.
pub(super) fn check(
    target: &[Spanned<IpAddr>],
    backup: &[Spanned<IpAddr>],
    steer: Steer,
    problems: &mut Problems,
) {
    for address in backup {
        if let Some(own) = target.iter().find(|own| own.get_ref() == address.get_ref()) {
            let why = format!("the backup has the target's own address, {}", address.get_ref());
            let problem = Problem::new(address.span(), why, "the target's address");
            let help = "a backup is another host, with an address of its own";
            problems.push(problem.also(own.span(), "the target").help(help));
        }
    }
    if let (Some(own), Some(address)) = (target.first(), backup.first())
        && target.iter().all(|own| serving(backup, family(own), steer).is_none())
    {
        let (asked, has) = (family(own), family(address));
        let why = format!("the backup has an {has} address alone, and the target an {asked} address alone");
        let problem = Problem::new(address.span(), why, format!("no {asked} address"));
        let help =
            format!("a steered packet keeps its family: give the backup an {asked} address, too or instead");
        problems.push(problem.also(own.span(), "the target").help(help));
    }
}

/// The address of a backup to which packets of a family go: [`Steer::address`] of what is still being read.
fn serving(backup: &[Spanned<IpAddr>], wanted: Family, steer: Steer) -> Option<&Spanned<IpAddr>> {
    let enveloped = || of_family(backup, Family::V6).filter(|_| steer == Steer::Ipip && wanted == Family::V4);
    of_family(backup, wanted).or_else(enveloped)
}

/// What is odd about the families of `target` and its backups: whole sentences, with what to do.
pub(super) fn warnings(target: &Placed, warnings: &mut Vec<String>) {
    let who = name(target);
    let backups = target.backups.as_deref().unwrap_or_default();
    for own in target.addresses() {
        let (family, address) = (family(own), own.get_ref());
        let without =
            backups.iter().filter(|backup| serving(backup.addresses(), family, target.steer).is_none());
        let without: Vec<&str> = without.map(PlacedBackup::called).collect();
        match without.as_slice() {
            [] => {}
            all if all.len() == backups.len() => warnings.push(format!(
                "target {who}: no backup has an {family} address, so packets to {address} are never steered: while a \
                 backup serves, they pass on to the primary and are counted as no-endpoint. Give a backup an {family} \
                 address, or leave {address} out."
            )),
            some => warnings.push(format!(
                "target {who}: without an {family} address, {} cannot serve all of it: meanwhile packets to {address} \
                 pass on to the primary and are counted as no-endpoint. Give every backup an {family} address.",
                some.join(" and "),
            )),
        }
    }
    for backup in backups {
        let leads_to = |own: &Spanned<IpAddr>| serving(backup.addresses(), family(own), target.steer);
        let unused = |address: &&Spanned<IpAddr>| {
            let own_family = of_family(target.addresses(), family(address)).is_some();
            let used = |to: &Spanned<IpAddr>| to.get_ref() == address.get_ref();
            !own_family && !target.addresses().iter().filter_map(leads_to).any(used)
        };
        for address in backup.addresses().iter().filter(unused) {
            warnings.push(format!(
                "target {who}: backup {} has an {family} address ({}), and the target has none: it is neither used nor \
                 probed. Leave it out, or give the target its {family} address, too.",
                backup.called(),
                address.get_ref(),
                family = family(address),
            ));
        }
    }
}

fn family(address: &Spanned<IpAddr>) -> Family {
    Family::of(*address.get_ref())
}

fn of_family(addresses: &[Spanned<IpAddr>], wanted: Family) -> Option<&Spanned<IpAddr>> {
    addresses.iter().find(|address| family(address) == wanted)
}
