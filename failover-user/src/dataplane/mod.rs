//! The data plane seen from userspace.
