//! Over a real socket, against a daemon that is faked.

mod hostile;

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    task::JoinHandle,
};

use super::*;
use crate::{
    control::{
        client::{Client, ClientError},
        journal::Draft,
        message::{Admin, Count, SCHEMA, Serving, TargetCounts},
    },
    health::Health,
};

/// Short enough to wait for.
const SHORT: Limits = Limits {
    head: Duration::from_millis(200),
    body: Duration::from_millis(200),
    answer: Duration::from_millis(300),
    probe: Duration::from_millis(300),
    exchange: Duration::from_millis(900),
    stop: Duration::from_millis(500),
    head_bytes: 16 * 1024,
    body_bytes: 64 * 1024,
    connections: 8,
    followers: 2,
};

/// A server on a socket of its own, and the fake that answers its commands.
struct Daemon {
    folder: TempDir,
    journal: Journal,
    stop: oneshot::Sender<()>,
    server: JoinHandle<()>,
}

impl Daemon {
    fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let listener = bind(&folder.path().join("control.sock")).expect("bind");
        let (commands, received) = mpsc::channel(4);
        let (stop, stopped) = oneshot::channel::<()>();
        let journal = Journal::new();
        tokio::spawn(fake(received));
        let shutdown = async { drop(stopped.await) };
        let server = tokio::spawn(serve_within(limits, listener, commands, journal.clone(), shutdown));
        Self { folder, journal, stop, server }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    fn client(&self) -> Client {
        Client::new(self.path())
    }

    async fn connect(&self) -> UnixStream {
        UnixStream::connect(self.path()).await.expect("connect")
    }

    /// Sends bytes as they are and reads until the server closes.
    async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("write");
        rest(&mut stream).await
    }

    async fn post(&self, route: &str, body: &str) -> String {
        let head = format!("POST {route} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
        self.raw((head + body).as_bytes()).await
    }

    async fn stop(self) {
        self.stop.send(()).expect("the server runs");
        timeout(Duration::from_secs(5), self.server).await.expect("in time").expect("no panic");
    }
}

async fn rest(stream: &mut UnixStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is as good as an end.
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut answer)).await;
    drop(read.expect("the server ends the connection"));
    String::from_utf8_lossy(&answer).into_owned()
}

/// Knows the target `paris` and the interface `wan0`; leaves `stuck` without an answer.
async fn fake(mut commands: mpsc::Receiver<Command>) {
    let mut unanswered = Vec::new();
    while let Some(command) = commands.recv().await {
        match command {
            Command::Status { reply } => drop(reply.send(Ok(status()))),
            Command::Target { name, reply } if name == "stuck" => unanswered.push(reply),
            Command::Target { name, reply } if name == "dropped" => drop(reply),
            Command::Target { name, reply } | Command::Probe { name, reply } => {
                drop(reply.send(known(&name).map(|()| detail())));
            }
            Command::SetAdmin { name, set, reply } => {
                let admin = TargetStatus { admin: set.state, admin_reason: set.reason, ..paris() };
                drop(reply.send(known(&name).map(|()| admin)));
            }
            Command::Stats { reply, .. } => drop(reply.send(Ok(counts()))),
            Command::Attach { name, mode, reply } => {
                let mode = mode.map(|mode| mode.to_string());
                drop(reply.send(Ok(InterfaceStatus { name, mode, attached: true, reason: None })));
            }
            Command::Detach { name, reply } => {
                drop(reply.send(Ok(InterfaceStatus { name, mode: None, attached: false, reason: None })));
            }
            Command::Metrics { reply, .. } => drop(reply.send(Err(Problem::new(1, "not here")))),
            Command::Observe { reply, .. } => drop(reply.send(Err(Problem::new(7, "nothing to see")))),
            Command::Reload { reply } => drop(reply.send(Err(Problem::new(3, "line 3: no").help("fix it")))),
        }
    }
}

fn known(name: &str) -> Result<(), Problem> {
    match name {
        "paris" => Ok(()),
        "guarded" => Err(Problem::new(6, "set guarded: not permitted")),
        "broken" => Err(Problem::new(1, "write AVAILABILITY: no")),
        "usage" => Err(Problem::new(2, "drain is not supported yet")),
        _ => Err(Problem::new(7, format!("there is no target {name:?}"))),
    }
}

fn paris() -> TargetStatus {
    TargetStatus {
        name: "paris".to_owned(),
        admin: Admin::Auto,
        admin_until: None,
        admin_reason: None,
        health: Health::Up,
        serving: Some(Serving::Primary),
        backup: None,
        draining_to: None,
        since: None,
        reason: None,
        rtt_us: Some(131),
        steered_packets: 10,
        steered_bytes: 5000,
        returned_packets: 9,
        pins: None,
        backups: vec![],
        probes: vec![],
    }
}

fn status() -> Status {
    let router = crate::control::message::RouterStatus {
        pid: Some(1),
        uptime_s: Some(1.5),
        stale: false,
        interfaces: vec![],
        flows: None,
    };
    Status { schema: SCHEMA, router, targets: vec![paris()] }
}

fn detail() -> TargetDetail {
    let (address, services) = ("192.0.2.10".to_owned(), vec!["sip/udp".to_owned()]);
    let addresses = vec![address.clone(), "2001:db8::10".to_owned()];
    TargetDetail {
        schema: SCHEMA,
        target: paris(),
        address,
        addresses,
        services,
        events: vec![],
        transcripts: vec![],
    }
}

fn counts() -> Stats {
    let count = Count { number: 17, reason: "steered".to_owned(), packets: 10, bytes: 5000 };
    let targets = vec![TargetCounts { name: "paris".to_owned(), counts: vec![count] }];
    Stats { schema: SCHEMA, stale: false, router: vec![], targets, interfaces: None, cpus: None }
}

fn set(state: Admin) -> SetAdmin {
    SetAdmin { state, for_s: Some(7200), reason: Some("upgrade".to_owned()) }
}

fn exit<T: std::fmt::Debug>(answer: Result<T, ClientError>) -> u8 {
    answer.expect_err("an error").exit()
}

#[tokio::test]
async fn every_route_reaches_the_daemon_and_comes_back() {
    let daemon = Daemon::start(LIMITS);
    let client = daemon.client();
    assert_eq!(client.status().await.expect("status"), status());
    assert_eq!(client.target("paris").await.expect("target"), detail());
    let admin = client.set_admin("paris", &set(Admin::Disabled)).await.expect("admin");
    assert_eq!((admin.admin, admin.admin_reason.as_deref()), (Admin::Disabled, Some("upgrade")));
    assert_eq!(client.probe("paris").await.expect("probe"), detail());
    assert_eq!(client.stats(Some(By::Cpu)).await.expect("stats"), counts());
    let attached = client.attach("wan0", Some(Mode::Generic)).await.expect("attach");
    assert_eq!((attached.mode.as_deref(), attached.attached), (Some("generic"), true));
    assert_eq!(client.attach("wan0", None).await.expect("attach").mode, None);
    assert!(!client.detach("eth0.5").await.expect("detach").attached);
    let refused = client.reload().await.expect_err("a bad configuration");
    assert_eq!((refused.exit(), refused.help().as_deref()), (3, Some("fix it")));
    daemon.stop().await;
}

#[tokio::test]
async fn a_problem_keeps_its_exit_code_and_gets_its_http_status() {
    let daemon = Daemon::start(LIMITS);
    for (name, code, status) in
        [("guarded", 6, 403), ("broken", 1, 500), ("usage", 2, 400), ("oslo", 7, 404), ("dropped", 5, 503)]
    {
        assert_eq!(exit(daemon.client().target(name).await), code, "{name}");
        let answer =
            daemon.raw(format!("GET /v1/targets/{name} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    }
    assert!(daemon.post("/v1/reload", "").await.starts_with("HTTP/1.1 422 "));
    daemon.stop().await;
}

#[tokio::test]
async fn a_stuck_daemon_becomes_a_504_and_a_full_queue_too() {
    let daemon = Daemon::start(SHORT);
    let client = daemon.client();
    let asked: Vec<_> = (0..6).map(|_| client.target("stuck")).collect();
    for answer in futures_util::future::join_all(asked).await {
        let error = answer.expect_err("no answer");
        assert!(error.to_string().contains("did not answer within 300ms"), "{error}");
        assert_eq!(error.exit(), 1);
    }
    let answer = daemon.raw(b"GET /v1/targets/stuck HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 504 "), "{answer}");
    assert_eq!(client.status().await.expect("status"), status());
    daemon.stop().await;
}

#[tokio::test]
async fn concurrent_commands_are_all_answered() {
    let daemon = Daemon::start(LIMITS);
    let client = daemon.client();
    let answers = futures_util::future::join_all((0..32).map(|_| client.status())).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|got| *got == status())), "{answers:?}");
    daemon.stop().await;
}

#[tokio::test]
async fn events_come_as_history_then_live_and_end_with_the_daemon() {
    let daemon = Daemon::start(SHORT);
    let kind =
        |kind: &str| Draft { kind: kind.to_owned(), target: Some("paris".to_owned()), ..Draft::default() };
    for name in ["started", "health", "serving"] {
        daemon.journal.record(kind(name));
    }
    let mut past = daemon.client().events(false, None, None).await.expect("events");
    let mut kinds = Vec::new();
    while let Some(event) = past.next().await.expect("event") {
        kinds.push(event.kind);
    }
    assert_eq!(kinds, ["started", "health", "serving"]);

    let mut future = daemon.client().events(false, None, Some("9999-01-01T00:00:00Z")).await.expect("events");
    assert_eq!(future.next().await.expect("the end"), None);
    let wrong = daemon.client().events(false, None, Some("yesterday & today")).await.expect_err("no time");
    assert!(wrong.to_string().contains("since is a time as of RFC 3339"), "{wrong}");

    let mut live = daemon.client().events(true, Some(1), None).await.expect("events");
    assert_eq!(live.next().await.expect("event").map(|event| event.seq), Some(3));
    // A follower outlives the time that an exchange may take.
    sleep(SHORT.exchange + Duration::from_millis(200)).await;
    daemon.journal.record(kind("admin"));
    assert_eq!(live.next().await.expect("event").map(|event| event.kind).as_deref(), Some("admin"));
    daemon.journal.record(kind("stopping"));
    daemon.stop().await;
    assert_eq!(live.next().await.expect("event").map(|event| event.kind).as_deref(), Some("stopping"));
    assert_eq!(live.next().await.expect("the end"), None);
}

#[tokio::test]
async fn a_graceful_stop_finishes_what_runs_and_removes_the_socket() {
    let daemon = Daemon::start(LIMITS);
    let (path, client) = (daemon.path(), daemon.client());
    let folder = daemon.folder.path().to_owned();
    assert!(folder.exists());
    let idle = daemon.connect().await;
    daemon.stop.send(()).expect("the server runs");
    timeout(Duration::from_secs(5), daemon.server).await.expect("in time").expect("no panic");
    assert!(!path.exists());
    drop(idle);
    let error = client.status().await.expect_err("gone");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert_eq!(error.exit(), 5);
}

#[tokio::test]
async fn a_client_does_not_wait_for_ever() {
    let folder = tempfile::tempdir().expect("folder");
    let listener = bind(&folder.path().join("control.sock")).expect("bind");
    let client = Client::new(folder.path().join("control.sock")).patience(Duration::from_millis(100));
    let error = client.status().await.expect_err("nobody accepts");
    assert!(matches!(error, ClientError::Silent { .. }), "{error}");
    assert_eq!(error.exit(), 5);
    drop(listener);
}

#[tokio::test]
async fn a_daemon_that_dies_in_the_middle_is_gone_not_odd() {
    let daemon = Daemon::start(LIMITS);
    daemon.journal.record(Draft { kind: "started".to_owned(), ..Draft::default() });
    let mut events = daemon.client().events(true, None, None).await.expect("events");
    assert_eq!(events.next().await.expect("event").map(|event| event.seq), Some(1));
    let client = daemon.client();
    let asked = tokio::spawn(async move { client.target("stuck").await });
    sleep(Duration::from_millis(100)).await;
    daemon.server.abort();
    for error in [events.next().await.map(drop), asked.await.expect("no panic").map(drop)] {
        let error = error.expect_err("gone");
        assert!(matches!(error, ClientError::Closed { .. }), "{error}");
        assert_eq!(error.exit(), 5);
    }
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_odd() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("control.sock");
    let listener = bind(&path).expect("bind");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("accept");
        stream.write_all(b"220 mail ready\r\n\r\n").await.expect("write");
        drop(rest(&mut stream).await);
    });
    let error = Client::new(&path).status().await.expect_err("odd");
    assert!(matches!(error, ClientError::Odd { .. }), "{error}");
    assert_eq!(error.exit(), 1);
}
