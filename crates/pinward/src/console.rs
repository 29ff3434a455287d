//! Where the console listens, and its TLS: the same files and rules as for terminals, read again while it runs.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use host::ServerTls;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::{
    command::Usage,
    config::{self, Config},
};

/// The console's port, taken.
pub(crate) struct Door {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    pub(crate) tls: Option<Tls>,
}

/// TLS of the console, and who looks after its files until it is dropped.
pub(crate) struct Tls {
    server: ServerTls,
    watching: JoinHandle<()>,
    _stop: watch::Sender<bool>,
}

impl Tls {
    /// For the router.
    pub(crate) fn terminator(&self) -> Arc<dyn web::Terminator> {
        Arc::new(Terminator(self.server.clone()))
    }

    /// Reads certificate and key again; says what could not be used.
    pub(crate) fn reload(&self) -> Vec<String> {
        self.server.reload()
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

struct Terminator(ServerTls);

#[async_trait]
impl web::Terminator for Terminator {
    async fn accept(&self, stream: TcpStream) -> Result<Box<dyn web::Stream>, String> {
        self.0.accept(stream).await.map(|stream| Box::new(stream) as Box<dyn web::Stream>)
    }
}

/// Takes the port, if what stands before it is enough.
pub(crate) async fn open(config: &Config, accounts: bool) -> anyhow::Result<Door> {
    let console = &config.console;
    let fences = web::Fences { tls: console.tls.is_some(), accounts, sandbox: config.host.sandbox };
    let listener = web::bind(console.address, fences).await.map_err(|e| Usage(with_source(&e)))?;
    let address = listener.local_addr()?;
    let tls = match &console.tls {
        None => None,
        Some(tls) => {
            let server = ServerTls::new(address, &tls.certificate, &tls.key)
                .map_err(|problems| Usage(format!("console.tls: {}", problems.join("; "))))?;
            let (stop, stopped) = watch::channel(false);
            let every = Duration::from_millis(config.host.certificate_check_ms.max(1));
            let watching = tokio::spawn(server.clone().watch(every, stopped));
            Some(Tls { server, watching, _stop: stop })
        }
    };
    Ok(Door { listener, address, tls })
}

/// What the pages need to know of it.
pub(crate) fn entrance(console: &config::Console, address: SocketAddr) -> anyhow::Result<web::Entrance> {
    let client = |settings: &oidc::Settings| {
        oidc::Client::new(settings.clone(), &console.page(address)).map_err(Usage)
    };
    Ok(web::Entrance {
        names: console.names.clone(),
        secure: console.tls.is_some(),
        oidc: console.oidc.as_ref().map(client).transpose()?.map(Arc::new),
    })
}

fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
