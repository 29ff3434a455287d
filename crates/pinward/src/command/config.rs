//! `pinward config`: check a configuration, or print the default one.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;

use crate::{
    config::{Config, Console},
    module::ModuleConfig,
};

/// Options of `pinward config`.
#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Read a configuration and report every problem at once.
    Check {
        /// Configuration file.
        file: PathBuf,
    },
    /// Print a configuration with every setting at its default.
    PrintDefault,
}

pub(crate) fn run(options: Options) -> anyhow::Result<ExitCode> {
    match options.action {
        Action::Check { file } => {
            Config::read(&file)?;
            eprintln!("{}: no problems", file.display());
        }
        Action::PrintDefault => println!("{}", default_text()?),
    }
    Ok(ExitCode::SUCCESS)
}

fn default_text() -> anyhow::Result<String> {
    let config = Config {
        data: PathBuf::from("pinward-data"),
        store: None,
        store_password_file: None,
        products: None,
        operator_rules: None,
        database: crate::storage::Database::default(),
        console: Console::default(),
        alarms: alarm::Settings::default(),
        sms: sms::Settings::default(),
        host: host::Settings::default(),
        module: ModuleConfig::default(),
        listener: vec![host::ListenerConfig {
            address: ([127, 0, 0, 1], 8583).into(),
            dialect: "cup-pos".to_owned(),
            framing: "len2+tpdu+header".to_owned(),
            mac: "cup-ecb-8".to_owned(),
            profile: None,
            tls: None,
            limits: host::ListenerLimits::default(),
        }],
        diagnosis: watch::Settings::default(),
        route: Vec::new(),
    };
    Ok(toml::to_string(&config)?)
}
