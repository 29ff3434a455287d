//! Messages through the whole service, on the memory book: counted, sent, shown, and no secret left behind.

mod gateways;
mod http;
mod service;
mod smpp;
