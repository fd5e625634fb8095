use super::*;
use crate::{
    cli::fixture::{down, target, view},
    control::message::{Event, Exchange, Exchanged, Transcript},
};

fn transcript() -> Transcript {
    let exchange = |time: &str, cseq, received: &str, outcome, rtt_us| Exchange {
        time: format!("2026-03-01T{time}Z"),
        sent: format!("OPTIONS sip:192.0.2.10:5060, CSeq {cseq}"),
        received: received.to_owned(),
        outcome,
        rtt_us,
    };
    Transcript {
        service: "sip/udp".to_owned(),
        server: "primary".to_owned(),
        address: "192.0.2.10:5060".to_owned(),
        exchanges: vec![
            exchange("02:59:59.800000", 8, "200 OK", Exchanged::Alive, Some(131)),
            exchange("03:00:00.000000", 9, "no answer in 20ms", Exchanged::Silent, None),
        ],
    }
}

fn strip(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn show_tells_all_there_is() {
    let event = Event {
        seq: 3,
        time: "2026-03-01T03:00:00.000000Z".to_owned(),
        kind: "serving".to_owned(),
        target: Some("paris".to_owned()),
        server: None,
        from: Some("primary".to_owned()),
        to: Some("backup nsp-1".to_owned()),
        reason: None,
    };
    let detail = TargetDetail {
        schema: SCHEMA,
        target: down("paris"),
        address: "192.0.2.10".to_owned(),
        addresses: vec!["192.0.2.10".to_owned(), "2001:db8::10".to_owned()],
        services: vec!["sip/udp".to_owned(), "sip/tcp".to_owned()],
        events: vec![event],
        transcripts: vec![transcript()],
    };
    assert_eq!(
        strip(&text(&detail, &view())),
        "paris: BACKUP nsp-1\n\
         \x20 address   192.0.2.10, 2001:db8::10\n\
         \x20 services  sip/udp, sip/tcp\n\
         \x20 health    down\n\
         \x20 admin     auto\n\
         \x20 since     3m 12s ago (2026-03-01 03:00:00 UTC)\n\
         \x20 reason    sip options: no answer, 3 of 3\n\
         \x20 steered   10 packets, 5000 bytes\n\
         \x20 returned  9 packets\n\
         \x20 pins      4\n\
         \n\
         TARGET  SERVER   SERVICE  ADDRESS               HEALTH  RTT     LAST\n\
         paris   primary  (all)                          down    -\n\
         paris   primary  sip/udp  192.0.2.10:5060       down    -       no answer in 300ms\n\
         paris   nsp-1    (all)                          up      1.2 ms\n\
         paris   nsp-1    sip/udp  [2001:db8::20]:15060  up      120 µs  200 OK\n\
         \n\
         LAST PROBES\n\
         sip/udp of primary at 192.0.2.10:5060\n\
         \x20 2026-03-01 02:59:59.800  OPTIONS sip:192.0.2.10:5060, CSeq 8 → 200 OK, 131 µs\n\
         \x20 2026-03-01 03:00:00.000  OPTIONS sip:192.0.2.10:5060, CSeq 9 → no answer in 20ms\n\
         \n\
         LAST EVENTS\n\
         2026-03-01 03:00:00.000  paris  serving  primary → backup nsp-1\n"
    );
}

#[test]
fn the_outcome_of_a_command_is_one_sentence() {
    let disabled = TargetStatus {
        admin: Admin::Disabled,
        admin_until: Some("2026-03-01T05:03:12Z".to_owned()),
        ..down("paris")
    };
    assert_eq!(
        outcome(&disabled, &view()),
        "paris: BACKUP nsp-1 serves; admin DISABLED until 2026-03-01 05:03:12 UTC (in 2h)\n"
    );
    assert_eq!(outcome(&target("paris"), &view()), "paris: primary serves; admin auto\n");
}

#[test]
fn without_a_daemon_auto_means_the_primary_and_an_end_needs_one() {
    assert!(meaning(Admin::Auto, None).contains("means the primary until a daemon returns"));
    assert!(meaning(Admin::Disabled, Some(Duration::from_hours(2))).contains("2h"));
}
