//! When the first packet of a kind arrives at a host: for what happens within milliseconds, where a capture and its reader
//! would cost the machine more than what they watch.

use std::{
    mem::MaybeUninit,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{frames::IPV4, netns::Namespace, process};

/// What is watched for: an IPv4 packet, from its header on.
pub type Kind = fn(&[u8]) -> bool;

/// A watch at a host. Dropping it ends it.
#[derive(Debug)]
pub struct Arrivals {
    end: Arc<AtomicBool>,
    first: Arc<Mutex<Option<SystemTime>>>,
    thread: Option<JoinHandle<()>>,
}

impl Arrivals {
    /// Begins to watch everything that `host` gets.
    pub fn watch(host: &Namespace, kind: Kind) -> Result<Self> {
        let protocol = Protocol::from(i32::from(IPV4.to_be()));
        // Without its Ethernet header.
        let open =
            || Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)).context("watch packets (AF_PACKET)");
        let socket = host.enter(open)?;
        socket.set_read_timeout(Some(Duration::from_millis(100))).context("set a time-out")?;
        let (end, first) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(None)));
        let thread = thread::spawn({
            let (end, first) = (Arc::clone(&end), Arc::clone(&first));
            move || watch(&socket, kind, &end, &first)
        });
        Ok(Self { end, first, thread: Some(thread) })
    }

    /// What came before now does not count.
    pub fn forget(&self) {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// When the first one came, as far as it has.
    pub fn first(&self) -> Option<SystemTime> {
        *self.first.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, waiting for it.
    pub fn wait(&self, what: &str, limit: Duration) -> Result<SystemTime> {
        process::wait_for(what, limit, || Ok(self.first()))
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn watch(socket: &Socket, kind: Kind, end: &AtomicBool, first: &Mutex<Option<SystemTime>>) {
    let mut buffer = [MaybeUninit::<u8>::uninit(); 128];
    while !end.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let now = SystemTime::now();
        // SAFETY: `recv` has initialised as many octets of the buffer as it says, and says no more than fit.
        let packet = unsafe { buffer[..length.min(buffer.len())].assume_init_ref() };
        if kind(packet) {
            first.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(now);
        }
    }
}

/// The source, the destination, the protocol and what follows of an IPv4 packet.
pub fn parts(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr, u8, &[u8])> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(packet.get(at..at + 4)?).ok()?));
    Some((address(12)?, address(16)?, *packet.get(9)?, packet.get(header..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames;

    #[test]
    fn the_parts_of_a_packet() {
        let (from, to) = (Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(198, 51, 100, 2));
        let packet = frames::ipv4(from, to, 17, &[1, 1, 1, 0], b"hello");
        assert_eq!(parts(&packet), Some((from, to, 17, &b"hello"[..])));
        assert_eq!(parts(&packet[..19]), None);
        assert_eq!(parts(&[]), None);
    }
}
