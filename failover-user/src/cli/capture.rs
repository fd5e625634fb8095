//! Captures that a command is given: opened, or refused with a sentence.

use std::{fs::File, io::ErrorKind, path::Path};

use super::failure::Failure;

/// Opens one.
pub(super) fn open(path: &Path) -> Result<File, Failure> {
    File::open(path).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => Failure::new(6, format!("open {}: {error}", path.display())),
        _ => fails(path, &error.to_string()),
    })
}

/// It cannot be read, or not any further.
pub(super) fn fails(path: &Path, why: &str) -> Failure {
    Failure::new(1, format!("read the capture {}: {why}", path.display()))
}
