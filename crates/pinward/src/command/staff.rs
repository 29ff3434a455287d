//! `pinward staff`: opening accounts from the command line, where the first one has to come from.

mod token;

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use office::NewAccount;
use staff::{
    Role,
    federation::{Binding, Person},
};

use crate::{people, storage::Place};

/// Accounts of staff: open, renew the link, close, list.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The data directory
    #[arg(long, value_name = "DIR", default_value = "pinward-data", global = true)]
    data: PathBuf,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Open an account; prints the link with which its owner sets it up, once, within a quarter of an hour
    Open {
        /// The user name: small letters, digits, dots, dashes
        name: String,
        /// What they are; may be given several times
        #[arg(long, required = true, value_name = "ROLE")]
        role: Vec<Role>,
        /// The person's name
        #[arg(long, value_name = "NAME")]
        display: Option<String>,
        /// Which person, such as a staff number: two accounts of one person are one pair of eyes [default: the user name]
        #[arg(long, value_name = "ID")]
        person: Option<String>,
    },
    /// Print a new link; password and second factor of before are void
    Renew {
        /// The user name
        name: String,
    },
    /// Close an account; its sessions end at once
    Close {
        /// The user name
        name: String,
    },
    /// Say whom at the provider of [console.oidc] an account belongs to; they sign in there, with no other proof here
    Bind {
        /// The user name
        name: String,
        /// The provider's issuer identifier
        #[arg(long, value_name = "URL")]
        issuer: String,
        /// The provider's own name for the person (`sub`)
        #[arg(long, value_name = "NAME", required_unless_present = "email", conflicts_with = "email")]
        subject: Option<String>,
        /// The person's mail address: whoever proves it first has the account (with bind_by_email)
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
    },
    /// Take that back
    Unbind {
        /// The user name
        name: String,
        /// The provider's issuer identifier
        #[arg(long, value_name = "URL")]
        issuer: String,
    },
    /// Tokens for programs: make, list, revoke
    Token {
        #[command(subcommand)]
        what: token::What,
    },
    /// List all accounts
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let place = Place::of_data(&options.data)?;
    if !place.exists() {
        bail!("nothing is in {} yet: start a host there first", options.data.display());
    }
    let office = people::open_office(place.book().await?).await?;
    let by = people::operator("operator at the command line");
    match options.what {
        What::Open { name, role, display, person } => {
            let new = NewAccount {
                display: display.unwrap_or_else(|| name.clone()),
                person: person.unwrap_or_else(|| name.clone()),
                name,
                roles: role,
            };
            print_link(&office.open_account(&by, &new).await?);
        }
        What::Renew { name } => print_link(&office.renew_link(&by, &name).await?),
        What::Close { name } => {
            office.close_account(&by, &name).await?;
            eprintln!("{name} is closed");
        }
        What::Bind { name, issuer, subject, email } => {
            let person = match (subject, email) {
                (Some(subject), _) => Person::Subject(subject),
                (None, email) => Person::Email(email.unwrap_or_default()),
            };
            office.bind_account(&by, &name, Binding { issuer, person }).await?;
            eprintln!("{name} is bound");
        }
        What::Unbind { name, issuer } => {
            office.unbind_account(&by, &name, &issuer).await?;
            eprintln!("{name} is not bound to {issuer} any more");
        }
        What::Token { what } => token::run(&office, what).await?,
        What::List { json } => list(&office.accounts().await, json),
    }
    Ok(ExitCode::SUCCESS)
}

/// The link is below the console's own address, which this command does not know.
fn print_link(link: &staff::Token) {
    println!("/set-up?link={}", link.reveal());
    eprintln!("Open it at the console's address within 15 minutes. It works once.");
}

fn list(accounts: &[staff::Account], json: bool) {
    for account in accounts {
        let roles: Vec<String> = account.roles.iter().map(ToString::to_string).collect();
        let state = if account.closed {
            "closed"
        } else if !account.is_usable() {
            "not set up"
        } else {
            "open"
        };
        if json {
            let row = serde_json::json!({
                "username": account.name, "name": account.display, "person": account.person,
                "roles": roles, "state": state, "signed_in": account.signed_in,
            });
            println!("{row}");
        } else {
            println!("{:20} {:24} {:24} {state}", account.name, account.display, roles.join(", "));
        }
    }
    if accounts.is_empty() && !json {
        eprintln!("nobody has an account: whoever reaches the console on this machine may use it");
    }
}
