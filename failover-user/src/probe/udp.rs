//! Probing over UDP: one connected socket, kept from probe to probe, unless its port is a part of the token.
//!
//! The kernel hands a connected socket only datagrams from the server's address and port; everything else about a
//! datagram is a stranger's word until it repeats the token. ICMP errors come up as errors of `recv` and `send`. They
//! are cheap to forge and say nothing that the timeout will not say, so they never decide; they only make the
//! report more telling.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{net::UdpSocket, sync::mpsc, time::Instant};

use super::{
    Exemption, Outcome, any_local,
    ask::{Ask, Verdict},
    exempt::Exempted,
    leave_alone, local_towards, words,
};

/// The longest datagram.
const LONGEST: usize = 65_535;

/// Datagrams and errors that are taken in at a stretch. Then comes a [`BREATH`]: a flood costs its sender more than us,
/// and yet the answer behind it is found, because reading goes on until time is up.
const STRETCH: u32 = 64;
/// The pause after a [`STRETCH`].
const BREATH: Duration = Duration::from_millis(1);
/// Tries at sending: each can be turned down by an ICMP error that an earlier packet got.
const TRIES: u32 = 3;

/// What is kept between probes.
#[derive(Default)]
pub(super) struct Io {
    pub(super) open: Option<Open>,
    /// Made at the first probe: one byte longer than a datagram may be, so that a longer one is not taken for it.
    buffer: Vec<u8>,
}

/// An exempted, connected socket. The order matters: the exemption is taken back before the port is.
pub(super) struct Open {
    exempted: Exempted,
    pub(super) socket: UdpSocket,
    pub(super) local: SocketAddr,
}

/// Why a probe failed before its time was up.
enum Refusal {
    /// The answer's code does not count as life.
    Answer(String),
    /// This machine could not send the request.
    Send(io::Error),
}

impl Io {
    /// One probe. Cancel safety: the socket stays, and what comes in for this probe is ignored by the next one.
    pub(super) async fn probe(&mut self, ask: &Ask<'_>, exemptions: &mpsc::Sender<Exemption>) -> Outcome {
        if ask.question.has_fresh_port() {
            self.close().await;
        }
        let open = match self.open.take() {
            Some(open) => open,
            None => match Open::new(ask, exemptions).await {
                Ok(open) => open,
                Err(outcome) => return outcome,
            },
        };
        let open = self.open.insert(open);
        self.buffer.resize(LONGEST + 1, 0);
        let started = Instant::now();
        let mut heard = None;
        let exchange = open.exchange(ask, &mut self.buffer, &mut heard);
        match tokio::time::timeout_at(started + ask.timeout, exchange).await {
            Ok(Ok(said)) => Outcome::Alive { rtt: started.elapsed(), said },
            Ok(Err(Refusal::Answer(said))) => Outcome::Failed { said },
            Ok(Err(Refusal::Send(error))) => {
                self.close().await;
                Outcome::unsent(format!("cannot send to {}: {}", ask.server, words(&error)), &error)
            }
            Err(_) => {
                if open.is_misplaced(ask.server) {
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
            socket.connect(ask.server).await?;
            let local = socket.local_addr()?;
            Ok((socket, local))
        };
        let (socket, local) = connected.await.map_err(|error| failed(&error))?;
        let exempted = Exempted::hold(local, ask.transport, exemptions).await?;
        Ok(Self { exempted, socket, local })
    }

    /// Asks, and waits for the message that decides. Errors of `recv` are `heard` and otherwise ignored: see above.
    async fn exchange(
        &self,
        ask: &Ask<'_>,
        buffer: &mut [u8],
        heard: &mut Option<String>,
    ) -> Result<String, Refusal> {
        self.send(&ask.question.request(self.local)).await.map_err(Refusal::Send)?;
        loop {
            for _ in 0..STRETCH {
                match self.socket.recv(buffer).await {
                    Ok(length) => match ask.question.judge(buffer.get(..length).unwrap_or_default()) {
                        Verdict::Alive(said) => return Ok(said),
                        Verdict::Failed(said) => return Err(Refusal::Answer(said)),
                        Verdict::Provisional(said) => *heard = Some(format!("only {said}")),
                        Verdict::NotOurs => {}
                    },
                    Err(error) => *heard = Some(format!("ICMP says {}", words(&error))),
                }
            }
            tokio::time::sleep(BREATH).await;
        }
    }

    /// Sends a datagram. An error may be an earlier packet's ICMP error, and is then gone at the next try.
    async fn send(&self, request: &[u8]) -> io::Result<()> {
        let mut result = Ok(());
        for _ in 0..TRIES {
            result = self.socket.send(request).await.map(drop);
            if result.is_ok() {
                break;
            }
        }
        result
    }

    /// Whether the routes have changed so that packets to the server would now leave with another address. A
    /// connected socket would go on with the old one, perhaps for ever in vain.
    fn is_misplaced(&self, server: SocketAddr) -> bool {
        local_towards(server).is_ok_and(|local| local.ip() != self.local.ip())
    }
}
