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
};

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::mpsc,
    time::Instant,
};

use super::{
    Exemption, Outcome,
    exempt::Exempted,
    leave_alone, local_towards,
    sip::{Ask, Verdict},
    words,
};
use crate::proto::sip::Framer;

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
    /// One probe. Cancel safety: the connection is closed, its exemption taken back by the next probe or when this
    /// is dropped.
    pub(super) async fn probe(&mut self, ask: &Ask<'_>, exemptions: &mpsc::Sender<Exemption>) -> Outcome {
        if let Some(last) = self.last.take() {
            last.release().await;
        }
        let (socket, local) = match bound(ask.server) {
            Ok(bound) => bound,
            Err(error) => {
                let said = format!("cannot open a TCP socket to {}: {}", ask.server, words(&error));
                return Outcome::unsent(said, &error);
            }
        };
        match Exempted::hold(local, ask.transport, exemptions).await {
            Ok(exempted) => self.last = Some(exempted),
            Err(outcome) => return outcome,
        }
        let started = Instant::now();
        let mut heard = None;
        let exchange = exchange(socket, ask, local, &mut heard);
        match tokio::time::timeout_at(started + ask.wait, exchange).await {
            Ok(Ok(said)) => Outcome::Alive { rtt: started.elapsed(), said },
            Ok(Err(said)) => Outcome::Refused { said },
            Err(_) => Outcome::Failed { said: ask.no_answer(heard.as_deref()) },
        }
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
struct Connection(TcpStream);

impl Drop for Connection {
    fn drop(&mut self) {
        // It fails where the peer has reset the connection, which then needs no FIN.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Write);
    }
}

/// Connects, asks, reads until the answer. Both ways what was said: `Ok` where it counts as life.
async fn exchange(
    socket: TcpSocket,
    ask: &Ask<'_>,
    local: SocketAddr,
    heard: &mut Option<String>,
) -> Result<String, String> {
    *heard = Some("no connection".to_owned());
    let mut connection = Connection(socket.connect(ask.server).await.map_err(|error| words(&error))?);
    *heard = Some("connected".to_owned());
    connection.0.write_all(&ask.request(local)).await.map_err(|error| words(&error))?;
    let mut framer = Framer::default();
    let mut chunk = [0; 4096];
    let mut left = LONGEST_CONVERSATION;
    while left > 0 {
        let length = connection.0.read(&mut chunk).await.map_err(|error| words(&error))?;
        if length == 0 {
            return Err("connection closed before an answer".to_owned());
        }
        left = left.saturating_sub(length);
        framer.push(chunk.get(..length).unwrap_or_default()).map_err(|error| error.to_string())?;
        while let Some(message) = framer.next_message().map_err(|error| error.to_string())? {
            match ask.judge(&message) {
                Verdict::Alive(said) => return Ok(said),
                Verdict::Failed(said) => return Err(said),
                Verdict::Provisional(said) => *heard = Some(format!("only {said}")),
                Verdict::NotOurs => {}
            }
        }
    }
    Err(format!("no answer in {LONGEST_CONVERSATION} bytes"))
}
