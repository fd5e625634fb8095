//! Frames that nobody wrote: whatever they hold, each passes as it came, or leaves as a whole and right packet.

use std::{
    cell::{Cell, RefCell},
    ops::Range,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use etherparse::checksum::Sum16BitWords;
use failover_common::{key::UDP, reason::Reason, value::Counter};
use proptest::{
    prelude::*,
    sample::Index,
    test_runner::{Config, TestCaseError, TestError, TestRunner},
};

use crate::{
    bench::{Bench, Moved, difference},
    fixture::Action,
    frame::{Frame, IP, L4, Raw, tcp_data, tcp_reset, tcp_syn, udp},
    network::*,
};

/// What a case begins with, and what is done to it.
#[derive(Clone, Debug)]
struct Case {
    base: Option<Index>,
    noise: Vec<u8>,
    /// Bytes that change; most of them in the headers.
    changes: Vec<(Index, u8, bool)>,
    cut: Option<Index>,
    ingress: Index,
}

/// Ends after `cases`, or when the time is over.
pub fn run(bench: &Bench, cases: u32, time: Duration) -> Result<u32> {
    let bases = bases();
    let end = Instant::now() + time;
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let (rewritten, before) = (Cell::new(0), RefCell::new(bench.counters()?));
    let outcome = TestRunner::new(config).run(&case(), |case| {
        if Instant::now() < end {
            let packet = compose(&bases, &case);
            let changed = judge(bench, &packet, &mut before.borrow_mut())
                .map_err(|error| TestCaseError::fail(format!("{error}; sent {:02x?}", packet.bytes)))?;
            rewritten.set(rewritten.get() + u32::from(changed));
        }
        Ok(())
    });
    match outcome {
        Ok(()) => Ok(rewritten.get()),
        Err(TestError::Fail(why, case)) => anyhow::bail!("{why}: {case:?}"),
        Err(error) => anyhow::bail!("{error}"),
    }
}

fn bases() -> Vec<Frame> {
    vec![
        udp(PHONE, PARIS),
        udp(PHONE, PARIS).without_checksum(),
        udp(PHONE, PARIS).payload(b"").padded(18),
        tcp_syn(PHONE, PARIS),
        tcp_data(PHONE, METZ),
        tcp_reset(FAR_PHONE, LYON),
        udp(PHONE, LYON),
        udp(PHONE, TO_PLAIN),
        udp(PHONE, TO_NARROW).payload(&[b'x'; 640]),
        udp(PARIS_BACKUP, PHONE),
        tcp_data(METZ_BACKUP_TCP, PHONE),
        udp(SHARED, PHONE),
        udp(ROUEN, CAEN),
        udp(PARIS_BACKUP, UNRESOLVED_PHONE),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    let base = proptest::option::weighted(0.9, any::<Index>());
    let noise = prop::collection::vec(any::<u8>(), 14..200);
    let changes = prop::collection::vec((any::<Index>(), any::<u8>(), any::<bool>()), 0..4);
    let cut = proptest::option::weighted(0.2, any::<Index>());
    (base, noise, changes, cut, any::<Index>()).prop_map(|(base, noise, changes, cut, ingress)| Case {
        base,
        noise,
        changes,
        cut,
        ingress,
    })
}

fn compose(bases: &[Frame], case: &Case) -> Raw {
    let mut packet = match case.base {
        Some(base) => Raw::from(base.get(bases).clone()),
        None => Raw { bytes: case.noise.clone(), ingress: PHONES },
    };
    for (at, value, anywhere) in &case.changes {
        let range = if *anywhere { packet.bytes.len() } else { packet.bytes.len().min(L4 + 20) };
        packet.bytes[at.index(range)] = *value;
    }
    if let Some(cut) = case.cut {
        packet.bytes.truncate(IP + cut.index(packet.bytes.len() - IP + 1));
    }
    let subnets: Vec<u8> = subnets().collect();
    Raw { ingress: *case.ingress.get(&subnets), ..packet }
}

/// Sends `packet`, and tells whether it was rewritten. `counters` are those of before, and then those of after it.
fn judge(bench: &Bench, packet: &Raw, counters: &mut Moved) -> Result<bool> {
    let (action, after) = bench.send(packet)?;
    let before = std::mem::replace(counters, bench.counters()?);
    let moved: Vec<_> = difference(&before, counters).into_iter().collect();
    let [((target, reason), counter)] = moved[..] else { anyhow::bail!("counted {moved:?}") };
    ensure!(counter == Counter { packets: 1, bytes: packet.bytes.len() as u64 }, "counted {moved:?}");
    let rewritten = reason.is_steered() || reason.is_returned();
    if rewritten {
        ensure!(target.is_some(), "rewritten for no target");
        let redirected = matches!(reason, Reason::Steered | Reason::Returned);
        let expected = if redirected { Action::Redirect } else { Action::Pass };
        ensure!(action == expected as u32, "{reason:?} with action {action}");
        whole(&packet.bytes, &after, reason)?;
    } else {
        ensure!(action == Action::Pass as u32, "{reason:?} with action {action}");
        ensure!(after == packet.bytes, "{reason:?}, and it is not as it came: {after:02x?}");
    }
    Ok(rewritten)
}

/// Only what must change has changed, and sums that were right are right; those that were wrong stay wrong.
fn whole(before: &[u8], after: &[u8], reason: Reason) -> Result<()> {
    ensure!(before.len() == after.len(), "another length");
    let udp = before[IP + 9] == UDP;
    let sum = if udp { L4 + 6 } else { L4 + 16 };
    let (address, port) = if reason.is_steered() { (IP + 16, L4 + 2) } else { (IP + 12, L4) };
    let mut may: Vec<Range<usize>> =
        vec![IP + 10..IP + 12, address..address + 4, port..port + 2, sum..sum + 2];
    let hops = if matches!(reason, Reason::Steered | Reason::Returned) {
        may.extend([0..12, IP + 8..IP + 9]);
        1
    } else {
        0
    };
    for (at, (old, new)) in before.iter().zip(after).enumerate() {
        ensure!(old == new || may.iter().any(|range| range.contains(&at)), "byte {at} changed");
    }
    ensure!(after[IP + 8] + hops == before[IP + 8], "the TTL is {}", after[IP + 8]);
    ensure!(before[address..address + 4] != after[address..address + 4], "the address is the same");
    ensure!(header_holds(before) == header_holds(after), "the IP header's sum: {after:02x?}");
    let unsummed = |bytes: &[u8]| udp && bytes[sum..sum + 2] == [0, 0];
    ensure!(unsummed(before) == unsummed(after), "a sum came or went");
    if !unsummed(before) {
        ensure!(segment_holds(before)? == segment_holds(after)?, "the segment's sum: {after:02x?}");
    }
    Ok(())
}

fn header_holds(bytes: &[u8]) -> bool {
    Sum16BitWords::new().add_slice(&bytes[IP..L4]).ones_complement() == 0
}

fn segment_holds(bytes: &[u8]) -> Result<bool> {
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let udp = bytes[IP + 9] == UDP;
    let length = if udp { word(L4 + 4) } else { word(IP + 2) - 20 };
    let segment = bytes.get(L4..L4 + usize::from(length)).context("the segment is longer than the frame")?;
    let sum = Sum16BitWords::new()
        .add_slice(&bytes[IP + 12..L4])
        .add_2bytes([0, bytes[IP + 9]])
        .add_2bytes(length.to_be_bytes())
        .add_slice(segment);
    Ok(sum.ones_complement() == 0)
}
