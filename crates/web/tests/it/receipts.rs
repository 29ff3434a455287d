//! Receipts: the slip in every form, who may keep a signature with it, and what must not stand on it.

use std::sync::Arc;

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode},
};
use model::Timestamp;
use office::Office;
use staff::SessionPolicy;
use store::MemoryBook;
use tower::ServiceExt;

use crate::{Answer, archive, console, fake, get};

const SIGNATURE: &str = r#"{"strokes":[[[60,150],[240,60]],[[300,100],[540,60]]]}"#;

/// A payment of the fake that was approved.
async fn approved(console: &Router) -> String {
    let list = get(console, "/api/v1/transactions?code=00&limit=50", "en").await.json();
    let rows = list["data"].as_array().unwrap();
    rows.iter().find(|row| row["kind"] == "sale").unwrap()["rrn"].as_str().unwrap().to_owned()
}

async fn signing_console() -> Router {
    let clock = Arc::new(|| Timestamp(1_700_000_000_000));
    let book = Arc::new(MemoryBook::default());
    let office = Office::open(book, clock, SessionPolicy::default()).await.unwrap();
    let mut state = fake::state(archive(), true);
    state.office = Some(Arc::new(office));
    web::Console::new(state)
}

async fn put(router: &Router, rrn: &str, body: &str) -> Answer {
    let request = Request::builder()
        .method(Method::PUT)
        .uri(format!("/api/v1/transactions/{rrn}/signature"))
        .header("content-type", "application/json")
        .body(Body::from(body.to_owned()))
        .unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8_lossy(&bytes).into_owned(),
    }
}

#[tokio::test]
async fn a_slip_comes_in_every_form() {
    let console = console();
    let at = |query: &str| format!("/api/v1/transactions/{}/receipt?{query}", fake::HERO_RRN);
    let text = get(&console, &at("form=text&paper=80&lang=en&copy=cardholder"), "zh").await;
    assert_eq!((text.status, text.header("content-type")), (StatusCode::OK, "text/plain; charset=utf-8"));
    assert!(text.text.contains("(CARDHOLDER COPY)") && text.text.contains(fake::HERO_RRN), "{}", text.text);
    assert!(text.text.contains(&"-".repeat(48)));
    let html = get(&console, &at(""), "en").await;
    assert!(html.text.contains("slip-58") && html.header("content-type").starts_with("text/html"));
    assert!(html.header("content-security-policy").starts_with("default-src 'none'"));
    assert!(!html.text.contains("<script"));
    let bytes = get(&console, &at("form=escpos"), "en").await;
    assert!(bytes.text.starts_with('\u{1B}'));
    let picture = get(&console, &at("form=png"), "en").await;
    match picture.status {
        StatusCode::OK => assert_eq!(picture.header("content-type"), "image/png"),
        // a system without such a font says what to install
        _ => assert!(
            picture.status == StatusCode::CONFLICT && picture.text.contains("fonts-noto-cjk"),
            "{}",
            picture.text
        ),
    }
}

#[tokio::test]
async fn a_refused_slip_has_the_cardholders_words_and_counts_nothing() {
    let console = console();
    let path = format!("/api/v1/transactions/{}/receipt?form=text&lang=en", fake::HERO_RRN);
    let slip = get(&console, &path, "en").await.text;
    let reason = handbook::reason(model::ReasonCode::PinTriesExceeded);
    let told = reason.todo(handbook::Lang::En, handbook::Audience::Cardholder);
    let joined = slip.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(joined.contains(told), "{slip}");
    for word in ["left", "remaining", "tries left", "0/3", fake::HERO_PAN] {
        assert!(!slip.contains(word), "{word}: {slip}");
    }
    assert!(!slip.contains("SIGNATURE"));
}

#[tokio::test]
async fn what_means_nothing_is_refused() {
    let console = console();
    for query in ["paper=57", "paper=x", "copy=both", "lang=fr", "form=pdf", "reprint=maybe", "page=1"] {
        let path = format!("/api/v1/transactions/{}/receipt?{query}", fake::HERO_RRN);
        assert_eq!(get(&console, &path, "en").await.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
    }
    let missing = get(&console, "/api/v1/transactions/000000000000/receipt", "en").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_payment_is_signed_once_and_the_slip_shows_it() {
    let console = signing_console().await;
    let rrn = approved(&console).await;
    let slip = |form: &str| format!("/api/v1/transactions/{rrn}/receipt?lang=en&form={form}");
    assert!(!get(&console, &slip("html"), "en").await.text.contains("<svg"));
    assert_eq!(put(&console, &rrn, SIGNATURE).await.status, StatusCode::OK);
    assert_eq!(
        put(&console, &rrn, SIGNATURE).await.status,
        StatusCode::OK,
        "a repeat is no second signature"
    );
    let other = SIGNATURE.replace("540", "541");
    assert_eq!(put(&console, &rrn, &other).await.status, StatusCode::CONFLICT);
    assert!(get(&console, &slip("html"), "en").await.text.contains("M60 150L240 60"));
    assert!(get(&console, &slip("text"), "en").await.text.contains("[SIGNED ELECTRONICALLY]"));
}

#[tokio::test]
async fn nobody_signs_for_a_refusal_and_scribbles_are_no_signature() {
    let console = signing_console().await;
    assert_eq!(put(&console, fake::HERO_RRN, SIGNATURE).await.status, StatusCode::CONFLICT);
    assert_eq!(put(&console, "000000000000", SIGNATURE).await.status, StatusCode::NOT_FOUND);
    let rrn = approved(&console).await;
    for bad in [
        r#"{"strokes":[]}"#,
        r#"{"strokes":[[[0,0],[900,0]]]}"#,
        r#"{}"#,
        "[]",
        "{\"strokes\":[[[1,1],[2,2]]]}",
    ] {
        assert_eq!(put(&console, &rrn, bad).await.status, StatusCode::UNPROCESSABLE_ENTITY, "{bad}");
    }
    let read_only = crate::console();
    assert_eq!(put(&read_only, &rrn, SIGNATURE).await.status, StatusCode::CONFLICT, "it only shows");
}

#[tokio::test]
async fn the_page_previews_the_slip_and_the_payment_leads_to_it() {
    let console = console();
    let payment = get(&console, &format!("/transactions/{}", fake::HERO_RRN), "en").await.text;
    assert!(payment.contains(&format!("/transactions/{}/receipt", fake::HERO_RRN)));
    let page =
        get(&console, &format!("/transactions/{}/receipt?paper=80&copy=cardholder", fake::HERO_RRN), "zh")
            .await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(page.text.contains("slip-80") && page.text.contains("form=escpos"), "{}", page.text);
}

#[test]
fn the_console_has_the_slips_style() {
    let sheet = include_str!("../../assets/console.css");
    assert!(
        sheet.contains(receipt::html::STYLE),
        "copy crates/receipt/texts/slip.css to the end of console.css"
    );
}
