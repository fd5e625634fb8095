//! The data plane seen from userspace: loads, attaches, pins, adopts, reconciles. The only user of aya.
//!
//! Everything outlives the daemon: programs, links and maps are pinned under one folder of a bpffs (mode 0700). The
//! next daemon opens what is there, loads its own program against the same maps, and swaps it into the links; no
//! packet passes without a program in between. [`Dataplane`] is owned by one task; nothing else writes a map.
//!
//! ```text
//! bpffs_dir/v3/maps/SERVICES …     one folder for each layout ([`failover_common::names::ABI_VERSION`])
//! bpffs_dir/v3/failover_xdp        the program
//! bpffs_dir/links/wan0             one link for each interface, named after it
//! bpffs_dir/egress/wan0            and one for its way out
//! bpffs_dir/stripping/2/…          what was turned off at the device with this index, and is put back
//! ```

mod attach;
mod audit;
mod availability;
mod batch;
pub mod bench;
mod calls;
mod connections;
mod constants;
mod copies;
mod counters;
pub mod decap;
mod device;
mod egress;
mod epoch;
mod error;
mod features;
mod host;
mod ids;
mod inject;
mod interfaces;
mod kernel;
mod keys;
mod load;
mod maps;
mod netdev;
mod observe;
pub mod offline;
pub mod pass;
mod pins;
mod probe_ports;
mod raw;
mod route;
mod sweep;
mod sync;
mod tables;
mod test_run;

pub use attach::Attachment;
pub use audit::{Auditor, Found};
pub use connections::{Connection, Connections};
pub use copies::Copies;
pub use counters::{Counts, TargetCounters};
pub use egress::without_egress;
pub use epoch::{Epoch, watch_network};
pub use error::Error;
pub use host::warnings;
pub use inject::Injector;
pub use load::{Dataplane, Options};
pub use maps::Events;
pub use netdev::{Devices, Watch, watch};
pub use observe::{ObserverLoader, Observing, Sights};
pub use sweep::{Flows, Sweeper};
pub use tables::Desired;
pub use test_run::TestRun;
