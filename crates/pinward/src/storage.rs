//! Where the store is: files in the data directory, or a database that speaks PostgreSQL's wire protocol. Everybody who
//! opens one comes here, so that no command knows which it is.
//!
//! A command with `--data DIR` reads `DIR/pinward.toml` for it, `pinward serve` the file that it was given.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use serde::{Deserialize, Serialize};
use store::{Archive, Book, Engine};
use store_sql::{PostgresEngine, SqliteEngine, postgres};

use crate::{
    command::Usage,
    config::{self, Config},
    store_url::StoreUrl,
};

/// Left in a data directory whose store was moved to a database; nobody opens the old files then.
pub(crate) const MOVED: &str = "store.moved";

/// How a database is cut and used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Database {
    /// Into how many partitions a new database is cut; one that exists keeps its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partitions: Option<u16>,
    /// Connections that append.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lanes: Option<usize>,
}

impl Database {
    /// Is everything left at its default?
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The part of a configuration that says where the store is; other parts are not looked at.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wish {
    pub(crate) store: Option<StoreUrl>,
    pub(crate) store_password_file: Option<PathBuf>,
    pub(crate) database: Database,
}

/// Which store.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) data: PathBuf,
    /// With its password, wherever that came from.
    pub(crate) url: Option<StoreUrl>,
    /// As it is configured.
    pub(crate) wish: Wish,
}

impl Place {
    /// Of a configuration.
    pub(crate) fn of(config: &Config) -> anyhow::Result<Self> {
        let wish = Wish {
            store: config.store.clone(),
            store_password_file: config.store_password_file.clone(),
            database: config.database.clone(),
        };
        Self::new(config.data.clone(), wish)
    }

    /// Of a data directory, as its `pinward.toml` has it; without one its own files.
    pub(crate) fn of_data(data: &Path) -> anyhow::Result<Self> {
        let file = data.join("pinward.toml");
        let wish: Wish = match config::table(&file) {
            Ok(table) => table
                .try_into()
                .map_err(|e: toml::de::Error| Usage(format!("configuration {}: {e}", file.display())))?,
            Err(_) if !file.exists() => config::table_of("")?.try_into()?,
            Err(error) => return Err(error.into()),
        };
        Self::new(data.to_owned(), wish)
    }

    /// In a data directory, as configured.
    pub(crate) fn new(data: PathBuf, wish: Wish) -> anyhow::Result<Self> {
        let url = wish.store.clone();
        let url = url.map(|url| url.with_password(wish.store_password_file.as_deref())).transpose()?;
        Ok(Self { data, url, wish })
    }

    /// Is it files in the data directory, which only one process may write?
    pub(crate) fn is_embedded(&self) -> bool {
        self.url.is_none()
    }

    /// Is there anything to open? A database is taken to be there.
    pub(crate) fn exists(&self) -> bool {
        self.url.is_some() || self.data.join("registers.db").exists()
    }

    /// Opens it for decisions; an empty place gets a new store.
    pub(crate) async fn open(&self) -> anyhow::Result<Storage> {
        match &self.url {
            None => {
                let moved = self.data.join(MOVED);
                if let Ok(to) = std::fs::read_to_string(&moved) {
                    return Err(Usage(format!(
                        "the store in {} was moved to {}: set `store` to it (remove {} only to go back to what was \
                         here before)",
                        self.data.display(),
                        to.trim(),
                        moved.display()
                    ))
                    .into());
                }
                let engine = store_sql::open(&self.data).with_context(|| format!("cannot open {self}"))?;
                let book = store_sql::open_book(&self.data).with_context(|| format!("cannot open {self}"))?;
                Ok(Storage { kind: Kind::Embedded(engine), book })
            }
            Some(url) => {
                let limits = self.limits(url).await?;
                let cannot = || format!("cannot open {self}");
                let engine = postgres::open(&self.data, url.reveal(), limits).await.with_context(cannot)?;
                let book = postgres::open_book(&self.data, url.reveal()).await.with_context(cannot)?;
                Ok(Storage { kind: Kind::Postgres(engine), book })
            }
        }
    }

    /// The same for a command that changes something: an embedded store is one process's.
    pub(crate) async fn open_beside_no_host(&self) -> anyhow::Result<Storage> {
        let opened = self.open().await;
        if self.is_embedded() { opened.context("stop the host first") } else { opened }
    }

    /// Opens what people look up, beside a host or without one.
    pub(crate) async fn archive(&self) -> anyhow::Result<Arc<dyn Archive>> {
        let cannot = || format!("cannot read {self}");
        match &self.url {
            None => Ok(store_sql::open_archive(&self.data).with_context(cannot)?),
            Some(url) => Ok(postgres::open_archive(&self.data, url.reveal()).await.with_context(cannot)?),
        }
    }

    /// Opens what people decided, beside a host or without one.
    pub(crate) async fn book(&self) -> anyhow::Result<Arc<dyn Book>> {
        let cannot = || format!("cannot open {self}");
        match &self.url {
            None => Ok(store_sql::open_book(&self.data).with_context(cannot)?),
            Some(url) => Ok(postgres::open_book(&self.data, url.reveal()).await.with_context(cannot)?),
        }
    }

    /// A database that exists says itself how it was cut.
    pub(crate) async fn limits(&self, url: &StoreUrl) -> anyhow::Result<postgres::Limits> {
        let usual = postgres::Limits::default();
        let found =
            postgres::partitions(url.reveal()).await.with_context(|| format!("cannot open {self}"))?;
        Ok(postgres::Limits {
            partitions: self.wish.database.partitions.or(found).unwrap_or(usual.partitions),
            lanes: self.wish.database.lanes.unwrap_or(usual.lanes),
            ..usual
        })
    }
}

impl Place {
    /// The database's URL without its password, or the directory.
    pub(crate) fn short(&self) -> String {
        match &self.url {
            None => self.data.display().to_string(),
            Some(url) => url.to_string(),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.url {
            None => write!(f, "the store in {}", self.data.display()),
            Some(url) => write!(f, "the store {url}"),
        }
    }
}

/// An open store.
#[derive(Clone)]
pub(crate) struct Storage {
    kind: Kind,
    book: Arc<dyn Book>,
}

/// What it is in.
#[derive(Clone)]
enum Kind {
    /// Files, by SQLite.
    Embedded(Arc<SqliteEngine>),
    /// A database.
    Postgres(Arc<PostgresEngine>),
}

impl Storage {
    /// What decides.
    pub(crate) fn engine(&self) -> Arc<dyn Engine> {
        match &self.kind {
            Kind::Embedded(engine) => Arc::clone(engine) as Arc<dyn Engine>,
            Kind::Postgres(engine) => Arc::clone(engine) as Arc<dyn Engine>,
        }
    }

    /// What people look up.
    pub(crate) fn archive(&self) -> Arc<dyn Archive> {
        match &self.kind {
            Kind::Embedded(engine) => Arc::clone(engine) as Arc<dyn Archive>,
            Kind::Postgres(engine) => Arc::clone(engine) as Arc<dyn Archive>,
        }
    }

    /// What people decided about the system.
    pub(crate) fn book(&self) -> Arc<dyn Book> {
        Arc::clone(&self.book)
    }

    /// Has no other process this store?
    pub(crate) fn is_alone(&self) -> bool {
        matches!(self.kind, Kind::Embedded(_))
    }

    /// Finishes what was taken, and ends.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        match self.kind {
            Kind::Embedded(engine) => tokio::task::spawn_blocking(move || engine.close()).await?,
            Kind::Postgres(engine) => engine.close().await,
        }
        Ok(())
    }
}
