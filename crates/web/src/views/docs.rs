//! The API's description for people, made from the same document that programs read.

use axum::extract::State;
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::layout::{Frame, Nav};
use crate::{api::openapi, router::Shared, visit::Visit};

/// The codes of problems, which the `type` of a problem leads to.
const PROBLEMS: [&str; 13] = [
    "not-found",
    "misdirected",
    "cross-site",
    "not-signed-in",
    "forbidden",
    "conflict",
    "method-not-allowed",
    "not-understood",
    "too-many-tries",
    "too-many-listeners",
    "store-away",
    "timed-out",
    "internal",
];

/// `GET /docs`.
pub(crate) async fn page(State(state): State<Shared>, visit: Visit) -> Markup {
    let say = visit.say;
    let document = openapi::value(&state.web.version);
    let title = say.t("docs-title");
    Frame::new(&visit, Nav::Docs, &title).page(html! {
        p class="lead" {
            (say.t("docs-lead")) " "
            a class="mono" href="/api/openapi.json" { "/api/openapi.json" }
        }
        @for tag in list(&document["tags"]) { (group(&visit, &document, tag)) }
        (problems(&visit))
        (schemas(&visit, &document))
    })
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

/// Words between backticks are code.
fn ticked(words: &str) -> Markup {
    html! {
        @for (i, part) in words.split('`').enumerate() {
            @if i % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn group(visit: &Visit, document: &Value, tag: &Value) -> Markup {
    let name = text(&tag["name"]);
    let operations =
        object(&document["paths"]).filter(|(_, item)| list(&item["get"]["tags"]).iter().any(|t| t == name));
    html! {
        section class="card docs" aria-labelledby={ "tag-" (name) } {
            h2 id={ "tag-" (name) } { span lang="en" { (name) } }
            p class="quiet" lang="en" { (text(&tag["description"])) }
            @for (path, item) in operations { (operation(visit, path, &item["get"])) }
        }
    }
}

fn operation(visit: &Visit, path: &str, operation: &Value) -> Markup {
    let say = visit.say;
    let words = [text(&operation["summary"]), text(&operation["description"])].join(" ");
    let parameters = list(&operation["parameters"]);
    html! {
        details class="operation" {
            summary { span class="method" { "GET" } " " code { (path) } " " span class="quiet" lang="en" { (ticked(text(&operation["summary"]))) } }
            div lang="en" {
                p { (ticked(words.trim())) }
                @if !parameters.is_empty() {
                    h3 lang=(visit.lang().tag()) { (say.t("docs-parameters")) }
                    dl class="facts" {
                        @for p in parameters {
                            div { dt class="mono" { (text(&p["name"])) } dd { span class="mono quiet" { (kind(&p["schema"])) } " " (ticked(text(&p["description"]))) } }
                        }
                    }
                }
                h3 lang=(visit.lang().tag()) { (say.t("docs-answers")) }
                dl class="facts" {
                    @for (status, answer) in object(&operation["responses"]) {
                        div { dt class="mono" { (status) } dd { (text(&answer["description"])) " " (bodies(answer)) } }
                    }
                }
                h3 lang=(visit.lang().tag()) { (say.t("docs-try")) }
                p { code class="wrap" { "curl -s 'http://127.0.0.1:8080" (path) "'" } }
            }
        }
    }
}

fn bodies(answer: &Value) -> Markup {
    html! {
        @for (media, body) in object(&answer["content"]) {
            span class="mono quiet" { (media) " " } (kind_link(&body["schema"])) " "
        }
    }
}

fn reference(schema: &Value) -> Option<&str> {
    text(&schema["$ref"]).rsplit_once('/').map(|(_, name)| name)
}

/// A type in a few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = reference(schema) {
        return name.to_owned();
    }
    let either: Vec<String> = list(&schema["oneOf"]).iter().map(kind).collect();
    if !either.is_empty() {
        return either.join(" | ");
    }
    let base = match &schema["type"] {
        Value::String(one) => one.clone(),
        many => list(many).iter().map(text).collect::<Vec<_>>().join(" | "),
    };
    if base.starts_with("array") { format!("{} [{}]", base, kind(&schema["items"])) } else { base }
}

fn kind_link(schema: &Value) -> Markup {
    match reference(schema) {
        Some(name) => html! { a class="mono" href={ "#schema-" (name) } { (name) } },
        None => html! { span class="mono" { (kind(schema)) } },
    }
}

fn problems(visit: &Visit) -> Markup {
    let say = visit.say;
    html! {
        section class="card docs" aria-labelledby="problems-title" {
            h2 id="problems-title" { (say.t("docs-problems")) }
            p class="quiet" { (say.t("docs-problems-words")) }
            dl class="facts" {
                @for code in PROBLEMS {
                    div id={ "problem-" (code) } { dt class="mono" { (code) } dd { (say.t(&format!("error-{code}"))) } }
                }
            }
        }
    }
}

fn schemas(visit: &Visit, document: &Value) -> Markup {
    let say = visit.say;
    html! {
        section class="card docs" aria-labelledby="schemas-title" {
            h2 id="schemas-title" { (say.t("docs-schemas")) }
            @for (name, schema) in object(&document["components"]["schemas"]) {
                details class="operation" id={ "schema-" (name) } {
                    summary { code { (name) } " " span class="quiet" lang="en" { (text(&schema["description"])) } }
                    div lang="en" {
                        @if schema["properties"].is_object() {
                            dl class="facts" {
                                @for (field, inner) in object(&schema["properties"]) {
                                    div { dt class="mono" { (field) } dd { (kind_link(inner)) " " (ticked(text(&inner["description"]))) } }
                                }
                            }
                        } @else {
                            p class="mono" { (list(&schema["enum"]).iter().map(text).collect::<Vec<_>>().join(" | ")) (parts_of(schema)) }
                        }
                    }
                }
            }
        }
    }
}

/// The variants of a schema that is one of several.
fn parts_of(schema: &Value) -> String {
    let names: Vec<&str> = list(&schema["oneOf"]).iter().flat_map(|v| list(&v["enum"])).map(text).collect();
    names.join(" | ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Failure;

    #[test]
    fn every_problem_has_its_place() {
        let codes = Failure::all().map(|f| f.code());
        assert_eq!(codes, PROBLEMS);
    }
}
