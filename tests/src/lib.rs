//! The laboratory: network namespaces with a real router, real proxies and real phones in them.
//!
//! ```text
//!   phones              router                       primary  10.77.2.10  Kamailio
//!   callers 10.77.1.10  10.77.1.1 lan0 ┬ srv0 10.77.2.1 ──┘
//!   callees 10.77.1.20 ────────────────┴ srv1 10.77.3.1 ──┐
//!                                                    backup   10.77.3.10  Kamailio, speaks for the primary
//! ```
//!
//! A [`topology::Lab`] owns the namespaces and everything that runs in them, and takes it all away again, also when
//! the process that made it is killed. On top of it stand the peers ([`kamailio`], [`sipp`], [`responder`],
//! [`gateway`], [`tcp_client`]), the [`daemon`] under test, and what watches the wire ([`capture`], [`arrivals`], [`frames`]).
//!
//! This library runs programs, it links none of them: it never depends on the daemon's own crate.

pub mod arrivals;
pub mod capture;
pub mod carrier;
pub mod daemon;
pub mod frames;
pub mod gatekeeper;
pub mod gateway;
pub mod kamailio;
pub mod netns;
pub mod process;
pub mod pycrate;
pub mod responder;
pub mod settings;
pub mod sip;
pub mod sipp;
pub mod stream;
pub mod tcp_client;
pub mod topology;
pub mod verdict;
