//! TLS around a probe's connection.
//!
//! Every probe makes a whole handshake, as a phone that connects for the first time does: a resumed session would not
//! show that a certificate has expired meanwhile. Which authorities are trusted is read anew every few minutes, so
//! that a renewed file counts without a reload, and is kept once for all probers.

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::Mutex, time::Instant};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::{
            Resumption,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{
            CertificateDer, IpAddr, PrivateKeyDer, ServerName, UnixTime,
            pem::{self, PemObject as _},
        },
    },
};

use super::{ask::clean_within, tcp::Connection, words};
use crate::config::model::{OwnCertificate, Tls};

/// How long what was read of authorities is good for.
const FRESH: Duration = Duration::from_mins(5);
/// Long enough for what rustls says of a certificate, the names in it included.
const LONGEST_REFUSAL: usize = 200;
/// The most authorities of a file: a whole system's are some hundred and fifty.
const MOST_AUTHORITIES: usize = 10_000;
/// The most certificates that are shown.
const LONGEST_CHAIN: usize = 10;

/// With what a client connects.
static TRUST: Mutex<Option<Trust>> = Mutex::const_new(None);
type Trust = HashMap<Papers, (Instant, Arc<ClientConfig>)>;

/// Whom a client trusts, and what it shows of itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Papers {
    authorities: Authorities,
    own: Option<OwnCertificate>,
}

/// Whose signatures count.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Authorities {
    /// The system's.
    System,
    /// Those of a PEM file.
    File(PathBuf),
    /// Anybody's.
    Any,
}

/// How one server is spoken to.
pub(super) struct Session {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Session {
    /// The session for `server`. What fails here is this machine's own.
    pub(super) async fn new(tls: &Tls, server: SocketAddr) -> Result<Self, String> {
        let name = match &tls.server_name {
            Some(name) => ServerName::try_from(name.clone())
                .map_err(|_| format!("cannot ask for a certificate of {name}: not a host's name"))?,
            None => ServerName::IpAddress(IpAddr::from(server.ip())),
        };
        let authorities = match (tls.verify, &tls.ca) {
            (false, _) => Authorities::Any,
            (true, Some(path)) => Authorities::File(path.clone()),
            (true, None) => Authorities::System,
        };
        Ok(Self { config: config(Papers { authorities, own: tls.own.clone() }).await?, name })
    }

    /// The handshake.
    pub(super) async fn secure(&self, connection: Connection) -> Result<TlsStream<Connection>, String> {
        let connector = TlsConnector::from(Arc::clone(&self.config));
        connector.connect(self.name.clone(), connection).await.map_err(|error| refused(&error))
    }
}

/// Ends TLS as its rules have it: a bare end is an error that servers log. What cannot be sent at once stays unsent.
pub(super) fn part(secured: &mut TlsStream<Connection>) {
    let (connection, session) = secured.get_mut();
    session.send_close_notify();
    let mut farewell = Vec::new();
    if session.write_tls(&mut farewell).is_ok() {
        let _ = connection.0.try_write(&farewell);
    }
}

/// A failed handshake in words.
fn refused(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "connection closed in the TLS handshake".to_owned(),
        _ => said(error),
    }
}

/// What went wrong, in words. What a certificate holds is the server's own text.
pub(super) fn said(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidCertificate(CertificateError::Other(other)))
            if other.to_string() == "CaUsedAsEndEntity" =>
        {
            "TLS: invalid peer certificate: it is an authority's own (CA:TRUE), which no server may show"
                .to_owned()
        }
        Some(tls) => format!("TLS: {}", clean_within(LONGEST_REFUSAL, tls.to_string().as_bytes())),
        None => words(error),
    }
}

async fn config(papers: Papers) -> Result<Arc<ClientConfig>, String> {
    // Held while it is read, so that many probers that begin at once read it once.
    let mut trust = TRUST.lock().await;
    let trust = trust.get_or_insert_default();
    if let Some((read, config)) = trust.get(&papers)
        && read.elapsed() < FRESH
    {
        return Ok(Arc::clone(config));
    }
    trust.retain(|_, (read, _)| read.elapsed() < FRESH);
    let wanted = papers.clone();
    let made = tokio::task::spawn_blocking(move || make(&wanted)).await;
    let config = made.map_err(|error| format!("cannot read certificates: {error}"))??;
    trust.insert(papers, (Instant::now(), Arc::clone(&config)));
    Ok(config)
}

fn make(papers: &Papers) -> Result<Arc<ClientConfig>, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("cannot speak TLS: {error}"))?;
    let builder = match &papers.authorities {
        Authorities::Any => builder.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        Authorities::System => builder.with_root_certificates(system_roots()?),
        Authorities::File(path) => builder.with_root_certificates(roots_of(path)?),
    };
    let mut config = match &papers.own {
        None => builder.with_no_client_auth(),
        Some(own) => builder.with_client_auth_cert(chain_of(&own.certificate)?, key_of(&own.key)?).map_err(
            |error| {
                let (certificate, key) = (own.certificate.display(), own.key.display());
                format!("cannot use the certificate {certificate} with the key {key}: {error}")
            },
        )?,
    };
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn system_roots() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map_or_else(String::new, |error| format!(": {error}"));
        return Err(format!(
            "this machine trusts no certificate authority{why}; install ca-certificates, or set sip.tls.ca"
        ));
    }
    Ok(roots)
}

fn roots_of(path: &Path) -> Result<RootCertStore, String> {
    let failed =
        |error: &dyn std::fmt::Display| format!("cannot read authorities from {}: {error}", path.display());
    let mut roots = RootCertStore::empty();
    let certificates = pem_of(path).map_err(|why| failed(&why))?;
    for certificate in certificates.take(MOST_AUTHORITIES) {
        let certificate = certificate.map_err(|error| failed(&error))?;
        roots.add(certificate).map_err(|error| failed(&error))?;
    }
    if roots.is_empty() {
        return Err(failed(&"no certificate in it; expected PEM"));
    }
    Ok(roots)
}

fn chain_of(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |why: String| format!("cannot read the certificate {}: {why}", path.display());
    let read = pem_of(path).map_err(failed)?.take(LONGEST_CHAIN).collect::<Result<Vec<_>, _>>();
    let chain = read.map_err(|error| failed(error.to_string()))?;
    if chain.is_empty() {
        return Err(failed("no certificate in it; expected PEM".to_owned()));
    }
    Ok(chain)
}

fn key_of(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let failed = |why: String| format!("cannot read the private key {}: {why}", path.display());
    plain_file(path).map_err(failed)?;
    match PrivateKeyDer::from_pem_file(path) {
        Err(pem::Error::NoItemsFound) => Err(failed("no private key in it; expected PEM".to_owned())),
        read => read.map_err(|error| failed(error.to_string())),
    }
}

fn pem_of(path: &Path) -> Result<impl Iterator<Item = Result<CertificateDer<'static>, pem::Error>>, String> {
    plain_file(path)?;
    CertificateDer::pem_file_iter(path).map_err(|error| error.to_string())
}

/// A pipe would keep whoever opens it, and all who wait for what it holds.
fn plain_file(path: &Path) -> Result<(), String> {
    match std::fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err("it is no file".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Takes any certificate (`verify = false`); that its owner signs the handshake is still asked for.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
