//! The control API: HTTP/JSON over a Unix socket.

pub mod message;
