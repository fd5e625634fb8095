//! Whatever is in the file: an answer, and no panic.

use proptest::prelude::*;

use super::file;
use crate::config::{model::Config, parse};

/// Every place of every problem must be renderable, and what is accepted must hold.
fn survives(text: &str) {
    match parse("hostile.toml", text) {
        Ok(loaded) => holds(&loaded.config),
        Err(error) => {
            assert!(!error.problems().is_empty(), "{text:?}");
            assert!(error.report(true).ends_with('\n') && !error.to_string().is_empty());
        }
    }
}

fn holds(config: &Config) {
    assert!(!config.router.interfaces.is_empty() && !config.targets.is_empty());
    for target in &config.targets {
        assert!(!target.services.is_empty());
        assert!((1..=8).contains(&target.backups.len()));
        for backup in &target.backups {
            assert_eq!(backup.ports.len(), target.services.len());
            assert!(!target.addresses.iter().any(|address| backup.addresses.contains(address)));
        }
        assert!(target.servers().all(|server| !server.addresses.is_empty()));
    }
}

const TABLES: &[&str] =
    &["[router]", "[defaults]", "[[target]]", "[[target.backup]]", "[target.probe]", "[target]", "[site]"];
const WORDS: &[&str] = &[
    "interfaces",
    "max_flows",
    "control_socket",
    "envelope_source",
    "name",
    "address",
    "services",
    "steer",
    "failback",
    "ports",
    "dedicated",
    "probe",
    "sip",
    "sip.alive",
    "sip.tls",
    "fall",
    "interval",
    "backup",
    "target",
    "hook",
    "bogus",
];
const VALUES: &[&str] = &[
    "1",
    "0",
    "-1",
    "1.5",
    "true",
    "\"\"",
    "\"1s\"",
    "\"sip\"",
    "\"nat\"",
    "\"l2\"",
    "\"192.0.2.1\"",
    "\"::1\"",
    "[\"192.0.2.1\", \"::1\"]",
    "\"2001:db8::1\"",
    "[\"2001:db8::1\", \"192.0.2.1\"]",
    "[\"2001:db8::2\", \"192.0.2.2\"]",
    "[\"sip/udp:5080\", \"sip\"]",
    "{ \"sip/udp\" = 1 }",
    "{ name = \"a\" }",
    "[]",
    "[[]]",
    "{}",
    "1979-05-27",
    "inf",
    "\"\"\"\nx\"\"\"",
    "[{ name = \"b\", address = \"192.0.2.9\" }]",
    "\"é\"",
];

/// Pieces of configurations, good and bad.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(TABLES).prop_map(str::to_owned),
        (prop::sample::select(WORDS), prop::sample::select(VALUES))
            .prop_map(|(word, value)| format!("{word} = {value}")),
        "\\PC{0,20}",
    ]
}

proptest! {
    #[test]
    fn any_text_is_answered(text in any::<String>()) {
        survives(&text);
    }

    #[test]
    fn any_pieces_are_answered(pieces in prop::collection::vec(piece(), 0..24)) {
        survives(&pieces.join("\n"));
    }

    #[test]
    fn a_right_file_with_damage_is_answered(cut in 0_usize..400, insert in "\\PC{0,6}|[\"\\[\\]{}=.\n]{0,4}") {
        let mut text = file("max_flows = 2048", "services = [\"sip\"]", "ports = { \"sip/udp\" = 15060 }");
        let at = text.floor_char_boundary(cut.min(text.len()));
        text.insert_str(at, &insert);
        survives(&text);
        text.truncate(at);
        survives(&text);
    }
}

#[test]
fn deep_nesting_is_an_error() {
    for text in [
        format!("a = {}", "[".repeat(100_000)),
        format!("[{}a]", "a.".repeat(100_000)),
        format!("{}a = 1", "a.".repeat(100_000)),
        "a = {b = ".repeat(50_000),
    ] {
        survives(&text);
    }
}
