//! Who is where around the router that is measured.
//!
//! ```text
//!   phones ── far1 ═ dev1 ── router ── dev2 ═ far2 ── primaries   10.88.2.0/24
//!   100.64.0.0/10                   └─ dev3 ═ far3 ── backups     10.88.3.0/24
//! ```
//!
//! The phones are behind another router, 10.88.1.254, so that there can be millions of them. A MAC address ends in
//! the subnet's and the host's number; all of them are known, for ever.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddrV4},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use failover_tests::netns::{Namespace, Namespaces};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};

/// The first phone; the others follow it.
pub const PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(100, 64, 0, 10), 5060);
/// Its backup is [`SOLE`].
pub const STEERED: SocketAddrV4 = at(PRIMARIES, 10);
/// Its backup is [`SHARED`].
pub const SHARING: SocketAddrV4 = at(PRIMARIES, 20);
/// So is this one's.
pub const ALSO_SHARING: SocketAddrV4 = at(PRIMARIES, 60);
/// Serves.
pub const SERVING: SocketAddrV4 = at(PRIMARIES, 30);
/// Its backup is [`DEDICATED`].
pub const STEERED_ALONE: SocketAddrV4 = at(PRIMARIES, 40);
/// Known to the floor alone, which sends it to [`SOLE`].
pub const FLOOR: SocketAddrV4 = at(PRIMARIES, 50);
/// A backup of two targets.
pub const SHARED: SocketAddrV4 = at(BACKUPS, 10);
/// A backup of one target.
pub const SOLE: SocketAddrV4 = at(BACKUPS, 20);
/// A backup of one target, which says so.
pub const DEDICATED: SocketAddrV4 = at(BACKUPS, 40);
/// The backup of [`SERVING`].
pub const IDLE: SocketAddrV4 = at(BACKUPS, 30);
/// No server of anyone's.
pub const OTHER: SocketAddrV4 = at(BACKUPS, 90);

/// The phones' side.
pub const PHONES: u8 = 1;
/// The primaries' side.
pub const PRIMARIES: u8 = 2;
/// The backups' side.
pub const BACKUPS: u8 = 3;

/// The next router towards the phones.
const GATEWAY: u8 = 254;

const fn at(subnet: u8, host: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 88, subnet, host), 5060)
}

/// A device of the router's that nothing is behind.
pub const SPARE: &str = "spare";

/// The network, taken away with this.
pub struct Network {
    /// Where the frames come from.
    pub phones: Namespace,
    /// What is measured.
    pub router: Namespace,
    /// Where they arrive.
    pub servers: Namespace,
    namespaces: Namespaces,
}

impl Network {
    /// Makes it.
    pub fn new() -> Result<Self> {
        let mut namespaces = Namespaces::new()?;
        let [router, phones, servers] = ["router", "phones", "servers"].map(|name| namespaces.add(name));
        let network = Self { phones: phones?, router: router?, servers: servers?, namespaces };
        network.build()?;
        Ok(network)
    }

    /// A folder on the BPF file system for what is pinned under `name`; it goes with the network.
    pub fn pins(&mut self, name: &str) -> Result<PathBuf> {
        let pins =
            Path::new("/sys/fs/bpf").join(format!("failover-bench-{}-{name}", self.namespaces.prefix()));
        self.namespaces.reap_folder(&pins)?;
        Ok(pins)
    }

    fn build(&self) -> Result<()> {
        let mut batch = String::new();
        for (subnet, end) in [(PHONES, &self.phones), (PRIMARIES, &self.servers), (BACKUPS, &self.servers)] {
            let (mac, end) = (written(mac(subnet, 1)), end.name());
            writeln!(
                batch,
                "link add dev{subnet} address {mac} type veth peer name far{subnet} netns {end}"
            )?;
            writeln!(batch, "link set dev{subnet} up")?;
            writeln!(batch, "address add 10.88.{subnet}.1/24 dev dev{subnet}")?;
        }
        writeln!(
            batch,
            "neighbour add 10.88.1.254 lladdr {} dev dev1 nud permanent",
            written(mac(1, GATEWAY))
        )?;
        for server in [
            STEERED,
            SHARING,
            ALSO_SHARING,
            SERVING,
            STEERED_ALONE,
            FLOOR,
            SOLE,
            SHARED,
            DEDICATED,
            IDLE,
            OTHER,
        ] {
            let [.., subnet, host] = server.ip().octets();
            let (ip, mac) = (server.ip(), written(mac(subnet, host)));
            writeln!(batch, "neighbour add {ip} lladdr {mac} dev dev{subnet} nud permanent")?;
        }
        writeln!(batch, "link add {SPARE} type veth peer name far-{SPARE}")?;
        writeln!(batch, "route add 100.64.0.0/10 via 10.88.1.254")?;
        let file = self.namespaces.dir().join("network.batch");
        std::fs::write(&file, batch).with_context(|| format!("write {}", file.display()))?;
        for (key, value) in
            [("ipv4/ip_forward", "1"), ("ipv4/conf/all/rp_filter", "0"), ("ipv4/conf/default/rp_filter", "0")]
        {
            self.router.sysctl(key, value)?;
        }
        self.router.run(&["ip", "-batch", &file.display().to_string()])?;
        self.phones.ip("link set far1 up")?;
        self.servers.ip("link set far2 up")?;
        self.servers.ip("link set far3 up").map(drop)
    }
}

/// The subnet's number of whoever has `address`; the phones are behind their own.
pub const fn subnet(address: Ipv4Addr) -> u8 {
    match address.octets() {
        [10, 88, subnet, _] => subnet,
        _ => PHONES,
    }
}

/// The router's MAC address on the side of `address`, and that of the next hop there.
pub const fn macs(address: Ipv4Addr) -> ([u8; 6], [u8; 6]) {
    let host = match address.octets() {
        [10, 88, _, host] => host,
        _ => GATEWAY,
    };
    (mac(subnet(address), 1), mac(subnet(address), host))
}

const fn mac(subnet: u8, host: u8) -> [u8; 6] {
    [2, 0, 0, 0, subnet, host]
}

/// A MAC address as `ip` reads it.
fn written(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// The index of a device in the namespace of the calling thread.
pub fn index(device: &str) -> Result<u32> {
    let socket = socket(AddressFamily::INET, SocketType::DGRAM, None).context("open a socket")?;
    netdevice::name_to_index(socket, device).with_context(|| format!("no device {device}"))
}
