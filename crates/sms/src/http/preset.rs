//! A gateway's manner as data: address, fields, signature, and how an answer says that the message was taken.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::receipt::ReceiptBy;
use crate::gateway::Outgoing;

/// A preset, as its file has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preset {
    pub(crate) url: String,
    pub(crate) sign: Sign,
    number: Number,
    /// Names that the operator must set.
    #[serde(default)]
    pub(crate) needs: Vec<String>,
    /// Is the text a template that the service has?
    pub(crate) templates: bool,
    #[serde(default)]
    form: BTreeMap<String, String>,
    json: Option<String>,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) taken: TakenBy,
    pub(crate) receipt: ReceiptBy,
}

/// How requests are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sign {
    AliyunRpc,
    TencentTc3,
    Basic,
}

/// How numbers are written.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Number {
    International,
    China,
}

/// How an answer says that the message was taken.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakenBy {
    /// Where in the answer; without it the status alone says so.
    pub(crate) at: Option<String>,
    /// What stands there.
    pub(crate) is: Option<String>,
    /// Where the service's own name for the message is.
    pub(crate) reference: String,
    /// What stands there when it may be tried again.
    pub(crate) again: Vec<String>,
}

/// A preset by name, for the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Manner {
    /// Alibaba Cloud.
    Aliyun,
    /// Tencent Cloud.
    Tencent,
    /// Twilio and those like it.
    Twilio,
}

impl Manner {
    /// The file that comes with the program.
    ///
    /// # Errors
    /// A sentence; a test reads each.
    pub(crate) fn preset(self) -> Result<Preset, String> {
        let text = match self {
            Self::Aliyun => include_str!("../../gateways/aliyun.toml"),
            Self::Tencent => include_str!("../../gateways/tencent.toml"),
            Self::Twilio => include_str!("../../gateways/twilio.toml"),
        };
        toml::from_str(text).map_err(|error| format!("{self:?}: {error}"))
    }
}

/// What stands in the places of a preset.
pub(crate) struct Filling<'a> {
    pub(crate) message: &'a Outgoing,
    pub(crate) template: &'a str,
    /// What the operator set.
    pub(crate) set: &'a BTreeMap<String, String>,
}

impl Preset {
    /// The parameters of a form.
    pub(crate) fn form(&self, filling: &Filling<'_>) -> Vec<(String, String)> {
        let filled = self.form.iter().map(|(name, text)| (name.clone(), self.fill(text, filling)));
        // What the operator may set and has not is left out.
        filled
            .filter(|(_, value)| !(value.starts_with('{') && self.form.values().any(|text| text == value)))
            .collect()
    }

    /// The body in JSON, if it is that. Places are filled in the tree and not in its text, so no value can change its form.
    pub(crate) fn json(&self, filling: &Filling<'_>) -> Option<String> {
        let mut tree: Value = serde_json::from_str(self.json.as_ref()?).ok()?;
        self.fill_tree(&mut tree, filling);
        Some(tree.to_string())
    }

    fn fill_tree(&self, tree: &mut Value, filling: &Filling<'_>) {
        match tree {
            Value::String(text) if text == "{values}" => {
                *tree = in_order(filling.message).map(|(_, value)| Value::from(value)).collect();
            }
            Value::String(text) => *text = self.fill(text, filling),
            Value::Array(list) => list.iter_mut().for_each(|one| self.fill_tree(one, filling)),
            Value::Object(map) => map.values_mut().for_each(|one| self.fill_tree(one, filling)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// One place, or a text with places that the operator fills.
    pub(crate) fn fill(&self, text: &str, filling: &Filling<'_>) -> String {
        match text {
            "{to}" => self.number(filling.message),
            "{text}" => filling.message.text.to_string(),
            "{template}" => filling.template.to_owned(),
            "{values}" => {
                let values = in_order(filling.message).map(|(name, value)| (name.to_owned(), value.into()));
                Value::Object(values.collect()).to_string()
            }
            other => filling
                .set
                .iter()
                .fold(other.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value)),
        }
    }

    fn number(&self, message: &Outgoing) -> String {
        let number = message.to.reveal();
        match self.number {
            Number::International => number.to_owned(),
            Number::China => match number.strip_prefix("+86") {
                Some(national) => national.to_owned(),
                None => format!("00{}", number.trim_start_matches('+')),
            },
        }
    }
}

/// The values in the order of the text's places.
fn in_order(message: &Outgoing) -> impl Iterator<Item = (&str, &str)> {
    message.kind.places().iter().filter_map(|place| {
        let value = message.values.iter().find(|(name, _)| name == place);
        value.map(|(name, value)| (*name, value.as_str()))
    })
}
