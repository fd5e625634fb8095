//! By a program of the operator's.

use std::path::PathBuf;

use super::*;
use crate::config::model::{Command, Way};

/// A prober that runs a shell script.
fn prober(script: &str, timeout: Duration) -> Prober {
    program("/bin/sh", &["-c", script], timeout)
}

fn program(path: &str, arguments: &[&str], timeout: Duration) -> Prober {
    let mut subject = subject("192.0.2.10:5080".parse().unwrap(), Transport::Tcp, timeout);
    subject.policy.way = Way::Command(Command {
        program: PathBuf::from(path),
        arguments: arguments.iter().map(|&text| text.to_owned()).collect(),
        target: "paris".to_owned(),
    });
    // Nobody is to be asked for an exemption.
    Prober::new(1, subject, mpsc::channel(1).0)
}

#[tokio::test]
async fn an_exit_code_of_zero_is_life() {
    assert_eq!(alive(prober("exit 0", LONG).probe().await), "exit code 0");
    assert_eq!(alive(prober("echo; echo fine; echo more", LONG).probe().await), "exit code 0: fine");
    assert_eq!(failed(prober("exit 3", LONG).probe().await), "exit code 3");
    assert_eq!(failed(prober("echo 'no way' >&2; exit 1", LONG).probe().await), "exit code 1: no way");
    assert_eq!(failed(prober("kill -TERM $$", LONG).probe().await), "ended by signal 15");
}

#[tokio::test]
async fn the_program_is_told_whom_to_probe() {
    let script = "echo $FAILOVER_TARGET $FAILOVER_SERVICE $FAILOVER_TRANSPORT $FAILOVER_SERVER $FAILOVER_PORT \
                  $FAILOVER_TIMEOUT_MS $FAILOVER_MARK";
    let said = alive(prober(script, LONG).probe().await);
    assert_eq!(said, "exit code 0: paris sip tcp 192.0.2.10 5080 20000 134217728");
    let said = alive(prober("read line; echo $? $(env | grep -vc FAILOVER_) $(pwd)", LONG).probe().await);
    // PATH, and PWD and _ of the shell's own.
    assert!(
        ["exit code 0: 1 2 /", "exit code 0: 1 3 /", "exit code 0: 1 4 /"].contains(&said.as_str()),
        "{said}"
    );
}

#[tokio::test]
async fn a_program_that_hangs_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pids = folder.path().join("pids");
    let script = format!("sleep 1000 & echo $! $$ > {}; echo waiting; wait", pids.display());
    let mut prober = prober(&script, Duration::from_secs(2));
    assert_eq!(failed(prober.probe().await), "no end in 2s (waiting)");
    let pids = std::fs::read_to_string(pids).unwrap();
    // The next one waits until the last one is gone.
    prober.subject.policy.way = program("/bin/true", &[], LONG).subject.policy.way;
    assert_eq!(alive(prober.probe().await), "exit code 0");
    for pid in pids.split_whitespace() {
        ends(pid).await;
    }
}

#[tokio::test]
async fn an_aborted_probe_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    let mut prober =
        prober(&format!("echo $$ > {0}.new; mv {0}.new {0}; exec sleep 1000", path.display()), LONG);
    let probe = tokio::spawn(async move { prober.probe().await });
    let pid = loop {
        match std::fs::read_to_string(&path) {
            Ok(pid) => break pid,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    probe.abort();
    ends(pid.trim()).await;
}

/// Waits until there is no such process, or nothing but its zombie.
async fn ends(pid: &str) {
    let stat = format!("/proc/{pid}/stat");
    let runs = || std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z "));
    let gone = async {
        while runs() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(LONG, gone).await.is_ok(), "process {pid} runs on");
}

#[tokio::test]
async fn what_a_program_leaves_running_ends_with_it_and_holds_nothing_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    let script = format!("sleep 1000 & echo $! > {}; echo done", path.display());
    assert_eq!(alive(prober(&script, LONG).probe().await), "exit code 0: done");
    ends(std::fs::read_to_string(path).unwrap().trim()).await;
}

#[tokio::test]
async fn a_flood_of_output_is_cut_off() {
    // The pipe is closed to it, and so it ends.
    let said = failed(prober("exec yes", LONG).probe().await);
    assert_eq!(said, "ended by signal 13: y");
    let long = alive(prober("head -c 300000 /dev/zero | tr '\\0' x; exit 0", LONG).probe().await);
    assert!(long.starts_with("exit code 0: xxx") && long.len() < 100, "{long}");
}

#[tokio::test]
async fn hostile_output_is_tamed() {
    let said = alive(prober("printf 'a\\033[2Jb\\342\\200\\256c\\377\\n'", LONG).probe().await);
    assert_eq!(said, "exit code 0: a[2Jbc\u{fffd}");
}

#[tokio::test]
async fn a_program_that_cannot_be_run_is_no_failure_of_the_server() {
    let said = unable(program("/nonexistent/check", &[], LONG).probe().await);
    assert_eq!(said, "cannot run /nonexistent/check: entity not found");
    let said = unable(program("/etc/passwd", &[], LONG).probe().await);
    assert_eq!(said, "cannot run /etc/passwd: permission denied");
}
