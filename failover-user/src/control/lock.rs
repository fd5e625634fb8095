//! The daemon's lock: held by a daemon for its whole life, or by one command that works on a dead one's maps.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use rustix::{
    fs::{FlockOperation, flock},
    io::Errno,
};

/// Why the lock cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else has it.
    #[error("lock {path}: held by another daemon, or by a command at work")]
    Held {
        /// The lock file.
        path: PathBuf,
    },
    /// The file or its folder cannot be made.
    #[error("{action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Takes the lock of `state_dir`, which is made where it is missing (mode 0750). It is free again when the file is
/// dropped, or its holder dies.
pub fn take(state_dir: &Path) -> Result<fs::File, LockError> {
    let fails = |action, path: &Path| {
        let path = path.to_owned();
        move |source| LockError::Io { action, path, source }
    };
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(state_dir)
        .map_err(fails("make the state folder", state_dir))?;
    let path = state_dir.join("lock");
    let mut open = fs::OpenOptions::new();
    let file = open
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(fails("open the lock file", &path))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(LockError::Held { path }),
        Err(error) => Err(fails("lock", &path)(error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_holds_it() {
        let dir = tempfile::tempdir().unwrap();
        let held = take(dir.path()).unwrap();
        assert!(matches!(take(dir.path()), Err(LockError::Held { .. })));
        drop(held);
        assert!(take(dir.path()).is_ok());
    }
}
