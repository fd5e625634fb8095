//! Live frames through a router, end to end: what the kernel's own forwarding does, what it does with DNAT, and what
//! `failover` does.
//!
//! One CPU makes the frames, routes them and throws them away, so a row is the cost of all of that. Frames are counted
//! where they arrive, on the one wire by which the row sends them.

use std::time::{Duration, Instant};

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

/// Measures every row.
pub fn run(effort: &Effort) -> Result<Vec<Row>> {
    let mut network = Network::new()?;
    let pins = network.pins("veth")?;
    let mut programs = Programs::load()?;
    network.phones.enter(|| programs.generate_to(network::index("far1")?))?;

    let forward = network.router.enter(|| programs.attach("floor_pass", "dev1"))?;
    let frame = Frame::new(Transport::Udp, PHONE, STEERED, LENGTH)?;
    let kernel = measure(&network, &mut programs, "veth_kernel", &frame, "far2", effort)?;
    network.router.run(&["nft", DNAT])?;
    let dnat = measure(&network, &mut programs, "veth_dnat", &frame, "far3", effort)?;
    network.router.run(&["nft", "delete table ip bench"])?;
    programs.detach("floor_pass", forward)?;

    let router = network.router.enter(|| {
        let mut router = Router::open(pins, FLOWS)?;
        router.attach("dev1")?;
        Ok(router)
    })?;
    let mut rows = vec![kernel, dnat];
    for (name, target) in [("veth_steer_nat", STEERED), ("veth_steer_dedicated", STEERED_ALONE)] {
        let frame = Frame::new(Transport::Udp, PHONE, target, LENGTH)?;
        let before = router.counted(Some(target), Reason::Steered)?;
        rows.push(measure(&network, &mut programs, name, &frame, "far3", effort)?);
        if router.counted(Some(target), Reason::Steered)? == before {
            bail!("{name}: the router steered nothing");
        }
    }
    Ok(rows)
}

fn measure(
    network: &Network,
    programs: &mut Programs,
    name: &'static str,
    frame: &Frame,
    arrival: &str,
    effort: &Effort,
) -> Result<Row> {
    let sink = network.servers.enter(|| programs.attach("sink", arrival))?;
    programs.feed(frame.feed(1))?;
    let mut rounds = Vec::new();
    let start = Instant::now();
    for round in 0..=effort.rounds {
        let time = network.phones.enter(|| round_of(programs, frame, effort.frames))?;
        // The first one is to get warm.
        if round > 0 {
            rounds.push(time);
        }
        println!("    {name}: round {round} of {}, {:.1} s", effort.rounds, start.elapsed().as_secs_f64());
    }
    programs.detach("sink", sink)?;
    let ratio_to = (name != "veth_kernel").then_some("veth_kernel");
    Ok(Row { name, family: 4, bytes: frame.bytes.len(), flows: 1, ratio_to, asked: None, rounds })
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
