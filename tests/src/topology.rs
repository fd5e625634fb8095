//! Who is where: phones, a router, a primary and a backup, each in a namespace of its own.
//!
//! Transmit checksum offload is off at every end: a veth would otherwise hand over checksums that are not finished,
//! which is what no real wire does, and checksum validation in captures would mean nothing. Segmentation offloads are
//! off as well, so that one captured packet is one packet.

use std::{
    fs::File,
    net::{Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::netns::{Namespace, Namespaces};

/// Callers place calls from here.
pub const CALLERS: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 10);
/// Callees answer here.
pub const CALLEES: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 20);
/// The primary proxy.
pub const PRIMARY: Ipv4Addr = Ipv4Addr::new(10, 77, 2, 10);
/// The backup proxy.
pub const BACKUP: Ipv4Addr = Ipv4Addr::new(10, 77, 3, 10);

/// The callers over IPv6, where [`Lab::speak_ipv6`] was called.
pub const CALLERS6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 1, 0, 0, 0, 0x10);
/// The primary proxy over IPv6.
pub const PRIMARY6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 2, 0, 0, 0, 0x10);
/// The backup proxy over IPv6.
pub const BACKUP6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 3, 0, 0, 0, 0x10);
/// The router's device towards the phones.
pub const LAN: &str = "lan0";
/// The router's device towards the primary.
pub const TO_PRIMARY: &str = "srv0";
/// The router's device towards the backup.
pub const TO_BACKUP: &str = "srv1";
/// The only device of every namespace but the router's.
pub const DEVICE: &str = "eth0";

/// Whether other laboratories may run at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A few packets: any number of these run side by side.
    Quick,
    /// A load whose timing is judged: has the machine to itself.
    Heavy,
}

/// The laboratory. Dropping it ends everything in it.
#[derive(Debug)]
pub struct Lab {
    /// Callers and callees.
    pub phones: Namespace,
    /// The router.
    pub router: Namespace,
    /// The primary proxy's host.
    pub primary: Namespace,
    /// The backup proxy's host.
    pub backup: Namespace,
    namespaces: Namespaces,
    // Below the namespaces: the next laboratory must not begin before this one is gone.
    _turn: File,
}

impl Lab {
    /// Builds the laboratory of the picture in the crate's head, nothing running in it yet. Waits for its turn.
    pub fn new(weight: Weight) -> Result<Self> {
        let turn = take_turn(weight)?;
        let mut namespaces = Namespaces::new()?;
        let router = namespaces.add("router")?;
        for (key, value) in [
            ("ipv4/ip_forward", "1"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
            ("ipv4/conf/all/send_redirects", "0"),
        ] {
            router.sysctl(key, value)?;
        }
        let mut join = |name: &str, device: &str, subnet: u8| -> Result<Namespace> {
            let host = namespaces.add(name)?;
            wire(&router, device, &host, subnet)?;
            Ok(host)
        };
        let phones = join("phones", LAN, 1)?;
        let primary = join("primary", TO_PRIMARY, 2)?;
        let backup = join("backup", TO_BACKUP, 3)?;
        let pins = pins(namespaces.prefix());
        namespaces.reap_folder(&pins)?;
        std::fs::create_dir(&pins).with_context(|| {
            format!("create {}; is a BPF file system there? mount -t bpf bpf /sys/fs/bpf", pins.display())
        })?;
        let lab = Self { phones, router, primary, backup, namespaces, _turn: turn };
        add_address(&lab.phones, CALLERS)?;
        add_address(&lab.phones, CALLEES)?;
        add_address(&lab.primary, PRIMARY)?;
        add_address(&lab.backup, BACKUP)?;
        Ok(lab)
    }

    /// Gives everyone an IPv6 address as well: fd77:0:0:`subnet`::/64, the router is ::1 there.
    pub fn speak_ipv6(&self) -> Result<()> {
        let on = |host: &Namespace, device: &str| -> Result<()> {
            for key in ["all", "default", device] {
                host.sysctl(&format!("ipv6/conf/{key}/disable_ipv6"), "0")?;
            }
            Ok(())
        };
        self.router.sysctl("ipv6/conf/all/forwarding", "1")?;
        for (host, device, address) in [
            (&self.phones, LAN, CALLERS6),
            (&self.primary, TO_PRIMARY, PRIMARY6),
            (&self.backup, TO_BACKUP, BACKUP6),
        ] {
            let [a, b, c, subnet, ..] = address.segments();
            let router = Ipv6Addr::new(a, b, c, subnet, 0, 0, 0, 1);
            on(&self.router, device)?;
            on(host, DEVICE)?;
            self.router.ip(&format!("-6 address add {router}/64 dev {device} nodad"))?;
            host.ip(&format!("-6 address add {address}/64 dev {DEVICE} nodad"))?;
            host.ip(&format!("-6 route add default via {router} dev {DEVICE}"))?;
        }
        Ok(())
    }

    /// One more host behind the router: namespace `name` at 10.77.`subnet`.0/24, the router's device `srv<subnet>`.
    /// Give it addresses with [`add_address`].
    pub fn add_host(&mut self, name: &str, subnet: u8) -> Result<Namespace> {
        let host = self.namespaces.add(name)?;
        wire(&self.router, &format!("srv{subnet}"), &host, subnet)?;
        Ok(host)
    }

    /// A folder for files; it goes with the laboratory.
    pub fn dir(&self) -> &Path {
        self.namespaces.dir()
    }

    /// The name of this laboratory, which no other one has.
    pub fn name(&self) -> &str {
        self.namespaces.prefix()
    }

    /// Where the daemon of this laboratory pins its programs and maps: on a bpffs, not there yet.
    pub fn bpffs_dir(&self) -> PathBuf {
        pins(self.name()).join("daemon")
    }

    /// A folder on a bpffs for what else is pinned under `name`, not there yet.
    pub fn pin_dir(&self, name: &str) -> PathBuf {
        pins(self.name()).join(name)
    }

    /// The router's devices.
    pub fn interfaces(&self) -> [&'static str; 3] {
        [LAN, TO_PRIMARY, TO_BACKUP]
    }

    /// A host 10.77.9.10 behind another router, on a link that takes no more than `mtu`, while its connections are begun
    /// as on one of 1,500 bytes.
    pub fn add_far_host(&mut self, mtu: u16) -> Result<Namespace> {
        let hop = self.add_host("hop", 4)?;
        let far = self.add_host("far", 5)?;
        add_address(&hop, Ipv4Addr::new(10, 77, 4, 10))?;
        hop.sysctl("ipv4/ip_forward", "1")?;
        hop.ip(&format!("link add far mtu {mtu} type veth peer name far mtu {mtu} netns {}", far.name()))?;
        for (host, own) in [(&hop, "10.77.9.1"), (&far, "10.77.9.10")] {
            host.ip(&format!("address add {own}/24 dev far"))?;
            host.ip("link set far up")?;
            host.run(&["ethtool", "-K", "far", "tx", "off", "tso", "off", "gso", "off", "gro", "off"])?;
        }
        far.ip("route replace default via 10.77.9.1 dev far advmss 1460")?;
        self.router.ip("route add 10.77.9.0/24 via 10.77.4.10")?;
        Ok(far)
    }

    /// Pulls a host's plug: the router's device loses its carrier, the host's processes keep running.
    pub fn unplug(&self, host: &Namespace) -> Result<()> {
        host.ip(&format!("link set {DEVICE} down")).map(drop)
    }

    /// Puts the plug of `host` on 10.77.`subnet`.0/24 back in.
    pub fn plug(&self, host: &Namespace, subnet: u8) -> Result<()> {
        host.ip(&format!("link set {DEVICE} up"))?;
        route(host, subnet)
    }
}

/// Has `host` lose so many of a hundred datagrams from now on, both ways, each as likely as any other.
pub fn lose_datagrams(host: &Namespace, percent: u8) -> Result<()> {
    let mut commands = vec!["add table ip lossy".to_owned()];
    for hook in ["input", "output"] {
        commands.push(format!("add chain ip lossy {hook} {{ type filter hook {hook} priority 0; }}"));
        let rule = format!("meta l4proto udp numgen random mod 100 < {percent} drop");
        commands.push(format!("add rule ip lossy {hook} {rule}"));
    }
    host.run(&["nft", &commands.join("; ")]).map(drop)
}

/// Gives `address` (in a /24) to the namespace's device.
pub fn add_address(host: &Namespace, address: Ipv4Addr) -> Result<()> {
    host.ip(&format!("address add {address}/24 dev {DEVICE}")).map(drop)
}

/// Connects `host` to the router: 10.77.`subnet`.0/24, the router is .1 and its default route.
fn wire(router: &Namespace, device: &str, host: &Namespace, subnet: u8) -> Result<()> {
    router.ip(&format!("link add {device} type veth peer name {DEVICE} netns {}", host.name()))?;
    router.ip(&format!("address add 10.77.{subnet}.1/24 dev {device}"))?;
    router.ip(&format!("link set {device} up"))?;
    host.ip(&format!("link set {DEVICE} up"))?;
    route(host, subnet)?;
    for (namespace, device) in [(router, device), (host, DEVICE)] {
        namespace.run(&["ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off", "gro", "off"])?;
    }
    Ok(())
}

/// The default route, which goes when the device goes down. It may come before the host's own address.
fn route(host: &Namespace, subnet: u8) -> Result<()> {
    host.ip(&format!("route add default via 10.77.{subnet}.1 dev {DEVICE} onlink")).map(drop)
}

fn pins(laboratory: &str) -> PathBuf {
    Path::new("/sys/fs/bpf").join(format!("failover-test-{laboratory}"))
}

/// Heavy laboratories run alone; quick ones run together. The lock goes with the returned file.
pub fn take_turn(weight: Weight) -> Result<File> {
    let path = std::env::temp_dir().join("failover-laboratory.lock");
    let file = File::create(&path).with_context(|| format!("open {}", path.display()))?;
    let free = match weight {
        Weight::Quick => file.try_lock_shared(),
        Weight::Heavy => file.try_lock(),
    };
    if free.is_err() {
        println!("    waiting until the other laboratories on this machine have ended");
        match weight {
            Weight::Quick => file.lock_shared(),
            Weight::Heavy => file.lock(),
        }
        .with_context(|| format!("lock {}", path.display()))?;
    }
    Ok(file)
}
