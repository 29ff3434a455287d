//! pinward: the PIN side of card payments in one program. This crate only wires: each subcommand is a file under
//! `command/`, [`config`] is what an operator sets, [`runtime`] starts what the configuration says.

mod alarms;
mod asking;
mod casework;
mod command;
mod config;
mod confirming;
mod console;
mod describe;
mod health;
mod holders;
mod keys;
mod log;
mod messages;
mod module;
mod other_bank;
mod people;
mod process;
mod progress;
mod ruling;
mod runtime;
mod seed;
mod shared_keys;
mod shops;
mod storage;
mod store_url;
mod test_keys;
mod test_module;
mod watching;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::command::Command;

/// Payments allocate and free small things by the hundred.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The PIN side of card payments: authorises PIN payments over ISO 8583, counts tries exactly, says why.
#[derive(Parser)]
#[command(name = "pinward", version, max_term_width = 110, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    end_quietly_without_a_reader();
    let cli = Cli::parse();
    match command::run(cli.command, Cli::command) {
        Ok(code) => code,
        Err(error) if command::reader_went_away(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pinward: {}", command::sentence(&error));
            ExitCode::from(command::exit_code(&error))
        }
    }
}

/// `pinward card list | head`: when the reader goes away, `println!` panics; that is an end, not a failure.
fn end_quietly_without_a_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let message = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
        if message.starts_with("failed printing to stdout") {
            std::process::exit(0);
        }
        usual(panic);
    }));
}
