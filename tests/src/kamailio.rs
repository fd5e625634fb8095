//! A real Kamailio as primary or as backup.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use crate::{
    netns::Namespace,
    process::Process,
    sip,
    topology::{BACKUP, BACKUP6, CALLEES, Lab, PRIMARY, PRIMARY6},
};

const TEMPLATE: &str = include_str!("../peers/kamailio.cfg");

/// The port where callees answer ([`crate::sipp::Callees`]).
pub const CALLEE_PORT: u16 = 5070;

/// The port of SIP over TLS.
pub const TLS_PORT: u16 = 5061;

/// What a server shows under TLS: PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its certificate.
    pub certificate: PathBuf,
    /// The key for it.
    pub key: PathBuf,
}

impl Identity {
    fn module(&self) -> String {
        let word =
            |name, value: &dyn std::fmt::Display| format!("modparam(\"tls\", \"{name}\", \"{value}\")\n");
        [
            "loadmodule \"tls.so\"\n".to_owned(),
            word("certificate", &self.certificate.display()),
            word("private_key", &self.key.display()),
            word("tls_method", &"TLSv1.2+"),
        ]
        .concat()
    }
}

/// How a Kamailio stands in the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Role {
    /// In its `Server` header, and in the names of its files.
    pub name: &'static str,
    /// Where it listens, UDP and TCP.
    pub address: SocketAddr,
    /// The address that it writes into Via and Record-Route instead of its own: a backup that is reached by
    /// rewritten addresses speaks for the primary, so that whatever follows is sent where it can be steered.
    pub advertise: Option<SocketAddr>,
}

impl Role {
    /// The primary of the standard laboratory.
    pub const PRIMARY: Self = Self { name: "primary", address: at(IpAddr::V4(PRIMARY)), advertise: None };
    /// The backup of the standard laboratory, speaking for the primary.
    pub const BACKUP: Self =
        Self { name: "backup", address: at(IpAddr::V4(BACKUP)), advertise: Some(at(IpAddr::V4(PRIMARY))) };
    /// The primary over IPv6.
    pub const PRIMARY6: Self = Self { name: "primary", address: at(IpAddr::V6(PRIMARY6)), advertise: None };
    /// The backup over IPv6.
    pub const BACKUP6: Self =
        Self { name: "backup", address: at(IpAddr::V6(BACKUP6)), advertise: Some(at(IpAddr::V6(PRIMARY6))) };
}

const fn at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, sip::PORT)
}

/// A running Kamailio. Dropping it kills all its processes.
#[derive(Debug)]
pub struct Kamailio {
    role: Role,
    host: Namespace,
    config: PathBuf,
    process: Process,
}

impl Kamailio {
    /// The primary of the standard laboratory; returns once it answers.
    pub fn primary(lab: &Lab) -> Result<Self> {
        Self::start(lab, &lab.primary, Role::PRIMARY)
    }

    /// The backup of the standard laboratory, speaking for the primary; returns once it answers.
    pub fn backup(lab: &Lab) -> Result<Self> {
        Self::start(lab, &lab.backup, Role::BACKUP)
    }

    /// Starts one on `host`; returns once it answers.
    pub fn start(lab: &Lab, host: &Namespace, role: Role) -> Result<Self> {
        Self::start_with(lab, host, role, None)
    }

    /// The same; it speaks TLS as well, on port 5061, under `identity`.
    pub fn start_secure(lab: &Lab, host: &Namespace, role: Role, identity: &Identity) -> Result<Self> {
        Self::start_with(lab, host, role, Some(identity))
    }

    fn start_with(lab: &Lab, host: &Namespace, role: Role, identity: Option<&Identity>) -> Result<Self> {
        let advertise = role.advertise.map_or_else(String::new, |address| format!(" advertise {address}"));
        let mut listen = ["udp", "tcp"].map(|t| format!("listen={t}:{}{advertise}\n", role.address)).to_vec();
        if identity.is_some() {
            listen.push(format!("listen=tls:{}\n", SocketAddr::new(role.address.ip(), TLS_PORT)));
        }
        let text = TEMPLATE
            .replace("@NAME@", role.name)
            .replace("@LISTEN@", &listen.concat())
            .replace("@TLS@", if identity.is_some() { "yes" } else { "no" })
            .replace("@TLS_MODULE@", &identity.map_or_else(String::new, Identity::module))
            .replace("@CALLEE@", &format!("{CALLEES}:{CALLEE_PORT}"));
        let config = lab.dir().join(format!("kamailio-{}-{}.cfg", role.name, role.address.ip()));
        std::fs::write(&config, text).with_context(|| format!("write {}", config.display()))?;
        let process = launch(host, role, &config)?;
        Ok(Self { role, host: host.clone(), config, process })
    }

    /// SIGKILL to every one of its processes.
    pub fn kill(&mut self) -> Result<()> {
        self.process.kill()
    }

    /// The same, and tells when the kernel had ended the last of them: its sockets are closed then, and not before.
    pub fn kill_and_watch(&mut self) -> Result<SystemTime> {
        let members = self.process.watch_members()?;
        self.process.signal(Signal::KILL)?;
        let ended = members.wait_for_all()?;
        self.process.kill()?;
        Ok(ended)
    }

    /// Freezes every one of its processes: UDP falls silent, TCP still connects (the kernel's backlog).
    pub fn stop(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Thaws them.
    pub fn cont(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Starts it anew after [`Self::kill`]; returns once it answers.
    pub fn restart(&mut self) -> Result<()> {
        self.process.kill()?;
        self.process = launch(&self.host, self.role, &self.config)?;
        Ok(())
    }
}

fn launch(host: &Namespace, role: Role, config: &std::path::Path) -> Result<Process> {
    let mut command = host.command("kamailio");
    // -DD: the main process stays ours, and its workers stay in its process group.
    command.args(["-DD", "-E", "-m", "64", "-M", "8", "-f"]).arg(config);
    let mut process = host.spawn(&format!("kamailio-{}", role.name), command)?;
    process.wait_ready(Duration::from_secs(10), || {
        // From its own host: the way through the router is what the tests are about.
        host.enter(|| Ok(sip::options(role.address, Duration::from_millis(100)).is_ok()))
    })?;
    Ok(process)
}
