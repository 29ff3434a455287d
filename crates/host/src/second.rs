//! Second proofs of identity, as far as a terminal takes part: what was typed with a payment is made ready for the decision, and
//! when a challenge became durable, whoever asks cardholders is told. How they are asked, and how else they may answer, is not
//! known here.

use std::sync::Arc;

use async_trait::async_trait;
use authorization::{CardState, Effect, Second};
use iso8583::Message;
use model::{Amount, CardId, Currency, MaskedPan, MerchantId, Secret, TerminalId, Timestamp};
use stepup::{Challenge, ChallengeId, Change, CodeKey, Fresh, Given, code};

use crate::profile::Profile;

/// The first characters of the data element that holds a code (rules P12).
const MARKER: &str = "PW02";

/// Whoever asks cardholders for a second proof.
#[async_trait]
pub trait Asking: Send + Sync {
    /// The key of codes' digests.
    fn key(&self) -> &CodeKey;

    /// The step of the card's authenticator app whose code this is; `None` when it is none, there is none, or nobody knows now.
    async fn totp(&self, card: CardId, code: &str, now: Timestamp) -> Option<i64>;

    /// A challenge is durable: its code may go out. Never waits.
    fn issued(&self, asked: Asked);
}

/// A challenge that was issued, with what its cardholder is to be told.
pub struct Asked {
    /// The card.
    pub card: CardId,
    /// The card, for people.
    pub pan: MaskedPan,
    /// Where.
    pub terminal: TerminalId,
    /// At which merchant's.
    pub merchant: MerchantId,
    /// For how much.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// The challenge.
    pub challenge: Challenge,
    /// The code whose digest it has.
    pub code: Secret<String>,
}

/// The code that was typed with a payment.
pub(crate) fn typed(profile: &Profile, message: &Message<'_>) -> Option<Secret<String>> {
    let text = message.text(profile.code_field?)?.to_string();
    let said = text.strip_prefix(MARKER)?.trim_end();
    code::is_code(said).then(|| Secret::new(said.to_owned()))
}

/// What one payment brings along for a second proof, over all rounds of its decision.
pub(crate) struct Bringing<'h> {
    asking: Option<&'h Arc<dyn Asking>>,
    typed: Option<Secret<String>>,
    fresh: Option<(ChallengeId, Secret<String>)>,
    /// For the round that is decided now.
    pub(crate) ready: Second,
    issued: Option<Challenge>,
}

impl<'h> Bringing<'h> {
    pub(crate) fn new(asking: Option<&'h Arc<dyn Asking>>, typed: Option<Secret<String>>) -> Self {
        Self { asking, typed, fresh: None, ready: Second::default(), issued: None }
    }

    /// Looks at what was typed against the card's state as it is now, and makes a code that may be needed.
    pub(crate) async fn prepare(&mut self, card: CardId, state: &CardState, rules: bool, now: Timestamp) {
        let Some(asking) = self.asking else { return };
        if !(rules || state.step_up.is_some() || state.proofs.is_some()) {
            return;
        }
        if self.fresh.is_none() {
            self.fresh = make();
        }
        let digest = |id: ChallengeId, code: &Secret<String>| asking.key().digest(id, code.reveal());
        self.ready.fresh = self.fresh.as_ref().map(|(id, code)| Fresh { id: *id, code: digest(*id, code) });
        let open = state.proofs.as_ref().and_then(|proofs| proofs.challenge.as_ref());
        self.ready.said = match (open.filter(|challenge| challenge.is_open(now)), &self.typed) {
            (Some(challenge), Some(typed)) => {
                let totp = asking.totp(card, typed.reveal(), now).await;
                Some(Given::Code { digest: digest(challenge.id, typed), totp })
            }
            _ => None,
        };
    }

    /// Notes what a round decided.
    pub(crate) fn decided(&mut self, issued: Option<Challenge>) {
        self.issued = issued;
    }

    /// The decision is durable: if it issued a challenge, its code may go out.
    pub(crate) fn settled(self, ask: impl FnOnce(Challenge, Secret<String>) -> Asked) {
        if let (Some(asking), Some(challenge), Some((id, code))) = (self.asking, self.issued, self.fresh)
            && challenge.id == id
        {
            asking.issued(ask(challenge, code));
        }
    }
}

/// The challenge that a decision issued.
pub(crate) fn issued(effects: &[Effect]) -> Option<Challenge> {
    effects.iter().find_map(|effect| match effect {
        Effect::StepUp { change } => match &**change {
            Change::Issued(challenge) => Some(challenge.clone()),
            Change::Wrong { .. } | Change::Answered { .. } | Change::Used { .. } => None,
        },
        _ => None,
    })
}

/// Random bytes for a challenge; without randomness none is issued.
fn make() -> Option<(ChallengeId, Secret<String>)> {
    let (mut id, mut random) = ([0; 16], [0; 8]);
    let filled = getrandom::fill(&mut id).and_then(|()| getrandom::fill(&mut random));
    filled.inspect_err(|error| tracing::error!(%error, "no randomness for a second proof")).ok()?;
    Some((ChallengeId(id), Secret::new(code::make(random).to_string())))
}
