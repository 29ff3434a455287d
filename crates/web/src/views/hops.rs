//! Where the time of one payment went: the host, and the issuer of a foreign card within it.

use maud::{Markup, html};
use store::archive::TransactionDetail;

use crate::{
    chart::waterfall::{self, Part},
    format::duration_us,
    visit::Visit,
};

/// The waterfall of a payment whose time was taken.
pub(crate) fn waterfall(visit: &Visit, detail: &TransactionDetail) -> Markup {
    let say = visit.say;
    let Some(took_us) = detail.row.took_us.map(u64::from) else { return html! {} };
    let issuer_us = issuer_us(detail);
    let host_us = took_us.saturating_sub(issuer_us);
    let mut spans = vec![("s-volume", "hop-all", 0, took_us), ("s-warn", "hop-host", 0, host_us)];
    if issuer_us > 0 {
        // The question goes out after half of our own work, as nobody recorded when exactly.
        spans.push(("s-sys", "hop-issuer", host_us / 2, issuer_us));
    }
    let parts: Vec<Part<'_>> = spans
        .iter()
        .map(|(class, key, from_us, took_us)| Part {
            class,
            from_us: *from_us,
            took_us: *took_us,
            words: format!("{} {}", say.t(key), duration_us(*took_us)),
        })
        .collect();
    let finding = parts.iter().map(|part| part.words.as_str()).collect::<Vec<_>>().join(" \u{b7} ");
    html! {
        section class="card" aria-labelledby="hops-title" {
            h2 id="hops-title" { (say.t("hops-title")) }
            (waterfall::draw(&say.t("hops-title"), &finding, &parts))
            ul class="legend" { @for (class, key, _, took_us) in &spans { li { i class=(class) {} (say.t(key)) " " (duration_us(*took_us)) } } }
        }
    }
}

/// What other issuers took, as the journal has it.
fn issuer_us(detail: &TransactionDetail) -> u64 {
    let took_ms = |effect: &serde_json::Value| effect.get("took_ms").and_then(serde_json::Value::as_u64);
    detail.effects.iter().filter_map(took_ms).sum::<u64>() * 1000
}
