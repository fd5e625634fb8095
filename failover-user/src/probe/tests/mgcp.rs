//! MGCP.

use tokio::net::UdpSocket;

use super::*;

fn mgcp(server: SocketAddr, timeout: Duration) -> Prober {
    of_kind(ServiceKind::Mgcp, server, Transport::Udp, timeout)
}

/// One probe of a server that sends all of what `answers` makes of the transaction that it reads.
async fn probe(timeout: Duration, answers: impl Fn(u32) -> Vec<String> + Send + 'static) -> Outcome {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut prober = mgcp(server.local_addr().unwrap(), timeout);
    tokio::spawn(async move {
        let (transaction, from) = request(&server).await;
        for answer in answers(transaction) {
            server.send_to(answer.as_bytes(), from).await.unwrap();
        }
    });
    prober.probe().await
}

/// The transaction of the next question, and who asks.
async fn request(server: &UdpSocket) -> (u32, SocketAddr) {
    let mut buffer = [0; 2048];
    let (length, from) = server.recv_from(&mut buffer).await.unwrap();
    let text = std::str::from_utf8(&buffer[..length]).unwrap();
    let words: Vec<_> = text.split([' ', '\r', '\n']).collect();
    assert_eq!((words[0], words[2], words[3], words[4]), ("AUEP", "*@[127.0.0.1]", "MGCP", "1.0"), "{text}");
    (words[1].parse().unwrap(), from)
}

#[tokio::test]
async fn any_answer_is_life() {
    for (answer, expected) in [
        ("200 T OK\r\nZ: aaln/1@gw\r\n", "200 OK"),
        ("500 T Endpoint unknown\r\n", "500 Endpoint unknown"),
        ("100 T Pending\r\n", "100 Pending"),
        ("409 T\r\n", "409"),
        ("RSIP 1 *@gw MGCP 1.0\r\n.\r\n200 T OK\n", "200 OK"),
    ] {
        let outcome = probe(LONG, |transaction| vec![answer.replace('T', &transaction.to_string())]).await;
        assert_eq!(alive(outcome), expected);
    }
}

#[tokio::test]
async fn what_is_no_answer_to_this_question_is_none() {
    type Answer = fn(u32) -> String;
    let answers: [Answer; 8] = [
        |_| String::new(),
        |transaction| format!("200 {} OK\r\n", transaction % 999_999_999 + 1),
        |transaction| format!("200 {transaction}0 OK\r\n"),
        |transaction| format!("200 {transaction}"),
        |transaction| format!("000 {transaction}\r\n"),
        |transaction| format!("AUEP {transaction} *@[127.0.0.1] MGCP 1.0\r\n"),
        |transaction| format!("SIP/2.0 200 {transaction}\r\n"),
        |transaction| format!("{transaction} 200 OK\r\n"),
    ];
    let probes = answers.map(|answer| probe(SHORT, move |transaction| vec![answer(transaction)]));
    for outcome in futures_util::future::join_all(probes).await {
        assert_eq!(failed(outcome), "no answer in 250ms");
    }
}

#[tokio::test]
async fn the_codes_that_count_can_be_chosen() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut prober = mgcp(server.local_addr().unwrap(), LONG);
    prober.subject.policy.mgcp_alive = StatusSet { ranges: [(200, 299)].into() };
    tokio::spawn(async move {
        for answers in [&["409 T overload\r\n"][..], &["100 T\r\n", "200 T OK\r\n"]] {
            let (transaction, from) = request(&server).await;
            for answer in answers {
                let answer = answer.replace('T', &transaction.to_string());
                server.send_to(answer.as_bytes(), from).await.unwrap();
            }
        }
    });
    assert_eq!(refused(prober.probe().await), "409 overload");
    assert_eq!(alive(prober.probe().await), "200 OK");
}

#[tokio::test]
async fn an_answer_to_the_probe_before_is_not_life() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut prober = mgcp(server.local_addr().unwrap(), SHORT);
    tokio::spawn(async move {
        let (mut late, _) = request(&server).await;
        loop {
            let (transaction, from) = request(&server).await;
            server.send_to(format!("200 {late} OK\r\n").as_bytes(), from).await.unwrap();
            late = transaction;
        }
    });
    for _ in 0..3 {
        assert_eq!(failed(prober.probe().await), "no answer in 250ms");
    }
}

#[tokio::test]
async fn questions_differ() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut prober = mgcp(server.local_addr().unwrap(), LONG);
    let asked = tokio::spawn(async move {
        let mut asked = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let (transaction, from) = request(&server).await;
            assert!((1..=999_999_999).contains(&transaction));
            asked.insert(transaction);
            server.send_to(format!("200 {transaction} OK\r\n").as_bytes(), from).await.unwrap();
        }
        asked.len()
    });
    for _ in 0..20 {
        alive(prober.probe().await);
    }
    assert_eq!(asked.await.unwrap(), 20);
}
