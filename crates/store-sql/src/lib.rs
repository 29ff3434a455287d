//! The store over SQL engines: SQLite now, PostgreSQL wire next.
