//! Every word of the file: in which table it is at home, and whether its feature is built.

use std::{ops::RangeInclusive, time::Duration};

use super::section::Words;

const GATEKEEPER: &str =
    "it is for the backup gatekeeper, which has a file of its own: `failover gatekeeper run -c FILE`";

/// The file.
pub(super) const ROOT: Words = Words {
    table: "the router's file",
    known: &["router", "defaults", "target"],
    later: &[],
    foreign: &[("gatekeeper", GATEKEEPER), ("site", GATEKEEPER)],
};

/// `[router]`.
pub(super) const ROUTER: Words = Words {
    table: "[router]",
    known: &[
        "interfaces",
        "control_socket",
        "state_dir",
        "bpffs_dir",
        "forward",
        "max_flows",
        "envelope_source",
        "http_listen",
        "hook",
    ],
    later: &[
        ("api_listen", "leave it out: the control API is at `control_socket`, for this machine"),
        ("api_tls", "leave it out: the control API is at `control_socket`, for this machine"),
        ("api_token_file", "leave it out: the control API is at `control_socket`, for this machine"),
    ],
    foreign: &[],
};

/// An interface that is a table.
pub(super) const INTERFACE: Words =
    Words { table: "an interface", known: &["name", "mode"], later: &[], foreign: &[] };

/// `[[target]]`.
pub(super) const TARGET: Words = Words {
    table: "[[target]]",
    known: &[
        "name",
        "address",
        "services",
        "steer",
        "failback",
        "affinity",
        "all_down",
        "require",
        "replay",
        "learn",
        "udp_idle",
        "tcp_idle",
        "drain_limit",
        "backup",
        "probe",
    ],
    later: &[],
    foreign: &[],
};

/// `[defaults]`: whatever a target may say, but who it is.
pub(super) const DEFAULTS: Words = Words {
    table: "[defaults]",
    known: &[
        "services",
        "steer",
        "failback",
        "affinity",
        "all_down",
        "require",
        "replay",
        "learn",
        "udp_idle",
        "tcp_idle",
        "drain_limit",
        "backup",
        "probe",
    ],
    later: &[],
    foreign: &[
        ("name", "every target has a name of its own: write it under [[target]]"),
        ("address", "every target has an address of its own: write it under [[target]]"),
    ],
};

/// `[[target.backup]]`.
pub(super) const BACKUP: Words = Words {
    table: "[[target.backup]]",
    known: &["name", "address", "ports", "dedicated"],
    later: &[],
    foreign: &[],
};

/// `[target.probe]`.
pub(super) const PROBE: Words = Words {
    table: "`probe`",
    known: &[
        "interval",
        "fast_interval",
        "timeout",
        "fall",
        "rise",
        "hold_down",
        "silence",
        "warm_up",
        "flap",
        "connect",
        "command",
        "sip",
        "ras",
        "h225",
        "mgcp",
        "megaco",
    ],
    later: &[],
    foreign: &[],
};

/// `[target.probe.flap]`.
pub(super) const FLAP: Words = Words {
    table: "the probe's `flap`",
    known: &["limit", "half_life", "longest"],
    later: &[],
    foreign: &[],
};

/// `[target.probe.sip]`.
pub(super) const SIP: Words =
    Words { table: "the probe's `sip`", known: &["method", "alive", "tls"], later: &[], foreign: &[] };

/// `[target.probe.sip.tls]`.
pub(super) const TLS: Words = Words {
    table: "`sip.tls`",
    known: &["server_name", "ca", "verify", "certificate", "key"],
    later: &[],
    foreign: &[],
};

/// `[target.probe.ras]`.
pub(super) const RAS: Words =
    Words { table: "the probe's `ras`", known: &["request", "alive"], later: &[], foreign: &[] };

/// `[target.probe.h225]`.
pub(super) const H225: Words =
    Words { table: "the probe's `h225`", known: &["request"], later: &[], foreign: &[] };

/// `[target.probe.mgcp]`.
pub(super) const MGCP: Words =
    Words { table: "the probe's `mgcp`", known: &["alive"], later: &[], foreign: &[] };

/// `[target.probe.megaco]`.
pub(super) const MEGACO: Words =
    Words { table: "the probe's `megaco`", known: &["alive"], later: &[], foreign: &[] };

const HOUR: Duration = Duration::from_hours(1);
/// Between probes, and for their answers: below 10 ms a probe measures the router's own scheduling.
pub(super) const PACE: RangeInclusive<Duration> = Duration::from_millis(10)..=HOUR;
/// The least time in `recovering`, what comes after a start, and the times of flap damping.
pub(super) const HOLD_DOWN: RangeInclusive<Duration> = Duration::ZERO..=HOUR;
/// How long nothing must be heard: beyond a minute it would be no failover any more.
pub(super) const SILENCE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(1);
/// How long nothing may be heard of what still lasts, and how long draining may take: less than a second is no time for a
/// call.
pub(super) const DRAIN: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_hours(24 * 30);
/// Room in the flow tables.
pub(super) const MAX_FLOWS: RangeInclusive<u32> = 1024..=1 << 24;
/// `primary` and `auto` stand beside backups' names in status lines and commands.
pub(super) const RESERVED: &[&str] = &["primary", "auto"];
