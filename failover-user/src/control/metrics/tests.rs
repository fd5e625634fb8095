//! What a scraper sees.

use std::collections::BTreeMap;

use failover_common::{reason::Reason, value::Counter};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::{
    control::message::{
        Admin, BackupStatus, FlowTable, InterfaceStatus, RouterStatus, Serving, Status, TargetStatus,
    },
    health::Health,
};

fn router() -> RouterPage {
    let mut trips = Histogram::default();
    for micros in [130, 250, 251, 2_000_000] {
        trips.observe(Duration::from_micros(micros));
    }
    RouterPage {
        started: 1_772_330_400.5,
        interfaces: vec![InterfaceStatus {
            name: "wan\"0\\".into(),
            mode: Some("native".into()),
            attached: true,
            reason: None,
        }],
        flows: Some(FlowTable { answered: 3, calls: 4, room: 262_144 }),
        reload: Some((1_772_330_401.0, false)),
        packets: vec![(Reason::NotSignalling, Counter { packets: 7, bytes: 700 })],
        probes: BTreeMap::from([(("sip/udp".into(), "alive"), 4), (("sip/udp".into(), "silent"), 1)]),
        round_trips: BTreeMap::from([("sip/udp".into(), trips)]),
        lateness: Histogram::default(),
        events: BTreeMap::from([("serving".into(), 2)]),
    }
}

fn target(n: usize) -> TargetPage {
    let health = Turn::Health { server: "primary".into(), to: "down", reason: "silence" };
    let serving = Turn::Serving(Flow { to: "backup", reason: "primary-down" });
    TargetPage {
        name: format!("t{n}"),
        admin: Admin::Drain,
        serving: Serving::Backup,
        servers: vec![
            ServerPage { name: "primary".into(), health: Health::Down, rtt: None },
            ServerPage { name: "nsp-1".into(), health: Health::Up, rtt: Some(Duration::from_micros(131)) },
        ],
        turns: BTreeMap::from([(health, 2), (serving, 1)]),
        aftermath: Aftermath { replayed: 12, reset: 3 },
        packets: vec![
            (Reason::Steered, Counter { packets: 10, bytes: 5000 }),
            (Reason::NobodyServes, Counter { packets: 1, bytes: 60 }),
        ],
    }
}

#[test]
fn the_text_is_strict_open_metrics_with_every_family() {
    let text = text::encode(router(), vec![target(0), target(1)]).unwrap();
    let samples = openmetrics::read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    for (series, value) in [
        ("failover_build{version=\"0.1.0\"}", 1.0),
        ("failover_start_time_seconds", 1_772_330_400.5),
        ("failover_stale", 0.0),
        ("failover_last_reload_successful", 0.0),
        ("failover_last_reload_time_seconds", 1_772_330_401.0),
        ("failover_interface_attached{interface=\"wan\\\"0\\\\\",mode=\"native\"}", 1.0),
        ("failover_table_entries{table=\"calls\"}", 4.0),
        ("failover_table_capacity{table=\"answered\"}", 262_144.0),
        ("failover_events_total{kind=\"serving\"}", 2.0),
        ("failover_probes_total{service=\"sip/udp\",outcome=\"silent\"}", 1.0),
        ("failover_probe_rtt_seconds_bucket{le=\"0.00025\",service=\"sip/udp\"}", 2.0),
        ("failover_probe_rtt_seconds_bucket{le=\"0.0005\",service=\"sip/udp\"}", 3.0),
        ("failover_probe_rtt_seconds_bucket{le=\"1.0\",service=\"sip/udp\"}", 3.0),
        ("failover_probe_rtt_seconds_count{service=\"sip/udp\"}", 4.0),
        ("failover_probe_rtt_seconds_sum{service=\"sip/udp\"}", 2.000_631),
        ("failover_probe_lateness_seconds_bucket{le=\"+Inf\"}", 0.0),
        ("failover_target_serving{target=\"t1\",serving=\"backup\"}", 1.0),
        ("failover_target_serving{target=\"t1\",serving=\"primary\"}", 0.0),
        ("failover_target_admin{target=\"t0\",admin=\"drain\"}", 1.0),
        ("failover_server_health{target=\"t0\",server=\"primary\",health=\"down\"}", 1.0),
        ("failover_server_health{target=\"t0\",server=\"nsp-1\",health=\"down\"}", 0.0),
        ("failover_server_rtt_seconds{target=\"t0\",server=\"nsp-1\"}", 0.000_131),
        (
            "failover_health_transitions_total{target=\"t0\",server=\"primary\",to=\"down\",reason=\"silence\"}",
            2.0,
        ),
        ("failover_serving_transitions_total{target=\"t1\",to=\"backup\",reason=\"primary-down\"}", 1.0),
        ("failover_packets_total{target=\"\",verdict=\"passed\",reason=\"not-signalling\"}", 7.0),
        ("failover_packets_total{target=\"t0\",verdict=\"steered\",reason=\"steered\"}", 10.0),
        ("failover_packets_total{target=\"t0\",verdict=\"dropped\",reason=\"nobody-serves\"}", 1.0),
        ("failover_packet_size_bytes_total{target=\"t1\",verdict=\"steered\",reason=\"steered\"}", 5000.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series} in\n{text}");
    }
    assert!(!text.contains("failover_server_rtt_seconds{target=\"t0\",server=\"primary\"}"));
}

#[test]
fn every_family_is_in_the_docs() {
    let docs = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md"));
    let text = text::encode(router(), vec![target(0)]).unwrap();
    for (name, kind) in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')) {
        let name = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
        assert!(docs.contains(&format!("`{name}`")), "{name} is not in docs/metrics.md");
    }
}

/// A daemon with so many targets, which counts how often it is asked.
async fn daemon(targets: usize) -> (std::net::SocketAddr, Arc<std::sync::atomic::AtomicUsize>) {
    let (commands, mut queue) = mpsc::channel(4);
    let asked = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some(command) = queue.recv().await {
            let (first, reply) = match command {
                Command::Metrics { first, reply } => (first, reply),
                Command::Status { reply } => {
                    drop(reply.send(Ok(status())));
                    continue;
                }
                other => panic!("{other:?}"),
            };
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let targets = (first..targets.min(first + 2)).map(target).collect();
            drop(reply.send(Ok(Page { router: router(), targets })));
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(serve(listener, commands));
    (address, asked)
}

async fn ask(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that has heard enough may reset the connection behind its answer.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn all_pages_are_one_answer_and_many_questions_are_one() {
    let (address, asked) = daemon(5).await;
    let answers = (0..8).map(|_| ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"));
    for answer in futures_util::future::join_all(answers).await {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
        assert!(head.contains("application/openmetrics-text; version=1.0.0"), "{head}");
        let samples = openmetrics::read(body).unwrap();
        let up = |n| format!("failover_server_health{{target=\"t{n}\",server=\"nsp-1\",health=\"up\"}}");
        assert!((0..5).all(|n| samples.contains_key(&up(n))) && !samples.contains_key(&up(5)));
    }
    let asked = asked.load(std::sync::atomic::Ordering::Relaxed);
    assert!(asked <= 8, "{asked} pages: 4 for each look, of which a slow machine takes a second one at most");
}

/// Every word of it is somebody's who wishes us ill.
fn status() -> Status {
    let target = |name: &str, serving, health, backup: Option<&str>| TargetStatus {
        name: name.to_owned(),
        admin: Admin::Auto,
        admin_until: None,
        admin_reason: None,
        health,
        serving: Some(serving),
        backup: backup.map(str::to_owned),
        draining_to: None,
        since: Some("2026-03-01T10:00:00Z".into()),
        reason: None,
        rtt_us: None,
        steered_packets: 0,
        steered_bytes: 0,
        returned_packets: 0,
        pins: None,
        backups: vec![BackupStatus { name: "nsp-1".into(), health: Health::Up, rtt_us: None }],
        probes: Vec::new(),
    };
    let paris = TargetStatus {
        reason: Some("sip/udp: 503 <script>alert(\"1\")</script>\u{202e}\n&amp; 'x'".into()),
        admin: Admin::Drain,
        admin_until: Some("2026-03-01T12:00:00Z".into()),
        admin_reason: Some("</td></table><img src=x>".into()),
        ..target("paris", Serving::Backup, Health::Down, Some("nsp-1"))
    };
    let interfaces = vec![InterfaceStatus {
        name: "wan<0>".into(),
        mode: None,
        attached: false,
        reason: Some("device \"gone\"".into()),
    }];
    Status {
        schema: 1,
        router: RouterStatus { pid: Some(7), uptime_s: Some(3723.5), stale: false, interfaces, flows: None },
        targets: vec![target("lyon", Serving::Primary, Health::Up, None), paris],
    }
}

#[tokio::test]
async fn the_page_tells_who_serves_and_why_and_holds_nobody_s_markup() {
    let (address, _) = daemon(1).await;
    let answer = ask(address, "GET / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("text/html; charset=utf-8"), "{head}");
    assert!(head.contains("content-security-policy: default-src 'none'; "), "{head}");
    for part in [
        "<title>failover: 1 of 2 on their primary</title>",
        "<meta http-equiv=\"refresh\" content=\"5\">",
        "<tr><td>paris<td class=\"bad\">down<td class=\"warn\">nsp-1<td>2026-03-01T10:00:00Z\
         <td>sip/udp: 503 &lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;  &amp;amp; &#39;x&#39;\
         <td>drain until 2026-03-01T12:00:00Z: &lt;/td&gt;&lt;/table&gt;&lt;img src=x&gt;\
         <td>nsp-1 <span class=\"good\">up</span>\n\
         <tr><td>lyon<td class=\"good\">up<td class=\"good\">primary<td>",
        "<tr><td>wan&lt;0&gt;<td><td class=\"bad\">no: device &quot;gone&quot;\n",
        "<p>Process 7, up 1h 2m 3s. <a href=\"/metrics\">Metrics</a>.</p>",
    ] {
        assert!(body.contains(part), "{part} is not in {body}");
    }
    assert!(!body.contains("<script") && !body.contains("<img") && body.ends_with("</html>\n"), "{body}");
    let head = ask(address, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.ends_with("\r\n\r\n"), "{head}");
}

#[tokio::test]
async fn other_questions_get_short_answers() {
    let (address, asked) = daemon(1).await;
    for (request, start) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200"),
        ("GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 404"),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n", "HTTP/1.1 405"),
        ("DELETE /v1/status HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405"),
        ("\u{1}\u{2}garbage\r\n\r\n", "HTTP/1.1 400"),
    ] {
        let answer = ask(address, request).await;
        assert!(answer.starts_with(start), "{request}: {answer}");
    }
    let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let answer = ask(address, &long).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(asked.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn idle_connections_do_not_keep_others_out_for_ever() {
    let (address, _) = daemon(1).await;
    let mut idle = Vec::new();
    for _ in 0..CONNECTIONS {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let waits = ask(address, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = timeout(HEAD * 4, waits).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn a_daemon_that_is_gone_is_said() {
    let (commands, queue) = mpsc::channel(1);
    drop(queue);
    let desk = Desk::new(commands);
    assert!(desk.metrics().await.is_none() && desk.page().await.is_none());
}
