//! The maps of the benches' programs. A bench runs on one CPU at a time, and writes between its runs.

use aya_ebpf::{
    macros::map,
    maps::{Array, DevMap, DevMapHash, HashMap, PerCpuArray, ProgramArray},
};
use failover_common::bench::{Feed, FloorKey, FloorValue};

use crate::floor::Fib;

/// Written by the bench between runs; `position` by the one CPU that runs.
#[map]
pub static FEED: Array<Feed> = Array::with_max_entries(1, 0);

/// The program under test.
#[map]
pub static NEXT: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// Written by the bench alone.
#[map]
pub static FLOOR: HashMap<FloorKey<4>, FloorValue<4>> = HashMap::with_max_entries(64, 0);

/// The same of IPv6.
#[map]
pub static FLOOR_SIX: HashMap<FloorKey<16>, FloorValue<16>> = HashMap::with_max_entries(64, 0);

/// Written by the bench alone; of the same kind as the router's.
#[map]
pub static DEVICES: DevMapHash = DevMapHash::with_max_entries(256, 0);

/// The device out of which frames are sent.
#[map]
pub static OUTPUT: DevMap = DevMap::with_max_entries(1, 0);

/// What the FIB is asked, and answers: plain words, and never uninitialised. Per CPU, as below.
#[map]
pub static FIB: PerCpuArray<Fib> = PerCpuArray::with_max_entries(1, 0);

/// Frames that arrived, per CPU, and XDP does not interrupt itself on one CPU.
#[map]
pub static ARRIVED: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);
