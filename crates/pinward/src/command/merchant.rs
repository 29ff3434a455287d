//! `pinward merchant`: a link to a shop's own page, and the shop's people, through the running host, in whose log it stands.

use std::{path::PathBuf, process::ExitCode};

use anyhow::bail;
use handbook::Lang;
use serde_json::{Value, json};

use super::Usage;
use crate::asking;

/// Shops: a link to the merchant's page, a first password for one of its people.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The data directory of the running host
    #[arg(long, value_name = "DIR", default_value = "pinward-data", global = true)]
    data: PathBuf,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Print a link to the merchant's page, which needs no account
    Link {
        /// The merchant's number (DE 42)
        merchant: String,
        /// How many hours it is good, 1 to 72
        #[arg(long, default_value_t = 12)]
        hours: u32,
    },
    /// Open an operator, give one a first password, or take one off; prints the first password
    Operator {
        /// The merchant's number (DE 42)
        merchant: String,
        /// Two digits; 00 and 99 are supervisors
        operator: String,
        /// What is done
        #[arg(value_parser = ["open", "reset", "close"])]
        deed: String,
    },
}

/// Runs the command.
pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (path, body) = match &options.what {
        What::Link { merchant, hours } => {
            (format!("/api/v1/merchants/{}/link", number(merchant)?), json!({ "hours": hours }))
        }
        What::Operator { merchant, operator, deed } => (
            format!("/api/v1/merchants/{}/operators/{}", number(merchant)?, number(operator)?),
            json!({ "deed": deed }),
        ),
    };
    let Some((status, said)) = asking::tell(&options.data, &path, &body, Lang::En).await? else {
        eprintln!("no host of {} is running", options.data.display());
        return Ok(ExitCode::from(super::trigger::UNAVAILABLE));
    };
    match (status, &options.what) {
        (200 | 201, What::Link { .. }) => {
            println!("{}", text(&said, "address"));
            eprintln!("good until {}; whoever has it is the shop", text(&said, "until"));
        }
        (200 | 201, What::Operator { operator, .. }) => match said["first_password"].as_str() {
            Some(first) => {
                println!("{first}");
                eprintln!("first password of operator {operator}; to be changed at the first sign-on");
            }
            None => eprintln!("operator {operator} is off the list"),
        },
        (404, _) => {
            eprintln!("there is no such merchant or operator");
            return Ok(ExitCode::from(3));
        }
        (409 | 422, _) => return Err(Usage(text(&said, "detail")).into()),
        _ => bail!("the host answered {status}: {}", text(&said, "title")),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(said: &Value, key: &str) -> String {
    said[key].as_str().unwrap_or_default().to_owned()
}

/// Part of a path: digits and letters.
fn number(text: &str) -> Result<&str, Usage> {
    let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric());
    if fits { Ok(text) } else { Err(Usage(format!("{text:?} is not a number"))) }
}
