//! The host over TCP, as a terminal of another make meets it: own messages, own keys, own MACs, none of the
//! simulator's code. What a purchase is, the scenarios tell; here stands what happens around it - nonsense on the
//! wire, keys out of step, copies, guesses, modules that are away, and what may never be written down.

mod client;
mod world;

mod frames;
mod guessing;
mod module_away;
mod refusals;
mod repeats;
mod sandbox;
mod schemes;
mod secrecy;
mod start_stop;
