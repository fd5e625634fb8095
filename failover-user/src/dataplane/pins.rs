//! The pin folder on the bpffs.

use std::{
    fs,
    io::ErrorKind,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use failover_common::names::{ABI_VERSION, PROGRAM_XDP};

use super::error::Error;

/// BPF_FS_MAGIC of linux/magic.h.
const BPF_FS_MAGIC: u64 = 0xcafe_4a11;

/// Where everything is pinned.
#[derive(Clone, Debug)]
pub struct Pins {
    root: PathBuf,
}

impl Pins {
    /// The pins under `root`, which need not exist yet.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Makes the folders, mode 0700, on a bpffs.
    pub fn create(&self) -> Result<(), Error> {
        self.check_bpffs()?;
        for folder in [self.root.clone(), self.layout(), self.maps(), self.links(), self.egress_links()] {
            make_private(&folder)?;
        }
        Ok(())
    }

    /// Makes the folders of the links alone.
    pub fn create_links(&self) -> Result<(), Error> {
        self.check_bpffs()?;
        make_private(&self.root)?;
        make_private(&self.links())
    }

    /// Refuses a folder that is not on a bpffs.
    fn check_bpffs(&self) -> Result<(), Error> {
        let existing = self.root.ancestors().find(|path| path.exists()).unwrap_or(Path::new("/"));
        let fs = rustix::fs::statfs(existing)
            .map_err(|error| Error::io(format!("look at {}", existing.display()), error.into()))?;
        if u64::try_from(fs.f_type) != Ok(BPF_FS_MAGIC) {
            return Err(Error::NoBpffs { path: self.root.clone() });
        }
        let missing = self.root.strip_prefix(existing).unwrap_or(&self.root);
        if missing.to_string_lossy().contains('.') {
            return Err(Error::DottedName { path: self.root.clone() });
        }
        Ok(())
    }

    /// Locks the folder for as long as the file lives. The lock of `state_dir` does not keep a daemon away that has
    /// another one, and writes the same maps.
    pub fn lock(&self) -> Result<fs::File, Error> {
        let fails = |error| Error::io(format!("lock {}", self.root.display()), error);
        let folder = fs::File::open(&self.root).map_err(fails)?;
        match rustix::fs::flock(&folder, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(folder),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::InUse { path: self.root.clone() }),
            Err(error) => Err(fails(error.into())),
        }
    }

    /// The folder of this layout.
    pub fn layout(&self) -> PathBuf {
        self.root.join(format!("v{ABI_VERSION}"))
    }

    /// The folder of this layout while its tables are made anew.
    pub fn next_layout(&self) -> PathBuf {
        self.root.join(format!("v{ABI_VERSION}-next"))
    }

    /// The folder of this layout's maps.
    pub fn maps(&self) -> PathBuf {
        self.layout().join("maps")
    }

    /// The program's pin.
    pub fn program(&self) -> PathBuf {
        self.layout().join(PROGRAM_XDP)
    }

    /// The folder that tells of devices that took VLAN tags off before we came.
    pub fn stripping(&self) -> PathBuf {
        self.root.join("stripping")
    }

    /// The folder of one of them, by its index.
    pub fn stripped(&self, index: u32) -> PathBuf {
        self.stripping().join(index.to_string())
    }

    /// The folder of the links.
    pub fn links(&self) -> PathBuf {
        self.root.join("links")
    }

    /// One interface's link.
    pub fn link(&self, interface: &str) -> PathBuf {
        self.links().join(link_name(interface))
    }

    /// The folder of the links on the way out.
    pub fn egress_links(&self) -> PathBuf {
        self.root.join("egress")
    }

    /// One interface's link on the way out.
    pub fn egress_link(&self, interface: &str) -> PathBuf {
        self.egress_links().join(link_name(interface))
    }

    /// Detaches one interface, both ways.
    pub fn remove_links(&self, interface: &str) -> Result<(), Error> {
        Self::remove(&self.egress_link(interface))?;
        Self::remove(&self.link(interface))
    }

    /// The names of the interfaces whose links are pinned.
    pub fn linked(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.links())
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(interface_name(entry.ok()?.file_name().to_str()?)))
            .collect();
        names.sort();
        names
    }

    /// Takes a pin away; one that is not there is no error.
    pub fn remove(path: &Path) -> Result<(), Error> {
        match fs::remove_file(path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io(format!("remove {}", path.display()), error)),
        }
    }

    /// Takes everything of the router's away, links first. What else somebody pinned in the folder stays.
    pub fn remove_all(&self) -> Result<(), Error> {
        for folder in [self.egress_links(), self.links(), self.layout(), self.next_layout()] {
            remove_folder(&folder)?;
        }
        match fs::remove_dir(&self.root) {
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
                Err(Error::io(format!("remove {}", self.root.display()), error))
            }
            _ => Ok(()),
        }
    }
}

/// A folder of mode 0700: pinned maps are guarded by file modes alone.
pub fn make_private(folder: &Path) -> Result<(), Error> {
    let action = || format!("make the pin folder {}", folder.display());
    fs::DirBuilder::new()
        .mode(0o700)
        .recursive(true)
        .create(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(0o700)))
        .map_err(|error| Error::io(action(), error))
}

/// Removes a folder and what is in it; one that is not there is no error.
pub fn remove_folder(folder: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io(format!("remove {}", folder.display()), error)),
    }
}

/// A dot in a name is reserved on a bpffs (EPERM), and VLAN devices have one.
fn link_name(interface: &str) -> String {
    interface.replace('%', "%25").replace('.', "%2e")
}

fn interface_name(link: &str) -> String {
    link.replace("%2e", ".").replace("%25", "%")
}

#[cfg(test)]
mod tests {
    use super::{interface_name, link_name};

    #[test]
    fn names_without_dots_come_back() {
        for interface in ["wan0", "eth0.100", "a.b%2ec", "%25", "50%"] {
            let link = link_name(interface);
            assert!(!link.contains('.'));
            assert_eq!(interface_name(&link), interface);
        }
    }
}
