//! The frame of every page: sandbox bar, navigation, heading with the one search box, keyboard help.

use maud::{DOCTYPE, Markup, html};
use staff::Permission;

use crate::{
    assets,
    lang::Say,
    visit::{Theme, Visit},
};

/// Which entry of the navigation is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nav {
    Overview,
    Transactions,
    Incidents,
    Register,
    Alarms,
    Messages,
    Rules,
    Cases,
    Cards,
    Terminals,
    Proposals,
    Audit,
    Staff,
    Codes,
    Docs,
    About,
    Nowhere,
}

/// An entry of the navigation: place, address, key of its text.
type Entry = (Nav, &'static str, &'static str);

/// The groups of the navigation: heading, then entries with address and text.
const GROUPS: [(&str, &[Entry]); 4] = [
    (
        "nav-operate",
        &[
            (Nav::Overview, "/", "nav-overview"),
            (Nav::Transactions, "/transactions", "nav-transactions"),
            (Nav::Incidents, "/incidents", "nav-incidents"),
            (Nav::Register, "/register", "nav-register"),
            (Nav::Alarms, "/alarms", "nav-alarms"),
            (Nav::Messages, "/messages", "nav-messages"),
            (Nav::Rules, "/rules", "nav-rules"),
        ],
    ),
    ("nav-records", &[(Nav::Cards, "/cards", "nav-cards"), (Nav::Terminals, "/terminals", "nav-terminals")]),
    (
        "nav-office",
        &[
            (Nav::Cases, "/cases", "nav-cases"),
            (Nav::Proposals, "/proposals", "nav-proposals"),
            (Nav::Audit, "/audit", "nav-audit"),
            (Nav::Staff, "/staff", "nav-staff"),
        ],
    ),
    (
        "nav-reference",
        &[
            (Nav::Codes, "/codes", "nav-codes"),
            (Nav::Docs, "/docs", "nav-docs"),
            (Nav::About, "/about", "nav-about"),
        ],
    ),
];

/// What a page adds to the frame.
pub(crate) struct Frame<'a> {
    pub(crate) visit: &'a Visit,
    pub(crate) nav: Nav,
    pub(crate) title: &'a str,
    /// Beside the heading, such as a reference number.
    pub(crate) beside: Markup,
    /// On the right of the search box.
    pub(crate) actions: Markup,
    /// What the search box holds.
    pub(crate) search: &'a str,
    /// The page with its own list keeps the search box's answer below it, without loading a page.
    pub(crate) live_search: bool,
}

impl<'a> Frame<'a> {
    pub(crate) fn new(visit: &'a Visit, nav: Nav, title: &'a str) -> Self {
        Self { visit, nav, title, beside: html! {}, actions: html! {}, search: "", live_search: false }
    }

    pub(crate) fn page(self, body: Markup) -> Markup {
        let Visit { say, theme, keys, sandbox, .. } = *self.visit;
        let listens =
            self.visit.may(Permission::ViewIncidents) && self.visit.may(Permission::ViewTransactions);
        html! {
            (DOCTYPE)
            html lang=(say.0.tag()) data-theme=(theme.name()) data-keys=(if keys { "on" } else { "off" }) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="htmx-config" content=(HTMX);
                    title { (self.title) " \u{b7} pinward" }
                    link rel="icon" href=(assets::path("icon.svg")) type="image/svg+xml";
                    link rel="preload" href=(assets::path("vendor/inter-latin-wght-normal.woff2")) as="font" type="font/woff2" crossorigin;
                    link rel="stylesheet" href=(assets::path("console.css"));
                    script src=(assets::path("vendor/htmx-4.0.1.min.js")) defer {}
                    script src=(assets::path("console.js")) type="module" {}
                }
                body data-events=[listens.then_some(EVENTS)] {
                    a class="skip" href="#main" { (say.t("skip")) }
                    @if sandbox { (sandbox_bar(say)) }
                    div class="frame" {
                        (side(self.visit, self.nav))
                        main id="main" tabindex="-1" {
                            (self.head())
                            (body)
                        }
                    }
                    (help(self.visit))
                    p id="spoken" class="sr" role="status" {}
                    div id="toasts" class="toasts" role="status" data-new=(say.t("alarm-new")) {}
                }
            }
        }
    }

    fn head(&self) -> Markup {
        let say = self.visit.say;
        html! {
            header class="head" {
                h1 { (self.title) @if !self.beside.0.is_empty() { " " small { (self.beside) } } }
                div class="tools" {
                    (search_form(say, self.search, self.live_search))
                    (self.actions)
                }
            }
        }
    }
}

/// What a script listens to on every page: the count of alarms, and what a page marked as live shows.
const EVENTS: &str = "/api/v1/events?topics=incidents,alarms";

/// htmx: no style element of its own (the CSP forbids it), and an open table stays open when a page is refreshed.
const HTMX: &str = r#"{"includeIndicatorCSS":false,"morphIgnore":["data-htmx-powered","open"]}"#;

fn search_form(say: Say, search: &str, live: bool) -> Markup {
    html! {
        form id="search" class="search" role="search" action="/transactions" method="get"
            hx-get=[live.then_some("/transactions")]
            hx-trigger=[live.then_some("input changed delay:300ms, change, submit")]
            hx-target=[live.then_some("#list")]
            hx-select=[live.then_some("#list")]
            hx-swap=[live.then_some("outerMorph")]
            hx-replace-url=[live.then_some("true")]
            // what was typed last counts: without this a request that is under way makes the later ones be dropped
            hx-sync=[live.then_some("replace")] {
            label class="sr" for="q" { (say.t("search")) }
            input id="q" name="q" type="search" value=(search) placeholder=(say.t("search-hint")) maxlength="64" autocomplete="off" spellcheck="false";
            kbd aria-hidden="true" { "/" }
        }
    }
}

pub(crate) fn sandbox_bar(say: Say) -> Markup {
    html! {
        div class="sandbox" role="note" {
            p { strong { (say.t("sandbox")) } " " span { (say.t("sandbox-sentence")) } }
        }
    }
}

fn side(visit: &Visit, current: Nav) -> Markup {
    let (say, alarms) = (visit.say, visit.open_alarms());
    html! {
        div class="side" {
            a class="brand" href="/" { "pinward" }
            nav class="wide" aria-label=(say.t("nav")) { (entries(visit, current, alarms)) }
            div class="choices" { (choices(visit)) }
            div class="wide" { (themes(visit)) }
            details class="menu" {
                summary { (say.t("nav-menu")) }
                div class="sheet" {
                    nav aria-label=(say.t("nav")) { (entries(visit, current, alarms)) }
                    (themes(visit))
                }
            }
        }
    }
}

/// The pages that are for whoever asks; beside the alarms their number.
fn entries(visit: &Visit, current: Nav, alarms: usize) -> Markup {
    let say = visit.say;
    html! {
        @for (heading, list) in GROUPS {
            @let list: Vec<&Entry> = list.iter().filter(|(_, href, _)| visit.may_open(href)).collect();
            @if !list.is_empty() {
                p class="group" { (say.t(heading)) }
                ul {
                    @for (nav, href, key) in list {
                        li {
                            a href=(href) aria-current=[(*nav == current).then_some("page")] {
                                (say.t(key))
                                @if *nav == Nav::Alarms {
                                    " " span class="badge" hidden[alarms == 0] { b { (alarms) } span class="sr" { " " (say.t("standing-open")) } }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The language, one click away; it works without scripts and keeps the address.
fn choices(visit: &Visit) -> Markup {
    let other = match visit.lang() {
        handbook::Lang::Zh => handbook::Lang::En,
        handbook::Lang::En => handbook::Lang::Zh,
    };
    html! {
        a class="choice" href=(visit.here_with("lang", &other.to_string())) lang=(other.tag()) hreflang=(other.tag()) {
            (Say(other).t("lang-own-name"))
        }
        a class="choice" href="/account" { (visit.say.t("nav-account")) }
        button class="choice js" type="button" commandfor="help" command="show-modal" aria-label=(visit.say.t("help-open")) { "?" }
    }
}

/// Light, dark, or as the system is set.
fn themes(visit: &Visit) -> Markup {
    let say = visit.say;
    let all = [(Theme::System, "theme-system"), (Theme::Light, "theme-light"), (Theme::Dark, "theme-dark")];
    html! {
        div class="themes" role="group" aria-label=(say.t("theme")) {
            @for (theme, key) in all {
                a class="choice" href=(visit.here_with("theme", theme.name())) aria-current=[(theme == visit.theme).then_some("true")] { (say.t(key)) }
            }
        }
    }
}

fn help(visit: &Visit) -> Markup {
    let say = visit.say;
    let keys: [(&[&str], &str); 9] = [
        (&["/"], "key-search"),
        (&["g", "o"], "key-overview"),
        (&["g", "t"], "key-transactions"),
        (&["g", "i"], "key-incidents"),
        (&["g", "c"], "key-cards"),
        (&["j", "k"], "key-move"),
        (&["Enter"], "key-open"),
        (&["c"], "key-copy"),
        (&["?"], "key-help"),
    ];
    let (switch, text) = if visit.keys { ("off", "keys-turn-off") } else { ("on", "keys-turn-on") };
    html! {
        dialog id="help" aria-labelledby="help-title" {
            h2 id="help-title" { (say.t("help-title")) }
            dl class="keys" {
                @for (names, key) in keys {
                    div {
                        dt { @for name in names { kbd { (name) } " " } }
                        dd { (say.t(key)) }
                    }
                }
            }
            p class="quiet" { (say.t(if visit.keys { "keys-are-on" } else { "keys-are-off" })) }
            div class="buttons" {
                a class="button" href=(visit.here_with("keys", switch)) { (say.t(text)) }
                form method="dialog" { button class="button primary" { (say.t("close")) } }
            }
        }
    }
}
