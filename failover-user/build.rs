//! Builds the eBPF programs, so that a plain `cargo build` builds everything.

use anyhow::{Context as _, bail};
use aya_build::{Package, Toolchain};

/// The pinned compiler of `rust-toolchain.toml`: reproducible, where a floating nightly is not.
const TOOLCHAIN: &str = "1.95.0";

fn main() -> anyhow::Result<()> {
    // Asked for now, not when this script was compiled: a workspace may be moved with what it has built.
    let package = std::env::var("CARGO_MANIFEST_DIR").context("cargo names the package's folder")?;
    let root = format!("{package}/../failover-ebpf");
    let linker = format!("{package}/../.tools/bin/bpf-linker");
    println!("cargo:rerun-if-changed={linker}");
    println!("cargo:rerun-if-changed={package}/../failover-common/src");
    if !std::path::Path::new(&linker).exists() {
        bail!("bpf-linker is not installed in this workspace; run `cargo xtask setup` first");
    }
    // SAFETY: a build script's main has started no other thread.
    unsafe {
        std::env::set_var("RUSTC_BOOTSTRAP", "1");
        // aya-build turns every line of the inner cargo into a warning of the outer one.
        std::env::set_var("CARGO_TERM_QUIET", "true");
    }
    let features: &[&str] = match std::env::var_os("CARGO_FEATURE_PACKET_LOG") {
        Some(_) => &["packet-log"],
        None => &[],
    };
    aya_build::build_ebpf(
        [Package { name: "failover-ebpf", root_dir: &root, features, ..Default::default() }],
        Toolchain::Custom(TOOLCHAIN),
    )
    .context("build the eBPF programs")
}
