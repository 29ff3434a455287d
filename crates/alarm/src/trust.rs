//! Whose certificates are believed: the system's authorities, or those of one file.

use std::{path::Path, sync::Arc};

use tokio_rustls::rustls::{
    ClientConfig, RootCertStore, crypto,
    pki_types::{CertificateDer, pem::PemObject},
};

/// Certificates of authorities.
pub(crate) type Authorities = Vec<CertificateDer<'static>>;

/// Reads them. A system without any is no mistake until somebody wants TLS.
///
/// # Errors
/// A sentence, when the file is none.
pub(crate) fn authorities(file: Option<&Path>) -> Result<Authorities, String> {
    let Some(file) = file else {
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "a certificate authority of the system was not read");
        }
        return Ok(found.certs);
    };
    let wrong = |error: &dyn std::fmt::Display| format!("alarms.ca_file {}: {error}", file.display());
    let certs = CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))?;
    let certs: Authorities = certs.collect::<Result<_, _>>().map_err(|error| wrong(&error))?;
    if certs.is_empty() { Err(wrong(&"no certificate in it")) } else { Ok(certs) }
}

/// For webhooks.
///
/// # Errors
/// A sentence; only a program that was built wrongly fails here.
pub(crate) fn client(authorities: &Authorities) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    let (_, ignored) = roots.add_parsable_certificates(authorities.iter().cloned());
    if ignored > 0 {
        tracing::debug!(ignored, "certificate authorities that cannot be read");
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
