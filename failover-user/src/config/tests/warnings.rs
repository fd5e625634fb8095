//! What is odd.

use super::{BACKUP, ROUTER, TARGET, file, right};

const LYON: &str = "[[target]]\nname = \"lyon\"\naddress = \"192.0.2.20\"\n";

fn warnings(text: &str) -> Vec<String> {
    right(text).warnings
}

#[test]
fn a_shared_backup_cannot_always_be_told_apart() {
    let found = warnings(&format!("{ROUTER}{TARGET}{BACKUP}{LYON}{BACKUP}"));
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    assert!(
        warning
            .starts_with("targets paris and lyon share the backup 198.51.100.20 at udp 5060 and tcp 5060: "),
        "{warning}"
    );
    assert!(warning.contains("cannot always be told apart on the way back"), "{warning}");
    assert!(warning.contains("Set `ports` or give another address"), "{warning}");
}

#[test]
fn a_prefix_for_envelopes_that_nobody_gets_has_no_effect() {
    let source = "envelope_source = \"203.0.113.16/28\"";
    let alone = BACKUP.replace("198.51.100.20", "2001:db8::20");
    let six_alone = format!("{ROUTER}{source}\n{TARGET}steer = \"ipip\"\n{alone}");
    for text in [file(source, "", "dedicated = true"), six_alone] {
        let found = warnings(&text);
        assert!(found.len() == 1 && found[0].starts_with("envelope_source has no effect: "), "{found:?}");
    }
}

#[test]
fn ports_of_its_own_tell_a_target_apart() {
    let ports = "ports = { \"sip/udp\" = 15060, \"sip/tcp\" = 15060 }\n";
    assert_eq!(warnings(&format!("{ROUTER}{TARGET}{BACKUP}{LYON}{BACKUP}{ports}")), [""; 0]);
    let half = "ports = { \"sip/udp\" = 15060 }\n";
    let found = warnings(&format!("{ROUTER}{TARGET}{BACKUP}{LYON}{BACKUP}{half}"));
    assert!(found.len() == 1 && found[0].contains("198.51.100.20 at tcp 5060:"), "{found:?}");
}

#[test]
fn many_targets_on_one_backup_give_one_warning() {
    let targets: Vec<_> =
        (1..=9).map(|n| format!("[[target]]\nname = \"t{n}\"\naddress = \"192.0.2.{n}\"\n")).collect();
    let found = warnings(&format!("{ROUTER}{}{}", BACKUP.replace("target", "defaults"), targets.concat()));
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    assert!(warning.starts_with("targets t1, t2, t3, t4, t5 and 4 more share the backup"), "{warning}");
}

#[test]
fn a_backup_of_one_target_could_be_dedicated() {
    let found = warnings(&file("", "", ""));
    assert!(found.len() == 1 && found[0].contains("With `dedicated = true`"), "{found:?}");
    for said in ["dedicated = true", "dedicated = false"] {
        assert_eq!(warnings(&file("", "", said)), [""; 0]);
    }
}

#[test]
fn a_question_to_all_gatekeepers_is_answered_for_the_first() {
    let services = "services = [\"sip\", \"ras\"]\n";
    let dedicated = "dedicated = false";
    assert_eq!(warnings(&file("", services, dedicated)), [""; 0]);
    let other = BACKUP.replace("198.51.100.20", "198.51.100.21") + dedicated;
    let two = format!("{ROUTER}{TARGET}{services}{BACKUP}{dedicated}\n{LYON}{services}{other}");
    let found = warnings(&two);
    assert_eq!(found.len(), 1, "{found:?}");
    let all = "targets paris, lyon have `ras`: a phone that asks for any gatekeeper";
    assert!(found.iter().any(|warning| warning.starts_with(all)), "{found:?}");
}

/// Paris with these addresses, and backups with those.
fn families(address: &str, backups: &[&str]) -> Vec<String> {
    let backup = |(n, address): (usize, &&str)| {
        format!("[[target.backup]]\nname = \"b{n}\"\naddress = {address}\ndedicated = true\n")
    };
    let backups: String = backups.iter().enumerate().map(backup).collect();
    warnings(&format!("{ROUTER}[[target]]\nname = \"paris\"\naddress = {address}\n{backups}"))
}

const V4: &str = "\"198.51.100.1\"";
const V6: &str = "\"2001:db8:1::1\"";
const DUAL: &str = "[\"192.0.2.10\", \"2001:db8::10\"]";

#[test]
fn families_that_fit_are_not_odd() {
    for (address, backups) in [
        ("\"2001:db8::10\"", &[V6][..]),
        (DUAL, &["[\"198.51.100.1\", \"2001:db8:1::1\"]", "[\"2001:db8:1::2\", \"198.51.100.2\"]"]),
    ] {
        assert_eq!(families(address, backups), [""; 0]);
    }
}

#[test]
fn a_family_that_no_backup_has_is_never_steered() {
    let found = families(DUAL, &[V4, "\"198.51.100.2\""]);
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    assert!(
        warning.starts_with("target paris: no backup has an IPv6 address, so packets to 2001:db8::10"),
        "{warning}"
    );
    assert!(warning.contains("never steered") && warning.contains("counted as no-endpoint"), "{warning}");
}

#[test]
fn a_family_that_a_backup_lacks_is_unsteered_while_it_serves() {
    let found = families(DUAL, &["[\"198.51.100.2\", \"2001:db8:1::2\"]", V6, "\"2001:db8:1::3\""]);
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    let text = "target paris: without an IPv4 address, b1 and b2 cannot serve all of it: meanwhile packets to 192.0.2.10";
    assert!(warning.starts_with(text), "{warning}");
}

#[test]
fn a_family_that_the_target_lacks_is_of_no_use() {
    let found = families("\"192.0.2.10\"", &["[\"198.51.100.1\", \"2001:db8:1::1\"]"]);
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    let text = "target paris: backup b0 has an IPv6 address (2001:db8:1::1), and the target has none: it is neither used";
    assert!(warning.starts_with(text), "{warning}");
}

#[test]
fn a_backup_may_be_a_target_itself() {
    let itself = BACKUP.replace("198.51.100.20", "192.0.2.20");
    let found = warnings(&format!("{ROUTER}{TARGET}{itself}{LYON}{BACKUP}dedicated = true\n"));
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    assert!(warning.contains("backup nsp-1 (192.0.2.20) is itself the target lyon"), "{warning}");
}

#[test]
fn two_services_on_one_port_cannot_always_be_told_apart() {
    let services = "services = [\"sip/udp\", \"sip/udp:5080\"]";
    let found = warnings(&file("", services, "dedicated = false\nports = { \"sip/udp:5080\" = 5060 }"));
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    assert!(warning.contains("sip/udp and sip/udp:5080 lead to one port of backup nsp-1"), "{warning}");
}

#[test]
fn a_pace_that_defeats_itself() {
    let probe = "dedicated = true\n[target.probe]\ninterval = \"100ms\"\nfast_interval = \"200ms\"\ntimeout = \"300ms\"";
    let found = warnings(&file("", "", probe));
    let [fast, timeout] = found.as_slice() else { panic!("{found:?}") };
    assert!(fast.contains("fast_interval (200ms) is longer than interval (100ms)"), "{fast}");
    assert!(timeout.contains("timeout (300ms) is longer than interval (100ms)"), "{timeout}");
}

#[test]
fn a_word_about_what_is_not_there() {
    let found = warnings(&file("", "services = [\"sip/udp\"]\ntcp_idle = \"1h\"", "dedicated = true"));
    assert!(found.len() == 1 && found[0].contains("tcp_idle has no effect"), "{found:?}");
    let found = warnings(&file("", "services = [\"sip/tcp\"]\naffinity = \"call\"", "dedicated = true"));
    assert!(found.len() == 1 && found[0].contains("affinity = \"call\" has no effect"), "{found:?}");
    let there = file("", "services = [\"sip\"]\ntcp_idle = \"1h\"", "dedicated = true");
    assert_eq!(warnings(&there), [""; 0]);
}
