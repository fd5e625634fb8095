//! Every error, with its place. In the texts, `§` stands before each thing that is wrong.

use super::{BACKUP, ROUTER, TARGET, file, wrong_at};

/// (lines with one mark, what the message says, what the help says)
type Row = (&'static str, &'static str, &'static str);

/// Puts each row's lines into a file that is otherwise right, and compares.
pub(super) fn all(rows: &[Row], file: impl Fn(&str) -> String) {
    for (lines, message, help) in rows {
        let problems = wrong_at(&file(lines));
        let [problem] = problems.as_slice() else { panic!("{lines}: {problems:?}") };
        assert!(problem.message.contains(message), "{lines}: message: {}", problem.message);
        let found = problem.help.as_deref().unwrap_or_default();
        assert!(found.contains(help), "{lines}: help: {found}");
    }
}

#[test]
fn router() {
    all(
        &[
            (
                "§control_sock = 1",
                "unknown word `control_sock` in [router]",
                "did you mean `control_socket`?",
            ),
            ("§max-flows = 1", "unknown word `max-flows`", "did you mean `max_flows`?"),
            ("§steer = \"nat\"", "unknown word `steer` in [router]", "`steer` is a word of [[target]]"),
            ("§zzz = 1", "unknown word `zzz`", "expected one of interfaces, control_socket"),
            ("max_flows = §1023", "from 1024 to 16777216, not `1023`", ""),
            ("max_flows = §16777217", "from 1024 to 16777216", ""),
            ("max_flows = §-1", "from 1024 to 16777216, not `-1`", ""),
            ("max_flows = §99999999999999999999999", "from 1024 to 16777216", ""),
            ("max_flows = §\"many\"", "must be a whole number from 1024 to 16777216, not a string", ""),
            ("state_dir = §\"var/lib\"", "must be an absolute path, and `var/lib` is not", ""),
            ("bpffs_dir = §\"\"", "must be an absolute path", ""),
            ("bpffs_dir = §\"/a\\u0000b\"", "NUL", ""),
            ("control_socket = §[]", "must be a path such as", ""),
            (
                "forward = §\"xpd\"",
                "`forward` cannot be `xpd`: expected one of \"xdp\", \"kernel\"",
                "did you mean \"xdp\"?",
            ),
            (
                "envelope_source = §\"192.0.2.1/28\"",
                "`192.0.2.1/28` has bits behind the first 28",
                "write \"192.0.2.0/28\"",
            ),
            ("envelope_source = §\"192.0.2.0\"", "must be an IPv4 prefix such as \"192.0.2.0/28\"", ""),
            ("envelope_source = §\"2001:db8::/64\"", "must be an IPv4 prefix", "it has a flow label"),
            ("envelope_source = §\"10.0.0.0/15\"", "from /16 to /31, not 10.0.0.0/15", "(/28)"),
            ("envelope_source = §\"203.0.113.7/32\"", "from /16 to /31", "leave it out"),
            (
                "envelope_source = §\"127.0.0.0/24\"",
                "127.0.0.0/24 has loopback addresses",
                "routed to this router",
            ),
            ("envelope_source = §\"239.1.0.0/16\"", "has multicast addresses", ""),
            ("envelope_source = §\"255.255.255.0/24\"", "has reserved addresses", ""),
            ("envelope_source = §\"169.254.0.0/16\"", "has link-local addresses", ""),
            ("envelope_source = §[]", "must be an IPv4 prefix such as \"192.0.2.0/28\", not ", ""),
            (
                "envelope_source = §\"192.0.2.0/28\"",
                "192.0.2.0/28 has the address of a server, 192.0.2.10",
                "a prefix that no host has",
            ),
            ("envelope_source = §\"198.51.100.0/24\"", "has the address of a server, 198.51.100.20", ""),
            ("http_listen = §\"9469\"", "must be an address and a port such as", "0.0.0.0:9469"),
            ("http_listen = §\"127.0.0.1:0\"", "`http_listen` needs a port from 1 to 65535", ""),
            ("hook = §\"hook\"", "`hook` must be an absolute path, and `hook` is not", ""),
            ("§api_listen = \"0.0.0.0:9471\"", "`api_listen` is not supported yet", "control_socket"),
            ("§api_tls = { certificate = \"a\", key = \"b\" }", "`api_tls` is not supported yet", ""),
            ("§api_token_file = \"/etc/failover/token\"", "`api_token_file` is not supported yet", ""),
        ],
        |lines| file(lines, "", ""),
    );
    let long = format!("control_socket = §\"/{}\"", "x".repeat(107));
    assert!(
        wrong_at(&file(&long, "", ""))[0].message.contains("shorter than 108 bytes, and this one has 108")
    );
}

#[test]
fn interfaces() {
    all(
        &[
            ("§[]", "`interfaces` is empty", "ip -br link"),
            ("§\"wan0\"", "must be a list of interfaces such as [\"wan0\", \"lan0\"], not a string", ""),
            ("[§7]", "must be the name of an interface such as \"wan0\", not an integer", "in quotes"),
            ("[§\"\"]", "1 to 15 bytes", ""),
            ("[§\"sixteen-bytes-xx\"]", "1 to 15 bytes", "ip -br link"),
            ("[§\"a/b\"]", "`a/b` is no name of an interface", ""),
            ("[§\"a b\"]", "no name of an interface", ""),
            ("[§\"..\"]", "no name of an interface", ""),
            ("[\"a\", §\"a\"]", "interface `a` is there twice", "leave one of them out"),
            ("[\"a\", §{ name = \"a\", mode = \"native\" }]", "interface `a` is there twice", ""),
            (
                "[{ name = \"a\", mode = §\"nativ\" }]",
                "expected one of \"auto\", \"native\", \"generic\"",
                "did you mean \"native\"?",
            ),
            (
                "[{ name = \"a\", §moed = \"auto\" }]",
                "unknown word `moed` in an interface",
                "did you mean `mode`?",
            ),
            ("[§{ mode = \"auto\" }]", "an interface needs `name`", "name = \"wan0\""),
        ],
        |value| format!("[router]\ninterfaces = {value}\n{TARGET}{BACKUP}"),
    );
}

#[test]
fn target() {
    all(
        &[
            ("§fall = 3", "unknown word `fall` in [[target]]", "`fall` is a word of `probe`"),
            ("§dedicated = true", "unknown word `dedicated`", "a word of [[target.backup]]"),
            ("§adress = \"192.0.2.10\"", "unknown word `adress`", "did you mean `address`?"),
            ("steer = §\"ip-ip\"", "cannot be `ip-ip`", "did you mean \"ipip\"?"),
            (
                "steer = §\"NAT\"",
                "cannot be `NAT`: expected one of \"nat\", \"l2\", \"ipip\"",
                "did you mean \"nat\"?",
            ),
            ("steer = §1", "must be one of \"nat\", \"l2\", \"ipip\", not an integer", "in quotes"),
            (
                "failback = §\"drained\"",
                "expected one of \"drain\", \"immediate\", \"manual\"",
                "did you mean \"drain\"?",
            ),
            ("failback = §\"imediate\"", "cannot be `imediate`", "did you mean \"immediate\"?"),
            ("affinity = §\"xyz\"", "expected one of \"flow\", \"call\"", ""),
            (
                "all_down = §\"backups\"",
                "expected one of \"primary\", \"backup\", \"drop\"",
                "did you mean \"backup\"?",
            ),
            ("require = §\"al\"", "expected one of \"all\", \"any\"", "did you mean \"all\"?"),
            ("learn = §true", "`learn = true` is not supported yet", "write false"),
            ("replay = §\"no\"", "must be true or false, not a string", ""),
            ("udp_idle = §\"2 hors\"", "`udp_idle` must be a duration", "a number and its unit"),
            ("tcp_idle = §\"2 hors\"", "`tcp_idle` must be a duration", "a number and its unit"),
            ("drain_limit = §\"2y\"", "`drain_limit` must be from 1s", ""),
            ("probe = §\"fast\"", "must be a table such as { interval", ""),
        ],
        |lines| file("", lines, ""),
    );
}

#[test]
fn ways_that_the_kernel_cannot_go() {
    all(
        &[
            ("steer = §\"l2\"", "steer = \"l2\" cannot go with forward = \"kernel\"", "forward = \"xdp\""),
            (
                "steer = §\"ipip\"",
                "steer = \"ipip\" cannot go with forward = \"kernel\"",
                "write \"nat\" here",
            ),
        ],
        |lines| file("forward = \"kernel\"", lines, ""),
    );
}

#[test]
fn names() {
    all(
        &[
            ("§\"\"", "must not be empty", ""),
            ("§\"pa ris\"", "letters, digits, `-`, `_` and `.` only", ""),
            ("§\"pärис\"", "letters, digits", ""),
            ("§\"-paris\"", "begins with a letter or a digit", ""),
            ("§\"..\"", "begins with a letter or a digit", ""),
            ("§12", "must be a name such as \"paris\", not an integer", "in quotes"),
            (
                "§\"a234567890123456789012345678901234567890123456789012345678901234\"",
                "at most 63 bytes, this one 64",
                "",
            ),
        ],
        |name| format!("{ROUTER}[[target]]\naddress = \"192.0.2.10\"\nname = {name}\n{BACKUP}"),
    );
    all(
        &[
            ("§\"primary\"", "`primary` is a reserved word", ""),
            ("§\"auto\"", "`auto` is a reserved word", ""),
            ("§\"a b\"", "letters, digits", ""),
        ],
        |name| format!("{ROUTER}{TARGET}[[target.backup]]\naddress = \"198.51.100.20\"\nname = {name}\n"),
    );
}

/// The same of a target's address and of a backup's.
fn both_ways(rows: &[Row]) {
    all(rows, |address| format!("{ROUTER}[[target]]\nname = \"paris\"\naddress = {address}\n{BACKUP}"));
    all(rows, |address| {
        format!("{ROUTER}{TARGET}[[target.backup]]\nname = \"nsp-1\"\naddress = {address}\n")
    });
}

#[test]
fn addresses() {
    both_ways(&[
        (
            "§\"sip.example.com\"",
            "`sip.example.com` is a name, and `address` must be an address",
            "while DNS is not",
        ),
        ("§\"localhost\"", "`localhost` is a name", ""),
        ("§\"192.0.2\"", "`192.0.2` is not an address: expected an address such as", ""),
        ("§\"192.0.2.010\"", "is not an address", ""),
        ("§\"192.0.2.300\"", "is not an address", ""),
        ("§\"\"", "is not an address", ""),
        ("§\"192.0.2.10:5060\"", "an address alone, without port, prefix or zone", "`services`"),
        ("§\"192.0.2.10/32\"", "an address alone", ""),
        ("§\"[192.0.2.10]\"", "an address alone", ""),
        ("§\"0.0.0.0\"", "0.0.0.0 is the unspecified address", ""),
        ("§\"127.0.0.1\"", "127.0.0.1 is a loopback address", ""),
        ("§\"224.0.1.41\"", "is a multicast address", ""),
        ("§\"255.255.255.255\"", "is the broadcast address", ""),
        ("[\"192.0.2.10\", §\"192.0.2.11\"]", "two IPv4 addresses", "another [[target]]"),
        ("§[]", "`address` is empty", ""),
        ("[§7]", "must be an address such as \"192.0.2.10\", not an integer", ""),
        ("§192.5", "must be an address such as \"192.0.2.10\", not a float", "in quotes"),
    ]);
}

#[test]
fn ipv6_addresses() {
    both_ways(&[
        ("§\"[2001:db8::10]:5060\"", "an address alone", "`ports`"),
        ("§\"[2001:db8::10]\"", "an address alone", ""),
        ("§\"2001:db8::10/64\"", "an address alone", ""),
        ("§\"fe80::10%wan0\"", "an address alone", ""),
        ("§\"2001:db8::10::1\"", "is not an address", ""),
        ("§\"2001:db8::g\"", "is not an address", ""),
        ("§\"::\"", ":: is the unspecified address", ""),
        ("§\"::1\"", "::1 is a loopback address", ""),
        ("[\"192.0.2.10\", §\"::1\"]", "::1 is a loopback address", ""),
        ("§\"ff02::1:3\"", "ff02::1:3 is a multicast address", ""),
        ("§\"fe80::10\"", "fe80::10 is a link-local address", "global or unique local address"),
        ("§\"febf::10\"", "febf::10 is a link-local address", ""),
        ("§\"::ffff:192.0.2.10\"", "is an IPv4-mapped address", "write it as IPv4: \"192.0.2.10\""),
        ("§\"::ffff:0.0.0.0\"", "is an IPv4-mapped address", ""),
        (
            "[\"2001:db8::10\", \"192.0.2.10\", §\"2001:db8::11\"]",
            "two IPv6 addresses",
            "another [[target.backup]]",
        ),
        ("[\"2001:db8::10\", §\"2001:db8:0::10\"]", "two IPv6 addresses", ""),
    ]);
}

#[test]
fn services() {
    all(
        &[
            ("§\"sip\"", "must be a list of services such as [\"sip\"], not a string", ""),
            ("§[]", "`services` is empty", "[\"sip\"]"),
            ("[§5060]", "must be a service such as", "in quotes"),
            ("[§\"h225/udp\"]", "no such transport: expected \"h225/tcp\"", ""),
            ("[\"sips\", §\"sip/tcp:5061\"]", "5061/tcp is there twice", ""),
            ("[§\"mgcp/tcp\"]", "no such transport: expected \"mgcp/udp\"", ""),
            ("[§\"spi\"]", "`spi` is no service: expected one of \"sip\", \"sips\"", "did you mean \"sip\"?"),
            ("[§\"SIP\"]", "`SIP` is no service", "did you mean \"sip\"?"),
            ("[§\"http\"]", "`http` is no service", "sip/udp:5080"),
            ("[§\"\"]", "is no service", ""),
            ("[§\"sip:5080\"]", "`sip:5080` is no service", "\"sip/udp:5080\", \"sip/tcp:5080\""),
            ("[§\"sip/sctp\"]", "no such transport: expected \"sip/udp\" or \"sip/tcp\"", ""),
            ("[§\"sip/tls:5061\"]", "no such transport", "\"sips\""),
            ("[§\"sips/udp\"]", "no such transport: expected \"sips/tcp\"", ""),
            ("[§\"ras/tcp\"]", "no such transport: expected \"ras/udp\"", ""),
            ("[§\"sip/udp:0\"]", "no such port: expected a number from 1 to 65535", ""),
            ("[§\"sip/udp:65536\"]", "no such port", ""),
            ("[§\"sip/udp:05060\"]", "no such port", ""),
            ("[§\"sip/udp:+5060\"]", "no such port", ""),
            ("[§\"sip/udp:\"]", "no such port", ""),
            ("[§\"sip/udp:5060 \"]", "no such port", ""),
            ("[\"sip\", §\"sip/udp\"]", "5060/udp is there twice", "leave one of them out"),
            ("[\"sip/udp\", §\"sip/udp:5060\"]", "5060/udp is there twice", ""),
        ],
        |services| file("", &format!("services = {services}"), ""),
    );
}

#[test]
fn backup() {
    all(
        &[
            ("dedicated = §1", "`dedicated` must be true or false, not an integer", ""),
            ("ports = §15060", "must be a table of services and ports", ""),
            (
                "ports = { §\"sip/tcp\" = 1 }",
                "`ports` names what is no service of target `paris`",
                "\"sip/udp\"",
            ),
            ("ports = { §\"sip/udp:5080\" = 1 }", "what is no service of target `paris`", "\"sip/udp\""),
            ("ports = { §\"ras/udp\" = 1 }", "what is no service of target", ""),
            ("ports = { §sip = 15060 }", "`sip` in `ports` needs a transport", "\"sip/udp\" = …"),
            ("ports = { §\"spi/udp\" = 1 }", "`spi/udp` is no service", "did you mean \"sip\"?"),
            ("ports = { \"sip/udp\" = §0 }", "from 1 to 65535, not `0`", ""),
            ("ports = { \"sip/udp\" = §65536 }", "from 1 to 65535", ""),
            ("ports = { \"sip/udp\" = §\"15060\" }", "from 1 to 65535, not a string", ""),
            ("ports = { \"sip/udp\" = 1, §\"sip/udp:5060\" = 2 }", "`ports` names sip/udp twice", ""),
            ("§port = 15060", "unknown word `port` in [[target.backup]]", "did you mean `ports`?"),
            ("§steer = \"nat\"", "unknown word `steer` in [[target.backup]]", "a word of [[target]]"),
        ],
        |lines| file("", "services = [\"sip/udp\"]", lines),
    );
    let several = file("", "services = [\"sip/udp:5070\", \"sip/udp:5080\"]", "ports = { §\"sip/udp\" = 1 }");
    assert!(wrong_at(&several)[0].message.contains("without its port, and there are several"));
    let one_port = "ports = { \"sip/udp:5070\" = 5080 }\ndedicated = §true";
    let problems = wrong_at(&file("", "services = [\"sip/udp:5070\", \"sip/udp:5080\"]", one_port));
    assert!(problems[0].message.contains("lead to one port of a dedicated backup"), "{problems:?}");
}

#[test]
fn a_backup_that_carries_the_targets_address() {
    for steer in ["l2", "ipip"] {
        let steer = format!("services = [\"sip/udp\"]\nsteer = \"{steer}\"");
        for (lines, message) in [
            ("dedicated = §true", "`dedicated` is for steer = \"nat\", and this target has"),
            ("dedicated = §false", "`dedicated` is for steer = \"nat\""),
            ("ports = §{ \"sip/udp\" = 15060 }", "`ports` is for steer = \"nat\""),
        ] {
            let problems = wrong_at(&file("", &steer, lines));
            assert!(problems[0].message.contains(message), "{problems:?}");
            assert!(
                problems[0].help.as_ref().is_some_and(|help| help.contains("leave it out")),
                "{problems:?}"
            );
        }
    }
    let six = BACKUP.replace("\"198", "§\"198").replace("198.51.100.20", "2001:db8::20");
    let l2 = format!("{ROUTER}{TARGET}steer = \"l2\"\n{six}");
    assert!(wrong_at(&l2)[0].message.contains("the backup has an IPv6 address alone"));
    let in_four = format!("{ROUTER}{TARGET}steer = \"ipip\"\n{BACKUP}").replace("\"198", "§\"198");
    let problems = wrong_at(&in_four.replace("192.0.2.10", "2001:db8::10"));
    assert!(problems[0].message.contains("an IPv4 address alone, and the target an IPv6 address alone"));
}

#[test]
fn probe() {
    all(
        &[
            ("interval = §\"1\"", "must be a duration such as \"300ms\" or \"1s\", not `1`", "its unit"),
            ("interval = §\"fast\"", "must be a duration", "its unit"),
            ("interval = §1", "must be a duration such as \"300ms\" or \"1s\", not an integer", "in quotes"),
            ("interval = §\"0s\"", "must be from 10ms to 1h, not `0s`", ""),
            ("interval = §\"2h\"", "must be from 10ms to 1h", ""),
            ("interval = §\"99999999999999999999s\"", "must be a duration", ""),
            ("fast_interval = §\"9ms\"", "`fast_interval` must be from 10ms to 1h", ""),
            ("silence = §\"61s\"", "`silence` must be from 0s to 1m", ""),
            ("flap = §\"off\"", "must be a table such as { limit = 2, half_life = \"1m\" }", ""),
            ("flap = { limit = §0 }", "`limit` must be a whole number from 1 to 255", ""),
            ("flap = { §halflife = \"1m\" }", "unknown word `halflife` in the probe's `flap`", "half_life"),
            ("fall = §0", "`fall` must be a whole number from 1 to 255, not `0`", ""),
            ("fall = §256", "from 1 to 255", ""),
            ("§interwal = \"1s\"", "unknown word `interwal` in `probe`", "did you mean `interval`?"),
            ("§alive = [\"2xx\"]", "unknown word `alive`", "a word of the probe's `sip`"),
            ("ras = §\"lrq\"", "must be a table such as { request = \"lrq\" }", ""),
            ("ras = { request = §\"rrq\" }", "expected one of \"lrq\", \"grq\"", "did you mean"),
            ("ras.alive = [§\"lrj\"]", "`lrj` is no answer of a gatekeeper: expected", "reasons are aliases"),
            (
                "ras.alive = [\"reject\", §\"resourceunavailable\"]",
                "no answer of a gatekeeper",
                "did you mean",
            ),
            ("ras.alive = §[]", "`alive` is empty: no answer would count", ""),
            ("sip.tls.certificate = §\"/etc/a.pem\"", "needs its private key beside it", "write `key`, too"),
            ("sip.tls.key = §\"/etc/a.key\"", "needs its certificate beside it", "write `certificate`, too"),
            ("h225 = { request = §\"setup\" }", "expected \"status-enquiry\"", ""),
            ("command = §\"/bin/true\"", "must be a list of a program and its arguments", ""),
            ("command = [§\"true\"]", "`command` must be an absolute path", ""),
            ("command = [\"/bin/true\", §1]", "must be an argument in quotes, not an integer", ""),
            ("command = [\"/bin/true\", §\"a\\u0000b\"]", "must not contain a NUL character", ""),
            ("connect = §\"yes\"", "must be true or false", ""),
            ("connect = §true\ncommand = [\"/bin/true\"]", "cannot both be what a probe does", "one of them"),
        ],
        |lines| file("", "", &format!("[target.probe]\n{lines}")),
    );
}
