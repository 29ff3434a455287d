//! The shapes of causes in the API: each in words, with how often people found it right.

use diagnosis::cause::Origin;
use handbook::{CauseFacts, cause_texts};
use serde::Serialize;
use utoipa::ToSchema;

use super::incident_schema::{Both, Playbook};
use crate::insight::Judged;

/// How often people found verdicts right.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JudgedCause {
    /// So many were right.
    right: u32,
    /// So many were wrong.
    wrong: u32,
    /// The share of right ones; `null` when nobody looked.
    precision: Option<f64>,
}

/// One cause in words.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CauseEntry {
    /// Its fixed name.
    #[schema(example = "wrong-terminal-key")]
    name: &'static str,
    /// Whose doing it is: `holder`, `fault` or `attack`.
    #[schema(value_type = String)]
    origin: Origin,
    /// In a few words.
    title: Both,
    /// In one sentence, without the facts of a case.
    sentence: Both,
    /// What everybody does now.
    playbook: Playbook,
    /// What prevents the next one.
    prevention: Both,
    /// How often people found it right.
    judged: JudgedCause,
}

/// Every cause.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Causes {
    /// The causes.
    data: Vec<CauseEntry>,
}

impl Causes {
    pub(super) fn new(judged: &[Judged]) -> Self {
        let entry = |text: &handbook::CauseText| {
            let said = judged.iter().find(|said| said.cause == text.cause());
            let (right, wrong) = said.map_or((0, 0), |said| (said.right, said.wrong));
            let precision = (right + wrong > 0).then(|| f64::from(right) / f64::from(right + wrong));
            CauseEntry {
                name: text.cause().name(),
                origin: text.cause().origin(),
                title: Both::new(|lang| text.name(lang).to_owned()),
                sentence: Both::new(|lang| text.sentence(lang, &CauseFacts::default())),
                playbook: Playbook::new(text.cause()),
                prevention: Both::new(|lang| text.prevention(lang).to_owned()),
                judged: JudgedCause { right, wrong, precision },
            }
        };
        Self { data: cause_texts().iter().map(entry).collect() }
    }
}
