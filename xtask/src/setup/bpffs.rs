//! The BPF file system, where the daemon pins its programs, links and maps.

use std::path::Path;

use anyhow::bail;

use crate::{
    process::{self, command},
    step::step,
};

const MOUNT_POINT: &str = "/sys/fs/bpf";

/// Mounts it unless it is mounted; whether it was not.
pub fn ensure() -> anyhow::Result<bool> {
    if is_mounted() {
        return Ok(false);
    }
    let line = format!("mount -t bpf bpf {MOUNT_POINT}");
    if !rustix::process::geteuid().is_root() {
        bail!("no BPF file system at {MOUNT_POINT}, and only root may mount it; type: sudo {line}");
    }
    if !Path::new(MOUNT_POINT).is_dir() {
        bail!(
            "{MOUNT_POINT} does not exist: sysfs is not mounted, or this kernel was built without CONFIG_BPF_SYSCALL"
        );
    }
    step(&format!("BPF file system at {MOUNT_POINT}"), || {
        process::run(command("mount").args(["-t", "bpf", "bpf", MOUNT_POINT]))
    })?;
    Ok(true)
}

fn is_mounted() -> bool {
    std::fs::read_to_string("/proc/self/mounts").is_ok_and(|mounts| is_listed(&mounts))
}

/// `mounts` as in proc_pid_mounts(5): device, place, type, and more.
fn is_listed(mounts: &str) -> bool {
    mounts.lines().any(|line| line.split(' ').skip(1).take(2).eq([MOUNT_POINT, "bpf"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bpf_file_system_in_the_right_place_counts() {
        assert!(is_listed("sysfs /sys sysfs rw 0 0\nbpf /sys/fs/bpf bpf rw,mode=700 0 0\n"));
        assert!(!is_listed("sysfs /sys sysfs rw 0 0\nbpf /mnt bpf rw 0 0\n"));
        assert!(!is_listed("tmpfs /sys/fs/bpf tmpfs rw 0 0\n"));
    }
}
