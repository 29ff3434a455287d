//! A transaction of the archive as a slip. What the line does not have comes from the messages, as a describer reads them.

use handbook::{Audience, Lang};
use model::Currency;
use receipt::{Chip, Consent, Entry, Moment, Original, Outcome, Signature, Slip};
use store::archive::{TransactionDetail, TransactionRow};

use super::signature::{kind, needs_one};
use crate::{
    format::{Zone, mask_digits},
    service,
    state::DescribedField,
};

/// What the messages say.
pub(super) struct Said<'a> {
    pub(super) request: &'a [DescribedField],
    pub(super) reply: &'a [DescribedField],
}

impl Said<'_> {
    fn asked(&self, path: &str) -> Option<String> {
        field(self.request, path)
    }

    fn answered(&self, path: &str) -> Option<String> {
        field(self.reply, path)
    }
}

fn field(fields: &[DescribedField], path: &str) -> Option<String> {
    let is = |field: &&DescribedField| field.path.strip_prefix("DE ").unwrap_or(&field.path) == path;
    let value = fields.iter().find(is)?.value.trim().to_owned();
    (!value.is_empty() && !value.contains('*')).then_some(value)
}

/// The slip of a payment; sign-ins, reversals and refusals that touched no card have none.
pub(super) fn of(
    detail: &TransactionDetail,
    said: &Said<'_>,
    original: Option<&TransactionRow>,
    zone: &Zone,
    signed: Option<Signature>,
) -> Option<Slip> {
    let row = &detail.row;
    let kind = kind(row)?;
    let six = |number: u32| format!("{number:06}");
    Some(Slip {
        merchant_name: (!row.merchant_name.is_empty()).then(|| row.merchant_name.clone()),
        merchant: row.merchant.clone(),
        terminal: row.terminal.clone(),
        operator: detail.operator.map(|operator| operator.to_string()).or_else(|| operator(said)),
        issuer: None,
        acquirer: said.answered("32"),
        card: row.pan.clone(),
        entry: said.asked("22").as_deref().and_then(Entry::of_mode),
        expiry: said
            .asked("14")
            .filter(|yymm| yymm.len() == 4)
            .map(|yymm| format!("{}/{}", &yymm[..2], &yymm[2..])),
        kind,
        batch: row.batch.filter(|batch| *batch != 0).map(six),
        voucher: row.stan.map(six),
        approval: detail.approval.clone(),
        reference: (!row.rrn.starts_with('-')).then(|| row.rrn.clone()),
        at: zone.moment(row.at),
        amount: row.amount.filter(|_| kind.needs_amount()),
        currency: row.currency.map_or(Currency::CNY, Currency),
        original: original.map(|first| Original {
            voucher: first.stan.map(six),
            reference: Some(first.rrn.clone()),
            date: Some(day(zone.moment(first.at))),
        }),
        chip: chip(said),
        outcome: outcome(row, signed),
        reprint: false,
    })
}

fn day(at: Moment) -> String {
    format!("{:04}/{:02}/{:02}", at.year, at.month, at.day)
}

/// DE 63 of a UnionPay terminal begins with its operator; supervisors and cashiers have two digits, padded with a space.
fn operator(said: &Said<'_>) -> Option<String> {
    let sent = said.asked("63.1")?;
    sent.bytes().all(|b| b.is_ascii_alphanumeric()).then_some(sent)
}

fn chip(said: &Said<'_>) -> Option<Chip> {
    let tag = |tag: &str| {
        // what a terminal sends is masked wherever it looks like a card number, as on the page of the messages
        said.asked(&format!("55.{tag}")).map(|value| mask_digits(&value.replace(' ', ""), &[]))
    };
    let chip =
        Chip { aid: tag("9F06").or_else(|| tag("4F")), tvr: tag("95"), tsi: tag("9B"), arqc: tag("9F26") };
    (chip != Chip::default()).then_some(chip)
}

fn outcome(row: &TransactionRow, signed: Option<Signature>) -> Outcome {
    if service::is_approved(row) {
        return Outcome::Approved(match signed {
            Some(signature) => Consent::Signed(signature),
            None if needs_one(row) => Consent::OnPaper,
            None => Consent::NotNeeded,
        });
    }
    let told = |lang: Lang| match service::reason(row) {
        Some(reason) => handbook::reason(reason).todo(lang, Audience::Cardholder).to_owned(),
        None => handbook::unknown_code_prompt(lang).to_owned(),
    };
    let code = (!row.code.is_empty()).then_some(row.code.as_str());
    Outcome::refused(code, &told(Lang::Zh), &told(Lang::En))
}

#[cfg(test)]
mod tests {
    use model::ReasonCode;

    use super::*;

    #[test]
    fn nothing_that_a_refused_slip_says_counts_tries() {
        for reason in ReasonCode::ALL {
            for lang in [Lang::Zh, Lang::En] {
                let text = handbook::reason(*reason).todo(lang, Audience::Cardholder);
                let lower = text.to_lowercase();
                for word in ["left", "remain", "attempt", "last try", "one more", "more tries"] {
                    assert!(!lower.contains(word), "{reason}: {text}");
                }
                assert!(!text.chars().any(|c| c.is_ascii_digit()), "{reason}: {text}");
            }
        }
    }
}
