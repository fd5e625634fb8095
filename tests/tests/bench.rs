//! The benches run, and tell what they measured in the shape that others read. How fast anything is, no test says.

#![allow(clippy::unwrap_used)] // in a test, the modules beside it included, a panic is the report

#[path = "../benches/suite/mod.rs"]
mod suite;

use serde_json::Value;

use failover_tests::topology::{Weight, take_turn};
use suite::{Bench, Effort, report::Report};

/// Every row has these, and nothing else.
const FIELDS: [&str; 8] = ["bytes", "family", "flows", "name", "ns_median", "ns_min", "ratio", "ratio_to"];

fn rows(bench: Bench) -> Vec<Value> {
    let _turn = take_turn(Weight::Quick).unwrap();
    let report = Report { rows: suite::run(bench, &Effort::SMOKE).unwrap() };
    assert_eq!(report.verdict() == "no row has a limit", bench == Bench::Veth);
    assert_eq!(report.table().row_count(), report.rows.len());
    let text = report.json().to_string();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["schema"], 1);
    json["rows"].as_array().unwrap().clone()
}

fn check(rows: &[Value], expected: &[&str]) {
    for row in rows {
        let fields: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(fields, FIELDS);
        let (min, median) = (row["ns_min"].as_f64().unwrap(), row["ns_median"].as_f64().unwrap());
        assert!(0.0 < min && min <= median, "{row}");
        assert_eq!(row["ratio"].is_null(), row["ratio_to"].is_null(), "{row}");
    }
    let names: Vec<&str> = rows.iter().map(|row| row["name"].as_str().unwrap()).collect();
    for name in expected {
        assert!(names.contains(name), "{name} is not among {names:?}");
    }
    let unexpected: Vec<_> = names.iter().filter(|name| !expected.contains(name)).collect();
    assert!(unexpected.is_empty(), "{unexpected:?}");
}

#[test]
fn the_data_path_is_measured() {
    let expected = [
        "floor_pass",
        "floor_wrap",
        "floor_envelope",
        "floor_parse",
        "floor_forward",
        "pass_other",
        "pass_media",
        "pass_primary",
        "pass_primary_watched",
        "steer_nat",
        "return_nat",
        "steer_shared",
        "return_shared",
        "steer_nat_new_flow",
        "steer_dedicated",
        "steer_l2",
        "steer_ipip",
        "steer_call_affinity",
    ];
    let rows = rows(Bench::Datapath);
    check(&rows, &expected);
    for family in [4, 6] {
        let names: Vec<&str> = rows
            .iter()
            .filter(|row| row["family"] == family)
            .map(|row| row["name"].as_str().unwrap())
            .collect();
        assert!(expected.iter().all(|name| names.contains(name)), "{names:?}");
        let back = rows.iter().filter(|row| row["name"] == "return_nat" && row["family"] == family);
        assert_eq!(back.map(|row| &row["flows"]).collect::<Vec<_>>(), [1, 1, 64, 64, 256]);
    }
}

#[test]
fn live_frames_are_measured() {
    check(&rows(Bench::Veth), &["veth_kernel", "veth_dnat", "veth_steer_nat", "veth_steer_dedicated"]);
}

#[test]
fn watching_is_measured() {
    let _turn = take_turn(Weight::Heavy).unwrap();
    let figures = suite::health::run(suite::health::Fleet::SMOKE).unwrap();
    assert!(figures.table().contains("50 targets, 5 backups"));
    let json = figures.json();
    assert_eq!((&json["schema"], &json["health"]["deaths"]), (&1.into(), &10.into()));
    for figure in
        ["all_up_s", "cpu_percent", "probes_per_s", "late_p99_ms", "first_steered_s", "all_steered_s"]
    {
        assert!(json["health"][figure].as_f64().unwrap() > 0.0, "{figure}: {json}");
    }
    assert_eq!(json["health"]["met"].as_object().unwrap().len(), 3);
}

#[test]
fn deaths_are_measured() {
    let figures = suite::deaths::run(suite::deaths::Effort::SMOKE).unwrap();
    assert!(figures.table().contains("killed, with calls: 1 deaths"));
    let json = figures.json();
    let rows = json["deaths"].as_array().unwrap();
    assert_eq!((&json["schema"], rows.len()), (&1.into(), 2));
    for row in rows {
        for figure in ["took_ms", "switched_ms", "closed_ms", "since_closed_ms"] {
            assert_eq!(row[figure]["count"], 1, "{figure}: {row}");
        }
    }
    assert_eq!((&rows[0]["placed"], &rows[1]["placed"]), (&280.into(), &0.into()));
}

#[test]
fn unrest_is_measured() {
    use suite::unrest::{Ailment, run};
    for (ailment, name) in [(Ailment::Flapping, "flapping"), (Ailment::Slow, "slow")] {
        let figures = run(ailment, std::time::Duration::from_secs(4), 20).unwrap();
        assert!(figures.table().contains(&format!("{name} for 4s")));
        let json = figures.json();
        assert_eq!((&json["schema"], &json[name]["placed"]), (&1.into(), &240.into()));
        assert!(json[name]["met"].is_boolean());
    }
}
