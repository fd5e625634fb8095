//! Probing over UDP: one connected socket, kept from probe to probe, unless its port is a part of the token.
//!
//! The kernel hands a connected socket only datagrams from the server's address and port; everything else about a
//! datagram is a stranger's word until it repeats the token. ICMP errors come up as errors of `recv` and `send`. They
//! are cheap to forge: one fails a probe only where it quotes the token, which nobody off the path can know
//! ([`icmp`]); any other one makes the report more telling, and no more.
//!
//! Questions without an answer stay open for the policy's time-out, also when the next one is out: a server that became
//! slower than it used to be, or stood still for a moment, is alive by its late answer. And each question is sent twice before it
//! is given up: networks lose datagrams, and that says nothing about a server. Which of the two an answer is to cannot be told
//! (RFC 6298 §3 leaves such round trips out); it counts from the first one, or a server that became slower for good would never be
//! known to be.

use std::{
    cell::RefCell,
    collections::VecDeque,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rustix::net::RecvFlags;
use tokio::{
    io::Interest,
    net::UdpSocket,
    sync::mpsc,
    time::{Instant, error::Elapsed, timeout_at},
};

use super::{
    Exemption, Outcome, any_local,
    ask::{Ask, Question, Verdict},
    exempt::Exempted,
    icmp, leave_alone, local_towards, words,
};

/// The longest datagram.
const LONGEST: usize = 65_535;

/// Datagrams and errors that are taken in at a stretch. Then comes a [`BREATH`]: a flood costs its sender more than us,
/// and yet the answer behind it is found, because reading goes on until time is up.
const STRETCH: u32 = 64;
/// The longest stretch: the largest datagrams take a while to judge, and others share the processor.
const LONGEST_STRETCH: Duration = Duration::from_millis(2);
/// The pause after a [`STRETCH`].
const BREATH: Duration = Duration::from_millis(1);
/// Tries at sending: each can be turned down by an ICMP error that an earlier packet got, and a flood of forged ones must not
/// turn down all of them.
const TRIES: u32 = 16;

/// Questions that stay open.
const OPEN: usize = 32;

/// What is kept between probes.
#[derive(Default)]
pub(super) struct Io {
    /// Without an answer, since the last answer; the oldest first.
    unanswered: Unanswered,
    /// Probes in a row to which nothing was said, however long ago the first of them was.
    silences: u32,
    pub(super) open: Option<Open>,
}

/// What decided, in words, and when that was asked, where it was an earlier question.
type Decided = (String, Option<Instant>);

/// Questions, and when each was asked.
type Unanswered = VecDeque<(Arc<dyn Question>, Instant)>;

thread_local! {
    /// Where datagrams are read and judged: one byte longer than a datagram may be, so that a longer one is not taken for it.
    /// It is one for all probers, because there may be ten thousand of them.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; LONGEST + 1]);
}

/// An exempted, connected socket. The order matters: the exemption is taken back before the port is.
pub(super) struct Open {
    exempted: Exempted,
    pub(super) socket: UdpSocket,
    pub(super) local: SocketAddr,
    /// The kernel keeps no ICMP errors any more: there were too many.
    flooded: AtomicBool,
}

/// Why a probe failed before its time was up.
enum Refusal {
    /// The answer's code does not count as life, or an ICMP error quotes the question.
    Answer(String),
    /// This machine could not send the request.
    Send(io::Error),
}

impl Io {
    /// One probe. Cancel safety: the socket stays, and what comes in for this probe is ignored by the next one.
    pub(super) async fn probe(&mut self, ask: &Ask<'_>, exemptions: &mpsc::Sender<Exemption>) -> Outcome {
        if ask.question.has_fresh_port() {
            self.close().await;
            self.unanswered.clear();
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => match Open::new(ask, exemptions).await {
                Ok(open) => open,
                Err(outcome) => return outcome,
            },
        };
        let open = self.open.insert(open);
        open.listen_to_errors(ask.server);
        let started = Instant::now();
        self.unanswered.retain(|(_, asked)| started.duration_since(*asked) < ask.timeout);
        let mut heard = None;
        let answer = open.exchange(ask, started, &self.unanswered, &mut heard).await;
        match answer {
            Ok(Ok(_)) => {
                self.unanswered.clear();
                self.silences = 0;
            }
            _ if self.unanswered.len() < OPEN => {
                self.unanswered.push_back((Arc::clone(ask.question), started));
            }
            _ => {}
        }
        match answer {
            Ok(Ok((said, asked))) => Outcome::Alive { rtt: asked.unwrap_or(started).elapsed(), said },
            Ok(Err(Refusal::Answer(said))) => Outcome::Refused { said },
            Ok(Err(Refusal::Send(error))) => {
                self.close().await;
                Outcome::unsent(format!("cannot send to {}: {}", ask.server, words(&error)), &error)
            }
            Err(_) => {
                // Not at the first silence: looking takes as long as asking.
                self.silences = self.silences.saturating_add(1);
                if self.silences > 1 && open.is_misplaced(ask.server) {
                    self.close().await;
                }
                Outcome::Failed { said: ask.no_answer(heard.as_deref()) }
            }
        }
    }

    async fn close(&mut self) {
        if let Some(Open { exempted, socket, .. }) = self.open.take() {
            exempted.release().await;
            drop(socket);
        }
    }
}

impl Open {
    async fn new(ask: &Ask<'_>, exemptions: &mpsc::Sender<Exemption>) -> Result<Self, Outcome> {
        let failed = |error: &io::Error| {
            Outcome::unsent(format!("cannot open a UDP socket to {}: {}", ask.server, words(error)), error)
        };
        let connected = async {
            let socket = UdpSocket::bind(any_local(ask.server)).await?;
            leave_alone(&socket)?;
            icmp::keep_quotes(&socket, ask.server, true)?;
            socket.connect(ask.server).await?;
            let local = socket.local_addr()?;
            Ok((socket, local))
        };
        let (socket, local) = connected.await.map_err(|error| failed(&error))?;
        let exempted = Exempted::hold(local, ask.transport, exemptions).await?;
        Ok(Self { exempted, socket, local, flooded: AtomicBool::new(false) })
    }

    /// Asks, twice where it has to be, and waits for what decides, until the time since `started` is up.
    async fn exchange(
        &self,
        ask: &Ask<'_>,
        started: Instant,
        unanswered: &Unanswered,
        heard: &mut Option<String>,
    ) -> Result<Result<Decided, Refusal>, Elapsed> {
        let request = ask.question.request(self.local);
        if let Some(after) = ask.repeat {
            let once = self.ask(&request, ask, unanswered, heard);
            if let Ok(decided) = timeout_at(started + after, once).await {
                return Ok(decided);
            }
        }
        timeout_at(started + ask.wait, self.ask(&request, ask, unanswered, heard)).await
    }

    async fn ask(
        &self,
        request: &[u8],
        ask: &Ask<'_>,
        unanswered: &Unanswered,
        heard: &mut Option<String>,
    ) -> Result<Decided, Refusal> {
        self.send(request, ask).await?;
        self.listen(ask, unanswered, heard).await
    }

    /// Waits for what decides. Errors of `recv` that do not quote this question are `heard` and otherwise ignored: see above.
    ///
    /// Cancel safety: a datagram is read and judged at a stretch.
    async fn listen(
        &self,
        ask: &Ask<'_>,
        unanswered: &Unanswered,
        heard: &mut Option<String>,
    ) -> Result<Decided, Refusal> {
        loop {
            let stretch = Instant::now();
            for _ in 0..STRETCH {
                if stretch.elapsed() > LONGEST_STRETCH {
                    break;
                }
                match self.judge_next(ask, unanswered).await {
                    Ok((Verdict::Alive(said), asked)) => return Ok((said, asked)),
                    Ok((Verdict::Failed(said), _)) => return Err(Refusal::Answer(said)),
                    Ok((Verdict::Provisional(said), _)) => *heard = Some(format!("only {said}")),
                    Ok((Verdict::NotOurs, _)) => {}
                    Err(error) => {
                        let said = format!("ICMP says {}", words(&error));
                        if self.is_refused(ask) {
                            return Err(Refusal::Answer(said));
                        }
                        *heard = Some(said);
                    }
                }
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Reads a datagram, and judges it: with when it was asked for, where that was an earlier question.
    async fn judge_next(
        &self,
        ask: &Ask<'_>,
        unanswered: &Unanswered,
    ) -> io::Result<(Verdict, Option<Instant>)> {
        let judge = |message: &[u8]| match (ask.question.judge(message), late(ask, unanswered, message)) {
            (Verdict::NotOurs, Some((said, asked))) => (Verdict::Alive(said), Some(asked)),
            (verdict, _) => (verdict, None),
        };
        let read = || {
            BUFFER.with_borrow_mut(|buffer| {
                let (_, length) =
                    rustix::net::recv(&self.socket, buffer.as_mut_slice(), RecvFlags::DONTWAIT)?;
                Ok(judge(buffer.get(..length).unwrap_or_default()))
            })
        };
        // An ICMP error alone makes a socket neither readable nor writable.
        self.socket.async_io(Interest::READABLE.add(Interest::ERROR), read).await
    }

    /// Sends a datagram. An error may be an earlier packet's ICMP error, and is then gone at the next try.
    async fn send(&self, request: &[u8], ask: &Ask<'_>) -> Result<(), Refusal> {
        let mut result = Ok(());
        for _ in 0..TRIES {
            match self.socket.send(request).await {
                Ok(_) => return Ok(()),
                Err(error) if self.is_refused(ask) => {
                    return Err(Refusal::Answer(format!("ICMP says {}", words(&error))));
                }
                Err(error) => result = Err(Refusal::Send(error)),
            }
        }
        result
    }

    /// Whether an ICMP error quotes the question. All of them are taken: those that stay take the room of answers.
    fn is_refused(&self, ask: &Ask<'_>) -> bool {
        let quotes = icmp::take_quotes(&self.socket, &ask.question.token(self.local));
        if quotes.are_flood && icmp::keep_quotes(&self.socket, ask.server, false).is_ok() {
            self.flooded.store(true, Ordering::Relaxed);
        }
        quotes.of_question
    }

    /// After a flood: another probe, another chance.
    fn listen_to_errors(&self, server: SocketAddr) {
        if self.flooded.load(Ordering::Relaxed) && icmp::keep_quotes(&self.socket, server, true).is_ok() {
            self.flooded.store(false, Ordering::Relaxed);
        }
    }

    /// Whether the routes have changed so that packets to the server would now leave with another address. A
    /// connected socket would go on with the old one, perhaps for ever in vain.
    fn is_misplaced(&self, server: SocketAddr) -> bool {
        local_towards(server).is_ok_and(|local| local.ip() != self.local.ip())
    }
}

/// What a late answer to an earlier question said, and when that was asked; none unless it counts as life, within the
/// policy's time-out.
fn late(ask: &Ask<'_>, unanswered: &Unanswered, message: &[u8]) -> Option<(String, Instant)> {
    let open = unanswered.iter().filter(|(_, asked)| asked.elapsed() < ask.timeout);
    open.into_iter().find_map(|(question, asked)| match question.judge(message) {
        Verdict::Alive(said) => Some((said, *asked)),
        _ => None,
    })
}
