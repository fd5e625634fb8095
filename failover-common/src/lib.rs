//! What the kernel programs and the daemon must agree on, and nothing else.
//!
//! Everything here is ABI: map keys and values are plain integers and byte arrays without padding, addresses
//! and ports are kept in network byte order, reasons and event kinds are numbers that never change their
//! meaning. A change of layout raises [`names::ABI_VERSION`].
#![cfg_attr(not(test), no_std)]

pub mod bench;
pub mod checksum;
pub mod entropy;
pub mod event;
pub mod key;
pub mod names;
pub mod observe;
pub mod reason;
pub mod trace;
pub mod value;
pub mod watch;
