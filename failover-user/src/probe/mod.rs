//! Probers: I/O only.
