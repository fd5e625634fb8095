//! H.225.0 call signalling.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::proto::{
    h225::q931::{CallReference, Kind, Message},
    tpkt,
};

/// What a real GnuGk answers whatever call it is asked about: ReleaseComplete, call reference 0.
const GNUGK: [u8; 26] = [
    3, 0, 0, 26, 8, 2, 0, 0, 0x5a, 0x7e, 0, 0x0e, 5, 0x25, 0x40, 0x06, 0, 8, 0x91, 0x4a, 0, 2, 0x58, 0x14, 1,
    0,
];

/// One probe of a server that writes what `answer` makes of the call that it is asked about.
async fn probe(timeout: Duration, answer: impl Fn(u16) -> Vec<u8> + Send + 'static) -> Outcome {
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut prober = of_kind(ServiceKind::H225, server.local_addr().unwrap(), Transport::Tcp, timeout);
    tokio::spawn(async move {
        let (mut stream, _) = server.accept().await.unwrap();
        let mut header = [0; 4];
        stream.read_exact(&mut header).await.unwrap();
        let mut request = vec![0; usize::from(header[3]) - 4];
        stream.read_exact(&mut request).await.unwrap();
        let request = Message::parse(&request).unwrap();
        assert_eq!(request.kind, Kind::STATUS_ENQUIRY);
        assert!(request.user_information().unwrap().is_some() && !request.call.to_origin);
        stream.write_all(&answer(request.call.value)).await.unwrap();
        // Open until the prober ends it.
        let _ = stream.read(&mut header).await;
    });
    prober.probe().await
}

fn message(kind: Kind, value: u16) -> Vec<u8> {
    let call = CallReference { value, to_origin: true };
    tpkt::packet(&Message { call, kind, elements: Vec::new() }.to_bytes().unwrap()).unwrap()
}

#[tokio::test]
async fn any_answer_about_the_call_is_life() {
    assert_eq!(alive(probe(LONG, |_| GNUGK.to_vec()).await), "ReleaseComplete");
    assert_eq!(alive(probe(LONG, |call| message(Kind::RELEASE_COMPLETE, call)).await), "ReleaseComplete");
    assert_eq!(alive(probe(LONG, |call| message(Kind::STATUS, call)).await), "Status");
    // Cause 81: invalid call reference.
    let with_cause = |_| [3, 0, 0, 13, 8, 2, 0x80, 0, 0x7d, 8, 2, 0x80, 0xd1].to_vec();
    assert_eq!(alive(probe(LONG, with_cause).await), "Status, cause 81");
    let behind_others =
        |call| [tpkt::packet(b"").unwrap(), message(Kind::FACILITY, call), GNUGK.to_vec()].concat();
    assert_eq!(alive(probe(LONG, behind_others).await), "ReleaseComplete");
}

#[tokio::test]
async fn what_is_no_answer_to_this_question_is_none() {
    type Answer = fn(u16) -> Vec<u8>;
    let answers: [Answer; 5] = [
        |_| Vec::new(),
        |call| message(Kind::RELEASE_COMPLETE, call % 0x7fff + 1),
        |call| message(Kind::SETUP, call),
        |_| GNUGK[..25].to_vec(),
        |_| tpkt::packet(&[0xff; 4]).unwrap(),
    ];
    let probes = answers.map(|answer| probe(SHORT, answer));
    for outcome in futures_util::future::join_all(probes).await {
        assert_eq!(failed(outcome), "no answer in 250ms (connected)");
    }
}

#[tokio::test]
async fn another_protocol_fails_at_once() {
    let said = refused(probe(LONG, |_| b"SSH-2.0-OpenSSH_9.2p1\r\n".to_vec()).await);
    assert_eq!(said, "not a TPKT stream: a packet begins with 83, not with version 3");
}
