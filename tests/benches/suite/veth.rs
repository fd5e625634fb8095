//! Live frames through a router, end to end: what the kernel's own forwarding does, what it does with DNAT, and what
//! `failover` does.
//!
//! One CPU makes the frames, routes them and throws them away, so a row is the cost of all of that. Frames are counted
//! where they arrive, on the one wire by which the row sends them.

use std::{
    net::SocketAddrV4,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use failover_common::reason::Reason;

use super::{
    Effort,
    network::{self, Network, PHONE, STEERED, STEERED_ALONE},
    packets::{Frame, Transport},
    programs::{Programs, send},
    report::Row,
    router::{FLOWS, Router},
};

const LENGTH: usize = 522;
const DNAT: &str = "table ip bench { chain pre { type nat hook prerouting priority dstnat; \
    ip daddr 10.88.2.10 udp dport 5060 dnat to 10.88.3.10:5060; }; }";
/// Of the frames that were sent.
const LEAST_ARRIVED: f64 = 0.9;

/// By which way the frames go.
#[derive(Clone, Copy)]
enum Way {
    /// The kernel forwards.
    Kernel,
    /// It forwards, with DNAT.
    Dnat,
    /// The router's program steers them.
    Steered,
}

const ROWS: [(&str, Way, SocketAddrV4); 4] = [
    ("veth_kernel", Way::Kernel, STEERED),
    ("veth_dnat", Way::Dnat, STEERED),
    ("veth_steer_nat", Way::Steered, STEERED),
    ("veth_steer_dedicated", Way::Steered, STEERED_ALONE),
];

/// Measures every row, in turns, so that a slow moment of the machine falls on all of them.
pub fn run(effort: &Effort) -> Result<Vec<Row>> {
    let mut network = Network::new()?;
    let pins = network.pins("veth")?;
    let mut programs = Programs::load()?;
    network.phones.enter(|| programs.generate_to(network::index("far1")?))?;
    let mut router = network.router.enter(|| Router::open(pins, FLOWS))?;
    let mut rows: Vec<Row> = ROWS.iter().map(|(name, ..)| row(name)).collect();
    let start = Instant::now();
    for round in 0..=effort.rounds {
        for (row, &(name, way, target)) in rows.iter_mut().zip(&ROWS) {
            let frame = Frame::new(Transport::Udp, PHONE.into(), target.into(), LENGTH)?;
            programs.feed(frame.feed(1))?;
            let steered = router.counted(Some(target), Reason::Steered)?;
            let time = measure(&network, &mut programs, &mut router, way, &frame, effort.frames)
                .with_context(|| format!("measure {name}"))?;
            let steered = router.counted(Some(target), Reason::Steered)? - steered;
            if (steered == 0) == matches!(way, Way::Steered) {
                bail!("measure {name}: the router steered {steered} of {} frames", effort.frames);
            }
            // The first one is to get warm.
            if round > 0 {
                row.rounds.push(time);
            }
        }
        println!(
            "    live frames: round {round} of {}, {:.1} s",
            effort.rounds,
            start.elapsed().as_secs_f64()
        );
    }
    Ok(rows)
}

fn row(name: &'static str) -> Row {
    let ratio_to = (name != "veth_kernel").then_some("veth_kernel");
    Row { name, family: 4, bytes: LENGTH, flows: 1, ratio_to, asked: None, rounds: Vec::new() }
}

/// Prepares the router for `way`, sends, and takes everything back.
fn measure(
    network: &Network,
    programs: &mut Programs,
    router: &mut Router,
    way: Way,
    frame: &Frame,
    frames: u32,
) -> Result<f64> {
    let arrival = if matches!(way, Way::Kernel) { "far2" } else { "far3" };
    let sink = network.servers.enter(|| programs.attach("sink", arrival))?;
    let forward = match way {
        Way::Steered => network.router.enter(|| router.attach("dev1").map(|()| None))?,
        _ => network.router.enter(|| programs.attach("floor_pass", "dev1").map(Some))?,
    };
    if matches!(way, Way::Dnat) {
        network.router.run(&["nft", DNAT])?;
    }
    let time = network.phones.enter(|| round_of(programs, frame, frames))?;
    if matches!(way, Way::Dnat) {
        network.router.run(&["nft", "delete table ip bench"])?;
    }
    match forward {
        Some(link) => programs.detach("floor_pass", link)?,
        None => router.detach("dev1")?,
    }
    programs.detach("sink", sink)?;
    Ok(time)
}

/// Nanoseconds for each frame that arrived.
fn round_of(programs: &Programs, frame: &Frame, frames: u32) -> Result<f64> {
    let before = programs.arrived()?;
    let time = send(programs.xdp("generate")?, frame, network::index("far1")?, frames)?;
    let arrived = u32::try_from(settled(programs)? - before).context("count the frames that arrived")?;
    if f64::from(arrived) < f64::from(frames) * LEAST_ARRIVED {
        bail!("only {arrived} of {frames} frames arrived");
    }
    Ok(time.as_secs_f64() * 1e9 / f64::from(arrived))
}

/// The last frames may still be on their way.
fn settled(programs: &Programs) -> Result<u64> {
    let mut arrived = programs.arrived()?;
    loop {
        std::thread::sleep(Duration::from_millis(5));
        let now = programs.arrived()?;
        if now == arrived {
            return Ok(now);
        }
        arrived = now;
    }
}
