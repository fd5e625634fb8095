//! Hooks that work, hang, flood, fail, or are not there: little shell scripts.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use tempfile::TempDir;
use tokio::time::Instant;

use super::{run::Failed, *};

const QUICK: Limits = Limits { time: Duration::from_millis(500), output: 1000, queue: 2 };
/// Where time must not run out, however busy the machine is.
const PATIENT: Limits = Limits { time: Duration::from_secs(30), ..QUICK };

fn script(folder: &TempDir, text: &str) -> PathBuf {
    let path = folder.path().join("hook");
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn serving() -> Draft {
    Draft {
        kind: "serving".into(),
        target: Some("paris".into()),
        from: Some("primary".into()),
        to: Some("nsp-1".into()),
        reason: Some("sip/udp: no answer in 20ms, 3 of 3; $(reboot) \0'".into()),
        ..Draft::default()
    }
}

fn event() -> Event {
    Journal::new().record(serving())
}

async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "it did not come");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_hook_is_told_everything_and_nothing_else() {
    let folder = TempDir::new().unwrap();
    let said = run::run(&script(&folder, "pwd; env | sort | grep -v ^_="), &event(), PATIENT).await.unwrap();
    let lines: Vec<_> = said.lines().filter(|line| !line.starts_with("FAILOVER_TIME=20")).collect();
    assert_eq!(
        lines,
        [
            "/",
            "FAILOVER_EVENT=serving",
            "FAILOVER_FROM=primary",
            "FAILOVER_REASON=sip/udp: no answer in 20ms, 3 of 3; $(reboot) '",
            "FAILOVER_SEQ=1",
            "FAILOVER_SERVER=",
            "FAILOVER_TARGET=paris",
            "FAILOVER_TO=nsp-1",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PWD=/",
        ]
    );
    assert_eq!(said.lines().count(), lines.len() + 1, "and the time");
}

#[tokio::test]
async fn a_hook_that_hangs_is_killed_with_all_that_it_started() {
    let folder = TempDir::new().unwrap();
    let pids = folder.path().join("pids");
    let text = format!("sleep 1000 & echo $$ $! > {}; wait", pids.display());
    let failed = run::run(&script(&folder, &text), &event(), QUICK).await.unwrap_err();
    assert!(matches!(failed, Failed::Hung(_)), "{failed}");
    assert!(failed.to_string().contains("took longer than 500ms"), "{failed}");
    for pid in fs::read_to_string(&pids).unwrap().split_whitespace() {
        // Dead, or a zombie that whoever inherits orphans has not buried yet.
        let status = format!("/proc/{pid}/stat");
        until(|| match fs::read_to_string(&status) {
            Err(_) => Some(()),
            Ok(stat) => stat.contains(") Z ").then_some(()),
        })
        .await;
    }
}

#[tokio::test]
async fn a_hook_that_leaves_something_running_is_ended_too() {
    let folder = TempDir::new().unwrap();
    let failed = run::run(&script(&folder, "sleep 1000 &"), &event(), QUICK).await.unwrap_err();
    assert!(matches!(failed, Failed::Hung(_)), "{failed}");
}

/// Who has closed its outputs, or has left the group with them, keeps nobody waiting either.
#[tokio::test]
async fn a_hook_that_hangs_out_of_sight_is_ended_too() {
    let folder = TempDir::new().unwrap();
    for text in
        ["exec >&- 2>&-; exec sleep 1000", "setsid sleep 5 & exit 0", "trap '' TERM HUP INT; sleep 1000"]
    {
        let began = Instant::now();
        let failed = run::run(&script(&folder, text), &event(), QUICK).await.unwrap_err();
        assert!(matches!(failed, Failed::Hung(_)), "{text}: {failed}");
        assert!(began.elapsed() < Duration::from_secs(4), "{text}: {:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_hook_that_floods_is_cut_off() {
    let folder = TempDir::new().unwrap();
    for text in ["exec yes", "exec yes >&2", "while :; do echo x; echo x >&2; done"] {
        let failed = run::run(&script(&folder, text), &event(), PATIENT).await.unwrap_err();
        assert_eq!(failed.to_string(), "was killed, because it wrote more than 1000 bytes", "{text}");
    }
    let half = "head -c 600 /dev/zero; head -c 600 /dev/zero >&2";
    let failed = run::run(&script(&folder, half), &event(), PATIENT).await.unwrap_err();
    assert!(matches!(failed, Failed::Flooded(1000)), "{failed}");
}

#[tokio::test]
async fn a_hook_that_fails_or_is_not_there_says_why() {
    let folder = TempDir::new().unwrap();
    let failed =
        run::run(&script(&folder, "echo no pager >&2; exit 3"), &event(), PATIENT).await.unwrap_err();
    assert_eq!(failed.to_string(), "failed: exit status: 3: no pager");
    let failed = run::run(Path::new("/nonexistent/hook"), &event(), PATIENT).await.unwrap_err();
    assert!(failed.to_string().starts_with("cannot be run: No such file"), "{failed}");
}

/// The one task that serves them, with the history that they work on.
fn served(limits: Limits, hook: Option<PathBuf>) -> (Journal, watch::Sender<Option<PathBuf>>) {
    let journal = Journal::new();
    let (path, hook) = watch::channel(hook);
    let served = serve_within(limits, journal.clone(), hook);
    tokio::spawn(served);
    (journal, path)
}

/// What a hook has written, once there are so many numbers.
async fn numbers(told: &Path, many: usize) -> Vec<u64> {
    until(|| {
        let told = fs::read_to_string(told).ok()?;
        let numbers: Vec<u64> = told.lines().map(|line| line.parse().unwrap()).collect();
        (numbers.len() >= many).then_some(numbers)
    })
    .await
}

fn warnings(journal: &Journal) -> Vec<String> {
    let all = journal.recent(1000).into_iter().filter(|event| event.kind == "warning");
    all.filter_map(|event| event.reason).collect()
}

#[tokio::test]
async fn one_at_a_time_in_order_and_only_what_is_told() {
    let folder = TempDir::new().unwrap();
    let told = folder.path().join("told");
    let text =
        format!("echo begin $FAILOVER_SEQ >> {0}; sleep 0.05; echo end $FAILOVER_SEQ >> {0}", told.display());
    let limits = Limits { queue: 100, ..PATIENT };
    let (journal, _path) = served(limits, Some(script(&folder, &text)));
    tokio::task::yield_now().await;
    for kind in ["serving", "warning", "steering-began", "health", "admin"] {
        journal.record(Draft { kind: kind.into(), ..serving() });
    }
    let all = until(|| fs::read_to_string(&told).ok().filter(|told| told.contains("end 5"))).await;
    assert_eq!(all, "begin 1\nend 1\nbegin 4\nend 4\nbegin 5\nend 5\n");
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_dropped_and_reported() {
    let folder = TempDir::new().unwrap();
    let (go, told) = (folder.path().join("go"), folder.path().join("told"));
    let text = format!(
        "while ! test -e {}; do sleep 0.01; done; echo $FAILOVER_SEQ >> {}",
        go.display(),
        told.display()
    );
    let (journal, _path) = served(PATIENT, Some(script(&folder, &text)));
    tokio::task::yield_now().await;
    for _ in 0..20 {
        journal.record(serving());
    }
    tokio::task::yield_now().await;
    fs::write(&go, "").unwrap();
    let first = numbers(&told, 2).await;
    journal.record(serving());
    let said = until(|| warnings(&journal).into_iter().find(|said| said.contains("too slow"))).await;
    let dropped: usize = said.split_whitespace().rev().nth(1).unwrap().parse().unwrap();
    let all = numbers(&told, 21 - dropped).await;
    assert_eq!(all.len(), 21 - dropped, "{said}: {all:?}");
    assert!(all.starts_with(&first) && all.is_sorted() && dropped >= 17, "{said}: {all:?}");
}

#[tokio::test]
async fn a_hook_may_come_and_go_and_its_failures_are_events_that_it_is_not_told_of() {
    let folder = TempDir::new().unwrap();
    let (journal, path) = served(PATIENT, None);
    tokio::task::yield_now().await;
    journal.record(serving());
    tokio::task::yield_now().await;
    path.send_replace(Some(script(&folder, "exit 1")));
    journal.record(serving());
    let said = until(|| warnings(&journal).pop()).await;
    assert!(
        said.starts_with("hook ") && said.ends_with("on event 2 (serving) failed: exit status: 1"),
        "{said}"
    );
    assert_eq!(warnings(&journal).len(), 1);
}
