//! What the console knows of a shop: its people, and what was refused there today in words for whoever stands at the till. Never how
//! many tries a card has left: a shop is the last that should count them.

use handbook::{Audience, Lang};
use model::{MerchantId, OperatorId, Timestamp};
use office::Noted;
use shop::{NotDone, ShopDesk};
use store::archive::{TransactionQuery, TransactionRow};

use crate::{actor::Actor, error::Failure, format::now, router::Shared, service};

/// So many refusals a shop's page has.
const REFUSALS_MAX: u32 = 50;
/// Shortly after midnight, what happened before it is today's still.
const TODAY_AT_LEAST_S: i64 = 6 * 3600;

impl From<NotDone> for Failure {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::NoOperator | NotDone::Neutral => Self::NotFound,
            NotDone::Taken => Self::Conflict(error.to_string()),
            NotDone::Store(error) => error.into(),
        }
    }
}

/// The desk that serves shops.
pub(crate) fn desk(state: &Shared) -> Result<&ShopDesk, Failure> {
    state.web.shop.as_deref().ok_or_else(|| Failure::Conflict("this console only shows".to_owned()))
}

/// A merchant of ours: one at which a terminal stands.
pub(crate) async fn merchant(state: &Shared, id: &str) -> Result<(MerchantId, String), Failure> {
    let terminals = service::terminals(state).await?;
    let found = terminals.into_iter().find(|terminal| terminal.merchant == id).ok_or(Failure::NotFound)?;
    Ok((id.parse().map_err(|_| Failure::NotFound)?, found.merchant_name))
}

/// A refusal, for the shop.
pub(crate) struct Refusal {
    pub(crate) row: TransactionRow,
    /// What it was.
    pub(crate) what: String,
    /// What the cashier does.
    pub(crate) cashier: String,
    /// What the customer is told.
    pub(crate) customer: String,
}

impl Refusal {
    fn of(row: TransactionRow, lang: Lang) -> Self {
        let (what, cashier, customer) = match service::reason(&row).map(handbook::reason) {
            Some(reason) => (
                reason.title(lang).to_owned(),
                reason.todo(lang, Audience::Cashier).to_owned(),
                reason.todo(lang, Audience::Cardholder).to_owned(),
            ),
            None => (row.code.clone(), String::new(), handbook::unknown_code_prompt(lang).to_owned()),
        };
        Self { row, what, cashier, customer }
    }
}

/// What was refused at a shop since its day began, newest first.
pub(crate) async fn refusals(
    state: &Shared,
    merchant: MerchantId,
    at: Timestamp,
    lang: Lang,
) -> Result<Vec<Refusal>, Failure> {
    let query = TransactionQuery {
        search: Some(merchant.to_string()),
        declined: true,
        from: Some(state.web.zone.day_begins(at).min(at.plus_s(-TODAY_AT_LEAST_S))),
        limit: Some(REFUSALS_MAX),
        ..TransactionQuery::default()
    };
    let page = state.web.archive.transactions(&query).await?;
    // The search looks for the number in other columns, too.
    let here = page.data.into_iter().filter(|row| row.merchant == merchant.as_str());
    Ok(here.map(|row| Refusal::of(row, lang)).collect())
}

/// What is done about one of a shop's people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deed {
    /// A new one, with a first password.
    Open,
    /// A first password again.
    Reset,
    /// None any more.
    Close,
}

impl Deed {
    /// By its name in forms.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "open" => Self::Open,
            "reset" => Self::Reset,
            "close" => Self::Close,
            _ => return None,
        })
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Open => "operator.open",
            Self::Reset => "operator.reset",
            Self::Close => "operator.close",
        }
    }
}

/// Does it, and writes down who did. A first password comes back, to be shown once.
pub(crate) async fn act(
    state: &Shared,
    by: &Actor,
    merchant: MerchantId,
    operator: OperatorId,
    deed: Deed,
) -> Result<Option<operator::Password>, NotDoneOrFailure> {
    let desk = desk(state)?;
    let done = match deed {
        Deed::Open => desk.reset(merchant, operator, by.name(), true).await?.into(),
        Deed::Reset => desk.reset(merchant, operator, by.name(), false).await?.into(),
        Deed::Close => {
            desk.close(merchant, operator, by.name()).await?;
            None
        }
    };
    note(state, by, Noted::done(deed.verb()).about("operator", &format!("{merchant}/{operator}"))).await?;
    Ok(done)
}

/// A link to the shop's page, and until when it is good.
pub(crate) async fn link(
    state: &Shared,
    by: &Actor,
    merchant: MerchantId,
    hours: u32,
) -> Result<(String, Timestamp), Failure> {
    let link = desk(state)?.link(merchant, hours, by.name()).await?;
    note(state, by, Noted::done("merchant.link").about("merchant", merchant.as_str())).await?;
    Ok(link)
}

async fn note(state: &Shared, by: &Actor, noted: Noted) -> Result<(), Failure> {
    match &state.web.office {
        Some(office) => Ok(office.note(&by.0, noted).await?),
        None => Ok(()),
    }
}

/// Whoever came by a link: a shop, and nobody of the staff.
pub(crate) fn visitor(merchant: MerchantId) -> Actor {
    let name = format!("merchant {merchant}");
    Actor(staff::Actor {
        person: name.clone(),
        name,
        roles: Vec::new(),
        session: String::new(),
        device: String::new(),
        scopes: None,
    })
}

/// Which of both it is, the page says.
pub(crate) enum NotDoneOrFailure {
    /// The operator's matter: said beside the field.
    NotDone(NotDone),
    /// Ours.
    Failure(Failure),
}

impl From<NotDone> for NotDoneOrFailure {
    fn from(error: NotDone) -> Self {
        match error {
            NotDone::Store(error) => Self::Failure(error.into()),
            other => Self::NotDone(other),
        }
    }
}

impl From<Failure> for NotDoneOrFailure {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl From<NotDoneOrFailure> for Failure {
    fn from(error: NotDoneOrFailure) -> Self {
        match error {
            NotDoneOrFailure::NotDone(error) => error.into(),
            NotDoneOrFailure::Failure(failure) => failure,
        }
    }
}

/// Today's refusals at this moment.
pub(crate) async fn today(state: &Shared, merchant: MerchantId, lang: Lang) -> Result<Vec<Refusal>, Failure> {
    refusals(state, merchant, now(), lang).await
}
