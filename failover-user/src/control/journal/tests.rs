use futures_util::FutureExt as _;

use super::*;

fn draft(kind: &str, target: Option<&str>) -> Draft {
    Draft { kind: kind.to_owned(), target: target.map(str::to_owned), ..Draft::default() }
}

fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

/// What a follower gets without waiting.
fn ready(follower: &mut Follower) -> Vec<Arc<Event>> {
    std::iter::from_fn(|| follower.next().now_or_never().flatten()).collect()
}

#[test]
fn an_event_gets_a_number_and_a_time_in_microseconds() {
    let journal = Journal::new();
    let first = journal.record(draft("started", None));
    let second = journal.record(Draft { reason: Some("why".to_owned()), ..draft("admin", Some("paris")) });
    assert_eq!((first.seq, second.seq), (1, 2));
    assert_eq!((second.kind.as_str(), second.target.as_deref()), ("admin", Some("paris")));
    assert_eq!(second.reason.as_deref(), Some("why"));
    let time: Timestamp = first.time.parse().expect("RFC 3339");
    assert!(Timestamp::now().duration_since(time).as_secs() < 60);
    let fraction = first.time.rsplit_once('.').expect("a fraction").1;
    assert_eq!(fraction.len(), "123456Z".len(), "{}", first.time);
    assert!(fraction.ends_with('Z'));
}

#[test]
fn a_time_without_a_fraction_still_has_six_digits() {
    assert_eq!(timestamp(Timestamp::UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
}

#[test]
fn the_history_is_bounded_and_recent_gives_its_end() {
    let journal = Journal::new();
    for _ in 0..HISTORY + 10 {
        journal.record(draft("health", None));
    }
    assert_eq!(journal.recent(usize::MAX).len(), HISTORY);
    assert_eq!(journal.recent(usize::MAX)[0].seq, 11);
    let last = HISTORY as u64 + 10;
    assert_eq!(numbers(&journal.recent(2)), [last - 1, last]);
    assert_eq!(journal.recent(0), []);
}

#[test]
fn about_gives_the_last_events_of_one_target_oldest_first() {
    let journal = Journal::new();
    for target in [Some("paris"), Some("rome"), Some("paris"), None, Some("paris"), Some("rome")] {
        journal.record(draft("health", target));
    }
    assert_eq!(numbers(&journal.about("paris", 2)), [3, 5]);
    assert_eq!(numbers(&journal.about("rome", 9)), [2, 6]);
    assert_eq!(journal.about("oslo", 9), []);
}

#[test]
fn a_follower_gets_the_history_and_then_what_is_new_without_gap_or_duplicate() {
    let journal = Journal::new();
    journal.record(draft("started", None));
    journal.record(draft("health", None));
    let mut follower = journal.subscribe();
    journal.record(draft("serving", None));
    let seen: Vec<_> = ready(&mut follower).iter().map(|event| event.seq).collect();
    assert_eq!(seen, [1, 2, 3]);
    journal.record(draft("serving", None));
    assert_eq!(ready(&mut follower)[0].seq, 4);
}

#[test]
fn a_follower_may_ask_for_the_end_of_the_history_alone() {
    let journal = Journal::new();
    for _ in 0..5 {
        journal.record(draft("health", None));
    }
    let mut follower = journal.subscribe_last(2);
    assert_eq!(follower.history().map(|event| event.seq).collect::<Vec<_>>(), [4, 5]);
    assert!(ready(&mut follower).is_empty());
}

#[test]
fn a_follower_may_ask_for_what_is_not_older() {
    let journal = Journal::new();
    let old = journal.record(draft("started", None));
    while timestamp(Timestamp::now()) == old.time {}
    let since = timestamp(Timestamp::now());
    for _ in 0..3 {
        journal.record(draft("health", None));
    }
    let numbers =
        |since: &str, n| journal.subscribe_since(since, n).history().map(|e| e.seq).collect::<Vec<_>>();
    assert_eq!(numbers(&since, HISTORY), [2, 3, 4]);
    assert_eq!(numbers(&since, 2), [3, 4]);
    assert_eq!(numbers(&old.time, HISTORY), [1, 2, 3, 4]);
    assert_eq!(numbers("9999-01-01T00:00:00.000000Z", HISTORY), [0; 0]);
    assert_eq!(
        journal.kinds().into_iter().collect::<Vec<_>>(),
        [("health".into(), 3), ("started".into(), 1)]
    );
}

#[test]
fn a_slow_follower_is_told_what_it_missed_and_numbers_stay_in_order() {
    let journal = Journal::new();
    let mut follower = journal.subscribe();
    for _ in 0..HISTORY + 7 {
        journal.record(draft("health", None));
    }
    let seen = ready(&mut follower);
    assert_eq!(seen[0].kind, "warning");
    assert_eq!(seen[0].reason.as_deref(), Some("this follower was too slow and missed 7 events"));
    assert_eq!(seen[0].seq, 7);
    assert_eq!(seen[1].seq, 8);
    assert!(seen.windows(2).all(|pair| pair[0].seq + 1 == pair[1].seq));
    assert_eq!(seen.len(), HISTORY + 1);
}

#[test]
fn writers_on_many_threads_leave_every_follower_with_one_unbroken_row() {
    let journal = Journal::new();
    let followers: Vec<_> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4).map(|_| scope.spawn(|| drop(each(&journal)))).collect();
        let followers = (0..20).map(|_| journal.subscribe()).collect();
        for writer in writers {
            writer.join().expect("writer");
        }
        followers
    });
    for mut follower in followers {
        let seen: Vec<_> = ready(&mut follower).iter().map(|event| event.seq).collect();
        assert_eq!(seen, (1..=400).collect::<Vec<u64>>());
    }
}

fn each(journal: &Journal) -> Vec<Event> {
    (0..100).map(|_| journal.record(draft("health", None))).collect()
}

#[test]
fn the_end_of_every_journal_ends_its_followers() {
    let journal = Journal::new();
    let mut follower = journal.subscribe();
    journal.record(draft("stopping", None));
    drop(journal);
    assert_eq!(follower.next().now_or_never().flatten().expect("the last event").seq, 1);
    assert_eq!(follower.next().now_or_never(), Some(None));
}

#[test]
fn long_text_is_cut_at_a_whole_character() {
    let journal = Journal::new();
    let event = journal.record(Draft { reason: Some("é".repeat(400)), ..draft("admin", None) });
    assert_eq!(event.reason.expect("reason"), "é".repeat(MAX_TEXT / 2));
}
