use super::*;

const HEALTHS: [Health; 5] = [Health::Unknown, Health::Up, Health::Suspect, Health::Down, Health::Recovering];

fn situation(admin: Admin, primary: Health, backups: &[Health], now: Serves) -> Situation<'_> {
    let (all_down, failback) = (AllDown::Primary, Failback::Immediate);
    Situation { admin, all_down, primary, backups, now, failback, told: false }
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
    for admin in [Admin::Auto, Admin::Disabled, Admin::Primary] {
        for primary in HEALTHS {
            for first in HEALTHS {
                for second in HEALTHS {
                    for now in [Serves::Primary, Serves::Backup(0), Serves::Backup(1), Serves::Nobody] {
                        check(admin, primary, &[first, second], now);
                    }
                }
            }
        }
    }
}

fn check(admin: Admin, primary: Health, backups: &[Health], now: Serves) {
    let situation = situation(admin, primary, backups, now);
    let (serves, why) = decide(&situation);
    if let Serves::Backup(n) = serves {
        let kept = now == serves && (backups[n] == Health::Unknown || why == Why::PrimaryUnknown);
        let best_there_is =
            backups[n] == Health::Recovering && !backups.iter().any(|health| is_healthy(*health));
        assert!(is_healthy(backups[n]) || kept || best_there_is, "{situation:?} → {serves:?}");
        assert_ne!(admin, Admin::Primary, "{situation:?}");
        assert!(admin == Admin::Disabled || !is_healthy(primary), "{situation:?} → {serves:?}");
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
    for decided in [Serves::Primary, Serves::Backup(0), Serves::Backup(7), Serves::Nobody] {
        let place = place(decided, Health::Down, &[Health::Up; 8]);
        assert_eq!(serves(place.serving, 8), decided);
        assert_eq!(place.live, 0b1_1111_1110);
    }
    assert_eq!(serves(9, 8), Serves::Primary);
}
