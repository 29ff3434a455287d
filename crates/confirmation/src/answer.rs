//! The holder's answer: judged on the card's state inside of the one read-decide-append, so that of two hosts that take the same
//! answer one decides anew on what the other wrote. What the holder is told is told when it is durable.

use async_trait::async_trait;
use authorization::Effect;
use model::{CardId, Timestamp};
use stepup::{ChallengeId, Change, Given, Judgement, NotNow, code};
use store::{Card, CardWork, Entry, Event, Step, StoreError, Subject, WorkError, journal::DeskAction};

use crate::{Confirmations, link};

/// Who answers, as the journal has it.
const ACTOR: &str = "cardholder";

/// What an answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Right: the payment may be tried again until then.
    Right(Timestamp),
    /// Wrong, and counted.
    Wrong,
}

/// Nothing was answered.
#[derive(Debug, thiserror::Error)]
pub enum NotAnswered {
    /// There is nothing to answer: a link that is wrong or too old, a challenge that was answered, or too many wrong answers.
    #[error("there is nothing to answer")]
    Nothing,
    /// It is not written like a code; nothing was counted.
    #[error("a code has six digits")]
    NoCode,
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Confirmations {
    /// Takes a code that was typed on the page.
    ///
    /// # Errors
    /// [`NotAnswered`].
    pub async fn answer_code(&self, token: &str, said: &str) -> Result<Answer, NotAnswered> {
        let (card, id) = link::read(self.key(), token).ok_or(NotAnswered::Nothing)?;
        if !code::is_code(said) {
            return Err(NotAnswered::NoCode);
        }
        let now = self.now();
        let given =
            Given::Code { digest: self.key().digest(id, said), totp: self.totp(card, said, now).await };
        self.answer(card, id, given).await
    }

    /// Has an answer judged where it counts.
    pub(crate) async fn answer(
        &self,
        card: CardId,
        id: ChallengeId,
        given: Given,
    ) -> Result<Answer, NotAnswered> {
        let mut answering = Answering { id, given, now: self.now(), answer: None };
        let store = &self.inner.parts.store;
        match store.with_card(&card, &mut answering).await {
            Ok(_) => answering.answer.ok_or(NotAnswered::Nothing),
            Err(WorkError::UnknownSubject | WorkError::Decide(_)) => Err(NotAnswered::Nothing),
            Err(WorkError::Store(error)) => Err(error.into()),
            Err(WorkError::Unknown(why)) => Err(StoreError::Away(why).into()),
        }
    }
}

struct Answering {
    id: ChallengeId,
    given: Given,
    now: Timestamp,
    answer: Option<Answer>,
}

#[async_trait]
impl CardWork for Answering {
    type Error = NotNow;

    async fn decide(&mut self, card: &Card) -> Result<Step, NotNow> {
        let proofs = card.state.proofs.as_deref().ok_or(NotNow::NoChallenge)?;
        let (change, answer) = match proofs.judge(self.id, &self.given, self.now) {
            Judgement::NotNow(why) => return Err(why),
            Judgement::Wrong(change) => (change, Answer::Wrong),
            Judgement::Right(change) => {
                let until = match &change {
                    Change::Answered { answered, .. } => answered.until,
                    Change::Issued(_) | Change::Wrong { .. } | Change::Used { .. } => self.now,
                };
                (change, Answer::Right(until))
            }
        };
        self.answer = Some(answer);
        let why = match &change {
            Change::Answered { answered, .. } => answered.by.name(),
            Change::Issued(_) | Change::Wrong { .. } | Change::Used { .. } => "wrong",
        };
        let action = DeskAction {
            action: DeskAction::ANSWER_STEP_UP.to_owned(),
            actor: ACTOR.to_owned(),
            why: why.to_owned(),
            effects: vec![Effect::StepUp { change: Box::new(change) }],
        };
        Ok(Step::Append(Box::new(Entry {
            subject: Subject::Card(card.id),
            seq: card.state.seq + 1,
            at: self.now,
            event: Event::Desk(action),
            exchange: None,
        })))
    }
}
