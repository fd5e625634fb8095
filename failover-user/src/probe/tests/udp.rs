//! Over UDP.

use socket2::SockRef;
use tokio::net::UdpSocket;

use super::*;

async fn socket() -> (UdpSocket, SocketAddr) {
    socket_on("127.0.0.1:0").await
}

/// On an address of its own, a port that is given up stays free: no other test asks for one there.
async fn socket_on(address: &str) -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind(address).await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn request(server: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (length, from) = server.recv_from(&mut buffer).await.unwrap();
    buffer.truncate(length);
    (buffer, from)
}

/// One probe of a server that answers each request with `answers`.
async fn probe(timeout: Duration, answers: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static) -> Outcome {
    let (server, address) = socket().await;
    tokio::spawn(async move {
        loop {
            let (request, from) = request(&server).await;
            for datagram in answers(&request) {
                server.send_to(&datagram, from).await.unwrap();
            }
        }
    });
    plain_prober(address, Transport::Udp, timeout).probe().await
}

#[tokio::test]
async fn an_answer_is_life() {
    let outcome = probe(LONG, |request| vec![answer(request, OK)]).await;
    assert!(matches!(&outcome, Outcome::Alive { rtt, .. } if *rtt < LONG), "{outcome:?}");
    assert_eq!(alive(outcome), "200 OK");
}

#[tokio::test]
async fn codes_decide() {
    for (status, counts) in [
        ("100 Trying", true),
        ("302 Moved Temporarily", true),
        ("404 Not Here", true),
        ("603 Decline", true),
        ("500 Server Error", false),
        ("503 Service Unavailable", false),
    ] {
        let outcome = probe(LONG, move |request| vec![answer(request, status)]).await;
        let said = if counts { alive(outcome) } else { refused(outcome) };
        assert_eq!(said, status);
    }
}

#[tokio::test]
async fn a_provisional_answer_that_does_not_count_is_waited_out() {
    let (server, address) = socket().await;
    let mut prober = plain_prober(address, Transport::Udp, LONG);
    prober.subject.policy.sip_alive = StatusSet { ranges: [(200, 299)].into() };
    tokio::spawn(async move {
        let (request, from) = request(&server).await;
        server.send_to(&answer(&request, "100 Trying"), from).await.unwrap();
        server.send_to(&answer(&request, OK), from).await.unwrap();
        let (request, from) = super::udp::request(&server).await;
        server.send_to(&answer(&request, "100 Trying"), from).await.unwrap();
    });
    assert_eq!(alive(prober.probe().await), "200 OK");
    (prober.subject.policy.timeout, prober.wait) = (SHORT, SHORT);
    assert_eq!(failed(prober.probe().await), "no answer in 250ms (only 100 Trying)");
}

type Answer = fn(&[u8]) -> Vec<u8>;

#[tokio::test]
async fn what_does_not_repeat_the_token_is_no_answer() {
    let answers: [Answer; 9] = [
        |_| Vec::new(),
        wrong_branch,
        wrong_call_id,
        |request| replaced(&answer(request, OK), "Via: ", "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1, "),
        |request| replaced(&answer(request, OK), "Call-ID: ", "X: "),
        |request| answer(request, OK)[..40].to_vec(),
        |request| replaced(&answer(request, OK), "Content-Length: 0", "Content-Length: 1"),
        |request| replaced(&answer(request, OK), "SIP/2.0 200", "SIP/2.0 xxx"),
        <[u8]>::to_vec,
    ];
    let probes = answers.map(|wrong| probe(SHORT, move |request| vec![wrong(request)]));
    for outcome in futures_util::future::join_all(probes).await {
        assert_eq!(failed(outcome), "no answer in 250ms");
    }
}

#[tokio::test]
async fn a_flood_does_not_hide_the_answer() {
    // Less than a socket's buffer holds, and more than is read at a stretch.
    let outcome = probe(LONG, |request| {
        let garbage = |n: u8| if n.is_multiple_of(2) { vec![n; 20] } else { wrong_branch(request) };
        (0..100).map(garbage).chain([answer(request, OK)]).collect()
    });
    assert_eq!(alive(outcome.await), "200 OK");
}

#[tokio::test]
async fn an_answer_to_the_probe_before_is_not_life() {
    let (server, address) = socket().await;
    let mut prober = plain_prober(address, Transport::Udp, SHORT);
    tokio::spawn(async move {
        let mut late = Vec::new();
        loop {
            let (request, from) = request(&server).await;
            if !late.is_empty() {
                server.send_to(&late, from).await.unwrap();
            }
            late = answer(&request, OK);
        }
    });
    for _ in 0..3 {
        assert_eq!(failed(prober.probe().await), "no answer in 250ms");
    }
}

#[tokio::test]
async fn a_duplicate_does_not_answer_the_next_probe() {
    let (server, address) = socket().await;
    let mut prober = plain_prober(address, Transport::Udp, LONG);
    tokio::spawn(async move {
        let (request, from) = request(&server).await;
        for _ in 0..3 {
            server.send_to(&answer(&request, OK), from).await.unwrap();
        }
        let _ = super::udp::request(&server).await;
    });
    assert_eq!(alive(prober.probe().await), "200 OK");
    (prober.subject.policy.timeout, prober.wait) = (SHORT, SHORT);
    assert_eq!(failed(prober.probe().await), "no answer in 250ms");
}

#[tokio::test]
async fn an_answer_from_another_port_is_no_answer() {
    let (server, address) = socket().await;
    let (other, _) = socket().await;
    tokio::spawn(async move {
        let (request, from) = request(&server).await;
        other.send_to(&answer(&request, OK), from).await.unwrap();
    });
    let outcome = plain_prober(address, Transport::Udp, SHORT).probe().await;
    assert_eq!(failed(outcome), "no answer in 250ms");
}

#[tokio::test]
async fn an_icmp_error_that_quotes_the_question_is_a_clear_no() {
    let (server, address) = socket_on("127.0.0.2:0").await;
    drop(server);
    let mut prober = plain_prober(address, Transport::Udp, LONG);
    for _ in 0..3 {
        assert_eq!(refused(prober.probe().await), "ICMP says connection refused");
    }
}

/// Whoever can guess addresses and ports, and not the token, can have such errors sent, too.
#[tokio::test]
async fn an_icmp_error_that_quotes_something_else_does_not_decide() {
    let (server, address) = socket_on("127.0.0.4:0").await;
    let mut prober = plain_prober(address, Transport::Udp, SHORT);
    failed(prober.probe().await);
    drop(server);
    let open = prober.udp.open.as_ref().unwrap();
    for _ in 0..3 {
        // Each send takes the error of the one before.
        let _ = open.socket.send(b"REGISTER sip:somebody.else SIP/2.0\r\n").await;
    }
    assert!(open.socket.recv(&mut [0; 9]).await.is_err());
    assert_eq!(
        icmp::take_quotes(&open.socket, b"z9hG4bK"),
        icmp::Quotes::default(),
        "all of them have been taken"
    );
    let _server = UdpSocket::bind(address).await.unwrap();
    assert_eq!(failed(prober.probe().await), "no answer in 250ms");
}

/// A server that became slower than it used to be, or stood still, is alive; until the whole time-out is over.
#[tokio::test]
async fn a_late_answer_to_an_earlier_question_is_life_within_the_time_out() {
    let (server, address) = socket().await;
    let mut prober = plain_prober(address, Transport::Udp, LONG);
    prober.wait = Duration::from_millis(20);
    let late = tokio::spawn(async move {
        let (first, from) = request(&server).await;
        let _second = request(&server).await;
        server.send_to(&answer(&first, OK), from).await.unwrap();
        let _third = request(&server).await;
        // All questions before an answer have had it.
        server.send_to(&answer(&first, OK), from).await.unwrap();
        server
    });
    assert_eq!(failed(prober.probe().await), "no answer in 20ms");
    prober.wait = LONG;
    let Outcome::Alive { rtt, .. } = prober.probe().await else { panic!("it is alive") };
    assert!(rtt >= Duration::from_millis(20), "since the first question: {rtt:?}");
    prober.wait = SHORT;
    assert_eq!(failed(prober.probe().await), "no answer in 250ms");
    drop(late.await.unwrap());
}

#[tokio::test]
async fn a_question_that_was_lost_is_sent_once_more() {
    let (server, address) = socket().await;
    let mut prober = plain_prober(address, Transport::Udp, LONG);
    prober.repeat = Some(Duration::from_millis(20));
    let lossy = tokio::spawn(async move {
        let (lost, _) = request(&server).await;
        let (again, from) = request(&server).await;
        assert_eq!(lost, again, "the same, so that whoever got both knows");
        server.send_to(&answer(&again, OK), from).await.unwrap();
        server
    });
    assert_eq!(alive(prober.probe().await), "200 OK");
    // And no more than once.
    let server = lossy.await.unwrap();
    (prober.subject.policy.timeout, prober.wait) = (SHORT, SHORT);
    assert_eq!(failed(prober.probe().await), "no answer in 250ms");
    let mut buffer = [0; 2048];
    for _ in 0..2 {
        server.try_recv(&mut buffer).unwrap();
    }
    assert!(server.try_recv(&mut buffer).is_err());
}

/// Errors that come between probes: so many at a time, so often. Each time there is an answer at the end.
async fn alive_after_errors(address: &str, at_a_time: usize, times: usize) {
    let (_, server) = socket_on(address).await;
    let mut prober = plain_prober(server, Transport::Udp, LONG);
    for n in 0..times {
        if let Some(open) = &prober.udp.open {
            for _ in 0..at_a_time {
                // Nobody listens: on the loopback, the ICMP error is there when send returns, and the next send is told. The last one
                // of an odd number stays for the probe to find.
                let _ = open.socket.try_send(b"early");
            }
        }
        let listening = UdpSocket::bind(server).await.unwrap();
        let answering = tokio::spawn(async move {
            let (request, from) = request(&listening).await;
            listening.send_to(&answer(&request, OK), from).await.unwrap();
        });
        assert_eq!(alive(prober.probe().await), "200 OK", "{n}");
        answering.await.unwrap();
    }
}

#[tokio::test]
async fn icmp_errors_that_came_between_probes_never_take_the_room_of_answers() {
    alive_after_errors("127.0.0.41:0", 1, 1000).await;
}

#[tokio::test]
async fn nor_does_a_flood_of_them() {
    alive_after_errors("127.0.0.42:0", 2001, 5).await;
}

#[tokio::test]
async fn a_pending_icmp_error_does_not_keep_the_request_back() {
    let (server, address) = socket_on("127.0.0.3:0").await;
    let mut prober = plain_prober(address, Transport::Udp, LONG);
    let first = tokio::spawn(async move {
        let (request, from) = request(&server).await;
        server.send_to(&answer(&request, OK), from).await.unwrap();
    });
    assert_eq!(alive(prober.probe().await), "200 OK");
    // The server is gone: on the loopback, the ICMP error is there when send returns.
    first.await.unwrap();
    prober.udp.open.as_ref().unwrap().socket.send(b"nobody hears this").await.unwrap();
    let server = UdpSocket::bind(address).await.unwrap();
    tokio::spawn(async move {
        let (request, from) = request(&server).await;
        server.send_to(&answer(&request, OK), from).await.unwrap();
    });
    assert_eq!(alive(prober.probe().await), "200 OK");
}

#[tokio::test]
async fn a_socket_is_kept_and_made_anew_when_it_cannot_send() {
    let (server, address) = socket().await;
    let mut prober = plain_prober(address, Transport::Udp, LONG);
    let sources = tokio::spawn(async move {
        let mut sources = Vec::new();
        for _ in 0..3 {
            let (request, from) = request(&server).await;
            server.send_to(&answer(&request, OK), from).await.unwrap();
            sources.push(from);
        }
        sources
    });
    alive(prober.probe().await);
    alive(prober.probe().await);
    let open = prober.udp.open.as_ref().unwrap();
    SockRef::from(&open.socket).shutdown(std::net::Shutdown::Write).unwrap();
    assert!(failed(prober.probe().await).starts_with(&format!("cannot send to {address}: ")));
    alive(prober.probe().await);
    let sources = sources.await.unwrap();
    assert_eq!(sources[0], sources[1]);
    assert_ne!(sources[1], sources[2]);
}

#[tokio::test]
async fn a_socket_is_made_anew_when_the_routes_have_changed_and_not_for_silence_alone() {
    let (_server, address) = socket().await;
    let mut prober = plain_prober(address, Transport::Udp, SHORT);
    failed(prober.probe().await);
    assert!(prober.udp.open.is_some());
    prober.udp.open.as_mut().unwrap().local = "127.0.0.9:4000".parse().unwrap();
    failed(prober.probe().await);
    assert!(prober.udp.open.is_none());
}

#[tokio::test]
async fn a_server_without_a_route_fails_in_words() {
    // A broadcast address: connecting to it is not permitted.
    let server = "255.255.255.255:5060".parse().unwrap();
    let said = unable(plain_prober(server, Transport::Udp, LONG).probe().await);
    assert_eq!(said, "cannot open a UDP socket to 255.255.255.255:5060: permission denied");
    let said = unable(plain_prober(server, Transport::Tcp, LONG).probe().await);
    assert_eq!(said, "cannot open a TCP socket to 255.255.255.255:5060: permission denied");
}

#[tokio::test]
async fn a_hostile_reason_is_tamed() {
    let outcome =
        probe(LONG, |request| vec![answer(request, &format!("200 \x1b[2J\u{202e}{}", "x".repeat(9000)))]);
    let said = alive(outcome.await);
    assert!(said.starts_with("200 [2J") && said.len() < 100 && !said.contains('\u{202e}'), "{said}");
}
