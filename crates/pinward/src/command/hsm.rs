//! `pinward hsm`: looks at the payShields of a configuration, before the host is started with them.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;
use hsm_pool::{Finding, Level};
use serde_json::json;

use crate::config::Config;

/// Options of `pinward hsm`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Reach every payShield, compare LMKs, and have every configured key's check value computed.
    Check {
        /// Configuration file (TOML) with a section [module].
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let What::Check { config, json } = options.what;
    let config = Config::read(&config)?;
    let findings = hsm_pool::examine(config.module.pool()?).await;
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    if json {
        let list: Vec<_> = findings
            .iter()
            .map(|f| json!({"level": word(f), "address": f.address, "text": f.text}))
            .collect();
        println!("{}", serde_json::to_string_pretty(&json!({"ok": !failed, "findings": list}))?);
    } else {
        for finding in &findings {
            println!(
                "{:4}  {:21}  {}",
                word(finding),
                finding.address.as_deref().unwrap_or("-"),
                finding.text
            );
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn word(finding: &Finding) -> &'static str {
    match finding.level {
        Level::Ok => "ok",
        Level::Warn => "warn",
        Level::Fail => "fail",
    }
}
