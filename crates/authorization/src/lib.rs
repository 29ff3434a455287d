//! Decisions about a card, from values to values.
//!
//! [`decide::decide`] is the one place where a payment is approved or refused; it sees the product's policy, the
//! card as the issuer registered it, the card's state (the fold of its journal), the request, and what the security
//! module proved. It returns a [`Decision`] whose [`Effect`]s are the only way a state changes; [`CardState::apply`]
//! folds them.
//!
//! Knows no ISO field numbers, no SQL, no HTTP, no HSM commands and no clock.

pub mod card;
pub mod decide;
pub mod desk;
pub mod duplicate;
pub mod effect;
pub mod eligibility;
pub mod forward;
pub mod key_set;
pub mod lock;
pub mod migration;
pub mod pin;
pub mod pin_page;
pub mod pin_try;
pub mod policy;
pub mod request;
pub mod response_code;
pub mod reversal;
pub mod rules;
pub mod second;
pub mod settlement;
pub mod state;
pub mod terminal;

pub use card::{Block, CardRecord};
pub use decide::{Approval, Decision, Outcome, PinChangeOutcome, PinEvidence, PinVerdict, Verdict, decide};
pub use effect::{Effect, ReleasedBy};
pub use forward::{Forward, Forwarded};
pub use pin::{PinPolicy, PinStanding};
pub use pin_page::PageChange;
pub use policy::{PolicyError, ProductPolicy, Products};
pub use request::{Request, ReversalRequest};
pub use response_code::Profile;
pub use rules::{BesideHits, RiskVerdict, RuleHit, RuleHits, RuleTerm};
pub use second::Second;
pub use state::{CardState, Role, Status, Trace};
