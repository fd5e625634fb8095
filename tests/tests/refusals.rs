//! Bad input: each a sentence that says what to do, nothing half done, and a daemon that lives on.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4},
    os::unix::net::UnixStream,
    time::Duration,
};

use anyhow::{Context as _, Result};
use failover_tests::{
    capture::Capture,
    daemon::{Commands, Daemon, binary},
    frames::{IPV4, ethernet, inject, ipv4, mac, seal_ipv4, udp},
    process::{self, Output},
    responder::Responder,
    settings::{QUICK_PROBE, Settings, Target},
    topology::{BACKUP, CALLERS, DEVICE, LAN, Lab, PRIMARY, Weight},
};

fn settings(lab: &Lab) -> Settings {
    Settings::empty(lab).with(Target::new("paris", PRIMARY, BACKUP).udp_only()).probe(QUICK_PROBE)
}

/// No program on the router's devices, no pins, no socket.
fn nothing_changed(lab: &Lab) -> Result<()> {
    let links = lab.router.ip("-o link show")?;
    assert!(!links.contains("xdp"), "{links}");
    assert_no_pins(lab)
}

fn assert_no_pins(lab: &Lab) -> Result<()> {
    let dir = lab.bpffs_dir();
    if dir.exists() {
        assert_eq!(lab.router.run(&["find", &dir.display().to_string(), "-type", "f"])?, "");
    }
    assert!(!lab.dir().join("control.sock").exists(), "no socket is left");
    Ok(())
}

/// `failover run` with these settings ends by itself, with this exit code and these words.
fn refused(lab: &Lab, settings: &Settings, code: i32, words: &[&str]) -> Result<Output> {
    let said = Commands::new(lab, settings)?.output(&["run"])?;
    assert_eq!(said.code, code, "{said:?}");
    for word in words {
        assert!(said.stderr.contains(word), "no {word:?} in: {}", said.stderr);
    }
    Ok(said)
}

#[test]
fn an_interface_that_does_not_exist() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let mut settings = settings(&lab);
    settings.interfaces.push("nope0".to_owned());
    refused(&lab, &settings, 1, &["nope0", "no such device", "help"])?;
    nothing_changed(&lab)
}

#[test]
fn an_xdp_program_that_is_already_there() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let mut attach = lab.router.command(binary()?);
    // The last of the interfaces: those before it must be let go again.
    attach.args(["attach", "--pass", "srv1", "--bpffs-dir"]).arg(lab.pin_dir("foreign"));
    process::run(attach)?;
    refused(&lab, &settings(&lab), 1, &["srv1", "busy", "help"])?;
    let links = lab.router.ip("-o link show")?;
    assert_eq!(links.lines().filter(|line| line.contains("xdp")).count(), 1, "only the foreign one: {links}");
    assert_no_pins(&lab)
}

#[test]
fn a_second_daemon_on_the_same_pins() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let first = Daemon::start(&lab, &settings(&lab))?;
    let own = lab.dir().join("second");
    let second =
        Settings { state_dir: own.join("state"), control_socket: own.join("sock"), ..settings(&lab) };
    refused(&lab, &second, 1, &["in use by another daemon", "help", "bpffs_dir"])?;
    // With its state in the same place it is refused even earlier.
    let third = Settings { control_socket: own.join("sock"), ..settings(&lab) };
    refused(&lab, &third, 1, &["lock", "another daemon"])?;
    let status = first.status()?;
    let interfaces = status["router"]["interfaces"].as_array().context("no interfaces")?;
    assert!(interfaces.iter().all(|interface| interface["attached"] == true), "{status}");
    Ok(())
}

#[test]
fn a_pin_folder_with_a_dot_in_its_name() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let dotted = Settings { bpffs_dir: lab.pin_dir("v1.2"), ..settings(&lab) };
    refused(&lab, &dotted, 1, &["v1.2", "dot", "help"])?;
    nothing_changed(&lab)
}

#[test]
fn no_privilege() -> Result<()> {
    const NOBODY: u32 = 65534;
    let lab = Lab::new(Weight::Quick)?;
    // Wherever the binary was built, an ordinary user must be able to run it.
    let copy = lab.dir().join("failover");
    std::fs::copy(binary()?, &copy).context("copy the binary")?;
    let own = lab.dir().join("own");
    std::fs::create_dir(&own)?;
    std::os::unix::fs::chown(&own, Some(NOBODY), Some(NOBODY))?;
    let root_s = settings(&lab);
    let own_files =
        Settings { state_dir: own.join("state"), control_socket: own.join("sock"), ..settings(&lab) };
    for settings in [root_s, own_files] {
        let mut command = lab.router.command("setpriv");
        command
            .args([
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--bounding-set=-all",
                "--inh-caps=-all",
            ])
            .arg(&copy)
            .arg("-c")
            .arg(Commands::new(&lab, &settings)?.config())
            .arg("run");
        let said = process::output(command)?;
        assert_eq!(said.code, 6, "{said:?}");
        let words = said.stderr.to_lowercase();
        assert!(words.contains("permi") && words.contains("help: run") && words.contains("root"), "{words}");
        nothing_changed(&lab)?;
    }
    Ok(())
}

#[test]
fn a_pin_folder_that_is_not_on_a_bpffs() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let settings = Settings { bpffs_dir: lab.dir().join("pins"), ..settings(&lab) };
    refused(&lab, &settings, 1, &["BPF file system", "mount -t bpf"])?;
    nothing_changed(&lab)
}

#[test]
fn a_second_daemon() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let daemon = Daemon::start(&lab, &settings(&lab))?;
    let said = daemon.output(&["run"])?;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("another daemon"), "{}", said.stderr);
    assert_eq!(daemon.status()?["router"]["pid"], daemon.pid()?, "the first one lives and is reached");
    Ok(())
}

#[test]
fn a_wrong_configuration() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let good = settings(&lab);
    let text = good.to_string();
    let cases = [
        (text.replace("bpffs_dir ", "bpfs_dir "), "bpffs_dir"),
        (text.replace("fall = 3", "fall = 0"), "fall"),
        (text.replace("10.77.2.10", "10.77.2"), "10.77.2"),
        (text.replace("\"lan0\", ", "\"lan0\", \"lan0\", "), "lan0"),
        (text.replace("services = ", "learn = true\nservices = "), "not supported yet"),
        (text.replace("[router]", "[router"), "router"),
    ];
    for (wrong, word) in cases {
        assert_ne!(wrong, text);
        let commands = Commands::new(&lab, &good)?;
        std::fs::write(commands.config(), &wrong)?;
        for verb in ["run", "check"] {
            let said = commands.output(&[verb])?;
            assert_eq!(said.code, 3, "{verb}: {said:?}");
            let all = said.stdout + &said.stderr;
            assert!(all.contains(word), "no {word:?} in: {all}");
            assert!(all.contains("failover.toml:"), "file and line: {all}");
        }
    }
    nothing_changed(&lab)
}

#[test]
fn a_reload_of_a_wrong_configuration_changes_nothing() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let _primary = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, 5060), "primary")?;
    let settings = settings(&lab);
    let daemon = Daemon::start(&lab, &settings)?;
    let before = daemon.status()?;
    std::fs::write(
        daemon.config(),
        settings.to_string().replace("interval = \"100ms\"", "interval = \"soon\""),
    )?;
    let said = daemon.output(&["reload"])?;
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.stderr.contains("soon") || said.stderr.contains("interval"), "{}", said.stderr);
    let after = daemon.status()?;
    assert_eq!(before["router"]["pid"], after["router"]["pid"]);
    assert_eq!(before["targets"][0]["name"], after["targets"][0]["name"]);
    Ok(())
}

#[test]
fn commands_that_make_no_sense() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let daemon = Daemon::start(&lab, &settings(&lab))?;
    for (words, code) in [
        (&["target", "disable", "lyon"][..], 7),
        (&["target", "show", "lyon"], 7),
        (&["target", "disable", "paris", "--for", "soon"], 2),
        (&["frobnicate"], 2),
        (&["attach", "nope0"], 7),
    ] {
        let said = daemon.output(words)?;
        assert_eq!(said.code, code, "{words:?}: {said:?}");
        assert!(!said.stderr.is_empty(), "{words:?} says why");
    }
    let mut nobody = lab.router.command(binary()?);
    nobody.args(["--socket", "/nonexistent/control.sock", "target", "list"]);
    assert_eq!(process::output(nobody)?.code, 5, "no daemon there");
    Ok(())
}

#[test]
fn garbage_on_the_control_socket() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let daemon = Daemon::start(&lab, &settings(&lab))?;
    let long = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(1 << 20));
    let requests: [&[u8]; 7] = [
        b"garbage\r\n\r\n",
        b"\x00\xff\x80\x16\x03\x01\x02\x00\r\n\r\n",
        b"POST /v1/targets/paris/admin HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"state",
        b"POST /v1/targets/paris/admin HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"state\":\"off\"} ",
        b"GET /v1/status HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET /v1/status HTTP/9.9\r\n\r\n",
        long.as_bytes(),
    ];
    for request in requests {
        let answer = talk(&lab, request)?;
        let shown = String::from_utf8_lossy(&request[..request.len().min(60)]).into_owned();
        assert!(answer.starts_with("HTTP/1.1 4"), "{shown:?} got {answer:?}");
        if request.len() < 1000 && !shown.contains("9.9") {
            let code = &answer[9..12];
            assert!(code == "400" || code == "422", "{shown:?} got {answer:?}");
        }
        assert_eq!(daemon.status()?["router"]["pid"], daemon.pid()?, "the daemon lives");
    }
    Ok(())
}

/// Writes bytes to the control socket, and reads what comes until the other side closes or falls silent.
fn talk(lab: &Lab, request: &[u8]) -> Result<String> {
    let mut stream = UnixStream::connect(lab.dir().join("control.sock"))?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    stream.set_write_timeout(Some(Duration::from_secs(2)))?;
    // It may hang up before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Frames that are not what they should be, and the reason each is counted under.
fn strange_frames(lab: &Lab) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let (to, from) = (mac(&lab.router, LAN)?, mac(&lab.phones, DEVICE)?);
    let frame = |payload: &[u8]| ethernet(to, from, IPV4, payload);
    let packet =
        |protocol: u8, options: &[u8], payload: &[u8]| ipv4(CALLERS, PRIMARY, protocol, options, payload);
    let sip = udp(5060, 5060, b"OPTIONS");
    let truncated = |bytes: usize| frame(&packet(17, &[], &sip)[..bytes]);
    let mut fragment = packet(17, &[], &sip);
    // Not the first one: that has ports, and is steered.
    fragment[6..8].copy_from_slice(&0x2001u16.to_be_bytes());
    seal_ipv4(&mut fragment);
    let mut version = packet(17, &[], &sip);
    version[0] = 0x65;
    let mut long_udp = udp(5060, 5060, b"OPTIONS");
    long_udp[4..6].copy_from_slice(&900u16.to_be_bytes());
    let mut short_udp = udp(5060, 5060, b"OPTIONS");
    short_udp[4..6].copy_from_slice(&7u16.to_be_bytes());
    // Not a service of the target: whatever else is wrong with it is not for us to find out.
    let short_tcp =
        [&5060u16.to_be_bytes()[..], &5060u16.to_be_bytes(), &[0; 8], &[0x10, 2], &[0; 6]].concat();
    Ok(vec![
        ("truncated", truncated(10)),
        ("truncated", truncated(20)),
        ("truncated", truncated(24)),
        ("not-ip", ethernet(to, from, 0x88b5, b"local experiment")),
        ("truncated", ethernet(to, from, 0x8100, &[0, 5, 8, 0, 0x45])),
        ("malformed-ip", frame(&version)),
        ("ip-options", frame(&packet(17, &[1, 1, 1, 0], &sip))),
        ("fragment", frame(&fragment)),
        ("not-udp-tcp", frame(&packet(47, &[], &[0; 20]))),
        ("malformed-l4", frame(&packet(17, &[], &long_udp))),
        ("malformed-l4", frame(&packet(17, &[], &short_udp))),
        ("not-signalling", frame(&packet(6, &[], &short_tcp))),
        ("not-signalling", frame(&packet(17, &[], &udp(7, 9, b"x")))),
        ("not-ours", frame(&ipv4(CALLERS, Ipv4Addr::new(10, 77, 2, 99), 17, &[], &sip))),
    ])
}

#[test]
fn strange_packets_pass_untouched_and_are_counted() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let _primary = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, 5060), "primary")?;
    let _backup = Responder::start(&lab.backup, SocketAddrV4::new(BACKUP, 5060), "backup")?;
    let daemon = Daemon::start_with_redirect(&lab, &settings(&lab))?;
    daemon.run(&["target", "disable", "paris"])?;
    daemon.wait_serving("paris", "backup", Duration::from_secs(2))?;
    let capture = Capture::start(&lab.primary, DEVICE, &lab.dir().join("primary.pcapng"))?;
    for (reason, frame) in strange_frames(&lab)? {
        let before = daemon.counted(reason)?;
        inject(&lab.phones, DEVICE, &[frame])?;
        process::wait_for(&format!("packet counted as {reason}"), Duration::from_secs(2), || {
            Ok((daemon.counted(reason)? > before).then_some(()))
        })?;
    }
    // Noise: no byte of it may stop the daemon or the next good packet.
    let noise: Vec<Vec<u8>> = (0..500u32)
        .map(|n| {
            (0..14 + n % 200).map(|i| (n.wrapping_mul(2_654_435_761).rotate_left(i) >> 7) as u8).collect()
        })
        .collect();
    inject(&lab.phones, DEVICE, &noise)?;
    let captured = capture.stop()?;
    // What the kernel forwards of them goes to the primary, as it was: steering left it alone.
    assert_eq!(captured.count(&format!("ip.src == {CALLERS} && ip.hdr_len == 24 && !icmp"))?, 1);
    assert_eq!(captured.count(&format!("ip.src == {CALLERS} && ip.flags.mf == 1 && !icmp"))?, 1);
    assert_eq!(captured.count(&format!("ip.src == {CALLERS} && ip.proto == 47 && !icmp"))?, 1);
    assert_eq!(captured.count("ip.checksum.status == 0 && !icmp")?, 0);
    let answer = lab
        .phones
        .enter(|| failover_tests::sip::options(SocketAddrV4::new(PRIMARY, 5060), Duration::from_secs(1)))?;
    assert_eq!(
        failover_tests::sip::header(&answer, "Server"),
        Some("backup"),
        "good packets are steered as before"
    );
    Ok(())
}
