//! `failover observe` and `failover stats --by` on a router that works, beside observers that are slow, or go away.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::SocketAddrV4,
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use failover_tests::{
    daemon::Daemon,
    kamailio::Kamailio,
    process::{Process, command, run, wait_for},
    settings::{QUICK_PROBE, Settings, Target},
    stream::{ask, listen, phone},
    topology::{BACKUP, CALLERS, LAN, Lab, PRIMARY, TO_BACKUP, Weight},
};
use serde_json::Value;

const PARIS: SocketAddrV4 = SocketAddrV4::new(PRIMARY, 5060);
const PHONE: SocketAddrV4 = SocketAddrV4::new(CALLERS, 5062);
const LIMIT: Duration = Duration::from_secs(10);

/// A router whose target `paris` is served by its backup.
struct Scene {
    daemon: Daemon,
    _servers: [Kamailio; 2],
    lab: Lab,
}

/// An observer that runs; its packets are in a file, its words in another.
struct Observer {
    process: Process,
    packets: PathBuf,
}

impl Scene {
    fn new() -> Result<Self> {
        let lab = Lab::new(Weight::Quick)?;
        let servers = [Kamailio::primary(&lab)?, Kamailio::backup(&lab)?];
        let paris = Target::new("paris", PRIMARY, BACKUP).shared();
        let settings = Settings::empty(&lab).with(paris).probe(QUICK_PROBE);
        let daemon = Daemon::start_with_redirect(&lab, &settings)?;
        daemon.run(&["target", "disable", "paris"])?;
        daemon.wait_serving("paris", "backup", LIMIT)?;
        Ok(Self { daemon, _servers: servers, lab })
    }

    /// Starts one, and returns once packets are shown to it.
    fn observe(&self, name: &str, words: &[&str]) -> Result<Observer> {
        let packets = self.lab.dir().join(name);
        let composed = self.daemon.compose(&[&["observe"], words].concat());
        // A shell, so that packets and words go to different files.
        let mut shell = self.lab.router.command("sh");
        shell.args(["-c", "out=$1; shift; exec \"$@\" >\"$out\"", "sh"]).arg(&packets);
        shell.arg(composed.get_program()).args(composed.get_args());
        let mut process = self.lab.router.spawn(name, shell)?;
        let log = process.pid();
        let mut words = String::new();
        wait_for(&format!("word of observer {log}"), LIMIT, || {
            words = process.output();
            ensure!(process.is_running()? || words.contains("packets"), "it ended: {words}");
            Ok(words.contains("observing").then_some(()))
        })?;
        Ok(Observer { process, packets })
    }

    /// A request and its answer.
    fn exchange(&self) -> Result<()> {
        let socket = phone(&self.lab.phones, PHONE)?;
        ask(&socket, PARIS, 1)?;
        let answers = listen(&socket, Duration::from_millis(300));
        ensure!(answers.sources().into_iter().collect::<Vec<_>>() == [PARIS.into()], "{answers:?}");
        Ok(())
    }

    /// The program that each interface runs, by the kernel's number.
    fn programs(&self) -> Result<BTreeMap<String, u32>> {
        let mut found = BTreeMap::new();
        for interface in self.lab.interfaces() {
            let text = self.lab.router.ip(&format!("-j -details link show dev {interface}"))?;
            let json: Value = serde_json::from_str(&text)?;
            let id = json[0]["xdp"]["prog"]["id"].as_u64().with_context(|| format!("{interface}: {text}"))?;
            found.insert(interface.to_owned(), id as u32);
        }
        Ok(found)
    }

    /// Waits until every interface runs a program that is, or is not, the one of `before`.
    fn wait_programs(&self, before: &BTreeMap<String, u32>, same: bool) -> Result<()> {
        wait_for("other program in the links", LIMIT, || {
            Ok(((self.programs()? == *before) == same).then_some(()))
        })
    }
}

impl Observer {
    /// Waits for its end; its packets and its words.
    fn end(mut self) -> Result<(String, String)> {
        let status = self.process.wait(LIMIT)?;
        ensure!(status.success(), "{status}: {}", self.process.output());
        Ok((std::fs::read_to_string(&self.packets).unwrap_or_default(), self.process.output()))
    }
}

#[test]
fn a_steered_request_and_its_answer_are_seen_as_text_json_and_capture() -> Result<()> {
    let scene = Scene::new()?;
    let plain = scene.programs()?;
    let file = scene.lab.dir().join("seen.pcapng");
    let name = file.to_str().context("a path in UTF-8")?;
    let client = CALLERS.to_string();
    let text = scene.observe("text", &["-n", "2", "--client", &client])?;
    scene.wait_programs(&plain, false)?;
    let json = scene.observe("json", &["-n", "2", "--client", &client, "-o", "json", "--target", "paris"])?;
    let capture = scene.observe("capture", &["-n", "2", "--client", &client, "-w", name])?;
    let elsewhere = scene.observe("elsewhere", &["--for", "2s", "--host", "203.0.113.1"])?;
    scene.exchange()?;

    let (lines, words) = text.end()?;
    assert!(words.contains("2 packets"), "{words}");
    let lines: Vec<&str> = lines.lines().collect();
    let parts = [
        "lan0 → srv1  STEERED paris → paris-backup  udp 10.77.1.10:5062 > 10.77.2.10:5060, becomes 10.77.1.10:5062 > 10.77.3.10:5060",
        "srv1 → lan0  RETURNED paris ← paris-backup  udp 10.77.3.10:5060 > 10.77.1.10:5062, becomes 10.77.2.10:5060 > 10.77.1.10:5062",
    ];
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, part) in lines.iter().zip(parts) {
        assert!(line.contains(part), "{part} is not in {line}");
    }
    assert!(lines[0].contains("OPTIONS sip:") && lines[1].contains("SIP/2.0 200"), "{lines:?}");

    let (document, _) = json.end()?;
    let document: Value = serde_json::from_str(&document)?;
    let packets = document["packets"].as_array().context("packets")?;
    let said: Vec<_> = packets.iter().map(|p| (&p["verdict"], &p["reason"], &p["egress"])).collect();
    let word = |word: &str| Value::from(word);
    let expected = [("redirect", "steered", "srv1"), ("redirect", "returned", "lan0")];
    let expected = expected.map(|(a, b, c)| (word(a), word(b), word(c)));
    assert_eq!(said, expected.iter().map(|(a, b, c)| (a, b, c)).collect::<Vec<_>>());
    assert_eq!((&document["schema"], &document["lost"]), (&1.into(), &0.into()));

    capture.end()?;
    let fields = [
        "-e",
        "frame.interface_name",
        "-e",
        "ip.dst",
        "-e",
        "ip.src",
        "-e",
        "frame.comment",
        "-e",
        "sip.Method",
    ];
    let shark = command("tshark", ["-n", "-r", name, "-T", "fields"].into_iter().chain(fields));
    let rows = run(shark)?;
    let rows: Vec<Vec<&str>> = rows.lines().map(|row| row.split('\t').collect()).collect();
    let steered = "steered paris → paris-backup (redirect, lan0 → srv1)";
    let returned = "returned paris ← paris-backup (redirect, srv1 → lan0)";
    let later = |words: &str| format!("{words}: as it leaves");
    let expected = [
        ["lan0", "10.77.2.10", "10.77.1.10", steered, "OPTIONS"],
        ["srv1", "10.77.3.10", "10.77.1.10", &later(steered), "OPTIONS"],
        ["srv1", "10.77.1.10", "10.77.3.10", returned, ""],
        ["lan0", "10.77.1.10", "10.77.2.10", &later(returned), ""],
    ];
    assert_eq!(rows, expected);
    let bad = ["-r", name, "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-Y"];
    let bad = bad.into_iter().chain(["ip.checksum.status == 0 || udp.checksum.status == 0"]);
    assert_eq!(run(command("tshark", bad))?, "");

    let (nothing, words) = elsewhere.end()?;
    assert!(nothing.is_empty() && words.contains("0 packets"), "{nothing} {words}");
    scene.wait_programs(&plain, true)
}

#[test]
fn slow_and_vanishing_observers_are_left_behind_and_a_flood_is_counted() -> Result<()> {
    let scene = Scene::new()?;
    let plain = scene.programs()?;
    // Two that ask and never read, or vanish at once.
    let socket = scene.lab.dir().join("control.sock");
    let body = r#"{"reasons":["steered"]}"#;
    let request =
        format!("POST /v1/observe HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let mut slow = UnixStream::connect(&socket)?;
    slow.write_all(request.as_bytes())?;
    scene.wait_programs(&plain, false)?;
    UnixStream::connect(&socket)?.write_all(request.as_bytes())?;
    let counter =
        scene.observe("counter", &["-f", "--sample", "1/1000000", "-o", "jsonl", "--reason", "steered"])?;
    let phone = phone(&scene.lab.phones, PHONE)?;
    let datagram = vec![b'x'; 1000];
    for _ in 0..20_000 {
        // Backpressure of the sender's own queue is no matter here.
        let _ = phone.send_to(&datagram, PARIS);
    }
    let steered = scene.daemon.counted("steered")?;
    assert!(steered >= 10_000, "{steered}");
    // What it did not read in time is said to be lost, and nothing but that.
    slow.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut read = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = slow.read(&mut buffer) {
        read.extend(&buffer[..length]);
    }
    let text = String::from_utf8_lossy(&read);
    let (mut seen, mut lost) = (0, 0);
    for line in text.lines().filter(|line| line.starts_with('{') && line.ends_with('}')) {
        let line: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        match line["kind"].as_str() {
            Some("packet") => seen += 1,
            Some("lost") => lost += line["packets"].as_u64().unwrap_or_default(),
            other => anyhow::bail!("{other:?}"),
        }
    }
    assert!(seen > 0 && lost > 0 && seen + lost == steered, "{seen} seen, {lost} lost of {steered}");
    drop((slow, counter, phone));
    scene.wait_programs(&plain, true)?;
    scene.exchange()
}

#[test]
fn a_daemon_that_dies_while_it_is_observed_leaves_the_next_one_the_plain_program() -> Result<()> {
    let mut scene = Scene::new()?;
    let observer = scene.observe("observer", &["-f"])?;
    let showing = scene.programs()?;
    scene.daemon.kill9()?;
    wait_for("end of the observer", LIMIT, || {
        Ok(observer.process.output().contains("the daemon has stopped").then_some(()))
    })?;
    scene.exchange()?;
    assert_eq!(scene.programs()?, showing, "the kernel goes on with what it has");
    scene.daemon.restart()?;
    assert_ne!(scene.programs()?, showing);
    let plain = scene.programs()?;
    scene.exchange()?;
    let again = scene.observe("again", &["-n", "1", "--client", "10.77.1.10"])?;
    scene.exchange()?;
    again.end()?;
    scene.wait_programs(&plain, true)?;
    let observer = scene.observe("last", &["-f"])?;
    scene.daemon.terminate()?;
    drop(observer);
    assert_eq!(scene.programs()?, plain);
    scene.exchange()
}

#[test]
fn what_cannot_be_observed_says_why() -> Result<()> {
    let scene = Scene::new()?;
    let cases: [(&[&str], i32, &str); 6] = [
        (&["--target", "oslo"], 7, "no such target: oslo"),
        (&["--reason", "bored"], 7, "there is no reason"),
        (&["--interface", "nowhere0"], 7, "no such device"),
        (&["--sample", "1/0"], 2, "1/100"),
        (&["-w", "/nonexistent/x"], 1, "/nonexistent/x"),
        (&["-o", "json", "-n", "1000000"], 2, "at most 100000"),
    ];
    for (words, code, why) in cases {
        let said = scene.daemon.output(&[&["observe"], words].concat())?;
        assert_eq!(said.code, code, "{said:?}");
        assert!(said.stdout.is_empty() && said.stderr.contains(why), "{said:?}");
    }
    assert_eq!(scene.daemon.output(&["-o", "pcap", "status"])?.code, 2);
    Ok(())
}

/// Packets and bytes by the word for the reason; of all lists of counts in a value.
fn sums(counts: &[&Value]) -> BTreeMap<String, (u64, u64)> {
    let mut sums = BTreeMap::<String, (u64, u64)>::new();
    for count in counts.iter().flat_map(|list| list.as_array().into_iter().flatten()) {
        let number = |name: &str| count[name].as_u64().unwrap_or_default();
        let sum = sums.entry(count["reason"].as_str().unwrap_or_default().to_owned()).or_default();
        (sum.0, sum.1) = (sum.0 + number("packets"), sum.1 + number("bytes"));
    }
    sums
}

fn list<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    value[name].as_array().into_iter().flatten().collect()
}

#[test]
fn interfaces_and_cpus_add_up_with_a_daemon_and_without() -> Result<()> {
    let mut scene = Scene::new()?;
    for _ in 0..3 {
        scene.exchange()?;
    }
    // Packets about no target, and nobody who sends any while the counters are read.
    let socket = phone(&scene.lab.phones, PHONE)?;
    for _ in 0..5 {
        // What an ICMP error says about an earlier one is no matter here.
        let _ = socket.send_to(b"media", SocketAddrV4::new(PRIMARY, 4000));
    }
    drop(socket);
    scene.daemon.kill9()?;
    let of = |list: Vec<&Value>, name: &str| -> BTreeMap<String, (u64, u64)> {
        sums(&list.into_iter().map(|value| &value[name]).collect::<Vec<_>>())
    };
    let interfaces = scene.daemon.json(&["stats", "--by", "interface"])?;
    let cpus = scene.daemon.json(&["stats", "--by", "cpu"])?;
    assert_eq!((&interfaces["cpus"], &cpus["interfaces"]), (&Value::Null, &Value::Null));
    let (router, targets) = (sums(&[&interfaces["router"]]), of(list(&interfaces, "targets"), "counts"));
    assert!(router["not-signalling"].0 >= 3, "{router:?}");
    assert_eq!(targets["steered"].0, 3);
    assert_eq!(of(list(&interfaces, "interfaces"), "router"), router);
    assert_eq!(of(list(&interfaces, "interfaces"), "targets"), targets);
    let router = sums(&[&cpus["router"]]);
    assert_eq!(of(list(&cpus, "cpus"), "router"), router);
    let by_target = list(&cpus, "cpus").into_iter().flat_map(|cpu| list(cpu, "targets")).collect();
    assert_eq!(of(by_target, "counts"), targets);

    let named: Vec<_> = list(&interfaces, "interfaces");
    let at = |name: &str| named.iter().find(|i| i["name"] == name).copied().cloned().unwrap_or_default();
    assert_eq!(sums(&[&at(LAN)["targets"]])["steered"].0, 3);
    assert_eq!(sums(&[&at(TO_BACKUP)["targets"]])["returned"].0, 3);

    // A name keeps its counters across daemons.
    scene.daemon.restart()?;
    scene.daemon.wait_serving("paris", "backup", LIMIT)?;
    scene.exchange()?;
    let later = scene.daemon.json(&["stats", "--by", "interface"])?;
    let lan = list(&later, "interfaces").into_iter().find(|i| i["name"] == LAN).context("lan0")?;
    assert_eq!(sums(&[&lan["targets"]])["steered"].0, 4);
    let text = scene.daemon.run(&["stats", "--by", "interface"])?;
    assert!(text.starts_with("INTERFACE") && text.contains("(targets)"), "{text}");
    Ok(())
}
