//! The data plane seen from userspace.

pub mod offline;
pub mod pass;

/// An error of the data plane.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is pinned.
    #[error("{path}: no data plane is pinned here")]
    NotPinned {
        /// The folder.
        path: std::path::PathBuf,
    },
}

impl Error {
    /// The exit code of a command that ends with this.
    pub const fn exit(&self) -> u8 {
        5
    }

    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        None
    }
}
