//! TLS for another port of the same program, such as the console's: the same files, the same rules about them, read again in
//! the same way. Peers show no certificate there.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use tokio::{net::TcpStream, sync::watch};
use tokio_rustls::server::TlsStream;

use super::{Terminator, watch::Certificates};
use crate::{
    clock::{Clock, SystemClock},
    config::TlsConfig,
};

/// TLS of one port.
#[derive(Clone)]
pub struct ServerTls {
    terminator: Arc<Terminator>,
    certificates: Certificates,
}

impl ServerTls {
    /// Reads certificate and key; `address` names the port in logs and metrics.
    ///
    /// # Errors
    /// Everything that is wrong with the files.
    pub fn new(address: SocketAddr, certificate: &Path, key: &Path) -> Result<Self, Vec<String>> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let terminator = Arc::new(Terminator::new(address, &config(certificate, key), clock.now().0 / 1000)?);
        let certificates = Certificates { terminators: vec![Arc::clone(&terminator)], clock };
        Ok(Self { terminator, certificates })
    }

    /// Everything that is wrong with the files, without keeping them.
    #[must_use]
    pub fn problems(certificate: &Path, key: &Path) -> Vec<String> {
        super::problems(&config(certificate, key), SystemClock.now().0 / 1000)
    }

    /// Shakes hands. The caller limits how long.
    ///
    /// # Errors
    /// Why there is no TLS.
    pub async fn accept(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        self.terminator.accept(stream).await.map(|accepted| accepted.stream).map_err(|(_, why)| why)
    }

    /// Reads the files again; new connections get them. Returns what could not be used: there the old ones go on.
    #[must_use]
    pub fn reload(&self) -> Vec<String> {
        self.certificates.reload()
    }

    /// Looks from time to time whether the files have changed, until it is told to stop.
    pub async fn watch(self, every: Duration, stopped: watch::Receiver<bool>) {
        self.certificates.watch(every, stopped).await;
    }
}

fn config(certificate: &Path, key: &Path) -> TlsConfig {
    TlsConfig {
        certificate: certificate.to_owned(),
        key: key.to_owned(),
        client_ca: None,
        client_crl: None,
        client: None,
        bind_terminal: false,
    }
}
