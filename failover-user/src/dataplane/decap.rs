//! The far end of `steer = "ipip"`: a program that opens the router's envelopes, for a backup's host that has no tunnel
//! device. It needs no daemon.

use std::{net::IpAddr, path::Path};

use aya::{Ebpf, EbpfLoader, maps::HashMap, programs::Xdp};
use failover_common::{
    key::TunnelKey,
    names::{self, PROGRAM_DECAP, TUNNEL_SLOTS},
};

use super::{
    attach,
    error::Error,
    kernel,
    keys::bytes,
    load::OBJECT,
    maps::fails,
    pins::Pins,
    test_run::{self, TestRun},
};
use crate::config::model::Mode;

/// Which envelopes are opened: whoever can have others opened speaks in anyone's name, behind every filter.
#[derive(Clone, Copy, Debug)]
pub struct Envelopes<'a> {
    /// Who sends them.
    pub routers: &'a [IpAddr],
    /// For whom what is in them is.
    pub targets: &'a [IpAddr],
}

/// The loaded program. Dropping it leaves it where it was attached: the pinned link holds it.
#[derive(Debug)]
pub struct Decap {
    ebpf: Ebpf,
}

impl Decap {
    /// Loads it.
    pub fn open(envelopes: Envelopes<'_>) -> Result<Self, Error> {
        kernel::check()?;
        // The flow tables belong to the object, not to this program: as small as they can be.
        let mut ebpf = EbpfLoader::new()
            .map_max_entries(names::ANSWERED, 1)
            .map_max_entries(names::TUNNELS, TUNNEL_SLOTS)
            .load(OBJECT)
            .map_err(|error| Error::load(&error))?;
        let tunnels = ebpf.map_mut(names::TUNNELS);
        let tunnels = tunnels
            .ok_or_else(|| Error::Load { reason: format!("the object has no map {}", names::TUNNELS) })?;
        let mut tunnels: HashMap<_, TunnelKey, u32> =
            HashMap::try_from(tunnels).map_err(fails(names::TUNNELS, "take for what it should be"))?;
        for router in envelopes.routers {
            for target in envelopes.targets {
                let tunnel = TunnelKey { router: bytes(*router), target: bytes(*target) };
                tunnels.insert(tunnel, 1, 0).map_err(fails(names::TUNNELS, "add a router and a target"))?;
            }
        }
        let mut decap = Self { ebpf };
        decap.program()?.load().map_err(|error| Error::load(&error))?;
        Ok(decap)
    }

    /// Attaches it to `interface`; the link is pinned under `bpffs_dir`.
    pub fn attach(&mut self, bpffs_dir: &Path, interface: &str, mode: Mode) -> Result<(), Error> {
        let pins = pins(bpffs_dir);
        pins.create_links()?;
        attach::attach(self.program()?, &pins, interface, mode).map(|_| ())
    }

    /// Runs it on `frame`, as if it had come in by the device with index `ingress`.
    pub fn test_run(&mut self, frame: &[u8], ingress: u32) -> Result<TestRun, Error> {
        test_run::run(self.program()?, frame, ingress)
    }

    fn program(&mut self) -> Result<&mut Xdp, Error> {
        self.ebpf
            .program_mut(PROGRAM_DECAP)
            .and_then(|program| program.try_into().ok())
            .ok_or_else(|| Error::Load { reason: format!("the object has no XDP program {PROGRAM_DECAP}") })
    }
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
    Pins::new(&bpffs_dir.join("decap"))
}
