//! pycrate, the H.225.0 codec that ours is held against: a wheel of a pinned version and digest in the workspace's own `.tools/`,
//! from PyPI by pip. It is imported as it is, so that its two hundred modules are never unpacked.

use failover_tests::pycrate::{FOLDER, REQUIREMENTS, WHEEL};

use crate::{
    process::{self, command, workspace},
    step::{note, step},
};

/// Fetches the wheel unless it is there; whether it was not.
pub fn ensure() -> anyhow::Result<bool> {
    if workspace().join(FOLDER).join(WHEEL).exists() {
        return Ok(false);
    }
    let mut pip = command("python3");
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-cache-dir"]);
    // pip moves a file to its place only when its digest is right.
    pip.args(["--no-deps", "--only-binary", ":all:", "--require-hashes"]);
    pip.args(["--requirement", REQUIREMENTS, "--dest", FOLDER]);
    step(&format!("{WHEEL}, into {FOLDER}/"), || {
        note("another codec of H.225.0, which ours is compared with; 13 MB");
        process::run(&mut pip)
    })?;
    Ok(true)
}
