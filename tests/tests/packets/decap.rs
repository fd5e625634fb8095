//! The backup's side of `ipip`: which envelopes are opened, and what comes out of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use etherparse::Ipv4Header;
use failover_user::dataplane::decap::{Decap, Envelopes};

use crate::{
    bench::with_bench,
    frame::{IP, tcp_data, udp},
    network::{DIJON, DIJON_BACKUP, PARIS, PHONE, six},
    shapes::in_vlans,
    wrap::ipv6,
};

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 88, 3, 1);
const ROUTER_SIX: Ipv6Addr = Ipv6Addr::new(0xfd88, 0, 0, 3, 0, 0, 0, 1);

/// `frame`, whose link layer ends at `at`, in an envelope of IPv4.
fn in_four(frame: &[u8], at: usize, protocol: u8, from: Ipv4Addr) -> Vec<u8> {
    let length = (frame.len() - at) as u16;
    let to = DIJON_BACKUP.ip().octets();
    let mut ip = Ipv4Header::new(length, 63, protocol.into(), from.octets(), to).unwrap();
    ip.header_checksum = ip.calc_header_checksum();
    [&frame[..at - 2], &[8, 0], &ip.to_bytes(), &frame[at..]].concat()
}

/// The same of IPv6.
fn in_six(frame: &[u8], at: usize, protocol: u8, from: IpAddr) -> Vec<u8> {
    let to = IpAddr::from(*six(DIJON_BACKUP).ip());
    let ip = ipv6(from, to, protocol, frame.len() - at);
    [&frame[..at - 2], &[0x86, 0xdd], &ip.to_bytes()[..], &frame[at..]].concat()
}

/// A packet of IPv6 to DIJON, as far as the program looks at it.
fn six_packet(mut frame: Vec<u8>) -> Vec<u8> {
    let ip = ipv6((*six(PHONE).ip()).into(), (*six(DIJON).ip()).into(), 17, 30);
    frame.truncate(12);
    [&frame[..], &[0x86, 0xdd], &ip.to_bytes()[..], &[7; 30]].concat()
}

/// What it is, a frame, and what becomes of it: `None` is nothing.
type Case = (&'static str, Vec<u8>, Option<Vec<u8>>);

fn cases() -> Vec<Case> {
    let plain = udp(PHONE, DIJON).bytes();
    let six_plain = six_packet(plain.clone());
    let [one, two] = [&[7][..], &[7, 9]].map(|tags| in_vlans(&udp(PHONE, DIJON), tags).bytes);
    let four = in_four(&plain, IP, 4, ROUTER);
    let bent = |change: fn(&mut Vec<u8>)| {
        let mut frame = four.clone();
        change(&mut frame);
        frame
    };
    let stranger = IpAddr::from(*six(PHONE).ip());
    vec![
        ("IPv4 in IPv4", four.clone(), Some(plain.clone())),
        (
            "TCP",
            in_four(&tcp_data(PHONE, DIJON).bytes(), IP, 4, ROUTER),
            Some(tcp_data(PHONE, DIJON).bytes()),
        ),
        ("in a VLAN", in_four(&one, IP + 4, 4, ROUTER), Some(one.clone())),
        ("in two", in_four(&two, IP + 8, 4, ROUTER), Some(two)),
        ("IPv4 in IPv6", in_six(&plain, IP, 4, ROUTER_SIX.into()), Some(plain.clone())),
        ("IPv4 in IPv6 in a VLAN", in_six(&one, IP + 4, 4, ROUTER_SIX.into()), Some(one)),
        ("IPv6 in IPv6", in_six(&six_plain, IP, 41, ROUTER_SIX.into()), Some(six_plain.clone())),
        ("no envelope", plain.clone(), None),
        ("from a stranger", in_four(&plain, IP, 4, *PHONE.ip()), None),
        ("from a stranger by IPv6", in_six(&plain, IP, 4, stranger), None),
        ("for somebody else", in_four(&udp(PHONE, PARIS).bytes(), IP, 4, ROUTER), None),
        ("IPv4 that says to be IPv6", in_four(&plain, IP, 41, ROUTER), None),
        ("IPv6 that says to be IPv4", in_six(&six_plain, IP, 4, ROUTER_SIX.into()), None),
        ("a fragment of an envelope", bent(|frame| frame[IP + 6] |= 0x20), None),
        ("an envelope with options", bent(|frame| frame[IP] = 0x46), None),
        ("to a group of stations", bent(|frame| frame[0] |= 1), None),
        ("cut off inside", four[..IP + 30].to_vec(), None),
        ("an empty envelope", four[..IP + 20].to_vec(), None),
    ]
}

pub fn hold() {
    let failures: Vec<&str> = with_bench(|_| {
        let (routers, targets) =
            ([ROUTER.into(), ROUTER_SIX.into()], [IpAddr::from(*DIJON.ip()), IpAddr::from(*six(DIJON).ip())]);
        let mut decap = Decap::open(Envelopes { routers: &routers, targets: &targets })?;
        let mut failures = Vec::new();
        for (name, frame, opened) in cases() {
            let after = decap.test_run(&frame, 1)?;
            if after.action != 2 || after.frame != opened.unwrap_or(frame) {
                failures.push(name);
            }
        }
        Ok(failures)
    });
    assert!(failures.is_empty(), "{failures:?}");
}
