//! `pinward staff token`: tokens for programs from the command line, such as for a job that reads figures at night.

use office::Office;
use staff::{
    Actor, Permission, Role,
    api_token::{NewToken, reveal},
};

use crate::people;

#[derive(Debug, clap::Subcommand)]
pub(super) enum What {
    /// Make a token; it is printed once, and only its hash is kept
    Make {
        /// What its owner calls it: small letters, digits, dots, dashes
        name: String,
        /// Whose it is: a user name
        #[arg(long, value_name = "USER")]
        owner: String,
        /// What it may do, as in the table at /api/v1/permissions; may be given several times
        #[arg(long, required = true, value_name = "ACTION")]
        scope: Vec<Permission>,
        /// For so many days
        #[arg(long, default_value_t = 90, value_name = "N")]
        days: u16,
    },
    /// Revoke a token: it is worth nothing at once, on every host
    Revoke {
        /// Its id, from the list
        id: String,
    },
    /// List all tokens
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command. Whoever has the data directory is limited by what the token's owner may do, and by nothing else.
pub(super) async fn run(office: &Office, what: What) -> anyhow::Result<()> {
    let by = Actor { roles: Role::ALL.to_vec(), ..people::operator("operator at the command line") };
    match what {
        What::Make { name, owner, scope, days } => {
            let new = NewToken { name, owner, scopes: scope, days };
            let (token, row) = office.make_token(&by, &new).await?;
            println!("{}", reveal(&token));
            eprintln!("Token {} of {}. It is not shown again.", row.id, row.owner);
        }
        What::Revoke { id } => {
            office.revoke_token(&by, &id).await?;
            eprintln!("{id} is revoked");
        }
        What::List { json } => list(&office.tokens(&by).await?, json),
    }
    Ok(())
}

fn list(tokens: &[staff::ApiToken], json: bool) {
    let now = model::Timestamp(jiff::Timestamp::now().as_millisecond());
    for token in tokens {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.name()).collect();
        let state = match (&token.revoked, token.lives(now)) {
            (Some(_), _) => "revoked",
            (None, true) => "works",
            (None, false) => "ended",
        };
        if json {
            let row = serde_json::json!({
                "id": token.id, "name": token.name, "owner": token.owner, "made_by": token.by, "scopes": scopes,
                "since": token.since, "until": token.until, "used": token.used, "state": state,
            });
            println!("{row}");
        } else {
            println!("{:14} {:20} {:20} {state:8} {}", token.id, token.owner, token.name, scopes.join(" "));
        }
    }
    if tokens.is_empty() && !json {
        eprintln!("there are no tokens");
    }
}
