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
    network::{
        self, FLOOR, Network, OTHER, PHONE, SERVING, SHARED, SHARING, SOLE, SPARE, STEERED, STEERED_ALONE,
    },
    packets::{Frame, Transport},
    programs::{Action, Programs, repeat},
    report::{Asked, Row},
    router::{FLOWS, Router},
};

const LENGTHS: [(Transport, usize); 2] = [(Transport::Udp, 522), (Transport::Tcp, 64)];
/// G.711, 20 ms.
const RTP: usize = 214;
/// As many phones as there are addresses for: by the time that one comes again it is long forgotten.
const NEW: u32 = 4_000_000;

/// A row, and how it is measured.
struct Case {
    row: Row,
    frame: Frame,
    under: Under,
    action: Action,
}

/// The program under test.
enum Under {
    /// One of the benches' own.
    Floor(&'static str),
    /// The router's, which must count every packet so.
    Router(Option<SocketAddrV4>, Reason),
}

/// Measures every row.
pub fn run(effort: &Effort) -> Result<Vec<Row>> {
    let mut network = Network::new()?;
    let [small, large] = ["small", "large"].map(|name| network.pins(name));
    let (small, large) = (small?, large?);
    let [many, most] = effort.many;
    network.router.enter(move || {
        let mut rows = Vec::new();
        let mut bench = Bench::open(small, FLOWS)?;
        bench.tell_overhead(effort)?;
        let one = [floors()?, passed()?, steered(1, &LENGTHS)?, dedicated()?].into_iter().flatten().collect();
        rows.extend(bench.measure("one flow", one, effort)?);
        rows.extend(bench.measure(&format!("{many} flows"), steered(many, &LENGTHS)?, effort)?);
        rows.extend(bench.measure("new flows", new_flows()?, effort)?);
        bench.router.close()?;
        drop(bench.programs);
        // With some room to spare: an LRU map evicts before it is quite full.
        let mut bench = Bench::open(large, most + most / 4)?;
        rows.extend(bench.measure(&format!("{most} flows"), steered(most, &LENGTHS[..1])?, effort)?);
        Ok(rows)
    })
}

/// What the parts cost by themselves.
fn floors() -> Result<Vec<Case>> {
    let mut cases = Vec::new();
    for (transport, length) in LENGTHS {
        for name in ["floor_pass", "floor_wrap", "floor_parse", "floor_forward"] {
            let frame = Frame::new(transport, PHONE, FLOOR, length)?;
            let action = if name == "floor_forward" { Action::Redirect } else { Action::Pass };
            cases.push(Case::new(name, frame, Under::Floor(name), action));
        }
    }
    Ok(cases)
}

/// What is not steered.
fn passed() -> Result<Vec<Case>> {
    let other = |port| SocketAddrV4::new(*OTHER.ip(), port);
    let phone = |port| SocketAddrV4::new(*PHONE.ip(), port);
    let pass = |name, transport, from, to, length, under, most| -> Result<Case> {
        let case = Case::new(name, Frame::new(transport, from, to, length)?, under, Action::Pass);
        Ok(case.asked("floor_pass", Asked::Ratio(most)))
    };
    let mut cases = Vec::new();
    let not_ours = || Under::Router(None, Reason::NotSignalling);
    for (transport, length) in LENGTHS {
        cases.push(pass("pass_other", transport, phone(40_000), other(443), length, not_ours(), 1.5)?);
        let serving = Under::Router(Some(SERVING), Reason::PrimaryServes);
        cases.push(pass("pass_primary", transport, PHONE, SERVING, length, serving, 4.0)?);
    }
    let (from, to) = (phone(16_384), other(20_000));
    cases.push(pass("pass_media", Transport::Udp, from, to, RTP, not_ours(), 1.5)?);
    Ok(cases)
}

/// There and back, by way of a backup of one target, or of several. The way there is the first: the way back needs what it
/// remembers.
fn steered(flows: u32, lengths: &[(Transport, usize)]) -> Result<Vec<Case>> {
    let most = if flows == 1 { Some(1.15) } else { (flows <= FLOWS).then_some(2.5) };
    let mut cases = Vec::new();
    for &(transport, length) in lengths {
        for (name, from, to, target, reason) in [
            ("steer_nat", PHONE, STEERED, STEERED, Reason::Steered),
            ("return_nat", SOLE, PHONE, STEERED, Reason::Returned),
            ("steer_shared", PHONE, SHARING, SHARING, Reason::Steered),
            ("return_shared", SHARED, PHONE, SHARING, Reason::Returned),
        ] {
            if flows > 1 && target == SHARING {
                continue;
            }
            let under = Under::Router(Some(target), reason);
            let mut case = Case::new(name, Frame::new(transport, from, to, length)?, under, Action::Redirect);
            (case.row.flows, case.row.ratio_to) = (flows, Some("floor_forward"));
            case.row.asked = most.filter(|_| target == STEERED).map(Asked::Ratio);
            cases.push(case);
        }
    }
    Ok(cases)
}

fn dedicated() -> Result<Vec<Case>> {
    let case = |&(transport, length): &(Transport, usize)| {
        let under = Under::Router(Some(STEERED_ALONE), Reason::Steered);
        let frame = Frame::new(transport, PHONE, STEERED_ALONE, length)?;
        let case = Case::new("steer_dedicated", frame, under, Action::Redirect);
        Ok(case.asked("floor_forward", Asked::Ratio(1.0)))
    };
    LENGTHS.iter().map(case).collect()
}

/// Every packet is the first of its flow, and another flow is forgotten for it.
fn new_flows() -> Result<Vec<Case>> {
    let case = |&(transport, length): &(Transport, usize)| {
        let under = Under::Router(Some(STEERED), Reason::Steered);
        let frame = Frame::new(transport, PHONE, STEERED, length)?;
        let mut case = Case::new("steer_nat_new_flow", frame, under, Action::Redirect);
        case.row.flows = NEW;
        Ok(case.asked("floor_forward", Asked::Nanoseconds(1000.0)))
    };
    LENGTHS.iter().map(case).collect()
}

impl Case {
    fn new(name: &'static str, frame: Frame, under: Under, action: Action) -> Self {
        let row = Row {
            name,
            family: 4,
            bytes: frame.bytes.len(),
            flows: 1,
            ratio_to: None,
            asked: None,
            rounds: Vec::new(),
        };
        Self { row, frame, under, action }
    }

    fn asked(mut self, of: &'static str, asked: Asked) -> Self {
        (self.row.ratio_to, self.row.asked) = (Some(of), Some(asked));
        self
    }

    /// Whatever writes to the frame needs it made whole before each run.
    fn is_fed(&self) -> bool {
        self.action == Action::Redirect || self.row.name == "floor_wrap"
    }
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
        let frame = Frame::new(Transport::Udp, PHONE, FLOOR, LENGTHS[0].1)?;
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
        self.meet(&cases)?;
        for round in 0..=effort.rounds {
            for case in &mut cases {
                let (before, repeats) = (u64::from(round) * u64::from(effort.repeats), effort.repeats);
                let time = self
                    .round(case, before, repeats)
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
    fn meet(&mut self, cases: &[Case]) -> Result<()> {
        const AT_ONCE: u32 = 512;
        for pair in cases.windows(2) {
            let [asks, answers] = pair else { continue };
            let (flows, back) = (asks.row.flows, answers.row.name.starts_with("return"));
            for before in (0..flows).step_by(AT_ONCE as usize).filter(|_| back) {
                let repeats = AT_ONCE.min(flows - before);
                for case in pair {
                    self.round(case, before.into(), repeats)
                        .with_context(|| format!("warm {} up", case.row.name))?;
                }
            }
        }
        Ok(())
    }

    /// Measures `repeats` packets, after as many `before`.
    fn round(&mut self, case: &Case, before: u64, repeats: u32) -> Result<Duration> {
        let ingress = self.ingress[usize::from(case.frame.ingress)];
        if case.is_fed() {
            let mut feed = case.frame.feed(case.row.flows);
            // Where the round before left off.
            let done = before % u64::from(feed.flows);
            feed.position = (done * u64::from(feed.stride) % u64::from(feed.flows)) as u32;
            self.programs.feed(feed)?;
        }
        match case.under {
            Under::Floor(name) => {
                let name = if name == "floor_wrap" { "floor_pass" } else { name };
                let program = if case.is_fed() { "feed" } else { name };
                self.programs.feed_to_own(name)?;
                repeat(self.programs.xdp(program)?, &case.frame, ingress, repeats, case.action)
            }
            Under::Router(target, reason) => {
                self.programs.feed_to(&self.router.program)?;
                let before = self.router.counted(target, reason)?;
                let time = if case.is_fed() {
                    repeat(self.programs.xdp("feed")?, &case.frame, ingress, repeats, case.action)?
                } else {
                    self.router.repeat(&case.frame, ingress, repeats, case.action)?
                };
                let counted = self.router.counted(target, reason)? - before;
                // One checksum in 65,536 looks as if it were not worked out: its flow takes another way.
                let few = 1 + u64::from(repeats) / 10_000;
                if u64::from(repeats).abs_diff(counted) > few {
                    bail!("{counted} of {repeats} packets were counted as {}", reason.name());
                }
                Ok(time)
            }
        }
    }
}
