//! Whole packets through the loaded program (`BPF_PROG_TEST_RUN`): what goes in, and every byte of what comes out.
//!
//! Each test has a router of its own (`bench`) in the network of `network`; the fixtures are sentences (`fixture`)
//! about frames (`frame`), whose checksums are worked out from nothing. A fixture also says under which one reason
//! the packet is counted.

#![allow(clippy::unwrap_used)] // in a test, the modules beside it included, a panic is the report

mod bench;
mod beyond;
mod fixture;
mod frame;
mod network;
mod random;
mod returning;
mod shapes;
mod steering;
mod untouched;

use std::{collections::BTreeSet, time::Duration};

use failover_common::{
    event::{Event, Kind},
    key::{UDP, mapped},
    reason::Reason,
};

use bench::with_bench;
use fixture::Fixture;
use frame::{tcp_syn, udp};
use network::{OTHER_PHONE, PARIS, PHONE};

/// Tells every story, and reports all that went otherwise.
fn hold(fixtures: &[Fixture]) {
    let failures: Vec<String> = with_bench(|bench| {
        let tell = |fixture: &Fixture| {
            bench.tell(fixture).err().map(|error| format!("{}:\n  {error:#}", fixture.name))
        };
        Ok(fixtures.iter().filter_map(tell).collect())
    });
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), fixtures.len(), failures.join("\n"));
}

#[test]
fn packets_to_a_target() {
    hold(&steering::fixtures());
}

#[test]
fn packets_from_a_backup() {
    hold(&returning::fixtures());
}

#[test]
fn packets_that_are_not_understood() {
    hold(&untouched::fixtures());
}

#[test]
fn packets_beyond_a_plain_segment() {
    hold(&beyond::fixtures());
}

/// Of two reasons no packet can be the cause: a write inside bounds that were checked does not fail, and an LRU map
/// makes room for itself.
#[test]
fn every_reason_has_a_fixture() {
    let fixtures =
        [steering::fixtures(), returning::fixtures(), untouched::fixtures(), beyond::fixtures()].concat();
    let shown: BTreeSet<Reason> = fixtures.iter().map(|fixture| fixture.outcome.reason).collect();
    let unreachable = [Reason::HalfWritten, Reason::FlowTableFull];
    let all: BTreeSet<Reason> =
        Reason::ALL.iter().copied().filter(|reason| !unreachable.contains(reason)).collect();
    assert_eq!(shown, all);
}

#[test]
fn every_fixture_has_a_name_of_its_own() {
    for fixtures in [steering::fixtures(), returning::fixtures(), untouched::fixtures(), beyond::fixtures()] {
        let names: BTreeSet<&str> = fixtures.iter().map(|fixture| fixture.name.as_str()).collect();
        assert_eq!(names.len(), fixtures.len());
    }
}

#[test]
fn random_packets_pass_as_they_came_or_leave_whole() {
    let rewritten = with_bench(|bench| random::run(bench, 4096, Duration::from_secs(6)));
    assert!(rewritten > 100, "only {rewritten} packets were rewritten: the bases are stale");
}

#[test]
fn the_first_steered_packet_of_a_generation_is_announced() {
    let (id, events) = with_bench(|bench| {
        bench.serve(&[(PARIS, 0)])?;
        bench.send(&udp(PHONE, PARIS).into())?;
        bench.serve(&[])?;
        for packet in [udp(PHONE, PARIS), udp(OTHER_PHONE, PARIS), tcp_syn(PHONE, PARIS)] {
            bench.send(&packet.into())?;
        }
        bench.serve(&[(PARIS, 2)])?;
        bench.send(&udp(OTHER_PHONE, PARIS).into())?;
        let mut events = Vec::new();
        while let Some(bytes) = bench.events.next() {
            assert_eq!(bytes.len(), size_of::<Event>());
            // SAFETY: as many bytes as an event has, and any bytes are one (`aya::Pod`).
            events.push(unsafe { bytes.as_ptr().cast::<Event>().read_unaligned() });
        }
        Ok((bench.id_of(PARIS), events))
    });
    let [first, second] = events[..] else { panic!("{events:?}") };
    assert_eq!(second.generation, first.generation + 1);
    assert!(0 < first.time_ns && first.time_ns <= second.time_ns);
    for (event, phone) in [(first, PHONE), (second, OTHER_PHONE)] {
        assert_eq!((event.kind, event.target), (Kind::SteeringBegan as u32, id));
        assert_eq!((event.protocol, event.reserved), (UDP, 0));
        assert_eq!(event.client, mapped(phone.ip().octets()));
        assert_eq!(u16::from_be_bytes(event.client_port), phone.port());
    }
}
