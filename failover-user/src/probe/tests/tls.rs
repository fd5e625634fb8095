//! SIP over TLS, with certificates of all kinds.

use std::{path::PathBuf, sync::Arc};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig, SupportedProtocolVersion,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject as _},
        server::WebPkiClientVerifier,
        version::{TLS12, TLS13},
    },
    server::TlsStream,
};

use super::*;
use crate::{
    config::model::{OwnCertificate, Tls},
    proto::sip::Framer,
};

/// A certificate authority, in a file.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: PathBuf,
    folder: tempfile::TempDir,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "an authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file, folder }
    }

    fn signs(&self, name: &str, edit: impl FnOnce(&mut CertificateParams)) -> (Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        edit(&mut params);
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn trusted(&self, server_name: Option<&str>) -> Tls {
        Tls { server_name: server_name.map(str::to_owned), ca: Some(self.file.clone()), ..Tls::default() }
    }

    /// A certificate for a client, and its key, in files.
    fn papers(&self, name: &str) -> OwnCertificate {
        let (certificate, key) = self.signs(name, |_| {});
        let file = |ending: &str| self.folder.path().join(format!("{name}.{ending}"));
        let own = OwnCertificate { certificate: file("pem"), key: file("key") };
        std::fs::write(&own.certificate, certificate.pem()).unwrap();
        std::fs::write(&own.key, key.serialize_pem()).unwrap();
        own
    }
}

fn itself(name: &str) -> (Certificate, KeyPair) {
    let key = KeyPair::generate().unwrap();
    (CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap(), key)
}

/// A server that answers every OPTIONS over TLS with `status`.
async fn server(papers: (Certificate, KeyPair), status: &'static str) -> SocketAddr {
    demanding(papers, status, None, &[&TLS13, &TLS12]).await
}

/// The same, that wants to see a certificate by `clients`.
async fn demanding(
    (certificate, key): (Certificate, KeyPair),
    status: &'static str,
    clients: Option<&Authority>,
    versions: &[&'static SupportedProtocolVersion],
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions);
    let builder = builder.unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_file(&authority.file).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            // Who does not like the certificate goes away, or is sent away.
            let Ok(mut secured) = acceptor.accept(stream).await else { continue };
            let request = request(&mut secured).await;
            secured.write_all(&answer(&request, status)).await.unwrap();
            // TLS ends as it should, before TCP does.
            assert_eq!(secured.read(&mut [0; 1]).await.unwrap(), 0);
        }
    });
    address
}

async fn request(secured: &mut TlsStream<TcpStream>) -> Vec<u8> {
    let mut framer = Framer::default();
    let mut chunk = [0; 4096];
    loop {
        let length = secured.read(&mut chunk).await.unwrap();
        framer.push(&chunk[..length]).unwrap();
        if let Some(request) = framer.next_message().unwrap() {
            assert!(String::from_utf8_lossy(&request).contains("\r\nVia: SIP/2.0/TLS 127.0.0.1:"));
            return request;
        }
    }
}

fn prober(server: SocketAddr, tls: Tls, timeout: Duration) -> Prober {
    let mut prober = of_kind(ServiceKind::Sips, server, Transport::Tcp, timeout);
    prober.subject.policy.tls = tls;
    prober
}

async fn probe(server: SocketAddr, tls: Tls) -> Outcome {
    prober(server, tls, LONG).probe().await
}

#[tokio::test]
async fn an_answer_under_a_right_certificate_is_life() {
    let authority = Authority::new();
    let named = server(authority.signs("sip.example", |_| {}), OK).await;
    let mut prober = prober(named, authority.trusted(Some("sip.example")), LONG);
    for _ in 0..3 {
        assert_eq!(alive(prober.probe().await), "200 OK");
    }
    // Without a name, the certificate is for the address.
    let numbered = server(authority.signs("127.0.0.1", |_| {}), "503 Service Unavailable").await;
    assert_eq!(refused(probe(numbered, authority.trusted(None)).await), "503 Service Unavailable");
}

#[tokio::test]
async fn a_wrong_certificate_is_no_life_unless_nobody_looks_at_it() {
    let authority = Authority::new();
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    let early = |params: &mut CertificateParams| params.not_before = date_time_ymd(4000, 1, 1);
    for (certificate, server_name, why) in [
        (authority.signs("other.example", |_| {}), Some("sip.example"), "not valid for name \"sip.example\""),
        (authority.signs("sip.example", |_| {}), None, "not valid for name \"127.0.0.1\""),
        (authority.signs("sip.example", expired), Some("sip.example"), "certificate expired"),
        (authority.signs("sip.example", early), Some("sip.example"), "certificate not valid yet"),
        (itself("sip.example"), Some("sip.example"), "UnknownIssuer"),
        // Of the same name, but with another key.
        (Authority::new().signs("sip.example", |_| {}), Some("sip.example"), "BadSignature"),
    ] {
        let address = server(certificate, OK).await;
        let said = refused(probe(address, authority.trusted(server_name)).await);
        assert!(said.starts_with("TLS: invalid peer certificate: ") && said.contains(why), "{said}");
        let blind = Tls { server_name: server_name.map(str::to_owned), verify: false, ..Tls::default() };
        assert_eq!(alive(probe(address, blind).await), "200 OK");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_can_be_trusted_itself() {
    let (certificate, key) = itself("sip.example");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    let address = server((certificate, key), OK).await;
    let tls = Tls { server_name: Some("sip.example".to_owned()), ca: Some(file), ..Tls::default() };
    assert_eq!(alive(probe(address, tls).await), "200 OK");
}

/// What `openssl req -x509` makes unless it is told otherwise.
#[tokio::test]
async fn an_authority_s_own_certificate_is_nobody_s_and_the_reason_says_so() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["sip.example".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.pem");
    std::fs::write(&file, certificate.pem()).unwrap();
    let address = server((certificate, key), OK).await;
    let tls = Tls { server_name: Some("sip.example".to_owned()), ca: Some(file), ..Tls::default() };
    let said = refused(probe(address, tls).await);
    assert_eq!(
        said,
        "TLS: invalid peer certificate: it is an authority's own (CA:TRUE), which no server may show"
    );
}

#[tokio::test]
async fn what_speaks_no_tls_is_no_life() {
    let blind = Tls { verify: false, ..Tls::default() };
    for (answer, why) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "TLS: received corrupt message"),
        (b"\x15\x03\x03\x00\x02\x02\x28", "TLS: received fatal alert"),
        (b"", "connection closed in the TLS handshake"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4096]).await.unwrap() > 0);
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.unwrap();
            std::future::pending::<()>().await;
        });
        let said = refused(probe(address, blind.clone()).await);
        assert!(said.starts_with(why), "{said}");
    }
}

#[tokio::test]
async fn a_handshake_alone_is_not_life() {
    let authority = Authority::new();
    let tls = authority.trusted(Some("sip.example"));
    // Never accepted: the kernel's backlog takes it.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut hung = prober(listener.local_addr().unwrap(), tls.clone(), SHORT);
    assert_eq!(failed(hung.probe().await), "no answer in 250ms (connected)");
    // The handshake is made, and then nothing: the answer is to another question.
    let address = server(authority.signs("sip.example", |_| {}), "100 Trying").await;
    let mut only = prober(address, tls, Duration::from_secs(2));
    only.subject.policy.sip_alive = StatusSet { ranges: [(200, 299)].into() };
    assert_eq!(failed(only.probe().await), "no answer in 2s (only 100 Trying)");
}

#[tokio::test]
async fn authorities_that_cannot_be_read_are_no_failure_of_the_server() {
    let address = server(itself("sip.example"), OK).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let tls = Tls { ca: Some(path.clone()), ..Tls::default() };
    let said = unable(probe(address, tls.clone()).await);
    assert!(said.starts_with(&format!("cannot read authorities from {}: ", path.display())), "{said}");
    for text in ["", "no PEM at all\n"] {
        std::fs::write(&path, text).unwrap();
        let said = unable(probe(address, tls.clone()).await);
        assert!(said.ends_with("no certificate in it; expected PEM"), "{said}");
    }
    let garbage = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    std::fs::write(&path, garbage).unwrap();
    let said = unable(probe(address, tls).await);
    assert!(said.starts_with(&format!("cannot read authorities from {}: ", path.display())), "{said}");
}

#[tokio::test]
async fn who_wants_to_know_who_asks_is_shown_a_certificate() {
    let (servers, clients) = (Authority::new(), Authority::new());
    let trusted = servers.trusted(Some("sip.example"));
    for version in [&TLS12, &TLS13] {
        let address = demanding(servers.signs("sip.example", |_| {}), OK, Some(&clients), &[version]).await;
        let shown = |own| Tls { own, ..trusted.clone() };
        assert_eq!(alive(probe(address, shown(Some(clients.papers("router.example")))).await), "200 OK");
        for (own, why) in [
            (None, "TLS: received fatal alert: "),
            (Some(servers.papers("router.example")), "TLS: received fatal alert: "),
        ] {
            let said = refused(probe(address, shown(own)).await);
            assert!(said.starts_with(why), "{said}");
        }
        // Who does not look at the server's certificate can show one, too.
        let blind = Tls { verify: false, own: Some(clients.papers("blind.example")), ..Tls::default() };
        assert_eq!(alive(probe(address, blind).await), "200 OK");
    }
}

#[tokio::test]
async fn papers_that_cannot_be_shown_are_no_failure_of_the_server() {
    let authority = Authority::new();
    let address = server(authority.signs("sip.example", |_| {}), OK).await;
    let good = authority.papers("one.example");
    let folder = authority.folder.path();
    let (missing, text, pipe) = (folder.join("missing"), folder.join("text"), folder.join("pipe"));
    std::fs::write(&text, "no PEM at all\n").unwrap();
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let key = authority.papers("two.example").key;
    let certificate = |path: &PathBuf| OwnCertificate { certificate: path.clone(), ..good.clone() };
    let with_key = |path: &PathBuf| OwnCertificate { key: path.clone(), ..good.clone() };
    for (own, start, why) in [
        (certificate(&missing), "cannot read the certificate ", "No such file"),
        (certificate(&text), "cannot read the certificate ", "no certificate in it; expected PEM"),
        (certificate(&pipe), "cannot read the certificate ", "it is no file"),
        (with_key(&missing), "cannot read the private key ", "No such file"),
        (with_key(&text), "cannot read the private key ", "no private key in it; expected PEM"),
        (with_key(&pipe), "cannot read the private key ", "it is no file"),
        (with_key(&key), "cannot use the certificate ", "with the key "),
    ] {
        let tls = Tls { own: Some(own), ..authority.trusted(Some("sip.example")) };
        let said = unable(probe(address, tls).await);
        assert!(said.starts_with(start) && said.contains(why), "{said}");
    }
}

#[tokio::test]
async fn a_server_can_be_connected_to_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut prober = prober(address, Tls::default(), LONG);
    prober.subject.policy.way = crate::config::model::Way::Connect;
    assert_eq!(alive(prober.probe().await), "connected");
    let (mut stream, _) = listener.accept().await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0, "a plain end");
    drop(listener);
    assert_eq!(refused(prober.probe().await), "connection refused");
}
