//! Why a command did not reach the daemon, or what the daemon said against it.

use std::{
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::control::message::Problem;

/// What can go wrong between a command and the daemon.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("reach the daemon at {}: {}; is it running?", path.display(), plainly(source))]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The socket is not for this user.
    #[error("reach the daemon at {}: permission denied ({access})", path.display())]
    Denied {
        /// The socket.
        path: PathBuf,
        /// Whom it is for, in words.
        access: String,
        /// The group that may use it, if any.
        group: Option<String>,
    },
    /// Somebody listens, and says nothing.
    #[error("the daemon at {} did not answer within {patience:?}", path.display())]
    Silent {
        /// The socket.
        path: PathBuf,
        /// How long this waited.
        patience: Duration,
    },
    /// Somebody listened, and went away in the middle.
    #[error("the daemon at {} closed the connection before it had answered", path.display())]
    Closed {
        /// The socket.
        path: PathBuf,
    },
    /// What came back makes no sense.
    #[error("talk to the daemon at {}: {why}", path.display())]
    Odd {
        /// The socket.
        path: PathBuf,
        /// What is odd.
        why: String,
    },
    /// The daemon's own words.
    #[error("{0}")]
    Problem(Problem),
}

impl ClientError {
    /// The exit code of a command that ends with this.
    pub fn exit(&self) -> u8 {
        match self {
            Self::Unreachable { .. } | Self::Silent { .. } | Self::Closed { .. } => 5,
            Self::Denied { .. } => 6,
            Self::Odd { .. } => 1,
            Self::Problem(problem) => problem.exit,
        }
    }

    /// What to do next.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::Unreachable { .. } => {
                "start it with `systemctl start failover`, or name its socket with --socket".to_owned()
            }
            Self::Denied { group: Some(group), .. } => {
                format!("run this as root, or as a member of the group {group}")
            }
            Self::Denied { group: None, .. } => "run this as root".to_owned(),
            Self::Silent { .. } => "it is overloaded or stuck: look at its log".to_owned(),
            Self::Closed { .. } => "it has stopped: start it with `systemctl start failover`".to_owned(),
            Self::Odd { .. } => "the command and the daemon may be of different versions".to_owned(),
            Self::Problem(problem) => return problem.help.clone(),
        })
    }

    /// What a failed exchange means.
    pub(super) fn exchange(path: &Path, error: &hyper::Error) -> Self {
        let path = path.to_owned();
        // A reset is an I/O error below, and no parse error.
        if error.is_parse() { Self::Odd { path, why: error.to_string() } } else { Self::Closed { path } }
    }

    /// What a failed connect means.
    pub(super) fn connect(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            ErrorKind::PermissionDenied => {
                let (access, group) = access(&path);
                Self::Denied { path, access, group }
            }
            // A full backlog: somebody is there.
            ErrorKind::WouldBlock => Self::Odd { path, why: "it takes no more connections".to_owned() },
            _ => Self::Unreachable { path, source },
        }
    }
}

/// The usual causes in words, the others in the system's.
fn plainly(source: &io::Error) -> String {
    match source.kind() {
        ErrorKind::NotFound => "there is no such socket".to_owned(),
        ErrorKind::ConnectionRefused => "nobody listens".to_owned(),
        _ => source.to_string(),
    }
}

/// Whom the socket is for, and the group that may use it.
fn access(path: &Path) -> (String, Option<String>) {
    let Ok(socket) = std::fs::metadata(path) else {
        return ("its folder is not open to this user".to_owned(), None);
    };
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let group = name_of(&groups, socket.gid()).map_or_else(|| socket.gid().to_string(), str::to_owned);
    let mode = socket.mode() & 0o777;
    let access = format!("the socket has mode {mode:04o} and belongs to the group {group}");
    (access, (mode & 0o060 == 0o060).then_some(group))
}

/// The name of a group in the form of `/etc/group`: `name:password:id:members`.
fn name_of(groups: &str, gid: u32) -> Option<&str> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_number() {
        let groups = "root:x:0:\ndaemon:x:1:\nvoice:x:1042:alice,bob\nbroken\n";
        assert_eq!(name_of(groups, 1042), Some("voice"));
        assert_eq!(name_of(groups, 0), Some("root"));
        assert_eq!(name_of(groups, 7), None);
    }

    #[test]
    fn denied_names_the_group_and_the_mode_of_the_socket() {
        let file = tempfile::NamedTempFile::new().expect("file");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o660);
        std::fs::set_permissions(file.path(), mode).expect("chmod");
        let error = ClientError::connect(file.path(), io::Error::from(ErrorKind::PermissionDenied));
        assert!(error.to_string().contains("mode 0660 and belongs to the group "), "{error}");
        assert!(error.help().is_some_and(|help| help.contains("member of the group ")));
        assert_eq!(error.exit(), 6);
    }

    #[test]
    fn nobody_there_is_5_and_says_how_to_start_it() {
        for (kind, why) in [
            (ErrorKind::NotFound, "there is no such socket"),
            (ErrorKind::ConnectionRefused, "nobody listens"),
        ] {
            let error = ClientError::connect(Path::new("/run/failover/control.sock"), io::Error::from(kind));
            assert!(matches!(error, ClientError::Unreachable { .. }));
            assert!(error.to_string().ends_with(&format!("{why}; is it running?")), "{error}");
            assert!(error.help().is_some_and(|help| help.contains("systemctl start failover")));
            assert_eq!(error.exit(), 5);
        }
    }
}
