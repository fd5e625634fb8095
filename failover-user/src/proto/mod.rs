//! Codecs of the signalling protocols: pure, no I/O. Every input is hostile: nothing here panics, and memory is
//! bounded by the input's own bounds.

pub mod capture;
pub mod decode;
pub mod h225;
pub mod megaco;
pub mod mgcp;
pub mod sip;
pub mod tpkt;
