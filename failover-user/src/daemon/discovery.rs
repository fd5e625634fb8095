//! The group in which phones ask for any gatekeeper (H.225.0 §7.8). A network card lets through the frames of groups that
//! somebody on this machine has joined, and a switch sends them where somebody has: so the daemon joins, on every
//! attached device, for as long as a target has a `ras` service. It reads nothing there: the data plane does.
//!
//! The kernel leaves the group when the daemon ends, whatever it dies of.

use std::{collections::BTreeMap, io, net::Ipv4Addr};

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::core::Core;
use crate::{config::model::ServiceKind, dataplane};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 1, 41);

/// The memberships, by the device's index: a socket for each, since the kernel allows one no more than twenty.
#[derive(Debug, Default)]
pub struct Group {
    joined: BTreeMap<u32, Socket>,
}

impl Group {
    /// Joins at the devices with these indices, and leaves at all others. What could not be joined, and why.
    pub fn follow(&mut self, wanted: &[u32]) -> Vec<(u32, io::Error)> {
        self.joined.retain(|index, _| wanted.contains(index));
        let mut failures = Vec::new();
        for index in wanted {
            if self.joined.contains_key(index) {
                continue;
            }
            match join(*index) {
                Ok(socket) => drop(self.joined.insert(*index, socket)),
                Err(error) => failures.push((*index, error)),
            }
        }
        failures
    }
}

/// The socket has no port, so that nothing is delivered to it.
fn join(index: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.join_multicast_v4_n(&GROUP, &InterfaceIndexOrAddress::Index(index))?;
    Ok(socket)
}

impl Core {
    /// Brings whatever depends on the devices, and on where the program is attached, up to date.
    pub(super) fn follow_devices(&mut self) {
        if let Err(error) = self.dataplane.follow(&self.devices.borrow()) {
            self.warn(error.to_string());
        }
        let has_ras = self
            .config
            .targets
            .iter()
            .any(|target| target.services.iter().any(|service| service.kind == ServiceKind::Ras));
        let attached = self.dataplane.attached().filter(|_| has_ras);
        let indices: Vec<u32> = attached.map(|link: &dataplane::Attachment| link.index).collect();
        for (index, error) in self.group.follow(&indices) {
            self.warn(format!(
                "device {index}: phones that ask for any gatekeeper are not heard: join {GROUP}: {error}"
            ));
        }
    }
}
