//! What only a database server, several hosts and a network between them can do.
