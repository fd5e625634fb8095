//! Exemptions: before the first packet, until after the last.

use failover_common::key::{self, EndpointKey};
use tokio::net::{TcpListener, UdpSocket};

use super::*;
use crate::config::model::Way;

fn key_of(local: SocketAddr, protocol: u8) -> EndpointKey {
    EndpointKey::new(key::mapped([127, 0, 0, 1]), local.port(), protocol)
}

#[test]
fn the_ledger_counts() {
    let one = EndpointKey::new(key::mapped([192, 0, 2, 1]), 40_000, key::TCP);
    let other = EndpointKey { protocol: key::UDP, ..one };
    let mut ledger = Ledger::default();
    assert!(!ledger.note(one, false), "never held");
    assert!(ledger.note(one, true), "the first holder");
    assert!(ledger.note(other, true), "the first holder of another");
    assert!(!ledger.note(one, true), "the second holder");
    assert!(!ledger.note(one, false), "the first one left");
    assert_eq!(ledger.endpoints().count(), 2);
    assert!(ledger.note(one, false), "the last one left");
    assert_eq!(ledger.endpoints().collect::<Vec<_>>(), [&other]);
}

#[tokio::test]
async fn nothing_is_sent_over_udp_until_it_is_confirmed() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (exemptions, mut asked) = mpsc::channel(1);
    let mut prober = Prober::new(1, subject(server.local_addr().unwrap(), Transport::Udp, LONG), exemptions);
    let probe = tokio::spawn(async move { prober.probe().await });
    let Exemption { endpoint, exempt, done } = asked.recv().await.unwrap();
    assert!(exempt);
    let mut buffer = [0; 2048];
    // The other side is ready to go on but for our word; the loopback delivers within send.
    tokio::task::yield_now().await;
    assert_eq!(server.try_recv_from(&mut buffer).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    done.unwrap().send(()).unwrap();
    let (length, from) = server.recv_from(&mut buffer).await.unwrap();
    assert_eq!(endpoint, key_of(from, key::UDP));
    server.send_to(&answer(&buffer[..length], OK), from).await.unwrap();
    assert_eq!(alive(probe.await.unwrap()), "200 OK");
    // With its task gone, the socket is, and so is the exemption.
    let Exemption { endpoint, exempt, done } = asked.recv().await.unwrap();
    assert_eq!((endpoint, exempt), (key_of(from, key::UDP), false));
    assert!(done.is_none() && asked.recv().await.is_none());
}

#[tokio::test]
async fn a_connection_is_exempt_from_before_its_syn_until_the_next_probe() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (exemptions, mut asked) = mpsc::channel::<Exemption>(16);
    let mut prober =
        Prober::new(1, subject(listener.local_addr().unwrap(), Transport::Tcp, SHORT), exemptions);
    let (again, mut start) = mpsc::channel::<()>(1);
    tokio::spawn(async move {
        while start.recv().await.is_some() {
            prober.probe().await;
        }
    });
    let mut last = None;
    for _ in 0..2 {
        again.send(()).await.unwrap();
        if let Some(last) = last {
            let released = asked.recv().await.unwrap();
            assert_eq!((released.endpoint, released.exempt), (last, false));
        }
        let Exemption { endpoint, exempt, done } = asked.recv().await.unwrap();
        assert!(exempt);
        done.unwrap().send(()).unwrap();
        let (_stream, from) = listener.accept().await.unwrap();
        assert_eq!(endpoint, key_of(from, key::TCP));
        last = Some(endpoint);
    }
    drop(again);
    let released = asked.recv().await.unwrap();
    assert_eq!((Some(released.endpoint), released.exempt), (last, false));
    assert!(asked.recv().await.is_none());
}

#[tokio::test]
async fn without_an_exemption_nothing_is_sent() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind(server.local_addr().unwrap()).await.unwrap();
        let (exemptions, mut asked) = mpsc::channel::<Exemption>(16);
        let refusing = tokio::spawn(async move {
            let refused = asked.recv().await.unwrap();
            drop(refused.done);
            // Taken back by the one who asked: it may be in force all the same.
            let back = asked.recv().await.unwrap();
            assert_eq!((refused.endpoint, refused.exempt, back.exempt), (back.endpoint, true, false));
        });
        let mut prober = Prober::new(1, subject(server.local_addr().unwrap(), transport, LONG), exemptions);
        let said = "the data plane did not exempt the probe's socket";
        assert_eq!(unable(prober.probe().await), said);
        refusing.await.unwrap();
        // The channel is closed by now.
        assert_eq!(unable(prober.probe().await), said);
        assert_eq!(server.try_recv(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let connection = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
        assert!(connection.is_err(), "{connection:?}");
    }
}

#[tokio::test]
async fn without_an_exemption_no_protocol_is_spoken() {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = udp.local_addr().unwrap();
    let tcp = TcpListener::bind(address).await.unwrap();
    for (kind, transport, way) in [
        (ServiceKind::Sips, Transport::Tcp, Way::Protocol),
        (ServiceKind::Mgcp, Transport::Udp, Way::Protocol),
        (ServiceKind::Megaco, Transport::Udp, Way::Protocol),
        (ServiceKind::Megaco, Transport::Tcp, Way::Protocol),
        (ServiceKind::Sip, Transport::Tcp, Way::Connect),
    ] {
        let mut subject = subject(address, transport, LONG);
        subject.service.kind = kind;
        subject.policy.way = way;
        subject.policy.tls.verify = false;
        let mut prober = Prober::new(1, subject, mpsc::channel(1).0);
        assert_eq!(unable(prober.probe().await), "the data plane did not exempt the probe's socket");
        assert_eq!(udp.try_recv(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let connection = tokio::time::timeout(Duration::ZERO, tcp.accept()).await;
        assert!(connection.is_err(), "{connection:?}");
    }
}

#[tokio::test]
async fn an_aborted_prober_takes_its_exemption_back() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let listener = TcpListener::bind(server.local_addr().unwrap()).await.unwrap();
        let (exemptions, mut asked) = mpsc::channel::<Exemption>(16);
        let (_again, again) = mpsc::channel(1);
        let (reports, _reports) = mpsc::channel(16);
        let task = tokio::spawn(run(
            7,
            subject(server.local_addr().unwrap(), transport, LONG),
            exemptions,
            again,
            reports,
        ));
        let held = asked.recv().await.unwrap();
        held.done.unwrap().send(()).unwrap();
        // In the midst of its probe.
        match transport {
            Transport::Udp => drop(server.recv_from(&mut [0; 2048]).await.unwrap()),
            Transport::Tcp => drop(listener.accept().await.unwrap()),
        }
        task.abort();
        let back = asked.recv().await.unwrap();
        assert_eq!((back.endpoint, back.exempt), (held.endpoint, false));
        assert!(asked.recv().await.is_none());
    }
}
