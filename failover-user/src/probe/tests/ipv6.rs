//! Over IPv6.

use std::net::{IpAddr, Ipv6Addr};

use failover_common::key::{EndpointKey, TCP, UDP};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UdpSocket},
};

use super::*;
use crate::proto::sip::Framer;

/// Confirms everything; tells which sockets were exempted.
fn told() -> (mpsc::Sender<Exemption>, mpsc::UnboundedReceiver<EndpointKey>) {
    let (exemptions, mut asked) = mpsc::channel::<Exemption>(16);
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Exemption { endpoint, exempt, done }) = asked.recv().await {
            if exempt {
                tell.send(endpoint).unwrap();
            }
            done.map(|done| done.send(()));
        }
    });
    (exemptions, told)
}

/// The request names both ends as they are, and is exempted from where it comes.
fn is_right(request: &[u8], server: SocketAddr, from: SocketAddr, exempted: EndpointKey, protocol: u8) {
    let text = std::str::from_utf8(request).unwrap();
    assert!(text.starts_with(&format!("OPTIONS sip:[::1]:{} SIP/2.0\r\n", server.port())), "{text}");
    let message = Message::parse(request).unwrap();
    assert_eq!(message.top_via().unwrap().sent_by, format!("[::1]:{}", from.port()).as_bytes());
    assert_eq!(from.ip(), IpAddr::V6(Ipv6Addr::LOCALHOST));
    assert_eq!(exempted, EndpointKey::new(Ipv6Addr::LOCALHOST.octets(), from.port(), protocol));
}

#[tokio::test]
async fn an_answer_over_udp_is_life() {
    let server = UdpSocket::bind("[::1]:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let (exemptions, mut exempted) = told();
    let asked = tokio::spawn(async move {
        let mut request = vec![0; 65_536];
        let (length, from) = server.recv_from(&mut request).await.unwrap();
        request.truncate(length);
        server.send_to(&wrong_branch(&request), from).await.unwrap();
        server.send_to(&answer(&request, OK), from).await.unwrap();
        (request, from)
    });
    let mut prober = Prober::new(1, subject(address, Transport::Udp, LONG), exemptions);
    assert_eq!(alive(prober.probe().await), "200 OK");
    let (request, from) = asked.await.unwrap();
    is_right(&request, address, from, exempted.recv().await.unwrap(), UDP);
}

#[tokio::test]
async fn an_answer_over_tcp_is_life() {
    let listener = TcpListener::bind("[::1]:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (exemptions, mut exempted) = told();
    let asked = tokio::spawn(async move {
        let (mut stream, from) = listener.accept().await.unwrap();
        let mut framer = Framer::default();
        let mut chunk = [0; 4096];
        let request = loop {
            let length = stream.read(&mut chunk).await.unwrap();
            framer.push(&chunk[..length]).unwrap();
            if let Some(request) = framer.next_message().unwrap() {
                break request;
            }
        };
        stream.write_all(&answer(&request, OK)).await.unwrap();
        (request, from)
    });
    let mut prober = Prober::new(1, subject(address, Transport::Tcp, LONG), exemptions);
    assert_eq!(alive(prober.probe().await), "200 OK");
    let (request, from) = asked.await.unwrap();
    is_right(&request, address, from, exempted.recv().await.unwrap(), TCP);
}

#[tokio::test]
async fn an_icmp_error_that_quotes_the_question_decides_and_so_does_a_reset() {
    // A port that the kernel gives to nobody who asks for any: nothing can come to live there meanwhile.
    let nobody = "[::1]:1".parse().unwrap();
    let said = refused(plain_prober(nobody, Transport::Udp, LONG).probe().await);
    assert_eq!(said, "ICMP says connection refused");
    assert_eq!(refused(plain_prober(nobody, Transport::Tcp, LONG).probe().await), "connection refused");
}
