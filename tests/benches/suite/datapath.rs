//! One packet through the programs, again and again (`BPF_PROG_TEST_RUN`).
//!
//! The rows of a part are measured in turns, a round of each, so that a slow moment of the machine falls on all of
//! them. After each round the router's own counters must say that every single packet took the way that the row is
//! named after.

use std::{
    io::Write as _,
    net::SocketAddrV4,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use failover_common::reason::Reason;

use super::{
    Effort,
    cases::{self, Case, LENGTHS, Under},
    network::{self, FLOOR, Network, PHONE, SPARE, WATCHED},
    packets::{Frame, Transport},
    programs::{Action, Programs, repeat},
    report::Row,
    router::{FLOWS, Router},
};

/// Packets after which the phones that have asked are answered, of whom the router remembers no more than that for sure.
const AT_ONCE: u32 = 512;

/// Measures every row.
pub fn run(effort: &Effort) -> Result<Vec<Row>> {
    let mut network = Network::new()?;
    let [small, large] = ["small", "large"].map(|name| network.pins(name));
    let (small, large) = (small?, large?);
    let [many, most] = effort.many;
    network.router.enter(move || {
        let mut rows = Vec::new();
        // The phones of either family.
        let mut bench = Bench::open(small, 2 * FLOWS)?;
        bench.tell_overhead(effort)?;
        rows.extend(bench.measure("one flow", cases::one_flow()?, effort)?);
        rows.extend(bench.measure(&format!("{many} flows"), cases::many_flows(many, &LENGTHS)?, effort)?);
        rows.extend(bench.measure("new flows", cases::new_flows()?, effort)?);
        bench.router.close()?;
        drop(bench.programs);
        // With some room to spare: what makes room does so before it is quite full.
        let mut bench = Bench::open(large, 2 * (most + most / 4))?;
        let cases = cases::many_flows(most, &LENGTHS[..1])?;
        rows.extend(bench.measure(&format!("{most} flows"), cases, effort)?);
        Ok(rows)
    })
}

/// Everything that a row is measured with.
struct Bench {
    programs: Programs,
    router: Router,
    ingress: [u32; 4],
}

impl Bench {
    fn open(pins: PathBuf, flows: u32) -> Result<Self> {
        let mut router = Router::open(pins, flows)?;
        let mut programs = Programs::load()?;
        // The kernel patches its code for a program that is attached nowhere, at each call, and that would take more
        // time than many a row. No frame comes by these devices.
        router.attach("dev1")?;
        for (name, device) in [("floor_parse", "dev2"), ("feed", "dev3"), ("floor_pass", SPARE)] {
            programs.attach(name, device)?;
        }
        let mut ingress = [0; 4];
        for subnet in [network::PHONES, network::PRIMARIES, network::BACKUPS] {
            let index = network::index(&format!("dev{subnet}"))?;
            programs.redirect_to(index)?;
            ingress[usize::from(subnet)] = index;
        }
        Ok(Self { programs, router, ingress })
    }

    /// What a call costs besides its packets is in every figure, and must not matter.
    fn tell_overhead(&self, effort: &Effort) -> Result<()> {
        let frame = Frame::new(Transport::Udp, PHONE.into(), FLOOR.into(), LENGTHS[0].1)?;
        let ingress = self.ingress[usize::from(network::PHONES)];
        let program = self.programs.xdp("floor_pass")?;
        let mut least = Duration::MAX;
        for _ in 0..100 {
            least = least.min(repeat(program, &frame, ingress, 2, Action::Pass)?);
        }
        let (call, share) =
            (least.as_secs_f64() * 1e6, least.as_secs_f64() * 1e9 / f64::from(effort.repeats));
        println!("    a call by itself takes {call:.1} µs: {share:.3} ns of each packet");
        Ok(())
    }

    /// A round to get warm, and the rounds that count.
    fn measure(&mut self, title: &str, mut cases: Vec<Case>, effort: &Effort) -> Result<Vec<Row>> {
        let start = Instant::now();
        for pair in cases.windows(2) {
            if let [asks, answers] = pair
                && answers.is_answer()
            {
                self.meet(asks, answers).with_context(|| format!("warm {} up", answers.row.name))?;
            }
        }
        println!("    {title}: everyone is known, {:.1} s", start.elapsed().as_secs_f64());
        for round in 0..=effort.rounds {
            for case in &mut cases {
                let repeats = effort.repeats / case.fewer;
                let time = self
                    .round(case, u64::from(round) * u64::from(repeats), repeats)
                    .with_context(|| format!("measure {}", case.row.name))?;
                if round > 0 {
                    case.row.rounds.push(time.as_secs_f64() * 1e9 / f64::from(repeats));
                }
            }
            println!(
                "    {title}: round {round} of {}, {:.1} s",
                effort.rounds,
                start.elapsed().as_secs_f64()
            );
            std::io::stdout().flush().context("write to standard output")?;
        }
        Ok(cases.into_iter().map(|case| case.row).collect())
    }

    /// Every phone is answered once, soon after it has asked: only who was answered stays known.
    fn meet(&mut self, asks: &Case, answers: &Case) -> Result<()> {
        let (flows, tally) = (asks.row.flows, Tally::of(&self.router, asks)?);
        let back = Tally::of(&self.router, answers)?;
        for before in (0..flows).step_by(AT_ONCE as usize) {
            for case in [asks, answers] {
                self.send(case, before.into(), AT_ONCE.min(flows - before))?;
            }
        }
        // Of both directions, whoever takes another way is counted in one place.
        let (there, back) =
            (Tally::of(&self.router, asks)? - tally, Tally::of(&self.router, answers)? - back);
        Tally { taken: there.taken + back.taken, other: back.other }.check(2 * flows)
    }

    /// Measures `repeats` packets, after as many `before`.
    fn round(&mut self, case: &Case, before: u64, repeats: u32) -> Result<Duration> {
        let tally = Tally::of(&self.router, case)?;
        let time = self.send(case, before, repeats)?;
        if let Under::Router(..) = case.under {
            (Tally::of(&self.router, case)? - tally).check(repeats)?;
        }
        Ok(time)
    }

    /// How long `repeats` packets take, after as many `before`.
    fn send(&mut self, case: &Case, before: u64, repeats: u32) -> Result<Duration> {
        let ingress = self.ingress[usize::from(case.frame.ingress)];
        if case.is_fed() {
            let mut feed = case.frame.feed(case.row.flows);
            // Where the round before left off.
            let done = before % u64::from(feed.flows);
            feed.position = (done * u64::from(feed.stride) % u64::from(feed.flows)) as u32;
            self.programs.feed(feed)?;
        }
        let program = match case.under {
            Under::Floor("floor_wrap") => "floor_pass",
            Under::Floor(name) => name,
            Under::Router(..) if case.is_fed() => {
                self.programs.feed_to("the router's", &self.router.program)?;
                "feed"
            }
            Under::Router(Some(WATCHED), _) => {
                return self.router.repeat_watched(&case.frame, ingress, repeats);
            }
            Under::Router(..) => return self.router.repeat(&case.frame, ingress, repeats, case.action),
        };
        if case.is_fed() && program != "feed" {
            self.programs.feed_to_own(program)?;
        }
        let program = self.programs.xdp(if case.is_fed() { "feed" } else { program })?;
        repeat(program, &case.frame, ingress, repeats, case.action)
    }
}

/// Packets, as the router has counted them.
#[derive(Clone, Copy, Default)]
struct Tally {
    /// By the way that their row is named after.
    taken: u64,
    /// One checksum in 65,536 looks as if it were not worked out: then it is for the way out to rewrite the packet, and who
    /// has asked so is not known when the answer comes.
    other: u64,
}

impl Tally {
    fn of(router: &Router, case: &Case) -> Result<Self> {
        let Under::Router(target, reason) = case.under else { return Ok(Self::default()) };
        let unknown = if case.is_answer() { router.counted(None, Reason::NoReturn)? } else { 0 };
        Ok(Self { taken: router.counted(target, reason)?, other: unknown + Self::left(router, target)? })
    }

    fn left(router: &Router, target: Option<SocketAddrV4>) -> Result<u64> {
        target.map_or(Ok(0), |_| router.counted(target, Reason::LeftToEgress))
    }

    /// Whether these are `repeats` packets, of which few took the other way.
    fn check(self, repeats: u32) -> Result<()> {
        let few = 1 + u64::from(repeats) / 10_000;
        let Self { taken, other } = self;
        if taken + other != u64::from(repeats) || other > few {
            bail!("of {repeats} packets {taken} were counted as they should, and {other} as left to others");
        }
        Ok(())
    }
}

impl std::ops::Sub for Tally {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { taken: self.taken - before.taken, other: self.other - before.other }
    }
}
