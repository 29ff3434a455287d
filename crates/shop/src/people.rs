//! What a shop's people and those who look after them ask for. Decided on the roster that the book has, appended as the fact that
//! follows it; whoever comes second reads and decides again, so that guesses from several terminals at once are counted one by one.

use model::{MerchantId, OperatorId, Timestamp};
use operator::{Answer, Asked, Fact, Found, Next, Password, Refusal, Role, Roster, Wish, roster::until};
use store::{BookError, StoreError};

use crate::{NotDone, ShopDesk, away, keep::random};

/// So often a decision is made again before it says that there is too much to do.
const RACES_LIMIT: usize = 16;
/// Digits of a first password.
const FIRST_DIGITS: usize = 6;
/// So often a first password is drawn before a roster is taken for broken.
const DRAWS_LIMIT: usize = 64;

/// An operator for people. No tries: whoever sees them knows when to stop guessing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorView {
    /// The number.
    pub operator: OperatorId,
    /// What they may do.
    pub role: Role,
    /// Too many wrong passwords.
    pub locked: bool,
    /// The password was given by somebody else.
    pub must_change: bool,
    /// Since when the password is what it is.
    pub since: Timestamp,
}

/// One round of a decision: a fact to be kept, and the answer if it was.
type Decided = (Option<Fact>, Answer);

impl ShopDesk {
    /// A terminal's question. The answer is durable.
    ///
    /// # Errors
    /// [`StoreError`]: what became of it is not known, or nothing did. The terminal asks again.
    pub async fn ask(&self, asked: Asked) -> Result<Answer, StoreError> {
        for _ in 0..RACES_LIMIT {
            let known = self.open(asked.merchant, asked.now).await?;
            let Some((fact, answer)) = self.decide(&known.roster, &asked).await? else { continue };
            let Some(fact) = fact else { return Ok(answer) };
            match self.keep(asked.merchant, known.seq, asked.now, &fact).await {
                Ok(()) => return Ok(answer),
                Err(BookError::Collision) => {}
                Err(error) => return Err(away(error)),
            }
        }
        Err(StoreError::Overloaded)
    }

    /// `None`: the comparison is worth nothing by now.
    async fn decide(&self, roster: &Roster, asked: &Asked) -> Result<Option<Decided>, StoreError> {
        match &asked.wish {
            Wish::SignOn(password) => self.compared(roster, asked, password.as_ref()).await,
            Wish::Change { present, new } => {
                let compared = self.compared(roster, asked, present.as_ref()).await?;
                let Some((_, Answer::SignedOn { .. } | Answer::MustChange)) = compared else {
                    return Ok(compared);
                };
                self.changed(roster, asked, new.as_ref()).await.map(Some)
            }
            Wish::Reset { by, first } => self.given(roster, asked, *by, first.as_ref()).await.map(Some),
        }
    }

    async fn compared(
        &self,
        roster: &Roster,
        asked: &Asked,
        password: Option<&Password>,
    ) -> Result<Option<Decided>, StoreError> {
        let (operator, attempt, rules) = (asked.operator, asked.attempt, self.rules());
        let hash = match roster.asked(operator, &attempt, rules) {
            Next::Compare(hash) => hash.clone(),
            Next::Known(answer) => {
                // The same work as with an operator that there is: the time tells nobody which there are.
                if matches!(answer, Answer::Refused(Refusal::Unknown | Refusal::Locked)) && password.is_some()
                {
                    self.hash(&stand_in()?).await?;
                }
                return Ok(Some((None, answer)));
            }
        };
        let found = match password {
            None => Found::Unreadable,
            Some(password) => {
                let (hash, password) = (hash.clone(), password.clone());
                let right = self.slowly(move || hash.is(password.reveal())).await?;
                if right { Found::Right } else { Found::Wrong }
            }
        };
        Ok(roster.decided(operator, &hash, (found, attempt), asked.now, rules))
    }

    /// The present one is right: may the new one take its place?
    async fn changed(
        &self,
        roster: &Roster,
        asked: &Asked,
        new: Option<&Password>,
    ) -> Result<Decided, StoreError> {
        let (operator, rules) = (asked.operator, self.rules());
        let Some(new) = new else { return Ok((None, Answer::Refused(Refusal::Unreadable))) };
        if new.check(operator, rules.of(Role::of(operator))).is_err()
            || self.was_used(roster, operator, new).await?
        {
            return Ok((None, Answer::Refused(Refusal::NewPassword)));
        }
        let fact = Fact::Changed { operator, password: self.hash(new).await?, attempt: Some(asked.attempt) };
        Ok((Some(fact), Answer::SignedOn { until: until(operator, asked.now, rules) }))
    }

    /// A supervisor gives a first password.
    async fn given(
        &self,
        roster: &Roster,
        asked: &Asked,
        by: Option<(OperatorId, Timestamp)>,
        first: Option<&Password>,
    ) -> Result<Decided, StoreError> {
        let (operator, rules) = (asked.operator, self.rules());
        let refused = |why| Ok((None, Answer::Refused(why)));
        if let Some(answer) = roster.answered_before(&asked.attempt) {
            return Ok((None, answer));
        }
        let Some((by, _)) = by.filter(|(by, since)| roster.may_reset(*by, *since, operator, rules)) else {
            return refused(Refusal::NotAllowed);
        };
        let Some(first) = first else { return refused(Refusal::Unreadable) };
        if first.check(operator, rules.of(Role::of(operator))).is_err()
            || self.was_used(roster, operator, first).await?
        {
            return refused(Refusal::NewPassword);
        }
        let (password, attempt) = (self.hash(first).await?, Some(asked.attempt));
        Ok((Some(Fact::Opened { operator, password, by: by.to_string(), attempt }), Answer::Reset))
    }

    async fn was_used(
        &self,
        roster: &Roster,
        operator: OperatorId,
        password: &Password,
    ) -> Result<bool, StoreError> {
        let (roster, password) = (roster.clone(), password.clone());
        self.slowly(move || roster.was_used(operator, &password)).await
    }

    /// The shop's people.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn operators(&self, merchant: MerchantId) -> Result<Vec<OperatorView>, StoreError> {
        let known = self.open(merchant, self.now()).await?;
        let view = |(operator, one): (OperatorId, &operator::Operator)| OperatorView {
            operator,
            role: Role::of(operator),
            locked: known.roster.is_locked(operator, self.rules()),
            must_change: one.must_change,
            since: one.since,
        };
        Ok(known.roster.operators().map(view).collect())
    }

    /// Gives an operator a first password, which is shown once and must be changed at the first sign-on. `fresh`: there must be none
    /// with this number yet.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn reset(
        &self,
        merchant: MerchantId,
        operator: OperatorId,
        by: &str,
        fresh: bool,
    ) -> Result<Password, NotDone> {
        let now = self.now();
        for _ in 0..RACES_LIMIT {
            let known = self.open(merchant, now).await?;
            match known.roster.operator(operator) {
                Some(_) if fresh => return Err(NotDone::Taken),
                None if !fresh => return Err(NotDone::NoOperator),
                _ => {}
            }
            let first = self.drawn(operator)?;
            let password = self.hash(&first).await?;
            let fact = Fact::Opened { operator, password, by: by.to_owned(), attempt: None };
            match self.keep(merchant, known.seq, now, &fact).await {
                Ok(()) => return Ok(first),
                Err(BookError::Collision) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Overloaded.into())
    }

    /// Takes an operator off the roster.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn close(&self, merchant: MerchantId, operator: OperatorId, by: &str) -> Result<(), NotDone> {
        let now = self.now();
        for _ in 0..RACES_LIMIT {
            let known = self.open(merchant, now).await?;
            known.roster.operator(operator).ok_or(NotDone::NoOperator)?;
            let fact = Fact::Closed { operator, by: by.to_owned() };
            match self.keep(merchant, known.seq, now, &fact).await {
                Ok(()) => return Ok(()),
                Err(BookError::Collision) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(StoreError::Overloaded.into())
    }

    async fn open(&self, merchant: MerchantId, now: Timestamp) -> Result<crate::Known, StoreError> {
        let known = self.people(merchant).await?;
        if known.seq > 0 || self.parts.everywhere.is_empty() {
            return Ok(known);
        }
        self.open_everywhere(merchant, now).await?;
        self.people(merchant).await
    }

    /// Digits that the rules allow.
    fn drawn(&self, operator: OperatorId) -> Result<Password, StoreError> {
        let rules = self.rules().of(Role::of(operator));
        let digits = FIRST_DIGITS.clamp(usize::from(rules.length[0]), usize::from(rules.length[1]));
        for _ in 0..DRAWS_LIMIT {
            let drawn: [u8; 32] = random()?;
            // 250 and more would make some digits more likely than others.
            let text: String =
                drawn.iter().filter(|b| **b < 250).take(digits).map(|b| char::from(b'0' + b % 10)).collect();
            if let Some(password) = Password::new(&text).ok().filter(|p| p.check(operator, rules).is_ok()) {
                return Ok(password);
            }
        }
        Err(StoreError::Away("no first password could be drawn".to_owned()))
    }
}

/// Nobody's password, for the work alone.
fn stand_in() -> Result<Password, StoreError> {
    Password::new("000000").map_err(|error| StoreError::Away(error.to_string()))
}
