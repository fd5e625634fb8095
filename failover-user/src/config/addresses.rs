//! A server's addresses: one, or one of each family.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// RFC 791.
    V4,
    /// RFC 8200.
    V6,
}

impl Family {
    /// Every family there is.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family of `address`.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// One server's addresses. In which order they were written says nothing: IPv4 comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// IPv4 alone.
    V4(Ipv4Addr),
    /// IPv6 alone.
    V6(Ipv6Addr),
    /// One of each.
    Both(Ipv4Addr, Ipv6Addr),
}

impl Addresses {
    /// `None`: there is no address, or there are two of one family.
    pub fn collect(addresses: impl IntoIterator<Item = IpAddr>) -> Option<Self> {
        let mut collected = None;
        for address in addresses {
            collected = Some(match (collected, address) {
                (None, IpAddr::V4(v4)) => Self::V4(v4),
                (None, IpAddr::V6(v6)) => Self::V6(v6),
                (Some(Self::V4(v4)), IpAddr::V6(v6)) | (Some(Self::V6(v6)), IpAddr::V4(v4)) => {
                    Self::Both(v4, v6)
                }
                _ => return None,
            });
        }
        collected
    }

    /// The only one, or the IPv4 one.
    pub const fn first(self) -> IpAddr {
        match self {
            Self::V4(v4) | Self::Both(v4, _) => IpAddr::V4(v4),
            Self::V6(v6) => IpAddr::V6(v6),
        }
    }

    /// The one of `family`.
    pub const fn of(self, family: Family) -> Option<IpAddr> {
        match (self, family) {
            (Self::V4(v4) | Self::Both(v4, _), Family::V4) => Some(IpAddr::V4(v4)),
            (Self::V6(v6) | Self::Both(_, v6), Family::V6) => Some(IpAddr::V6(v6)),
            _ => None,
        }
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = IpAddr> {
        Family::ALL.into_iter().filter_map(move |family| self.of(family))
    }

    /// Whether `address` is one of them.
    pub fn contains(self, address: IpAddr) -> bool {
        self.of(Family::of(address)) == Some(address)
    }

    /// Each of them, with `between` between them.
    pub fn joined(self, between: &str) -> String {
        self.iter().map(|address| address.to_string()).collect::<Vec<_>>().join(between)
    }
}

impl fmt::Display for Addresses {
    /// `192.0.2.10 and 2001:db8::10`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.joined(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(list: &[&str]) -> Option<Addresses> {
        Addresses::collect(list.iter().map(|address| address.parse().unwrap()))
    }

    #[test]
    fn at_least_one_and_at_most_one_of_each_family() {
        for list in [
            &[][..],
            &["192.0.2.1", "192.0.2.1"],
            &["2001:db8::1", "2001:db8::2"],
            &["192.0.2.1", "2001:db8::1", "2001:db8::2"],
        ] {
            assert_eq!(of(list), None, "{list:?}");
        }
        assert_eq!(of(&["2001:db8::1", "192.0.2.1"]), of(&["192.0.2.1", "2001:db8::1"]));
    }

    #[test]
    fn each_is_found_by_its_family() {
        let both = of(&["2001:db8::1", "192.0.2.1"]).unwrap();
        assert_eq!(both.to_string(), "192.0.2.1 and 2001:db8::1");
        assert_eq!(both.first(), IpAddr::from([192, 0, 2, 1]));
        let v6 = of(&["2001:db8::1"]).unwrap();
        assert_eq!((v6.first(), v6.of(Family::V4)), (both.of(Family::V6).unwrap(), None));
        assert!(both.contains(v6.first()) && !v6.contains(both.first()));
        assert!(!v6.contains("2001:db8::2".parse().unwrap()));
    }
}
