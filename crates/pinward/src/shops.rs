//! The merchant's side, wired: the host asks the desk about the shop's own people, and the console makes its links. In a sandbox every
//! shop has the same people, with passwords that everybody may know.

use std::{path::Path, sync::Arc};

use anyhow::Context;
use async_trait::async_trait;
use host::Clock as _;
use model::OperatorId;
use operator::{Answer, Asked, Password, Role, Rules};
use serde::{Deserialize, Serialize};
use shop::{Parts, ShopDesk};
use store::{Book, StoreError};

/// The people of a sandbox's shops: two cashiers and a supervisor.
const SANDBOX: [(&str, &str); 3] = [("01", "7395"), ("02", "5028"), ("00", "482917")];

/// One of a sandbox's operators, as `sandbox.json` lists them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct OperatorJson {
    operator: String,
    role: String,
    password: String,
}

/// Those of every shop in a sandbox.
pub(crate) fn listed() -> Vec<OperatorJson> {
    let role = |operator: &str| operator.parse().map_or("cashier", |id: OperatorId| Role::of(id).name());
    SANDBOX
        .iter()
        .map(|(operator, password)| OperatorJson {
            operator: (*operator).to_owned(),
            role: role(operator).to_owned(),
            password: (*password).to_owned(),
        })
        .collect()
}

/// The desk of a store. `rules` is a file of the form of the built-in rules; `address` is what links begin with.
pub(crate) fn desk(
    book: Arc<dyn Book>,
    rules: Option<&Path>,
    address: String,
    sandbox: bool,
) -> anyhow::Result<Arc<ShopDesk>> {
    let rules = match rules {
        None => Rules::builtin().clone(),
        Some(file) => {
            let text =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Rules::read(&text).with_context(|| file.display().to_string())?
        }
    };
    let mut everywhere = Vec::new();
    for (operator, password) in SANDBOX.iter().filter(|_| sandbox) {
        everywhere.push((operator.parse()?, Password::new(password)?));
    }
    let clock = Arc::new(|| host::SystemClock.now());
    Ok(Arc::new(ShopDesk::new(Parts { book, rules, clock, address, everywhere })))
}

/// What the host asks.
pub(crate) struct People(pub(crate) Arc<ShopDesk>);

#[async_trait]
impl host::shop::Operators for People {
    async fn ask(&self, asked: Asked) -> Result<Answer, StoreError> {
        self.0.ask(asked).await
    }
}
