//! bpf-linker, which links the eBPF programs: a pinned version in the workspace's own `.tools/`, where
//! `.cargo/config.toml` finds it whatever else is installed on the machine.
//!
//! It loads the LLVM that the pinned compiler ships, so the two versions belong together.

use crate::{
    process::{self, command, workspace},
    step::{note, step},
};

const VERSION: &str = "0.10.3";
const ROOT: &str = ".tools";

/// Of the user's environment, what would send the build or its result elsewhere.
const UNWANTED: [&str; 3] = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET", "CARGO_INSTALL_ROOT"];

/// Installs bpf-linker unless the pinned version is there; whether it was not.
pub fn ensure(channel: &str) -> anyhow::Result<bool> {
    let binary = workspace().join(ROOT).join("bin/bpf-linker");
    if process::ask(command(binary).arg("--version")).is_some_and(|says| is_pinned(&says)) {
        return Ok(false);
    }
    let mut install = process::pinned(channel, "cargo");
    install.args(["install", "bpf-linker", "--version", VERSION, "--locked", "--force", "--root", ROOT]);
    for name in UNWANTED {
        install.env_remove(name);
    }
    step(&format!("bpf-linker {VERSION}, into {ROOT}/"), || {
        note("links the eBPF programs; built from source, which takes a minute or two");
        process::run(&mut install)
    })?;
    Ok(true)
}

fn is_pinned(says: &str) -> bool {
    says.split_whitespace().last() == Some(VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_will_do() {
        assert!(is_pinned(&format!("bpf-linker {VERSION}\n")));
        assert!(!is_pinned("bpf-linker 0.11.0\n"));
        assert!(!is_pinned(""));
    }
}
