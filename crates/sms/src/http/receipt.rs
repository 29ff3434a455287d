//! What a service says later of a message: a call to our own address, as JSON or as a form, in the service's manner, which is data.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::gateway::{Receipt, hushed};

/// Receipts in one call.
const RECEIPTS_MAX: usize = 500;

/// How a service says what became of a message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptBy {
    /// Is it a form? JSON otherwise: one receipt, or a list of them.
    #[serde(default)]
    form: bool,
    /// Where the service's own name for the message is.
    reference: String,
    /// Where it stands whether it arrived.
    delivered: String,
    /// What stands there when it did.
    is: String,
    /// What stands there while it is on its way.
    #[serde(default)]
    pending: Vec<String>,
    /// Where the reason is.
    said: String,
    /// What the service wants to hear.
    pub(crate) answer: String,
}

impl ReceiptBy {
    /// Reads a call; `None` when it is no such thing.
    pub(crate) fn read(&self, body: &[u8]) -> Option<Vec<Receipt>> {
        let said = if self.form { form(body)? } else { serde_json::from_slice(body).ok()? };
        let list = match said {
            Value::Array(list) => list,
            one => vec![one],
        };
        (list.len() <= RECEIPTS_MAX).then(|| list.iter().filter_map(|one| self.one(one)).collect())
    }

    fn one(&self, said: &Value) -> Option<Receipt> {
        let text = |at: &str| match said.pointer(at)? {
            Value::String(text) => Some(text.clone()),
            Value::Bool(yes) => Some(yes.to_string()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        };
        let (reference, state) = (text(&self.reference)?, text(&self.delivered)?);
        if self.pending.contains(&state) {
            return None;
        }
        let delivered = state == self.is;
        let said = hushed(&text(&self.said).unwrap_or(state));
        Some(Receipt { reference, delivered, said })
    }
}

fn form(body: &[u8]) -> Option<Value> {
    let pairs = url::form_urlencoded::parse(body);
    let map: Map<String, Value> =
        pairs.map(|(name, value)| (name.into_owned(), value.into_owned().into())).collect();
    (!map.is_empty()).then_some(Value::Object(map))
}
