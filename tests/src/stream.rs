//! A phone that sends numbered OPTIONS at a steady rate and keeps account of every answer: which number, from which
//! address, made by which server. One packet that is lost, doubled or misdirected shows.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, SocketAddrV4, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

use crate::{netns::Namespace, sip};

/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A stream that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Stream {
    end: Arc<AtomicBool>,
    sender: Option<JoinHandle<Result<u32>>>,
    receiver: Option<JoinHandle<Answers>>,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// Requests sent, numbered from 1.
    pub sent: u32,
    /// In the order of their arrival.
    pub all: Vec<Answer>,
}

/// One response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The number of the request.
    pub number: u32,
    /// The address that it came from.
    pub source: SocketAddr,
    /// Its `Server` header.
    pub server: String,
    /// Its `X-Source` header: where the server saw the request come from; empty where it does not say.
    pub seen_from: String,
}

impl Answers {
    /// Numbers that were never answered.
    pub fn lost(&self) -> Vec<u32> {
        let answered: BTreeSet<u32> = self.all.iter().map(|answer| answer.number).collect();
        (1..=self.sent).filter(|number| !answered.contains(number)).collect()
    }

    /// Answers beyond the first one to each number.
    pub fn doubled(&self) -> usize {
        let answered: BTreeSet<u32> = self.all.iter().map(|answer| answer.number).collect();
        self.all.len() - answered.len()
    }

    /// Every address that an answer came from.
    pub fn sources(&self) -> BTreeSet<SocketAddr> {
        self.all.iter().map(|answer| answer.source).collect()
    }

    /// Every server that answered.
    pub fn servers(&self) -> BTreeSet<&str> {
        self.all.iter().map(|answer| answer.server.as_str()).collect()
    }

    /// Every address that a server saw a request come from.
    pub fn seen_from(&self) -> BTreeSet<&str> {
        self.all.iter().map(|answer| answer.seen_from.as_str()).collect()
    }

    fn take(&mut self, message: &str, source: SocketAddr) {
        if let Some(number) = sip::status(message).and(sip::sequence(message)) {
            let text = |name| sip::header(message, name).unwrap_or_default().to_owned();
            self.all.push(Answer { number, source, server: text("Server"), seen_from: text("X-Source") });
        }
    }
}

/// A phone's socket, in its namespace.
pub fn phone(host: &Namespace, from: SocketAddrV4) -> Result<UdpSocket> {
    let socket = host.enter(|| UdpSocket::bind(from).with_context(|| format!("bind {from}")))?;
    socket.set_read_timeout(Some(Duration::from_millis(20))).context("set a time-out")?;
    Ok(socket)
}

impl Stream {
    /// From `from` in `host` to `to`, `rate` requests per second.
    pub fn start(host: &Namespace, from: SocketAddrV4, to: SocketAddrV4, rate: u32) -> Result<Self> {
        let socket = phone(host, from)?;
        let end = Arc::new(AtomicBool::new(false));
        let sender = thread::spawn({
            let (socket, end) = (socket.try_clone()?, Arc::clone(&end));
            move || send(&socket, to, rate, &end)
        });
        let receiver = thread::spawn({
            let end = Arc::clone(&end);
            move || receive(&socket, &end)
        });
        Ok(Self { end, sender: Some(sender), receiver: Some(receiver) })
    }

    /// Sends no more, waits for the last answers, and counts.
    pub fn finish(mut self) -> Result<Answers> {
        self.end.store(true, Ordering::Relaxed);
        let panicked = "a thread of the stream panicked";
        let sent = self.sender.take().context("sender")?.join().ok().context(panicked)??;
        let mut answers = self.receiver.take().context("receiver")?.join().ok().context(panicked)?;
        answers.sent = sent;
        Ok(answers)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Relaxed);
    }
}

/// Sends one request, whatever an ICMP error says about an earlier one.
pub fn ask(socket: &UdpSocket, to: SocketAddrV4, number: u32) -> Result<()> {
    let request = sip::options_request("UDP", socket.local_addr()?, to, number);
    let sent = socket.send_to(request.as_bytes(), to).or_else(|_| socket.send_to(request.as_bytes(), to));
    sent.with_context(|| format!("send to {to}")).map(drop)
}

/// Collects answers for so long.
pub fn listen(socket: &UdpSocket, limit: Duration) -> Answers {
    let mut answers = Answers::default();
    let end = Instant::now() + limit;
    while Instant::now() < end {
        take(socket, &mut answers);
    }
    answers
}

fn send(socket: &UdpSocket, to: SocketAddrV4, rate: u32, end: &AtomicBool) -> Result<u32> {
    let gap = Duration::from_secs(1) / rate.max(1);
    let began = Instant::now();
    let mut number = 0;
    while !end.load(Ordering::Relaxed) {
        number += 1;
        ask(socket, to, number)?;
        thread::sleep((began + gap * number).saturating_duration_since(Instant::now()));
    }
    Ok(number)
}

fn receive(socket: &UdpSocket, end: &AtomicBool) -> Answers {
    let mut answers = Answers::default();
    let mut last = None;
    while last.is_none_or(|end: Instant| Instant::now() < end) {
        take(socket, &mut answers);
        if last.is_none() && end.load(Ordering::Relaxed) {
            last = Some(Instant::now() + PATIENCE);
        }
    }
    answers
}

fn take(socket: &UdpSocket, answers: &mut Answers) {
    let mut buffer = [0; 4096];
    // Time-outs and ICMP errors are not answers.
    if let Ok((length, from)) = socket.recv_from(&mut buffer) {
        answers.take(&String::from_utf8_lossy(&buffer[..length]), from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lost_doubled_and_foreign_answers_show() {
        let mut answers = Answers { sent: 3, ..Answers::default() };
        let (right, wrong) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
        let response = |number| format!("SIP/2.0 200 OK\r\nCSeq: {number} OPTIONS\r\nServer: a\r\n\r\n");
        answers.take(&response(1), right);
        answers.take(&response(1), right);
        answers.take(&response(3), wrong);
        answers.take("garbage", wrong);
        assert_eq!(answers.lost(), [2]);
        assert_eq!(answers.doubled(), 1);
        assert_eq!(answers.sources(), BTreeSet::from([right, wrong]));
        assert_eq!(answers.servers(), BTreeSet::from(["a"]));
    }
}
