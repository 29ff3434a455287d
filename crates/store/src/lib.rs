//! The journal and the one unit of work that both doors use; the memory store.
