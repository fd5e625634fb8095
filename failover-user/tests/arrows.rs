//! The arrows of the house: which room may know which. A room that needs what it must not know is in the wrong place,
//! or what it needs is.
#![allow(clippy::unwrap_used)] // in a test, the functions beside it included, a panic is the report

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Runtimes, kernels, databases and servers: nothing that a pure room may know.
const IMPURE: &[&str] =
    &["tokio", "tokio_rustls", "aya", "axum", "hyper", "rusqlite", "sqlx", "rtnetlink", "genetlink"];

fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                found.push((path, text));
            }
        }
    }
    found
}

/// The files of a room (`health`, or `daemon` with its `daemon.rs`), their tests left out.
fn room(name: &str) -> Vec<(PathBuf, String)> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = if source.join(name).is_dir() { sources(&source.join(name)) } else { Vec::new() };
    let file = source.join(format!("{name}.rs"));
    if file.exists() {
        let text = fs::read_to_string(&file).expect("a source file");
        files.push((file, text));
    }
    assert!(!files.is_empty(), "there is no room {name}");
    files.retain(|(path, _)| !path.components().any(|part| part.as_os_str() == "tests"));
    files.retain(|(path, _)| path.file_name().is_none_or(|file| file != "tests.rs"));
    for (_, text) in &mut files {
        if let Some(tests) = text.find("#[cfg(test)]\nmod tests {") {
            text.truncate(tests);
        }
    }
    files
}

/// The code of `text`: no comments, no white space, so that a path is found however it is broken into lines.
fn code(text: &str) -> String {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ").replace(' ', "")
}

/// Whether code names the crate or room at the root of a path: `tokio::…`, `crate::probe::…`, or in a `crate::{…}`.
fn names(code: &str, root: &str, inner: bool) -> bool {
    let starts = |text: &str, at: usize| {
        !text[..at].chars().next_back().is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':')
    };
    if !inner {
        let path = format!("{root}::");
        // `use` and its name stand together once white space is gone.
        return code.match_indices(&path).any(|(at, _)| starts(code, at) || code[..at].ends_with("use"));
    }
    if code.contains(&format!("crate::{root}::")) || code.contains(&format!("crate::{root};")) {
        return true;
    }
    code.match_indices("crate::{").any(|(at, opening)| {
        let mut depth = 1_i32;
        let rest = &code[at + opening.len()..];
        let mut word = String::new();
        for c in rest.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                c if depth == 1 && (c.is_alphanumeric() || c == '_') => {
                    word.push(c);
                    continue;
                }
                ':' => {
                    if depth == 1 && word == root {
                        return true;
                    }
                    continue;
                }
                _ => {}
            }
            if depth <= 1 && word == root {
                return true;
            }
            if depth <= 1 {
                word.clear();
            }
            if depth == 0 {
                break;
            }
        }
        false
    })
}

fn forbid(rooms: &[&str], crates: &[&str], others: &[&str]) {
    for name in rooms {
        for (path, text) in room(name) {
            let code = code(&text);
            for root in crates {
                assert!(
                    !names(&code, root, false),
                    "{}: {name} must not know the crate {root}",
                    path.display()
                );
            }
            for other in others {
                assert!(!names(&code, other, true), "{}: {name} must not know {other}", path.display());
            }
        }
    }
}

#[test]
fn pure_rooms_know_no_runtime_no_kernel_and_no_database() {
    let pure = ["proto", "health", "director", "replay", "altpath", "config"];
    forbid(&pure, IMPURE, &["probe", "dataplane", "daemon", "gatekeeper", "cli"]);
}

#[test]
fn probers_and_the_gatekeeper_do_not_know_the_data_plane() {
    forbid(&["probe", "gatekeeper"], &["aya"], &["dataplane", "daemon", "cli"]);
}

#[test]
fn the_data_plane_alone_knows_aya() {
    let all = ["probe", "gatekeeper", "control", "cli", "daemon"];
    forbid(&all, &["aya", "aya_log"], &[]);
    assert!(
        room("dataplane").iter().any(|(_, text)| names(&code(text), "aya", false)),
        "the check sees nothing"
    );
}

#[test]
fn nobody_but_the_command_line_knows_the_daemon() {
    forbid(&["control", "dataplane"], &[], &["daemon", "cli", "probe", "gatekeeper"]);
    let knows = |(_, text): &(PathBuf, String)| names(&code(text), "daemon", true);
    let files: Vec<_> = room("cli").into_iter().filter(knows).map(|(path, _)| path).collect();
    assert!(files.iter().all(|path| path.ends_with("cli/run.rs")), "{files:?}");
    assert_eq!(files.len(), 1, "the check sees nothing");
}

#[test]
fn the_command_line_speaks_to_the_daemon_through_the_client_alone() {
    forbid(&["cli"], &[], &["probe", "director", "gatekeeper"]);
    for (path, text) in room("cli") {
        let code = code(&text);
        assert!(
            !code.contains("control::server::{serve") && !code.contains("server::serve("),
            "{}",
            path.display()
        );
    }
}

#[test]
fn the_kernel_programs_map_their_verdicts_in_one_place() {
    let ebpf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../failover-ebpf/src");
    let mut seen = false;
    for (path, text) in sources(&ebpf) {
        let (verdicts, pointers) = (code(&text), code(&text));
        let (verdicts, pointers) = (
            verdicts.contains("xdp_action::") || verdicts.contains("TC_ACT"),
            pointers.contains("data_end()"),
        );
        seen |= verdicts;
        assert!(!verdicts || path.ends_with("main.rs"), "{}: names a verdict", path.display());
        assert!(!pointers || path.ends_with("packet.rs"), "{}: handles raw packet bounds", path.display());
    }
    assert!(seen, "the check sees nothing");
}
