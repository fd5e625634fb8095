//! What is wrong with a file as a whole, and between its tables.

use std::fs;

use super::{BACKUP, ROUTER, TARGET, file, unmark, wrong, wrong_at};
use crate::config::{ConfigError, MAX_BYTES, load, parse};

/// A second target with its own backup.
const LYON: &str = "[[target]]\nname = \"lyon\"\naddress = \"192.0.2.20\"\n";
const NSP_2: &str = "[[target.backup]]\nname = \"nsp-2\"\naddress = \"198.51.100.30\"\n";

fn one(text: &str, message: &str, help: &str) {
    let problems = wrong_at(text);
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(problem.message.contains(message), "{problem:?}");
    assert!(problem.help.as_deref().unwrap_or_default().contains(help), "{problem:?}");
}

#[test]
fn what_must_be_there() {
    one(&format!("§{TARGET}{BACKUP}"), "needs a [router] table", "interfaces = ");
    one(&format!("§{ROUTER}"), "at least one [[target]]", "[[target.backup]]");
    one(&format!("target = §[]\n{ROUTER}"), "`target` is empty", "");
    one(&format!("§[router]\n{TARGET}{BACKUP}"), "[router] needs `interfaces`", "[\"wan0\", \"lan0\"]");
    one(&format!("{ROUTER}§{TARGET}"), "at least one backup", "[[target.backup]]");
    one(&format!("{ROUTER}{TARGET}backup = §[]"), "at least one backup", "");
    one(&format!("{ROUTER}§[[target]]\nname = \"a\"\n{BACKUP}"), "a target needs `address`", "192.0.2.10");
    one(&format!("{ROUTER}§[[target]]\naddress = \"192.0.2.1\"\n{BACKUP}"), "a target needs `name`", "paris");
    one(&format!("{ROUTER}{TARGET}§[[target.backup]]\nname = \"a\""), "a backup needs `address`", "");
    one(&format!("{ROUTER}{TARGET}§[[target.backup]]\naddress = \"10.0.0.1\""), "a backup needs `name`", "");
    let problems = wrong("").problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
}

#[test]
fn tables_of_the_wrong_shape() {
    one(&format!("router = §1\n{TARGET}{BACKUP}"), "`router` must be a table: [router], not an integer", "");
    one(&format!("{ROUTER}§[target]\nname = \"a\""), "`target` is a list of tables", "two brackets");
    one(
        &format!("{ROUTER}{TARGET}§[target.backup]\nname = \"a\""),
        "`backup` is a list of tables",
        "two brackets",
    );
    one(&format!("target = [§1]\n{ROUTER}"), "`target` must be a table: [[target]], not an integer", "");
    one(&format!("defaults = §1\n{ROUTER}{TARGET}{BACKUP}"), "`defaults` must be a table", "");
}

#[test]
fn words_of_other_places() {
    let rest = file("", "", "");
    one(
        &format!("{rest}[§gatekeeper]\ndatabase = \"x\""),
        "unknown word `gatekeeper`",
        "failover gatekeeper run",
    );
    one(&format!("{rest}[[§site]]\nname = \"x\""), "unknown word `site`", "a file of its own");
    one(&format!("{rest}[§targets]"), "unknown word `targets`", "did you mean `target`?");
    one(&format!("{rest}[defaults]\n§name = \"x\""), "unknown word `name` in [defaults]", "under [[target]]");
    one(
        &format!("{rest}[defaults]\n§address = \"x\""),
        "unknown word `address` in [defaults]",
        "under [[target]]",
    );
    one(&format!("§max_flows = 1024\n{rest}"), "unknown word `max_flows`", "a word of [router]");
}

#[test]
fn defaults_are_checked_like_a_target() {
    let rest = file("", "", "");
    one(&format!("{rest}[defaults]\nfailback = §\"drian\""), "cannot be `drian`", "did you mean \"drain\"?");
    one(&format!("{rest}[defaults.probe]\nfall = §0"), "from 1 to 255", "");
    one(&format!("{rest}[[defaults.backup]]\nname = \"a\"\naddress = §\"x y\""), "is not an address", "");
    // Shared by two targets, reported once.
    let backup =
        "[[defaults.backup]]\nname = \"a\"\naddress = \"10.0.0.1\"\nports = { §\"sip/udp:1\" = 2 }\n";
    let problems = wrong_at(&format!("{ROUTER}{backup}{TARGET}"));
    assert!(problems[0].message.contains("no service of target `paris`"), "{problems:?}");
}

#[test]
fn within_a_target() {
    let own = "[[target.backup]]\nname = \"a\"\naddress = §\"192.0.2.10\"\n";
    one(&format!("{ROUTER}{TARGET}{own}"), "the target's own address, 192.0.2.10", "another host");
    let name = "[[target.backup]]\nname = §\"nsp-1\"\naddress = \"198.51.100.21\"\n";
    one(&format!("{ROUTER}{TARGET}{BACKUP}{name}"), "called `nsp-1`", "a name of its own");
    let twice = "[[target.backup]]\nname = \"nsp-2\"\naddress = §\"198.51.100.20\"\n";
    one(&format!("{ROUTER}{TARGET}{BACKUP}{twice}"), "are at 198.51.100.20:5060/udp", "other `ports`");
    let sixth = "[[target.backup]]\nname = \"a\"\naddress = [\"198.51.100.1\", \"2001:db8:1::1\"]\n";
    let seventh = "[[target.backup]]\nname = \"b\"\naddress = [§\"2001:db8:1::1\", \"198.51.100.2\"]\n";
    let dual = TARGET.replace("\"192.0.2.10\"", "[\"192.0.2.10\", \"2001:db8::10\"]");
    one(&format!("{ROUTER}{dual}{sixth}{seventh}"), "are at [2001:db8:1::1]:5060/udp", "other `ports`");
    let own = "[[target.backup]]\nname = \"a\"\naddress = [\"198.51.100.1\", §\"2001:db8:0::10\"]\n";
    one(&format!("{ROUTER}{dual}{own}"), "the target's own address, 2001:db8::10", "another host");
    let backup = |n| {
        let mark = if n == 9 { "§" } else { "" };
        format!("{mark}[[target.backup]]\nname = \"b{n}\"\naddress = \"10.0.0.{n}\"\n")
    };
    let many: Vec<_> = (1..=10).map(backup).collect();
    one(
        &format!("{ROUTER}{TARGET}{}", many.concat()),
        "at most 8 backups, this one has 10",
        "least preferred",
    );
}

#[test]
fn a_backup_has_a_family_in_common_with_its_target() {
    let v6 = BACKUP.replace("\"198.51.100.20\"", "§\"2001:db8:1::1\"");
    one(
        &format!("{ROUTER}{TARGET}{v6}"),
        "the backup has an IPv6 address alone, and the target an IPv4 address alone",
        "give the backup an IPv4 address",
    );
    let target = TARGET.replace("192.0.2.10", "2001:db8::10");
    let v4 = BACKUP.replace("\"198", "§\"198");
    one(
        &format!("{ROUTER}{target}{v4}"),
        "the backup has an IPv4 address alone, and the target an IPv6 address alone",
        "give the backup an IPv6 address",
    );
    // One that all targets have by default is wrong where it does not fit.
    let text = format!(
        "{ROUTER}{}{TARGET}{}",
        v6.replace("target", "defaults"),
        LYON.replace("192.0.2.20", "2001:db8::20")
    );
    one(&text, "and the target an IPv4 address alone", "");
}

#[test]
fn between_targets_in_either_family() {
    let dual = |target: &str, address: &str| {
        let (head, _) = target.split_once("address").unwrap();
        format!("{head}address = {address}\n")
    };
    let paris = dual(TARGET, "[\"192.0.2.10\", \"2001:db8::10\"]");
    let lyon = dual(LYON, "[\"192.0.2.20\", §\"2001:db8::10\"]");
    one(
        &format!("{ROUTER}{paris}{BACKUP}{lyon}{NSP_2}"),
        "two targets serve [2001:db8::10]:5060/udp",
        "join them",
    );
    let lyon = dual(LYON, "[\"192.0.2.20\", \"2001:db8::20\"]");
    let backup = |name: &str, v4: &str, v6: &str| {
        format!("[[target.backup]]\nname = \"{name}\"\naddress = [\"{v4}\", \"{v6}\"]\n")
    };
    let nsp_1 = backup("nsp-1", "198.51.100.1", "2001:db8:1::1");
    let shared = backup("nsp-2", "198.51.100.2", "2001:db8:1::1");
    one(
        &format!("{ROUTER}{paris}{nsp_1}dedicated = §true\n{lyon}{shared}"),
        "2001:db8:1::1 is a backup of lyon too",
        "leave `dedicated` out",
    );
    let itself = backup("nsp-1", "198.51.100.1", "2001:db8::20");
    one(
        &format!("{ROUTER}{paris}{itself}dedicated = §true\n{lyon}{NSP_2}"),
        "2001:db8::20 is a target itself",
        "leave `dedicated` out",
    );
}

#[test]
fn between_targets() {
    let lyon = LYON.replace("\"lyon\"", "§\"paris\"");
    one(
        &format!("{ROUTER}{TARGET}{BACKUP}{lyon}{NSP_2}"),
        "two targets are called `paris`",
        "a name of its own",
    );
    let lyon = LYON.replace("\"192.0.2.20\"", "§\"192.0.2.10\"");
    one(
        &format!("{ROUTER}{TARGET}{BACKUP}{lyon}{NSP_2}"),
        "two targets serve 192.0.2.10:5060/udp",
        "join them",
    );
    let dedicated = format!("{BACKUP}dedicated = §true\n");
    let shared = BACKUP.replace("nsp-1", "same");
    let why = "198.51.100.20 is a backup of lyon too";
    one(&format!("{ROUTER}{TARGET}{dedicated}{LYON}{shared}"), why, "leave `dedicated` out");
    // Other ports do not help: the address is what is dedicated.
    let ports = format!("{shared}ports = {{ \"sip/udp\" = 1, \"sip/tcp\" = 1 }}\n");
    one(&format!("{ROUTER}{TARGET}{dedicated}{LYON}{ports}"), why, "");
    let itself = BACKUP.replace("198.51.100.20", "192.0.2.20");
    let text = format!("{ROUTER}{TARGET}{itself}dedicated = §true\n{LYON}{NSP_2}");
    one(&text, "192.0.2.20 is a target itself", "leave `dedicated` out");
}

#[test]
fn every_independent_problem_is_reported_in_order() {
    let text = "[router]\ninterfaces = [§\"a/b\"]\nforward = §\"kernal\"\n§bogus = 1\n\n\
                [[target]]\nname = §\"p q\"\naddress = §\"fe80::1\"\nsteer = §\"l3\"\n\
                [[target.backup]]\nname = §\"primary\"\naddress = §\"nsp.example\"\n\
                [target.probe]\nfall = §0\ninterval = §\"1\"\n\
                §[[target]]\naddress = \"192.0.2.20\"\n\
                [[target.backup]]\nname = \"b\"\naddress = §\"192.0.2.20\"\n";
    assert_eq!(wrong_at(text).len(), 12);
}

#[test]
fn syntax() {
    let cases = [
        ("[router]\ninterfaces = [§wan0]\n", "string values must be quoted", "write \"wan0\""),
        ("[router]\nstate_dir = §/var/lib\n", "string values must be quoted", "write \"/var/lib\""),
        ("[router]\nmax_flows = 1024\n§max_flows = 1024\n", "`max_flows` is there twice", "[[target]]"),
        ("[router]\n[§router]\n", "`router` is there twice", "[[target]]"),
        ("a = \"b§\n", "invalid basic string", ""),
    ];
    for (text, message, help) in cases {
        one(text, message, help);
    }
    assert_eq!(wrong_at("a = §1s\nb = 2\nc = §x\n§c = 1\n").len(), 3);
}

#[test]
fn a_huge_file_shows_its_first_syntax_error() {
    let flood = "=".repeat(1 << 20);
    assert_eq!(wrong(&format!("a = 1\nb = x\n{flood}")).problems().len(), 1);
}

#[test]
fn a_flood_of_problems_is_counted() {
    let lines: Vec<_> = (0..10_000).map(|n| format!("zz{n} = 1\n")).collect();
    let error = wrong(&format!("{}{}", lines.concat(), file("", "", "")));
    assert_eq!(error.problems().len(), 50);
    assert_eq!(error.problems()[49].line, Some(50));
    assert!(error.report(false).ends_with("and 9950 more problems in failover.toml\n"));
    assert!(error.to_string().ends_with("\nand 9950 more"));
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let missing = load(&dir.path().join("none.toml")).unwrap_err();
    assert!(matches!(missing, ConfigError::Missing { .. }), "{missing}");
    assert!(missing.to_string().ends_with("none.toml: there is no such file"), "{missing}");
    assert!(missing.report(false).contains("--config FILE"), "{}", missing.report(false));
    assert_eq!((missing.problems()[0].line, missing.problems()[0].column), (None, None));

    let folder = load(dir.path()).unwrap_err();
    assert!(matches!(folder, ConfigError::Unreadable { .. }), "{folder}");

    let path = dir.path().join("bytes.toml");
    fs::write(&path, b"a = 1\nb = \"\xff\"\n").unwrap();
    let bytes = load(&path).unwrap_err();
    assert!(matches!(bytes, ConfigError::NotText { line: 2, column: 6, .. }), "{bytes}");

    let file = fs::File::create(&path).unwrap();
    file.set_len(MAX_BYTES + 1).unwrap();
    let large = load(&path).unwrap_err();
    assert!(matches!(large, ConfigError::TooLarge { .. }), "{large}");
    let endless = load(std::path::Path::new("/dev/zero")).unwrap_err();
    assert!(matches!(endless, ConfigError::TooLarge { .. }), "{endless}");

    let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    let denied = ConfigError::unreadable(&path, denied);
    assert!(denied.to_string().ends_with("permission denied") && denied.help().is_some(), "{denied}");
}

#[test]
fn a_file_is_called_by_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("failover.toml");
    fs::write(&path, file("", "", "")).unwrap();
    assert!(load(&path).is_ok());
    let (text, _) = unmark(&file("forward = §\"kernal\"", "", ""));
    fs::write(&path, text).unwrap();
    let error = load(&path).unwrap_err();
    assert!(error.to_string().starts_with(&format!("{}:3:11: ", path.display())), "{error}");
}

/// What is named and is not there is a warning, with its place: the file may be meant for another machine.
#[test]
fn programs_and_certificates_that_are_not_there_are_told_with_a_caret() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("hook"), "#!/bin/sh\n").unwrap();
    std::fs::write(at("ca.pem"), "").unwrap();
    let (hook, ca, gone, folder) = (at("hook"), at("ca.pem"), at("gone"), dir.path());
    let text = format!(
        "{ROUTER}hook = \"{}\"\n[defaults]\nprobe.command = [\"{}\", \"-q\"]\n{TARGET}services = [\"sips\"]\n\
         probe.command = []\nprobe.sip.tls = {{ ca = \"{}\", certificate = \"{}\", key = \"{}\" }}\n{BACKUP}",
        hook.display(),
        gone.display(),
        ca.display(),
        folder.display(),
        gone.display(),
    );
    assert!(parse("pure", &text).unwrap().absent.is_empty(), "what is parsed is not looked for");
    let path = at("failover.toml");
    std::fs::write(&path, &text).unwrap();
    let loaded = load(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let place = |word: &str, value: &str| {
        let line = lines.iter().position(|line| line.contains(word)).unwrap();
        format!("{}:{}:{}: ", path.display(), line + 1, lines[line].find(value).unwrap() + 1)
    };
    let own = place("certificate", &format!("\"{}\", key", folder.display()));
    let expected = [
        format!("{}`hook` {} cannot be run: nobody may execute it", place("hook =", "\""), hook.display()),
        format!(
            "{}`command` {} cannot be run: there is no such file",
            place("command = [\"", "["),
            gone.display()
        ),
        format!("{own}`certificate` {} cannot be read: it is no file", folder.display()),
        format!("{own}`key` {} cannot be read: there is no such file", gone.display()),
    ];
    assert_eq!(loaded.warnings[loaded.warnings.len() - loaded.absent.len()..], expected);
    let report = loaded.absent.report(false);
    for part in [
        "⚠ `hook` ",
        "not executable",
        &format!("help: make it executable: chmod +x {}", hook.display()),
        "help: put it there, or name another one",
    ] {
        let flat = report.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(report.contains(part) || flat.contains(part), "{part} is not in {report}");
    }
}
