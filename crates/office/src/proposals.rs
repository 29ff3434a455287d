//! What needs a second person: proposed, approved or turned down, done once.

use staff::{
    Actor, Permission, Proposal, ProposalFact,
    permission::Second,
    proposal::{OPEN_S, Party, Status},
};
use store::book::json;

use crate::{Noted, Office, OfficeError, random, state::PROPOSALS};

/// Something to be done.
#[derive(Debug, Clone)]
pub struct Request {
    /// What kind of action.
    pub permission: Permission,
    /// The action itself, as the program will do it.
    pub action: String,
    /// What it will do, in words.
    pub consequence: String,
    /// Why.
    pub why: String,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposed {
    /// One person is enough: do it now.
    DoIt,
    /// It waits for a second person, under this id.
    Waits(String),
}

impl Office {
    /// Asks for an action. `one_is_enough` is what the product's policy says where the table leaves it to the policy.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn propose(
        &self,
        by: &Actor,
        request: &Request,
        one_is_enough: bool,
    ) -> Result<Proposed, OfficeError> {
        by.may(&self.permissions, request.permission)?;
        if request.why.trim().is_empty() {
            return Err(OfficeError::Invalid("a reason is needed"));
        }
        let alone = match self.permissions.row(request.permission).second {
            Second::Never => true,
            Second::Policy => one_is_enough,
            Second::Always => false,
        };
        if alone {
            return Ok(Proposed::DoIt);
        }
        let id: String = random::<8>()?.iter().map(|byte| format!("{byte:02x}")).collect();
        let fact = ProposalFact::Proposed {
            permission: request.permission,
            action: request.action.clone(),
            consequence: request.consequence.clone(),
            why: request.why.clone(),
            maker: Party::from(by),
            until: self.now().plus_s(OPEN_S),
        };
        self.append_proposal(&id, 0, &fact).await?;
        self.note(by, noted("propose", request.permission, &id).because(&request.why)).await?;
        Ok(Proposed::Waits(id))
    }

    /// Approves what was shown. Whoever calls does the action now, and says so with [`done`](Self::done).
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn approve(&self, by: &Actor, id: &str, shown: &str) -> Result<Proposal, OfficeError> {
        let proposal = self.proposal(id).await?;
        let fact = match proposal.approve(&self.permissions, by, shown, self.now()) {
            Ok(fact) => fact,
            Err(why) => {
                self.note(by, noted("approve", proposal.permission, id).refused_because(&why.to_string()))
                    .await?;
                return Err(why.into());
            }
        };
        self.append_proposal(id, proposal.seq, &fact).await?;
        self.note(by, noted("approve", proposal.permission, id)).await?;
        self.proposal(id).await
    }

    /// Turns it down.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn decline(&self, by: &Actor, id: &str, why: &str) -> Result<(), OfficeError> {
        let proposal = self.proposal(id).await?;
        if !by.may_approve(&self.permissions, proposal.permission) {
            return Err(staff::proposal::NotApproved::Role.into());
        }
        if proposal.status != Status::Open {
            return Err(staff::proposal::NotApproved::NotOpen.into());
        }
        let fact = ProposalFact::Declined { checker: Party::from(by), why: why.to_owned() };
        self.append_proposal(id, proposal.seq, &fact).await?;
        self.note(by, noted("decline", proposal.permission, id).because(why)).await
    }

    /// Takes it back.
    ///
    /// # Errors
    /// [`OfficeError`].
    pub async fn withdraw(&self, by: &Actor, id: &str) -> Result<(), OfficeError> {
        let proposal = self.proposal(id).await?;
        if proposal.maker.name != by.name || proposal.status != Status::Open {
            return Err(OfficeError::Conflict("only who asked takes it back, while it is open"));
        }
        self.append_proposal(id, proposal.seq, &ProposalFact::Withdrawn).await?;
        self.note(by, noted("withdraw", proposal.permission, id)).await
    }

    /// The approved action was done.
    ///
    /// # Errors
    /// [`OfficeError::Conflict`] when it was done already.
    pub async fn done(&self, by: &Actor, id: &str, result: &str) -> Result<(), OfficeError> {
        let proposal = self.proposal(id).await?;
        if !matches!(proposal.status, Status::Approved { .. }) {
            return Err(OfficeError::Conflict("it is not approved, or was done already"));
        }
        self.append_proposal(id, proposal.seq, &ProposalFact::Done { result: result.to_owned() }).await?;
        self.note(by, noted("do", proposal.permission, id)).await
    }

    /// One proposal.
    ///
    /// # Errors
    /// [`OfficeError::Unknown`].
    pub async fn proposal(&self, id: &str) -> Result<Proposal, OfficeError> {
        self.catch_up().await?;
        self.state.lock().await.proposals.get(id).cloned().ok_or(OfficeError::Unknown("proposal"))
    }

    /// All proposals with their ids, newest first.
    pub async fn proposals(&self) -> Vec<(String, Proposal)> {
        let mut all: Vec<_> =
            self.state.lock().await.proposals.iter().map(|(id, p)| (id.clone(), p.clone())).collect();
        all.sort_by_key(|(_, proposal)| std::cmp::Reverse(proposal.asked));
        all
    }

    async fn append_proposal(&self, id: &str, seq: u32, fact: &ProposalFact) -> Result<(), OfficeError> {
        self.book.append(&format!("{PROPOSALS}{id}"), seq, self.now(), "proposal", json(fact)?).await?;
        self.catch_up().await
    }
}

fn noted(verb: &str, permission: Permission, id: &str) -> Noted {
    Noted::done(&format!("proposal.{verb}")).about("proposal", id).with("permission", permission.name())
}
