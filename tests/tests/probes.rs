//! Services other than plain SIP: probed as their servers answer, and steered to the backup when these die.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use failover_tests::{
    capture::{Capture, Captured},
    daemon::{Daemon, accept_redirects},
    gateway::{self, Gateway},
    kamailio::{Identity, Kamailio, Role, TLS_PORT},
    settings::{Settings, Target},
    sip,
    topology::{BACKUP, DEVICE, Lab, PRIMARY, Weight},
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

const SWITCH: Duration = Duration::from_secs(5);
const NAME: &str = "sip.example";

/// Certificates for [`NAME`] in the laboratory's folder: the authority's, and each server's own.
struct Certificates {
    authority: PathBuf,
    servers: [Identity; 2],
}

impl Certificates {
    fn new(folder: &Path) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, "the laboratory");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let authority = folder.join("ca.pem");
        std::fs::write(&authority, params.self_signed(&key)?.pem())?;
        let issuer = Issuer::new(params, key);
        let server = |name: &str| -> Result<Identity> {
            let key = KeyPair::generate()?;
            let identity = Identity {
                certificate: folder.join(format!("{name}.pem")),
                key: folder.join(format!("{name}.key")),
            };
            let certificate = CertificateParams::new(vec![NAME.to_owned()])?.signed_by(&key, &issuer)?;
            std::fs::write(&identity.certificate, certificate.pem())?;
            std::fs::write(&identity.key, key.serialize_pem())?;
            Ok(identity)
        };
        Ok(Self { servers: [server("primary")?, server("backup")?], authority })
    }

    /// Who answers a phone that connects to the primary's address under TLS and looks at the certificate.
    fn server(&self, lab: &Lab) -> Result<String> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&self.authority)?)?;
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let session = ClientConnection::new(Arc::new(config), ServerName::try_from(NAME)?)?;
        let to = SocketAddr::from((PRIMARY, TLS_PORT));
        let stream = lab.phones.enter(|| TcpStream::connect_timeout(&to, SWITCH).context("connect"))?;
        stream.set_read_timeout(Some(SWITCH))?;
        let request = sip::options_request("TLS", stream.local_addr()?, to, 1);
        let mut phone = StreamOwned::new(session, stream);
        phone.write_all(request.as_bytes()).context("send under TLS")?;
        let mut answer = String::new();
        let mut buffer = [0; 4096];
        while !answer.ends_with("\r\n\r\n") {
            let length = phone.read(&mut buffer).context("receive under TLS")?;
            anyhow::ensure!(length > 0, "the connection ended after {answer:?}");
            answer.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        Ok(sip::header(&answer, "Server").unwrap_or_default().to_owned())
    }
}

/// A target with these services, and how it is probed.
fn settings(lab: &Lab, services: &str, sip: &str) -> Settings {
    let target = Target { services: services.to_owned(), ..Target::new("paris", PRIMARY, BACKUP) };
    let pace = r#"interval = "100ms", timeout = "200ms", fall = 3, rise = 3, hold_down = "200ms""#;
    Settings::empty(lab).with(target).probe(&format!("{{ {pace}{sip} }}"))
}

#[test]
fn a_proxy_is_asked_over_tls_and_phones_that_speak_it_go_to_the_backup() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let certificates = Certificates::new(lab.dir())?;
    let [own, other] = &certificates.servers;
    let mut primary = Kamailio::start_secure(&lab, &lab.primary, Role::PRIMARY, own)?;
    let _backup = Kamailio::start_secure(&lab, &lab.backup, Role::BACKUP, other)?;
    accept_redirects(&lab)?;
    let ca = certificates.authority.display();
    let tls = format!(r#", sip = {{ tls = {{ server_name = "{NAME}", ca = "{ca}" }} }}"#);
    let daemon = Daemon::start(&lab, &settings(&lab, r#"["sips"]"#, &tls))?;
    daemon.wait_all_up(SWITCH)?;
    assert_eq!(certificates.server(&lab)?, "primary");

    // It hangs: connections are still accepted, and nothing is said on them.
    primary.stop()?;
    let target = daemon.wait_serving("paris", "backup", SWITCH)?;
    assert!(
        target["reason"].as_str().is_some_and(|reason| reason.contains("sips/tcp: no answer")),
        "{target}"
    );
    assert_eq!(certificates.server(&lab)?, "backup");
    primary.cont()?;
    daemon.wait_serving("paris", "primary", SWITCH)?;
    assert_eq!(certificates.server(&lab)?, "primary");

    primary.kill()?;
    daemon.wait_serving("paris", "backup", SWITCH)?;
    let capture = Capture::start(&lab.phones, DEVICE, &lab.dir().join("phones.pcapng"))?;
    for _ in 0..3 {
        assert_eq!(certificates.server(&lab)?, "backup");
    }
    let captured = capture.stop()?;
    assert!(captured.count(&format!("ip.src == {PRIMARY} and tcp.srcport == {TLS_PORT}"))? >= 9);
    assert_eq!(captured.count(&format!("ip.addr == {BACKUP}"))?, 0);
    Ok(())
}

#[test]
fn a_proxy_whose_certificate_nobody_trusts_is_no_backup_unless_nobody_looks() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let certificates = Certificates::new(lab.dir())?;
    let [own, other] = &certificates.servers;
    let _primary = Kamailio::start_secure(&lab, &lab.primary, Role::PRIMARY, own)?;
    let _backup = Kamailio::start_secure(&lab, &lab.backup, Role::BACKUP, other)?;
    // No authority of this machine's signed them.
    let tls = format!(r#", sip = {{ tls = {{ server_name = "{NAME}" }} }}"#);
    let mut daemon = Daemon::start(&lab, &settings(&lab, r#"["sips"]"#, &tls))?;
    let target = daemon.wait_serving("paris", "primary", SWITCH)?;
    daemon.run(&["target", "probe", "paris"])?;
    let probes = daemon.target("paris")?["probes"].to_string();
    assert!(probes.contains("TLS: invalid peer certificate: UnknownIssuer"), "{target}: {probes}");

    let blind = ", sip = { tls = { verify = false } }";
    let settings = settings(&lab, r#"["sips"]"#, blind);
    daemon.terminate()?;
    drop(daemon);
    daemon = Daemon::start(&lab, &settings)?;
    daemon.wait_all_up(SWITCH)?;
    assert!(daemon.log().contains("sip.tls.verify is false"), "{}", daemon.log());
    assert!(daemon.run(&["check"])?.contains("warning: target paris: sip.tls.verify is false"));
    Ok(())
}

/// The daemon's questions, by an independent reader.
fn are_understood(captured: &Captured) -> Result<()> {
    for question in [
        format!("mgcp.req.verb == \"AUEP\" and mgcp.req.endpoint == \"*@[{PRIMARY}]\""),
        "udp.dstport == 2944 and megaco.command == \"AuditValue\" and megaco.termid == \"ROOT\"".to_owned(),
        "tcp.dstport == 2944 and tpkt and megaco.command == \"AuditValue\" and megaco.termid == \"ROOT\""
            .to_owned(),
    ] {
        assert!(captured.count(&question)? > 0, "{question}");
    }
    let wrong = "_ws.malformed or megaco.audit.malformed or megaco.error_descriptor_transaction_list.invalid";
    assert_eq!(captured.count(wrong)?, 0);
    Ok(())
}

#[test]
fn a_gateway_is_asked_in_its_own_words_and_its_phones_go_to_the_backup() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let primary = Gateway::start(&lab.primary, PRIMARY, "primary")?;
    let _backup = Gateway::start(&lab.backup, BACKUP, "backup")?;
    accept_redirects(&lab)?;
    let questions = Capture::start(&lab.primary, DEVICE, &lab.dir().join("primary.pcapng"))?;
    let daemon = Daemon::start(&lab, &settings(&lab, r#"["mgcp", "megaco"]"#, ""))?;
    daemon.wait_all_up(SWITCH)?;
    are_understood(&questions.stop()?)?;
    let all = |to: Ipv4Addr| -> Result<[String; 3]> {
        lab.phones.enter(|| {
            Ok([
                gateway::ask_mgcp(to, SWITCH)?,
                gateway::ask_megaco(to, SWITCH)?,
                gateway::ask_megaco_over_tcp(to, SWITCH)?,
            ])
        })
    };
    assert_eq!(all(PRIMARY)?, ["primary"; 3]);

    drop(primary);
    daemon.wait_serving("paris", "backup", SWITCH)?;
    let capture = Capture::start(&lab.phones, DEVICE, &lab.dir().join("phones.pcapng"))?;
    for _ in 0..3 {
        assert_eq!(all(PRIMARY)?, ["backup"; 3]);
    }
    let captured = capture.stop()?;
    assert!(captured.count(&format!("ip.src == {PRIMARY}"))? >= 9);
    assert_eq!(captured.count(&format!("ip.addr == {BACKUP}"))?, 0);
    assert_eq!(captured.bad_checksums()?, 0);

    let _primary = Gateway::start(&lab.primary, PRIMARY, "primary")?;
    daemon.wait_serving("paris", "primary", SWITCH)?;
    assert_eq!(all(PRIMARY)?, ["primary"; 3]);
    Ok(())
}

#[test]
fn a_program_of_the_operator_s_may_decide() -> Result<()> {
    let lab = Lab::new(Weight::Quick)?;
    let alive = |address: Ipv4Addr| lab.dir().join(format!("alive-{address}"));
    for address in [PRIMARY, BACKUP] {
        std::fs::write(alive(address), "")?;
    }
    let script =
        format!("test $FAILOVER_TARGET = paris && test -e {}/alive-$FAILOVER_SERVER", lab.dir().display());
    let command = format!(r#", command = ["/bin/sh", "-c", "{script}"]"#);
    let daemon = Daemon::start(&lab, &settings(&lab, r#"["sip/udp"]"#, &command))?;
    daemon.wait_all_up(SWITCH)?;
    std::fs::remove_file(alive(PRIMARY))?;
    let target = daemon.wait_serving("paris", "backup", SWITCH)?;
    assert!(target["reason"].as_str().is_some_and(|reason| reason.contains("exit code 1")), "{target}");
    std::fs::write(alive(PRIMARY), "")?;
    daemon.wait_serving("paris", "primary", SWITCH)?;
    Ok(())
}
