//! A program that passes everything.

use std::path::Path;

use super::Error;

/// Attaches the program to `interface`; the link is pinned under `bpffs_dir`.
pub fn attach(bpffs_dir: &Path, _interface: &str) -> Result<(), Error> {
    Err(Error::NotPinned { path: bpffs_dir.to_owned() })
}
