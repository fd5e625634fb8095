//! Over TCP.

use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::proto::sip::Framer;

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// The next connection, and the request that comes on it.
async fn request(listener: &TcpListener) -> (TcpStream, Vec<u8>) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut framer = Framer::default();
    loop {
        if let Some(request) = framer.next_message().unwrap() {
            return (stream, request);
        }
        let mut chunk = [0; 4096];
        let length = stream.read(&mut chunk).await.unwrap();
        framer.push(&chunk[..length]).unwrap();
    }
}

/// One probe of a server that answers each request with `pieces`, and keeps the connection.
async fn probe(timeout: Duration, pieces: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Outcome {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut stream, request) = request(&listener).await;
        stream.set_nodelay(true).unwrap();
        for piece in pieces(&request) {
            // The prober may have heard enough.
            let _ = stream.write_all(&piece).await;
        }
        std::future::pending::<()>().await;
    });
    plain_prober(address, Transport::Tcp, timeout).probe().await
}

#[tokio::test]
async fn an_answer_is_life() {
    assert_eq!(alive(probe(LONG, |request| vec![answer(request, OK)]).await), "200 OK");
    let unavailable = probe(LONG, |request| vec![answer(request, "503 Service Unavailable")]);
    assert_eq!(refused(unavailable.await), "503 Service Unavailable");
}

#[tokio::test]
async fn an_answer_in_pieces_behind_other_messages_is_found() {
    let outcome = probe(LONG, |request| {
        let all = [b"\r\n\r\n", request, &wrong_branch(request), b"\r\n\r\n", &answer(request, OK)].concat();
        all.chunks(7).map(<[u8]>::to_vec).collect()
    });
    assert_eq!(alive(outcome.await), "200 OK");
}

#[tokio::test]
async fn what_does_not_repeat_the_token_is_no_answer() {
    for wrong in [wrong_branch, wrong_call_id] {
        let outcome = probe(SHORT, move |request| vec![wrong(request)]).await;
        assert_eq!(failed(outcome), "no answer in 250ms (connected)");
    }
    let trying = probe(SHORT, |request| {
        vec![replaced(&answer(request, OK), "Content-Length: 0", "Content-Length: 9")]
    });
    assert_eq!(failed(trying.await), "no answer in 250ms (connected)");
}

#[tokio::test]
async fn a_refusal_fails_at_once() {
    // On an address of its own, where no other test asks for a port.
    let listener = TcpListener::bind("127.0.0.4:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let started = Instant::now();
    let outcome = plain_prober(address, Transport::Tcp, LONG).probe().await;
    assert_eq!(refused(outcome), "connection refused");
    assert!(started.elapsed() < LONG);
}

#[tokio::test]
async fn a_connection_alone_is_not_life() {
    // Never accepted: the kernel's backlog takes it.
    let (_listener, address) = listener().await;
    let outcome = plain_prober(address, Transport::Tcp, SHORT).probe().await;
    assert_eq!(failed(outcome), "no answer in 250ms (connected)");
    // Accepted, read, and left hanging.
    assert_eq!(failed(probe(SHORT, |_| vec![]).await), "no answer in 250ms (connected)");
}

#[tokio::test]
async fn a_connection_that_ends_fails_at_once() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        drop(request(&listener).await);
        let (stream, _) = request(&listener).await;
        SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        drop(stream);
        let (mut stream, request) = super::tcp::request(&listener).await;
        stream.write_all(&answer(&request, OK)[..50]).await.unwrap();
    });
    let mut prober = plain_prober(address, Transport::Tcp, LONG);
    assert_eq!(refused(prober.probe().await), "connection closed before an answer");
    assert_eq!(refused(prober.probe().await), "connection reset");
    assert_eq!(refused(prober.probe().await), "connection closed before an answer");
}

#[tokio::test]
async fn garbage_fails_at_once_and_says_why() {
    let http = probe(LONG, |_| vec![b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()]);
    assert!(refused(http.await).starts_with("not a SIP message"));
    let endless = probe(LONG, |_| vec![vec![b'x'; 4096]; 64]);
    assert!(refused(endless.await).starts_with("SIP message too long"));
    let unframed = probe(LONG, |request| vec![replaced(&answer(request, OK), "Content-Length", "X")]);
    assert_eq!(refused(unframed.await), "SIP message without a Content-Length header");
    let chatter = probe(LONG, |request| vec![request.to_vec(); 1 + 256 * 1024 / request.len()]);
    assert_eq!(refused(chatter.await), "no answer in 262144 bytes");
}

/// Sockets of this machine with that remote port, by state (`06` is TIME_WAIT).
fn sockets_towards(server: SocketAddr) -> Vec<String> {
    let remote = format!("0100007F:{:04X}", server.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(2) == Some(&remote.as_str())).map(|row| row[3].to_owned()).collect()
}

#[tokio::test]
async fn the_server_reads_a_plain_end_and_no_socket_stays_behind() {
    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        let mut ends = Vec::new();
        for _ in 0..5 {
            let (mut stream, request) = request(&listener).await;
            stream.write_all(&answer(&request, OK)).await.unwrap();
            ends.push(stream.read(&mut [0; 1]).await.map_err(|error| error.kind()));
        }
        ends
    });
    let mut prober = plain_prober(address, Transport::Tcp, LONG);
    for _ in 0..5 {
        assert_eq!(alive(prober.probe().await), "200 OK");
    }
    assert_eq!(server.await.unwrap(), [Ok(0); 5]);
    assert_eq!(sockets_towards(address), [""; 0]);
}
