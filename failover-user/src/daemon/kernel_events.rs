//! The ring buffer, read by the core.

use std::{
    net::{Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, RawFd},
};

use failover_common::event::{Event, Kind};
use tokio::io::{Interest, unix::AsyncFd};

use crate::dataplane::Events;

/// The readable end of the kernel's ring buffer.
pub struct KernelEvents {
    ring: AsyncFd<Ring>,
}

struct Ring(Events);

impl AsRawFd for Ring {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl KernelEvents {
    /// Needs a runtime.
    pub fn new(events: Events) -> std::io::Result<Self> {
        // SAFETY: the descriptor is the map's, which `Ring` owns and never closes or changes before it is dropped.
        let ring = unsafe { AsyncFd::register_with_interest(Ring(events), Interest::READABLE) };
        Ok(Self { ring: ring.map_err(|error| std::io::Error::other(error.to_string()))? })
    }

    /// Everything that is there, waiting until something is. Entries of another size or kind are another layout's,
    /// and passed over.
    ///
    /// Cancel safe: nothing is taken from the ring before this is ready.
    pub async fn next(&mut self) -> std::io::Result<Vec<(Kind, Event)>> {
        let mut ready = self.ring.readable_mut().await?;
        let mut events = Vec::new();
        let ring = &mut ready.get_inner_mut().0;
        while let Some(item) = ring.next() {
            events.extend(decode(&item));
        }
        ready.clear_ready();
        Ok(events)
    }
}

/// The client that an event tells of.
pub fn client(event: &Event) -> SocketAddr {
    let address = Ipv6Addr::from(event.client).to_canonical();
    SocketAddr::new(address, u16::from_be_bytes(event.client_port))
}

fn decode(bytes: &[u8]) -> Option<(Kind, Event)> {
    if bytes.len() != size_of::<Event>() {
        return None;
    }
    // SAFETY: the length is the type's, any bytes are a valid `Event` (integers and byte arrays), and the read
    // makes no demand on alignment.
    let event = unsafe { bytes.as_ptr().cast::<Event>().read_unaligned() };
    Some((Kind::try_from(event.kind).ok()?, event))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_another_layout_are_passed_over() {
        assert!(decode(&[0; 39]).is_none());
        assert!(decode(&[0; 40]).is_none(), "kind 0 is no kind");
        let mut bytes = [0; 40];
        bytes[8..12].copy_from_slice(&1_u32.to_ne_bytes());
        assert_eq!(decode(&bytes).map(|(kind, _)| kind), Some(Kind::SteeringBegan));
    }

    #[test]
    fn a_client_of_either_family_is_written_as_usual() {
        let from = |client| {
            let client_port = 40_001_u16.to_be_bytes();
            let (kind, protocol) = (Kind::SteeringBegan as u32, failover_common::key::UDP);
            Event { time_ns: 0, kind, target: 1, generation: 1, client_port, protocol, reserved: 0, client }
        };
        let v4 = from(failover_common::key::mapped([203, 0, 113, 9]));
        assert_eq!(client(&v4).to_string(), "203.0.113.9:40001");
        let v6 = from("2001:db8::9".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(client(&v6).to_string(), "[2001:db8::9]:40001");
    }
}
