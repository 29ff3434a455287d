//! The subcommands, one file each: `Options` and `run`. Data goes to standard output, words to standard error.
//!
//! Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 not found, 69 nothing there to talk to.

mod audit;
mod bench;
mod calc;
mod card;
mod case;
mod config;
mod decode;
mod demo;
mod drill;
mod explain;
mod fleet;
mod hsm;
mod incidents;
pub(crate) mod key;
mod load;
mod merchant;
mod migrate;
mod pos;
mod receipt;
pub(crate) mod rules;
mod serve;
mod staff;
mod tail;
mod trigger;
mod vectors;
mod why;

use std::{io, process::ExitCode};

use clap::Subcommand;

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start a sandbox: data directory, test cards and terminals, host, console; plays "error 75".
    Demo(demo::Options),
    /// Run the host and the console from a configuration file.
    Serve(serve::Options),
    /// A terminal emulator in this window, or a script.
    Pos(pos::Options),
    /// Play a named story against a running sandbox.
    Trigger(trigger::Options),
    /// Practise on incidents, and score the diagnosis on labelled days.
    Drill(drill::Options),
    /// Decode an ISO 8583 message.
    Decode(decode::Options),
    /// What a response code or reason means, and what to do.
    Explain(explain::Options),
    /// Risk rules: check a file, try it on the past.
    #[command(subcommand)]
    Rules(rules::Options),
    /// Who did what: export the audit log, check an export.
    #[command(subcommand)]
    Audit(audit::Options),
    /// Accounts of staff: open, renew the link, close, list.
    Staff(staff::Options),
    /// The slip of a payment: as text, for a printer, as a picture or a page.
    Receipt(receipt::Options),
    /// Why a payment was refused: the cause, how sure that is, the evidence, what to do.
    Why(why::Options),
    /// Incidents: what was found behind many refusals.
    Incidents(incidents::Options),
    /// Cards: find, show, unlock, block.
    Card(card::Options),
    /// The desk's cases: list, show, open, work on.
    Case(case::Options),
    /// Move terminals to another key scheme: plan, progress, fall-back, finish.
    Fleet(fleet::Options),
    /// Keys of the soft module: components, combining, import, export, rotation, the audit trail.
    Key(key::Options),
    /// Look at the payShields of a configuration.
    Hsm(hsm::Options),
    /// Move an embedded store into a database.
    Migrate(migrate::Options),
    /// Shops: a link to the merchant's page, a first password for one of its people.
    Merchant(merchant::Options),
    /// Follow decisions as they are made.
    Tail(tail::Options),
    /// Check the configuration, or print the default one.
    Config(config::Options),
    /// Run a file of cryptographic test vectors.
    Vectors(vectors::Options),
    /// Calculate PIN blocks, keys and MACs, step by step.
    Calc(calc::Options),
    /// Measure.
    Bench(bench::Options),
    /// Put load on a sandbox.
    Load(load::Options),
    /// Completions for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
    /// Manual pages, into a directory or the first one to standard output.
    Man {
        /// Write one page per command into this directory.
        #[arg(long)]
        out: Option<std::path::PathBuf>,
    },
}

/// A mistake of whoever called: wrong flag, file or configuration. Exit code 2.
#[derive(Debug)]
pub(crate) struct Usage(pub(crate) String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Runs a subcommand.
pub(crate) fn run(command: Command, cli: impl FnOnce() -> clap::Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(options) => wait(demo::run(options)),
        Command::Serve(options) => wait(serve::run(options)),
        Command::Pos(options) => wait(pos::run(options)),
        Command::Trigger(options) => wait(trigger::run(options)),
        Command::Load(options) => wait(load::run(options)),
        Command::Receipt(options) => wait(receipt::run(options)),
        Command::Why(options) => wait(why::run(options)),
        Command::Incidents(options) => wait(incidents::run(options)),
        Command::Card(options) => wait(card::run(options)),
        Command::Case(options) => wait(case::run(options)),
        Command::Fleet(options) => wait(fleet::run(options)),
        Command::Hsm(options) => wait(hsm::run(options)),
        Command::Merchant(options) => wait(merchant::run(options)),
        Command::Migrate(options) => wait(migrate::run(options)),
        Command::Tail(options) => wait(tail::run(options)),
        Command::Decode(options) => Ok(decode::run(options)),
        Command::Explain(options) => Ok(explain::run(options)),
        Command::Vectors(options) => Ok(vectors::run(options)),
        Command::Rules(options) => rules::run(options),
        Command::Audit(options) => wait(audit::run(options)),
        Command::Staff(options) => wait(staff::run(options)),
        Command::Drill(options) => drill::run(options),
        Command::Calc(options) => calc::run(options),
        Command::Key(options) => key::run(options, Some(&crate::shared_keys::of_terminals)),
        Command::Bench(options) => bench::run(options),
        Command::Config(options) => config::run(options),
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut cli(), "pinward", &mut io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { out: None } => {
            clap_mangen::Man::new(cli()).render(&mut io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { out: Some(folder) } => {
            std::fs::create_dir_all(&folder)?;
            clap_mangen::generate_to(cli(), &folder)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Runs an asynchronous command to its end.
fn wait(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(work)
}

/// An error and its causes in one sentence.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // Some errors already repeat their source.
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
    }
    parts.join(": ")
}

/// Did whoever read our output stop reading?
pub(crate) fn reader_went_away(error: &anyhow::Error) -> bool {
    let is_broken_pipe = |e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe;
    error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).any(is_broken_pipe)
}

/// 2 for the caller's mistakes, 1 for the rest.
pub(crate) fn exit_code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.is::<Usage>()) { 2 } else { 1 }
}
