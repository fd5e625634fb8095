//! The ring buffer, read by the core.

use std::os::fd::{AsRawFd, RawFd};

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
}
