//! `--from` of `failover attach --decap`: an address, or all addresses of an IPv4 prefix.

use std::{fmt, net::IpAddr, str::FromStr};

use failover_common::names::TUNNEL_SLOTS;
use serde::{Serialize, Serializer};

use crate::config::model::Prefix;

/// Who sends envelopes, as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    Host(IpAddr),
    Prefix(Prefix),
}

impl FromStr for Sender {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return text
                .parse()
                .map(Self::Prefix)
                .map_err(|error: crate::config::prefix::NoPrefix| error.to_string());
        }
        text.parse()
            .map(Self::Host)
            .map_err(|_| "expected an address, or an IPv4 prefix such as 192.0.2.0/28".into())
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(address) => address.fmt(f),
            Self::Prefix(prefix) => prefix.fmt(f),
        }
    }
}

impl Serialize for Sender {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The address of each, for so many targets. An error: the program has no room for as many pairs.
pub(super) fn addresses(senders: &[Sender], targets: usize) -> Result<Vec<IpAddr>, String> {
    let size = |sender: &Sender| match sender {
        Sender::Host(_) => 1,
        Sender::Prefix(prefix) => prefix.size(),
    };
    let all = senders.iter().map(size).fold(0, u64::saturating_add);
    if all.saturating_mul(targets as u64) > u64::from(TUNNEL_SLOTS) {
        return Err(format!(
            "there are more than {TUNNEL_SLOTS} pairs of --from and --for: {all} × {targets}; allow a longer prefix, or \
             open the envelopes by a tunnel device"
        ));
    }
    let each = |sender: &Sender| -> Vec<IpAddr> {
        match *sender {
            Sender::Host(address) => vec![address],
            Sender::Prefix(prefix) => prefix.addresses().map(IpAddr::from).collect(),
        }
    };
    Ok(senders.iter().flat_map(each).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(senders: &[&str], targets: usize) -> Result<Vec<IpAddr>, String> {
        let senders: Vec<Sender> = senders.iter().map(|text| text.parse().unwrap()).collect();
        addresses(&senders, targets)
    }

    #[test]
    fn a_prefix_stands_for_its_addresses() {
        let found = of(&["198.51.100.1", "192.0.2.6/31", "2001:db8::1"], 2).unwrap();
        let expected = ["198.51.100.1", "192.0.2.6", "192.0.2.7", "2001:db8::1"];
        assert_eq!(found, expected.map(|address| address.parse::<IpAddr>().unwrap()));
    }

    #[test]
    fn there_is_room_for_so_many_pairs() {
        assert_eq!(of(&["192.0.0.0/22"], 1).unwrap().len(), 1024);
        assert_eq!(of(&["192.0.0.0/23"], 2).unwrap().len(), 512);
        for (senders, targets, pairs) in [
            (&["192.0.0.0/22", "198.51.100.1"][..], 1, "1025 × 1"),
            (&["192.0.0.0/23"][..], 3, "512 × 3"),
            (&["0.0.0.0/0", "0.0.0.0/0"][..], 1, "8589934592 × 1"),
        ] {
            let error = of(senders, targets).unwrap_err();
            assert!(error.starts_with("there are more than 1024 pairs") && error.contains(pairs), "{error}");
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for (text, why) in [
            ("router", "expected an address, or an IPv4 prefix"),
            ("192.0.2.1/28", "the prefix of its network is 192.0.2.0/28"),
            ("2001:db8::/64", "expected an IPv4 prefix"),
        ] {
            let error = text.parse::<Sender>().unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
