//! `cargo xtask setup`: everything that building, running and testing need.
//!
//! Each part first looks whether there is anything to do, so a second run changes nothing, needs no network
//! and takes well under a second. What only an administrator may change is named, with the command that does
//! it, before anything slow begins.

mod bpffs;
mod linker;
mod packages;
mod pycrate;
mod toolchain;

use std::time::Instant;

pub use toolchain::channel;

use crate::step;

/// What the set-up is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Building the daemon and running it on this machine's own interfaces.
    Daemon,
    /// That, the laboratory and the tests.
    Everything,
}

/// Sets up what `scope` needs.
pub fn run(scope: Scope) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut changed = false;
    if scope == Scope::Everything {
        changed |= packages::ensure()?;
        changed |= pycrate::ensure()?;
    }
    changed |= bpffs::ensure()?;
    let channel = toolchain::channel()?;
    changed |= toolchain::ensure(&channel)?;
    changed |= linker::ensure(&channel)?;
    let time = step::elapsed(start.elapsed());
    step::success(&if changed { format!("set up in {time}") } else { format!("all set ({time})") });
    Ok(())
}
