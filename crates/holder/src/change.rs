//! Another PIN for whoever knows the present one, on the card's page. The present PIN is a try like any other: counted where the
//! tills count, before anybody hears of it.

use async_trait::async_trait;
use authorization::{Effect, PageChange, PinStanding, Products};
use hsm::{NewPinRules, PinChangeRefused, PinChanged, SecurityModule, SetPin};
use model::{
    HolderDigits, Pan, PinReference, PinRules, ReasonCode, SealedReference, Timestamp, Unverifiable,
};
use store::{
    Card, CardWork, Engine, Entry, Event, Step, StoreError, Subject, WorkError, journal::DeskAction,
};
use tracing::warn;

use crate::{
    Closed, Entered, Form, HolderDesk,
    reset::{HOLDER, entry_id, tail_of},
};

/// The PIN was not changed.
#[derive(Debug, thiserror::Error)]
pub enum NotChanged {
    /// The neutral page, or something is away.
    #[error(transparent)]
    Closed(#[from] Closed),
    /// The card takes no PIN now; its page says why. Nothing was counted.
    #[error("the card takes no PIN now: {0:?}")]
    NotNow(ReasonCode),
    /// The present PIN is wrong. Counted; it may have been the last try.
    #[error("the present PIN is wrong")]
    Wrong,
    /// The new PIN is not allowed.
    #[error("the new PIN is not allowed")]
    Refused,
    /// What the page sent cannot be read: too old, used, or damaged on the way. Not counted.
    #[error("what was sent cannot be read")]
    Unreadable,
}

impl From<StoreError> for NotChanged {
    fn from(error: StoreError) -> Self {
        Closed::from(error).into()
    }
}

impl HolderDesk {
    /// The form for another PIN, of a link to the card's page.
    ///
    /// # Errors
    /// [`NotChanged::Closed`], [`NotChanged::NotNow`].
    pub async fn open_change(&self, token: &str) -> Result<Form, NotChanged> {
        let (link, card) = self.page_of(token).await?;
        let policy = self.parts.products.get(&card.record.product).ok_or(Closed::Neutral)?;
        let change = PageChange { record: &card.record, state: &card.state, policy, now: self.now() };
        change.admit().map_err(NotChanged::NotNow)?;
        let entry = self.parts.module.open_pin_entry(&card.id).await;
        let entry = entry.map_err(|error| Closed::Away(error.to_string()))?;
        let rules = policy.pin.rules;
        Ok(Form { length: (rules.length_min, rules.length_max), until: link.until, entry })
    }

    /// Changes the PIN to the one that the holder entered beside the present one.
    ///
    /// # Errors
    /// [`NotChanged`].
    pub async fn change_pin(&self, token: &str, entered: &Entered) -> Result<(), NotChanged> {
        let (_, card) = self.page_of(token).await?;
        let (Some(entry), Ok(key), Ok(sealed)) =
            (entry_id(&entered.entry), hex::decode(&entered.key), hex::decode(&entered.sealed))
        else {
            return Err(NotChanged::Unreadable);
        };
        let parts = &self.parts;
        let pan = parts.store.engine().pan(&card.id).await?.ok_or(Closed::Neutral)?;
        let mut work = Change {
            engine: parts.store.engine(),
            module: &*parts.module,
            products: &parts.products,
            pan: &pan,
            holder: &parts.reach.digits(&card.id).await,
            entered: (entry, &key, &sealed),
            said: None,
            wrong: false,
            now: self.now(),
        };
        match parts.store.with_card(&card.id, &mut work).await {
            Ok(_) if work.wrong => {
                self.tell_if_locked(&card.id).await;
                Err(NotChanged::Wrong)
            }
            Ok(_) => {
                if let Err(error) = parts.reach.changed(&card.id, &tail_of(&card)).await {
                    warn!(%error, "the holder was not told of the new PIN");
                }
                Ok(())
            }
            Err(WorkError::Decide(not)) => Err(not),
            Err(WorkError::UnknownSubject) => Err(Closed::Neutral.into()),
            Err(other) => Err(Closed::Away(other.to_string()).into()),
        }
    }
}

/// The one change: asked of the module once, however often another decision comes first.
struct Change<'a> {
    engine: &'a dyn Engine,
    module: &'a dyn SecurityModule,
    products: &'a Products,
    pan: &'a Pan,
    holder: &'a HolderDigits,
    entered: ([u8; 16], &'a [u8], &'a [u8]),
    said: Option<Said>,
    wrong: bool,
    now: Timestamp,
}

/// What the module said, and about which reference.
struct Said {
    outcome: Result<PinChanged, PinChangeRefused>,
    like: PinReference,
}

#[async_trait]
impl CardWork for Change<'_> {
    type Error = NotChanged;

    async fn decide(&mut self, card: &Card) -> Result<Step, NotChanged> {
        let policy = self.products.get(&card.record.product).ok_or(Closed::Neutral)?;
        let change = PageChange { record: &card.record, state: &card.state, policy, now: self.now };
        // What was learnt about a card that was locked meanwhile is worth nothing, and told to nobody.
        let admitted = change.admit().map_err(NotChanged::NotNow)?;
        let like = self.present(card)?;
        if self.said.is_none() {
            let rules = policy.pin.rules;
            self.said = Some(Said { outcome: self.ask(card, rules, &like).await?, like: like.clone() });
        }
        // Neither is what was said about a PIN that is none any more.
        let said = self.said.as_ref().filter(|said| said.like == like).ok_or(NotChanged::Unreadable)?;
        let (name, effects) = match &said.outcome {
            Ok(changed) => {
                let seal = |reference| self.engine.seal_reference(&card.id, reference);
                let (new, retired): (SealedReference, SealedReference) =
                    (seal(&changed.reference)?, seal(&like)?);
                (DeskAction::CHANGE_PIN, change.changed(admitted, new, retired))
            }
            Err(PinChangeRefused::Mismatch) => {
                self.wrong = true;
                (DeskAction::WRONG_PIN, change.wrong(admitted).1)
            }
            Err(PinChangeRefused::NewPinRefused) => return Err(NotChanged::Refused),
            Err(PinChangeRefused::Unverifiable(Unverifiable::PinBlockFormat)) => {
                return Err(NotChanged::Unreadable);
            }
            Err(PinChangeRefused::Unverifiable(cause)) => {
                return Err(Closed::Away(format!("security module: {cause:?}")).into());
            }
        };
        Ok(written(card, name, effects, self.now))
    }
}

impl Change<'_> {
    async fn ask(
        &self,
        card: &Card,
        rules: PinRules,
        like: &PinReference,
    ) -> Result<Result<PinChanged, PinChangeRefused>, StoreError> {
        let sealed = card.state.pin.as_deref().map_or(&[][..], |pin| &pin.earlier);
        let open = |sealed| self.engine.open_reference(&card.id, sealed);
        let earlier: Vec<PinReference> =
            sealed.iter().take(usize::from(PinRules::HISTORY_MAX)).map(open).collect::<Result<_, _>>()?;
        let rules = NewPinRules { rules, holder: self.holder, earlier: &earlier };
        let (entry, key, sealed) = self.entered;
        let request = SetPin { card: card.id, pan: self.pan, entry, key, sealed, rules, like };
        Ok(self.module.change_entered_pin(request).await)
    }

    /// What the PIN is compared with now.
    fn present(&self, card: &Card) -> Result<PinReference, NotChanged> {
        let registered = || card.reference.as_deref().cloned();
        let found = match card.state.pin_standing() {
            PinStanding::Set(sealed) => Some(self.engine.open_reference(&card.id, sealed)?),
            PinStanding::Registered => registered(),
            PinStanding::ResetPending => None,
        };
        found.ok_or_else(|| Closed::Neutral.into())
    }
}

fn written(card: &Card, name: &str, effects: Vec<Effect>, now: Timestamp) -> Step {
    let action = DeskAction {
        action: name.to_owned(),
        actor: HOLDER.to_owned(),
        why: "PIN change on the card's page".to_owned(),
        effects,
    };
    Step::Append(Box::new(Entry {
        subject: Subject::Card(card.id),
        seq: card.state.seq + 1,
        at: now,
        event: Event::Desk(action),
        exchange: None,
    }))
}
