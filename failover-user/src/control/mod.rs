//! The control API: HTTP/JSON over a Unix socket.

pub mod admin;
pub mod client;
pub mod journal;
pub mod lock;
pub mod message;
pub mod metrics;
pub mod observers;
pub mod server;
