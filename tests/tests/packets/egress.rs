//! The way out: what the router itself makes, and what XDP has left to it.

use failover_common::{
    key::{EndpointKey, TCP, UDP, mapped},
    names::MARK,
    reason::Reason,
    value::Counter,
};

use crate::{
    bench::{Moved, difference, with_bench},
    frame::{Frame, Raw, tcp_data, tcp_reset, tcp_syn, udp},
    network::*,
};

/// The kernel's `TC_ACT_UNSPEC` and `TC_ACT_REDIRECT` (linux/pkt_cls.h).
const PASS: u32 = u32::MAX;
const REDIRECT: u32 = 7;

/// Who has made a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Maker {
    Router,
    RouterWithMark,
    Other,
}
use Maker::{Other, Router, RouterWithMark};

/// A packet, and what has to come of it.
struct Case {
    maker: Maker,
    sent: Raw,
    action: u32,
    bytes: Vec<u8>,
    counted: Option<(Reason, std::net::SocketAddrV4)>,
}

/// Not a byte of it changes.
fn leave(maker: Maker, sent: impl Into<Raw>, counted: Option<(Reason, std::net::SocketAddrV4)>) -> Case {
    let sent = sent.into();
    Case { maker, bytes: sent.bytes.clone(), sent, action: PASS, counted }
}

/// It goes to a backup. Nothing is a hop further yet, and the kernel writes the MAC addresses.
fn steer(maker: Maker, frame: &Frame, backup: std::net::SocketAddrV4) -> Case {
    let after = frame.clone().between(frame.from, backup);
    Case {
        maker,
        sent: frame.clone().into(),
        action: REDIRECT,
        bytes: after.bytes(),
        counted: Some((Reason::Steered, frame.to)),
    }
}

/// It gets the target's address, and leaves as it would have left.
fn give_back(frame: &Frame, target: std::net::SocketAddrV4) -> Case {
    let after = frame.clone().between(target, frame.to);
    Case {
        maker: Router,
        sent: frame.clone().into(),
        action: PASS,
        bytes: after.bytes(),
        counted: Some((Reason::ReturnedByKernel, target)),
    }
}

fn cases() -> Vec<Case> {
    let own = at(PRIMARIES, 1, 5062);
    let counted = |reason, target| Some((reason, target));
    vec![
        steer(Router, &udp(own, PARIS), PARIS_BACKUP),
        steer(Router, &udp(own, PARIS).without_checksum(), PARIS_BACKUP),
        steer(Router, &udp(own, PARIS).ttl(1), PARIS_BACKUP),
        steer(Router, &tcp_syn(own, PARIS), PARIS_BACKUP),
        steer(Router, &tcp_data(own, PARIS), PARIS_BACKUP),
        steer(Router, &udp(own, METZ), METZ_BACKUP_UDP),
        steer(Router, &udp(own, LYON), SHARED),
        // The neighbour is the kernel's to ask for.
        steer(Router, &udp(own, TO_UNRESOLVED), UNRESOLVED_BACKUP),
        steer(Router, &udp(own, TO_PLAIN), PLAIN_BACKUP),
        leave(Router, udp(own, TO_ROUTER), counted(Reason::NoRoute, TO_ROUTER)),
        leave(Router, udp(own, TO_NOWHERE), counted(Reason::NoRoute, TO_NOWHERE)),
        leave(Router, udp(own, TO_BLACKHOLE), counted(Reason::NoRoute, TO_BLACKHOLE)),
        leave(Router, udp(own, TO_NARROW).payload(&[7; 700]), counted(Reason::TooBig, TO_NARROW)),
        leave(Router, udp(own, PARIS).tagged(&[0x81, 0, 0, 7]), counted(Reason::NoRoute, PARIS)),
        leave(RouterWithMark, udp(own, PARIS), None),
        give_back(&udp(PARIS_BACKUP, PHONE), PARIS),
        give_back(&tcp_data(PARIS_BACKUP, PHONE), PARIS),
        give_back(&udp(METZ_BACKUP_UDP, PHONE).without_checksum(), METZ),
        leave(Router, udp(SHARED, DEAF_PHONE), None),
        // Looked at where it came in, and counted there.
        leave(Other, udp(PHONE, PARIS), None),
        leave(Other, tcp_data(PARIS_BACKUP, PHONE), None),
        leave(Other, udp(PHONE, OTHER_PHONE), None),
        // It may have been steered, or turned back: each is a target, and the other one's backup.
        leave(Other, udp(PHONE, CAEN).unfinished(), None),
        leave(Other, udp(ROUEN, PHONE).unfinished(), None),
    ]
}

#[test]
fn packets_that_leave() {
    with_bench(|bench| {
        for (number, case) in cases().into_iter().enumerate() {
            let before = bench.counters()?;
            let ingress = if case.maker == Other { Some(case.sent.ingress) } else { None };
            let mark = if case.maker == RouterWithMark { MARK } else { 0 };
            let (action, bytes) = bench.send_out(&case.sent, ingress, mark)?;
            assert_eq!((action, &bytes), (case.action, &case.bytes), "case {number}: {:?}", case.maker);
            let moved = difference(&before, &bench.counters()?);
            let counter = Counter { packets: 1, bytes: case.sent.bytes.len() as u64 };
            match case.counted {
                Some((reason, target)) => {
                    assert_eq!(moved, Moved::from([((Some(target), reason), counter)]), "case {number}");
                }
                None => assert!(moved.keys().all(|(target, _)| target.is_none()), "case {number}: {moved:?}"),
            }
        }
        Ok(())
    });
}

/// Where one of the daemon's probe sockets is closed already, it is the kernel that answers what still comes for it: by a
/// reset that has no mark.
#[test]
fn what_the_kernel_says_for_a_probe_socket_is_not_steered() {
    with_bench(|bench| {
        let own = at(PRIMARIES, 1, 40_001);
        let (reset, datagram) = (Raw::from(tcp_reset(own, PARIS)), Raw::from(udp(own, PARIS)));
        for protocol in [TCP, UDP] {
            bench
                .dataplane
                .exempt(&EndpointKey::new(mapped(own.ip().octets()), own.port(), protocol), true)?;
        }
        let before = bench.counters()?;
        for sent in [&reset, &datagram] {
            assert_eq!(bench.send_out(sent, None, 0)?, (PASS, sent.bytes.clone()));
        }
        let moved = difference(&before, &bench.counters()?);
        assert!(moved.keys().eq([&(None, Reason::OwnProbe)]), "{moved:?}");
        bench.dataplane.forget_probes()?;
        // Anybody else's is.
        assert_eq!(bench.send_out(&reset, None, 0)?.0, REDIRECT);
        Ok(())
    });
}

/// What a container's device leaves undone, the kernel knows of; in a test run it does not, and takes the field for a sum.
#[test]
fn what_xdp_left_alone_is_steered() {
    with_bench(|bench| {
        for (sent, target) in [(udp(PHONE, PARIS), PARIS), (tcp_data(PHONE, PARIS), PARIS)] {
            let sent = sent.unfinished();
            let before = bench.counters()?;
            let (action, bytes) = bench.send_out(&sent, Some(PHONES), 0)?;
            assert_eq!((action, &bytes[30..34]), (REDIRECT, &PARIS_BACKUP.ip().octets()[..]));
            let moved = difference(&before, &bench.counters()?);
            assert!(moved.keys().eq([&(Some(target), Reason::Steered)]), "{moved:?}");
        }
        Ok(())
    });
}
