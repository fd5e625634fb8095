//! `failover target`: one target, and who is to serve it.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{
    failure::Failure,
    output,
    session::{Session, Source, duration},
    status,
    table::{View, loud},
    transcript, words,
};
use crate::{
    config::model::Config,
    control::message::{Admin, SCHEMA, SetAdmin, TargetDetail, TargetStatus},
    dataplane::offline::{self, OfflineError},
};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the targets, the worst first
    List,
    /// Show all about one target: its servers, its probes, its last events
    Show {
        /// The target
        name: String,
    },
    /// Let health decide who serves
    Auto {
        /// The target
        name: String,
        /// Why, for the next operator
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let the backup serve: for work on the primary
    Disable(Set),
    /// Send what is new to the backup, and leave the rest where it is
    Drain(Set),
    /// Let the primary serve, whatever health says
    Primary(Set),
    /// Probe each of the target's servers once, now
    Probe {
        /// The target
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// The target
    name: String,
    /// Then back to auto, as in `2h`; across restarts, too
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    lasts: Option<Duration>,
    /// Why, for the next operator
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

/// The answer of `target list`.
#[derive(Debug, Serialize)]
struct List {
    schema: u32,
    targets: Vec<TargetStatus>,
}

pub(super) async fn run(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::List => list(session).await,
        Command::Show { name } => show(session, &name).await,
        Command::Probe { name } => probe(session, &name).await,
        Command::Auto { name, reason } => set(session, Admin::Auto, Set { name, lasts: None, reason }).await,
        Command::Disable(arguments) => set(session, Admin::Disabled, arguments).await,
        Command::Drain(arguments) => set(session, Admin::Drain, arguments).await,
        Command::Primary(arguments) => set(session, Admin::Primary, arguments).await,
    }
}

async fn list(session: &Session) -> Result<(), Failure> {
    let status = session.look(session.client().status().await, offline::status)?;
    let list = List { schema: SCHEMA, targets: status.targets };
    output::value(session.output(), &list, |list| status::targets(&list.targets, &View::here()))
}

async fn show(session: &Session, name: &str) -> Result<(), Failure> {
    let answer = session.client().target(name).await.map(Some);
    let detail = session.look(answer, |config| pinned(config, name))?.ok_or_else(|| unknown(name))?;
    output::value(session.output(), &detail, |detail| text(detail, &View::here()))
}

fn unknown(name: &str) -> Failure {
    Failure::new(7, format!("there is no target {name:?}")).help("`failover target list` shows them all")
}

/// What the maps and the configuration know together.
fn pinned(config: &Config, name: &str) -> Result<Option<TargetDetail>, OfflineError> {
    let target = offline::status(config)?.targets.into_iter().find(|target| target.name == name);
    let configured = config.targets.iter().find(|target| target.name == name);
    Ok(target.zip(configured).map(|(target, configured)| TargetDetail {
        schema: SCHEMA,
        target,
        address: configured.addresses.first().to_string(),
        addresses: configured.addresses.iter().map(|address| address.to_string()).collect(),
        services: configured.services.iter().map(ToString::to_string).collect(),
        events: Vec::new(),
        transcripts: Vec::new(),
    }))
}

async fn probe(session: &Session, name: &str) -> Result<(), Failure> {
    let detail = session.client().probe(name).await?;
    let targets = std::slice::from_ref(&detail.target);
    output::value(session.output(), &detail, |_| status::servers(targets, &View::here()))
}

async fn set(session: &Session, state: Admin, arguments: Set) -> Result<(), Failure> {
    let Set { name, lasts, reason } = arguments;
    let set = SetAdmin { state, for_s: lasts.map(|lasts| lasts.as_secs()), reason };
    set.check()?;
    let answer = session.client().set_admin(&name, &set).await;
    let (target, source) = session.or_pinned(answer, |config| offline::set_admin(config, &name, &set))?;
    if source == Source::PinnedMaps {
        output::note(&format!(
            "the daemon is not running: the pinned map was changed; {}",
            meaning(state, lasts)
        ));
    }
    output::value(session.output(), &target, |target| outcome(target, &View::here()))
}

/// What an admin state means while nobody watches.
fn meaning(state: Admin, lasts: Option<Duration>) -> String {
    let now = match state {
        Admin::Auto => "`auto` means the primary until a daemon returns",
        Admin::Disabled => "the backup serves, healthy or not, until a daemon returns and knows better",
        Admin::Drain => {
            "the backup gets what is new, healthy or not, until a daemon returns and knows better"
        }
        Admin::Primary => "the primary serves, and the next daemon will keep it so",
    };
    match lasts {
        Some(lasts) => format!("{now} ({} end only under a daemon)", words::given(lasts)),
        None => now.to_owned(),
    }
}

/// `paris: BACKUP nsp-1 serves; admin DISABLED until …`
fn outcome(target: &TargetStatus, view: &View) -> String {
    let (serving, admin) = (words::serving(target), words::admin(target, view.now, &view.zone));
    format!("{}: {serving} serves; admin {admin}\n", words::clean(&target.name))
}

/// All of them, or what a daemon that knows of one says.
fn addresses(detail: &TargetDetail) -> String {
    if detail.addresses.is_empty() { detail.address.clone() } else { detail.addresses.join(", ") }
}

fn text(detail: &TargetDetail, view: &View) -> String {
    let target = &detail.target;
    let mut lines = vec![loud(
        status::mood(target),
        &format!("{}: {}", words::clean(&target.name), words::serving(target)),
    )];
    let mut say = |what: &str, value: &str| lines.push(format!("  {what:<10}{value}"));
    say("address", &words::clean(&addresses(detail)));
    say("services", &words::clean(&detail.services.join(", ")));
    say("health", target.health.name());
    say("admin", &words::admin(target, view.now, &view.zone));
    say("since", &words::since(target.since.as_deref(), view.now, &view.zone));
    say("reason", &words::or_dash(target.reason.as_deref()));
    say("steered", &format!("{} packets, {} bytes", target.steered_packets, target.steered_bytes));
    say("returned", &format!("{} packets", target.returned_packets));
    say("pins", &target.pins.map_or_else(|| words::NOTHING.to_owned(), |pins| pins.to_string()));
    let mut text = lines.join("\n") + "\n\n" + &status::servers(std::slice::from_ref(target), view);
    text += &transcript::text(&detail.transcripts, view);
    if !detail.events.is_empty() {
        text += "\nLAST EVENTS\n";
        detail.events.iter().for_each(|event| text += &(super::events::line(event, &view.zone) + "\n"));
    }
    text
}

#[cfg(test)]
mod tests;
