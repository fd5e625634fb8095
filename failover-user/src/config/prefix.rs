//! A prefix of IPv4 addresses: `192.0.2.0/28`.

use std::{fmt, net::Ipv4Addr, str::FromStr};

/// All addresses that begin alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Prefix {
    network: Ipv4Addr,
    length: u8,
}

/// Why a text is no prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPrefix {
    /// It is something else.
    #[error("expected an IPv4 prefix such as 192.0.2.0/28")]
    Form,
    /// Its address goes on behind its length.
    #[error("the address has bits behind the first {length}: the prefix of its network is {meant}", length = meant.length)]
    HostBits {
        /// With all of these bits zero.
        meant: Prefix,
    },
}

impl Prefix {
    /// Its first address.
    pub const fn network(self) -> Ipv4Addr {
        self.network
    }

    /// How many bits they have in common.
    pub const fn length(self) -> u8 {
        self.length
    }

    /// The bits in which they differ.
    pub const fn hosts(self) -> u32 {
        match u32::MAX.checked_shr(self.length as u32) {
            Some(hosts) => hosts,
            None => 0,
        }
    }

    /// How many they are.
    pub const fn size(self) -> u64 {
        self.hosts() as u64 + 1
    }

    /// Whether `address` is one of them.
    pub const fn contains(self, address: Ipv4Addr) -> bool {
        address.to_bits() & !self.hosts() == self.network.to_bits()
    }

    /// Each of them, ascending.
    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        let first = self.network.to_bits();
        (first..=first | self.hosts()).map(Ipv4Addr::from_bits)
    }
}

impl FromStr for Prefix {
    type Err = NoPrefix;

    fn from_str(text: &str) -> Result<Self, NoPrefix> {
        let (address, length) = text.split_once('/').ok_or(NoPrefix::Form)?;
        let network: Ipv4Addr = address.parse().map_err(|_| NoPrefix::Form)?;
        // Digits alone, without a sign or a zero before them.
        let length = (0..=32).find(|n: &u8| n.to_string() == length).ok_or(NoPrefix::Form)?;
        let written = Self { network, length };
        let meant = Self { network: Ipv4Addr::from_bits(network.to_bits() & !written.hosts()), length };
        if meant == written { Ok(written) } else { Err(NoPrefix::HostBits { meant }) }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_length_has_its_addresses() {
        for (text, size) in [("0.0.0.0/0", 1 << 32), ("198.18.0.0/15", 1 << 17), ("192.0.2.9/32", 1)] {
            let prefix: Prefix = text.parse().unwrap();
            assert_eq!((prefix.to_string().as_str(), prefix.size()), (text, size));
        }
        let prefix: Prefix = "192.0.2.6/31".parse().unwrap();
        assert_eq!(prefix.addresses().map(|a| a.octets()[3]).collect::<Vec<_>>(), [6, 7]);
        assert!(prefix.contains([192, 0, 2, 7].into()) && !prefix.contains([192, 0, 2, 8].into()));
        let last: Prefix = "255.255.255.254/31".parse().unwrap();
        assert_eq!(last.addresses().last(), Some(Ipv4Addr::BROADCAST));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "/", "192.0.2.0", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/+8", "192.0.2.0/08"] {
            assert_eq!(text.parse::<Prefix>(), Err(NoPrefix::Form), "{text}");
        }
        for text in ["192.0.2/24", "2001:db8::/32", "192.0.2.0/24/24", " 192.0.2.0/24", "192.0.2.0/256"] {
            assert_eq!(text.parse::<Prefix>(), Err(NoPrefix::Form), "{text}");
        }
        let error = "192.0.2.17/28".parse::<Prefix>().unwrap_err();
        assert!(error.to_string().contains("the prefix of its network is 192.0.2.16/28"), "{error}");
    }
}
