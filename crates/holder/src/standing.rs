//! What a card's page says to its holder: is the PIN locked, until when, why, and what to do. Nothing that helps somebody who found
//! the telephone: no number, no amount, no shop, no tries left.

use std::sync::Arc;

use authorization::{PageChange, state::StepUp};
use model::{CardId, Timestamp};
use store::Card;

use crate::{
    Closed, HolderDesk, NotReset, NotSent,
    link::{self, Link, Purpose, Token},
    reset::tail_of,
};

/// How a card stands, for its holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its last four digits.
    pub tail: String,
    /// What is wrong, if something is.
    pub wrong: Option<Wrong>,
    /// When wrong PINs were entered that count now.
    pub wrong_pins: Vec<Timestamp>,
    /// Days until the PIN must be changed, where that is soon.
    pub pin_days_left: Option<i64>,
    /// May the PIN be changed here, by whoever knows it?
    pub may_change: bool,
}

/// What keeps a card from paying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wrong {
    /// Lost, stolen, or blocked by the bank.
    Blocked,
    /// Too many wrong PINs; until then, or until staff act.
    Locked {
        /// When it ends by itself.
        until: Option<Timestamp>,
    },
    /// The PIN was reset and not set anew yet.
    ResetPending,
    /// The PIN must be changed.
    MustChange,
    /// A second proof of identity is wanted.
    StepUp,
    /// Smaller amounts only, until then.
    Restricted {
        /// When it ends.
        until: Timestamp,
    },
}

impl HolderDesk {
    /// Sends the holder the link to the card's page.
    ///
    /// # Errors
    /// [`NotReset`], as for a reset; there is no hold: the page shows nothing that could be used.
    pub async fn send_page(&self, card: &CardId) -> Result<String, NotReset> {
        let away = |error: &dyn std::fmt::Display| NotReset::Away(error.to_string());
        let contact =
            self.parts.reach.contact(card).await.map_err(|e| away(&e))?.ok_or(NotReset::NoContact)?;
        let known = self.card(card).await.map_err(|_| NotReset::NoCard)?;
        let minutes = self.parts.settings.page_min;
        let now = self.now();
        let until = now.plus_s(i64::from(minutes) * 60);
        let issued = link::issue(&*self.parts.book, *card, Purpose::Page, until, now).await;
        let mut address = self.address_of("/holder", &issued.map_err(|e| away(&e))?);
        // As in an activation's link; a module that takes no PIN from a page has no key to pin.
        if let Ok(entry) = self.parts.module.open_pin_entry(card).await {
            address.push_str(&format!("#k={}", hex::encode(&entry.signer)));
        }
        let sent = self.parts.reach.page(card, &tail_of(&known), &address, minutes).await;
        sent.map_err(|NotSent(why)| NotReset::Away(why))?;
        Ok(contact.masked)
    }

    /// Whose page a link leads to.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn card_of_page(&self, token: &str) -> Result<CardId, Closed> {
        Ok(self.page_of(token).await?.0.card)
    }

    /// Tells the holder that the PIN was locked after wrong entries: until when, and where they read why and what to do. Nobody is
    /// told at a number that was changed a short time ago, and of a lock that is gone already. Says whether a message went out.
    ///
    /// # Errors
    /// [`NotReset`].
    pub async fn tell_of_lock(&self, card: &CardId, until: Option<Timestamp>) -> Result<bool, NotReset> {
        let held = match self.held_until(card).await {
            Err(NotReset::NoContact) => return Ok(false),
            other => other?,
        };
        let known = self.card(card).await.map_err(|_| NotReset::NoCard)?;
        if held.is_some() || known.state.lock.is_none() {
            return Ok(false);
        }
        let away = |error: &dyn std::fmt::Display| NotReset::Away(error.to_string());
        let now = self.now();
        let good_until = now.plus_s(i64::from(self.parts.settings.lock_page_h) * 3600);
        let issued = link::issue(&*self.parts.book, *card, Purpose::Page, good_until, now).await;
        let address = self.address_of("/holder", &issued.map_err(|e| away(&e))?);
        let sent = self.parts.reach.locked(card, &tail_of(&known), until, &address).await;
        sent.map_err(|NotSent(why)| NotReset::Away(why))?;
        Ok(true)
    }

    /// Tells of a lock that a wrong PIN on the holder's own page brought.
    pub(crate) async fn tell_if_locked(&self, card: &CardId) {
        let lock = self.card(card).await.ok().and_then(|known| known.state.lock);
        let Some(lock) = lock else { return };
        if let Err(error) = self.tell_of_lock(card, lock.until).await {
            tracing::warn!(%card, %error, "a holder was not told of a lock");
        }
    }

    /// What the page of a link says.
    ///
    /// # Errors
    /// [`Closed`].
    pub async fn standing(&self, token: &str) -> Result<Standing, Closed> {
        let (_, card) = self.page_of(token).await?;
        let now = self.now();
        let policy = self.policy(&card)?;
        let state = &card.state;
        let most = policy.remind_days.iter().copied().max().map_or(0, i64::from);
        let wrong_pins = state.charged().iter().map(|charged| charged.at).collect();
        let product = self.parts.products.get(&card.record.product).ok_or(Closed::Neutral)?;
        let change = PageChange { record: &card.record, state, policy: product, now };
        Ok(Standing {
            may_change: change.admit().is_ok(),
            tail: tail_of(&card),
            wrong: self.wrong(&card),
            wrong_pins,
            pin_days_left: state.pin_days_left(policy, now).filter(|left| (1..=most).contains(left)),
        })
    }

    /// The card of a link to its page, and the link.
    pub(crate) async fn page_of(&self, token: &str) -> Result<(Link, Arc<Card>), Closed> {
        let token = Token::sent(token).ok_or(Closed::Neutral)?;
        let found = link::find(&*self.parts.book, &token, Purpose::Page).await?;
        let now = self.now();
        let link = found.filter(|link| link.is_of(&token) && link.until > now).ok_or(Closed::Neutral)?;
        let card = self.card(&link.card).await?;
        Ok((link, card))
    }

    fn wrong(&self, card: &Card) -> Option<Wrong> {
        let (state, now) = (&card.state, self.now());
        let lock = state.lock.filter(|lock| !lock.has_expired(now));
        let reset = state.pin.as_deref().is_some_and(|pin| pin.reset.is_some());
        let due = self.policy(card).is_ok_and(|policy| state.pin_change_is_due(policy, now));
        let restriction = state.restriction.filter(|restriction| restriction.until > now);
        match state.step_up {
            _ if state.block.is_some() => Some(Wrong::Blocked),
            _ if reset => Some(Wrong::ResetPending),
            _ if lock.is_some() => Some(Wrong::Locked { until: lock.and_then(|lock| lock.until) }),
            _ if due => Some(Wrong::MustChange),
            Some(StepUp::Required { .. }) => Some(Wrong::StepUp),
            _ => restriction.map(|restriction| Wrong::Restricted { until: restriction.until }),
        }
    }
}
