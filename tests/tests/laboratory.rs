//! The laboratory itself: it carries calls, it sees what it should see, and it leaves nothing behind.
//! None of this runs the daemon: what fails here is not the product's fault.

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddrV4},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime},
};

use failover_tests::{
    capture::Capture,
    kamailio::Kamailio,
    process,
    responder::Responder,
    sip,
    sipp::{Callees, Load},
    stream::Stream,
    topology::{BACKUP, CALLERS, DEVICE, Lab, PRIMARY, Weight},
    verdict::judge,
};

/// Whether namespaces or files of the laboratory `name` are still there.
fn traces(name: &str) -> anyhow::Result<Vec<String>> {
    let spaces = process::run(process::command("ip", ["netns", "list"]))?;
    let mut found: Vec<String> =
        spaces.lines().filter(|l| l.starts_with(&format!("{name}-"))).map(str::to_owned).collect();
    for path in [std::env::temp_dir().join(name), format!("/sys/fs/bpf/failover-test-{name}").into()] {
        if path.exists() {
            found.push(path.display().to_string());
        }
    }
    Ok(found)
}

#[test]
fn a_laboratory_whose_maker_is_killed_leaves_nothing() {
    const CHILD: &str = "FAILOVER_TEST_LABORATORY_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let lab = Lab::new(Weight::Quick).unwrap();
        let responder = Responder::start(&lab.primary, SocketAddrV4::new(PRIMARY, 5060), "primary").unwrap();
        let mut sleep = lab.phones.command("sleep");
        sleep.arg("1000");
        let sleep = lab.phones.spawn("sleep", sleep).unwrap();
        println!("\nlaboratory {} {}", lab.name(), sleep.pid());
        thread::sleep(Duration::from_mins(1));
        drop(responder);
        return;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_laboratory_whose_maker_is_killed_leaves_nothing", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.starts_with("laboratory ")).expect("the child made a laboratory");
    let words: Vec<&str> = line.split(' ').collect();
    assert!(traces(words[1]).unwrap().len() >= 5, "four namespaces and a folder");
    child.kill().unwrap();
    child.wait().unwrap();
    process::wait_for("clean machine", Duration::from_secs(10), || {
        Ok((traces(words[1])?.is_empty() && !Path::new("/proc").join(words[2]).exists()).then_some(()))
    })
    .unwrap();
}

#[test]
fn a_panic_takes_the_laboratory_away() {
    let name = std::sync::Mutex::new(String::new());
    let panic = thread::scope(|scope| {
        let made = scope.spawn(|| {
            let lab = Lab::new(Weight::Quick).unwrap();
            name.lock().unwrap().push_str(lab.name());
            panic!("on purpose");
        });
        made.join()
    });
    assert!(panic.is_err());
    assert_eq!(traces(&name.into_inner().unwrap()).unwrap(), Vec::<String>::new());
}

#[test]
fn every_host_reaches_every_other_through_the_router() {
    let mut lab = Lab::new(Weight::Quick).unwrap();
    let far = lab.add_host("far", 4).unwrap();
    let address = Ipv4Addr::new(10, 77, 4, 10);
    failover_tests::topology::add_address(&far, address).unwrap();
    for (host, address) in [(&lab.primary, PRIMARY), (&lab.backup, BACKUP), (&far, address)] {
        let at = SocketAddrV4::new(address, 5060);
        let _responder = Responder::start(host, at, "x").unwrap();
        let phone = SocketAddrV4::new(CALLERS, 5062);
        let stream = Stream::start(&lab.phones, phone, at, 100).unwrap();
        thread::sleep(Duration::from_millis(300));
        let answers = stream.finish().unwrap();
        assert_eq!(answers.lost(), Vec::<u32>::new(), "{address}");
        assert_eq!(answers.sources().into_iter().collect::<Vec<_>>(), [at.into()]);
        assert_eq!(answers.seen_from().into_iter().collect::<Vec<_>>(), [phone.to_string()]);
    }
    lab.unplug(&lab.primary).unwrap();
    let at = SocketAddrV4::new(PRIMARY, 5060);
    let _responder = Responder::start(&lab.primary, at, "x").unwrap();
    assert!(lab.phones.enter(|| sip::options(at, Duration::from_millis(200))).is_err());
    lab.plug(&lab.primary, 2).unwrap();
    lab.phones.enter(|| sip::await_options(at, Duration::from_secs(5))).unwrap();
}

/// Stands in for the daemon: moves packets by nftables, without connection tracking, the moment it is told to.
const ORACLE: &str = "
table ip oracle {
    chain prerouting {
        type filter hook prerouting priority raw;
        ip daddr 10.77.2.10 udp dport 5060 ip daddr set 10.77.3.10 notrack
        ip saddr 10.77.3.10 udp sport 5060 ip saddr set 10.77.2.10 notrack
    }
}";

#[test]
fn calls_survive_the_primary_when_an_oracle_moves_them() {
    let lab = Lab::new(Weight::Quick).unwrap();
    let mut primary = Kamailio::primary(&lab).unwrap();
    let _backup = Kamailio::backup(&lab).unwrap();
    let _callees = Callees::start(&lab).unwrap();
    let capture = Capture::start(&lab.phones, DEVICE, &lab.dir().join("phones.pcapng")).unwrap();
    let rules = lab.dir().join("oracle.nft");
    std::fs::write(&rules, ORACLE).unwrap();

    let mut calls = Load::new(30, 8).start(&lab).unwrap();
    calls.wait_until(Duration::from_secs(4)).unwrap();
    assert!(calls.progress().unwrap().placed > 0);
    let death = SystemTime::now();
    primary.kill().unwrap();
    lab.router.run(&["nft", "-f", rules.to_str().unwrap()]).unwrap();
    let report = calls.finish().unwrap();
    let captured = capture.stop().unwrap();
    let verdict = judge(&captured, CALLERS, death).unwrap();
    println!("oracle: {report}; {} beyond help", verdict.beyond_help.len());

    assert_eq!((report.placed, verdict.placed), (240, 240));
    assert_eq!(report.setups.len(), 240 - verdict.beyond_help.len());
    assert_eq!(verdict.failed.len(), report.failed as usize, "sipp and the wire agree");
    assert_eq!(verdict.inexcusable(), Vec::<&String>::new());
    assert!(report.worst_setup() < Duration::from_millis(1600), "{report}");
    assert!(captured.with_address(PRIMARY).unwrap() > 1000);
    assert_eq!(captured.with_address(BACKUP).unwrap(), 0);
    assert_eq!(captured.bad_checksums().unwrap(), 0);
}

#[test]
fn the_capture_sees_a_bad_checksum_and_a_strange_address() {
    use failover_tests::frames::{IPV4, ethernet, inject, ipv4, mac, udp};
    let lab = Lab::new(Weight::Quick).unwrap();
    let capture = Capture::start(&lab.primary, DEVICE, &lab.dir().join("primary.pcapng")).unwrap();
    let (to, from) = (mac(&lab.router, "lan0").unwrap(), mac(&lab.phones, DEVICE).unwrap());
    let mut datagram = udp(9, 9, b"bad");
    datagram[6..8].copy_from_slice(&[0x12, 0x34]);
    let frame = |payload: &[u8]| ethernet(to, from, IPV4, &ipv4(CALLERS, PRIMARY, 17, &[], payload));
    inject(&lab.phones, DEVICE, &[frame(&datagram), frame(&udp(9, 9, b"good"))]).unwrap();
    let captured = capture.stop().unwrap();
    assert_eq!(captured.count("udp.port == 9 && !icmp").unwrap(), 2);
    assert_eq!(captured.count("udp.checksum.status == 0 && !icmp").unwrap(), 1);
    assert!(captured.bad_checksums().unwrap() >= 1);
    assert!(captured.with_address(CALLERS).unwrap() >= 2);
    assert_eq!(captured.with_address(BACKUP).unwrap(), 0);
}
