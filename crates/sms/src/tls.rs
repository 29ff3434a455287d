//! TLS towards gateways: the system's certificate authorities, or those of one file.

use std::{path::Path, sync::Arc, time::Duration};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, crypto,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

/// Until a handshake is done.
const HANDSHAKE_MAX: Duration = Duration::from_secs(5);

/// Reads the certificate authorities.
///
/// # Errors
/// A sentence for the operator.
pub(crate) fn client(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(authorities(ca_file)?);
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// Puts TLS around a connection.
///
/// # Errors
/// A sentence.
pub(crate) async fn around(
    config: &Arc<ClientConfig>,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned()).map_err(|error| format!("no name: {error}"))?;
    let connecting = TlsConnector::from(Arc::clone(config)).connect(name, stream);
    tokio::time::timeout(HANDSHAKE_MAX, connecting)
        .await
        .map_err(|_| "no TLS in time".to_owned())?
        .map_err(|error| format!("TLS: {error}"))
}

fn authorities(file: Option<&Path>) -> Result<Vec<CertificateDer<'static>>, String> {
    let Some(file) = file else {
        // A system without any is noticed at the first handshake.
        return Ok(rustls_native_certs::load_native_certs().certs);
    };
    let wrong = |error: &dyn std::fmt::Display| format!("sms: ca_file {}: {error}", file.display());
    CertificateDer::pem_file_iter(file)
        .map_err(|error| wrong(&error))?
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(&error))
}
