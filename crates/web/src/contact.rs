//! Where a holder gets messages, and how that is changed: two people decide, the old number is told, and for a day nothing is
//! unlocked or reset and no code goes out. Whoever could change it quietly could have every PIN.

use model::CardId;
use serde::{Deserialize, Serialize};
use sms::{Kind, Language, Order, PhoneNumber, contacts::HOLD_H};
use zeroize::Zeroizing;

use crate::{error::Failure, format::now, perform, router::Shared, service};

/// What somebody typed.
pub(crate) struct NewNumber {
    /// The number.
    pub(crate) number: PhoneNumber,
    /// The holder's language; as before when nobody says.
    pub(crate) language: Option<Language>,
}

impl NewNumber {
    /// Reads it.
    pub(crate) fn typed(number: &str, language: &str) -> Result<Self, Failure> {
        let number = number
            .parse()
            .map_err(|_| Failure::not_understood("number", "a telephone number with its country code"))?;
        let language = match language {
            "" => None,
            "zh" => Some(Language::Zh),
            "en" => Some(Language::En),
            _ => return Err(Failure::not_understood("language", "zh or en")),
        };
        Ok(Self { number, language })
    }
}

/// A change that waits for a second person. The number is sealed: it stands nowhere in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// The number before, with stars; none when nobody knew one.
    from: Option<String>,
    /// The new one, with stars.
    to: String,
    /// The new one, sealed for the card.
    sealed: String,
    language: Language,
}

impl Change {
    /// In words, for whoever approves it.
    pub(crate) fn words(&self) -> String {
        let from = self.from.as_deref().unwrap_or("none");
        format!(
            "from {from} to {}; the old number is told, and nothing is unlocked or reset for {HOLD_H} hours",
            self.to
        )
    }
}

/// What a change from the present number would be.
pub(crate) async fn asked_for(state: &Shared, card: CardId, wanted: &NewNumber) -> Result<Change, Failure> {
    let messages = state.web.messages.as_ref().ok_or_else(perform::shows_only)?;
    let present = messages.contacts.of(card).await?;
    if present.as_ref().is_some_and(|contact| contact.number == wanted.number) {
        return Err(Failure::Conflict("it is this number already".to_owned()));
    }
    let language = wanted.language.or(present.as_ref().map(|contact| contact.language));
    Ok(Change {
        from: present.map(|contact| contact.number.masked()),
        to: wanted.number.masked(),
        sealed: messages.contacts.seal(card, &wanted.number)?,
        language: language.unwrap_or_default(),
    })
}

/// Changes it, if the number is still the one that the change was shown with, and tells the old one. Returns what came of it.
pub(crate) async fn change(
    state: &Shared,
    card: CardId,
    change: &Change,
    actor: &str,
) -> Result<String, Failure> {
    let messages = state.web.messages.as_ref().ok_or_else(perform::shows_only)?;
    let present = messages.contacts.of(card).await?;
    if present.as_ref().map(|contact| contact.number.masked()) != change.from {
        return Err(Failure::Conflict("the number was changed meanwhile: ask again".to_owned()));
    }
    let known = service::card_by_id(state, &card).await?.ok_or(Failure::NotFound)?;
    messages.contacts.change(card, &change.sealed, change.language, actor, now()).await?;
    let Some(old) = present else { return Ok(String::new()) };
    let value = |text: String| Zeroizing::new(text);
    let masked = known.record.pan.to_string();
    let tail = masked.get(masked.len().saturating_sub(4)..).unwrap_or_default().to_owned();
    let values = vec![("card", value(tail)), ("hours", value(HOLD_H.to_string()))];
    // Counted by the number and not by the card: whoever used up the card's messages cannot keep this one from going out.
    let order =
        Order { to: old.number, card: None, kind: Kind::ContactChanged, language: old.language, values };
    Ok(match messages.service.send(order).await {
        Ok(_) => String::new(),
        Err(error) => format!("; the old number was not told: {error}"),
    })
}

/// Refuses what a change of contact holds.
pub(crate) async fn held(state: &Shared, card: CardId) -> Result<(), Failure> {
    let Some(messages) = &state.web.messages else { return Ok(()) };
    match messages.contacts.of(card).await?.and_then(|contact| contact.held_until(now())) {
        None => Ok(()),
        Some(_) => Err(Failure::Conflict(
            "the contact was changed a short time ago: nothing is unlocked or reset before the hold is over"
                .to_owned(),
        )),
    }
}
