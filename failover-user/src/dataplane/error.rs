//! What can go wrong with the data plane, and what to do about it.

use std::{io, path::PathBuf};

use aya::programs::ProgramError;

/// An error of the data plane.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No privilege.
    #[error("{action}: not permitted")]
    NotPermitted {
        /// What was tried.
        action: String,
    },
    /// The pin folder is not on a bpffs.
    #[error("{path}: not on a BPF file system")]
    NoBpffs {
        /// The folder.
        path: PathBuf,
    },
    /// A name that a bpffs does not take.
    #[error("{path}: a BPF file system takes no name with a dot")]
    DottedName {
        /// The folder.
        path: PathBuf,
    },
    /// Another daemon works with this folder.
    #[error("{path}: in use by another daemon")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing is pinned.
    #[error("{path}: no data plane is pinned here")]
    NotPinned {
        /// The folder.
        path: PathBuf,
    },
    /// The kernel lacks what the programs need.
    #[error("Linux {release} is too old: {needed} or later is needed")]
    KernelTooOld {
        /// What runs.
        release: String,
        /// The least.
        needed: &'static str,
    },
    /// The same, for a word of the configuration.
    #[error("`forward = \"kernel\"` needs TCX links, which Linux {release} does not have")]
    NoTcx {
        /// What runs.
        release: String,
    },
    /// An interface that is not there.
    #[error("interface {name}: no such device")]
    NoInterface {
        /// Its name.
        name: String,
    },
    /// Another XDP program is attached.
    #[error("attach XDP to {name}: device is busy (another XDP program is attached)")]
    Busy {
        /// The interface.
        name: String,
    },
    /// A device whose frames the program cannot read.
    #[error("attach XDP to {name}: a {kind} device has no Ethernet frames")]
    NotEthernet {
        /// The interface.
        name: String,
        /// What it is.
        kind: String,
    },
    /// A VLAN device, of which the driver knows nothing.
    #[error("attach XDP to {name}: it is a VLAN device of {parent}")]
    VlanDevice {
        /// The interface.
        name: String,
        /// The device beneath it.
        parent: String,
    },
    /// The card takes tags off, and cannot be told to leave them.
    #[error(
        "attach XDP to {name}: its driver takes VLAN tags off frames, and cannot leave them (rxvlan is fixed)"
    )]
    StripsTags {
        /// The interface.
        name: String,
    },
    /// The driver refuses.
    #[error("attach to {name} in {mode} mode: {source}")]
    Attach {
        /// The interface.
        name: String,
        /// `native`, `generic`, or, of the way out, `egress`.
        mode: &'static str,
        /// The kernel's words.
        source: io::Error,
    },
    /// The tables have no more room.
    #[error("{table}: {needed} entries are needed, and the pinned table has room for {room}")]
    NoRoom {
        /// The map.
        table: &'static str,
        /// Asked for.
        needed: usize,
        /// There.
        room: usize,
    },
    /// A map operation failed.
    #[error("map {map}: {action}: {source}")]
    Map {
        /// The map's name.
        map: &'static str,
        /// What was tried.
        action: &'static str,
        /// aya's words.
        source: aya::maps::MapError,
    },
    /// Loading failed.
    #[error("load the programs: {reason}")]
    Load {
        /// aya's words, all causes.
        reason: String,
    },
    /// A pin failed.
    #[error("{action} {path}: {reason}")]
    Pin {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A system call failed.
    #[error("{action}: {source}")]
    Io {
        /// What was tried.
        action: String,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    /// The exit code of a command that ends with this.
    pub const fn exit(&self) -> u8 {
        match self {
            Self::NotPermitted { .. } => 6,
            Self::NotPinned { .. } => 5,
            _ => 1,
        }
    }

    /// What to do next, where that is known.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotPermitted { .. } => {
                "run as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and the right to write the pin folder".into()
            }
            Self::NoBpffs { .. } => {
                "mount one: mount -t bpf bpf /sys/fs/bpf (and see [router] bpffs_dir)".into()
            }
            Self::DottedName { .. } => "choose another [router] bpffs_dir".into(),
            Self::InUse { .. } => {
                "stop that one first, or give this one a [router] bpffs_dir, state_dir and control_socket of its own"
                    .into()
            }
            Self::NotPinned { .. } => "start the daemon: failover run".into(),
            Self::KernelTooOld { .. } => "boot a newer kernel".into(),
            Self::NoTcx { .. } => "boot Linux 6.6 or later, or write forward = \"xdp\"".into(),
            Self::NoInterface { name } => {
                format!("see `ip link` for the names there are, and [router] interfaces for {name}")
            }
            Self::Busy { name } => format!(
                "see which: `ip -details link show {name}`; take it away: `ip link set dev {name} xdp off`"
            ),
            Self::NotEthernet { name, .. } => format!(
                "leave {name} out of [router] interfaces, and attach where its traffic is Ethernet: at the devices towards phones and servers"
            ),
            Self::VlanDevice { name, parent } => format!(
                "name {parent} instead of {name}: the program reads VLAN tags; or, slower, {{ name = \"{name}\", mode = \"generic\" }}"
            ),
            Self::StripsTags { name } => format!(
                "use another port; or, if nothing on that wire is tagged, {{ name = \"{name}\", mode = \"generic\" }}"
            ),
            Self::Attach { mode: "native", name, .. } => format!(
                "let it fall back: {{ name = \"{name}\", mode = \"auto\" }}; or lower the MTU, where the kernel's log says so"
            ),
            Self::NoRoom { .. } => {
                "restart the daemon: it makes larger tables and carries everything over".into()
            }
            _ => return None,
        })
    }

    pub(super) fn io(action: impl Into<String>, source: io::Error) -> Self {
        let action = action.into();
        match source.raw_os_error() {
            Some(code) if is_permission(code) => Self::NotPermitted { action },
            _ => Self::Io { action, source },
        }
    }

    /// Loading, with every cause in words; a lack of privilege is told apart.
    pub(super) fn load(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut causes = Vec::new();
        let mut next = Some(error);
        let mut refused = false;
        while let Some(cause) = next {
            // The verifier says EACCES too, of a program that it does not like, but not without a word.
            refused |= matches!(
                cause.downcast_ref::<ProgramError>(),
                Some(ProgramError::LoadError { verifier_log, .. }) if !verifier_log.to_string().is_empty()
            );
            if let Some(io) = cause.downcast_ref::<io::Error>()
                && io.raw_os_error().is_some_and(is_permission)
                && !refused
            {
                return Self::NotPermitted { action: "load the programs".into() };
            }
            causes.push(shortened(&cause.to_string()));
            next = cause.source();
        }
        causes.dedup();
        Self::Load { reason: causes.join(": ") }
    }
}

/// The verifier tells its whole way to what it does not like; the end says what that is.
fn shortened(words: &str) -> String {
    const ENDS: usize = 8;
    let lines: Vec<&str> = words.lines().collect();
    match &lines[..] {
        [first, rest @ ..] if rest.len() > ENDS => {
            let left_out = rest.len() - ENDS;
            let head: String = first.chars().take(200).collect();
            format!("{head}\n({left_out} lines left out)\n{}", rest[left_out..].join("\n"))
        }
        _ => words.to_owned(),
    }
}

fn is_permission(code: i32) -> bool {
    use rustix::io::Errno;
    code == Errno::PERM.raw_os_error() || code == Errno::ACCESS.raw_os_error()
}
