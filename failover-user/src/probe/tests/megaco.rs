//! MEGACO, over UDP and TCP.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, UdpSocket},
};

use super::*;
use crate::proto::tpkt;

/// The transaction that a question names.
fn transaction(question: &[u8], from: SocketAddr) -> u32 {
    let text = std::str::from_utf8(question).unwrap();
    let rest = text.strip_prefix(&format!("MEGACO/1 [127.0.0.1]:{}\nTransaction=", from.port())).unwrap();
    let (number, rest) = rest.split_once('{').unwrap();
    assert_eq!(rest, "Context=-{AuditValue=ROOT{Audit{}}}}\n");
    number.parse().unwrap()
}

async fn over_udp(timeout: Duration, answer: impl Fn(u32) -> String + Send + 'static) -> Outcome {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        let (length, from) = server.recv_from(&mut buffer).await.unwrap();
        let answer = answer(transaction(&buffer[..length], from));
        server.send_to(answer.as_bytes(), from).await.unwrap();
    });
    of_kind(ServiceKind::Megaco, address, Transport::Udp, timeout).probe().await
}

/// A server that sends the bytes that `answer` makes, and keeps the connection.
async fn over_tcp(timeout: Duration, answer: impl Fn(u32) -> Vec<u8> + Send + 'static) -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, from) = listener.accept().await.unwrap();
        let mut framer = tpkt::Framer::default();
        let mut chunk = [0; 4096];
        let question = loop {
            let length = stream.read(&mut chunk).await.unwrap();
            framer.push(&chunk[..length]).unwrap();
            if let Some(question) = framer.next_message().unwrap() {
                break question;
            }
        };
        for piece in answer(transaction(&question, from)).chunks(9) {
            // The prober may have heard enough.
            let _ = stream.write_all(piece).await;
        }
        std::future::pending::<()>().await;
    });
    of_kind(ServiceKind::Megaco, address, Transport::Tcp, timeout).probe().await
}

fn packet(text: &str) -> Vec<u8> {
    tpkt::packet(text.as_bytes()).unwrap()
}

#[tokio::test]
async fn a_reply_is_life_over_either_transport() {
    for (answer, expected) in [
        ("MEGACO/1 [127.0.0.1]:2944 Reply=T{Context=-{AuditValue=ROOT}}", "Reply"),
        ("!/1 [127.0.0.1] P=T{ER=403{\"no\"}}", "error 403 no"),
        ("!/1 [127.0.0.1] PN=T{}", "Pending"),
    ] {
        let filled = move |transaction: u32| answer.replace("=T{", &format!("={transaction}{{"));
        assert_eq!(alive(over_udp(LONG, filled).await), expected);
        assert_eq!(alive(over_tcp(LONG, move |transaction| packet(&filled(transaction))).await), expected);
    }
}

#[tokio::test]
async fn what_is_no_answer_to_this_question_is_none() {
    type Answer = fn(u32) -> String;
    let answers: [Answer; 6] = [
        |_| "garbage".to_owned(),
        |transaction| format!("!/1 [127.0.0.1] P={}{{C=-{{AV=ROOT}}}}", transaction ^ 1),
        |transaction| format!("!/1 [127.0.0.1] P={transaction}{{C=-{{AV=ROOT}}"),
        |transaction| format!("!/1 [127.0.0.1] T={transaction}{{C=-{{AV=ROOT{{AT{{}}}}}}}}"),
        |transaction| format!("!/1 [127.0.0.1] ER=400{{\"{transaction}\"}}"),
        |transaction| format!("200 {transaction} OK\r\n"),
    ];
    let probes = answers.map(|answer| over_udp(SHORT, answer));
    for outcome in futures_util::future::join_all(probes).await {
        assert_eq!(failed(outcome), "no answer in 250ms");
    }
    let probes = answers.map(|answer| over_tcp(SHORT, move |transaction| packet(&answer(transaction))));
    for outcome in futures_util::future::join_all(probes).await {
        assert_eq!(failed(outcome), "no answer in 250ms (connected)");
    }
}

#[tokio::test]
async fn an_answer_behind_others_is_found() {
    let outcome = over_tcp(LONG, |transaction| {
        let reply = packet(&format!("!/1 a P={transaction}{{C=-{{AV=ROOT}}}}"));
        [packet("!/1 a P=1{}"), packet(""), packet("garbage"), reply].concat()
    });
    assert_eq!(alive(outcome.await), "Reply");
}

#[tokio::test]
async fn a_stream_that_is_no_tpkt_fails_at_once() {
    let plain = over_tcp(LONG, |transaction| format!("!/1 a P={transaction}{{}}").into_bytes()).await;
    assert_eq!(refused(plain), "not a TPKT stream: a packet begins with 33, not with version 3");
    assert_eq!(
        refused(over_tcp(LONG, |_| vec![3, 0, 0, 1]).await),
        "malformed TPKT packet: its length of 1 is less than its own header's"
    );
    let chatter = over_tcp(LONG, |_| packet(&"x".repeat(60_000)).repeat(5)).await;
    assert_eq!(refused(chatter), "no answer in 262144 bytes");
}

#[tokio::test]
async fn the_errors_that_count_can_be_chosen() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut prober = of_kind(ServiceKind::Megaco, server.local_addr().unwrap(), Transport::Udp, LONG);
    prober.subject.policy.megaco_alive = StatusSet { ranges: [(400, 499)].into() };
    tokio::spawn(async move {
        for code in [510, 430] {
            let mut buffer = [0; 2048];
            let (length, from) = server.recv_from(&mut buffer).await.unwrap();
            let transaction = transaction(&buffer[..length], from);
            let answer = format!("!/1 a P={transaction}{{ER={code}{{\"why\"}}}}");
            server.send_to(answer.as_bytes(), from).await.unwrap();
        }
    });
    assert_eq!(refused(prober.probe().await), "error 510 why");
    assert_eq!(alive(prober.probe().await), "error 430 why");
}
