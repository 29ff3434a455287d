//! What each address needs of whoever asks. A test holds this table against the router's: an address without a row is a failure,
//! and so is a row without an address.

use axum::http::Method;
use staff::Permission;

/// What an address needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing: signing in itself, probes, style sheets.
    Nobody,
    /// Whoever may be here at all.
    Anybody,
    /// Somebody who signed in.
    Signed,
    /// This permission.
    May(Permission),
}

use Need::{Anybody, May, Nobody, Signed};
use Permission::{
    ChangeContact, DraftRules, ForceSignIn, HandleIncidents, JudgeVerdicts, KeepSignature, ManageAlarms,
    ManageOperators, ManageStaff, PublishRules, ResetPin, RestoreTries, SuspendTerminal, ViewAudit,
    ViewCards, ViewCases, ViewIncidents, ViewOverview, ViewTerminals, ViewTransactions, WorkCases,
};

/// Method in small letters, address, need.
const TABLE: &[(&str, &str, Need)] = &[
    ("get", "/", May(ViewOverview)),
    ("get", "/transactions", May(ViewTransactions)),
    ("get", "/transactions/{rrn}", May(ViewTransactions)),
    ("get", "/transactions/{rrn}/receipt", May(ViewTransactions)),
    ("get", "/cards", May(ViewCards)),
    ("get", "/cards/{id}", May(ViewCards)),
    ("get", "/terminals", May(ViewTerminals)),
    ("get", "/why/{rrn}", May(ViewIncidents)),
    ("get", "/why/{rrn}/evidence.json", May(ViewIncidents)),
    ("post", "/why/{rrn}/wrong", May(JudgeVerdicts)),
    ("get", "/incidents", May(ViewIncidents)),
    ("get", "/incidents/{incident}", May(ViewIncidents)),
    ("post", "/incidents/{incident}/restore", May(RestoreTries)),
    ("post", "/incidents/{incident}/handle", May(HandleIncidents)),
    ("post", "/incidents/{incident}/answer", May(HandleIncidents)),
    ("post", "/incidents/{incident}/assign", May(HandleIncidents)),
    ("post", "/incidents/{incident}/note", May(HandleIncidents)),
    ("get", "/register", May(ViewIncidents)),
    ("get", "/rules", May(ViewIncidents)),
    ("get", "/rules/edit", May(DraftRules)),
    ("post", "/rules/edit", May(DraftRules)),
    ("get", "/rules/{digest}", May(ViewIncidents)),
    ("post", "/rules/{digest}/{step}", May(DraftRules)),
    ("post", "/rules/{digest}/activate", May(PublishRules)),
    ("post", "/rules/restore", May(PublishRules)),
    ("post", "/rules/lists", May(DraftRules)),
    ("post", "/rules/snoozes", May(DraftRules)),
    ("post", "/rules/members/{kind}/{name}/{member}/end", May(DraftRules)),
    ("get", "/api/v1/rules", May(ViewIncidents)),
    ("post", "/api/v1/rules", May(DraftRules)),
    ("get", "/api/v1/rules/{digest}", May(ViewIncidents)),
    ("post", "/api/v1/rules/check", May(DraftRules)),
    ("post", "/api/v1/rules/backtest", May(DraftRules)),
    ("get", "/api/v1/rules/backtests", May(ViewIncidents)),
    ("post", "/api/v1/rules/{digest}/publish", May(PublishRules)),
    ("post", "/api/v1/rules/{digest}/demote", May(DraftRules)),
    ("post", "/terminals/{terminal}/suspend", May(SuspendTerminal)),
    ("post", "/terminals/{terminal}/sign-in", May(ForceSignIn)),
    ("get", "/alarms", May(ViewIncidents)),
    ("get", "/messages", May(ViewCards)),
    ("get", "/confirm/{token}", Nobody),
    ("post", "/confirm/{token}", Nobody),
    ("post", "/confirm/{token}/passkey", Nobody),
    ("post", "/sms/receipts/{key}", Nobody),
    ("post", "/api/v1/sandbox/cards/{id}/totp", Anybody),
    ("get", "/api/v1/sandbox/outbox", Anybody),
    ("get", "/alarms/{alarm}", May(ViewIncidents)),
    ("post", "/alarms/{alarm}/acknowledge", May(ManageAlarms)),
    ("post", "/alarms/silences", May(ManageAlarms)),
    ("post", "/alarms/silences/{silence}/lift", May(ManageAlarms)),
    ("get", "/alarms/webhooks/{webhook}", May(ManageAlarms)),
    ("post", "/alarms/webhooks", May(ManageAlarms)),
    ("post", "/alarms/webhooks/{webhook}/enable", May(ManageAlarms)),
    ("post", "/alarms/webhooks/{webhook}/remove", May(ManageAlarms)),
    ("post", "/alarms/webhooks/{webhook}/rotate", May(ManageAlarms)),
    ("post", "/alarms/webhooks/{webhook}/test", May(ManageAlarms)),
    ("get", "/cases", May(ViewCases)),
    ("get", "/cases/figures", May(ViewCases)),
    ("get", "/cases/{case}", May(ViewCases)),
    ("get", "/caller", May(ViewCards)),
    ("post", "/cases", May(WorkCases)),
    ("post", "/cases/{case}/{deed}", May(WorkCases)),
    ("get", "/survey/{survey}", Nobody),
    ("post", "/survey/{survey}", Nobody),
    ("get", "/api/v1/cases", May(ViewCases)),
    ("get", "/api/v1/cases/figures", May(ViewCases)),
    ("get", "/api/v1/cases/{case}", May(ViewCases)),
    ("get", "/api/v1/desk", May(ViewCases)),
    ("post", "/api/v1/cases", May(WorkCases)),
    ("post", "/api/v1/cases/{case}/assign", May(WorkCases)),
    ("post", "/api/v1/cases/{case}/notes", May(WorkCases)),
    ("post", "/api/v1/cases/{case}/answers", May(WorkCases)),
    ("post", "/api/v1/cases/{case}/status", May(WorkCases)),
    ("post", "/api/v1/cases/{case}/priority", May(WorkCases)),
    ("post", "/api/v1/cases/{case}/steps", May(WorkCases)),
    ("post", "/api/v1/cases/{case}/identity", May(WorkCases)),
    ("post", "/api/v1/cases/{case}/actions", May(WorkCases)),
    ("post", "/api/v1/cases/{case}/close", May(WorkCases)),
    ("post", "/api/v1/cases/{case}/code", May(WorkCases)),
    ("get", "/codes", Anybody),
    ("get", "/codes/{code}", Anybody),
    ("get", "/about", Anybody),
    ("get", "/docs", Anybody),
    ("get", "/assets/{hash}/{*name}", Nobody),
    ("get", "/sign-in", Nobody),
    ("get", "/sign-in/oidc", Nobody),
    ("get", "/sign-in/oidc/callback", Nobody),
    ("post", "/sign-in", Nobody),
    ("post", "/sign-in/passkey", Nobody),
    ("post", "/account/passkeys", Signed),
    ("post", "/account/passkeys/remove", Signed),
    ("post", "/sign-out", Nobody),
    ("get", "/set-up", Nobody),
    ("post", "/set-up", Nobody),
    ("get", "/account", Anybody),
    ("get", "/tokens", Anybody),
    ("post", "/tokens", Signed),
    ("post", "/tokens/{token}/revoke", Signed),
    ("get", "/api/v1/tokens", Anybody),
    ("post", "/api/v1/tokens", Signed),
    ("delete", "/api/v1/tokens/{token}", Signed),
    ("get", "/staff", May(ManageStaff)),
    ("get", "/proposals", Anybody),
    ("post", "/proposals/{id}/approve", Signed),
    ("post", "/proposals/{id}/decline", Signed),
    ("post", "/proposals/{id}/withdraw", Anybody),
    ("get", "/audit", May(ViewAudit)),
    ("get", "/audit/export", May(ViewAudit)),
    ("get", "/api/v1/overview", May(ViewOverview)),
    ("get", "/api/v1/transactions", May(ViewTransactions)),
    ("get", "/api/v1/transactions/{rrn}", May(ViewTransactions)),
    ("get", "/api/v1/transactions/{rrn}/receipt", May(ViewTransactions)),
    ("put", "/api/v1/transactions/{rrn}/signature", May(KeepSignature)),
    ("get", "/api/v1/cards", May(ViewCards)),
    ("get", "/api/v1/cards/{id}", May(ViewCards)),
    ("post", "/cards/{id}/actions", Anybody),
    ("post", "/cards/{id}/reset-pin", May(ResetPin)),
    ("post", "/cards/{id}/page", May(ViewCards)),
    ("post", "/cards/{id}/contact", May(ChangeContact)),
    ("post", "/api/v1/cards/{id}/reset-pin", May(ResetPin)),
    ("post", "/api/v1/cards/{id}/page", May(ViewCards)),
    ("post", "/api/v1/cards/{id}/contact", May(ChangeContact)),
    ("get", "/merchants/{merchant}", May(ViewTerminals)),
    ("post", "/merchants/{merchant}/link", May(ManageOperators)),
    ("post", "/merchants/{merchant}/people", May(ManageOperators)),
    ("post", "/api/v1/merchants/{merchant}/link", May(ManageOperators)),
    ("get", "/api/v1/merchants/{merchant}/operators", May(ManageOperators)),
    ("post", "/api/v1/merchants/{merchant}/operators/{operator}", May(ManageOperators)),
    ("get", "/shop/{token}", Nobody),
    ("post", "/shop/{token}", Nobody),
    ("get", "/holder/{token}", Nobody),
    ("get", "/holder/pin/{token}", Nobody),
    ("post", "/holder/pin/{token}", Nobody),
    ("get", "/holder/change/{token}", Nobody),
    ("post", "/holder/change/{token}", Nobody),
    ("post", "/holder/{token}/passkeys", Nobody),
    ("post", "/holder/{token}/passkeys/remove", Nobody),
    ("post", "/api/v1/cards/{id}/actions", Anybody),
    ("get", "/api/v1/terminals", May(ViewTerminals)),
    ("get", "/api/v1/transactions/{rrn}/diagnosis", May(ViewIncidents)),
    ("post", "/api/v1/transactions/{rrn}/diagnosis/feedback", May(JudgeVerdicts)),
    ("get", "/api/v1/causes", Anybody),
    ("get", "/api/v1/suspicions", May(ViewIncidents)),
    ("get", "/api/v1/incidents", May(ViewIncidents)),
    ("get", "/api/v1/incidents/{incident}", May(ViewIncidents)),
    ("post", "/api/v1/incidents/{incident}/status", May(HandleIncidents)),
    ("post", "/api/v1/incidents/{incident}/assign", May(HandleIncidents)),
    ("post", "/api/v1/incidents/{incident}/notes", May(HandleIncidents)),
    ("post", "/api/v1/incidents/{incident}/restore-tries", May(RestoreTries)),
    ("post", "/api/v1/incidents/{incident}/answers", May(HandleIncidents)),
    ("get", "/api/v1/register", May(ViewIncidents)),
    ("get", "/api/v1/register.csv", May(ViewIncidents)),
    ("post", "/api/v1/terminals/{terminal}/suspend", May(SuspendTerminal)),
    ("post", "/api/v1/terminals/{terminal}/force-sign-in", May(ForceSignIn)),
    ("get", "/api/v1/alerts", May(ViewIncidents)),
    ("post", "/api/v1/alerts/{alarm}/ack", May(ManageAlarms)),
    ("get", "/api/v1/silences", May(ViewIncidents)),
    ("post", "/api/v1/silences", May(ManageAlarms)),
    ("delete", "/api/v1/silences/{silence}", May(ManageAlarms)),
    ("get", "/api/v1/webhooks", May(ManageAlarms)),
    ("post", "/api/v1/webhooks", May(ManageAlarms)),
    ("delete", "/api/v1/webhooks/{webhook}", May(ManageAlarms)),
    ("get", "/api/v1/webhooks/{webhook}/deliveries", May(ManageAlarms)),
    ("post", "/api/v1/webhooks/{webhook}/test", May(ManageAlarms)),
    ("post", "/api/v1/webhooks/{webhook}/rotate", May(ManageAlarms)),
    ("post", "/api/v1/webhooks/{webhook}/enable", May(ManageAlarms)),
    ("get", "/api/v1/codes", Anybody),
    ("get", "/api/v1/codes/{code}", Anybody),
    ("get", "/api/v1/reasons", Anybody),
    ("get", "/api/v1/events", May(ViewTransactions)),
    ("get", "/api/v1/health", Anybody),
    ("get", "/api/v1/permissions", Anybody),
    ("get", "/api/v1/session", Anybody),
    ("post", "/api/v1/session", Nobody),
    ("delete", "/api/v1/session", Nobody),
    ("get", "/api/v1/proposals", Anybody),
    ("post", "/api/v1/proposals/{id}/approve", Signed),
    ("post", "/api/v1/proposals/{id}/decline", Signed),
    ("post", "/api/v1/proposals/{id}/withdraw", Anybody),
    ("get", "/api/v1/audit", May(ViewAudit)),
    ("get", "/api/openapi.json", Anybody),
    ("get", "/livez", Nobody),
    ("get", "/readyz", Nobody),
    ("get", "/healthz", Nobody),
    ("get", "/metrics", Nobody),
];

/// The need of an address. What is not in the table needs a permission that nobody has alone: a forgotten row locks out, it
/// does not let in.
pub(crate) fn of(method: &Method, path: &str) -> Need {
    let method = match method.as_str() {
        "HEAD" | "GET" => "get",
        "POST" => "post",
        "DELETE" => "delete",
        "PUT" => "put",
        _ => return Need::Nobody,
    };
    let row = TABLE.iter().find(|(m, p, _)| *m == method && *p == path);
    row.map_or(May(ManageStaff), |(_, _, need)| *need)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{ACTIONS, ROUTES};

    #[test]
    fn every_address_says_what_it_needs() {
        let routed: BTreeSet<(&str, &str)> =
            ROUTES.iter().map(|path| ("get", *path)).chain(ACTIONS.iter().copied()).collect();
        let listed: BTreeSet<(&str, &str)> = TABLE.iter().map(|(method, path, _)| (*method, *path)).collect();
        assert_eq!(
            routed.difference(&listed).collect::<Vec<_>>(),
            Vec::<&(&str, &str)>::new(),
            "need no row"
        );
        assert_eq!(
            listed.difference(&routed).collect::<Vec<_>>(),
            Vec::<&(&str, &str)>::new(),
            "lead nowhere"
        );
        assert_eq!(listed.len(), TABLE.len(), "a row stands twice");
    }

    #[test]
    fn what_changes_something_is_not_for_nobody() {
        let open: Vec<_> =
            TABLE.iter().filter(|(m, _, need)| *m != "get" && *need == Nobody).map(|(_, p, _)| *p).collect();
        let expected = [
            "/confirm/{token}",
            "/confirm/{token}/passkey",
            "/sms/receipts/{key}",
            "/survey/{survey}",
            "/sign-in",
            "/sign-in/passkey",
            "/sign-out",
            "/set-up",
            "/holder/pin/{token}",
            "/holder/change/{token}",
            "/shop/{token}",
            "/holder/{token}/passkeys",
            "/holder/{token}/passkeys/remove",
            "/api/v1/session",
            "/api/v1/session",
        ];
        assert_eq!(open.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from(expected));
    }
}
