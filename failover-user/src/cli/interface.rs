//! `failover attach` and `failover detach`.

use std::{net::IpAddr, path::PathBuf};

use clap::{ArgGroup, Args, ValueEnum};
use serde::Serialize;

use super::{
    failure::Failure,
    output,
    senders::{self, Sender},
    session::{Session, Source},
    words::{clean, or_dash},
};
use crate::{
    config::model::Mode,
    control::{
        client::{Client, ClientError},
        message::{InterfaceStatus, SCHEMA},
    },
    dataplane::{decap, offline, pass},
};

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("alone").args(["pass", "decap"])))]
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
    /// Attach a program that takes packets out of the envelopes of `steer = "ipip"`, on a backup's host that has no
    /// tunnel device. This needs no daemon. It opens only what --from and --for allow: whoever could have other
    /// envelopes opened would speak in anyone's name, behind every filter of the network. Let the network keep strangers
    /// from sending with the router's address, too
    #[arg(long, requires = "from", requires = "for")]
    pub(super) decap: bool,
    /// With --decap: the router, by its address on the way to this host, or its `envelope_source`, an IPv4 prefix. May be
    /// said more than once
    #[arg(long, value_name = "ROUTER", requires = "decap")]
    from: Vec<Sender>,
    /// With --decap: the target for whom packets may come in envelopes, an address that this host carries. May be said
    /// more than once
    #[arg(long, value_name = "TARGET", requires = "decap")]
    r#for: Vec<IpAddr>,
    /// Where --pass and --decap keep their program
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/failover", requires = "alone")]
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
#[command(group(ArgGroup::new("alone").args(["pass", "decap"]).requires("interface")))]
pub(super) struct Detach {
    /// The device; without it: all of them
    #[arg(value_name = "IFACE")]
    interface: Option<String>,
    /// What `attach --pass` has attached
    #[arg(long)]
    pass: bool,
    /// What `attach --decap` has attached
    #[arg(long)]
    decap: bool,
    /// Where --pass and --decap keep their program
    #[arg(long, value_name = "DIR", default_value = "/sys/fs/bpf/failover", requires = "alone")]
    bpffs_dir: PathBuf,
}

impl Detach {
    /// Whether it is about a program that needs no daemon.
    pub(super) const fn alone(&self) -> bool {
        self.pass || self.decap
    }
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

/// The answer of `attach --decap`.
#[derive(Debug, Serialize)]
struct Opening<'a> {
    schema: u32,
    decap: &'a str,
    from: &'a [Sender],
    #[serde(rename = "for")]
    targets: &'a [IpAddr],
}

pub(super) fn attach_decap(session: &Session, arguments: &Attach) -> Result<(), Failure> {
    let (from, targets) = (&arguments.from, &arguments.r#for);
    let routers = senders::addresses(from, targets.len()).map_err(|error| Failure::new(2, error))?;
    let envelopes = decap::Envelopes { routers: &routers, targets };
    let mode = arguments.mode.map_or(Mode::Auto, Mode::from);
    decap::Decap::open(envelopes)?.attach(&arguments.bpffs_dir, &arguments.interface, mode)?;
    let opening = Opening { schema: SCHEMA, decap: &arguments.interface, from, targets };
    output::value(session.output(), &opening, |opening| {
        let (name, from, targets) = (clean(opening.decap), either(opening.from), either(opening.targets));
        format!("{name}: attached a program that opens envelopes from {from} for {targets}\n")
    })
}

fn either(some: &[impl ToString]) -> String {
    some.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

pub(super) fn detach_alone(session: &Session, arguments: &Detach) -> Result<(), Failure> {
    let interface = arguments.interface.as_deref().unwrap_or_default();
    let detach = if arguments.pass { pass::detach } else { decap::detach };
    let there = detach(&arguments.bpffs_dir, interface)?;
    told(session, there.then(|| interface.to_owned()).into_iter().collect())
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
    told(session, detached)
}

fn told(session: &Session, detached: Vec<String>) -> Result<(), Failure> {
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
