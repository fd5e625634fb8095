//! The compiler that `rust-toolchain.toml` pins, and its components: the eBPF programs need `rust-src`, because
//! no compiled `core` exists for their target.

use anyhow::{Context as _, bail};

use crate::{
    process::{self, command},
    step::step,
};

const FILE: &str = "rust-toolchain.toml";

/// The pinned channel, a version number.
pub fn channel() -> anyhow::Result<String> {
    word(&pin()?, "channel")
}

/// Installs what is missing of the toolchain; whether anything was.
pub fn ensure(channel: &str) -> anyhow::Result<bool> {
    if !process::is_installed("rustup") {
        bail!(
            "rustup is not installed, and the pinned compiler {channel} comes from it; see https://rustup.rs"
        );
    }
    let wanted = components(&pin()?)?;
    let installed =
        process::ask(command("rustup").args(["component", "list", "--installed", "--toolchain", channel]));
    let missing = match &installed {
        Some(list) => missing(&wanted, list),
        None => wanted.iter().collect(),
    };
    if missing.is_empty() {
        return Ok(false);
    }
    let mut rustup = command("rustup");
    if installed.is_some() {
        rustup.args(["component", "add", "--toolchain", channel]).args(&missing);
    } else {
        rustup.args(["toolchain", "install", channel, "--profile", "minimal", "--no-self-update"]);
        rustup.args(missing.iter().flat_map(|component| ["--component", component.as_str()]));
    }
    let names = missing.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
    step(&format!("Rust {channel}: {names}"), || process::run(&mut rustup))?;
    Ok(true)
}

/// Those of `wanted` that are not in `rustup component list --installed`, where most names carry a target triple.
fn missing<'a>(wanted: &'a [String], installed: &str) -> Vec<&'a String> {
    let is_there = |name: &str| {
        installed
            .lines()
            .any(|line| line.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
    };
    wanted.iter().filter(|name| !is_there(name)).collect()
}

fn pin() -> anyhow::Result<toml::Table> {
    let path = process::workspace().join(FILE);
    let text = std::fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    text.parse().with_context(|| format!("understand {}", path.display()))
}

fn word(pin: &toml::Table, key: &str) -> anyhow::Result<String> {
    let value = pin.get("toolchain").and_then(|toolchain| toolchain.get(key)).and_then(toml::Value::as_str);
    value.map(str::to_owned).with_context(|| format!("{FILE} has no {key} in [toolchain]"))
}

fn components(pin: &toml::Table) -> anyhow::Result<Vec<String>> {
    let list = pin
        .get("toolchain")
        .and_then(|toolchain| toolchain.get("components"))
        .and_then(toml::Value::as_array);
    let list = list.with_context(|| format!("{FILE} has no components in [toolchain]"))?;
    Ok(list.iter().filter_map(toml::Value::as_str).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_known_with_and_without_its_triple() {
        let wanted = ["rust-src", "rustfmt", "clippy"].map(str::to_owned);
        let installed = "rust-src\nrustfmt-x86_64-unknown-linux-gnu\nrustc-x86_64-unknown-linux-gnu\n";
        assert_eq!(missing(&wanted, installed), [&wanted[2]]);
    }

    #[test]
    fn the_pin_of_this_workspace_is_understood() {
        assert!(channel().unwrap().chars().all(|c| c.is_ascii_digit() || c == '.'));
        assert!(components(&pin().unwrap()).unwrap().contains(&"rust-src".to_owned()));
    }
}
