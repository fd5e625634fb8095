//! Calls go on while the network around them does not stand still: the backup's machine changes, its route changes,
//! and floods run beside them.
//!
//! Each test prints what it measured: `cargo test --test disturbed -- --nocapture`.

use std::{
    net::Ipv4Addr,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use failover_tests::{
    daemon::Daemon,
    frames,
    kamailio::Kamailio,
    settings::{Settings, Target},
    sipp::{Callees, Calls, Load},
    topology::{BACKUP, DEVICE, LAN, Lab, PRIMARY, Weight},
};

/// The backup serves, and calls run.
struct Scene {
    // Dropped from the top: the laboratory last.
    daemon: Daemon,
    _servers: [Kamailio; 2],
    _callees: Callees,
    lab: Lab,
}

impl Scene {
    fn new(settings: impl FnOnce(&Lab) -> Settings) -> Result<Self> {
        let lab = Lab::new(Weight::Heavy)?;
        let servers = [Kamailio::primary(&lab)?, Kamailio::backup(&lab)?];
        let callees = Callees::start(&lab)?;
        let daemon = Daemon::start_with_redirect(&lab, &settings(&lab))?;
        daemon.run(&["target", "disable", "paris"])?;
        daemon.wait_serving("paris", "backup", Duration::from_secs(3))?;
        Ok(Self { daemon, _servers: servers, _callees: callees, lab })
    }

    fn counted(&self, reasons: &[&str]) -> Result<u64> {
        reasons.iter().map(|reason| self.daemon.counted(reason)).sum()
    }
}

fn no_call_failed(story: &str, calls: Calls, placed: u32) -> Result<()> {
    let report = calls.finish()?;
    println!("{story}: {report}");
    assert_eq!((report.placed, report.failed), (placed, 0), "{report}");
    Ok(())
}

#[test]
fn the_backup_gets_another_mac_address_and_another_route() -> Result<()> {
    let scene = Scene::new(Settings::standard)?;
    let (router, backup) = (&scene.lab.router, &scene.lab.backup);
    // As a machine that takes an address over from another one tells its neighbours.
    backup.sysctl("ipv4/conf/all/arp_notify", "1")?;
    backup.sysctl(&format!("ipv4/conf/{DEVICE}/arp_notify"), "1")?;
    let mut calls = Load::new(100, 25).start(&scene.lab)?;
    for (second, last) in [(5, 1), (8, 2), (11, 3)] {
        calls.wait_until(Duration::from_secs(second))?;
        backup.ip(&format!("link set dev {DEVICE} address 02:00:00:00:77:0{last}"))?;
    }
    // A second wire to the same machine, and the address is to be found there.
    let name = backup.name();
    router.ip(&format!("link add srv9 type veth peer name eth9 netns {name}"))?;
    for (host, device, last) in [(router, "srv9", 1), (backup, "eth9", 2)] {
        host.run(&["ethtool", "-K", device, "tx", "off"])?;
        host.ip(&format!("address add 10.77.9.{last}/24 dev {device}"))?;
        host.ip(&format!("link set dev {device} up"))?;
    }
    calls.wait_until(Duration::from_secs(15))?;
    let (steered, by_kernel) = (scene.counted(&["steered"])?, scene.counted(&["steered-by-kernel"])?);
    router.ip(&format!("route add {BACKUP}/32 via 10.77.9.2 dev srv9"))?;
    calls.wait_until(Duration::from_secs(18))?;
    let moved = scene.counted(&["steered-by-kernel"])? - by_kernel;
    // To this device nothing is redirected: whoever went there went by the kernel.
    assert!(moved > 100, "{moved} packets went the new way in three seconds, {steered} had gone the old one");
    router.ip(&format!("route del {BACKUP}/32 via 10.77.9.2 dev srv9"))?;
    router.ip("link del srv9")?;
    calls.wait_until(Duration::from_secs(22))?;
    assert!(scene.counted(&["steered"])? > steered, "packets go the old way again");
    no_call_failed("three MAC addresses and two routes", calls, 2500)
}

/// Random, and the same in each run.
struct Dice(u64);

impl Dice {
    fn word(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Sends `count` packets from phones that do not exist, `rate` in a second.
fn flood(lab: &Lab, count: u32, rate: u32) -> Result<()> {
    let from = frames::mac(&lab.phones, DEVICE)?;
    let to = frames::mac(&lab.router, LAN)?;
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let start = Instant::now();
    for hundred in 0..count / 100 {
        let batch: Vec<Vec<u8>> =
            (0..100).map(|kind| frames::ethernet(to, from, frames::IPV4, &packet(kind, &mut dice))).collect();
        frames::inject(&lab.phones, DEVICE, &batch)?;
        let due = Duration::from_secs_f64(f64::from(hundred) * 100.0 / f64::from(rate));
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    Ok(())
}

/// New flows, connections that nobody goes on with, fragments of nothing, and noise.
fn packet(kind: u32, dice: &mut Dice) -> Vec<u8> {
    const MORE_FRAGMENTS: u8 = 0x20;
    let random = dice.word();
    let word = random.to_be_bytes();
    let source = Ipv4Addr::new(10, 200, word[0], word[1]);
    let from = u16::from_be_bytes([word[2], word[3] | 1]);
    match kind % 4 {
        0 => frames::ipv4(source, PRIMARY, 17, &[], &frames::udp(from, 5060, b"\r\n\r\n")),
        1 => {
            let mut syn = [&from.to_be_bytes()[..], &5060_u16.to_be_bytes(), &word].concat();
            syn.extend([0x50, 0x02, 0xff, 0xff, 0, 0, 0, 0]);
            frames::ipv4(source, PRIMARY, 6, &[], &syn)
        }
        2 => {
            let mut piece = frames::ipv4(source, PRIMARY, 17, &[], &frames::udp(from, 5060, &[b'.'; 64]));
            piece[4..6].copy_from_slice(&word[4..6]);
            (piece[6], piece[7]) = if word[4] & 1 == 0 { (MORE_FRAGMENTS, 0) } else { (0, 8) };
            frames::seal_ipv4(&mut piece);
            piece
        }
        _ => {
            let mut noise = frames::ipv4(source, PRIMARY, word[5], &[], &word.repeat(4));
            noise[usize::from(word[4]) % 20] = word[3];
            noise
        }
    }
}

#[test]
fn floods_beside_the_calls_cost_none_of_them() -> Result<()> {
    const PACKETS: u32 = 60_000;
    // Few flows may be known, so that the flood has to push somebody out.
    let shared = Target::new("paris", PRIMARY, BACKUP).shared();
    let scene = Scene::new(|lab| Settings::empty(lab).max_flows(2048).with(shared))?;
    let mut calls = Load::new(100, 25).start(&scene.lab)?;
    calls.wait_until(Duration::from_secs(5))?;
    flood(&scene.lab, PACKETS, 5000)?;
    no_call_failed("60,000 packets of nobody in 12 s", calls, 2500)?;
    let after = scene.daemon.json(&["stats"])?;
    let target = scene.daemon.target("paris")?;
    assert_eq!(target["serving"], "backup", "{target}");
    // A quarter each, but for noise that is something by chance.
    assert!(scene.counted(&["fragment"])? > u64::from(PACKETS / 16), "{after}");
    assert!(scene.counted(&["steered", "steered-by-kernel"])? > u64::from(PACKETS / 4), "{after}");
    let strange = ["malformed-ip", "not-udp-tcp", "truncated", "ip-options", "not-signalling"];
    assert!(scene.counted(&strange)? > u64::from(PACKETS / 8), "{after}");
    let events = scene.daemon.events()?;
    assert!(!events.iter().any(|event| event["kind"] == "health" && event["to"] == "down"), "{events:?}");
    Ok(())
}
