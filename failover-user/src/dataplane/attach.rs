//! Attaching, adopting and detaching: one pinned bpf_link for each interface.

use std::{fmt, io};

use aya::programs::{
    ProgramError, Xdp, XdpMode,
    links::{FdLink, LinkError, PinnedLink},
    xdp::XdpLink,
};
use rustix::io::Errno;

use super::{error::Error, pins::Pins};
use crate::config::model::Mode;

/// Our program on one interface. Dropping it leaves the program attached: the pin holds it.
pub struct Attachment {
    /// The interface.
    pub name: String,
    /// Its index when the program was attached: a device of the same name with another index is another one.
    pub index: u32,
    /// How it was attached; none where an older daemon did that.
    pub mode: Option<Mode>,
    _link: FdLink,
    /// On the way out; none where the kernel knows no such links.
    pub(super) egress: Option<FdLink>,
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Attaches `program` to `name`, and pins the link.
pub fn attach(program: &mut Xdp, pins: &Pins, name: &str, mode: Mode) -> Result<Attachment, Error> {
    match mode {
        Mode::Native => attach_as(program, pins, name, Mode::Native),
        Mode::Generic => attach_as(program, pins, name, Mode::Generic),
        Mode::Auto => match attach_as(program, pins, name, Mode::Native) {
            Err(Error::Attach { source, .. }) => {
                tracing::info!(interface = name, %source, "no native XDP here; generic instead");
                attach_as(program, pins, name, Mode::Generic)
            }
            attached => attached,
        },
    }
}

fn attach_as(program: &mut Xdp, pins: &Pins, name: &str, mode: Mode) -> Result<Attachment, Error> {
    let (flag, words) = match mode {
        Mode::Generic => (XdpMode::Skb, "generic"),
        Mode::Native | Mode::Auto => (XdpMode::Driver, "native"),
    };
    let id = program.attach(name, flag).map_err(|error| explain(name, words, &error))?;
    let link = program.take_link(id).map_err(|error| load_error(&error))?;
    Ok(Attachment { mode: Some(mode), ..pin(pins, name, link)? })
}

/// Swaps `program` into the pinned link of `name`. `None`: the link is dead (its device is gone), and so is its pin.
pub fn adopt(program: &mut Xdp, pins: &Pins, name: &str) -> Result<Option<Attachment>, Error> {
    let path = pins.link(name);
    let link = match PinnedLink::from_pin(&path) {
        Ok(link) => FdLink::from(link),
        Err(error) => {
            return Err(Error::Pin { action: "open the link", path, reason: link_error(&error) });
        }
    };
    let swapped = XdpLink::try_from(link)
        .map_err(|error| Error::Pin {
            action: "open the link",
            path: path.clone(),
            reason: link_error(&error),
        })
        .and_then(|link| match program.attach_to_link(link) {
            Ok(id) => Ok(Some(id)),
            Err(error) if errno(&error) == Some(Errno::NOLINK) => Ok(None),
            Err(error) => Err(load_error(&error)),
        })?;
    let Some(id) = swapped else {
        Pins::remove(&path)?;
        return Ok(None);
    };
    let link = program.take_link(id).map_err(|error| load_error(&error))?;
    Ok(Some(Attachment {
        name: name.into(),
        index: index(name)?,
        mode: None,
        _link: fd(name, link)?,
        egress: None,
    }))
}

fn pin(pins: &Pins, name: &str, link: XdpLink) -> Result<Attachment, Error> {
    let path = pins.link(name);
    Pins::remove(&path)?;
    let pinned = fd(name, link)?.pin(&path).map_err(|error| Error::Pin {
        action: "pin the link",
        path,
        reason: causes(&error),
    })?;
    Ok(Attachment { name: name.into(), index: index(name)?, mode: None, _link: pinned.into(), egress: None })
}

/// A kernel that knows no bpf_link for XDP cannot keep the program when the daemon ends.
fn fd(name: &str, link: XdpLink) -> Result<FdLink, Error> {
    FdLink::try_from(link).map_err(|_| Error::Attach {
        name: name.into(),
        mode: "native",
        source: io::Error::new(io::ErrorKind::Unsupported, "this kernel has no bpf_link for XDP"),
    })
}

/// The index of the device of this name.
pub fn index(name: &str) -> Result<u32, Error> {
    use rustix::net::{AddressFamily, SocketType, netdevice, socket};
    socket(AddressFamily::INET, SocketType::DGRAM, None)
        .and_then(|socket| netdevice::name_to_index(socket, name))
        .map_err(|_| Error::NoInterface { name: name.into() })
}

fn explain(name: &str, mode: &'static str, error: &ProgramError) -> Error {
    if matches!(error, ProgramError::UnknownInterface { .. }) {
        return Error::NoInterface { name: name.into() };
    }
    match errno(error) {
        Some(Errno::BUSY | Errno::EXIST) => Error::Busy { name: name.into() },
        Some(Errno::PERM | Errno::ACCESS) => Error::NotPermitted { action: format!("attach XDP to {name}") },
        Some(code) => Error::Attach { name: name.into(), mode, source: code.into() },
        None => Error::Attach { name: name.into(), mode, source: io::Error::other(causes(error)) },
    }
}

pub(super) fn errno(error: &(dyn std::error::Error + 'static)) -> Option<Errno> {
    let mut next = Some(error);
    while let Some(cause) = next {
        if let Some(code) = cause.downcast_ref::<io::Error>().and_then(Errno::from_io_error) {
            return Some(code);
        }
        next = cause.source();
    }
    None
}

fn load_error(error: &ProgramError) -> Error {
    Error::load(error)
}

pub(super) fn link_error(error: &LinkError) -> String {
    causes(error)
}

pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words = format!("{words}: {cause}");
        next = cause.source();
    }
    words
}
