//! The listening socket itself: who may connect, and what to do with what is already there.

use std::{
    fs::{DirBuilder, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::UnixListener;

/// Read and write for the owner and the group, nothing for others.
const MODE: u32 = 0o660;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Why the control socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon answers there.
    #[error("another daemon listens on {}", path.display())]
    InUse {
        /// The socket.
        path: PathBuf,
    },
    /// Something else lies there.
    #[error("listen on {}: there is a file which is no socket", path.display())]
    NotASocket {
        /// The file.
        path: PathBuf,
    },
    /// The system said no.
    #[error("{action} {}: {source}", path.display())]
    System {
        /// What failed.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl BindError {
    /// The exit code of a command that ends with this.
    pub fn exit(&self) -> u8 {
        match self {
            Self::System { source, .. } if source.kind() == ErrorKind::PermissionDenied => 6,
            _ => 1,
        }
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::InUse { .. } => {
                Some("one daemon runs per router: stop it first, or set another `control_socket`".to_owned())
            }
            Self::NotASocket { .. } => Some("move it away, or set another `control_socket`".to_owned()),
            Self::System { source, .. } => match source.kind() {
                ErrorKind::PermissionDenied => Some("run the daemon as root".to_owned()),
                ErrorKind::InvalidInput => Some("a socket's path has at most 107 bytes".to_owned()),
                _ => None,
            },
        }
    }
}

/// Listens on `path`, with mode 0660 from the first moment on. Its folder is made, with mode 0755, where it is
/// missing. The socket of a dead daemon is replaced, the socket of a living one is an error.
///
/// Two callers at the same time could both take a dead daemon's place: call it under the daemon's lock. Needs a
/// running tokio runtime.
pub fn bind(path: &Path) -> Result<UnixListener, BindError> {
    let failed = |action| move |source| BindError::System { action, path: path.to_owned(), source };
    let address = SockAddr::unix(path).map_err(failed("listen on"))?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        let made = DirBuilder::new().recursive(true).mode(0o755).create(folder);
        made.map_err(|source| BindError::System {
            action: "make the folder",
            path: folder.to_owned(),
            source,
        })?;
    }
    clear_the_way(path, &address)?;
    let socket = listening_socket(path, &address).map_err(failed("listen on"))?;
    UnixListener::from_std(socket.into()).map_err(failed("listen on"))
}

fn listening_socket(path: &Path, address: &SockAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    // Linux gives the file that bind makes the mode of the socket, less the umask: so it is never wider than
    // this, not even between two system calls.
    rustix::fs::fchmod(&socket, Mode::from_raw_mode(MODE))?;
    socket.bind(address)?;
    // Gives back what the umask took.
    std::fs::set_permissions(path, Permissions::from_mode(MODE))?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// Removes a socket that nobody listens on.
fn clear_the_way(path: &Path, address: &SockAddr) -> Result<(), BindError> {
    let path = path.to_owned();
    match std::fs::symlink_metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(BindError::System { action: "look at", path, source }),
        Ok(there) if !there.file_type().is_socket() => return Err(BindError::NotASocket { path }),
        Ok(_) => {}
    }
    match is_alive(address) {
        Ok(true) => Err(BindError::InUse { path }),
        Ok(false) => match std::fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                Err(BindError::System { action: "remove the dead socket", path, source })
            }
            _ => Ok(()),
        },
        Err(source) => Err(BindError::System { action: "ask who listens on", path, source }),
    }
}

fn is_alive(address: &SockAddr) -> io::Result<bool> {
    // Without waiting: a daemon whose backlog is full is alive too.
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    match socket.connect(address) {
        Ok(()) => Ok(true),
        Err(error) => match error.kind() {
            ErrorKind::WouldBlock => Ok(true),
            ErrorKind::ConnectionRefused | ErrorKind::NotFound => Ok(false),
            _ => Err(error),
        },
    }
}

/// Removes the file of a socket that still listens: as long as it does, no other daemon can have taken its place.
pub(super) fn remove(listener: &UnixListener) {
    let Ok(address) = listener.local_addr() else { return };
    let Some(path) = address.as_pathname() else { return };
    if let Err(error) = std::fs::remove_file(path) {
        tracing::debug!(%error, path = %path.display(), "control socket not removed");
    }
}

#[cfg(test)]
mod tests;
