//! Service plans: what a kind of customer was promised, and which shop has which plan.

use std::collections::{BTreeMap, BTreeSet};

use handbook::{Bilingual, Lang};
use model::MerchantId;
use serde::{Deserialize, Serialize};

use crate::{
    calendar::Calendars,
    clock::{ClockKind, Minutes, Targets},
    house::BadData,
};

/// The plan of shops that have no other.
pub const STANDARD: &str = "standard";
/// The plan of people with a card.
pub const CARDHOLDER: &str = "cardholder";

/// All plans and segments.
#[derive(Debug)]
pub struct Plans {
    plans: BTreeMap<String, Plan>,
    segments: Vec<Segment>,
    notice: BTreeMap<ClockKind, Bilingual>,
}

/// One plan.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    name: Bilingual,
    calendar: String,
    response_min: Minutes,
    resolve_min: Minutes,
    advice: Bilingual,
    /// Steps of escalation.
    #[serde(default)]
    pub escalation: Vec<EscalationStep>,
}

/// Who hears of it, when so much of a clock's target is gone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EscalationStep {
    /// Which clock.
    pub clock: ClockKind,
    /// At so much of its target.
    pub at_percent: u32,
    /// To whom.
    pub to: String,
    /// How loud: `info`, `warning` or `critical`, as alarms have it.
    pub severity: String,
}

/// Shops of one kind.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// Its fixed name.
    pub name: String,
    title: Bilingual,
    plan: String,
    /// Merchant categories (ISO 18245).
    mcc: Vec<String>,
    /// Shops that belong to it whatever their category.
    #[serde(default)]
    merchants: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    notice: BTreeMap<ClockKind, Bilingual>,
    plan: BTreeMap<String, Plan>,
    segment: Vec<Segment>,
}

impl Plan {
    /// What it is called.
    #[must_use]
    pub fn name(&self, lang: Lang) -> &str {
        self.name.get(lang)
    }

    /// What is done first for such a customer.
    #[must_use]
    pub fn advice(&self, lang: Lang) -> &str {
        self.advice.get(lang)
    }

    /// What is promised.
    #[must_use]
    pub fn targets(&self) -> Targets {
        Targets {
            calendar: self.calendar.clone(),
            response_min: self.response_min,
            resolve_min: self.resolve_min,
        }
    }
}

impl Segment {
    /// What it is called.
    #[must_use]
    pub fn title(&self, lang: Lang) -> &str {
        self.title.get(lang)
    }
}

impl Plans {
    /// Reads `plans.toml`.
    ///
    /// # Errors
    /// [`BadData`].
    pub fn read(text: &str, calendars: &Calendars) -> Result<Self, BadData> {
        let bad = |why: String| BadData::of("plans", why);
        let File { notice, plan: plans, segment: segments } =
            toml::from_str(text).map_err(|e| bad(e.to_string()))?;
        if let Some(clock) = ClockKind::ALL.into_iter().find(|clock| !notice.contains_key(clock)) {
            return Err(bad(format!("there is no notice for the clock {}", clock.name())));
        }
        for name in [STANDARD, CARDHOLDER] {
            if !plans.contains_key(name) {
                return Err(bad(format!("there is no plan {name}")));
            }
        }
        for (name, plan) in &plans {
            if calendars.get(&plan.calendar).is_none() {
                return Err(bad(format!("{name}: no such calendar: {}", plan.calendar)));
            }
            let steps: BTreeSet<_> = plan.escalation.iter().map(|s| (s.clock, s.at_percent)).collect();
            if steps.len() != plan.escalation.len() {
                return Err(bad(format!("{name}: two steps of escalation at once")));
            }
            let loud = |step: &EscalationStep| {
                matches!(step.severity.as_str(), "info" | "warning" | "critical") && step.at_percent > 0
            };
            if let Some(step) = plan.escalation.iter().find(|step| !loud(step)) {
                return Err(bad(format!(
                    "{name}: a severity is info, warning or critical, not {}",
                    step.severity
                )));
            }
        }
        if let Some(segment) = segments.iter().find(|segment| !plans.contains_key(&segment.plan)) {
            return Err(bad(format!("{}: no such plan: {}", segment.name, segment.plan)));
        }
        Ok(Self { plans, segments, notice })
    }

    /// What is told when a clock comes so far: `facts` are the case, the minutes that are gone, of how many, and to whom.
    #[must_use]
    pub fn notice(&self, lang: Lang, clock: ClockKind, facts: &[String; 4]) -> String {
        let text = self.notice.get(&clock).map_or("", |text| text.get(lang));
        let put = |text: String, (n, fact): (usize, &String)| text.replace(&format!("{{{n}}}"), fact);
        facts.iter().enumerate().fold(text.to_owned(), put)
    }

    /// Segment and plan of a shop, by its number (DE 42); the standard plan when it is in none.
    #[must_use]
    pub fn of_merchant(&self, merchant: &str) -> (&str, &str) {
        let mcc = merchant.parse::<MerchantId>().ok();
        let mcc = mcc.as_ref().and_then(MerchantId::category);
        let fits = |segment: &&Segment| {
            segment.merchants.iter().any(|m| m == merchant)
                || mcc.is_some_and(|mcc| segment.mcc.iter().any(|m| m == mcc))
        };
        let named = self.segments.iter().find(|s| s.merchants.iter().any(|m| m == merchant));
        let found = named.or_else(|| self.segments.iter().find(fits));
        found.map_or(("", STANDARD), |segment| (segment.name.as_str(), segment.plan.as_str()))
    }

    /// A plan by its name; the standard one when there is no such plan any more.
    ///
    /// # Panics
    /// Never: [`read`](Self::read) wants the standard one.
    #[must_use]
    pub fn get(&self, name: &str) -> &Plan {
        self.plans.get(name).unwrap_or_else(|| &self.plans[STANDARD])
    }

    /// All plans by name.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Plan)> {
        self.plans.iter().map(|(name, plan)| (name.as_str(), plan))
    }

    /// All segments.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }
}
