//! `forward = "kernel"`: through the router's own firewall and masquerading.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
};

use anyhow::Result;
use failover_tests::{
    capture::Capture,
    daemon::Daemon,
    kamailio::Kamailio,
    responder::Responder,
    settings::{QUICK_PROBE, Settings, Target},
    topology::{BACKUP, CALLERS, DEVICE, Lab, PRIMARY, Weight},
};

use crate::{PARIS, ROUTER, SWITCH, disable, large_over_tcp, large_over_udp, over_tcp, over_udp, sip_at};

/// Who masquerades phones.
const UPLINK: Ipv4Addr = Ipv4Addr::new(10, 77, 3, 1);

/// The router's own firewall: only what conntrack knows comes back, and phones are not to be seen beyond the uplink.
fn firewall(lab: &Lab) -> Result<()> {
    let rules = lab.dir().join("firewall.nft");
    std::fs::write(
        &rules,
        "table ip wall {
            chain forward {
                type filter hook forward priority filter; policy drop;
                ct state established,related accept
                ct state new iifname \"lan0\" accept
            }
            chain input {
                type filter hook input priority filter; policy accept;
                iifname \"srv1\" ct state established,related counter accept
                iifname \"srv1\" ip protocol != icmp drop
            }
            chain uplink {
                type nat hook postrouting priority srcnat;
                oifname \"srv1\" ip saddr 10.77.1.0/24 masquerade
            }
        }\n",
    )?;
    lab.router.run(&["nft", "-f", &rules.display().to_string()]).map(drop)
}

/// Seen by conntrack both ways, hidden from the backup, and answered by the address that was asked.
#[test]
fn the_kernel_forwards_through_firewall_and_masquerading() -> Result<()> {
    for dedicated in [true, false] {
        let lab = Lab::new(Weight::Quick)?;
        firewall(&lab)?;
        let _primary = Kamailio::primary(&lab)?;
        let _backup = Kamailio::backup(&lab)?;
        let target = Target { dedicated, ..Target::new("paris", PRIMARY, BACKUP) };
        let settings = Settings { kernel_forwards: true, ..Settings::empty(&lab) };
        let daemon = Daemon::start(&lab, &settings.with(target).probe(QUICK_PROBE))?;
        disable(&daemon)?;
        let at_phones = Capture::start(&lab.phones, DEVICE, &lab.dir().join("phones.pcapng"))?;
        let at_backup = Capture::start(&lab.backup, DEVICE, &lab.dir().join("backup.pcapng"))?;
        for _ in 0..3 {
            assert_eq!(
                (over_udp(&lab.phones)?, over_tcp(&lab.phones, CALLERS)?),
                ("backup".into(), "backup".into())
            );
        }
        assert_eq!(large_over_udp(&lab.phones, SocketAddrV4::new(CALLERS, 5090), 3000)?, "backup");
        assert_eq!(large_over_tcp(&lab.phones, CALLERS, 3000)?, "backup");
        // The router's own client, too, whom conntrack knows by the address that it asked.
        assert_eq!(
            (over_udp(&lab.router)?, over_tcp(&lab.router, ROUTER)?),
            ("backup".into(), "backup".into())
        );
        let (at_phones, at_backup) = (at_phones.stop()?, at_backup.stop()?);
        assert!(at_phones.count(&format!("ip.src == {PRIMARY}"))? >= 10);
        assert_eq!((at_phones.with_address(BACKUP)?, at_phones.bad_checksums()?), (0, 0));
        assert!(at_backup.count(&format!("ip.src == {UPLINK}"))? >= 10);
        assert_eq!((at_backup.with_address(CALLERS)?, at_backup.bad_checksums()?), (0, 0));
        assert!(daemon.counted("steered-by-kernel")? >= 10, "{}", daemon.json(&["stats"])?);
        assert!(daemon.counted("returned-by-kernel")? >= 10, "{}", daemon.json(&["stats"])?);
    }
    Ok(())
}

/// What the backup's stack says about a masqueraded packet reaches the phone in its own words.
#[test]
fn a_phone_behind_masquerading_is_told_that_nobody_listens() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    firewall(&lab)?;
    let _primary = Responder::start(&lab.primary, PARIS, "primary")?;
    let backup = Responder::start(&lab.backup, sip_at(BACKUP), "backup")?;
    let once = r#"{ interval = "60s", timeout = "300ms", fall = 3, rise = 3 }"#;
    let settings = Settings { kernel_forwards: true, ..Settings::empty(&lab) };
    let target = Target::new("paris", PRIMARY, BACKUP).udp_only();
    let daemon = Daemon::start(&lab, &settings.with(target).probe(once))?;
    disable(&daemon)?;
    drop(backup);
    let socket = lab.phones.enter(|| Ok(UdpSocket::bind((CALLERS, 5062))?))?;
    socket.connect(PARIS)?;
    socket.set_read_timeout(Some(SWITCH))?;
    socket.send(b"OPTIONS sip:paris SIP/2.0\r\n\r\n")?;
    let told = socket.recv(&mut [0; 100]).map_err(|error| error.kind());
    assert_eq!(told, Err(ErrorKind::ConnectionRefused));
    Ok(())
}
