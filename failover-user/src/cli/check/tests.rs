//! The explanation of the sample, and of what is wrong.

use serde_json::json;

use super::*;
use crate::config::parse;

const SAMPLE: &str = include_str!("../../../../docs/failover.toml");

fn probe(words: &str) -> Probe {
    let text = format!(
        "[router]\ninterfaces = [\"a\"]\n[[target]]\nname = \"a\"\naddress = \"192.0.2.1\"\nprobe = {{ {words} }}\n\
         [[target.backup]]\nname = \"b\"\naddress = \"192.0.2.2\"\n"
    );
    parse("probe", &text).unwrap().config.targets.remove(0).probe
}

#[test]
fn the_sample_is_explained() {
    let text = explain(&parse("failover.toml", SAMPLE).unwrap());
    let expected = "\
The configuration is valid: 2 targets, no warnings.

router
  interfaces    wan0 (auto), lan0 (native)
  control       /run/failover/control.sock
  state         /var/lib/failover
  pinned in     /sys/fs/bpf/failover
  room for      262144 flows

target paris at 192.0.2.10
  sip/udp       192.0.2.10:5060 → nsp-1 198.51.100.20:5060, else nsp-2 198.51.100.30:15060
  sip/tcp       192.0.2.10:5060 → nsp-1 198.51.100.20:5060, else nsp-2 198.51.100.30:15060
  way back      all that nsp-1 sends from these ports comes from 192.0.2.10
  way back      nsp-2 answers, and calls hosts that were steered to it, as 192.0.2.10
  probed        SIP OPTIONS to sip/udp and sip/tcp every 1s, every 50ms after a failure; an answer may take 300ms
  alive         SIP status 100–499, 600–699
  down          after 2 failures in a row of any service: at worst 1s 700ms after death
  up again      after 3 answers in a row, at least 10s after the first; packets return to the primary at once, but for what began at a backup
  stays         what began at a backup: TCP connections (until they end, or 2h of silence) and calls and subscriptions of SIP over UDP (until BYE, or 2h of silence); at most 8h
  none healthy  packets go to the primary, as without failover

target lyon at 192.0.2.20
  sip/udp       192.0.2.20:5060 → nsp-2 198.51.100.30:25060
  sip/tcp:5080  192.0.2.20:5080 → nsp-2 198.51.100.30:25060
  way back      nsp-2 answers, and calls hosts that were steered to it, as 192.0.2.20
  probed        SIP OPTIONS to sip/udp and sip/tcp:5080 every 1s, every 50ms after a failure; an answer may take 300ms
  alive         SIP status 100–499, 600–699
  down          after 3 failures in a row of every service: at worst 2s after death
  up again      after 3 answers in a row, at least 10s after the first; packets return to the primary at once, but for what began at a backup
  stays         what began at a backup: TCP connections (until they end, or 2h of silence) and calls and subscriptions of SIP over UDP (until BYE, or 2h of silence); at most 8h
  none healthy  packets go to the primary, as without failover
";
    assert_eq!(text, expected);
}

#[test]
fn warnings_come_last_and_are_counted() {
    let loaded = parse("x", &SAMPLE.replace("25060", "15060").replace("dedicated = true", "")).unwrap();
    let text = explain(&loaded);
    assert!(text.starts_with("The configuration is valid: 2 targets, 2 warnings.\n"), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("warning: target paris: backup nsp-1"), "{last}");
    assert_eq!(explain_json(&loaded)["warnings"].as_array().unwrap().len(), 2);
}

#[test]
fn the_sample_in_json() {
    let value = explain_json(&parse("failover.toml", SAMPLE).unwrap());
    assert_eq!(
        (&value["schema"], &value["valid"], &value["warnings"]),
        (&json!(1), &json!(true), &json!([]))
    );
    let paris = &value["targets"][0];
    assert_eq!((&paris["name"], &paris["address"]), (&json!("paris"), &json!("192.0.2.10")));
    let expected = json!({
        "service": "sip/udp", "protocol": "sip", "transport": "udp", "port": 5060,
        "backups": [
            { "backup": "nsp-1", "address": "198.51.100.20", "port": 5060 },
            { "backup": "nsp-2", "address": "198.51.100.30", "port": 15060 },
        ],
    });
    assert_eq!(paris["services"][0], expected);
    assert_eq!(
        paris["backups"][0],
        json!({
            "name": "nsp-1", "address": "198.51.100.20", "addresses": ["198.51.100.20"], "dedicated": true,
        })
    );
    assert_eq!((&paris["probe"]["fall"], &paris["worst_detection_ms"]), (&json!(2), &json!(1700)));
    assert_eq!(value["targets"][1]["require"], json!("any"));
}

#[test]
fn two_families_are_explained() {
    let text = "[router]\ninterfaces = [\"a\"]\n[[target]]\nname = \"paris\"\nservices = [\"sip/udp\"]\n\
                address = [\"192.0.2.10\", \"2001:db8::10\"]\n\
                [[target.backup]]\nname = \"one\"\naddress = \"198.51.100.1\"\ndedicated = true\n\
                [[target.backup]]\nname = \"two\"\naddress = [\"2001:db8:1::2\", \"198.51.100.2\"]\n\
                dedicated = false\nports = { \"sip/udp\" = 15060 }\n";
    let loaded = parse("x", text).unwrap();
    let shown = explain(&loaded);
    for line in [
        "target paris at 192.0.2.10 and 2001:db8::10",
        "  sip/udp       192.0.2.10:5060 → one 198.51.100.1:5060, else two 198.51.100.2:15060",
        "  sip/udp       [2001:db8::10]:5060 → two [2001:db8:1::2]:15060",
        "  way back      all that one sends from these ports comes from 192.0.2.10",
        "  way back      two answers, and calls hosts that were steered to it, as 192.0.2.10 or 2001:db8::10",
        "  down          after 3 failures in a row at either address: at worst 2s after death",
    ] {
        assert!(shown.lines().any(|shown| shown == line), "{line}\n{shown}");
    }
    let paris = &explain_json(&loaded)["targets"][0];
    assert_eq!(paris["addresses"], json!(["192.0.2.10", "2001:db8::10"]));
    let at =
        |name: &str, address: &str, port: u16| json!({ "backup": name, "address": address, "port": port });
    let expected = [
        at("one", "198.51.100.1", 5060),
        at("two", "198.51.100.2", 15060),
        at("two", "2001:db8:1::2", 15060),
    ];
    assert_eq!(paris["services"][0]["backups"], json!(expected));
    let v4_alone = text.replace("\"2001:db8:1::2\", ", "");
    let shown = explain(&parse("x", &v4_alone).unwrap());
    assert!(shown.contains("  sip/udp       [2001:db8::10]:5060 → never steered\n"), "{shown}");
}

#[test]
fn errors_in_json_have_places() {
    let error = parse("x", "[router]\ninterfaces = [\"a\"]\nforward = \"kernal\"\n").unwrap_err();
    let value = error_json(&error);
    assert_eq!((&value["schema"], &value["valid"]), (&json!(1), &json!(false)));
    assert_eq!(value["errors"].as_array().unwrap().len(), 2);
    let misspelt = &value["errors"][1];
    assert_eq!((&misspelt["line"], &misspelt["column"]), (&json!(3), &json!(11)));
    assert!(misspelt["message"].as_str().unwrap().contains("cannot be `kernal`"), "{misspelt}");
    assert_eq!(misspelt["help"], json!("did you mean \"kernel\"?"));

    let missing = crate::config::load(std::path::Path::new("/nonexistent/failover.toml")).unwrap_err();
    let value = error_json(&missing);
    assert_eq!((&value["errors"][0]["line"], &value["errors"][0]["column"]), (&json!(null), &json!(null)));
    assert!(value["errors"][0]["message"].as_str().unwrap().contains("there is no such file"));
}

#[test]
fn the_worst_detection_adds_up() {
    let worst = |words| worst_detection(&probe(words)).as_millis();
    assert_eq!(worst(""), 1100 + 300 + 2 * 300);
    assert_eq!(worst("interval = \"100ms\", timeout = \"100ms\""), 110 + 100 + 2 * 100);
    assert_eq!(worst("timeout = \"20ms\""), 1100 + 200 + 55, "silence counts");
    assert_eq!(worst("fall = 1, silence = \"0s\""), 1100 + 300);
    assert_eq!(worst("fall = 1"), 1100 + 200 + 300);
    assert_eq!(
        worst("interval = \"1h\", timeout = \"1h\", fast_interval = \"1h\", fall = 255"),
        (11 + 10 + 254 * 11) * 360_000
    );
}

#[test]
fn the_least_recovery_is_what_takes_longer() {
    let least = |words| least_recovery(&probe(words)).as_millis();
    assert_eq!(least(""), 10_000);
    assert_eq!(least("hold_down = \"0s\""), 1800);
    assert_eq!(least("hold_down = \"0s\", rise = 1"), 0);
}

#[test]
fn every_way_of_probing_is_explained() {
    let lines = |services: &str, probe: &str| {
        let text = format!(
            "[router]\ninterfaces = [\"a\"]\n[[target]]\nname = \"a\"\naddress = \"192.0.2.1\"\nservices = {services}\n\
             probe = {{ {probe} }}\n[[target.backup]]\nname = \"b\"\naddress = \"192.0.2.2\"\ndedicated = false\n"
        );
        let text = explain(&parse("probe", &text).unwrap());
        let found = text.lines().map(str::trim_start).filter(|line| {
            ["probed", "certificate", "alive", "beware", "warning"].iter().any(|word| line.starts_with(word))
        });
        found
            .map(|line| line.replace(" every 1s, every 50ms after a failure; an answer may take 300ms", ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        lines("[\"sip/udp\", \"sips\", \"mgcp\", \"megaco\"]", "sip.tls.server_name = \"sip.example\""),
        [
            "probed        SIP OPTIONS to sip/udp, SIP OPTIONS under TLS to sips/tcp, MGCP AUEP to mgcp/udp, \
             MEGACO AuditValue to megaco/udp and megaco/tcp",
            "certificate   for sip.example, by an authority that this machine trusts",
            "alive         SIP status 100–499, 600–699",
            "alive         MGCP response 100–299, 400–599, 800–899",
            "alive         MEGACO reply without an error, or with error 400–599",
        ]
    );
    let blind = lines("[\"sips\"]", "sip.tls.verify = false");
    assert_eq!(blind[1], "certificate   any, whoever's: sip.tls.verify is false");
    assert!(blind[3].starts_with("warning: target a: sip.tls.verify is false"), "{blind:?}");
    assert_eq!(
        lines("[\"sip\"]", "connect = true"),
        [
            "probed        SIP OPTIONS to sip/udp, a connection, and no question, to sip/tcp",
            "alive         SIP status 100–499, 600–699",
            "alive         a connection that is accepted, which a server that hangs does too",
        ]
    );
    assert_eq!(
        lines("[\"sip\"]", "command = [\"/bin/check\", \"-q\"]"),
        [
            "probed        exit code of /bin/check -q for sip/udp and sip/tcp",
            "alive         exit code 0",
            "beware        what the program sends to the ports of these services must bear the mark FAILOVER_MARK, or a \
             backup that serves answers for a dead primary",
        ]
    );
}
