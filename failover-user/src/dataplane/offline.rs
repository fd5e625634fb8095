//! The pinned maps of a dead daemon.
