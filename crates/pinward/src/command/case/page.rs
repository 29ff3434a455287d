//! Cases as a terminal shows them: from what the API says about them, so that both say the same.

use std::fmt::Write as _;

use handbook::{Lang, cause_text};
use serde_json::Value;

const HEADING: &str = "  case  priority  status                  min left  assigned to       what";

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn each(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// Cases, one on a line; nothing when there is none.
pub(super) fn list(list: &Value, lang: Lang) -> String {
    let mut out = String::new();
    for case in each(&list["data"]) {
        if out.is_empty() {
            out = format!("{HEADING}\n");
        }
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{}", line(case, lang));
    }
    out
}

fn line(case: &Value, lang: Lang) -> String {
    format!(
        "{:>6}  {:8}  {:22}  {:>8}  {:16}  {}",
        case["id"].as_u64().unwrap_or_default(),
        text(&case["priority"]),
        status(case),
        left(case),
        case["assignee"].as_str().unwrap_or("-"),
        about(case, lang)
    )
}

fn status(case: &Value) -> String {
    match case["waits_on"].as_str() {
        Some(on) => format!("{}: {on}", text(&case["status"])),
        None => text(&case["status"]).to_owned(),
    }
}

/// Working minutes that are left on the clock that runs and is nearest to its end.
fn left(case: &Value) -> String {
    let minutes = [&case["response"], &case["resolve"]].into_iter().filter(|clock| clock["stopped"] != true);
    let minutes =
        minutes.filter_map(|clock| Some(clock["target_min"].as_i64()? - clock["passed_min"].as_i64()?));
    minutes.min().map_or_else(|| "-".to_owned(), |left| left.to_string())
}

fn about(case: &Value, lang: Lang) -> String {
    let subject = &case["subject"];
    let cause = subject["cause"].as_str().map(|cause| {
        cause.parse().map_or_else(|_| cause.to_owned(), |cause| cause_text(cause).name(lang).to_owned())
    });
    let known = ["code", "pan", "terminal"].map(|name| subject[name].as_str().map(str::to_owned));
    let parts: Vec<String> = known.into_iter().flatten().chain(cause).collect();
    format!("{}  {}", parts.join(" "), text(&case["summary"])).trim().to_owned()
}

/// One case with everything around it.
pub(super) fn one(detail: &Value, lang: Lang) -> String {
    let case = &detail["case"];
    let mut out = String::new();
    let mut fact = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "{name:10} {value}");
        }
    };
    fact("case", &case["id"].to_string());
    fact("about", &about(case, lang));
    fact("status", &status(case));
    fact("priority", text(&case["priority"]));
    fact(
        "opened",
        &format!("{} by {} ({})", text(&case["opened"]), text(&case["by"]), text(&case["source"])),
    );
    fact("assigned", case["assignee"].as_str().unwrap_or("nobody"));
    fact("plan", text(&case["plan"]));
    fact("answer", &clock(&case["response"]));
    fact("close", &clock(&case["resolve"]));
    fact("identity", text(&detail["level"]));
    fact("outcome", text(&detail["outcome"]));
    fact("rating", &detail["rating"].as_u64().map_or_else(String::new, |score| format!("{score} / 5")));
    steps(&mut out, detail);
    evidence(&mut out, detail);
    let _ = writeln!(out, "\nhistory");
    for event in each(&detail["history"]) {
        let fact = &event["fact"];
        let said = ["to", "text", "why", "step", "note", "words"].map(|name| text(&fact[name]));
        let said: Vec<&str> =
            std::iter::once(text(&fact["by"])).chain(said).filter(|part| !part.is_empty()).collect();
        let _ = writeln!(out, "  {}  {:11}  {}", text(&event["at"]), text(&event["what"]), said.join(": "));
    }
    out
}

fn clock(clock: &Value) -> String {
    let standing = match (clock["late"] == true, clock["stopped"] == true, clock["paused"] == true) {
        (true, ..) => ", late",
        (_, true, _) => ", kept",
        (_, _, true) => ", stands still",
        _ => "",
    };
    format!("{} of {} min{standing}", clock["passed_min"], clock["target_min"])
}

fn steps(out: &mut String, detail: &Value) {
    let _ = writeln!(
        out,
        "\nplaybook {}, version {}",
        text(&detail["case"]["playbook"]),
        detail["case"]["playbook_version"]
    );
    for step in each(&detail["steps"]) {
        let mark = if step["done"].is_string() { 'x' } else { ' ' };
        let gate = if step["gate"] == true { " (must be done before closing)" } else { "" };
        let note = if step["needs_note"] == true { " (needs a note)" } else { "" };
        let level = Some(text(&step["needs_level"])).filter(|level| *level != "L0");
        let level = level.map(|level| format!(" (needs {level})")).unwrap_or_default();
        let _ = writeln!(
            out,
            "  [{mark}] {}{gate}{note}{level}\n      {}",
            text(&step["id"]),
            text(&step["text"])
        );
    }
}

fn evidence(out: &mut String, detail: &Value) {
    let _ = writeln!(out, "\nevidence");
    for piece in each(&detail["evidence"]) {
        let lines = piece["summary"].as_object().into_iter().flatten();
        let lines: Vec<String> = lines.map(|(name, value)| format!("{name} {}", text(value))).collect();
        let _ = writeln!(out, "  {:11}  {}  {}", text(&piece["kind"]), text(&piece["id"]), lines.join(", "));
    }
}

/// What came of a deed: the case, or that a second person has to decide.
pub(super) fn done(answer: &Value, lang: Lang) -> String {
    if answer["case"].is_object() {
        return one(answer, lang);
    }
    match answer["proposal"].as_str() {
        Some(id) => format!("waits for a second person: proposal {id}\n"),
        None => format!("{}\n", text(&answer["result"])),
    }
}
