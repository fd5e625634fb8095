//! The command line: a file per noun, each with its arguments and what they do.
//!
//! Everything that a script may rely on is fixed: JSON on standard output is what [`crate::control::message`] says,
//! exit codes are those of `EXIT_CODES`. Errors are text on standard error, `failover: …` and `help: …`, whatever
//! the output format: standard output then stays empty, and the exit code tells the kind. (`check` is the exception:
//! what is wrong with a configuration is its output.)

use std::{path::PathBuf, process::ExitCode};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use self::{failure::Failure, session::Session};

mod capture;
pub mod check;
mod completions;
mod configuration;
mod decode;
mod events;
mod explain;
mod failure;
#[cfg(test)]
mod fixture;
mod interface;
mod monitor;
mod observe;
mod output;
mod reload;
mod run;
mod senders;
mod session;
mod stats;
mod status;
mod table;
mod target;
#[cfg(test)]
mod tests;
mod transcript;
mod words;

/// The exit codes of every command, for its help and the manual.
const EXIT_CODES: &str = "Exit codes:
  0  done
  1  failed
  2  usage
  3  configuration invalid
  5  daemon unreachable
  6  not permitted
  7  no such thing

Errors are text on standard error, also with -o json.";

/// Above the flags that every command takes.
const GLOBAL: &str = "Global options";

/// Keeps phones working when their SIP proxy or H.323 gatekeeper dies.
///
/// A router with failover steers signalling packets to a backup within milliseconds when the primary dies, with no
/// change to phones, proxies or DNS.
#[derive(Debug, Parser)]
#[command(name = "failover", version, after_help = EXIT_CODES, propagate_version = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// The configuration file
    #[arg(short, long, global = true, help_heading = GLOBAL, env = "FAILOVER_CONFIG", value_name = "FILE")]
    #[arg(hide_env_values = true, default_value = crate::config::DEFAULT_PATH)]
    config: PathBuf,
    /// The daemon's control socket [default: as configured, else /run/failover/control.sock]
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// How to print
    #[arg(short, long, global = true, help_heading = GLOBAL, value_enum, default_value_t)]
    output: Output,
    /// Print no colours (also: the variable `NO_COLOR`, or an output that is no terminal)
    #[arg(long, global = true, help_heading = GLOBAL)]
    no_color: bool,
    /// Say more about what is done; twice: everything
    #[arg(short, long, global = true, help_heading = GLOBAL, action = ArgAction::Count)]
    verbose: u8,
}

/// How a command prints what it found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people
    #[default]
    Text,
    /// One JSON document, indented
    Json,
    /// JSON, a document per line
    Jsonl,
    /// A capture in the format pcapng, which Wireshark opens (`observe` alone)
    Pcap,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon, in the foreground
    Run(run::Arguments),
    /// Check and explain the configuration; exit code 3 and a caret where it is wrong
    Check,
    /// Show targets, interfaces and probes, the worst first
    Status(status::Arguments),
    /// Show one target, or say who serves it
    #[command(subcommand)]
    Target(target::Command),
    /// Attach the data plane to an interface
    Attach(interface::Attach),
    /// Take the data plane off an interface, or off all of them
    Detach(interface::Detach),
    /// Make the daemon read its configuration again
    Reload,
    /// Show the packet counters
    Stats(stats::Arguments),
    /// Show what happened
    Events(events::Arguments),
    /// Show packets as they pass, and what becomes of each of them, and why
    Observe(observe::Arguments),
    /// Show what the loaded program does with a packet, and why; nothing is sent, counted or remembered
    Explain(explain::Arguments),
    /// Show the signalling messages in a capture: SIP, RAS, H.225, MGCP and MEGACO
    Decode(decode::Arguments),
    /// Print a shell's completions
    Completions(completions::Completions),
    /// Print the manual page, or write the pages of all commands
    Man(completions::Man),
}

/// Runs the command line.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.global.no_color {
        anstream::ColorChoice::Never.write_global();
    }
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

fn dispatch(cli: Cli) -> Result<(), Failure> {
    if cli.global.output == Output::Pcap && !matches!(cli.command, Command::Observe(_)) {
        return Err(Failure::new(2, "only `observe` makes a capture: -o is text, json or jsonl here"));
    }
    let session = Session::new(cli.global);
    match cli.command {
        Command::Run(arguments) => run::run(&session, &arguments),
        Command::Check => configuration::check(&session),
        Command::Explain(arguments) => {
            output::log("error", session.verbose());
            explain::run(&session, &arguments)
        }
        Command::Decode(arguments) => decode::run(&session, &arguments),
        Command::Completions(arguments) => completions::completions(&arguments),
        Command::Man(arguments) => completions::man(&arguments),
        Command::Attach(arguments) if arguments.pass => interface::attach_pass(&session, &arguments),
        Command::Attach(arguments) if arguments.decap => interface::attach_decap(&session, &arguments),
        Command::Detach(arguments) if arguments.alone() => interface::detach_alone(&session, &arguments),
        command => {
            output::log("error", session.verbose());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime
                .map_err(|source| Failure::new(1, format!("start the runtime: {source}")))?
                .block_on(ask(&session, command))
        }
    }
}

/// The commands that speak to the daemon.
async fn ask(session: &Session, command: Command) -> Result<(), Failure> {
    match command {
        Command::Status(arguments) => status::run(session, &arguments).await,
        Command::Target(command) => target::run(session, command).await,
        Command::Attach(arguments) => interface::attach(session, &arguments).await,
        Command::Detach(arguments) => interface::detach(session, &arguments).await,
        Command::Reload => reload::run(session).await,
        Command::Stats(arguments) => stats::run(session, &arguments).await,
        Command::Observe(arguments) => observe::run(session, arguments).await,
        Command::Events(arguments) => events::run(session, &arguments).await,
        Command::Run(_)
        | Command::Check
        | Command::Explain(_)
        | Command::Decode(_)
        | Command::Completions(_)
        | Command::Man(_) => Ok(()),
    }
}
