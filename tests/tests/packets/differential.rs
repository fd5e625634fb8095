//! The loaded program against the model: the same answer to every packet of a random story.
//!
//! A story begins with a router that has forgotten everything, so that it can be told again: the counters are compared
//! story by story, and packet by packet only where they, or a frame, are not as they should be.

use std::{collections::BTreeMap, fmt::Write as _};

use anyhow::{Context as _, Result, bail};
use failover_common::{reason::Reason, value::Counter};

use crate::{
    bench::{Bench, Moved, difference},
    dice::Dice,
    fixture::Step,
    generate::{Story, story},
    model::{Answer, Model},
};

/// Packets of one story.
const STORY: usize = 250;

/// Of the packets that are always sent.
const SEED: u64 = 20_261_126;

/// What is asked for.
pub struct Run {
    pub seed: u64,
    pub packets: u64,
}

impl Run {
    /// From `FAILOVER_SEED` and `FAILOVER_PACKETS`; else always the same 50,000 packets, so that a failure is the fault of
    /// the change that it comes with.
    pub fn from_environment() -> Result<Self> {
        let number = |name: &str| match std::env::var(name) {
            Ok(text) => text.parse().map(Some).with_context(|| format!("read {name}={text} as a number")),
            Err(_) => Ok(None),
        };
        let packets = number("FAILOVER_PACKETS")?.unwrap_or(50_000);
        Ok(Self { seed: number("FAILOVER_SEED")?.unwrap_or(SEED), packets })
    }
}

/// Packets by reason, when all of them went as they should.
pub type Tally = BTreeMap<Reason, u64>;

/// Tells stories until there were enough packets.
pub fn run(bench: &mut Bench, run: &Run) -> Result<Tally> {
    let (mut dice, mut model, mut tally) = (Dice(run.seed), Model::new(bench.source), Tally::new());
    let mut told = 0;
    while told < run.packets {
        let story = story(&mut dice, STORY);
        let expected = tell(bench, &mut model, &story)?;
        for ((_, reason), counter) in expected {
            *tally.entry(reason).or_default() += counter.packets;
            told += counter.packets;
        }
    }
    Ok(tally)
}

/// Tells one story; what was counted.
fn tell(bench: &mut Bench, model: &mut Model, story: &Story) -> Result<Moved> {
    begin(bench, model, story)?;
    let before = bench.counters()?;
    let mut expected = Moved::new();
    for step in &story.steps {
        let (is, should) = (bench.step(step)?, model.step(step));
        if let (Some(is), Some(should)) = (is, should) {
            if !agree(&should, &is) {
                return blame(bench, model, story);
            }
            count(&mut expected, &should);
        }
    }
    if difference(&before, &bench.counters()?) == expected {
        Ok(expected)
    } else {
        blame(bench, model, story)
    }
}

fn begin(bench: &mut Bench, model: &mut Model, story: &Story) -> Result<()> {
    bench.forget()?;
    bench.serve(&story.serving)?;
    model.reset(&story.serving);
    Ok(())
}

fn count(moved: &mut Moved, answer: &Answer) {
    let counter = moved.entry((answer.target, answer.reason)).or_default();
    counter.packets += 1;
    counter.bytes += answer.bytes.len() as u64;
}

/// Whether the program's action and frame are the model's.
fn agree(should: &Answer, (action, bytes): &(u32, Vec<u8>)) -> bool {
    let mut bytes = bytes.clone();
    for at in &should.loose {
        let sum = at + 2 <= bytes.len().min(should.bytes.len());
        if sum && is_zero(&bytes[*at..at + 2]) && is_zero(&should.bytes[*at..at + 2]) {
            bytes[*at..at + 2].copy_from_slice(&should.bytes[*at..at + 2]);
        }
    }
    *action == should.action as u32 && bytes == should.bytes
}

/// In ones' complement.
fn is_zero(sum: &[u8]) -> bool {
    sum == [0, 0] || sum == [0xff, 0xff]
}

/// Tells the story again, looking at the counters after each packet, and reports the first that went otherwise; with as
/// little before it as it takes.
fn blame(bench: &mut Bench, model: &mut Model, story: &Story) -> Result<Moved> {
    let Some((mut steps, mut report)) = first_difference(bench, model, story)? else {
        bail!("a story went otherwise than the model, and not when it was told again");
    };
    // Everything before the last packet that can be left out is: halves first, single steps last.
    let mut size = steps.len() - 1;
    while size > 0 {
        let mut at = 0;
        while at + 1 < steps.len() {
            let end = (at + size).min(steps.len() - 1);
            let fewer = [&steps[..at], &steps[end..]].concat();
            let length = fewer.len();
            let shorter = Story { serving: story.serving.clone(), steps: fewer };
            match first_difference(bench, model, &shorter)? {
                Some((differs, again)) if differs.len() == length => (steps, report) = (differs, again),
                _ => at = end,
            }
        }
        size /= 2;
    }
    let mut told = format!("while serving {:?}\n", story.serving);
    for step in &steps[..steps.len() - 1] {
        match step {
            Step::Packet(packet) => writeln!(told, "after dev{} {}", packet.ingress, hex(&packet.bytes))?,
            other => writeln!(told, "after {other:?}")?,
        }
    }
    bail!("{told}{report}")
}

/// The story up to the first packet that goes otherwise, and how.
fn first_difference(
    bench: &mut Bench,
    model: &mut Model,
    story: &Story,
) -> Result<Option<(Vec<Step>, String)>> {
    begin(bench, model, story)?;
    for (n, step) in story.steps.iter().enumerate() {
        let before = bench.counters()?;
        let (is, should) = (bench.step(step)?, model.step(step));
        let moved = difference(&before, &bench.counters()?);
        let (Step::Packet(packet), Some(is), Some(should)) = (step, is, should) else { continue };
        let counted = Counter { packets: 1, bytes: should.bytes.len() as u64 };
        let same_count = moved == Moved::from([((should.target, should.reason), counted)]);
        if !same_count || !agree(&should, &is) {
            let report = format!(
                "sent    dev{} {}\nprogram {} {moved:?}\n        {}\nmodel   {:?} {:?} {:?}\n        {}",
                packet.ingress,
                hex(&packet.bytes),
                is.0,
                hex(&is.1),
                should.action,
                should.reason,
                should.target,
                hex(&should.bytes),
            );
            return Ok(Some((story.steps[..=n].to_vec(), report)));
        }
    }
    Ok(None)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
