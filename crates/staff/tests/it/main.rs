//! Accounts and proposals against the people who would like to get round them.

mod account;
mod proposal;
