//! Links to a merchant's page: short-lived, of 128 random bits, kept as a digest, found by a selector as a cardholder's are
//! (`holder::link`). Whoever has the link is the merchant, until it expires; every one is issued by somebody of the staff.

use holder::Token;
use model::{MerchantId, OperatorId, Timestamp};
use operator::Password;
use serde::{Deserialize, Serialize};
use store::book::json;

use crate::{NotDone, ShopDesk};

const STREAM: &str = "shop-link/";
const ISSUED: &str = "link";
/// A link is good for at most so many hours.
pub const LINK_HOURS_MAX: u32 = 72;

#[derive(Serialize, Deserialize)]
struct Link {
    version: u8,
    merchant: MerchantId,
    until: Timestamp,
    digest: String,
    by: String,
}

/// A merchant who came by a link that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    /// The shop.
    pub merchant: MerchantId,
    /// Good until then.
    pub until: Timestamp,
}

impl ShopDesk {
    /// Issues a link for `hours`, at most [`LINK_HOURS_MAX`]; its address is shown once.
    ///
    /// # Errors
    /// [`NotDone::Store`].
    pub async fn link(
        &self,
        merchant: MerchantId,
        hours: u32,
        by: &str,
    ) -> Result<(String, Timestamp), NotDone> {
        let now = self.now();
        let until = now.plus_s(i64::from(hours.clamp(1, LINK_HOURS_MAX)) * 3600);
        let token = Token::fresh()?;
        let link =
            Link { version: 1, merchant, until, digest: hex::encode(token.digest()), by: by.to_owned() };
        self.parts.book.append(&stream(&token), 0, now, ISSUED, json(&link)?).await?;
        Ok((format!("{}/shop/{}", self.parts.address, token.reveal()), until))
    }

    /// Who comes by this link.
    ///
    /// # Errors
    /// [`NotDone::Neutral`] for every link that is none, [`NotDone::Store`].
    pub async fn visit(&self, token: &str) -> Result<Pass, NotDone> {
        let token = Token::sent(token).ok_or(NotDone::Neutral)?;
        let facts = self.parts.book.read(&stream(&token), 0, 1).await?;
        let link: Link = facts.first().ok_or(NotDone::Neutral)?.read()?;
        let good = link.digest == hex::encode(token.digest()) && self.now() < link.until;
        if good { Ok(Pass { merchant: link.merchant, until: link.until }) } else { Err(NotDone::Neutral) }
    }

    /// The merchant gives one of the shop's people a first password.
    ///
    /// # Errors
    /// [`NotDone`].
    pub async fn reset_by_link(&self, token: &str, operator: OperatorId) -> Result<Password, NotDone> {
        let pass = self.visit(token).await?;
        self.reset(pass.merchant, operator, "merchant's page", false).await
    }
}

fn stream(token: &Token) -> String {
    format!("{STREAM}{}", token.selector())
}
