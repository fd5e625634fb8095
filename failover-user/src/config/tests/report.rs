//! What a person sees.

use super::{file, wrong};
use crate::config::parse;

#[test]
fn a_report_has_file_line_caret_and_help() {
    let error = wrong(&file("", "steer = \"nta\"", ""));
    let expected = r#"  × `steer` cannot be `nta`: expected one of "nat", "l2", "ipip"
   ╭─[failover.toml:7:9]
 6 │ address = "192.0.2.10"
 7 │ steer = "nta"
   ·         ──┬──
   ·           ╰── expected one of "nat", "l2", "ipip"
 8 │ [[target.backup]]
   ╰────
  help: did you mean "nat"?
"#;
    assert_eq!(error.report(false), expected);
}

#[test]
fn a_report_shows_both_places() {
    let error = wrong(&file("", "services = [\"sip\", \"sip/udp\"]", ""));
    let report = error.report(false);
    assert!(report.contains("first here") && report.contains("a second time"), "{report}");
}

#[test]
fn color_is_a_choice() {
    let error = wrong(&file("", "steer = \"nta\"", ""));
    assert!(!error.report(false).contains('\u{1b}'));
    assert!(error.report(true).contains('\u{1b}'));
}

#[test]
fn an_empty_file_has_a_report() {
    let report = wrong("").report(false);
    assert!(report.contains("[router]") && report.contains("[[target]]"), "{report}");
}

#[test]
fn a_report_holds_no_control_characters_of_the_file() {
    let text = file("", "name\t= \"\u{1b}[31m\u{202e}\"\r\n\"\\u001b[0m\" = 1", "");
    for report in [wrong(&text).report(false), wrong(&text).to_string()] {
        assert!(report.chars().all(|c| c == '\n' || !c.is_control()), "{report:?}");
    }
}

#[test]
fn a_line_too_long_for_a_screen_is_named_and_not_shown() {
    let text = file(&format!("bogus = \"{}\"", "x".repeat(1 << 20)), "", "");
    let report = wrong(&text).report(false);
    assert!(report.len() < 1000, "{}", report.len());
    assert!(report.contains("failover.toml:3:1: unknown word `bogus`"), "{report}");
    let text = file(&format!("forward = \"{}\"", "y".repeat(1 << 20)), "", "");
    assert!(wrong(&text).report(false).len() < 1000);
}

#[test]
fn places_count_characters() {
    let error = parse("x", "\"é\" = \"é\" # é\n[router]\ninterfaces = [\"é\", \"ü/\"]\n").unwrap_err();
    let places: Vec<_> = error.problems().iter().map(|p| (p.line, p.column)).collect();
    assert!(places.contains(&(Some(3), Some(20))), "{places:?}");
}
