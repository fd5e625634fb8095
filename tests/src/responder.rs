//! A SIP server over UDP that answers everything and says who it is, from where it was asked, and how often.

use std::{
    net::{SocketAddr, SocketAddrV4, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::{netns::Namespace, sip};

/// A request of more bytes is answered with as many: two pages.
const LARGE: usize = 4096;

/// A running responder. Dropping it closes its socket.
#[derive(Debug)]
pub struct Responder {
    end: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    socket: UdpSocket,
    thread: Option<JoinHandle<()>>,
}

impl Responder {
    /// Listens on `address` in `host`. Every answer carries `Server: <label>` and `X-Source: <who asked>`.
    pub fn start(host: &Namespace, address: SocketAddrV4, label: &str) -> Result<Self> {
        let socket =
            host.enter(|| UdpSocket::bind(address).with_context(|| format!("listen on {address}")))?;
        socket.set_read_timeout(Some(Duration::from_millis(20))).context("set a time-out")?;
        let (end, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let thread = thread::spawn({
            let (socket, end, answered) = (socket.try_clone()?, Arc::clone(&end), Arc::clone(&answered));
            let label = label.to_owned();
            move || answer(&socket, &label, &end, &answered)
        });
        Ok(Self { end, answered, socket, thread: Some(thread) })
    }

    /// Requests answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::SeqCst)
    }

    /// Sends a request of its own to `to`, as a server does that calls a phone.
    pub fn send(&self, message: &[u8], to: SocketAddr) -> Result<()> {
        self.socket.send_to(message, to).with_context(|| format!("send to {to}")).map(drop)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn answer(socket: &UdpSocket, label: &str, end: &AtomicBool, answered: &AtomicU64) {
    let mut buffer = vec![0; 1 << 16];
    while !end.load(Ordering::Relaxed) {
        // A time-out, or an ICMP error about an earlier answer: neither ends a server.
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let request = String::from_utf8_lossy(&buffer[..length]);
        let mut extra = format!("Server: {label}\r\nX-Source: {from}\r\nX-Length: {length}\r\n");
        if length > LARGE {
            // What came large goes back large.
            extra = format!("{extra}X-Padding: {}\r\n", "x".repeat(length));
        }
        let Some(response) = sip::response(&request, "200 OK", &extra) else { continue };
        // Before it is sent: whoever has the answer finds it counted.
        answered.fetch_add(1, Ordering::SeqCst);
        if socket.send_to(response.as_bytes(), from).is_err() {
            answered.fetch_sub(1, Ordering::SeqCst);
        }
    }
}
