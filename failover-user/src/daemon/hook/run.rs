//! One run of the hook.

use std::{
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _},
    process::{Child, Command},
    time::timeout,
};

use super::Limits;
use crate::control::message::Event;

/// How long the kernel may take to end what was killed. Beyond, it is left to itself.
const GRAVE: Duration = Duration::from_secs(1);
/// The most of a hook's words that goes into an event.
const LONGEST: usize = 200;

/// Why a hook failed, as the end of a sentence about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failed {
    #[error("cannot be run: {0}")]
    Spawn(std::io::Error),
    #[error("was killed, because it, or what it left running, took longer than {}", humantime::format_duration(*.0))]
    Hung(Duration),
    #[error("was killed, because it wrote more than {0} bytes")]
    Flooded(usize),
    #[error("failed: {status}{}", said(.output))]
    Status { status: ExitStatus, output: String },
    #[error("was lost: {0}")]
    Lost(std::io::Error),
}

fn said(output: &str) -> String {
    let line: String = output.lines().next().unwrap_or_default().chars().take(LONGEST).collect();
    if line.is_empty() { line } else { format!(": {line}") }
}

/// Kills a process group, unless it is disarmed.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // It fails where nobody is left, which is what is wanted.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// Runs the hook for `event`, to its end; what it said.
///
/// The end is when it has exited and nobody holds its output open any more: what it leaves behind in its process group ends
/// with it when its time is over. The group's number is nobody else's while any of it lives, or its leader was not waited
/// for.
pub(super) async fn run(hook: &Path, event: &Event, limits: Limits) -> Result<String, Failed> {
    let mut child = command(hook, event).spawn().map_err(Failed::Spawn)?;
    let leader = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    let mut group = Group(leader);
    let conversation = timeout(limits.time, finish(&mut child, limits.output)).await;
    let outcome = match conversation {
        Ok(Ok((status, output))) if status.success() => Ok(output),
        Ok(Ok((status, output))) => Err(Failed::Status { status, output }),
        Ok(Err(failed)) => Err(failed),
        Err(_) => Err(Failed::Hung(limits.time)),
    };
    if matches!(outcome, Ok(_) | Err(Failed::Status { .. })) {
        group.0 = None;
        return outcome;
    }
    drop(group);
    let _ = timeout(GRAVE, child.wait()).await;
    outcome
}

/// Reads what it writes until nobody can write any more, then waits for it.
async fn finish(child: &mut Child, most: usize) -> Result<(ExitStatus, String), Failed> {
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let mut heard = (Vec::new(), Vec::new());
    let both = async { tokio::try_join!(hear(out, &mut heard.0, most), hear(err, &mut heard.1, most)) };
    both.await?;
    if heard.0.len() + heard.1.len() > most {
        return Err(Failed::Flooded(most));
    }
    let status = child.wait().await.map_err(Failed::Lost)?;
    heard.1.extend_from_slice(&heard.0);
    let output = String::from_utf8_lossy(&heard.1);
    Ok((status, output.chars().filter(|char| *char == '\n' || !char.is_control()).collect()))
}

async fn hear(pipe: Option<impl AsyncRead + Unpin>, heard: &mut Vec<u8>, most: usize) -> Result<(), Failed> {
    let Some(pipe) = pipe else { return Ok(()) };
    let one_more = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    pipe.take(one_more).read_to_end(heard).await.map_err(Failed::Lost)?;
    if heard.len() > most { Err(Failed::Flooded(most)) } else { Ok(()) }
}

fn command(hook: &Path, event: &Event) -> Command {
    let text = |text: &Option<String>| text.clone().unwrap_or_default().replace('\0', "");
    let mut command = Command::new(hook);
    command
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("FAILOVER_EVENT", event.kind.replace('\0', ""))
        .env("FAILOVER_SEQ", event.seq.to_string())
        .env("FAILOVER_TIME", &event.time)
        .env("FAILOVER_TARGET", text(&event.target))
        .env("FAILOVER_SERVER", text(&event.server))
        .env("FAILOVER_FROM", text(&event.from))
        .env("FAILOVER_TO", text(&event.to))
        .env("FAILOVER_REASON", text(&event.reason))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command
}
