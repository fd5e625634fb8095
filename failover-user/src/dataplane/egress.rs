//! The way out: the TCX program beside the XDP program of each interface.
//!
//! A kernel without TCX links (before 6.6) goes without: XDP does all that it does, and what the router itself sends is
//! not steered.

use std::io;

use aya::{
    Ebpf,
    programs::{
        LinkOrder, ProgramError, SchedClassifier, TcAttachType,
        links::{FdLink, PinnedLink},
        tc::{SchedClassifierLink, TcAttachOptions},
    },
};
use failover_common::names::PROGRAM_EGRESS;
use rustix::io::Errno;

use super::{
    attach::{causes, errno, link_error},
    error::Error,
    kernel,
    pins::Pins,
};

/// What the kernel's age costs, in a sentence.
pub fn without_egress() -> String {
    format!(
        "Linux {} has no TCX links (6.6 and later have): what this machine itself sends is not steered, nor is what containers leave to a device to sum",
        kernel::release()
    )
}

/// The program, which is loaded.
pub fn program(ebpf: &mut Ebpf) -> Result<&mut SchedClassifier, Error> {
    let program = ebpf.program_mut(PROGRAM_EGRESS).and_then(|program| program.try_into().ok());
    program.ok_or_else(|| Error::Load { reason: format!("the object has no program {PROGRAM_EGRESS}") })
}

/// Attaches `program` to the way out of `name`, behind all that is there, and pins the link.
pub fn attach(program: &mut SchedClassifier, pins: &Pins, name: &str) -> Result<FdLink, Error> {
    let order = TcAttachOptions::TcxOrder(LinkOrder::default());
    let id = program
        .attach_with_options(name, TcAttachType::Egress, order)
        .map_err(|error| explain(name, &error))?;
    let path = pins.egress_link(name);
    Pins::remove(&path)?;
    let link = program.take_link(id).map_err(|error| Error::load(&error))?;
    let link = FdLink::try_from(link).map_err(|error| Error::load(&error))?;
    match link.pin(&path) {
        Ok(pinned) => Ok(pinned.into()),
        Err(error) => Err(Error::Pin { action: "pin the link", path, reason: causes(&error) }),
    }
}

/// Swaps `program` into the pinned link of `name`. `None`: there is none, or it is dead, and so is its pin.
pub fn adopt(program: &mut SchedClassifier, pins: &Pins, name: &str) -> Result<Option<FdLink>, Error> {
    let path = pins.egress_link(name);
    if !path.exists() {
        return Ok(None);
    }
    let opened =
        PinnedLink::from_pin(&path).and_then(|link| SchedClassifierLink::try_from(FdLink::from(link)));
    let link = opened.map_err(|error| Error::Pin {
        action: "open the link",
        path: path.clone(),
        reason: link_error(&error),
    })?;
    match program.attach_to_link(link) {
        Ok(id) => {
            let link = program.take_link(id).map_err(|error| Error::load(&error))?;
            let link = FdLink::try_from(link).map_err(|error| Error::load(&error))?;
            Ok(Some(link))
        }
        Err(error) if errno(&error) == Some(Errno::NOLINK) => {
            Pins::remove(&path)?;
            Ok(None)
        }
        Err(error) => Err(Error::load(&error)),
    }
}

fn explain(name: &str, error: &ProgramError) -> Error {
    match errno(error) {
        Some(Errno::NODEV) => Error::NoInterface { name: name.into() },
        Some(Errno::PERM | Errno::ACCESS) => {
            Error::NotPermitted { action: format!("attach to the way out of {name}") }
        }
        Some(code) => Error::Attach { name: name.into(), mode: "egress", source: code.into() },
        None => Error::Attach { name: name.into(), mode: "egress", source: io::Error::other(causes(error)) },
    }
}
