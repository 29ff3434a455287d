//! PostgreSQL servers for the tests; they fail where there is none.

use std::{path::PathBuf, sync::OnceLock};

use store_sql::postgres::local_server::LocalServer;

pub(crate) struct Server(LocalServer);

impl Server {
    /// One server for all tests that do it no harm. It ends with the process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Server> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A server of one test, with settings such as `fsync=off`.
    pub(crate) fn start(settings: &[&str]) -> Self {
        Self(LocalServer::start(&std::env::temp_dir(), settings).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Starts the server again after [`kill`](Self::kill).
    pub(crate) fn run(&self) {
        self.0.run().unwrap();
    }

    /// Kills the server as a crash would, and waits until all of it is gone.
    pub(crate) fn kill(&self) {
        self.0.kill().unwrap();
    }

    /// An empty database; its URL.
    pub(crate) async fn database(&self) -> String {
        tokio::task::block_in_place(|| self.0.database()).unwrap()
    }

    /// Runs statements as the superuser.
    pub(crate) async fn sql(&self, database: &str, text: &str) {
        client(&self.0.url(database)).await.batch_execute(text).await.unwrap();
    }

    /// Where its files are.
    pub(crate) fn data(&self) -> PathBuf {
        self.0.data()
    }

    /// The socket, for a proxy.
    pub(crate) fn socket(&self) -> PathBuf {
        self.0.socket()
    }
}

/// A plain connection.
pub(crate) async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}
