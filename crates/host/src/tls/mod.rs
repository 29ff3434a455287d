//! TLS on a terminals' port: the host's certificate, the terminals' certificates, and who may speak in which name.
//!
//! ```text
//! files ──► ServerConfig ──► handshake ──► certificate of the peer ──► terminals in whose name it may speak
//!   ▲            │ swapped as a whole; open connections keep theirs
//!   └── watch ───┘
//! ```
//!
//! TLS 1.2 and 1.3 (RFC 5246, RFC 8446) by rustls; older versions, renegotiation and compression are not in it. Sessions
//! are not resumed: every connection proves its certificate anew, so one that was revoked or replaced ends with the
//! connection. Keys are read from files, given to the cipher library and wiped; no error, log or metric has them.

mod certificate;
mod files;
pub(crate) mod server;
pub(crate) mod watch;

use std::{
    net::SocketAddr,
    sync::{Arc, PoisonError, RwLock},
};

use model::TerminalId;
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, InvalidMessage, RootCertStore, ServerConfig,
        crypto::ring,
        server::{NoServerSessionStorage, WebPkiClientVerifier, danger::ClientCertVerifier},
        sign::{CertifiedKey, SingleCertAndKey},
    },
    server::TlsStream,
};

use crate::{
    config::{ClientCertificate, TlsConfig},
    throttle::causes::Cause,
};

/// TLS of one listener.
pub(crate) struct Terminator {
    /// The listener, as configured or bound: for logs and metrics.
    pub(crate) address: SocketAddr,
    config: TlsConfig,
    current: RwLock<Loaded>,
}

/// What the files said when they were last read.
#[derive(Clone)]
struct Loaded {
    server: Arc<ServerConfig>,
    /// Seconds since 1970 after which the host's certificate, or one between it and the root, is worth nothing.
    not_after: i64,
    stamps: files::Stamps,
}

/// A peer whose handshake is done.
pub(crate) struct Accepted {
    pub(crate) stream: TlsStream<TcpStream>,
    /// The terminals in whose name it may speak; `None`: any.
    pub(crate) terminals: Option<Vec<TerminalId>>,
}

impl Terminator {
    /// Reads the files. All that is wrong with them is told at once.
    pub(crate) fn new(address: SocketAddr, config: &TlsConfig, now: i64) -> Result<Self, Vec<String>> {
        let loaded = load(config, now)?;
        Ok(Self { address, config: config.clone(), current: RwLock::new(loaded) })
    }

    /// The same, where the listener is bound now.
    pub(crate) fn at(self, address: SocketAddr) -> Self {
        Self { address, ..self }
    }

    fn current(&self) -> Loaded {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the files again. When they cannot be used, the old ones go on.
    fn reload(&self, now: i64) -> Result<(), Vec<String>> {
        let loaded = load(&self.config, now)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// Shakes hands. Time and number of handshakes are limited by the caller.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Result<Accepted, (Cause, String)> {
        let acceptor = TlsAcceptor::from(self.current().server);
        let stream = acceptor.accept(stream).await.map_err(|error| (cause(&error), error.to_string()))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let terminals = match shown {
            Some(shown) if self.config.bind_terminal => {
                let named = certificate::Certificate::read(shown).map_or_else(Vec::new, |c| c.terminals);
                if named.is_empty() {
                    let none = "its certificate names no terminal".to_owned();
                    return Err((Cause::CertificateNamesNobody, none));
                }
                Some(named)
            }
            _ => None,
        };
        Ok(Accepted { stream, terminals })
    }
}

/// Everything that is wrong with a listener's TLS.
pub(crate) fn problems(config: &TlsConfig, now: i64) -> Vec<String> {
    load(config, now).err().unwrap_or_default()
}

fn cause(error: &std::io::Error) -> Cause {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match tls {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => Cause::PlainOnTls,
        _ => Cause::HandshakeFailed,
    }
}

fn load(config: &TlsConfig, now: i64) -> Result<Loaded, Vec<String>> {
    // Before reading, so that a change while reading is seen the next time.
    let stamps = files::Stamps::of(config);
    let mut problems = contradictions(config);
    let own = files::own(config, now).map_err(|wrong| problems.extend(wrong)).ok();
    let verifier = verifier(config).map_err(|wrong| problems.extend(wrong)).ok();
    let (Some(own), Some(verifier), true) = (own, verifier, problems.is_empty()) else {
        return Err(problems);
    };
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| vec![format!("TLS: {error}")])?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let certified = CertifiedKey::new(own.chain, own.key);
    let mut server = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    Ok(Loaded { server: Arc::new(server), not_after: own.not_after, stamps })
}

/// Settings that make no sense together.
fn contradictions(config: &TlsConfig) -> Vec<String> {
    if config.client_ca.is_some() {
        return Vec::new();
    }
    let without = "asks for terminals' certificates, but there is no tls.client_ca to verify them with";
    let named = [
        ("client", config.client.is_some()),
        ("client_crl", config.client_crl.is_some()),
        ("bind_terminal", config.bind_terminal),
    ];
    named.iter().filter(|(_, set)| *set).map(|(name, _)| format!("tls.{name} {without}")).collect()
}

/// Who verifies terminals' certificates; `None` without `client_ca`.
fn verifier(config: &TlsConfig) -> Result<Option<Arc<dyn ClientCertVerifier>>, Vec<String>> {
    let Some(path) = &config.client_ca else { return Ok(None) };
    let mut problems = Vec::new();
    let mut roots = RootCertStore::empty();
    match files::certificates(path) {
        Ok(chain) => {
            for (index, root) in chain.into_iter().enumerate() {
                if let Err(error) = roots.add(root) {
                    problems.push(format!("{}: certificate {}: {error}", path.display(), index + 1));
                }
            }
        }
        Err(problem) => problems.push(problem),
    }
    let revoked = match config.client_crl.as_deref().map(files::revocations) {
        None => Vec::new(),
        Some(Ok(lists)) => lists,
        Some(Err(problem)) => {
            problems.push(problem);
            Vec::new()
        }
    };
    if !problems.is_empty() {
        return Err(problems);
    }
    let provider = Arc::new(ring::default_provider());
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    if !revoked.is_empty() {
        builder = builder.with_crls(revoked).only_check_end_entity_revocation();
    }
    if config.client == Some(ClientCertificate::Optional) {
        builder = builder.allow_unauthenticated();
    }
    let listed = || config.client_crl.as_ref().unwrap_or(path).display();
    builder.build().map(Some).map_err(|error| vec![format!("{}: {error}", listed())])
}
