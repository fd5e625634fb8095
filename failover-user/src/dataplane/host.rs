//! What the router's own settings would spoil. Advice, never an error: a routing set-up may know better.

use std::fs;

/// What is odd about the router, in sentences that say what to do.
pub fn warnings<'a>(interfaces: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut warnings = Vec::new();
    for name in interfaces {
        if setting(name, "forwarding") == Some(0) {
            warnings.push(format!(
                "{name} does not forward IPv4, so nothing that comes in there can be steered: sysctl -w net.ipv4.ip_forward=1"
            ));
        }
        // The kernel takes the stricter of the two (ip-sysctl: rp_filter).
        let filter = setting("all", "rp_filter").max(setting(name, "rp_filter"));
        if filter == Some(1) {
            warnings.push(format!(
                "{name} filters by reverse path strictly, which drops a backup's answers under the target's address where the kernel forwards them: sysctl -w net.ipv4.conf.{name}.rp_filter=2"
            ));
        }
    }
    warnings
}

fn setting(interface: &str, name: &str) -> Option<u8> {
    let path = format!("/proc/sys/net/ipv4/conf/{interface}/{name}");
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
