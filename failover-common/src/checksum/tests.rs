use super::*;
use etherparse::PacketBuilder;
use proptest::prelude::*;

/// The checksum of `data` from nothing, RFC 1071 §4.1.
fn full(data: &[u8]) -> u16 {
    let sum: u64 =
        data.chunks(2).map(|pair| u64::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]))).sum();
    !fold(sum)
}

proptest! {
    /// 0x0000 and 0xffff are the same number in one's complement: an all-zero header does not exist on a wire, so
    /// the data here always has a non-zero word that does not change.
    #[test]
    fn incremental_equals_full(mut data in prop::collection::vec(any::<u8>(), 4..64), at in any::<prop::sample::Index>(), new in any::<u16>()) {
        data.truncate(data.len() & !1);
        data.extend([0x45, 0x00]);
        let at = at.index(data.len() / 2 - 1) * 2;
        let old = u16::from_be_bytes([data[at], data[at + 1]]);
        let before = full(&data);
        data[at..at + 2].copy_from_slice(&new.to_be_bytes());
        prop_assert_eq!(Difference::none().word(old, new).apply(before), full(&data));
    }

    #[test]
    fn addresses_and_ports_of_udp_and_tcp(
        source in any::<[u8; 4]>(), old in any::<[u8; 4]>(), new in any::<[u8; 4]>(),
        old_port in any::<u16>(), new_port in any::<u16>(), payload in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let packet = |to: [u8; 4], port: u16, tcp: bool| {
            let builder = PacketBuilder::ipv4(source, to, 64);
            let mut bytes = Vec::new();
            if tcp {
                builder.tcp(5060, port, 1, 1000).write(&mut bytes, &payload).unwrap();
            } else {
                builder.udp(5060, port).write(&mut bytes, &payload).unwrap();
            }
            bytes
        };
        let word = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let addresses = Difference::none().pair(u32::from_be_bytes(old), u32::from_be_bytes(new));
        let all = addresses.word(old_port, new_port);

        let (before, after) = (packet(old, old_port, false), packet(new, new_port, false));
        prop_assert_eq!(addresses.apply(word(&before, 10)), word(&after, 10));
        prop_assert_eq!(all.apply_udp(word(&before, 26)), word(&after, 26));
        let (before, after) = (packet(old, old_port, true), packet(new, new_port, true));
        prop_assert_eq!(all.apply(word(&before, 36)), word(&after, 36));
    }
}

#[test]
fn udp_without_a_checksum_stays_without() {
    assert_eq!(Difference::none().word(1, 2).apply_udp(0), 0);
}

#[test]
fn udp_never_becomes_zero() {
    // ~(~0x0001 + ~0x0000 + 0x0001) = 0, which a UDP header writes as 0xffff.
    let change = Difference::none().word(0, 1);
    assert_eq!(change.apply(1), 0);
    assert_eq!(change.apply_udp(1), 0xffff);
}
