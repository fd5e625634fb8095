//! `failover` as a library: the rooms of the house, each described in its own file.
//!
//! Arrows: `proto`, `health`, `director`, `replay`, `altpath` and `config` import no runtime, no aya, no database; `probe` and
//! `gatekeeper` never import `dataplane`; `cli` speaks to the daemon through `control::client` alone (and to the
//! pinned maps of a dead one through `dataplane::offline`); only `daemon` knows them all.

pub mod altpath;
pub mod cli;
pub mod config;
pub mod control;
pub mod daemon;
pub mod dataplane;
pub mod director;
pub mod gatekeeper;
pub mod health;
pub mod probe;
pub mod proto;
pub mod replay;
