use clap::CommandFactory as _;

use super::*;
use crate::{
    config::ConfigError,
    control::{client::ClientError, message::Problem, server::BindError},
};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(line.split(' '))
}

#[test]
fn the_definition_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_of_the_manual_is_understood() {
    for line in [
        "failover run -c /etc/f.toml --detach-on-exit",
        "failover check",
        "failover status --watch",
        "failover status --check",
        "failover -o json status",
        "failover status -o jsonl --no-color -vv --socket /run/x.sock",
        "failover target list",
        "failover target show paris",
        "failover target auto paris --reason done",
        "failover target disable paris --for 2h --reason upgrade",
        "failover target drain paris",
        "failover target primary paris --for 90s",
        "failover target probe paris",
        "failover attach wan0",
        "failover attach wan0 --mode native",
        "failover attach --pass eth0 --bpffs-dir /sys/fs/bpf/x",
        "failover detach",
        "failover detach wan0",
        "failover reload",
        "failover stats",
        "failover stats --by cpu -o json",
        "failover observe",
        "failover observe -f --target paris --reason steered,returned --host 10.0.0.5 --sample 1/100 -o jsonl",
        "failover observe --client 2001:db8::5 --interface lan0 --count 5 --for 1m --write /tmp/x.pcapng",
        "failover events -f -n 20",
        "failover explain --from 10.0.0.5:5062 --to 192.0.2.10:5060 --proto udp",
        "failover explain --from [2001:db8::5]:5062 --to [2001:db8::a]:5060 --proto tcp --iface lan0",
        "failover explain --pcap /tmp/x.pcap -o json",
        "failover explain --hex 00:11:22 --iface lan0",
        "failover completions bash",
        "failover man --dir /tmp/man",
    ] {
        assert!(
            parse(line).is_ok(),
            "{line}: {}",
            parse(line).err().map_or_else(String::new, |e| e.to_string())
        );
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error_with_exit_code_2() {
    for line in [
        "failover",
        "failover target",
        "failover target show",
        "failover target auto paris --for 2h",
        "failover target disable paris --for never",
        "failover status --watch --check",
        "failover status -o xml",
        "failover explain",
        "failover explain --from 10.0.0.5:5062 --to 192.0.2.10:5060",
        "failover explain --from 10.0.0.5 --to 192.0.2.10:5060 --proto udp",
        "failover explain --to 192.0.2.10:5060 --proto udp",
        "failover explain --hex 0g",
        "failover explain --hex 001",
        "failover explain --hex 00 --pcap /tmp/x.pcap",
        "failover explain --hex 00 --proto udp",
        "failover attach",
        "failover attach wan0 --mode fast",
        "failover attach wan0 --pass --mode native",
        "failover attach wan0 --bpffs-dir /x",
        "failover events -n many",
    ] {
        assert_eq!(parse(line).expect_err(line).exit_code(), 2, "{line}");
    }
}

#[test]
fn global_flags_reach_every_command() {
    let cli =
        parse("failover target show paris -o json -c /etc/f.toml --socket /run/x.sock -v").expect("parsed");
    assert_eq!(cli.global.output, Output::Json);
    assert_eq!(cli.global.config, PathBuf::from("/etc/f.toml"));
    assert_eq!(cli.global.socket, Some("/run/x.sock".into()));
    assert_eq!((cli.global.verbose, cli.global.no_color), (1, false));
    assert!(matches!(cli.command, Command::Target(target::Command::Show { name }) if name == "paris"));
}

#[test]
fn errors_end_with_their_exit_codes() {
    let refused = || std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
    let denied = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let path = || PathBuf::from("/run/failover/control.sock");
    let bind = BindError::System { action: "listen on", path: path(), source: denied() };
    let cases: Vec<(u8, Failure)> = vec![
        (5, ClientError::Unreachable { path: path(), source: refused() }.into()),
        (6, ClientError::Denied { path: path(), access: "0660".to_owned(), group: None }.into()),
        (5, ClientError::Silent { path: path(), patience: std::time::Duration::from_secs(5) }.into()),
        (1, ClientError::Odd { path: path(), why: "nonsense".to_owned() }.into()),
        (7, ClientError::Problem(Problem::new(7, "there is no target x")).into()),
        (3, ConfigError::Missing { path: path() }.into()),
        (6, ConfigError::Forbidden { path: path() }.into()),
        (3, anyhow::Error::from(ConfigError::Missing { path: path() }).context("start").into()),
        (6, anyhow::Error::from(bind).context("start").into()),
        (1, anyhow::Error::from(BindError::InUse { path: path() }).into()),
        (6, anyhow::Error::from(denied()).context("write the state").into()),
        (2, anyhow::Error::from(Problem::new(2, "not supported yet")).into()),
        (1, anyhow::anyhow!("anything else").into()),
        (0, std::io::Error::from(std::io::ErrorKind::BrokenPipe).into()),
        (1, std::io::Error::from(std::io::ErrorKind::StorageFull).into()),
    ];
    for (exit, failure) in cases {
        assert_eq!(failure.exit(), exit, "{failure:?}");
    }
}

#[test]
fn an_error_is_one_line_and_its_help_another() {
    let problem =
        Problem::new(7, "there is no target \"x\"\n\u{1b}[31m").help("`failover target list` shows them all");
    assert_eq!(
        Failure::from(problem).text(false),
        "failover: there is no target \"x\"\\u{a}\\u{1b}[31m\nhelp: `failover target list` shows them all\n"
    );
    let chain = anyhow::anyhow!("device is busy").context("attach XDP to wan0").context("start");
    assert_eq!(Failure::from(chain).text(false), "failover: start: attach XDP to wan0: device is busy\n");
    assert_eq!(Failure::Silent(0).text(false), "");
}

#[test]
fn the_json_of_status_has_every_field_even_when_nothing_is_known() {
    let mut target = fixture::target("paris");
    (target.health, target.serving, target.since) = (crate::health::Health::Unknown, None, None);
    (target.rtt_us, target.pins) = (None, None);
    target.backups[0].health = crate::health::Health::Unknown;
    target.backups[0].rtt_us = None;
    target.probes.truncate(1);
    let mut status = fixture::status(vec![target]);
    (status.router.pid, status.router.uptime_s, status.router.stale) = (None, None, true);
    status.router.interfaces = vec![fixture::interface("lan0", false)];
    status.router.flows = None;
    let json: serde_json::Value = serde_json::to_value(&status).expect("JSON");
    assert_eq!(
        json,
        serde_json::json!({
            "schema": 1,
            "router": {
                "pid": null, "uptime_s": null, "stale": true,
                "interfaces": [{"name": "lan0", "mode": null, "attached": false, "reason": "no such device"}],
                "flows": null,
            },
            "targets": [{
                "name": "paris", "admin": "auto", "admin_until": null, "admin_reason": null, "health": null,
                "serving": null, "backup": null, "draining_to": null, "since": null, "reason": null, "rtt_us": null,
                "steered_packets": 10, "steered_bytes": 5000, "returned_packets": 9, "pins": null,
                "backups": [{"name": "nsp-1", "health": null, "rtt_us": null}],
                "probes": [{
                    "service": "sip/udp", "server": "primary", "address": "192.0.2.10:5060", "health": "up",
                    "rtt_us": 120, "last": "200 OK",
                }],
            }],
        })
    );
    assert_eq!(
        serde_json::from_value::<crate::control::message::Status>(json).expect("the same back"),
        status
    );
}

#[test]
fn json_is_indented_and_jsonl_is_one_line() {
    let status = fixture::status(vec![fixture::target("paris")]);
    let line = output::json(Output::Jsonl, &status).expect("JSON");
    assert_eq!(line.lines().count(), 1);
    let document = output::json(Output::Json, &status).expect("JSON");
    assert!(document.starts_with("{\n  \"schema\": 1,\n"), "{document}");
    assert!(line.ends_with('\n') && document.ends_with('\n'));
}

#[test]
fn the_manual_names_every_command_and_the_exit_codes() {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut page).expect("rendered");
    let page = String::from_utf8(page).expect("text");
    for command in Cli::command().get_subcommands() {
        assert!(page.contains(&format!("failover\\-{}", command.get_name())), "{}", command.get_name());
    }
    assert!(page.contains("configuration invalid"));
}
