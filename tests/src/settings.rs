//! Configurations for the daemon under test.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
};

use crate::topology::{BACKUP, Lab, PRIMARY};

/// The probe that the laboratory judges switches with.
pub const PROBE: &str = r#"{ interval = "100ms", timeout = "100ms", fall = 3, rise = 3 }"#;

/// The same, and back without delay: for tests that switch often.
pub const QUICK_PROBE: &str = r#"{ interval = "100ms", timeout = "100ms", fall = 3, rise = 3, hold_down = "200ms", flap = { half_life = "0s" } }"#;

/// A configuration of one laboratory's daemon. Write it out with `to_string`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `[router] interfaces`.
    pub interfaces: Vec<String>,
    /// Those of them that have `mode = "generic"`.
    pub generic: Vec<String>,
    /// The `mode` of each.
    pub mode: &'static str,
    /// `[router] control_socket`.
    pub control_socket: PathBuf,
    /// `[router] state_dir`.
    pub state_dir: PathBuf,
    /// `[router] bpffs_dir`.
    pub bpffs_dir: PathBuf,
    /// `[router] max_flows`, where it is not the default.
    pub max_flows: Option<u32>,
    /// `[router] forward = "kernel"`.
    pub kernel_forwards: bool,
    /// `[router] envelope_source`.
    pub envelope_source: Option<&'static str>,
    /// `[defaults] replay`, where it is not the default.
    pub replay: Option<bool>,
    /// More lines of `[router]`.
    pub router: String,
    /// `[defaults] probe`, a TOML value.
    pub probe: String,
    /// In the order of the file.
    pub targets: Vec<Target>,
}

/// A target with one backup.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// `name`.
    pub name: String,
    /// `address`.
    pub address: Ipv4Addr,
    /// `services`, as a TOML value.
    pub services: String,
    /// Its backup's `address`; the backup is named `<target>-backup`.
    pub backup: Ipv4Addr,
    /// Its backup's `ports`, as a TOML value.
    pub ports: Option<String>,
    /// Its backup's `dedicated`.
    pub dedicated: bool,
    /// The primary's and the backup's IPv6 addresses, where they have some.
    pub ipv6: Option<(Ipv6Addr, Ipv6Addr)>,
    /// `failback`, where it is not the default.
    pub failback: Option<&'static str>,
    /// `affinity`, where it is not the default.
    pub affinity: Option<&'static str>,
    /// `drain_limit`, where it is not the default.
    pub drain_limit: Option<&'static str>,
    /// `steer`.
    pub steer: String,
    /// The backup's only address, in place of all others.
    pub backup_alone_at: Option<Ipv6Addr>,
}

impl Target {
    /// A SIP target, UDP and TCP, with a backup that is its own.
    pub fn new(name: &str, address: Ipv4Addr, backup: Ipv4Addr) -> Self {
        let services = r#"["sip"]"#.to_owned();
        Self {
            name: name.to_owned(),
            address,
            services,
            backup,
            ports: None,
            dedicated: true,
            ipv6: None,
            failback: Some("immediate"),
            affinity: None,
            drain_limit: None,
            steer: "nat".to_owned(),
            backup_alone_at: None,
        }
    }

    /// Its one service is SIP over UDP: for servers that speak nothing else.
    #[must_use]
    pub fn udp_only(self) -> Self {
        Self { services: r#"["sip/udp:5060"]"#.to_owned(), ..self }
    }

    /// Its backup serves others too.
    #[must_use]
    pub fn shared(self) -> Self {
        Self { dedicated: false, ..self }
    }

    /// It returns to its primary when an operator says so.
    #[must_use]
    pub fn manual_failback(self) -> Self {
        Self { failback: Some("manual"), ..self }
    }

    /// It returns to its primary as one does of which nothing is said.
    #[must_use]
    pub fn default_failback(self) -> Self {
        Self { failback: None, ..self }
    }

    /// A call's requests are kept together.
    #[must_use]
    pub fn by_call(self) -> Self {
        Self { affinity: Some("call"), ..self }
    }

    /// Its draining takes no longer.
    #[must_use]
    pub fn drain_limit(self, limit: &'static str) -> Self {
        Self { drain_limit: Some(limit), ..self }
    }

    /// Its packets get to the backup by `l2` or `ipip`.
    #[must_use]
    pub fn steered_by(self, steer: &str) -> Self {
        Self { steer: steer.to_owned(), ..self }
    }

    /// Its backup has this address alone.
    #[must_use]
    pub fn backup_alone_at(self, address: Ipv6Addr) -> Self {
        Self { backup_alone_at: Some(address), ..self }
    }

    /// Both servers have an IPv6 address, too.
    #[must_use]
    pub fn dual_stack(self, primary: Ipv6Addr, backup: Ipv6Addr) -> Self {
        Self { ipv6: Some((primary, backup)), ..self }
    }

    /// Its backup serves SIP over UDP on this port.
    #[must_use]
    pub fn backup_port(self, port: u16) -> Self {
        Self { ports: Some(format!(r#"{{ "sip/udp" = {port} }}"#)), ..self }
    }
}

impl Settings {
    /// All of the router's devices, no target yet.
    pub fn empty(lab: &Lab) -> Self {
        Self {
            interfaces: lab.interfaces().map(str::to_owned).to_vec(),
            generic: Vec::new(),
            mode: "auto",
            control_socket: lab.dir().join("control.sock"),
            state_dir: lab.dir().join("state"),
            bpffs_dir: lab.bpffs_dir(),
            max_flows: None,
            kernel_forwards: false,
            envelope_source: None,
            replay: None,
            router: String::new(),
            probe: PROBE.to_owned(),
            targets: Vec::new(),
        }
    }

    /// The standard laboratory: target `paris`, the primary, and its dedicated backup `paris-backup`.
    pub fn standard(lab: &Lab) -> Self {
        Self::empty(lab).with(Target::new("paris", PRIMARY, BACKUP))
    }

    /// One more target.
    #[must_use]
    pub fn with(mut self, target: Target) -> Self {
        self.targets.push(target);
        self
    }

    /// Another `[router] max_flows`.
    #[must_use]
    pub fn max_flows(self, flows: u32) -> Self {
        Self { max_flows: Some(flows), ..self }
    }

    /// What has had no answer is left to its sender.
    #[must_use]
    pub fn without_replay(self) -> Self {
        Self { replay: Some(false), ..self }
    }

    /// Another `[defaults] probe`.
    #[must_use]
    pub fn probe(self, probe: &str) -> Self {
        Self { probe: probe.to_owned(), ..self }
    }
}

impl std::fmt::Display for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "[router]")?;
        let interface = |name: &String| {
            let mode = if self.generic.contains(name) { "generic" } else { self.mode };
            format!("{{ name = {name:?}, mode = \"{mode}\" }}")
        };
        let interfaces: Vec<_> = self.interfaces.iter().map(interface).collect();
        writeln!(f, "interfaces     = [{}]", interfaces.join(", "))?;
        writeln!(f, "control_socket = \"{}\"", self.control_socket.display())?;
        writeln!(f, "state_dir      = \"{}\"", self.state_dir.display())?;
        writeln!(f, "bpffs_dir      = \"{}\"", self.bpffs_dir.display())?;
        if let Some(flows) = self.max_flows {
            writeln!(f, "max_flows      = {flows}")?;
        }
        if self.kernel_forwards {
            writeln!(f, "forward        = \"kernel\"")?;
        }
        if let Some(prefix) = self.envelope_source {
            writeln!(f, "envelope_source = {prefix:?}")?;
        }
        writeln!(f, "{}\n[defaults]\nprobe = {}", self.router, self.probe)?;
        if let Some(replay) = self.replay {
            writeln!(f, "replay = {replay}")?;
        }
        for target in &self.targets {
            f.write_str(&target.to_toml())?;
        }
        Ok(())
    }
}

impl Target {
    fn to_toml(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        let _ = writeln!(text, "\n[[target]]");
        let _ = writeln!(text, "name     = {:?}", self.name);
        let (primary, backup) = match self.ipv6 {
            Some((primary, backup)) => (format!(", \"{primary}\""), format!(", \"{backup}\"")),
            None => (String::new(), String::new()),
        };
        let _ = writeln!(text, "address  = [\"{}\"{primary}]", self.address);
        let _ = writeln!(text, "services = {}\nsteer    = {:?}", self.services, self.steer);
        for (word, value) in
            [("failback", self.failback), ("affinity", self.affinity), ("drain_limit", self.drain_limit)]
        {
            if let Some(value) = value {
                let _ = writeln!(text, "{word} = {value:?}");
            }
        }
        let _ = writeln!(text, "[[target.backup]]");
        let _ = writeln!(text, "name      = \"{}-backup\"", self.name);
        let _ = match self.backup_alone_at {
            Some(address) => writeln!(text, "address   = \"{address}\""),
            None => writeln!(text, "address   = [\"{}\"{backup}]", self.backup),
        };
        if self.steer == "nat" {
            let _ = writeln!(text, "dedicated = {}", self.dedicated);
        }
        if let Some(ports) = &self.ports {
            let _ = writeln!(text, "ports     = {ports}");
        }
        text
    }
}
