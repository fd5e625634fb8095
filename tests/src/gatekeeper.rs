//! An H.323 gatekeeper as a prober sees it: RAS over UDP, call signalling over TCP. It answers with the very octets that a
//! real GnuGk 5.15 answered with, each label in its own way.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use crate::netns::Namespace;

/// RAS's port.
pub const RAS: u16 = 1719;
/// Call signalling's port.
pub const H225: u16 = 1720;

/// How often a thread looks whether it is over.
const TICK: Duration = Duration::from_millis(20);

/// An LRQ for "1002", its number at octets 2 and 3, less one.
const LRQ: [u8; 33] = [
    0x4a, 0x00, 0x00, 0x4d, 0x01, 0x01, 0x80, 0x43, 0x35, 0x00, 0x0a, 0x4d, 0x01, 0x0a, 0x06, 0xb7, 0x21,
    0x80, 0x40, 0x09, 0x01, 0x40, 0x02, 0x00, 0x67, 0x00, 0x6b, 0x00, 0x35, 0x01, 0x80, 0x01, 0x02,
];
/// LRJ, undefinedReason: what an alias gets that is GnuGk's own. Its number is at octets 1 and 2.
const UNDEFINED_REASON: [u8; 4] = [0x50, 0, 0, 0x60];
/// LRJ, requestDenied.
const REQUEST_DENIED: [u8; 4] = [0x50, 0, 0, 0x40];
/// LRJ, resourceUnavailable: GnuGk in maintenance.
const RESOURCE_UNAVAILABLE: [u8; 19] =
    [0x52, 0, 0, 0x83, 1, 0, 1, 0x0b, 0, 1, 0, 0x0a, 0x63, 0, 0x0b, 0x06, 0xb7, 0x81, 0x80];
/// Status Enquiry about call 1, in its TPKT.
const STATUS_ENQUIRY: [u8; 21] =
    [3, 0, 0, 21, 8, 2, 0, 1, 0x75, 0x7e, 0, 9, 5, 0x28, 0x10, 1, 0, 0x10, 0x80, 1, 0x80];
/// ReleaseComplete as GnuGk answers it, without User-user.
const RELEASE_COMPLETE: [u8; 5] = [8, 2, 0, 0, 0x5a];
/// Q.931's element for a text to be shown.
const DISPLAY: u8 = 0x28;

/// How a gatekeeper behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mood {
    /// It answers.
    Well,
    /// Its kernel accepts datagrams and connections, and nothing comes of it.
    Hung,
    /// It rejects every request of RAS for want of resources.
    Maintenance,
    /// Its sockets are closed.
    Dead,
}

/// A running gatekeeper. Dropping it closes its sockets.
#[derive(Debug)]
pub struct Gatekeeper {
    mood: Arc<AtomicU8>,
    threads: Vec<JoinHandle<()>>,
}

impl Gatekeeper {
    /// Listens at `address` in `host`. `primary` rejects with another reason than any other label.
    pub fn start(host: &Namespace, address: Ipv4Addr, label: &'static str) -> Result<Self> {
        let ras = host.enter(|| UdpSocket::bind((address, RAS)).context("listen for RAS"))?;
        let listener = host.enter(|| TcpListener::bind((address, H225)).context("listen for calls"))?;
        ras.set_read_timeout(Some(TICK)).context("set a time-out")?;
        listener.set_nonblocking(true).context("set a listener to non-blocking")?;
        let mood = Arc::new(AtomicU8::new(Mood::Well as u8));
        let (datagrams, connections) = (Arc::clone(&mood), Arc::clone(&mood));
        let threads = vec![
            thread::spawn(move || answer_ras(&ras, &datagrams, label)),
            thread::spawn(move || answer_calls(&listener, &connections, label)),
        ];
        Ok(Self { mood, threads })
    }

    /// From now on.
    pub fn set(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::Relaxed);
    }
}

impl Drop for Gatekeeper {
    fn drop(&mut self) {
        self.set(Mood::Dead);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn is(mood: &AtomicU8, wanted: Mood) -> bool {
    mood.load(Ordering::Relaxed) == wanted as u8
}

fn answer_ras(socket: &UdpSocket, mood: &AtomicU8, label: &str) {
    let mut buffer = [0; 2048];
    while !is(mood, Mood::Dead) {
        // A time-out, or an ICMP error about an earlier answer: neither ends a server.
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        let [first, _, high, low, ..] = buffer[..length] else { continue };
        // An LRQ of the version that everyone sends: the 19th alternative, extended.
        if first & 0xfe != 0x4a || is(mood, Mood::Hung) {
            continue;
        }
        let mut answer = match label {
            _ if is(mood, Mood::Maintenance) => RESOURCE_UNAVAILABLE.to_vec(),
            "primary" => UNDEFINED_REASON.to_vec(),
            _ => REQUEST_DENIED.to_vec(),
        };
        (answer[1], answer[2]) = (high, low);
        let _ = socket.send_to(&answer, from);
    }
}

/// One after the other: each is a probe's or a test's, and short. Who hangs leaves them to the kernel.
fn answer_calls(listener: &TcpListener, mood: &AtomicU8, label: &str) {
    while !is(mood, Mood::Dead) {
        if is(mood, Mood::Hung) {
            thread::sleep(TICK);
            continue;
        }
        match listener.accept() {
            // Whoever resets it has heard enough.
            Ok((stream, _)) => drop(converse(stream, label)),
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

fn converse(mut stream: TcpStream, label: &str) -> Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    read_packet(&mut stream)?;
    let length = u8::try_from(label.len())?;
    let message = [&RELEASE_COMPLETE[..], &[DISPLAY, length], label.as_bytes()].concat();
    let header = [3, 0, 0, u8::try_from(message.len() + 4)?];
    stream.write_all(&[&header[..], &message].concat())?;
    // Until it ends the connection.
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn read_packet(stream: &mut TcpStream) -> Result<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).context("read a packet's header")?;
    let length = u16::from_be_bytes([header[2], header[3]]).saturating_sub(4);
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).context("read a packet")?;
    Ok(message)
}

/// Who answers a phone's LRQ at the primary's address, asked from where the calling thread is.
pub fn ask_ras(to: Ipv4Addr, limit: Duration) -> Result<&'static str> {
    let socket = UdpSocket::bind("0.0.0.0:0").context("bind a UDP socket")?;
    socket.connect((to, RAS)).with_context(|| format!("connect to {to}"))?;
    socket.set_read_timeout(Some(limit)).context("set a time-out")?;
    socket.send(&LRQ).with_context(|| format!("send to {to}"))?;
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).with_context(|| format!("no RAS from {to}"))?;
    let numbered = |answer: [u8; 4]| [answer[0], LRQ[2], LRQ[3], answer[3]];
    match &buffer[..length] {
        answer if *answer == numbered(UNDEFINED_REASON) => Ok("primary"),
        answer if *answer == numbered(REQUEST_DENIED) => Ok("backup"),
        other => bail!("not an answer to the LRQ: {other:02x?}"),
    }
}

/// Who answers a phone that calls the primary's address.
pub fn ask_call_signalling(to: Ipv4Addr, limit: Duration) -> Result<String> {
    let to = SocketAddr::from((to, H225));
    let mut stream = TcpStream::connect_timeout(&to, limit).with_context(|| format!("connect to {to}"))?;
    stream.set_read_timeout(Some(limit)).context("set a time-out")?;
    stream.write_all(&STATUS_ENQUIRY).with_context(|| format!("send to {to}"))?;
    let answer = read_packet(&mut stream)?;
    let display = answer.strip_prefix(&RELEASE_COMPLETE[..]).and_then(|rest| rest.strip_prefix(&[DISPLAY]));
    let (_, label) = display.and_then(<[u8]>::split_first).context("not a ReleaseComplete")?;
    Ok(String::from_utf8_lossy(label).into_owned())
}
