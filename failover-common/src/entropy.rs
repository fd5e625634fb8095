//! What tells flows apart on the way to a backup, inside of whose envelope nobody looks: the flow label of an outer IPv6
//! header (RFC 6437, RFC 6438).

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
}
