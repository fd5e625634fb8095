//! A program that passes everything, for the far end of a veth pair.
//!
//! A frame that is redirected into a veth arrives only while the other end has an XDP program of its own. On a host
//! or container behind a veth this one makes the router's fast way possible; without it the router hands its packets
//! to the kernel, which is slower, and right.

use std::path::Path;

use aya::{EbpfLoader, programs::Xdp};
use failover_common::names::{self, PROGRAM_PASS};

use super::{attach, error::Error, kernel, load::OBJECT, pins::Pins};
use crate::config::model::Mode;

/// Attaches the program to `interface`; the link is pinned under `bpffs_dir`.
pub fn attach(bpffs_dir: &Path, interface: &str) -> Result<(), Error> {
    kernel::check()?;
    let pins = pins(bpffs_dir);
    pins.create_links()?;
    // The maps belong to the object, not to this program: as small as they can be.
    let mut ebpf = EbpfLoader::new()
        .map_max_entries(names::ANSWERED, 1)
        .load(OBJECT)
        .map_err(|error| Error::load(&error))?;
    let program: &mut Xdp = ebpf
        .program_mut(PROGRAM_PASS)
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| Error::Load { reason: format!("the object has no XDP program {PROGRAM_PASS}") })?;
    program.load().map_err(|error| Error::load(&error))?;
    attach::attach(program, &pins, interface, Mode::Native).map(|_| ())
}

/// Takes the program off `interface`; whether it was there.
pub fn detach(bpffs_dir: &Path, interface: &str) -> Result<bool, Error> {
    let link = pins(bpffs_dir).link(interface);
    let there = link.exists();
    Pins::remove(&link)?;
    Ok(there)
}

/// A folder of its own: the links beside it are the router's, and its daemon swaps programs in all of them.
fn pins(bpffs_dir: &Path) -> Pins {
    Pins::new(&bpffs_dir.join("pass"))
}
