//! What tells flows apart on the way to a backup, inside of whose envelope nobody looks: the flow label of an outer IPv6
//! header (RFC 6437, RFC 6438), or the outer source of IPv4, which has no place for one.

/// Bits of a flow label.
const LABEL: u32 = 0x000f_ffff;

/// A flow's label, never 0, from `words`: its addresses, ports and protocol, as they stand in memory.
#[inline(always)]
pub const fn flow_label(words: &[u32; 6]) -> u32 {
    let (mut mixed, mut n) = (0_u32, 0);
    while n < words.len() {
        // Knuth's multiplicative step; the shift brings what it did to the high bits down again.
        mixed = (mixed ^ words[n]).wrapping_mul(0x9e37_79b1);
        mixed ^= mixed >> 15;
        n += 1;
    }
    // 0 would say that the packet has no label.
    let label = mixed & LABEL;
    if label == 0 { 1 } else { label }
}

/// Addresses of which each flow has one as the source of its IPv4 envelopes: those of a prefix, in network order.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Its first address.
    pub network: u32,
    /// The bits in which they differ; 0: there are none but the router's own address.
    pub hosts: u32,
}

impl Sources {
    /// The router's own address alone.
    pub const ROUTER: Self = Self { network: 0, hosts: 0 };

    /// That of the flow which has this label.
    #[inline(always)]
    pub const fn of(self, label: u32) -> u32 {
        self.network | label.to_be() & self.hosts
    }
}

#[cfg(feature = "user")]
mod pod {
    // SAFETY: `repr(C)`, integers only, no padding: any bytes are valid.
    unsafe impl aya::Pod for super::Sources {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_that_differ_in_one_port_are_spread_evenly() {
        let mut buckets = [0_u32; 16];
        for port in 0..16_000_u32 {
            let label = flow_label(&[0, 0, 0x0a01_0110, 0x0a01_0210, port << 16 | 0x13c4, 17]);
            assert!(label != 0 && label <= LABEL);
            buckets[label as usize % 16] += 1;
        }
        assert!(buckets.iter().all(|flows| (800..1200).contains(flows)), "{buckets:?}");
    }

    #[test]
    fn flows_have_every_address_of_a_prefix_and_no_other() {
        for length in 16..32 {
            let hosts = u32::MAX >> length;
            let sources = Sources { network: 0xc612_0000_u32.to_be(), hosts: hosts.to_be() };
            let mut seen = std::collections::BTreeSet::new();
            for flow in 0..16 * (hosts + 1) {
                let source = u32::from_be(sources.of(flow_label(&[0, 0, 7, 9, flow, 17])));
                assert_eq!(source & !hosts, 0xc612_0000);
                seen.insert(source);
            }
            assert!(seen.len() > hosts as usize * 9 / 10, "/{length}: {}", seen.len());
        }
    }
}
