use etherparse::PacketBuilder;

use super::*;

fn frame(from: [u8; 4], to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64).udp(5062, 5060);
    builder.write(&mut frame, payload).unwrap();
    frame
}

fn entry(head: Sighting, before: &[u8], after: &[u8]) -> Vec<u8> {
    let head = Sighting { before: before.len() as u32, after: after.len() as u32, ..head };
    // SAFETY: integers without padding (its size is asserted), as bytes.
    let bytes = unsafe { std::mem::transmute::<Sighting, [u8; 48]>(head) };
    [&bytes, before, after].concat()
}

fn names() -> Names {
    let backups = vec![("nsp-1".to_owned(), vec!["10.0.3.1".parse().unwrap()])];
    Names { targets: [(1, ("paris".to_owned(), backups))].into() }
}

fn see(entry: &[u8]) -> Option<Glimpse> {
    read(entry, &names(), |index| (index == 2).then(|| "lan0".to_owned()), Timestamp::UNIX_EPOCH)
}

const STEERED: u64 = (1 << 32) | (2 << 16) | 0x11;

#[test]
fn a_steered_packet_says_whence_whither_and_what() {
    let before = frame([10, 0, 1, 1], [10, 0, 2, 1], b"INVITE sip:1@paris SIP/2.0\r\nVia: x\r\n\r\n");
    let after = frame([10, 0, 1, 1], [10, 0, 3, 1], b"INVITE sip:1@paris SIP/2.0\r\nVia: x\r\n\r\n");
    let head = Sighting {
        time_ns: 1_500_000,
        end: STEERED,
        length: 80,
        left: 80,
        ingress: 2,
        egress: 3,
        ..Sighting::default()
    };
    let Glimpse { seen, hosts } = see(&entry(head, &before, &after)).unwrap();
    assert_eq!((&*seen.interface, seen.egress.as_deref()), ("lan0", Some("#3")));
    assert_eq!((&*seen.verdict, &*seen.reason), ("redirect", "steered"));
    assert_eq!((seen.target.as_deref(), seen.backup.as_deref()), (Some("paris"), Some("nsp-1")));
    assert_eq!((seen.from.as_deref(), seen.to.as_deref()), (Some("10.0.1.1:5062"), Some("10.0.2.1:5060")));
    assert_eq!(
        (seen.new_from.as_deref(), seen.new_to.as_deref()),
        (Some("10.0.1.1:5062"), Some("10.0.3.1:5060"))
    );
    assert_eq!(seen.says.as_deref(), Some("INVITE sip:1@paris SIP/2.0"));
    assert_eq!((&*seen.time, seen.protocol.as_deref()), ("1970-01-01T00:00:00.001500Z", Some("udp")));
    assert_eq!((hosts.len(), seen.before.len()), (4, before.len() * 2));
}

#[test]
fn a_packet_that_stays_as_it_is_has_no_after() {
    let before = frame([10, 0, 1, 1], [10, 0, 2, 1], b"\x1b[2J\r\n");
    let head = Sighting { end: STEERED, length: 60, left: 60, ..Sighting::default() };
    for after in [&before[..], &[]] {
        let seen = see(&entry(head, &before, after)).unwrap().seen;
        assert_eq!((seen.after, seen.new_to, seen.new_length, seen.says), (None, None, None, None));
    }
}

#[test]
fn what_cannot_be_read_is_left_out_and_another_layout_passed_over() {
    let head = Sighting { end: 9 << 32 | 63, ..Sighting::default() };
    let seen = see(&entry(head, &[0xff; 20], &[])).unwrap().seen;
    assert_eq!((seen.from, seen.protocol), (None, None));
    assert_eq!((seen.target.as_deref(), &*seen.reason), (Some("#9"), "#63"));
    let whole = entry(head, &[0xff; 20], &[]);
    for cut in [0, 47, 60] {
        assert!(see(&whole[..cut]).is_none(), "{cut}");
    }
}
