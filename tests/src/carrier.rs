//! A backup whose host carries the target's addresses on its loopback, for `steer = "l2"` and `"ipip"`, between real
//! servers of both IP versions.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::Result;

use crate::{
    daemon::{Daemon, accept_redirects_at, binary},
    kamailio::{Kamailio, Role},
    process,
    settings::{Settings, Target},
    sip,
    tcp_client::TcpClient,
    topology::{BACKUP, BACKUP6, CALLERS, CALLERS6, DEVICE, Lab, PRIMARY, PRIMARY6, Weight},
};

/// The router's addresses on the way to the backup.
const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 77, 3, 1);
const ROUTER6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 3, 0, 0, 0, 1);
const SWITCH: Duration = Duration::from_secs(3);
const QUICK_PROBE: &str = r#"{ interval = "100ms", fast_interval = "20ms", timeout = "100ms", fall = 3, rise = 2, hold_down = "0s", flap = { half_life = "0s" } }"#;

/// The laboratory's target in both IP versions.
pub fn both_families(steer: &str) -> Target {
    Target::new("paris", PRIMARY, BACKUP).dual_stack(PRIMARY6, BACKUP6).steered_by(steer)
}

/// How the target's packets get to the backup, whose host carries the target's addresses.
#[derive(Debug)]
pub struct Carrier {
    /// The router's.
    pub daemon: Daemon,
    primaries: [Kamailio; 2],
    _backups: [Kamailio; 4],
    /// Taken away last.
    pub lab: Lab,
}

impl Carrier {
    /// Starts it all; returns once all is up. `target` is steered by `l2` or `ipip`.
    pub fn new(target: Target) -> Result<Self> {
        Self::with_envelopes_from(None, target)
    }

    /// The same; the router's envelopes of IPv4 come from `source`, a prefix, if it is not the router's own address.
    pub fn with_envelopes_from(source: Option<&'static str>, target: Target) -> Result<Self> {
        let lab = Lab::new(Weight::Quick)?;
        lab.speak_ipv6()?;
        carry(&lab)?;
        if target.steer == "ipip" {
            open_envelopes(&lab, source)?;
        } else {
            accept_redirects_at(&lab, &lab.backup)?;
        }
        for host in [&lab.phones, &lab.primary] {
            accept_redirects_at(&lab, host)?;
        }
        let as_target = |role: Role| Role { name: "backup", ..role };
        let primaries = [Kamailio::primary(&lab)?, Kamailio::start(&lab, &lab.primary, Role::PRIMARY6)?];
        let backups = [
            Kamailio::backup(&lab)?,
            Kamailio::start(&lab, &lab.backup, Role::BACKUP6)?,
            Kamailio::start(&lab, &lab.backup, as_target(Role::PRIMARY))?,
            Kamailio::start(&lab, &lab.backup, as_target(Role::PRIMARY6))?,
        ];
        let settings = Settings { envelope_source: source, ..Settings::empty(&lab) };
        let daemon = Daemon::start(&lab, &settings.with(target).probe(QUICK_PROBE))?;
        daemon.wait_all_up(SWITCH)?;
        Ok(Self { daemon, primaries, _backups: backups, lab })
    }

    /// Both of its servers die; the backup serves.
    pub fn primary_dies(&mut self) -> Result<()> {
        for primary in &mut self.primaries {
            primary.kill()?;
        }
        self.daemon.wait_serving("paris", "backup", SWITCH).map(drop)
    }

    /// Both of them are back.
    pub fn primary_returns(&mut self) -> Result<()> {
        self.primaries.iter_mut().try_for_each(Kamailio::restart)
    }

    /// Who answers a phone over UDP.
    pub fn server(&self, target: impl Into<SocketAddr>) -> Result<String> {
        let target = target.into();
        self.lab.phones.enter(|| sip::server(target, Duration::from_secs(1)))
    }

    /// A phone over TCP.
    pub fn connect(&self, target: impl Into<SocketAddr>) -> Result<TcpClient> {
        let target = target.into();
        TcpClient::connect(&self.lab.phones, caller(target), target, SWITCH)
    }

    /// Who answers a new one.
    pub fn server_over_tcp(&self, target: impl Into<SocketAddr>) -> Result<String> {
        self.connect(target)?.server(SWITCH)
    }
}

/// The phones' address of a target's family.
pub fn caller(target: SocketAddr) -> IpAddr {
    if target.is_ipv4() { CALLERS.into() } else { CALLERS6.into() }
}

/// Puts the target's addresses on the loopback of the backup's host.
fn carry(lab: &Lab) -> Result<()> {
    lab.backup.ip(&format!("address add {PRIMARY}/32 dev lo"))?;
    lab.backup.sysctl("ipv6/conf/lo/disable_ipv6", "0")?;
    lab.backup.ip(&format!("-6 address add {PRIMARY6}/128 dev lo nodad")).map(drop)
}

/// The kernel here may have no tunnel device: the program that opens envelopes stands in for one. It opens those of IPv4
/// that come from `source`, or from the router's own address.
pub fn open_envelopes(lab: &Lab, source: Option<&str>) -> Result<()> {
    let mut command = lab.backup.command(binary()?);
    command.args(["attach", "--decap", DEVICE, "--bpffs-dir"]).arg(lab.pin_dir(lab.backup.name()));
    let four = source.map_or_else(|| ROUTER.to_string(), str::to_owned);
    for router in [four, ROUTER6.to_string()] {
        command.args(["--from", &router]);
    }
    for target in [IpAddr::from(PRIMARY), PRIMARY6.into()] {
        command.args(["--for", &target.to_string()]);
    }
    process::run(command).map(drop)
}
