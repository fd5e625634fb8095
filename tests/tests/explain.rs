//! `failover explain` on a router that works: what it says is what then happens on the wire, and asking leaves nothing.

use std::{net::SocketAddrV4, time::Duration};

use anyhow::{Context as _, Result};
use aya::maps::{HashMap, Map, MapData};
use failover_common::{key::FlowKey, names, value::Flow};
use failover_tests::{
    daemon::Daemon,
    frames::{IPV4, ethernet, ipv4, udp},
    kamailio::Kamailio,
    settings::{QUICK_PROBE, Settings, Target},
    stream::{ask, listen, phone},
    topology::{BACKUP, CALLERS, Lab, PRIMARY, Weight},
};
use serde_json::Value;

const PARIS: SocketAddrV4 = SocketAddrV4::new(PRIMARY, 5060);
const BACKUP_SIP: SocketAddrV4 = SocketAddrV4::new(BACKUP, 5060);
const PHONE: SocketAddrV4 = SocketAddrV4::new(CALLERS, 5062);
const SWITCH: Duration = Duration::from_secs(3);

/// A router whose target `paris` has a backup that others may share, and both of them live.
struct Scene {
    daemon: Daemon,
    _servers: [Kamailio; 2],
    lab: Lab,
}

impl Scene {
    fn new() -> Result<Self> {
        let lab = Lab::new(Weight::Quick)?;
        let servers = [Kamailio::primary(&lab)?, Kamailio::backup(&lab)?];
        let paris = Target::new("paris", PRIMARY, BACKUP).shared();
        let settings = Settings::empty(&lab).with(paris).probe(QUICK_PROBE);
        let daemon = Daemon::start_with_redirect(&lab, &settings)?;
        Ok(Self { daemon, _servers: servers, lab })
    }

    fn disable(&self) -> Result<()> {
        self.daemon.run(&["target", "disable", "paris"])?;
        self.daemon.wait_serving("paris", "backup", SWITCH).map(drop)
    }

    fn explain(&self, from: SocketAddrV4, to: SocketAddrV4, proto: &str) -> Result<Value> {
        let (from, to) = (from.to_string(), to.to_string());
        self.packet(&["explain", "--from", &from, "--to", &to, "--proto", proto])
    }

    fn packet(&self, words: &[&str]) -> Result<Value> {
        let json = self.daemon.json(words)?;
        assert_eq!(json["packets"].as_array().map(Vec::len), Some(1), "{json}");
        Ok(json["packets"][0].clone())
    }

    /// What asking must not move: the target's counters, and everything that the program remembers.
    fn memory(&self) -> Result<(Value, Vec<(FlowKey, Flow)>)> {
        let stats = self.daemon.json(&["stats"])?;
        let maps = self.lab.bpffs_dir().join(format!("v{}", names::ABI_VERSION)).join("maps");
        let mut flows = Vec::new();
        for name in [names::UNANSWERED, names::ANSWERED] {
            let table = Map::from_map_data(MapData::from_pin(maps.join(name))?)?;
            let table: HashMap<_, FlowKey, Flow> = HashMap::try_from(table)?;
            flows.extend(table.iter().collect::<Result<Vec<_>, _>>()?);
        }
        Ok((stats["targets"].clone(), flows))
    }

    fn announced(&self) -> Result<usize> {
        Ok(self.daemon.events()?.iter().filter(|event| event["kind"] == "steering-began").count())
    }
}

fn verdict(packet: &Value) -> (&str, &str) {
    let word = |name: &str| packet[name].as_str().unwrap_or("null");
    (word("verdict"), word("reason"))
}

/// What became of one field.
fn change<'a>(packet: &'a Value, field: &str) -> Option<(&'a str, &'a str)> {
    let changes = packet["changes"].as_array()?;
    let change = changes.iter().find(|change| change["field"] == field)?;
    Some((change["before"].as_str()?, change["after"].as_str()?))
}

#[test]
fn what_is_explained_is_what_happens_and_asking_leaves_nothing() -> Result<()> {
    let scene = Scene::new()?;
    let passed = scene.explain(PHONE, PARIS, "udp")?;
    assert_eq!(
        (verdict(&passed), &passed["target"]),
        (("pass", "primary-serves"), &"paris".into()),
        "{passed}"
    );
    assert_eq!((&passed["before"], &passed["changes"]), (&passed["after"], &Value::Array(Vec::new())));

    scene.disable()?;
    let before = scene.memory()?;
    let (primary, backup) = (PRIMARY.to_string(), BACKUP.to_string());
    for proto in ["udp", "tcp"] {
        let steered = scene.explain(PHONE, PARIS, proto)?;
        assert_eq!(verdict(&steered), ("redirect", "steered"), "{steered}");
        assert_eq!((&steered["target"], &steered["interface"]), (&"paris".into(), &"lan0".into()));
        assert_eq!(change(&steered, "destination address"), Some((&*primary, &*backup)), "{steered}");
        assert_eq!(change(&steered, "TTL"), Some(("64", "63")), "{steered}");
        assert_eq!(change(&steered, "source address"), None, "{steered}");
    }
    let unasked = scene.explain(BACKUP_SIP, PHONE, "udp")?;
    assert_eq!(verdict(&unasked), ("pass", "no-return"), "the way was explained, not opened: {unasked}");
    assert_eq!(scene.memory()?, before);
    assert_eq!(scene.announced()?, 0);

    let socket = phone(&scene.lab.phones, PHONE)?;
    ask(&socket, PARIS, 1)?;
    let answers = listen(&socket, Duration::from_millis(300));
    assert_eq!(answers.sources().into_iter().collect::<Vec<_>>(), [PARIS.into()], "{answers:?}");
    let before = scene.memory()?;
    assert_eq!(scene.announced()?, 1);
    let returned = scene.explain(BACKUP_SIP, PHONE, "udp")?;
    assert_eq!(verdict(&returned), ("redirect", "returned"), "{returned}");
    assert_eq!(change(&returned, "source address"), Some((&*backup, &*primary)), "{returned}");
    assert_eq!(returned["interface"], "srv1");
    assert_eq!(scene.memory()?, before);
    Ok(())
}

#[test]
fn frames_and_captures_are_explained_with_the_daemon_dead() -> Result<()> {
    let mut scene = Scene::new()?;
    scene.disable()?;
    scene.daemon.kill9()?;
    let packet = ipv4(CALLERS, PRIMARY, 17, &[], &udp(5062, 5060, b"INVITE sip:1@paris SIP/2.0\r\n\r\n"));
    let frame = ethernet([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2], IPV4, &packet);
    let hex = frame.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let steered = scene.packet(&["explain", "--hex", &hex])?;
    assert_eq!((verdict(&steered), &steered["before"]), (("redirect", "steered"), &hex.into()), "{steered}");
    let text = scene.daemon.run(&[
        "explain",
        "--from",
        "10.77.1.10:5062",
        "--to",
        "10.77.2.10:5060",
        "--proto",
        "udp",
    ])?;
    for part in ["sip/udp of target paris", "backup paris-backup serves (generation", "STEERED: redirected"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }

    let arp = ethernet([0xff; 6], [2, 0, 0, 0, 0, 2], 0x0806, &[0; 28]);
    let file = scene.lab.dir().join("two.pcap");
    std::fs::write(&file, pcap(&[&frame, &arp]))?;
    let name = file.to_str().context("a path in UTF-8")?;
    let json = scene.daemon.json(&["explain", "--pcap", name])?;
    let said: Vec<_> = json["packets"].as_array().context("packets")?.iter().map(verdict).collect();
    assert_eq!(said, [("redirect", "steered"), ("pass", "not-ip")]);
    Ok(())
}

/// Little-endian, Ethernet, whole packets.
fn pcap(frames: &[&[u8]]) -> Vec<u8> {
    let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
    let mut file = words(&[0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1]);
    for frame in frames {
        let length = frame.len() as u32;
        file.extend(words(&[1, 2, length, length]));
        file.extend(*frame);
    }
    file
}

#[test]
fn what_cannot_be_explained_says_why() -> Result<()> {
    let mut scene = Scene::new()?;
    let explain = |from: &str, more: &[&str]| {
        let words = ["explain", "--from", from, "--to", "10.77.2.10:5060", "--proto", "udp"];
        scene.daemon.output(&[&words, more].concat())
    };
    let cases = [
        (explain("10.77.1.10:5062", &["--iface", "nowhere0"])?, 7, "no such device"),
        (explain("10.77.1.10:5062", &["--iface", "lo"])?, 7, "attached to lo"),
        (explain("203.0.113.9:5062", &[])?, 7, "no route leads back to 203.0.113.9"),
        (explain("127.0.0.1:5062", &[])?, 7, "nothing of ours is attached there"),
        (explain("[2001:db8::1]:5062", &[])?, 2, "not of one IP version"),
        (scene.daemon.output(&["explain", "--hex", "0011"])?, 2, "shorter than an Ethernet header"),
        (scene.daemon.output(&["explain", "--pcap", "/dev/null"])?, 1, "empty"),
    ];
    for (said, code, why) in cases {
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.stdout.is_empty() && said.stderr.contains(why), "{said:?}");
    }
    scene.daemon.terminate()?;
    scene.daemon.run(&["detach"])?;
    let words = ["explain", "--from", "10.77.1.10:1", "--to", "10.77.2.10:5060", "--proto", "udp"];
    assert_eq!(scene.daemon.output(&words)?.code, 5, "nothing is loaded");
    Ok(())
}
