//! The benches: what is measured, on what, and how it is told.

mod cases;
mod datapath;
pub mod deaths;
pub mod health;
mod network;
mod packets;
mod programs;
pub mod report;
mod responders;
mod router;
mod scene;
mod spread;
pub mod unrest;
mod veth;

use anyhow::Result;

use report::Row;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Bench {
    /// One packet through the programs, again and again
    Datapath,
    /// Live frames through a router, end to end
    Veth,
    /// How many servers one daemon can watch; not measured unless it is named, as nothing below is
    Health,
    /// How soon the backup serves after each way in which a primary can die
    Deaths,
    /// A primary that comes and goes
    Flapping,
    /// A primary that loses packets, and stands still now and then
    Slow,
}

/// How much is done for a figure.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Measurements of each row.
    pub rounds: u32,
    /// Packets in one measurement of the data path.
    pub repeats: u32,
    /// Packets in one measurement of live frames.
    pub frames: u32,
    /// Flows of the rows with many flows.
    pub many: [u32; 2],
}

impl Effort {
    /// What the documentation's figures were made with: 10^7 packets for each row of the data path.
    #[allow(dead_code)] // the smoke test needs less
    pub const FULL: Self = Self { rounds: 20, repeats: 500_000, frames: 500_000, many: [65_536, 1_000_000] };
    /// Enough to see that every row is there.
    #[allow(dead_code)] // the bench itself needs more
    pub const SMOKE: Self = Self { rounds: 2, repeats: 1000, frames: 2000, many: [64, 256] };
}

/// Measures. Progress goes to standard output.
pub fn run(bench: Bench, effort: &Effort) -> Result<Vec<Row>> {
    match bench {
        Bench::Datapath => datapath::run(effort),
        Bench::Veth => veth::run(effort),
        Bench::Health | Bench::Deaths | Bench::Flapping | Bench::Slow => Ok(Vec::new()),
    }
}
