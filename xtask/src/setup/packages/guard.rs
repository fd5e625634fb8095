//! Installing Kamailio must not start a Kamailio on this machine's own addresses.
//!
//! Debian asks `/usr/sbin/policy-rc.d` before it starts a service from a package's scripts (invoke-rc.d(8),
//! deb-systemd-invoke(1p)); exit code 101 forbids it.

use std::{
    fs::{self, Permissions},
    io::ErrorKind,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

const POLICY: &str = "/usr/sbin/policy-rc.d";
const FORBID: &str =
    "#!/bin/sh\n# Put here by failover's set-up while it installs packages; safe to delete.\nexit 101\n";

/// While this lives, no package starts a service.
///
/// A policy that the machine already has is moved aside and comes back. One of ours that an earlier, killed run
/// left behind is recognised by its text and goes.
pub struct NoServices {
    policy: PathBuf,
    aside: PathBuf,
}

impl NoServices {
    /// Forbids.
    pub fn new() -> anyhow::Result<Self> {
        Self::at(Path::new(POLICY))
    }

    fn at(policy: &Path) -> anyhow::Result<Self> {
        let guard = Self { policy: policy.to_owned(), aside: policy.with_extension("d.failover-setup") };
        guard.forbid().with_context(|| format!("write {}", policy.display()))?;
        Ok(guard)
    }

    fn forbid(&self) -> std::io::Result<()> {
        match fs::read(&self.policy) {
            Ok(text) if text == FORBID.as_bytes() => {}
            Ok(_) => fs::rename(&self.policy, &self.aside)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        fs::write(&self.policy, FORBID)?;
        fs::set_permissions(&self.policy, Permissions::from_mode(0o755))
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        let restored = match fs::rename(&self.aside, &self.policy) {
            Err(error) if error.kind() == ErrorKind::NotFound => fs::remove_file(&self.policy),
            other => other,
        };
        if let Err(error) = restored {
            anstream::eprintln!(
                "warning: restore {}: {error}; no package can start a service until it is",
                self.policy.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_of_the_machine_comes_back_even_after_a_killed_run() {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy-rc.d");
        fs::write(&policy, "theirs").unwrap();
        std::mem::forget(NoServices::at(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), FORBID);

        drop(NoServices::at(&policy).unwrap());
        assert_eq!(fs::read_to_string(&policy).unwrap(), "theirs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn where_there_was_none_there_is_none_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        drop(NoServices::at(&folder.path().join("policy-rc.d")).unwrap());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
