//! The ways in which servers are probed, what is odd about them, and what is wrong.

use super::{BACKUP, ROUTER, TARGET, file, right, wrong::all};
use crate::config::model::{Command, Probe, RasRequest, Target, Tls, Transport, Way};

fn target(services: &str, probe: &str) -> Target {
    let text = file("", &format!("services = {services}"), &format!("[target.probe]\n{probe}"));
    right(&text).config.targets.remove(0)
}

fn probe(words: &str) -> Probe {
    target("[\"sip\"]", words).probe
}

#[test]
fn every_protocol_has_its_ports() {
    let target = target("[\"sips\", \"mgcp\", \"megaco\", \"mgcp/udp:2727\", \"ras\", \"h225\"]", "");
    let services: Vec<_> =
        target.probed(0..).map(|(service, _)| (service.to_string(), service.port)).collect();
    let expected = [
        ("sips/tcp", 5061),
        ("mgcp/udp", 2427),
        ("megaco/udp", 2944),
        ("megaco/tcp", 2944),
        ("mgcp/udp:2727", 2727),
        ("ras/udp", 1719),
        ("h225/tcp", 1720),
    ];
    assert_eq!(services, expected.map(|(service, port)| (service.to_owned(), port)));
    assert_eq!(target.services[0].transport, Transport::Tcp);
}

#[test]
fn codes_that_count() {
    let probe = probe("mgcp.alive = [\"2xx\", \"500\"]\nmegaco = { alive = [\"5xx\", \"403\"] }");
    assert_eq!(*probe.mgcp_alive.ranges, [(200, 299), (500, 500)]);
    assert_eq!(*probe.megaco_alive.ranges, [(403, 403), (500, 599)]);
    let built_in = Probe::default();
    assert_eq!(built_in.sip_alive.to_string(), "100–499, 600–699");
    assert_eq!(built_in.mgcp_alive.to_string(), "100–299, 400–599, 800–899");
    assert_eq!(built_in.megaco_alive.to_string(), "400–599");
    let written = self::probe("sip.alive = [\"1xx\", \"2xx\", \"3xx\", \"4xx\", \"6xx\"]");
    assert_eq!(written.sip_alive, built_in.sip_alive);
}

#[test]
fn gatekeepers_are_asked_one_thing_or_the_other() {
    let of = |words| target("[\"ras\", \"h225\"]", words).probe.ras;
    assert_eq!(of(""), RasRequest::Lrq);
    assert_eq!(of("ras = { request = \"lrq\" }"), RasRequest::Lrq);
    assert_eq!(of("ras.request = \"grq\"\nh225 = { request = \"status-enquiry\" }"), RasRequest::Grq);
    let defaults = "[defaults.probe]\nras.request = \"grq\"\n";
    let merged = right(&format!("{ROUTER}{defaults}{TARGET}{BACKUP}")).config.targets.remove(0).probe.ras;
    assert_eq!(merged, RasRequest::Grq);
}

#[test]
fn what_counts_of_a_gatekeeper_s_answers_is_said_in_words() {
    let of = |words| target("[\"ras\"]", words).probe.ras_alive;
    let usual = "confirm, or reject for another reason than resourceUnavailable";
    for (words, expected) in [
        ("", usual),
        ("ras.alive = [\"confirm\", \"reject\"]", usual),
        ("ras.alive = [\"reject\", \"resourceUnavailable\"]", "reject"),
        ("ras.alive = [\"confirm\"]", "confirm"),
        (
            "ras.alive = [\"securityDenial\", \"notRegistered\"]",
            "reject because of notRegistered or securityDenial",
        ),
    ] {
        assert_eq!(of(words).to_string(), expected, "{words}");
    }
    assert_eq!(of("ras.alive = [\"undefinedReason\", \"confirm\"]").words(), ["confirm", "undefinedReason"]);
    let defaults = "[defaults.probe]\nras.alive = [\"confirm\"]\n";
    let own = "probe.ras.request = \"grq\"\n";
    let probe = right(&format!("{ROUTER}{defaults}{TARGET}{own}{BACKUP}")).config.targets.remove(0).probe;
    assert_eq!((probe.ras, probe.ras_alive.to_string().as_str()), (RasRequest::Grq, "confirm"));
}

#[test]
fn tls_is_merged_word_by_word() {
    let defaults = "[defaults.probe.sip.tls]\nserver_name = \"sip.example\"\nca = \"/etc/ca.pem\"\n";
    let own = "services = [\"sips\"]\nprobe.sip.tls.server_name = \"paris.example\"\n";
    let tls = right(&format!("{ROUTER}{defaults}{TARGET}{own}{BACKUP}")).config.targets.remove(0).probe.tls;
    let expected =
        Tls { server_name: Some("paris.example".into()), ca: Some("/etc/ca.pem".into()), ..Tls::default() };
    assert_eq!(tls, expected);
    assert_eq!(probe("").tls, Tls::default());
    let own = probe("sip.tls = { certificate = \"/etc/own.pem\", key = \"/etc/own.key\" }").tls.own.unwrap();
    assert_eq!((own.certificate, own.key), ("/etc/own.pem".into(), "/etc/own.key".into()));
}

#[test]
fn the_target_s_own_way_wins() {
    let way = |defaults: &str, own: &str| {
        let text = format!("{ROUTER}[defaults.probe]\n{defaults}\n{TARGET}{BACKUP}[target.probe]\n{own}\n");
        right(&text).config.targets.remove(0).probe.way
    };
    let command = |program: &str, arguments: &[&str]| {
        let arguments = arguments.iter().map(|&text| text.to_owned()).collect();
        Way::Command(Command { program: program.into(), arguments, target: "paris".into() })
    };
    let (run, connect) = ("command = [\"/bin/a\", \"-b\"]", "connect = true");
    assert_eq!(way("", ""), Way::Protocol);
    assert_eq!(way(run, ""), command("/bin/a", &["-b"]));
    assert_eq!(way(connect, run), command("/bin/a", &["-b"]));
    assert_eq!(way(run, "command = [\"/bin/c\"]"), command("/bin/c", &[]));
    assert_eq!(way(run, connect), Way::Connect);
    assert_eq!(way(run, "connect = false"), Way::Protocol);
    assert_eq!(way(run, "command = []"), Way::Protocol);
    assert_eq!(way(connect, "connect = false"), Way::Protocol);
}

fn warnings(services: &str, probe: &str) -> Vec<String> {
    let rest = format!("dedicated = true\n[target.probe]\n{probe}");
    right(&file("", &format!("services = {services}"), &rest)).warnings
}

#[test]
fn an_unverified_certificate_is_said_out_loud() {
    let found = warnings("[\"sips\"]", "sip.tls.verify = false");
    let [warning] = found.as_slice() else { panic!("{found:?}") };
    assert!(
        warning.starts_with("target paris: sip.tls.verify is false, so any certificate counts"),
        "{warning}"
    );
    assert_eq!(warnings("[\"sips\"]", "sip.tls.server_name = \"sip.example\""), [""; 0]);
}

#[test]
fn words_without_effect() {
    for (services, probe, expected) in [
        ("[\"sip\"]", "sip.tls.verify = false", "target paris: sip.tls has no effect"),
        ("[\"sips\"]", "connect = true\nsip.tls.verify = false", "target paris: sip.tls has no effect"),
        ("[\"mgcp\"]", "connect = true", "target paris: connect = true has no effect"),
    ] {
        let found = warnings(services, probe);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{found:?}");
    }
    assert_eq!(warnings("[\"megaco\"]", "connect = true"), [""; 0]);
    assert_eq!(warnings("[\"mgcp\"]", "command = [\"/bin/true\"]"), [""; 0]);
}

#[test]
fn sip_probe() {
    all(
        &[
            ("sip = §true", "must be a table", ""),
            ("sip.method = §\"INVITE\"", "probing with `INVITE` is not supported yet", "\"OPTIONS\""),
            ("sip.method = §\"options\"", "case-sensitive", "did you mean \"OPTIONS\"?"),
            ("sip.method = §\"NO WAY\"", "`NO WAY` is no SIP method", ""),
            ("sip.method = §\"\"", "is no SIP method", ""),
            ("sip.§foo = 1", "unknown word `foo`", "expected one of method, alive, tls"),
            ("sip.§verify = false", "unknown word `verify`", "a word of `sip.tls`"),
            ("sip.tls = §false", "must be a table", ""),
            ("sip.tls.§ca_file = \"/a\"", "unknown word `ca_file` in `sip.tls`", ""),
            ("sip.tls.ca = §\"ca.pem\"", "must be an absolute path", ""),
            ("sip.tls.verify = §0", "must be true or false", ""),
            ("sip.tls = { ca = §\"/ca.pem\", verify = false }", "`ca` has no effect beside", "one of them"),
            ("sip.tls.server_name = §\"192.0.2.10\"", "is no name of a host", "the server's address"),
            ("sip.tls.server_name = §\"sip.example:5061\"", "is no name of a host", ""),
            ("sip.tls.server_name = §\"\"", "is no name of a host", ""),
            ("sip.tls.server_name = §\"a..b\"", "is no name of a host", ""),
            ("sip.alive = §\"2xx\"", "must be a list of status codes", ""),
            ("sip.alive = §[]", "no answer would count as alive", ""),
            ("sip.alive = [\"2xx\", §\"7xx\"]", "`7xx` is no SIP status", ""),
            ("sip.alive = [§\"2x\"]", "`2x` is no SIP status", ""),
            ("sip.alive = [§\"99\"]", "`99` is no SIP status", ""),
            (
                "sip.alive = [§200]",
                "must be a status code such as \"2xx\" or \"404\", not an integer",
                "in quotes",
            ),
        ],
        |lines| file("", "", &format!("[target.probe]\n{lines}")),
    );
}

#[test]
fn codes_of_other_protocols() {
    all(
        &[
            ("mgcp = §true", "must be a table", ""),
            (
                "mgcp.§method = \"AUEP\"",
                "unknown word `method` in the probe's `mgcp`",
                "expected one of alive",
            ),
            ("mgcp.alive = [§\"3xx\"]", "is no MGCP response code: expected", ""),
            ("mgcp.alive = [§\"000\"]", "of 1xx, 2xx, 4xx, 5xx, 8xx", ""),
            ("megaco.alive = [\"4xx\", §\"2xx\"]", "is no MEGACO error code", ""),
            ("megaco.alive = §[]", "no answer would count as alive", ""),
        ],
        |lines| file("", "", &format!("[target.probe]\n{lines}")),
    );
}
