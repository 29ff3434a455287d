//! The log from outside: what is appended is read, whatever becomes of its files.

mod corpus;
mod damage;
mod growth;
mod readers;
mod world;
