use super::*;

const HEALTHS: [Health; 5] = [Health::Unknown, Health::Up, Health::Suspect, Health::Down, Health::Recovering];

fn situation(admin: Admin, primary: Health, backups: &[Health], now: Serves) -> Situation<'_> {
    let (all_down, failback) = (AllDown::Primary, Failback::Immediate);
    let (drain, drain_limit) = (Drain::default(), Duration::from_hours(8));
    Situation {
        admin,
        all_down,
        primary,
        backups,
        now,
        failback,
        keeps: false,
        drain,
        drain_limit,
        told: false,
    }
}

fn auto(primary: Health, backups: &[Health], now: Serves) -> (Serves, Why) {
    decide(&situation(Admin::Auto, primary, backups, now))
}

#[test]
fn a_dead_primary_gives_way_to_the_first_healthy_backup() {
    let backups = [Health::Down, Health::Suspect, Health::Up];
    assert_eq!(auto(Health::Down, &backups, Serves::Primary), (Serves::Backup(1), Why::PrimaryDown));
}

#[test]
fn a_better_backup_does_not_pre_empt_the_one_that_serves() {
    let backups = [Health::Up, Health::Up];
    assert_eq!(auto(Health::Down, &backups, Serves::Backup(1)).0, Serves::Backup(1));
    assert_eq!(auto(Health::Down, &[Health::Up, Health::Down], Serves::Backup(1)).0, Serves::Backup(0));
}

#[test]
fn what_serves_goes_on_while_nothing_is_known() {
    for now in [Serves::Primary, Serves::Backup(0), Serves::Nobody] {
        assert_eq!(auto(Health::Unknown, &[Health::Unknown], now), (now, Why::PrimaryUnknown));
    }
    assert_eq!(auto(Health::Down, &[Health::Unknown], Serves::Backup(0)).0, Serves::Backup(0));
    assert_eq!(auto(Health::Down, &[Health::Unknown], Serves::Primary).0, Serves::Primary);
}

#[test]
fn a_recovering_primary_waits_for_its_time_unless_nobody_else_serves() {
    let up = [Health::Up];
    assert_eq!(auto(Health::Recovering, &up, Serves::Backup(0)).0, Serves::Backup(0));
    assert_eq!(auto(Health::Recovering, &[Health::Down], Serves::Backup(0)).0, Serves::Primary);
    assert_eq!(auto(Health::Recovering, &up, Serves::Primary).0, Serves::Primary);
    assert_eq!(auto(Health::Recovering, &[Health::Down], Serves::Nobody).0, Serves::Primary);
}

/// A backup that stalled for a moment, and was `down`, must not leave the calls to a dead primary for its hold-down.
#[test]
fn a_backup_that_answers_again_is_better_than_a_dead_primary() {
    let backups = [Health::Down, Health::Recovering];
    for now in [Serves::Primary, Serves::Backup(1)] {
        assert_eq!(auto(Health::Down, &backups, now), (Serves::Backup(1), Why::PrimaryDown));
    }
    assert_eq!(auto(Health::Down, &[Health::Up, Health::Recovering], Serves::Primary).0, Serves::Backup(0));
    assert_eq!(auto(Health::Recovering, &backups, Serves::Primary).0, Serves::Primary);
}

#[test]
fn with_nobody_healthy_the_policy_decides() {
    for (all_down, expected) in [
        (AllDown::Primary, Serves::Primary),
        (AllDown::Backup, Serves::Backup(0)),
        (AllDown::Drop, Serves::Nobody),
    ] {
        for (admin, why) in [(Admin::Auto, Why::AllDown), (Admin::Disabled, Why::DisabledWithoutBackup)] {
            let backups = [Health::Down, Health::Down];
            let situation =
                Situation { all_down, ..situation(admin, Health::Down, &backups, Serves::Primary) };
            assert_eq!(decide(&situation), (expected, why));
        }
    }
}

/// Every combination there is for two backups: no packet is sent to a server that is known to be bad while a better
/// one is there, and the operator's word stands above all.
#[test]
fn no_situation_steers_to_a_bad_backup() {
    for admin in [Admin::Auto, Admin::Disabled, Admin::Primary, Admin::Drain] {
        for primary in HEALTHS {
            for first in HEALTHS {
                for second in HEALTHS {
                    let draining = [(0, To::Primary), (1, To::Primary), (0, To::Backup), (1, To::Backup)];
                    let draining = draining.map(|(backup, to)| Serves::Draining { backup, to });
                    let others = [Serves::Primary, Serves::Backup(0), Serves::Backup(1), Serves::Nobody];
                    for now in others.into_iter().chain(draining) {
                        check(admin, primary, &[first, second], now, false);
                        check(admin, primary, &[first, second], now, true);
                    }
                }
            }
        }
    }
}

fn check(admin: Admin, primary: Health, backups: &[Health], now: Serves, keeps: bool) {
    let situation = Situation { keeps, ..situation(admin, primary, backups, now) };
    let (serves, why) = decide(&situation);
    if let Some(n) = serves.backup() {
        let kept = now.backup() == Some(n) && (backups[n] == Health::Unknown || why == Why::PrimaryUnknown);
        let best_there_is =
            backups[n] == Health::Recovering && !backups.iter().any(|health| is_healthy(*health));
        assert!(is_healthy(backups[n]) || kept || best_there_is, "{situation:?} → {serves:?}");
        assert_ne!(admin, Admin::Primary, "{situation:?}");
        let wanted = matches!(admin, Admin::Disabled | Admin::Drain)
            || matches!(serves, Serves::Draining { to: To::Primary, .. });
        assert!(wanted || !is_healthy(primary), "{situation:?} → {serves:?}");
        let keeps_dead = matches!(serves, Serves::Draining { .. }) && primary == Health::Down;
        assert!(!keeps_dead, "{situation:?} → {serves:?}");
    }
    // Once decided, nothing changes of itself.
    assert_eq!(decide(&Situation { now: serves, ..situation }).0, serves, "{situation:?}");
}

#[test]
fn manual_failback_waits_for_the_operator() {
    let manual = |primary, backups, now, told| {
        let failback = Failback::Manual;
        decide(&Situation { failback, told, ..situation(Admin::Auto, primary, backups, now) })
    };
    let up = [Health::Up];
    for primary in [Health::Up, Health::Suspect] {
        let kept = (Serves::Backup(0), Why::FailbackManual);
        assert_eq!(manual(primary, &up, Serves::Backup(0), false), kept);
        assert_eq!(manual(primary, &[Health::Unknown], Serves::Backup(0), false), kept);
        let returns = (Serves::Primary, Why::PrimaryHealthy);
        assert_eq!(manual(primary, &up, Serves::Backup(0), true), returns, "he has spoken");
        assert_eq!(manual(primary, &up, Serves::Primary, false), returns);
        assert_eq!(manual(primary, &[Health::Down], Serves::Backup(0), false), returns, "a dead backup");
        assert_eq!(manual(primary, &[Health::Down, Health::Up], Serves::Backup(0), false), returns);
    }
    assert_eq!(manual(Health::Down, &up, Serves::Primary, false).0, Serves::Backup(0));
}

#[test]
fn places_and_serving_are_each_others_inverse() {
    let draining = [(0, To::Primary), (7, To::Primary), (0, To::Backup), (7, To::Backup)]
        .map(|(backup, to)| Serves::Draining { backup, to });
    let others = [Serves::Primary, Serves::Backup(0), Serves::Backup(7), Serves::Nobody];
    for decided in others.into_iter().chain(draining) {
        let place = place(decided, Health::Down, &[Health::Up; 8]);
        let says = |place: Place| Availability::new(place.serving, place.live, 3).kept_by(place.keeper);
        assert_eq!(serves(says(place), 8), decided);
        assert_eq!(place.live, 0b1_1111_1110);
    }
    let odd = [(9, 0), (9, 1), (0, 1), (0, 10)];
    assert!(
        odd.iter()
            .all(|(n, keeper)| serves(Availability::new(*n, 0, 0).kept_by(*keeper), 8) == Serves::Primary)
    );
}

fn draining(backup: usize, to: To) -> Serves {
    Serves::Draining { backup, to }
}

/// Back to the primary, with what was found at the backup.
fn back(now: Serves, backups: &[Health], pins: Option<u64>) -> Situation<'_> {
    let drain = Drain { age: Duration::from_mins(1), pins };
    let failback = Failback::Drain;
    Situation { failback, keeps: true, drain, ..situation(Admin::Auto, Health::Up, backups, now) }
}

#[test]
fn failback_drains_until_nothing_is_left() {
    let (up, goes_on) = ([Health::Up], draining(0, To::Primary));
    for (now, pins) in
        [(Serves::Backup(0), Some(0)), (goes_on, None), (goes_on, Some(1)), (draining(0, To::Backup), None)]
    {
        assert_eq!(decide(&back(now, &up, pins)), (goes_on, Why::FailbackDrain), "{now:?}");
    }
    assert_eq!(decide(&back(goes_on, &up, Some(0))), (Serves::Primary, Why::Drained));
    assert_eq!(decide(&back(Serves::Primary, &up, Some(9))), (Serves::Primary, Why::PrimaryHealthy));
    let late = Drain { age: Duration::from_hours(8), pins: Some(9) };
    let over = Situation { drain: late, ..back(goes_on, &up, None) };
    assert_eq!(decide(&over), (Serves::Primary, Why::DrainLimit));
    let immediate = Situation { keeps: false, ..back(Serves::Backup(0), &up, None) };
    assert_eq!(decide(&immediate), (Serves::Primary, Why::PrimaryHealthy));
}

#[test]
fn a_backup_that_dies_keeps_nothing() {
    let goes_on = draining(0, To::Primary);
    for dead in [Health::Down, Health::Recovering] {
        for now in [goes_on, Serves::Backup(0)] {
            assert_eq!(
                decide(&back(now, &[dead, Health::Up], Some(3))),
                (Serves::Primary, Why::PrimaryHealthy)
            );
        }
    }
}

#[test]
fn a_primary_that_dies_again_finds_the_same_backup() {
    let situation =
        Situation { primary: Health::Down, ..back(draining(1, To::Primary), &[Health::Up; 2], Some(3)) };
    assert_eq!(decide(&situation), (Serves::Backup(1), Why::PrimaryDown));
    let unknown = Situation { primary: Health::Unknown, ..situation };
    assert_eq!(decide(&unknown), (draining(1, To::Primary), Why::PrimaryUnknown), "a restart");
}

#[test]
fn the_operator_drains_a_primary() {
    let drain = |primary, backups, now| decide(&situation(Admin::Drain, primary, backups, now));
    let (up, operator) = ([Health::Down, Health::Up], Why::Operator);
    for primary in [Health::Up, Health::Suspect, Health::Unknown, Health::Recovering] {
        assert_eq!(drain(primary, &up, Serves::Primary), (draining(1, To::Backup), operator));
    }
    assert_eq!(
        drain(Health::Up, &up, draining(0, To::Backup)),
        (draining(1, To::Backup), operator),
        "the next one"
    );
    assert_eq!(
        drain(Health::Up, &[Health::Up; 2], draining(1, To::Backup)).0,
        draining(1, To::Backup),
        "no pre-emption"
    );
    assert_eq!(drain(Health::Up, &[Health::Up], draining(0, To::Primary)).0, draining(0, To::Backup));
    assert_eq!(
        drain(Health::Up, &[Health::Up], Serves::Backup(0)).0,
        Serves::Backup(0),
        "nothing is left to drain"
    );
    let none = (Serves::Primary, Why::DrainWithoutBackup);
    for now in [Serves::Primary, draining(0, To::Backup), Serves::Backup(0)] {
        assert_eq!(drain(Health::Up, &[Health::Down, Health::Recovering], now), none);
    }
    assert_eq!(
        drain(Health::Down, &up, draining(1, To::Backup)).0,
        Serves::Backup(1),
        "a dead primary keeps nothing"
    );
}

#[test]
fn an_operators_drain_is_over_after_its_limit() {
    let late = Drain { age: Duration::from_hours(9), pins: None };
    let over = Situation {
        drain: late,
        ..situation(Admin::Drain, Health::Up, &[Health::Up], draining(0, To::Backup))
    };
    assert_eq!(decide(&over), (Serves::Backup(0), Why::DrainLimit));
}
