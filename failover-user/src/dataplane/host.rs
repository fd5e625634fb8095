//! What the router's own settings would spoil. Advice, never an error: a routing set-up may know better.

use std::fs;

use crate::config::model::{Family, Target};

/// What is odd about the router for these targets, in sentences that say what to do.
pub fn warnings<'a>(interfaces: impl Iterator<Item = &'a str>, targets: &[Target]) -> Vec<String> {
    let steered = |family: Family| targets.iter().any(|target| target.addresses.of(family).is_some());
    let mut warnings = Vec::new();
    for name in interfaces {
        for family in Family::ALL.into_iter().filter(|family| steered(*family)) {
            if setting(family, name, "forwarding") == Some(0) {
                warnings.push(format!(
                    "{name} does not forward {family}, so nothing that comes in there can be steered: sysctl -w {}=1",
                    match family {
                        Family::V4 => "net.ipv4.ip_forward",
                        Family::V6 => "net.ipv6.conf.all.forwarding",
                    }
                ));
            }
        }
        // The kernel takes the stricter of the two (ip-sysctl: rp_filter). IPv6 has no such filter.
        let filter = |interface: &str| setting(Family::V4, interface, "rp_filter");
        if steered(Family::V4) && filter("all").max(filter(name)) == Some(1) {
            warnings.push(format!(
                "{name} filters by reverse path strictly, which drops a backup's answers under the target's address where the kernel forwards them: sysctl -w net.ipv4.conf.{name}.rp_filter=2"
            ));
        }
    }
    warnings
}

fn setting(family: Family, interface: &str, name: &str) -> Option<u8> {
    let family = match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    };
    let path = format!("/proc/sys/net/{family}/conf/{interface}/{name}");
    fs::read_to_string(path).ok()?.trim().parse().ok()
}
