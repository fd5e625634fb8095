//! A media gateway's signalling: MGCP over UDP, MEGACO over UDP and TCP. It answers every question, and says who it is.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, Result};

use crate::netns::Namespace;

/// MGCP's port.
pub const MGCP: u16 = 2427;
/// MEGACO's port, text encoding.
pub const MEGACO: u16 = 2944;

/// How often a thread looks whether it is over.
const TICK: Duration = Duration::from_millis(20);

/// A running gateway. Dropping it closes its sockets: it is dead.
#[derive(Debug)]
pub struct Gateway {
    end: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Gateway {
    /// Listens at `address` in `host`. Every answer carries `label`.
    pub fn start(host: &Namespace, address: Ipv4Addr, label: &str) -> Result<Self> {
        let udp = |port| host.enter(|| UdpSocket::bind((address, port)).context("listen for datagrams"));
        let (mgcp, megaco) = (udp(MGCP)?, udp(MEGACO)?);
        let listener =
            host.enter(|| TcpListener::bind((address, MEGACO)).context("listen for connections"))?;
        for socket in [&mgcp, &megaco] {
            socket.set_read_timeout(Some(TICK)).context("set a time-out")?;
        }
        listener.set_nonblocking(true).context("set a listener to non-blocking")?;
        let end = Arc::new(AtomicBool::new(false));
        let threads = vec![
            spawn(&end, label, move |end, label| datagrams(&mgcp, end, |text| mgcp_answer(text, label))),
            spawn(&end, label, move |end, label| datagrams(&megaco, end, |text| megaco_answer(text, label))),
            spawn(&end, label, move |end, label| connections(&listener, end, label)),
        ];
        Ok(Self { end, threads })
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn spawn(
    end: &Arc<AtomicBool>,
    label: &str,
    serve: impl FnOnce(&AtomicBool, &str) + Send + 'static,
) -> JoinHandle<()> {
    let (end, label) = (Arc::clone(end), label.to_owned());
    thread::spawn(move || serve(&end, &label))
}

fn datagrams(socket: &UdpSocket, end: &AtomicBool, answer: impl Fn(&str) -> Option<String>) {
    let mut buffer = vec![0; 1 << 16];
    while !end.load(Ordering::Relaxed) {
        // A time-out, or an ICMP error about an earlier answer: neither ends a server.
        let Ok((length, from)) = socket.recv_from(&mut buffer) else { continue };
        if let Some(answer) = answer(&String::from_utf8_lossy(&buffer[..length])) {
            let _ = socket.send_to(answer.as_bytes(), from);
        }
    }
}

/// One after the other: each is a probe's or a test's, and short.
fn connections(listener: &TcpListener, end: &AtomicBool, label: &str) {
    while !end.load(Ordering::Relaxed) {
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
    let question = read_packet(&mut stream)?;
    if let Some(answer) = megaco_answer(&question, label) {
        stream.write_all(&packet(&answer)?)?;
    }
    // Until it ends the connection.
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// A message in its TPKT (RFC 1006 §6).
fn packet(message: &str) -> Result<Vec<u8>> {
    let length = u16::try_from(message.len() + 4).context("a message for one packet")?;
    Ok([&[3, 0], &length.to_be_bytes()[..], message.as_bytes()].concat())
}

fn read_packet(stream: &mut TcpStream) -> Result<String> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).context("read a packet's header")?;
    let length = u16::from_be_bytes([header[2], header[3]]).saturating_sub(4);
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).context("read a packet")?;
    Ok(String::from_utf8_lossy(&message).into_owned())
}

fn mgcp_answer(text: &str, label: &str) -> Option<String> {
    let transaction = text.strip_prefix("AUEP ")?.split(' ').next()?;
    Some(format!("200 {transaction} {label}\r\n"))
}

fn megaco_answer(text: &str, label: &str) -> Option<String> {
    let transaction = text.split_once("Transaction=")?.1.split('{').next()?;
    Some(format!("MEGACO/1 <{label}>:{MEGACO}\nReply={transaction}{{Context=-{{AuditValue=ROOT}}}}\n"))
}

/// Who answers a phone's MGCP question, asked from where the calling thread is.
pub fn ask_mgcp(to: Ipv4Addr, limit: Duration) -> Result<String> {
    let answer = ask(SocketAddr::from((to, MGCP)), &format!("AUEP 77 *@[{to}] MGCP 1.0\r\n"), limit)?;
    let label =
        answer.strip_prefix("200 77 ").with_context(|| format!("no answer to the question: {answer}"))?;
    Ok(label.trim().to_owned())
}

/// Who answers a phone's MEGACO question over UDP.
pub fn ask_megaco(to: Ipv4Addr, limit: Duration) -> Result<String> {
    sender(&ask(SocketAddr::from((to, MEGACO)), QUESTION, limit)?)
}

/// Who answers it over TCP.
pub fn ask_megaco_over_tcp(to: Ipv4Addr, limit: Duration) -> Result<String> {
    let to = SocketAddr::from((to, MEGACO));
    let mut stream = TcpStream::connect_timeout(&to, limit).with_context(|| format!("connect to {to}"))?;
    stream.set_read_timeout(Some(limit)).context("set a time-out")?;
    stream.write_all(&packet(QUESTION)?).with_context(|| format!("send to {to}"))?;
    sender(&read_packet(&mut stream)?)
}

const QUESTION: &str = "MEGACO/1 [10.77.1.10]:2944\nTransaction=77{Context=-{AuditValue=ROOT{Audit{}}}}\n";

/// The name in an answer's mId.
fn sender(answer: &str) -> Result<String> {
    let name =
        answer.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(name, _)| name.to_owned());
    name.filter(|_| answer.contains("Reply=77{"))
        .with_context(|| format!("no answer to the question: {answer}"))
}

/// Sends a datagram and waits for one from the very address that was asked.
fn ask(to: SocketAddr, question: &str, limit: Duration) -> Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0").context("bind a UDP socket")?;
    socket.connect(to).with_context(|| format!("connect to {to}"))?;
    socket.set_read_timeout(Some(limit)).context("set a time-out")?;
    socket.send(question.as_bytes()).with_context(|| format!("send to {to}"))?;
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).with_context(|| format!("no answer from {to}"))?;
    Ok(String::from_utf8_lossy(&buffer[..length]).into_owned())
}
