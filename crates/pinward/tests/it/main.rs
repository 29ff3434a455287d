//! The program as its users run it: arguments in, output, files and exit code out.

mod fleet;
mod key;
mod main_job;
mod sandbox;
mod secrets;
