//! RAS.

use tokio::net::UdpSocket;

use super::*;
use crate::{
    config::model::RasRequest,
    proto::h225::ras::{RasMessage, location::LocationRequest},
};

/// What a real GnuGk answered, its number still to be filled in.
const LRJ_UNDEFINED_REASON: [u8; 4] = [0x50, 0, 0, 0x60];
const LRJ_SECURITY_DENIAL: [u8; 6] = [0x50, 0, 0, 0x80, 0x01, 0];
/// In maintenance, with an alternate.
const LRJ_RESOURCE_UNAVAILABLE: [u8; 19] =
    [0x52, 0, 0, 0x83, 1, 0, 1, 0x0b, 0, 1, 0, 0x0a, 0x63, 0, 0x0b, 0x06, 0xb7, 0x81, 0x80];

fn ras(server: SocketAddr, timeout: Duration, request: RasRequest) -> Prober {
    let mut prober = of_kind(ServiceKind::Ras, server, Transport::Udp, timeout);
    prober.subject.policy.ras = request;
    prober
}

/// The next question, and who asks.
async fn question(server: &UdpSocket) -> (RasMessage, SocketAddr) {
    let mut buffer = [0; 2048];
    let (length, from) = server.recv_from(&mut buffer).await.unwrap();
    (RasMessage::decode(&buffer[..length]).unwrap(), from)
}

/// `answer` with the number of a request: its third and fourth octet hold it, less one.
fn numbered(answer: &[u8], at: usize, number: u16) -> Vec<u8> {
    let mut octets = answer.to_vec();
    octets[at..at + 2].copy_from_slice(&(number - 1).to_be_bytes());
    octets
}

/// One probe of a server that sends what `answers` makes of the number that it reads.
async fn probe(timeout: Duration, answers: impl Fn(u16) -> Vec<Vec<u8>> + Send + 'static) -> Outcome {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut prober = ras(server.local_addr().unwrap(), timeout, RasRequest::Lrq);
    tokio::spawn(async move {
        let (asked, from) = question(&server).await;
        for answer in answers(asked.request_seq_num().unwrap()) {
            server.send_to(&answer, from).await.unwrap();
        }
    });
    prober.probe().await
}

#[tokio::test]
async fn any_reject_is_life() {
    for (answer, expected) in
        [(&LRJ_UNDEFINED_REASON[..], "LRJ undefinedReason"), (&LRJ_SECURITY_DENIAL, "LRJ securityDenial")]
    {
        let outcome = probe(LONG, move |number| vec![numbered(answer, 1, number)]).await;
        assert_eq!(alive(outcome), expected);
    }
}

/// As endpoints have it, who stop reading where the message ends, and do not know all that gatekeepers can say.
#[tokio::test]
async fn an_answer_that_says_more_than_is_known_is_life() {
    // A reason of a later version; a RIP with a signature before its delay.
    const LATER: [u8; 6] = [0x50, 0, 0, 0x8c, 0x01, 0];
    const SIGNED: [u8; 7] = [0x80, 0x05, 0x10, 0, 0, 0x01, 0x70];
    for (answer, at, expected) in [
        (&LATER[..], 1, "LRJ, which holds something unknown"),
        (&SIGNED, 3, "RIP, which holds something unknown"),
        (&[0x50, 0, 0, 0x60, 0xde, 0xad], 1, "LRJ undefinedReason"),
    ] {
        let outcome = probe(LONG, move |number| vec![numbered(answer, at, number)]).await;
        assert_eq!(alive(outcome), expected);
    }
    let padded = [&LRJ_RESOURCE_UNAVAILABLE[..], &[0; 8]].concat();
    let outcome = probe(LONG, move |number| vec![numbered(&padded, 1, number)]).await;
    assert_eq!(refused(outcome), "LRJ resourceUnavailable: alive, wants no calls");
}

#[tokio::test]
async fn who_is_in_maintenance_wants_no_calls() {
    let outcome = probe(LONG, |number| vec![numbered(&LRJ_RESOURCE_UNAVAILABLE, 1, number)]).await;
    assert_eq!(refused(outcome), "LRJ resourceUnavailable: alive, wants no calls");
}

#[tokio::test]
async fn what_counts_is_the_operator_s_to_say() {
    let asked = |words: &'static str, answer: &'static [u8]| async move {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut prober = ras(server.local_addr().unwrap(), LONG, RasRequest::Lrq);
        let text = format!(
            "[router]\ninterfaces = [\"a\"]\n[[target]]\nname = \"a\"\naddress = \"192.0.2.1\"\nprobe.ras.alive = {words}\n\
             [[target.backup]]\nname = \"b\"\naddress = \"192.0.2.2\"\n"
        );
        let loaded = crate::config::parse("ras", &text).unwrap();
        prober.subject.policy.ras_alive = loaded.config.targets[0].probe.ras_alive;
        tokio::spawn(async move {
            let (asked, from) = question(&server).await;
            let answer = numbered(answer, 1, asked.request_seq_num().unwrap());
            server.send_to(&answer, from).await.unwrap();
        });
        prober.probe().await
    };
    let maintenance = asked(r#"["confirm", "reject", "resourceUnavailable"]"#, &LRJ_RESOURCE_UNAVAILABLE);
    assert_eq!(alive(maintenance.await), "LRJ resourceUnavailable");
    let only = r#"["confirm", "undefinedReason"]"#;
    assert_eq!(alive(asked(only, &LRJ_UNDEFINED_REASON).await), "LRJ undefinedReason");
    assert_eq!(refused(asked(only, &LRJ_SECURITY_DENIAL).await), "LRJ securityDenial");
}

#[tokio::test]
async fn what_is_no_answer_to_this_question_is_none() {
    type Answer = fn(u16) -> Vec<u8>;
    let answers: [Answer; 6] = [
        |_| Vec::new(),
        |number| numbered(&LRJ_UNDEFINED_REASON, 1, number % 65_535 + 1),
        |number| numbered(&LRJ_UNDEFINED_REASON, 1, number)[..3].to_vec(),
        |number| numbered(&LRJ_RESOURCE_UNAVAILABLE, 1, number)[..12].to_vec(),
        // A GRJ, and a UCF.
        |number| numbered(&[0x08, 0, 0, 0, 0x06, 0, 8, 0x91, 0x4a, 0, 7, 0x60], 2, number),
        |number| numbered(&[0x1c, 0, 0], 1, number),
    ];
    let probes = answers.map(|answer| probe(SHORT, move |number| vec![answer(number)]));
    for outcome in futures_util::future::join_all(probes).await {
        assert_eq!(failed(outcome), "no answer in 250ms");
    }
}

#[tokio::test]
async fn an_answer_behind_forged_ones_is_found() {
    let outcome = probe(LONG, |number| {
        let forged = (1..=100).map(|n| numbered(&LRJ_RESOURCE_UNAVAILABLE, 1, (number ^ n).max(1)));
        forged.chain([numbered(&LRJ_UNDEFINED_REASON, 1, number)]).collect()
    });
    assert_eq!(alive(outcome.await), "LRJ undefinedReason");
}

#[tokio::test]
async fn the_question_is_the_one_that_gnugk_answers_anybody() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut prober = ras(server.local_addr().unwrap(), SHORT, RasRequest::Lrq);
    let asked = tokio::spawn(async move { question(&server).await });
    prober.probe().await;
    let (RasMessage::LocationRequest(LocationRequest { destination_info, reply_address, .. }), from) =
        asked.await.unwrap()
    else {
        panic!()
    };
    assert_eq!(destination_info[0].text().unwrap(), "gatekeeper-monitoring-check");
    assert_eq!(reply_address.socket_address(), Some(from));
}

#[tokio::test]
async fn a_discovery_names_no_gatekeeper_and_any_answer_is_life() {
    // What a real GnuGk answered: a GCF, and a GRJ in maintenance.
    let confirm = "06800000060008914a0007100047006e00750047006b00540065007300740\
                   00a63000106b7011a01400a63000b06b70e0047006e00750047006b0041006c007481";
    let reject = "0a800000060008914a0007100047006e00750047006b005400650073007400200b0001000a63000b06b78180";
    let answers = [confirm, reject].map(|hex| {
        let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect::<Vec<_>>()
    });
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut prober = ras(server.local_addr().unwrap(), LONG, RasRequest::Grq);
    tokio::spawn(async move {
        for answer in answers {
            let (asked, from) = question(&server).await;
            let RasMessage::GatekeeperRequest(ref request) = asked else { panic!() };
            assert!(request.gatekeeper_identifier.is_none());
            let answer = numbered(&answer, 2, asked.request_seq_num().unwrap());
            server.send_to(&answer, from).await.unwrap();
        }
    });
    assert_eq!(alive(prober.probe().await), "GCF");
    assert_eq!(refused(prober.probe().await), "GRJ resourceUnavailable: alive, wants no calls");
}

#[tokio::test]
async fn each_probe_has_its_own_number_and_port() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut prober = ras(server.local_addr().unwrap(), LONG, RasRequest::Lrq);
    let asked = tokio::spawn(async move {
        let mut asked = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let (message, from) = question(&server).await;
            let number = message.request_seq_num().unwrap();
            server.send_to(&numbered(&LRJ_UNDEFINED_REASON, 1, number), from).await.unwrap();
            asked.insert((from.port(), number));
        }
        let ports: std::collections::BTreeSet<_> = asked.iter().map(|(port, _)| *port).collect();
        (asked.len(), ports.len())
    });
    for _ in 0..20 {
        alive(prober.probe().await);
    }
    let (asked, ports) = asked.await.unwrap();
    assert_eq!(asked, 20);
    assert!(ports > 10, "{ports}");
}

#[tokio::test]
async fn an_answer_to_the_probe_before_is_not_life() {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut prober = ras(server.local_addr().unwrap(), SHORT, RasRequest::Lrq);
    tokio::spawn(async move {
        let mut late = None;
        loop {
            let (message, from) = question(&server).await;
            if let Some(number) = late {
                server.send_to(&numbered(&LRJ_UNDEFINED_REASON, 1, number), from).await.unwrap();
            }
            late = message.request_seq_num();
        }
    });
    for _ in 0..3 {
        assert_eq!(failed(prober.probe().await), "no answer in 250ms");
    }
}
