//! The program that shows packets: it decides as the plain one does, and shows what was sent, and what came of it.

use anyhow::{Result, ensure};
use failover_common::{
    observe::{Interest, SNAP, Sighting},
    trace::Trace,
};
use failover_user::{config::model::Prefix, dataplane::Sights};

use crate::{
    bench::{with_bench, with_bench_of},
    every_fixture,
    fixture::Fixture,
    frame::udp,
    network::*,
    spread,
};

const EVERYTHING: Interest = Interest { about: u64::MAX, beyond: u64::MAX, target: 0, chance: u32::MAX };

/// Everything that was shown since: the heads, the packets as they came, and as they left.
fn shown(sights: &mut Sights) -> Vec<(Sighting, Vec<u8>, Vec<u8>)> {
    let mut shown = Vec::new();
    while let Some(entry) = sights.ring.next() {
        let (head, bytes) = entry.split_at(size_of::<Sighting>());
        // SAFETY: as many bytes as a head has, and any bytes are one (`aya::Pod`).
        let head = unsafe { head.as_ptr().cast::<Sighting>().read_unaligned() };
        let (before, after) = bytes.split_at(head.before as usize);
        assert_eq!(after.len(), head.after as usize);
        shown.push((head, before.to_vec(), after.to_vec()));
    }
    shown
}

fn is_shown(fixture: &Fixture, target: u32, sights: &mut Sights) -> Result<()> {
    let Some((head, before, after)) = shown(sights).pop() else { anyhow::bail!("nothing was shown") };
    let (sent, outcome) = (&fixture.sent.bytes, &fixture.outcome);
    let end = Trace { end: head.end, ..Trace::default() };
    ensure!((end.reason(), end.target()) == (Some(outcome.reason), target), "{head:?}");
    ensure!(
        head.length as usize == sent.len() && before == sent[..sent.len().min(SNAP)],
        "as it came: {head:?}"
    );
    let left = if after.is_empty() { &before } else { &after };
    ensure!(*left == outcome.bytes[..outcome.bytes.len().min(SNAP)], "as it left: {head:?}");
    ensure!(head.left as usize == outcome.bytes.len(), "{head:?}");
    Ok(())
}

#[test]
fn every_fixture_is_shown_and_goes_as_it_goes_unobserved() {
    all_are_shown(None, &every_fixture());
    all_are_shown(Some(spread::source()), &spread::fixtures());
}

fn all_are_shown(source: Option<Prefix>, fixtures: &[Fixture]) {
    let failures: Vec<String> = with_bench_of(source, |bench| {
        let (observing, mut sights) = bench.dataplane.observer().load()?;
        bench.dataplane.observe(observing)?;
        bench.dataplane.show(EVERYTHING)?;
        let verified = bench.dataplane.verified_instructions();
        println!("{verified:?} instructions verified of the program that shows packets");
        let mut failures = Vec::new();
        for fixture in fixtures {
            let target = fixture.outcome.target.map_or(0, |primary| bench.id_of(primary));
            let told = bench.tell(fixture).and_then(|()| is_shown(fixture, target, &mut sights));
            failures.extend(told.err().map(|error| format!("{}:\n  {error:#}", fixture.name)));
        }
        assert_eq!(sights.missed()?, 0);
        Ok(failures)
    });
    assert!(failures.is_empty(), "{}:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn only_what_is_asked_for_is_shown_and_what_is_too_much_is_counted() {
    with_bench(|bench| {
        let (observing, mut sights) = bench.dataplane.observer().load()?;
        bench.dataplane.observe(observing)?;
        let (steered, other) = (udp(PHONE, PARIS), udp(PHONE, port(PARIS, 4000)));
        let paris = bench.id_of(PARIS);
        let cases = [
            (Interest::default(), 0),
            (Interest { about: u64::MAX, ..EVERYTHING }, 2),
            (Interest { beyond: 0, ..EVERYTHING }, 1),
            (Interest { about: 0, ..EVERYTHING }, 1),
            (Interest { beyond: 0, target: paris, ..EVERYTHING }, 1),
            (Interest { beyond: 0, target: paris + 1, ..EVERYTHING }, 0),
            (Interest { about: 1 << 16, beyond: 1 << 9, ..EVERYTHING }, 0),
        ];
        for (interest, expected) in cases {
            bench.dataplane.show(interest)?;
            bench.send(&steered.clone().into())?;
            bench.send(&other.clone().into())?;
            assert_eq!(shown(&mut sights).len(), expected, "{interest:?}");
        }
        bench.dataplane.show(EVERYTHING)?;
        let dev = bench.devices[&PHONES];
        bench.dataplane.test_run_repeatedly(&other.bytes(), dev, 200_000)?;
        let seen = shown(&mut sights).len() as u64;
        assert!(seen > 0 && seen < 200_000, "{seen}");
        assert_eq!(seen + sights.missed()?, 200_000);
        bench.dataplane.observe_no_more()?;
        bench.send(&steered.into())?;
        assert!(shown(&mut sights).is_empty());
        Ok(())
    });
}
