//! The host over TCP, as a terminal of another make meets it: own messages, own keys, own MACs, none of the
//! simulator's code but the other bank (forwarding). What a purchase is, the scenarios tell; here stands what happens around it - nonsense on the
//! wire, keys out of step, copies, guesses, modules that are away, and what may never be written down. And around that,
//! the edge: TLS, floods, peers that are slow on purpose, and networks that cut, delay, copy and reorder.

mod client;
mod pki;
mod proxy;
mod world;

mod crowd;
mod edge;
mod faults;
mod forwarding;
mod frames;
mod guessing;
mod module_away;
mod observe;
mod operators;
mod refusals;
mod repeats;
mod rules;
mod sandbox;
mod schemes;
mod second;
mod secrecy;
mod staff;
mod start_stop;
mod throttles;
mod tls;
mod tls_expiry;
mod tls_openssl;
