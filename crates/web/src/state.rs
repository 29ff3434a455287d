//! What the console is given: the read side of the store and the doors to what it does not know itself.

use std::sync::Arc;

use authorization::Products;
use confirmation::Confirmations;
use holder::HolderDesk;
use office::{CaseDesk, Office};
use serde::Serialize;
use shop::ShopDesk;
use sms::{Contacts, Outbox, SmsService};
use store::{Archive, Store};

use crate::{format::Zone, insight::Insight, rules::RuleDesk};

/// Everything that the console shows comes from here.
#[derive(Clone)]
pub struct WebState {
    /// The read side of the store.
    pub archive: Arc<dyn Archive>,
    /// The door through which staff act on cards; without it the console only shows.
    pub store: Option<Store>,
    /// Who works here; without it nobody signs in.
    pub office: Option<Arc<Office>>,
    /// By what name passkeys know this console; without one there are none.
    pub relying_party: Option<passkey::RelyingParty>,
    /// The desk's cases.
    pub cases: Arc<CaseDesk>,
    /// The cardholder's side; without it no link leads anywhere.
    pub holder: Option<Arc<HolderDesk>>,
    /// The merchant's side; without it no shop has people, and no link leads anywhere.
    pub shop: Option<Arc<ShopDesk>>,
    /// Sandbox: the staff that stand in its file, for the sign-in page.
    pub sandbox_staff: Vec<SandboxStaff>,
    /// The policies of the card products.
    pub products: Products,
    /// Reads messages for people.
    pub describer: Arc<dyn MessageDescriber>,
    /// Test keys and made-up cards? Then every page says so.
    pub sandbox: bool,
    /// What is known about causes and incidents; [`crate::insight::NoInsight`] when no diagnosis runs.
    pub insight: Arc<dyn Insight>,
    /// What somebody should look at, and who is told.
    pub alarms: alarm::AlarmService,
    /// Short messages to cardholders; without it none are sent.
    pub messages: Option<Messages>,
    /// Asks cardholders for second proofs; without it nobody is asked.
    pub confirmations: Option<Confirmations>,
    /// The rules' desk.
    pub rules: Arc<RuleDesk>,
    /// How the host is.
    pub health: Arc<dyn HealthCheck>,
    /// The figures for a metrics collector.
    pub metrics: Metrics,
    /// Under which names it is reached, and how.
    pub entrance: Entrance,
    /// Version of the program.
    pub version: String,
    /// The zone in which times are shown.
    pub zone: Zone,
}

/// How the console is reached.
#[derive(Clone, Default)]
pub struct Entrance {
    /// Names under which it is asked, besides those of this machine: without a port.
    pub names: Vec<String>,
    /// Is it reached with TLS? Then cookies are for TLS only, and browsers are told to stay with it.
    pub secure: bool,
    /// The provider by which staff may sign in.
    pub oidc: Option<Arc<oidc::Client>>,
}

/// Short messages to cardholders.
#[derive(Clone)]
pub struct Messages {
    /// Sends them, and knows what became of them.
    pub service: SmsService,
    /// Where they stay when no gateway is set.
    pub outbox: Option<Arc<Outbox>>,
    /// How cardholders are reached.
    pub contacts: Contacts,
    /// What links begin with, such as `https://bank.example`.
    pub address: String,
    /// The secret part of the address at which a gateway says what became of messages; without it nothing is listened to.
    pub receipts: Option<Arc<sms::http::ReceiptsKey>>,
}

/// Somebody of a sandbox, whose words everybody may read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SandboxStaff {
    /// What they are.
    pub role: String,
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
    /// The secret of the one-time codes, Base32.
    pub totp_secret: String,
}

/// Writes the metrics in Prometheus' text format.
pub type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// Reads a message on the wire for people. What must not be seen (PIN block, track data) is already left out.
pub trait MessageDescriber: Send + Sync {
    /// The fields in the order of the message; empty when it cannot be read.
    fn describe(&self, dialect: &str, bytes: &[u8], is_reply_frame: bool) -> Vec<DescribedField>;
}

/// A field of a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DescribedField {
    /// Where it is in the message, such as `DE 39` or `DE 55 / 9F02`.
    pub path: String,
    /// English name.
    pub name_en: String,
    /// Chinese name.
    pub name_zh: String,
    /// Its value as text, masked.
    pub value: String,
    /// At which byte it starts.
    pub offset: usize,
}

/// How the host is, asked anew each time.
pub trait HealthCheck: Send + Sync {
    /// All checks. The host is ready when each is well.
    fn checks(&self) -> Vec<Check>;
}

/// One check of the host's health.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Check {
    /// What was checked, such as `store`.
    pub name: String,
    /// Is it well?
    pub ok: bool,
    /// One sentence for the engineer.
    pub detail: String,
    /// How long the check took, in microseconds.
    pub took_us: u64,
}
