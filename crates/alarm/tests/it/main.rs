//! The service from outside: with receivers that fail, redirect and vanish, a mail server that speaks SMTP, and stores that
//! are opened again.

mod mail;
mod receiver;
mod service;
mod webhooks;
