//! What nobody should send, and everybody may.

use super::*;

#[tokio::test]
async fn hostile_names_stay_names() {
    let daemon = Daemon::start(LIMITS);
    for name in ["", "..", "../status", "a b", "paris/admin", "a?mode=x", "\u{1b}[31m", "é", &"x".repeat(64)]
    {
        assert_eq!(exit(daemon.client().target(name).await), 7, "{name:?}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn garbage_gets_a_400_and_the_daemon_lives() {
    let daemon = Daemon::start(SHORT);
    for garbage in [
        &b"hello\r\n\r\n"[..],
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0\0\0\0",
    ] {
        let answer = daemon.raw(garbage).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{garbage:?}: {answer}");
    }
    let head = format!("GET /v1/status HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(20 * 1024));
    let answer = daemon.raw(head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert_eq!(daemon.client().status().await.expect("status"), status());
    daemon.stop().await;
}

#[tokio::test]
async fn what_the_api_does_not_know_is_a_problem_in_json() {
    let daemon = Daemon::start(LIMITS);
    let cases = [
        ("GET /nowhere HTTP/1.1", 404, r#""exit":7"#),
        ("GET /v1/targets HTTP/1.1", 404, r#""exit":7"#),
        ("DELETE /v1/status HTTP/1.1", 405, r#""exit":2"#),
        ("GET /v1/events?follow=perhaps HTTP/1.1", 400, r#""exit":2"#),
        ("POST /v1/interfaces/wan0?mode=fast HTTP/1.1", 400, "auto, native, generic"),
        ("GET /v1/targets/%ff HTTP/1.1", 404, r#""exit":7"#),
    ];
    for (line, status, holds) in cases {
        let answer = daemon.raw(format!("{line}\r\nhost: x\r\n\r\n").as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
        assert!(answer.contains(holds) && answer.contains(r#""help":"#), "{line}: {answer}");
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_bad_body_is_a_problem_in_json() {
    let daemon = Daemon::start(LIMITS);
    let long = format!(r#"{{"state":"disabled","reason":"{}"}}"#, "x".repeat(201));
    for body in [
        "",
        "{",
        "[]",
        r#"{"state":"of-mind"}"#,
        r#"{"state":"auto","extra":1}"#,
        r#"{"state":"auto","for_s":60}"#,
        r#"{"state":"disabled","for_s":0}"#,
        r#"{"state":"disabled","for_s":-1}"#,
        r#"{"state":"disabled","for_s":99999999999}"#,
        r#"{"state":"disabled","reason":"two\nlines"}"#,
        &long,
    ] {
        let answer = daemon.post("/v1/targets/paris/admin", body).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains(r#""exit":2"#), "{body}: {answer}");
    }
    let admin = daemon.post("/v1/targets/paris/admin", r#"{"state":"disabled"}"#).await;
    assert!(admin.starts_with("HTTP/1.1 200 "), "{admin}");
    daemon.stop().await;
}

#[tokio::test]
async fn an_oversized_body_is_refused_unread() {
    let daemon = Daemon::start(LIMITS);
    let body = "x".repeat(LIMITS.body_bytes + 1);
    let answer = daemon.post("/v1/targets/paris/admin", &body).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("more than 65536 bytes"), "{answer}");
    daemon.stop().await;
}

#[tokio::test]
async fn a_client_that_dawdles_is_cut_off() {
    let daemon = Daemon::start(SHORT);
    let mut silent = daemon.connect().await;
    assert_eq!(rest(&mut silent).await, "");
    let mut half = daemon.connect().await;
    half.write_all(b"GET /v1/sta").await.expect("write");
    let cut = rest(&mut half).await;
    assert!(cut.is_empty() || cut.starts_with("HTTP/1.1 4"), "{cut}");
    let mut bodiless = daemon.connect().await;
    let head = b"POST /v1/targets/paris/admin HTTP/1.1\r\nhost: x\r\ncontent-length: 50\r\n\r\n{";
    bodiless.write_all(head).await.expect("write");
    let answer = rest(&mut bodiless).await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    daemon.stop().await;
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let daemon = Daemon::start(LIMITS);
    let held: Vec<_> =
        futures_util::future::join_all((0..LIMITS.connections).map(|_| daemon.connect())).await;
    let mut extra = daemon.connect().await;
    let answer = rest(&mut extra).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("all 64 control connections"), "{answer}");
    let length = answer.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    let body = answer.split("\r\n\r\n").nth(1).expect("a body");
    assert_eq!(length.and_then(|length| length.parse().ok()), Some(body.len()));
    drop(held);
    let mut served = daemon.client().status().await;
    for _ in 0..50 {
        if served.is_ok() {
            break;
        }
        sleep(Duration::from_millis(20)).await;
        served = daemon.client().status().await;
    }
    assert_eq!(served.expect("free again"), status());
    daemon.stop().await;
}

#[tokio::test]
async fn followers_never_take_every_connection_and_give_theirs_back() {
    let daemon = Daemon::start(SHORT);
    let client = daemon.client();
    let first = client.events(true, None, None).await.expect("events");
    let _second = client.events(true, None, None).await.expect("events");
    let third = client.events(true, None, None).await.expect_err("one too many");
    assert!(third.to_string().contains("2 commands follow the events already"), "{third}");
    assert_eq!(client.status().await.expect("status"), status());
    drop(first);
    sleep(Duration::from_millis(200)).await;
    client.events(true, None, None).await.expect("a place again");
    daemon.stop().await;
}
