//! `failover attach` and `failover detach`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use super::{
    failure::Failure,
    output,
    session::{Session, Source},
    words::{clean, or_dash},
};
use crate::{
    config::model::Mode,
    control::{
        client::{Client, ClientError},
        message::{InterfaceStatus, SCHEMA},
    },
    dataplane::{offline, pass},
};

#[derive(Debug, Args)]
pub(super) struct Attach {
    /// The device
    #[arg(value_name = "IFACE")]
    interface: String,
    /// How [default: as configured]
    #[arg(long, value_enum, conflicts_with = "pass")]
    mode: Option<AttachMode>,
    /// Attach a program that passes everything. This needs no daemon. The far end of a veth pair (in a container,
    /// say) receives frames that the router redirects only while it has an XDP program of its own
    #[arg(long)]
    pub(super) pass: bool,
    /// Where --pass keeps its program
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/failover", requires = "pass")]
    bpffs_dir: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum AttachMode {
    /// Native where the driver can, else generic
    Auto,
    /// In the driver
    Native,
    /// In the kernel's network stack
    Generic,
}

impl From<AttachMode> for Mode {
    fn from(mode: AttachMode) -> Self {
        match mode {
            AttachMode::Auto => Self::Auto,
            AttachMode::Native => Self::Native,
            AttachMode::Generic => Self::Generic,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Detach {
    /// The device; without it: all of them
    #[arg(value_name = "IFACE")]
    interface: Option<String>,
}

pub(super) async fn attach(session: &Session, arguments: &Attach) -> Result<(), Failure> {
    let mode = arguments.mode.map(Mode::from);
    let interface = session.client().attach(&arguments.interface, mode).await?;
    output::value(session.output(), &interface, attached)
}

fn attached(interface: &InterfaceStatus) -> String {
    let name = clean(&interface.name);
    if interface.attached {
        format!("{name}: attached in {} mode\n", or_dash(interface.mode.as_deref()))
    } else {
        format!("{name}: NOT ATTACHED: {}\n", or_dash(interface.reason.as_deref()))
    }
}

/// The answer of `attach --pass`.
#[derive(Debug, Serialize)]
struct Passing<'a> {
    schema: u32,
    pass: &'a str,
}

pub(super) fn attach_pass(session: &Session, arguments: &Attach) -> Result<(), Failure> {
    pass::attach(&arguments.bpffs_dir, &arguments.interface)?;
    let passing = Passing { schema: SCHEMA, pass: &arguments.interface };
    output::value(session.output(), &passing, |passing| {
        format!("{}: attached a program that passes everything\n", clean(passing.pass))
    })
}

/// The answer of `detach`.
#[derive(Debug, Serialize)]
struct Detached {
    schema: u32,
    /// By name.
    detached: Vec<String>,
}

pub(super) async fn detach(session: &Session, arguments: &Detach) -> Result<(), Failure> {
    let only = arguments.interface.as_deref();
    let answer = ask(&session.client(), only).await;
    let (detached, source) = session.or_pinned(answer, |config| offline::detach(config, only))?;
    if source == Source::PinnedMaps {
        output::note("the daemon is not running: detached what it had left attached");
    }
    output::value(session.output(), &Detached { schema: SCHEMA, detached }, |answer| {
        let lines = answer.detached.iter().map(|name| format!("{}: detached\n", clean(name)));
        if answer.detached.is_empty() { "nothing was attached\n".to_owned() } else { lines.collect() }
    })
}

async fn ask(client: &Client, only: Option<&str>) -> Result<Vec<String>, ClientError> {
    let names = if let Some(name) = only {
        vec![name.to_owned()]
    } else {
        let interfaces = client.status().await?.router.interfaces.into_iter();
        interfaces.filter(|interface| interface.attached).map(|interface| interface.name).collect()
    };
    for name in &names {
        client.detach(name).await?;
    }
    Ok(names)
}
