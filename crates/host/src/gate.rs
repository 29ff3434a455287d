//! A way in that is no port: whoever has a stream - of a simulated network, of a test, of a socket handed over by another
//! process - has it served exactly like a connection of a listener. What belongs to accepting (TLS, connections per
//! source) stays with the listener; every limit of a connection holds here too.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
};

use crate::{
    Shared,
    config::ListenerConfig,
    connection::{self, Peer},
    listener::{self, Link, StartError},
};

/// Serves streams by a listener's configuration.
#[derive(Clone)]
pub struct Gate {
    shared: Arc<Shared>,
    link: Arc<Link>,
    stopped: watch::Receiver<bool>,
}

impl Gate {
    pub(crate) fn new(
        shared: Arc<Shared>,
        config: &ListenerConfig,
        stopped: watch::Receiver<bool>,
    ) -> Result<Self, StartError> {
        let link = Arc::new(listener::link(config, &shared.settings)?);
        listener::module_can(config, &link, &*shared.module)?;
        Ok(Self { shared, link, stopped })
    }

    /// Serves one stream, given as its two halves, until it ends or the host shuts down. `peer` is who is said to be at
    /// the other end, in logs and limits.
    pub async fn serve<R, W>(&self, read: R, write: W, peer: SocketAddr)
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let (shared, link, stopped) =
            (Arc::clone(&self.shared), Arc::clone(&self.link), self.stopped.clone());
        connection::run(read, write, Peer::anybody(peer), shared, link, stopped).await;
    }
}
