//! The alarms of this host: who is told, and what it raises itself.

use std::{path::Path, sync::Arc, time::Duration};

use alarm::{AlarmService, Alert, Parts, Scope, Settings, Severity};
use host::Clock;
use serde::Deserialize;

use crate::{command::Usage, config, storage::Storage};

/// How often it is looked what is due.
const TICK: Duration = Duration::from_secs(1);

/// Starts them on the store's book.
pub(crate) async fn start(settings: &Settings, storage: &Storage) -> anyhow::Result<AlarmService> {
    let parts = Parts {
        book: storage.book(),
        settings: settings.clone(),
        clock: Arc::new(|| host::SystemClock.now()),
        alone: storage.is_alone(),
        tick: TICK,
    };
    Ok(AlarmService::start(parts).await.map_err(Usage)?)
}

/// `[alarms]` of the configuration in a data directory, for a sandbox that writes its configuration anew.
pub(crate) fn of_data(data: &Path) -> anyhow::Result<Settings> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Wish {
        alarms: Settings,
    }
    let file = data.join("pinward.toml");
    if !file.exists() {
        return Ok(Settings::default());
    }
    let wish: Wish = config::table(&file)?
        .try_into()
        .map_err(|error: toml::de::Error| Usage(format!("configuration {}: {error}", file.display())))?;
    let problems = wish.alarms.problems();
    if problems.is_empty() { Ok(wish.alarms) } else { Err(Usage(problems.join("\n")).into()) }
}

/// One key in several terminals.
pub(crate) fn shared_key(alarms: &AlarmService, check_value: &str, terminals: &[&str]) {
    let named = terminals.join(", ");
    let raised = alarms.raise(Alert {
        group: None,
        kind: "shared-key".to_owned(),
        scope: Scope { kind: "key".to_owned(), id: check_value.to_owned() },
        severity: Severity::Critical,
        title: alarm::words("shared-key", "title", check_value),
        body: alarm::words("shared-key", "body", &named),
        link: Some("/terminals".to_owned()),
        at: host::SystemClock.now(),
    });
    if let Err(error) = raised {
        tracing::error!(%error, "an alarm that cannot be raised");
    }
}
