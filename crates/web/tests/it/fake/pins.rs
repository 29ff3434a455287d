//! What becomes of a card's PIN: set, reset, tried by an activation, to be changed.

use authorization::{Effect, effect::ReleasedBy};
use serde_json::{Value, json};

pub(super) fn effects() -> Vec<Value> {
    let sealed = [
        json!({"set-pin": {"new": {"reference": "***", "earlier": ["***"], "at": 0}}}),
        json!({"reset-pin": {"reset": {"activation": "***", "until": 0, "failed": 0, "tries": 8}, "earlier": []}}),
    ];
    let others = [
        Effect::Unlock { by: ReleasedBy::NewPin },
        Effect::RequirePinChange,
        Effect::RemindPinAge { days: 7 },
        Effect::FailActivation { failed: 2 },
    ];
    others.iter().map(|effect| json!(effect)).chain(sealed).collect()
}
