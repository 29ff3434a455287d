//! Listening. The console has no TLS yet, so it listens only where this machine alone can reach it.

use std::{future::Future, io, net::SocketAddr, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, sync::oneshot};

/// How long open pages may finish after a shutdown was asked for; listeners of `/api/v1/events` never would.
const GRACE: Duration = Duration::from_secs(3);

/// The console cannot listen there.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another machine could reach it.
    #[error("the console listens on this machine only (127.0.0.1 or [::1]) until it speaks TLS, not on {0}")]
    NotLoopback(SocketAddr),
    /// The address is taken or not ours.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Takes an address that only this machine can reach.
///
/// # Errors
/// [`BindError::NotLoopback`] for every other address, and what the system says.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    if !address.ip().to_canonical().is_loopback() {
        return Err(BindError::NotLoopback(address));
    }
    TcpListener::bind(address).await.map_err(|source| BindError::Listen { address, source })
}

/// Answers until `shutdown` completes, then lets open requests finish for a short time.
///
/// # Errors
/// What the system says when the listener fails.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        shutdown.await;
        let _ = stopping.send(());
    });
    let out_of_patience = async {
        match stopped.await {
            Ok(()) => tokio::time::sleep(GRACE).await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        done = server => done,
        () = out_of_patience => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_this_machine_can_reach_the_console() {
        for open in ["0.0.0.0:0", "192.168.1.7:0", "[::]:0"] {
            let refused = bind(open.parse().unwrap()).await.unwrap_err().to_string();
            assert!(refused.contains("this machine only"), "{refused}");
        }
        for closed in ["127.0.0.1:0", "[::ffff:127.0.0.1]:0"] {
            assert!(bind(closed.parse().unwrap()).await.is_ok(), "{closed}");
        }
    }
}
