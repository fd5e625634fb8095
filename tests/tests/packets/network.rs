//! Who is where around the router: addresses, devices, routes, neighbours, and the targets that it protects.
//!
//! Everything of subnet n, 10.88.n.0/24, is behind the router's device `dev<n>`; the router is .1 there. A MAC address
//! ends in the subnet's and the host's number, so that an expected frame can be written down without asking anyone.
//! Everyone has an IPv6 address, too ([`six`]), but where an MTU is too small for IPv6.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6},
    path::Path,
};

use anyhow::Result;
use failover_tests::netns::Namespace;
use failover_user::config::{self, model::Target};

/// Phones.
pub const PHONES: u8 = 1;
/// Primaries.
pub const PRIMARIES: u8 = 2;
/// Backups.
pub const BACKUPS: u8 = 3;
/// Second backups.
pub const SECOND: u8 = 4;
/// A backup behind a small MTU.
pub const NARROW: u8 = 5;
/// A backup behind a device that takes no redirected frames.
pub const PLAIN: u8 = 6;
/// Phones behind a device that does not forward.
pub const DEAF: u8 = 7;

const SUBNETS: [u8; 7] = [PHONES, PRIMARIES, BACKUPS, SECOND, NARROW, PLAIN, DEAF];
/// The MTU of [`NARROW`]'s device.
pub const NARROW_MTU: usize = 600;
/// That of the devices of [`BACKUPS`] and [`SECOND`], of which the latter takes frames in several buffers.
pub const JUMBO_MTU: usize = 9000;

/// Where phones ask for any gatekeeper, and the Ethernet address of that group.
pub const DISCOVERY: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(224, 0, 1, 41), 1718);
pub const DISCOVERY_MAC: [u8; 6] = [0x01, 0, 0x5e, 0, 1, 41];

pub const PHONE: SocketAddrV4 = at(PHONES, 10, 5062);
pub const OTHER_PHONE: SocketAddrV4 = at(PHONES, 20, 5060);
/// Behind another router, [`GATEWAY`].
pub const FAR_PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 9), 40_001);
pub const PHONE_AMONG_BACKUPS: SocketAddrV4 = at(BACKUPS, 200, 5062);
pub const DEAF_PHONE: SocketAddrV4 = at(DEAF, 10, 5060);
/// A host number that nobody has.
const NOBODY: u8 = 98;
/// Nobody knows its MAC address.
pub const UNRESOLVED_PHONE: SocketAddrV4 = at(PHONES, 99, 5060);
/// There is no route to it.
pub const NOWHERE_PHONE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 77), 5060);

pub const BLACKHOLE_PHONE: SocketAddrV4 = SocketAddrV4::new(BLACKHOLE, 5060);

/// One of the daemon's probe sockets.
pub const PROBE: SocketAddrV4 = at(BACKUPS, 1, 40_000);

/// Its backup is dedicated, and there is a second one.
pub const PARIS: SocketAddrV4 = at(PRIMARIES, 10, 5060);
pub const PARIS_BACKUP: SocketAddrV4 = at(BACKUPS, 10, 5060);
pub const PARIS_SECOND: SocketAddrV4 = at(SECOND, 10, 5060);
/// Shares a backup endpoint with [`NICE`], and has a dedicated backup besides.
pub const LYON: SocketAddrV4 = at(PRIMARIES, 20, 5060);
pub const NICE: SocketAddrV4 = at(PRIMARIES, 30, 5060);
pub const SHARED: SocketAddrV4 = at(BACKUPS, 20, 5060);
/// Its dedicated backup serves on other ports.
pub const METZ: SocketAddrV4 = at(PRIMARIES, 40, 5060);
pub const METZ_BACKUP_UDP: SocketAddrV4 = at(BACKUPS, 40, 15_060);
pub const METZ_BACKUP_TCP: SocketAddrV4 = at(BACKUPS, 40, 15_061);
/// Uses the host of [`SHARED`] on a port of its own.
pub const BREST: SocketAddrV4 = at(PRIMARIES, 50, 5060);
pub const SHARED_FOR_BREST: SocketAddrV4 = at(BACKUPS, 20, 25_060);
/// Each stands in for the other.
pub const CAEN: SocketAddrV4 = at(PRIMARIES, 60, 5060);
pub const ROUEN: SocketAddrV4 = at(PRIMARIES, 70, 5060);

/// Its backups carry its address, and are reached by their MAC addresses, or not: in this order.
pub const TOURS: SocketAddrV4 = at(PRIMARIES, 80, 5060);
pub const TOURS_BACKUP: SocketAddrV4 = at(BACKUPS, 80, 5060);
pub const TOURS_FAR: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 80), 5060);
pub const TOURS_PLAIN: SocketAddrV4 = at(PLAIN, 80, 5060);
pub const TOURS_UNRESOLVED: SocketAddrV4 = at(BACKUPS, 97, 5060);
pub const TOURS_NARROW: SocketAddrV4 = at(NARROW, 80, 5060);
pub const TOURS_ROUTER: SocketAddrV4 = at(SECOND, 1, 5060);
/// Its backups carry its address, and are reached in an envelope, or not: in this order.
pub const DIJON: SocketAddrV4 = at(PRIMARIES, 90, 5060);
pub const DIJON_BACKUP: SocketAddrV4 = at(BACKUPS, 90, 5060);
pub const DIJON_FAR: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(203, 0, 113, 90), 5060);
/// Has IPv6 alone.
pub const DIJON_SIX: SocketAddrV4 = at(SECOND, 90, 5060);
pub const DIJON_PLAIN: SocketAddrV4 = at(PLAIN, 90, 5060);
pub const DIJON_UNRESOLVED: SocketAddrV4 = at(BACKUPS, 96, 5060);
pub const DIJON_NARROW: SocketAddrV4 = at(NARROW, 90, 5060);

/// Each of these has one dedicated backup, which cannot be reached in the usual way.
pub const TO_NARROW: SocketAddrV4 = at(PRIMARIES, 101, 5060);
pub const NARROW_BACKUP: SocketAddrV4 = at(NARROW, 10, 5060);
pub const TO_PLAIN: SocketAddrV4 = at(PRIMARIES, 102, 5060);
pub const PLAIN_BACKUP: SocketAddrV4 = at(PLAIN, 10, 5060);
pub const TO_UNRESOLVED: SocketAddrV4 = at(PRIMARIES, 103, 5060);
pub const UNRESOLVED_BACKUP: SocketAddrV4 = at(BACKUPS, 99, 5060);
pub const TO_ROUTER: SocketAddrV4 = at(PRIMARIES, 104, 5060);
pub const ROUTER_ITSELF: SocketAddrV4 = at(BACKUPS, 1, 5060);
pub const TO_NOWHERE: SocketAddrV4 = at(PRIMARIES, 105, 5060);
pub const NOWHERE_BACKUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 0, 2, 99), 5060);
pub const TO_BLACKHOLE: SocketAddrV4 = at(PRIMARIES, 106, 5060);
pub const TO_UNREACHABLE: SocketAddrV4 = at(PRIMARIES, 107, 5060);
pub const TO_PROHIBITED: SocketAddrV4 = at(PRIMARIES, 108, 5060);

const BLACKHOLE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const UNREACHABLE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
const PROHIBITED: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 3);
/// The next router towards [`FAR_PHONE`].
const GATEWAY: Ipv4Addr = Ipv4Addr::new(10, 88, PHONES, 254);

/// Host `host` of `subnet`, at `port`.
pub const fn at(subnet: u8, host: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 88, subnet, host), port)
}

/// The same host at another port.
pub const fn port(of: SocketAddrV4, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(*of.ip(), port)
}

/// The IPv6 address of the same host: fd88:0:0:n::h for 10.88.n.h, and others of their own network for the others.
pub const fn six(of: SocketAddrV4) -> SocketAddrV6 {
    let [a, b, subnet, host] = of.ip().octets();
    let (n, h) = (subnet as u16, host as u16);
    let address = match a {
        10 => Ipv6Addr::new(0xfd88, 0, 0, n, 0, 0, 0, h),
        _ => Ipv6Addr::new(0x2001, 0xdb8, a as u16, (b as u16) << 8 | n, 0, 0, 0, h),
    };
    SocketAddrV6::new(address, of.port(), 0, 0)
}

/// [`six`] of a host.
const fn six_host(of: Ipv4Addr) -> Ipv6Addr {
    *six(SocketAddrV4::new(of, 0)).ip()
}

/// The next hop towards an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hop {
    /// A route forbids it.
    Forbidden,
    /// The router itself, a group of hosts, or there is no route: for the FIB all the same.
    Unknown,
    /// Behind the device of `subnet`; its MAC address, where the router knows it.
    Link { subnet: u8, mac: Option<[u8; 6]> },
}

/// What the router's tables say of `address`.
pub fn hop(address: IpAddr) -> Hop {
    let Some(address) = four(address) else { return Hop::Unknown };
    match address.octets() {
        _ if [BLACKHOLE, UNREACHABLE, PROHIBITED].contains(&address) => Hop::Forbidden,
        [203, 0, 113, _] => Hop::Link { subnet: PHONES, mac: Some(mac(GATEWAY)) },
        [10, 88, subnet, host] if SUBNETS.contains(&subnet) && host != 1 && host != 255 => {
            let known = neighbours().contains(&address);
            Hop::Link { subnet, mac: known.then_some([2, 0, 0, 0, subnet, host]) }
        }
        _ => Hop::Unknown,
    }
}

/// The IPv4 address that stands for `address` here: its own, that of the same host, or, for any other host behind a
/// device, one that nobody has.
fn four(address: IpAddr) -> Option<Ipv4Addr> {
    let v6 = match address {
        IpAddr::V4(v4) => return Some(v4),
        IpAddr::V6(v6) => v6,
    };
    let subnet = |n: u16| u8::try_from(n).ok().filter(|n| SUBNETS.contains(n) && *n != NARROW);
    match v6.segments() {
        // The subnet's routers (RFC 4291 §2.6.1), this one among them.
        [0xfd88, 0, 0, _, 0, 0, 0, 0] => None,
        [0xfd88, 0, 0, n, 0, 0, 0, host] if host < 255 => Some(Ipv4Addr::new(10, 88, subnet(n)?, host as u8)),
        [0xfd88, 0, 0, n, ..] => Some(Ipv4Addr::new(10, 88, subnet(n)?, NOBODY)),
        [0x2001, 0xdb8, 0xcb, 0x71, ..] => Some(*FAR_PHONE.ip()), // whoever it is, the gateway's
        segments => {
            let forbidden = [BLACKHOLE, UNREACHABLE, PROHIBITED];
            forbidden.into_iter().find(|four| six_host(*four).segments() == segments)
        }
    }
}

/// Whether `address` is behind no other router.
pub fn on_link(address: IpAddr) -> bool {
    four(address).is_none_or(|four| four.octets()[0] == 10)
}

/// The router's own address in `subnet`.
pub const fn router(subnet: u8, v4: bool) -> IpAddr {
    let router = at(subnet, 1, 0);
    if v4 { IpAddr::V4(*router.ip()) } else { IpAddr::V6(*six(router).ip()) }
}

/// Whether the device of subnet `ingress` forwards packets to `address`. The FIB does not look at the device where it is
/// a group's, a loopback's or a link-local one: then it is as if there were no route.
pub const fn forwards(ingress: u8, address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => ingress != DEAF,
        IpAddr::V6(v6) => {
            let kept = v6.is_multicast() || v6.is_loopback() || v6.is_unicast_link_local();
            // An MTU of less than 1280 bytes is none for IPv6 (RFC 8200 §5): the kernel takes it off the device.
            kept || ingress != DEAF && ingress != NARROW
        }
    }
}

/// The MTU of the device of `subnet`.
pub const fn mtu(subnet: u8) -> usize {
    match subnet {
        NARROW => NARROW_MTU,
        BACKUPS | SECOND => JUMBO_MTU,
        _ => 1500,
    }
}

/// The subnet through which the router reaches `address`.
pub const fn subnet(address: Ipv4Addr) -> u8 {
    match address.octets() {
        [10, 88, subnet, _] => subnet,
        _ => PHONES,
    }
}

/// The MAC address of the host that has `address`, or of the next router on the way there.
pub const fn mac(address: Ipv4Addr) -> [u8; 6] {
    match address.octets() {
        [10, 88, subnet, host] => [2, 0, 0, 0, subnet, host],
        _ => mac(GATEWAY),
    }
}

/// The MAC address of the router's device in `subnet`.
pub const fn router_mac(subnet: u8) -> [u8; 6] {
    mac(Ipv4Addr::new(10, 88, subnet, 1))
}

/// The name of the router's device in `subnet`.
pub fn device(subnet: u8) -> String {
    format!("dev{subnet}")
}

/// Makes devices, routes and neighbours in `router`.
pub fn build(router: &Namespace, folder: &Path) -> Result<()> {
    let mut batch = String::new();
    for subnet in SUBNETS {
        let (device, mac) = (device(subnet), written(router_mac(subnet)));
        writeln!(batch, "link add {device} address {mac} type veth peer name far{subnet}")?;
        writeln!(batch, "link set far{subnet} up")?;
        writeln!(batch, "link set {device} up")?;
        writeln!(batch, "address add 10.88.{subnet}.1/24 dev {device}")?;
        writeln!(batch, "address add fd88:0:0:{subnet}::1/64 dev {device} nodad")?;
    }
    for subnet in [NARROW, BACKUPS, SECOND] {
        writeln!(batch, "link set {} mtu {}", device(subnet), mtu(subnet))?;
    }
    for host in neighbours() {
        let (device, mac) = (device(subnet(host)), written(mac(host)));
        writeln!(batch, "neighbour add {host} lladdr {mac} dev {device} nud permanent")?;
        if subnet(host) != NARROW {
            let host = six_host(host);
            writeln!(batch, "neighbour add {host} lladdr {mac} dev {device} nud permanent")?;
        }
    }
    writeln!(batch, "route add 203.0.113.0/24 via {GATEWAY}")?;
    writeln!(batch, "route add 2001:db8:cb:71::/64 via {}", six_host(GATEWAY))?;
    writeln!(batch, "route add blackhole {BLACKHOLE}")?;
    writeln!(batch, "route add blackhole {}", six_host(BLACKHOLE))?;
    writeln!(batch, "route add unreachable {UNREACHABLE}")?;
    writeln!(batch, "route add unreachable {}", six_host(UNREACHABLE))?;
    writeln!(batch, "route add prohibit {PROHIBITED}")?;
    writeln!(batch, "route add prohibit {}", six_host(PROHIBITED))?;
    let file = folder.join("network.batch");
    std::fs::write(&file, batch)?;
    router.sysctl("ipv4/ip_forward", "1")?;
    for (key, value) in [("all/disable_ipv6", "0"), ("default/disable_ipv6", "0"), ("all/forwarding", "1")] {
        router.sysctl(&format!("ipv6/conf/{key}"), value)?;
    }
    router.run(&["ip", "-batch", &file.display().to_string()])?;
    router.sysctl(&format!("ipv6/conf/{}/forwarding", device(DEAF)), "0")?;
    router.sysctl(&format!("ipv4/conf/{}/forwarding", device(DEAF)), "0")
}

/// A MAC address as `ip` reads it.
fn written(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// Every host whose MAC address the router knows.
fn neighbours() -> Vec<Ipv4Addr> {
    let sockets = [
        PHONE,
        OTHER_PHONE,
        PHONE_AMONG_BACKUPS,
        DEAF_PHONE,
        PARIS,
        PARIS_BACKUP,
        PARIS_SECOND,
        LYON,
        NICE,
        SHARED,
        METZ,
        METZ_BACKUP_UDP,
        BREST,
        CAEN,
        ROUEN,
        NARROW_BACKUP,
        PLAIN_BACKUP,
        TOURS_BACKUP,
        TOURS_PLAIN,
        TOURS_NARROW,
        DIJON_BACKUP,
        DIJON_SIX,
        DIJON_PLAIN,
        DIJON_NARROW,
    ];
    sockets.iter().map(|socket| *socket.ip()).chain([GATEWAY]).collect()
}

/// Indices of the devices that take redirected frames.
pub fn redirectable() -> impl Iterator<Item = u8> {
    SUBNETS.into_iter().filter(|subnet| *subnet != PLAIN)
}

/// Indices of those that take frames in several buffers.
pub fn scatterable() -> impl Iterator<Item = u8> {
    redirectable().filter(|subnet| *subnet != BACKUPS)
}

/// Every subnet's number.
pub fn subnets() -> impl Iterator<Item = u8> {
    SUBNETS.into_iter()
}

/// The targets, by the product's own configuration.
pub fn targets() -> Vec<Target> {
    let mut text = "[router]\ninterfaces = [\"dev1\"]\n".to_owned();
    target(&mut text, PARIS, "", &[(PARIS_BACKUP, DEDICATED), (PARIS_SECOND, DEDICATED)]);
    target(&mut text, LYON, "", &[(SHARED, "dedicated = false")]);
    let immediate = "failback = \"immediate\"\n";
    target(&mut text, NICE, immediate, &[(SHARED, "dedicated = false")]);
    let ports = r#"ports = { "sip/udp" = 15060, "sip/tcp" = 15061 }"#;
    let call = "failback = \"immediate\"\naffinity = \"call\"\n";
    target(&mut text, METZ, call, &[(METZ_BACKUP_UDP, &format!("{ports}\n{DEDICATED}"))]);
    let ports = r#"ports = { "sip/udp" = 25060, "sip/tcp" = 25060 }"#;
    target(&mut text, BREST, "", &[(SHARED_FOR_BREST, ports)]);
    target(&mut text, CAEN, "", &[(ROUEN, "")]);
    target(&mut text, ROUEN, "", &[(CAEN, "")]);
    let l2 = [TOURS_BACKUP, TOURS_FAR, TOURS_PLAIN, TOURS_UNRESOLVED, TOURS_NARROW, TOURS_ROUTER];
    target(&mut text, TOURS, "steer = \"l2\"\n", &l2.map(|backup| (backup, "")));
    let ipip = [DIJON_BACKUP, DIJON_FAR, DIJON_SIX, DIJON_PLAIN, DIJON_UNRESOLVED, DIJON_NARROW];
    target(&mut text, DIJON, "steer = \"ipip\"\n", &ipip.map(|backup| (backup, "")));
    let odd = [
        (TO_NARROW, *NARROW_BACKUP.ip()),
        (TO_PLAIN, *PLAIN_BACKUP.ip()),
        (TO_UNRESOLVED, *UNRESOLVED_BACKUP.ip()),
        (TO_ROUTER, *ROUTER_ITSELF.ip()),
        (TO_NOWHERE, *NOWHERE_BACKUP.ip()),
        (TO_BLACKHOLE, BLACKHOLE),
        (TO_UNREACHABLE, UNREACHABLE),
        (TO_PROHIBITED, PROHIBITED),
    ];
    for (primary, backup) in odd {
        let words = if primary == TO_NARROW { immediate } else { "" };
        target(&mut text, primary, words, &[(SocketAddrV4::new(backup, 5060), DEDICATED)]);
    }
    config::parse("packets.toml", &text).expect("the configuration holds").config.targets
}

/// Those that have RAS as well, in the order of the configuration: their backups are dedicated, shared, and behind a device
/// that takes no redirected frames.
const GATEKEEPERS: [SocketAddrV4; 3] = [PARIS, NICE, TO_PLAIN];

const DEDICATED: &str = "dedicated = true";

fn target(text: &mut String, primary: SocketAddrV4, words: &str, backups: &[(SocketAddrV4, &str)]) {
    let named = |socket: &SocketAddrV4| format!("name = \"{}\"\naddress = {}\n", socket.ip(), both(*socket));
    let services = if GATEKEEPERS.contains(&primary) { r#"["sip", "ras"]"# } else { r#"["sip"]"# };
    write!(text, "[[target]]\n{}services = {services}\n{words}", named(&primary)).unwrap();
    for (backup, words) in backups {
        write!(text, "[[target.backup]]\n{}{words}\n", named(backup)).unwrap();
    }
}

/// A server's addresses in the configuration's words. One server has no IPv6: behind an MTU that has none, or, of
/// [`PARIS`]'s two backups, the second.
fn both(socket: SocketAddrV4) -> String {
    if subnet(*socket.ip()) == NARROW || socket == PARIS_SECOND {
        return format!("\"{}\"", socket.ip());
    }
    if socket == DIJON_SIX {
        return format!("\"{}\"", six(socket).ip());
    }
    format!("[\"{}\", \"{}\"]", socket.ip(), six(socket).ip())
}
