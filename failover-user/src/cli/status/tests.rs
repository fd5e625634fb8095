use super::*;
use crate::cli::fixture::{down, interface, status, target, view};

fn shown(status: &Status) -> String {
    anstream::adapter::strip_str(&text(status, &view())).to_string()
}

fn lines(status: &Status) -> Vec<String> {
    shown(status).lines().map(str::to_owned).collect()
}

#[test]
fn all_well_is_said_in_the_first_line() {
    assert_eq!(
        shown(&status(vec![target("paris")])),
        "the target is on its primary\n\
         \n\
         TARGET  SERVED BY  HEALTH  ADMIN  SINCE                                 REASON\n\
         paris   primary    up      auto   3m 12s ago (2026-03-01 03:00:00 UTC)  -\n\
         \n\
         TARGET  SERVER   SERVICE  ADDRESS               HEALTH  RTT     LAST\n\
         paris   primary  (all)                          up      131 µs\n\
         paris   primary  sip/udp  192.0.2.10:5060       up      120 µs  200 OK\n\
         paris   nsp-1    (all)                          up      1.2 ms\n\
         paris   nsp-1    sip/udp  [2001:db8::20]:15060  up      120 µs  200 OK\n\
         \n\
         INTERFACE  STATE     MODE\n\
         wan0       attached  native\n\
         \n\
         daemon: pid 4711, up 3m 12s\n\
         flows: 1200 of 262144 entries; calls: 40 of 262144\n"
    );
}

#[test]
fn the_worst_comes_first() {
    let mut lost = down("oslo");
    lost.backups[0].health = Health::Down;
    let manual = TargetStatus { admin: Admin::Primary, ..target("bern") };
    let lines = lines(&status(vec![target("rome"), manual, down("paris"), lost]));
    assert_eq!(lines[0], "1 of 4 targets WITHOUT A HEALTHY SERVER, 2 more to be looked at");
    let order: Vec<_> = lines[3..7].iter().map(|line| line.split(' ').next().expect("a name")).collect();
    assert_eq!(order, ["oslo", "paris", "bern", "rome"]);
    assert!(lines[4].contains("BACKUP nsp-1"), "{}", lines[4]);
    assert!(lines[4].ends_with("sip options: no answer, 3 of 3"), "{}", lines[4]);
}

#[test]
fn stale_is_loud_and_what_is_unknown_says_so() {
    let mut status = status(vec![TargetStatus { health: Health::Unknown, serving: None, ..target("paris") }]);
    status.router.stale = true;
    (status.router.pid, status.router.uptime_s, status.router.flows) = (None, None, None);
    let lines = lines(&status);
    assert_eq!(lines[0], "1 of 1 target to be looked at");
    assert!(lines[1].starts_with("STALE: no daemon watches."), "{}", lines[1]);
    assert!(lines[2].contains("systemctl start failover"), "{}", lines[2]);
    assert!(lines[5].starts_with("paris   unknown    unknown"), "{}", lines[5]);
    assert_eq!(lines.last().map(String::as_str), Some("daemon: not running"));
    assert!(text(&status, &view()).contains("\u{1b}[1m\u{1b}[31mSTALE"), "in bold red");
    status.targets[0].serving = Some(Serving::Primary);
    assert!(shown(&status).starts_with("the target is on its primary when last seen\nSTALE"));
}

#[test]
fn nobody_and_draining_are_in_capitals() {
    let nobody = TargetStatus { serving: Some(Serving::None), ..down("paris") };
    let to = |to: &str| Some(to.to_owned());
    let back = TargetStatus { serving: Some(Serving::Draining), draining_to: to("primary"), ..down("rome") };
    let away = TargetStatus { serving: Some(Serving::Draining), draining_to: to("backup"), ..down("oslo") };
    let lines = lines(&status(vec![back, away, nobody]));
    assert_eq!(lines[0], "1 of 3 targets WITHOUT A HEALTHY SERVER, 2 more to be looked at");
    assert!(lines[3].starts_with("paris   NOBODY "), "{}", lines[3]);
    assert!(lines[4].starts_with("rome    DRAINING to primary "), "{}", lines[4]);
    assert!(lines[5].starts_with("oslo    DRAINING to nsp-1 "), "{}", lines[5]);
}

#[test]
fn an_admin_state_tells_its_end_and_its_reason() {
    let manual = TargetStatus {
        admin: Admin::Disabled,
        admin_until: Some("2026-03-01T05:00:00Z".to_owned()),
        admin_reason: Some("upgrade".to_owned()),
        ..down("paris")
    };
    let lines = lines(&status(vec![manual]));
    let admin = "DISABLED until 2026-03-01 05:00:00 UTC (in 1h 56m): upgrade";
    assert!(lines[3].contains(admin), "{}", lines[3]);
}

#[test]
fn an_interface_without_the_data_plane_is_loud() {
    let mut status = status(vec![target("paris")]);
    status.router.interfaces.push(interface("lan0", false));
    let lines = lines(&status);
    assert_eq!(lines[1], "lan0 IS NOT ATTACHED: what comes in there is not steered");
    assert!(lines.contains(&"lan0       NOT ATTACHED  -       no such device".to_owned()), "{lines:?}");
}

#[test]
fn without_targets_it_says_so() {
    assert_eq!(lines(&status(vec![]))[0], "no target is configured");
}

#[test]
fn hostile_words_cannot_drive_the_terminal() {
    let mut hostile = down("paris");
    hostile.reason = Some("\u{1b}[2J503".to_owned());
    hostile.probes[0].last = Some("500 \u{9b}31m\r\n".to_owned());
    let text = shown(&status(vec![hostile]));
    assert!(!text.chars().any(|char| char.is_control() && char != '\n'), "{text:?}");
    assert!(text.contains("\\u{1b}[2J503"), "{text}");
}
