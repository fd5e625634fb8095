//! What is right, and what it means.

use std::{net::IpAddr, num::NonZeroU8, path::Path, time::Duration};

use super::{BACKUP, ROUTER, TARGET, file, right};
use crate::config::model::{
    Addresses, AllDown, Failback, Interface, Mode, Require, Service, ServiceKind, StatusSet, Steer, Target,
    Transport,
};

const MS: fn(u64) -> Duration = Duration::from_millis;

fn three() -> NonZeroU8 {
    NonZeroU8::new(3).unwrap()
}

fn only_target(text: &str) -> Target {
    right(text).config.targets.remove(0)
}

fn sip(transport: Transport, port: u16) -> Service {
    Service { kind: ServiceKind::Sip, transport, port }
}

#[test]
fn the_shortest_file_has_every_default() {
    let config = right(&file("", "", "")).config;
    let router = &config.router;
    assert_eq!(router.interfaces, [Interface { name: "wan0".into(), mode: Mode::Auto }]);
    assert_eq!(router.control_socket, Path::new("/run/failover/control.sock"));
    assert_eq!(router.state_dir, Path::new("/var/lib/failover"));
    assert_eq!(router.bpffs_dir, Path::new("/sys/fs/bpf/failover"));
    assert_eq!(router.max_flows.get(), 262_144);

    let target = &config.targets[0];
    assert_eq!((target.name.as_str(), target.addresses), ("paris", Addresses::V4([192, 0, 2, 10].into())));
    assert_eq!(target.services, [sip(Transport::Udp, 5060), sip(Transport::Tcp, 5060)]);
    assert_eq!((target.all_down, target.require), (AllDown::Primary, Require::All));
    assert_eq!((target.probe.fall, target.probe.rise), (three(), three()));
    assert_eq!((target.probe.interval, target.probe.fast_interval), (MS(1000), MS(50)));
    assert_eq!((target.probe.timeout, target.probe.hold_down), (MS(300), MS(10_000)));
    assert_eq!((target.probe.silence, target.probe.warm_up), (MS(200), MS(2000)));
    let flap = target.probe.flap;
    assert_eq!((flap.limit.get(), flap.half_life, flap.longest), (2, MS(60_000), MS(300_000)));
    assert_eq!(target.probe.sip_alive, StatusSet::sip());
    assert_eq!((&config.router.hook, config.router.http_listen), (&None, None));

    let backup = &target.backups[0];
    assert_eq!((backup.name.as_str(), backup.addresses), ("nsp-1", Addresses::V4([198, 51, 100, 20].into())));
    assert_eq!((backup.ports.as_slice(), backup.dedicated), (&[5060, 5060][..], false));
}

#[test]
fn the_sample_is_right_and_has_no_warning() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/failover.toml")).unwrap();
    let loaded = right(&text);
    assert_eq!(loaded.warnings, [""; 0]);
    let [paris, lyon] = loaded.config.targets.as_slice() else { panic!("{loaded:?}") };
    assert_eq!(paris.backups[0].ports, [5060, 5060]);
    assert_eq!(paris.backups[1].ports, [15060, 15060]);
    assert_eq!(lyon.services, [sip(Transport::Udp, 5060), sip(Transport::Tcp, 5080)]);
    assert_eq!(lyon.backups[0].ports, [25060, 25060]);
}

#[test]
fn the_sample_shows_the_built_in_values() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/failover.toml")).unwrap();
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(word) if word.split_once('=').is_some_and(|(w, _)| !w.trim().contains(' ')) => word,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_ne!(uncommented, text);
    assert_eq!(right(&uncommented), right(&text));
}

#[test]
fn harmless_words_of_later_features_are_accepted() {
    let words = "steer = \"nat\"\nfailback = \"drain\"\naffinity = \"flow\"\nreplay = true\nlearn = false\n";
    let probe = "[target.probe]\nsip = { method = \"OPTIONS\" }";
    assert_eq!(right(&file("forward = \"xdp\"", words, probe)).config, right(&file("", "", "")).config);
}

#[test]
fn a_probe_is_merged_word_by_word() {
    let defaults =
        "[defaults.probe]\ninterval = \"2s\"\ntimeout = \"200ms\"\nfall = 5\nsip.alive = [\"2xx\"]\n";
    let own = "[target.probe]\ninterval = \"500ms\"\nrise = 1\n";
    let probe = only_target(&format!("{ROUTER}{defaults}{TARGET}{BACKUP}{own}")).probe;
    assert_eq!((probe.interval, probe.timeout, probe.fast_interval), (MS(500), MS(200), MS(50)));
    assert_eq!((probe.fall.get(), probe.rise.get()), (5, 1));
    assert_eq!(*probe.sip_alive.ranges, [(200, 299)]);
}

#[test]
fn defaults_give_way_to_the_target() {
    let defaults = "[defaults]\nservices = [\"sip/udp\"]\nfailback = \"manual\"\nall_down = \"drop\"\nrequire = \"any\"\n";
    let target = only_target(&format!("{ROUTER}{defaults}{TARGET}{BACKUP}"));
    assert_eq!(target.services, [sip(Transport::Udp, 5060)]);
    assert_eq!((target.all_down, target.require), (AllDown::Drop, Require::Any));
    assert_eq!(target.failback, Failback::Manual);
    let own = "services = [\"sip/tcp\"]\nall_down = \"backup\"\nrequire = \"all\"\n";
    let target = only_target(&format!("{ROUTER}{defaults}{TARGET}{own}{BACKUP}"));
    assert_eq!(target.services, [sip(Transport::Tcp, 5060)]);
    assert_eq!((target.all_down, target.require), (AllDown::Backup, Require::All));
}

#[test]
fn what_stays_where_it_began() {
    let hours =
        |target: &Target| [target.udp_idle, target.tcp_idle, target.drain_limit].map(|t| t.as_secs() / 3600);
    let target = only_target(&file("", "", ""));
    assert_eq!((hours(&target), target.failback), ([2, 2, 8], Failback::Drain));
    let defaults = "[defaults]\nudp_idle = \"3h\"\ntcp_idle = \"4h\"\ndrain_limit = \"5h\"\n";
    let target = only_target(&format!("{ROUTER}{defaults}{TARGET}tcp_idle = \"1h\"\n{BACKUP}"));
    assert_eq!(hours(&target), [3, 1, 5]);
    let keeps = |words: &str| {
        let target = only_target(&file("", words, ""));
        (target.keeps_connections(), target.keeps_calls())
    };
    assert_eq!(keeps(""), (true, true));
    assert_eq!(keeps("failback = \"immediate\""), (false, false));
    assert_eq!(keeps("failback = \"immediate\"\naffinity = \"call\""), (false, true));
    assert_eq!(keeps("affinity = \"call\"\nservices = [\"sip/tcp\"]"), (true, false));
    assert_eq!(keeps("steer = \"l2\""), (false, false));
}

#[test]
fn backups_can_be_said_once_for_all_targets() {
    let text = format!(
        "{ROUTER}[[defaults.backup]]\nname = \"all\"\naddress = \"198.51.100.9\"\n{TARGET}\
         [[target]]\nname = \"lyon\"\naddress = \"192.0.2.20\"\n{BACKUP}"
    );
    let targets = right(&text).config.targets;
    assert_eq!((targets[0].backups.len(), targets[0].backups[0].name.as_str()), (1, "all"));
    assert_eq!((targets[1].backups.len(), targets[1].backups[0].name.as_str()), (1, "nsp-1"));
}

#[test]
fn ports_name_a_service_with_or_without_its_port() {
    for (services, ports, expected) in [
        ("[\"sip\"]", "{ \"sip/udp\" = 15060 }", vec![15060, 5060]),
        ("[\"sip\"]", "{ \"sip/udp:5060\" = 15060 }", vec![15060, 5060]),
        ("[\"sip/udp:5080\"]", "{ \"sip/udp\" = 15060 }", vec![15060]),
        ("[\"sip/udp:5080\"]", "{ \"sip/udp:5080\" = 15060 }", vec![15060]),
        ("[\"sip/udp:5080\"]", "{}", vec![5080]),
        ("[\"sip/udp:5080\", \"sip/udp\"]", "{ \"sip/udp\" = 1 }", vec![5080, 1]),
        ("[\"sip\", \"sip/tcp:5080\"]", "{ \"sip/tcp:5080\" = 65535 }", vec![5060, 5060, 65535]),
    ] {
        let text = file("", &format!("services = {services}"), &format!("ports = {ports}"));
        assert_eq!(only_target(&text).backups[0].ports, expected, "{services} {ports}");
    }
}

#[test]
fn an_address_may_be_a_list_of_one() {
    let text = format!("{ROUTER}[[target]]\nname = \"paris\"\naddress = [\"192.0.2.10\"]\n{BACKUP}");
    assert_eq!(right(&text).config, right(&file("", "", "")).config);
}

#[test]
fn an_address_may_be_one_of_each_family_in_any_order() {
    let target = |address: &str, backup: &str| {
        only_target(&format!(
            "{ROUTER}[[target]]\nname = \"paris\"\naddress = {address}\n\
             [[target.backup]]\nname = \"nsp-1\"\naddress = {backup}\n"
        ))
    };
    let (v4, v6) = ([192, 0, 2, 10].into(), "2001:db8::10".parse().unwrap());
    let both = target("[\"192.0.2.10\", \"2001:db8::10\"]", "[\"2001:db8:1::1\", \"198.51.100.20\"]");
    assert_eq!(both.addresses, Addresses::Both(v4, v6));
    assert_eq!(both.backups[0].addresses.to_string(), "198.51.100.20 and 2001:db8:1::1");
    assert_eq!(target("[\"2001:db8::10\", \"192.0.2.10\"]", "[\"198.51.100.20\", \"2001:db8:1::1\"]"), both);
    let alone = target("\"2001:DB8:0:0::10\"", "[\"198.51.100.20\", \"2001:db8:1::1\"]");
    assert_eq!(alone.addresses, Addresses::V6(v6));
    let servers: Vec<_> = alone.servers().map(|server| server.addresses).collect();
    let used: [Vec<std::net::IpAddr>; 2] =
        ["2001:db8::10", "2001:db8:1::1"].map(|address| vec![address.parse().unwrap()]);
    assert_eq!(servers, used, "a family that the target has not is of no use");
    for address in ["fd00::1", "fc00::1", "2600::1", "64:ff9b::c000:201"] {
        let target = target(&format!("\"{address}\""), "\"2001:db8:1::1\"");
        assert_eq!(target.addresses.to_string(), address);
    }
}

#[test]
fn interfaces_are_names_or_tables() {
    let text = format!(
        "[router]\ninterfaces = [\"a\", {{ name = \"b\" }}, {{ name = \"c\", mode = \"native\" }}, \
         {{ name = \"fifteen-bytes-x\", mode = \"generic\" }}]\n{TARGET}{BACKUP}"
    );
    let found: Vec<_> =
        right(&text).config.router.interfaces.iter().map(|i| format!("{} {}", i.name, i.mode)).collect();
    assert_eq!(found, ["a auto", "b auto", "c native", "fifteen-bytes-x generic"]);
}

#[test]
fn status_patterns_become_the_fewest_ranges() {
    for (alive, ranges) in [
        ("[\"1xx\", \"2xx\", \"3xx\", \"4xx\", \"6xx\"]", StatusSet::sip().ranges.to_vec()),
        ("[\"2XX\", \"200\", \"404\"]", vec![(200, 299), (404, 404)]),
        ("[\"503\", \"502\", \"100\"]", vec![(100, 100), (502, 503)]),
        ("[\"699\"]", vec![(699, 699)]),
    ] {
        let text = file("", "", &format!("[target.probe]\nsip = {{ alive = {alive} }}"));
        assert_eq!(*only_target(&text).probe.sip_alive.ranges, ranges, "{alive}");
    }
}

#[test]
fn envelopes_come_from_a_prefix_where_one_is_written() {
    assert_eq!(right(&file("", "", "")).config.router.envelope_source, None);
    for text in ["10.7.0.0/16", "203.0.113.16/28", "203.0.113.6/31"] {
        let found = right(&file(&format!("envelope_source = \"{text}\""), "steer = \"ipip\"", ""));
        let source = found.config.router.envelope_source.unwrap();
        assert_eq!((source.to_string().as_str(), found.warnings.len()), (text, 0), "{:?}", found.warnings);
    }
}

#[test]
fn flap_damping_is_merged_word_by_word() {
    let defaults = "[defaults]\nprobe = { silence = \"0s\", flap = { limit = 1, half_life = \"0s\" } }\n";
    let text =
        format!("{defaults}{}", file("", "", "[target.probe]\nflap = { limit = 9, longest = \"1h\" }"));
    let probe = &right(&text).config.targets[0].probe;
    assert_eq!((probe.silence, probe.flap.limit.get()), (MS(0), 9));
    assert_eq!((probe.flap.half_life, probe.flap.longest), (MS(0), Duration::from_hours(1)));
}

#[test]
fn a_hook_and_a_place_for_metrics() {
    let router =
        right(&file("hook = \"/etc/failover/hook\"\nhttp_listen = \"[::1]:9469\"", "", "")).config.router;
    assert_eq!(router.hook.as_deref(), Some(Path::new("/etc/failover/hook")));
    assert_eq!(router.http_listen, Some("[::1]:9469".parse().unwrap()));
}

#[test]
fn limits_are_inside() {
    let router = "max_flows = 1024";
    let probe = "[target.probe]\ninterval = \"1h\"\ntimeout = \"10ms\"\nfast_interval = \"10ms\"\nhold_down = \"0s\"\n\
                 fall = 1\nrise = 255";
    let config = right(&file(router, "", probe)).config;
    assert_eq!(config.router.max_flows.get(), 1024);
    let probe = &config.targets[0].probe;
    assert_eq!((probe.interval, probe.timeout, probe.hold_down), (Duration::from_hours(1), MS(10), MS(0)));
    assert_eq!((probe.fall.get(), probe.rise.get()), (1, 255));
    assert_eq!(right(&file("max_flows = 16_777_216", "", "")).config.router.max_flows.get(), 16_777_216);
    let socket = format!("/{}", "x".repeat(106));
    let config = right(&file(&format!("control_socket = \"{socket}\""), "", "")).config;
    assert_eq!(config.router.control_socket, Path::new(&socket));
}

#[test]
fn every_way_of_steering_can_be_asked_for() {
    for (word, steer) in [("nat", Steer::Nat), ("l2", Steer::L2), ("ipip", Steer::Ipip)] {
        let target = &right(&file("", &format!("steer = \"{word}\""), "")).config.targets[0];
        assert_eq!((target.steer, target.steer.to_string().as_str()), (steer, word));
        let text = format!("[defaults]\nsteer = \"{word}\"\n{}", file("", "", ""));
        assert_eq!(right(&text).config.targets[0].steer, steer);
    }
}

#[test]
fn ipv4_may_go_in_an_envelope_of_ipv6() {
    let text = file("", "steer = \"ipip\"", "").replace("198.51.100.20", "2001:db8::20");
    let loaded = right(&text);
    assert_eq!(loaded.warnings, [""; 0]);
    let target = &loaded.config.targets[0];
    let probed: Vec<_> = target.servers().map(|server| server.addresses).collect();
    assert_eq!(probed[1], ["2001:db8::20".parse::<IpAddr>().unwrap()]);
}
