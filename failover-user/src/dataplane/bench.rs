//! The programs of `cargo xtask bench`. Nothing in the daemon names them, so the linker leaves them out of it.

/// The object with the floors, and with what feeds frames to them and to the router's program.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/failover-bench"));
