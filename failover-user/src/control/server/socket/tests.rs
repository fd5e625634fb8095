use super::*;

#[tokio::test]
async fn the_socket_is_0660_whatever_the_umask_and_its_folder_is_made() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("run/failover/control.sock");
    let listener = bind(&path).expect("bind");
    assert_eq!(mode(&path), 0o660);
    assert_eq!(mode(path.parent().expect("parent")), 0o755);
    drop(listener);
}

fn mode(path: &std::path::Path) -> u32 {
    std::fs::metadata(path).expect("metadata").permissions().mode() & 0o777
}

#[tokio::test]
async fn a_dead_daemons_socket_is_replaced_and_a_living_ones_is_not() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("control.sock");
    drop(bind(&path).expect("bind"));
    assert!(path.exists(), "a dead daemon leaves its socket");
    let alive = bind(&path).expect("replaced");
    let error = bind(&path).expect_err("alive");
    assert_eq!(error.to_string(), format!("another daemon listens on {}", path.display()));
    assert_eq!(error.exit(), 1);
    drop(alive);
    bind(&path).expect("dead again");
}

#[tokio::test]
async fn what_is_no_socket_is_never_removed() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "mine").expect("write");
    assert!(matches!(bind(&path), Err(BindError::NotASocket { .. })));
    assert_eq!(std::fs::read_to_string(&path).expect("read"), "mine");
    let long = folder.path().join("x".repeat(200));
    let error = bind(&long).expect_err("too long");
    assert!(error.help().is_some_and(|help| help.contains("107 bytes")), "{error}");
}
