//! When probes happen, and what is reported.

use proptest::prelude::*;
use tokio::net::UdpSocket;

use super::*;

/// A server that answers the first `lives` requests and no more.
async fn server(lives: usize) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        for n in 0.. {
            let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
            if n < lives {
                socket.send_to(&answer(&buffer[..length], OK), from).await.unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn reports_tell_what_the_machine_knows() {
    let (_again, again) = mpsc::channel(1);
    let (reports, mut reported) = mpsc::channel(16);
    tokio::spawn(run(7, subject(server(2).await, Transport::Udp, SHORT), confirming(), again, reports));
    let mut seen = Vec::new();
    let mut before = None;
    for _ in 0..5 {
        let report = reported.recv().await.unwrap();
        assert!(report.id == 7 && report.fall == 2 && report.ever_alive);
        assert!(before.is_none_or(|before| before <= report.at));
        before = Some(report.at);
        assert!(report.question.starts_with("OPTIONS sip:127.0.0.1:"), "{}", report.question);
        seen.push((
            report.outcome.said().to_owned(),
            report.health,
            report.failures,
            report.transition.map(|change| change.from),
        ));
    }
    let said: Vec<String> = seen.iter().map(|(said, ..)| said.clone()).collect();
    assert_eq!((said[0].as_str(), said[1].as_str()), (OK, OK));
    assert!(said[2..].iter().all(|said| said.starts_with("no answer in ")), "{said:?}");
    assert_eq!(said[4], "no answer in 250ms", "what is down is given all the time there is");
    let seen: Vec<_> = seen.into_iter().map(|(_, health, failures, from)| (health, failures, from)).collect();
    assert_eq!(
        seen,
        [
            (Health::Up, 0, Some(Health::Unknown)),
            (Health::Up, 0, None),
            (Health::Suspect, 1, Some(Health::Up)),
            (Health::Down, 2, Some(Health::Suspect)),
            (Health::Down, 3, None),
        ]
    );
}

#[tokio::test]
async fn a_probe_that_is_asked_for_starts_at_once_and_is_reported_before_it_is_answered() {
    let mut subject = subject(server(usize::MAX).await, Transport::Udp, LONG);
    subject.policy.interval = Duration::from_hours(1);
    let (again, asked) = mpsc::channel(4);
    let (reports, mut reported) = mpsc::channel(16);
    tokio::spawn(run(1, subject, confirming(), asked, reports));
    reported.recv().await.unwrap();
    for _ in 0..3 {
        let (done, answered) = oneshot::channel();
        again.send(done).await.unwrap();
        answered.await.unwrap();
        assert_eq!(reported.try_recv().unwrap().health, Health::Up);
    }
    assert!(reported.try_recv().is_err());
}

#[tokio::test]
async fn a_prober_ends_when_nobody_listens() {
    let mut subject = subject(server(usize::MAX).await, Transport::Udp, LONG);
    subject.policy.interval = Duration::from_hours(1);
    let (_again, again) = mpsc::channel(1);
    let (reports, mut reported) = mpsc::channel(16);
    let task = tokio::spawn(run(1, subject, confirming(), again, reports));
    reported.recv().await.unwrap();
    drop(reported);
    task.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn waits_until_the_next_probe_or_until_somebody_asks() {
    let (ask, mut again) = mpsc::channel(4);
    let start = tokio::time::Instant::now();
    let at = |seconds: u64| start + Duration::from_secs(seconds);

    assert_eq!(wait(at(10), start, &mut again).await.len(), 0);
    assert_eq!(start.elapsed(), Duration::from_secs(10));

    for _ in 0..3 {
        ask.send(oneshot::channel().0).await.unwrap();
    }
    assert_eq!(wait(at(20), start, &mut again).await.len(), 3);
    assert_eq!(start.elapsed(), Duration::from_secs(10), "at once");

    ask.send(oneshot::channel().0).await.unwrap();
    assert_eq!(wait(at(20), at(12), &mut again).await.len(), 1);
    assert_eq!(start.elapsed(), Duration::from_secs(12), "not before the earliest");

    assert_eq!(wait(at(5), at(12), &mut again).await.len(), 0);
    assert_eq!(start.elapsed(), Duration::from_secs(12), "past: at once");

    drop(ask);
    assert_eq!(wait(at(30), start, &mut again).await.len(), 0);
    assert_eq!(start.elapsed(), Duration::from_secs(30), "nobody can ask any more");
}

proptest! {
    #[test]
    fn jitter_is_a_tenth_at_most(interval in 0_u64..100_000, random in any::<u32>()) {
        let interval = Duration::from_millis(interval);
        let jittered = jittered(interval, random);
        prop_assert!(jittered >= interval.mul_f64(0.899_999) && jittered <= interval.mul_f64(1.100_001));
    }
}

#[test]
fn jitter_reaches_both_ends() {
    let second = Duration::from_secs(1);
    assert_eq!((jittered(second, 0), jittered(second, u32::MAX)), (second.mul_f64(0.9), second.mul_f64(1.1)));
}

/// A data plane that exempts nothing keeps every probe from being sent: the server's health stays unknown, however
/// often that happens.
#[tokio::test]
async fn what_this_machine_cannot_do_is_no_failure_of_the_server() {
    let (exemptions, mut asked) = mpsc::channel::<Exemption>(16);
    tokio::spawn(async move { while asked.recv().await.is_some() {} });
    let (_again, again) = mpsc::channel(1);
    let (reports, mut reported) = mpsc::channel(1);
    tokio::spawn(run(7, subject(server(2).await, Transport::Udp, SHORT), exemptions, again, reports));
    for _ in 0..5 {
        let report = reported.recv().await.unwrap();
        assert!(matches!(report.outcome, Outcome::Unable { .. }), "{report:?}");
        assert_eq!((report.health, report.failures, report.transition), (Health::Unknown, 0, None));
    }
}
