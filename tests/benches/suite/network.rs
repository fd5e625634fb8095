//! Who is where around the router that is measured.
//!
//! ```text
//!   phones ── far1 ═ dev1 ── router ── dev2 ═ far2 ── primaries   10.88.2.0/24
//!   100.64.0.0/10                   └─ dev3 ═ far3 ── backups     10.88.3.0/24
//! ```
//!
//! The phones are behind another router, 10.88.1.254, so that there can be millions of them. A MAC address ends in
//! the subnet's and the host's number; all of them are known, for ever. Everyone has IPv6, too: 10.88.n.h is fd88:0:0:n::h,
//! and a phone's last four bytes are those of its IPv4 address, behind 2001:db8::/64.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use failover_tests::netns::{Namespace, Namespaces};
use rustix::net::{AddressFamily, SocketType, netdevice, socket};

/// The first phone; the others follow it.
pub const PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(100, 64, 0, 10), 5060);
/// Its backup is [`BY_CALL`], and its calls are kept together.
pub const STEERED_BY_CALL: SocketAddrV4 = at(PRIMARIES, 100);
/// Its backup is [`SOLE`].
pub const STEERED: SocketAddrV4 = at(PRIMARIES, 10);
/// Its backup is [`SHARED`].
pub const SHARING: SocketAddrV4 = at(PRIMARIES, 20);
/// So is this one's.
pub const ALSO_SHARING: SocketAddrV4 = at(PRIMARIES, 60);
/// Serves.
pub const SERVING: SocketAddrV4 = at(PRIMARIES, 30);
/// Serves, and is watched.
pub const WATCHED: SocketAddrV4 = at(PRIMARIES, 35);
/// Its backup is [`DEDICATED`].
pub const STEERED_ALONE: SocketAddrV4 = at(PRIMARIES, 40);
/// Its backup is [`BY_MAC`].
pub const STEERED_L2: SocketAddrV4 = at(PRIMARIES, 70);
/// Its backup is [`IN_ENVELOPE`].
pub const STEERED_IPIP: SocketAddrV4 = at(PRIMARIES, 80);
/// Known to the floor alone, which sends it to [`SOLE`].
pub const FLOOR: SocketAddrV4 = at(PRIMARIES, 50);
/// A backup of two targets.
pub const SHARED: SocketAddrV4 = at(BACKUPS, 10);
/// The same.
pub const BY_CALL: SocketAddrV4 = at(BACKUPS, 100);
/// A backup of one target.
pub const SOLE: SocketAddrV4 = at(BACKUPS, 20);
/// A backup of one target, which says so.
pub const DEDICATED: SocketAddrV4 = at(BACKUPS, 40);
/// A backup that carries its target's address.
pub const BY_MAC: SocketAddrV4 = at(BACKUPS, 70);
/// Another one, which gets packets in an envelope.
pub const IN_ENVELOPE: SocketAddrV4 = at(BACKUPS, 80);
/// The backup of [`SERVING`] and [`WATCHED`].
pub const IDLE: SocketAddrV4 = at(BACKUPS, 30);
/// No server of anyone's.
pub const OTHER: SocketAddrV4 = at(BACKUPS, 90);

/// The phones' side.
pub const PHONES: u8 = 1;
/// The primaries' side.
pub const PRIMARIES: u8 = 2;
/// The backups' side.
pub const BACKUPS: u8 = 3;

/// Whoever is not behind another router.
const NEIGHBOURS: [SocketAddrV4; 18] = [
    STEERED,
    STEERED_BY_CALL,
    SHARING,
    ALSO_SHARING,
    SERVING,
    WATCHED,
    STEERED_ALONE,
    STEERED_L2,
    STEERED_IPIP,
    FLOOR,
    SOLE,
    BY_CALL,
    SHARED,
    DEDICATED,
    BY_MAC,
    IN_ENVELOPE,
    IDLE,
    OTHER,
];

/// The next router towards the phones.
const GATEWAY: u8 = 254;

const fn at(subnet: u8, host: u8) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 88, subnet, host), 5060)
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The socket that `known` is in this family.
    pub fn of(self, known: SocketAddrV4) -> SocketAddr {
        match self {
            Self::V4 => known.into(),
            Self::V6 => (six(*known.ip()), known.port()).into(),
        }
    }

    /// Its number.
    pub const fn number(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }
}

/// The IPv6 address of who has this one.
pub const fn six(address: Ipv4Addr) -> Ipv6Addr {
    match address.octets() {
        [10, 88, subnet, host] => Ipv6Addr::new(0xfd88, 0, 0, subnet as u16, 0, 0, 0, host as u16),
        [a, b, c, d] => {
            let last = [u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])];
            Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, last[0], last[1])
        }
    }
}

/// The IPv4 address of who has this one.
const fn four(address: IpAddr) -> Ipv4Addr {
    let v6 = match address {
        IpAddr::V4(v4) => return v4,
        IpAddr::V6(v6) => v6,
    };
    match (v6.segments(), v6.octets()) {
        ([0xfd88, 0, 0, ..], [_, _, _, _, _, _, _, subnet, .., host]) => Ipv4Addr::new(10, 88, subnet, host),
        (_, [.., a, b, c, d]) => Ipv4Addr::new(a, b, c, d),
    }
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
            writeln!(batch, "address add fd88:0:0:{subnet}::1/64 dev dev{subnet} nodad")?;
        }
        let gateway = at(PHONES, GATEWAY);
        for host in NEIGHBOURS.into_iter().chain([gateway]) {
            let [.., subnet, number] = host.ip().octets();
            let mac = written(mac(subnet, number));
            for family in [Family::V4, Family::V6] {
                let ip = family.of(host).ip();
                writeln!(batch, "neighbour add {ip} lladdr {mac} dev dev{subnet} nud permanent")?;
            }
        }
        writeln!(batch, "link add {SPARE} type veth peer name far-{SPARE}")?;
        writeln!(batch, "route add 100.64.0.0/10 via {}", gateway.ip())?;
        writeln!(batch, "route add 2001:db8::/64 via {}", six(*gateway.ip()))?;
        let file = self.namespaces.dir().join("network.batch");
        std::fs::write(&file, batch).with_context(|| format!("write {}", file.display()))?;
        for (key, value) in [
            ("ipv4/ip_forward", "1"),
            ("ipv4/conf/all/rp_filter", "0"),
            ("ipv4/conf/default/rp_filter", "0"),
            ("ipv6/conf/all/disable_ipv6", "0"),
            ("ipv6/conf/default/disable_ipv6", "0"),
            ("ipv6/conf/all/forwarding", "1"),
        ] {
            self.router.sysctl(key, value)?;
        }
        self.router.run(&["ip", "-batch", &file.display().to_string()])?;
        self.phones.ip("link set far1 up")?;
        self.servers.ip("link set far2 up")?;
        self.servers.ip("link set far3 up").map(drop)
    }
}

/// The subnet's number of whoever has `address`; the phones are behind their own.
pub const fn subnet(address: IpAddr) -> u8 {
    match four(address).octets() {
        [10, 88, subnet, _] => subnet,
        _ => PHONES,
    }
}

/// The router's MAC address on the side of `address`, and that of the next hop there.
pub const fn macs(address: IpAddr) -> ([u8; 6], [u8; 6]) {
    let host = match four(address).octets() {
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
