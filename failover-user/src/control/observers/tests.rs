use super::*;

fn seen(target: Option<&str>, reason: &str) -> Arc<Seen> {
    Arc::new(Seen {
        time: String::new(),
        interface: "lan0".into(),
        verdict: "pass".into(),
        reason: reason.into(),
        target: target.map(str::to_owned),
        backup: None,
        egress: Some("srv1".into()),
        cpu: 0,
        protocol: None,
        from: None,
        to: None,
        new_from: None,
        new_to: None,
        says: None,
        length: 0,
        before: String::new(),
        new_length: None,
        after: None,
    })
}

fn observers() -> (Observers, mpsc::UnboundedReceiver<()>) {
    let (left, leaving) = mpsc::unbounded_channel();
    (Observers::new(left), leaving)
}

#[test]
fn packets_about_no_target_are_seen_only_under_a_reason_that_is_named() {
    let all = Observe::default();
    assert!(all.wants(&seen(Some("paris"), "steered"), &[]));
    assert!(!all.wants(&seen(None, "not-signalling"), &[]));
    let named = Observe { reasons: vec!["not-ours".into()], ..Observe::default() };
    assert!(named.wants(&seen(None, "not-ours"), &[]));
    assert!(!named.wants(&seen(Some("paris"), "steered"), &[]));
}

#[test]
fn every_filter_narrows() {
    let host: IpAddr = "192.0.2.9".parse().unwrap();
    let wish = Observe {
        targets: vec!["paris".into()],
        hosts: vec![host],
        interfaces: vec!["srv1".into()],
        ..Observe::default()
    };
    assert!(wish.wants(&seen(Some("paris"), "steered"), &[host]));
    assert!(!wish.wants(&seen(Some("lyon"), "steered"), &[host]));
    assert!(!wish.wants(&seen(Some("paris"), "steered"), &["192.0.2.8".parse().unwrap()]));
    let elsewhere = Observe { interfaces: vec!["wan0".into()], ..Observe::default() };
    assert!(!elsewhere.wants(&seen(Some("paris"), "steered"), &[]));
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let exit = |wish: &Observe| wish.check().err().map(|problem| problem.exit);
    assert_eq!(exit(&Observe::default()), None);
    assert_eq!(exit(&Observe { sample: 0, ..Observe::default() }), Some(2));
    assert_eq!(exit(&Observe { reasons: vec!["x".into()], ..Observe::default() }), Some(7));
    assert_eq!(exit(&Observe { targets: vec!["x".into(); 65], ..Observe::default() }), Some(2));
}

#[tokio::test]
async fn a_slow_observer_loses_packets_and_is_told_how_many() {
    let (observers, _leaving) = observers();
    let (mut slow, mut other) =
        (observers.join(Observe::default()).unwrap(), observers.join(Observe::default()).unwrap());
    let packet = seen(Some("paris"), "steered");
    for _ in 0..QUEUE + 5 {
        observers.publish(&packet, &[], 1);
        assert!(matches!(other.next().await, Some(Observation::Packet(_))), "the other one loses nothing");
    }
    let lost = Observation::Lost { packets: 5, by: "observer".into() };
    assert_eq!(slow.next().await, Some(lost));
    for _ in 0..QUEUE {
        assert!(matches!(slow.next().await, Some(Observation::Packet(_))));
    }
    observers.missed(7);
    for observer in [&mut slow, &mut other] {
        assert_eq!(observer.next().await, Some(Observation::Lost { packets: 7, by: "router".into() }));
    }
}

#[tokio::test]
async fn who_leaves_is_heard_and_makes_room() {
    let (observers, mut leaving) = observers();
    let mut there: Vec<_> = (0..MOST).map(|_| observers.join(Observe::default()).unwrap()).collect();
    assert!(observers.join(Observe::default()).is_none());
    drop(there.pop());
    assert_eq!(leaving.recv().await, Some(()));
    assert_eq!(observers.wishes().len(), MOST - 1);
    assert!(observers.join(Observe::default()).is_some());
}

#[tokio::test]
async fn the_last_packets_come_before_the_end() {
    let (observers, _leaving) = observers();
    let mut observer = observers.join(Observe::default()).unwrap();
    observers.publish(&seen(Some("paris"), "steered"), &[], 1);
    drop(observers);
    assert!(matches!(observer.next().await, Some(Observation::Packet(_))));
    assert_eq!(observer.next().await, None);
}

#[test]
fn a_sample_is_taken_of_what_is_left() {
    assert!((0..100).all(|_| by_chance(1, 1) && by_chance(10, 10)));
    let taken = (0..10_000).filter(|_| by_chance(100, 10)).count();
    assert!((700..1300).contains(&taken), "{taken} of 10,000");
}
