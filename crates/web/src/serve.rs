//! Listening. Without TLS and staff accounts the console listens only where this machine alone can reach it.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    serve::{Listener, ListenerExt as _},
};
use tokio::{net::TcpListener, sync::oneshot};

use crate::door::{Terminator, TlsDoor};

/// How long open pages may finish after a shutdown was asked for; listeners of `/api/v1/events` never would.
const GRACE: Duration = Duration::from_secs(3);

/// What stands between the console and whoever reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fences {
    /// Does it speak TLS?
    pub tls: bool,
    /// Does anybody have an account? Without one the console is open to whoever reaches it.
    pub accounts: bool,
    /// Is it a sandbox, which is open to whoever reaches it?
    pub sandbox: bool,
}

/// The console cannot listen there.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another machine could read on the line.
    #[error(
        "the console listens on {0} with TLS only: set [console] tls = {{ certificate = \"FILE\", key = \"FILE\" }}, or listen on 127.0.0.1"
    )]
    NoTls(SocketAddr),
    /// Another machine could use it without signing in.
    #[error(
        "the console listens on {0} only when staff have accounts: open the first with `pinward staff open NAME --role administrator`, set it up on 127.0.0.1, then start again"
    )]
    NoAccounts(SocketAddr),
    /// Another machine could use it, and its staff's passwords are public.
    #[error(
        "the console of a sandbox listens on 127.0.0.1 or [::1] only, not on {0}: everybody knows its keys and passwords"
    )]
    Sandbox(SocketAddr),
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

/// Takes an address: any with TLS and accounts, else one that only this machine can reach.
///
/// # Errors
/// [`BindError`]: what is missing, or what the system says.
pub async fn bind(address: SocketAddr, fences: Fences) -> Result<TcpListener, BindError> {
    if !address.ip().to_canonical().is_loopback() {
        if fences.sandbox {
            return Err(BindError::Sandbox(address));
        }
        if !fences.tls {
            return Err(BindError::NoTls(address));
        }
        if !fences.accounts {
            return Err(BindError::NoAccounts(address));
        }
    }
    TcpListener::bind(address).await.map_err(|source| BindError::Listen { address, source })
}

/// Answers until `shutdown` completes, then lets open requests finish for a short time. With `tls` nothing is answered in clear.
///
/// # Errors
/// What the system says when the listener fails.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<dyn Terminator>>,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    match tls {
        Some(tls) => serve_on(TlsDoor::open(listener, tls)?, router, shutdown).await,
        None => serve_on(listener, router, shutdown).await,
    }
}

async fn serve_on<L: Listener<Addr = SocketAddr>>(
    listener: L,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let (stopping, stopped) = oneshot::channel();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener.tap_io(|_| {}), service).with_graceful_shutdown(async move {
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

    const NONE: Fences = Fences { tls: false, accounts: false, sandbox: false };

    #[tokio::test]
    async fn others_reach_the_console_with_tls_and_accounts_only() {
        for open in ["0.0.0.0:0", "192.168.1.7:0", "[::]:0"] {
            let refused = async |fences| bind(open.parse().unwrap(), fences).await.unwrap_err().to_string();
            let said = refused(NONE).await;
            assert!(said.contains("with TLS only: set [console] tls = { certificate"), "{said}");
            let said = refused(Fences { tls: true, ..NONE }).await;
            assert!(said.contains("pinward staff open NAME --role administrator"), "{said}");
            let said = refused(Fences { accounts: true, ..NONE }).await;
            assert!(said.contains("with TLS only"), "{said}");
            let said = refused(Fences { tls: true, accounts: true, sandbox: true }).await;
            assert!(said.contains("sandbox"), "{said}");
        }
        let all = Fences { tls: true, accounts: true, sandbox: false };
        assert!(bind("0.0.0.0:0".parse().unwrap(), all).await.is_ok());
        for closed in ["127.0.0.1:0", "[::ffff:127.0.0.1]:0"] {
            assert!(bind(closed.parse().unwrap(), NONE).await.is_ok(), "{closed}");
        }
    }
}
