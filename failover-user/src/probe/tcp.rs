//! Probing over TCP: a fresh connection for each probe, so that a server that takes no new callers is found out.
//!
//! A connection alone proves nothing: the kernel of a server that hangs goes on accepting. Only the answer to an
//! OPTIONS request counts.
//!
//! Refusals and resets fail a probe at once: to forge either, a stranger has to know the connection's sequence
//! numbers (RFC 5961; the kernel wants them in what an ICMP error quotes, too).

use std::{
    io,
    net::{Shutdown, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    time::Instant,
};

use super::{
    Exemption, Outcome,
    ask::{Ask, Verdict, said_nothing},
    exempt::Exempted,
    leave_alone, local_towards,
    tls::Session,
    words,
};
use crate::config::model::Transport;

/// The most bytes read for one probe. An answer to OPTIONS has some hundred.
const LONGEST_CONVERSATION: usize = 256 * 1024;

/// What is kept between probes.
#[derive(Default)]
pub(super) struct Io {
    /// The last connection's exemption. It outlives the connection until the next probe, so that the peer's late
    /// packets still find it: rewritten, they would make this machine reset a connection of the wrong server.
    last: Option<Exempted>,
}

impl Io {
    /// One probe, under TLS where there is a `session`. Cancel safety: the connection is closed, its exemption taken
    /// back by the next probe or when this is dropped.
    pub(super) async fn probe(
        &mut self,
        ask: &Ask<'_>,
        session: Option<&Session>,
        exemptions: &mpsc::Sender<Exemption>,
    ) -> Outcome {
        let (socket, local) = match self.open(ask.server, exemptions).await {
            Ok(opened) => opened,
            Err(outcome) => return outcome,
        };
        let started = Instant::now();
        let mut heard = None;
        let exchange = exchange(socket, ask, session, local, &mut heard);
        match tokio::time::timeout_at(started + ask.wait, exchange).await {
            Ok(ended) => outcome(ended, started),
            Err(_) => Outcome::Failed { said: ask.no_answer(heard.as_deref()) },
        }
    }

    /// A connection that is accepted, and nothing more. Cancel safety: as [`Self::probe`].
    pub(super) async fn connect(
        &mut self,
        server: SocketAddr,
        wait: Duration,
        exemptions: &mpsc::Sender<Exemption>,
    ) -> Outcome {
        let (socket, _) = match self.open(server, exemptions).await {
            Ok(opened) => opened,
            Err(outcome) => return outcome,
        };
        let started = Instant::now();
        match tokio::time::timeout_at(started + wait, connected(socket, server)).await {
            Ok(connection) => outcome(connection.map(|_| "connected".to_owned()), started),
            Err(_) => Outcome::Failed { said: said_nothing("connection", wait, None) },
        }
    }

    /// The next connection's socket, exempted, and where it is bound.
    async fn open(
        &mut self,
        server: SocketAddr,
        exemptions: &mpsc::Sender<Exemption>,
    ) -> Result<(TcpSocket, SocketAddr), Outcome> {
        if let Some(last) = self.last.take() {
            last.release().await;
        }
        let (socket, local) = bound(server).map_err(|error| {
            let said = format!("cannot open a TCP socket to {server}: {}", words(&error));
            Outcome::unsent(said, &error)
        })?;
        self.last = Some(Exempted::hold(local, Transport::Tcp, exemptions).await?);
        Ok((socket, local))
    }
}

/// What was said before time was up.
fn outcome(ended: Result<String, String>, started: Instant) -> Outcome {
    match ended {
        Ok(said) => Outcome::Alive { rtt: started.elapsed(), said },
        Err(said) => Outcome::Refused { said },
    }
}

/// A socket bound to the address that the routes choose, and to a port of the kernel's choice: known before the
/// first packet, as its exemption has to be.
///
/// SO_LINGER 0: see [`Connection`].
fn bound(server: SocketAddr) -> io::Result<(TcpSocket, SocketAddr)> {
    let socket = if server.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    leave_alone(&socket)?;
    socket.set_zero_linger()?;
    socket.set_nodelay(true)?;
    socket.bind(local_towards(server)?)?;
    let local = socket.local_addr()?;
    Ok((socket, local))
}

/// A connection that ends with FIN and RST.
///
/// The RST (SO_LINGER 0) leaves no TIME_WAIT behind: ten probes a second would hold 600 ports. It is safe, because
/// nothing more is expected on the connection. The FIN before it lets the server read a plain end of file, where a
/// bare RST would be an error that proxies log (Kamailio 5.6: two lines for each), probe after probe, for ever.
pub(super) struct Connection(pub(super) TcpStream);

impl Drop for Connection {
    fn drop(&mut self) {
        // It fails where the peer has reset the connection, which then needs no FIN.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Write);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

async fn connected(socket: TcpSocket, server: SocketAddr) -> Result<Connection, String> {
    socket.connect(server).await.map(Connection).map_err(|error| words(&error))
}

/// Connects, asks, reads until the answer. Both ways what was said: `Ok` where it counts as life.
async fn exchange(
    socket: TcpSocket,
    ask: &Ask<'_>,
    session: Option<&Session>,
    local: SocketAddr,
    heard: &mut Option<String>,
) -> Result<String, String> {
    *heard = Some("no connection".to_owned());
    let mut connection = connected(socket, ask.server).await?;
    *heard = Some("connected".to_owned());
    let Some(session) = session else { return converse(&mut connection, ask, local, heard).await };
    let mut secured = session.secure(connection).await?;
    *heard = Some("TLS established".to_owned());
    let ended = converse(&mut secured, ask, local, heard).await;
    super::tls::part(&mut secured);
    ended
}

async fn converse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ask: &Ask<'_>,
    local: SocketAddr,
    heard: &mut Option<String>,
) -> Result<String, String> {
    let mut framing = ask.question.framing().ok_or("a protocol that is not spoken over TCP")?;
    // Under TLS 1.3, a server that wants another certificate says so only behind the handshake.
    let told = |error: io::Error| super::tls::said(&error);
    stream.write_all(&ask.question.request(local)).await.map_err(told)?;
    stream.flush().await.map_err(told)?;
    let mut chunk = [0; 4096];
    let mut left = LONGEST_CONVERSATION;
    while left > 0 {
        let length = stream.read(&mut chunk).await.map_err(told)?;
        if length == 0 {
            return Err("connection closed before an answer".to_owned());
        }
        left = left.saturating_sub(length);
        framing.push(chunk.get(..length).unwrap_or_default())?;
        while let Some(message) = framing.next_message()? {
            match ask.question.judge(&message) {
                Verdict::Alive(said) => return Ok(said),
                Verdict::Failed(said) => return Err(said),
                Verdict::Provisional(said) => *heard = Some(format!("only {said}")),
                Verdict::NotOurs => {}
            }
        }
    }
    Err(format!("no answer in {LONGEST_CONVERSATION} bytes"))
}
