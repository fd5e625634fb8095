//! Debian packages that the laboratory and the tests need.

mod guard;

use anyhow::bail;
use comfy_table::{Table, presets};

use crate::{
    process::{self, command},
    step::{note, step},
};

struct Package {
    /// Debian's name.
    name: &'static str,
    /// A program of it that we call.
    program: &'static str,
    /// What we call it for.
    purpose: &'static str,
}

const fn package(name: &'static str, program: &'static str, purpose: &'static str) -> Package {
    Package { name, program, purpose }
}

/// A C compiler is not among them: without one, cargo could not have built this program.
const NEEDED: [Package; 10] = [
    package("kamailio", "kamailio", "the SIP proxies of the laboratory, primary and backup"),
    package("sip-tester", "sipp", "phones that place and take calls, a hundred a second"),
    package("sipsak", "sipsak", "single SIP requests, to see who answers"),
    package("tshark", "tshark", "captures on the phones' side: addresses and checksums of every packet"),
    package("iproute2", "ip", "network namespaces, links and routes"),
    package("nftables", "nft", "rules that move calls by hand, when the laboratory itself is on trial"),
    package("ethtool", "ethtool", "senders' checksum offload, off"),
    package("kamailio-tls-modules", "kamailio", "SIP proxies that speak TLS, to be probed so"),
    package("python3", "python3", "pycrate, which reads and writes H.225.0 as we do, or should"),
    package("python3-pip", "pip3", "fetching pycrate, of a pinned version and digest"),
];

/// Installs what is missing; whether anything was.
pub fn ensure() -> anyhow::Result<bool> {
    let is_debian = process::is_installed("dpkg-query") && process::is_installed("apt-get");
    let missing: Vec<&Package> = if is_debian { not_in(&dpkg_status()) } else { without_program() };
    if missing.is_empty() {
        return Ok(false);
    }
    if !is_debian {
        bail!("{}", advice(&missing));
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if !rustix::process::geteuid().is_root() {
        let names = names.join(" ");
        bail!(
            "these Debian packages are missing, and only root may install them:\n{}\ntype: sudo apt-get update && sudo apt-get install --no-install-recommends {names}",
            table(&missing)
        );
    }
    step(&format!("Debian packages: {}", names.join(", ")), || {
        table(&missing).lines().for_each(note);
        install(&names)
    })?;
    Ok(true)
}

fn install(names: &[&str]) -> anyhow::Result<()> {
    let _no_services = guard::NoServices::new()?;
    process::run(apt_get().arg("update"))?;
    process::run(apt_get().args(["install", "--yes", "--no-install-recommends"]).args(names))
}

fn apt_get() -> std::process::Command {
    let mut apt = command("apt-get");
    apt.env("DEBIAN_FRONTEND", "noninteractive").args(["--quiet", "-o", "Dpkg::Use-Pty=0"]);
    apt
}

/// Lines of `STATUS NAME`, for those of the needed packages that dpkg has ever heard of.
fn dpkg_status() -> String {
    let mut query = command("dpkg-query");
    query.args(["--show", "--showformat", "${db:Status-Status} ${Package}\n"]);
    query.args(NEEDED.iter().map(|package| package.name));
    // It fails when one of the packages is unknown, and still tells of the others.
    let output = query.stderr(std::process::Stdio::null()).output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
}

fn not_in(status: &str) -> Vec<&'static Package> {
    let is_there = |name: &str| status.lines().any(|line| line.strip_prefix("installed ") == Some(name));
    NEEDED.iter().filter(|package| !is_there(package.name)).collect()
}

fn without_program() -> Vec<&'static Package> {
    NEEDED.iter().filter(|package| !process::is_installed(package.program)).collect()
}

fn advice(missing: &[&Package]) -> String {
    let programs = missing.iter().map(|package| package.program).collect::<Vec<_>>().join(", ");
    format!(
        "these programs are missing: {programs}\nthis is not a Debian system; install what provides them, by Debian's names:\n{}",
        table(missing)
    )
}

fn table(packages: &[&Package]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for package in packages {
        table.add_row([package.name, package.purpose]);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(packages: &[&Package]) -> Vec<&'static str> {
        packages.iter().map(|package| package.name).collect()
    }

    #[test]
    fn removed_and_unknown_packages_are_missing() {
        let mut status: Vec<String> =
            NEEDED.iter().map(|package| format!("installed {}", package.name)).collect();
        status[0] = format!("config-files {}", NEEDED[0].name);
        status.remove(1);
        let status = status.join("\n");
        assert_eq!(names(&not_in(&status)), ["kamailio", "sip-tester"]);
    }

    #[test]
    fn the_advice_names_programs_packages_and_purposes() {
        let text = advice(&[&NEEDED[1]]);
        for word in ["sipp", "sip-tester", "calls"] {
            assert!(text.contains(word), "{word} is not in: {text}");
        }
    }
}
