//! Whole packets through the loaded program (`BPF_PROG_TEST_RUN`): what goes in, and every byte of what comes out.
//!
//! Each test has a router of its own (`bench`) in the network of `network`; the fixtures are sentences (`fixture`)
//! about frames (`frame`), whose checksums are worked out from nothing. A fixture also says under which one reason
//! the packet is counted.

#![allow(clippy::unwrap_used)] // in a test, the modules beside it included, a panic is the report

mod bench;
mod beyond;
mod calls;
mod decap;
mod dialogs;
mod dice;
mod differential;
mod discovery;
mod drain;
mod egress;
mod events;
mod fixture;
mod frame;
mod generate;
mod model;
mod network;
mod observed;
mod returning;
mod room;
mod shapes;
mod sip;
mod six;
mod spread;
mod steering;
mod unrewritten;
mod untouched;
mod walk;
mod watch;
mod wrap;

use std::{collections::BTreeSet, time::Instant};

use failover_common::reason::Reason;
use failover_user::config::model::Prefix;

use bench::{with_bench, with_bench_of};
use differential::Run;
use fixture::Fixture;
use model::Model;

/// Tells every story, and reports all that went otherwise.
fn hold(fixtures: &[Fixture]) {
    hold_with(None, fixtures);
}

/// The same where envelopes come from `source`.
fn hold_with(source: Option<Prefix>, fixtures: &[Fixture]) {
    let failures: Vec<String> = with_bench_of(source, |bench| {
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

#[test]
fn packets_of_ipv6() {
    hold(&six::fixtures());
}

#[test]
fn packets_to_a_backup_that_carries_the_address() {
    hold(&unrewritten::fixtures());
}

#[test]
fn packets_in_envelopes_that_come_from_a_prefix() {
    hold_with(Some(spread::source()), &spread::fixtures());
}

#[test]
fn envelopes_are_opened_for_those_who_may() {
    decap::hold();
}

#[test]
fn packets_that_ask_for_any_gatekeeper() {
    hold(&discovery::fixtures());
}

#[test]
fn packets_to_a_target_that_drains() {
    hold(&drain::fixtures());
    hold(&calls::fixtures());
}

/// Of two reasons no packet can be the cause: a write inside bounds that were checked does not fail, and an LRU map
/// makes room for itself.
fn reachable() -> BTreeSet<Reason> {
    let unreachable = [Reason::HalfWritten, Reason::FlowTableFull];
    Reason::ALL.iter().copied().filter(|reason| !unreachable.contains(reason)).collect()
}

fn kinds() -> [Vec<Fixture>; 9] {
    [
        steering::fixtures(),
        returning::fixtures(),
        untouched::fixtures(),
        beyond::fixtures(),
        six::fixtures(),
        unrewritten::fixtures(),
        discovery::fixtures(),
        drain::fixtures(),
        calls::fixtures(),
    ]
}

fn every_fixture() -> Vec<Fixture> {
    kinds().concat()
}

#[test]
fn every_reason_has_a_fixture() {
    let shown: BTreeSet<Reason> = every_fixture().iter().map(|fixture| fixture.outcome.reason).collect();
    assert_eq!(shown, reachable());
}

#[test]
fn every_fixture_has_a_name_of_its_own() {
    for fixtures in kinds() {
        let names: BTreeSet<&str> = fixtures.iter().map(|fixture| fixture.name.as_str()).collect();
        assert_eq!(names.len(), fixtures.len());
    }
}

/// The model itself is held against the sentences that people wrote.
#[test]
fn the_model_tells_the_same_stories() {
    let sources = [None, Some(spread::source())];
    let mut models = sources.map(Model::new);
    let of = |n: usize, fixtures: Vec<Fixture>| fixtures.into_iter().map(move |fixture| (n, fixture));
    let mut failures = Vec::new();
    for (n, fixture) in of(0, every_fixture()).chain(of(1, spread::fixtures())) {
        let model = &mut models[n];
        model.reset(&fixture.serving);
        for step in &fixture.before {
            model.step(step);
        }
        let (answer, outcome) = (model.judge(&fixture.sent), &fixture.outcome);
        let same = answer.bytes == outcome.bytes || !answer.loose.is_empty();
        let expected = (outcome.action, outcome.reason, outcome.target);
        if (answer.action, answer.reason, answer.target) != expected || !same {
            failures.push(format!("{}:\n  {answer:02x?}\n  {outcome:02x?}", fixture.name));
        }
    }
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn random_packets_go_as_the_model_says() {
    let run = Run::from_environment().unwrap();
    println!("FAILOVER_SEED={} FAILOVER_PACKETS={}", run.seed, run.packets);
    let started = Instant::now();
    let tally = with_bench(|bench| differential::run(bench, &run));
    println!("{} packets in {:?}", tally.values().sum::<u64>(), started.elapsed());
    for (reason, packets) in &tally {
        println!("{packets:>9} {}", reason.name());
    }
    let mut reached: BTreeSet<Reason> =
        every_fixture().iter().map(|fixture| fixture.outcome.reason).collect();
    reached.extend(tally.into_keys());
    assert_eq!(reached, reachable());
}

/// Fewer: nothing but the sources of some envelopes is another.
#[test]
fn random_packets_go_as_the_model_says_where_envelopes_come_from_a_prefix() {
    let mut run = Run::from_environment().unwrap();
    run.packets /= 5;
    println!("FAILOVER_SEED={} FAILOVER_PACKETS={}", run.seed, run.packets);
    let tally = with_bench_of(Some(spread::source()), |bench| differential::run(bench, &run));
    assert!(tally[&Reason::Steered] > run.packets / 100, "{tally:?}");
}

/// The verifier gives up after a million instructions, and other versions of Linux count otherwise: a change that makes it
/// work half as much again is looked at before it is at the limit somewhere else. This is Linux 6.18's count.
const VERIFIED: u32 = 65_304;

#[test]
fn the_verifier_has_no_more_to_do_than_before() {
    for source in [None, Some(spread::source())] {
        let verified = with_bench_of(source, |bench| Ok(bench.dataplane.verified_instructions())).unwrap();
        println!("{verified} instructions verified, {VERIFIED} on record; envelopes from {source:?}");
        assert!(
            verified <= VERIFIED + VERIFIED / 2,
            "{verified} instructions verified, {VERIFIED} on record"
        );
    }
}
