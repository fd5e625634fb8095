//! What the running kernel must be able to do.

use super::error::Error;

/// bpf_link for XDP (5.9), ring buffers (5.8), the coarse clock (5.11), two folders of a bpffs exchanged in one step
/// (after 5.15): the first long-term kernel that has all.
const NEEDED: (u32, u32) = (6, 1);

/// TCX links (`BPF_TCX_EGRESS`).
const TCX: (u32, u32) = (6, 6);

/// Whether programs can be attached to the way out by links that outlive the daemon.
pub fn has_tcx() -> bool {
    version(&release()).is_none_or(|version| version >= TCX)
}

/// What runs.
pub fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

/// Refuses a kernel that is too old, before anything is touched.
pub fn check() -> Result<(), Error> {
    let release = release();
    match version(&release) {
        Some(version) if version < NEEDED => Err(Error::KernelTooOld { release, needed: "6.1" }),
        _ => Ok(()),
    }
}

/// Major and minor of a release such as `6.1.0-13-amd64`; an unknown form is not held against it.
fn version(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn releases_are_read() {
        assert_eq!(version("6.1.0-13-amd64"), Some((6, 1)));
        assert_eq!(version("5.4-custom"), Some((5, 4)));
        assert_eq!(version("next"), None);
    }
}
