//! The program as its users run it: arguments in, output, files and exit code out.

mod alarms;
mod cases;
mod console_tls;
mod database;
mod diagnosis;
mod drill;
mod fleet;
mod forgotten_pin;
mod hosts;
mod key;
mod killed;
mod load;
mod main_job;
mod migrate;
mod rules;
mod sandbox;
mod secrets;
mod step_up;
mod teller;
mod two_hosts;
mod verdicts;
