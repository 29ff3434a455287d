//! Pages.

use axum::http::{Method, StatusCode};
use web::ROUTES;

use crate::{ask, console, console_without_store, fake, filled, get};

fn pages() -> Vec<String> {
    let is_page = |route: &&&str| {
        ![".json", ".csv"].iter().any(|file| route.ends_with(file))
            && ![
                "/api",
                "/assets",
                "/set-up",
                "/sign-in/oidc",
                "/confirm",
                "/holder",
                "/shop",
                "/audit/export",
                "/livez",
                "/readyz",
                "/healthz",
                "/metrics",
            ]
            .iter()
            .any(|p| route.starts_with(p))
    };
    ROUTES.iter().filter(is_page).map(|route| filled(route)).collect()
}

#[tokio::test]
async fn every_page_speaks_both_languages() {
    let console = console();
    for path in pages() {
        for (header, tag) in [("zh-CN,zh;q=0.9", "zh-CN"), ("en", "en"), ("fr", "en")] {
            let page = get(&console, &path, header).await;
            assert_eq!(page.status, StatusCode::OK, "{path}");
            assert!(page.text.contains(&format!("<html lang=\"{tag}\"")), "{path} {header}");
            assert!(!page.text.contains('\u{ab}'), "{path} {header}: a key instead of a text");
            assert!(page.header("content-type").starts_with("text/html"), "{path}");
        }
    }
}

#[tokio::test]
async fn no_page_shows_a_whole_card_number() {
    let console = console();
    for path in pages().iter().map(String::as_str).chain([
        "/api/v1/transactions",
        "/api/v1/cards",
        "/api/v1/overview",
    ]) {
        let page = get(&console, path, "en").await;
        assert!(!page.text.contains(fake::HERO_PAN), "{path}");
        let runs = page.text.split(|c: char| !c.is_ascii_alphanumeric() && c != '*');
        let whole =
            runs.filter(|run| (16..=19).contains(&run.len()) && run.bytes().all(|b| b.is_ascii_digit()));
        assert_eq!(whole.collect::<Vec<_>>(), Vec::<&str>::new(), "{path}");
    }
}

#[tokio::test]
async fn every_answer_is_closed_to_the_outside() {
    let console = console();
    for path in ["/", "/transactions", "/api/v1/transactions", "/nothing", "/healthz"] {
        let page = get(&console, path, "en").await;
        let csp = page.header("content-security-policy");
        assert!(
            csp.starts_with("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:"),
            "{csp}"
        );
        assert!(!csp.contains("unsafe"), "{csp}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(page.header(name), value, "{path} {name}");
        }
        assert!(!page.header("x-request-id").is_empty(), "{path}");
        for inline in [" style=", " onclick=", "<script>", "<style"] {
            assert!(!page.text.contains(inline), "{path}: {inline}");
        }
    }
}

#[tokio::test]
async fn assets_are_named_by_their_contents_and_kept() {
    let console = console();
    let page = get(&console, "/", "en").await;
    let start = page.text.find("/assets/").unwrap();
    let css = page
        .text
        .match_indices("/assets/")
        .map(|(at, _)| page.text[at..].split('"').next().unwrap())
        .find(|p| p.ends_with(".css"));
    let asset = get(&console, css.unwrap(), "en").await;
    assert_eq!((asset.status, asset.header("content-type")), (StatusCode::OK, "text/css; charset=utf-8"));
    assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(
        get(&console, "/assets/0000000000000000/console.css", "en").await.status,
        StatusCode::NOT_FOUND
    );
    let licence = page.text[start..].split('/').nth(2).unwrap();
    assert_eq!(
        get(&console, &format!("/assets/{licence}/vendor/README.md"), "en").await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_choice_is_kept_in_a_cookie() {
    let console = console();
    let page = get(&console, "/transactions?code=55&lang=zh", "en").await;
    assert!(page.text.contains("<html lang=\"zh-CN\""));
    assert!(page.header("set-cookie").starts_with("lang=zh; Path=/;"), "{}", page.header("set-cookie"));
    assert!(page.text.contains("href=\"/transactions?code=55&amp;lang=en\""));
    assert_eq!(get(&console, "/?lang=xx", "en").await.header("set-cookie"), "");
}

#[tokio::test]
async fn the_why_page_says_what_happened_and_what_to_do() {
    let page = get(&console(), &filled("/transactions/{rrn}"), "en").await;
    for words in [
        "Why 75?",
        "What to do",
        "Cardholder",
        "Cashier",
        "Engineer",
        "no try charged",
        "0 of 3 tries left",
        "this one",
    ] {
        assert!(page.text.contains(words), "{words}");
    }
    assert!(page.text.contains("aria-current=\"true\""));
}

#[tokio::test]
async fn every_effect_is_in_words() {
    let console = console();
    let list = get(&console, "/api/v1/transactions?limit=500", "en").await.json();
    let unlock = list["data"].as_array().unwrap().iter().find(|row| row["kind"] == "unlock").unwrap();
    let path = format!("/transactions/{}", unlock["rrn"].as_str().unwrap());
    for lang in ["en", "zh"] {
        let page = get(&console, &path, lang).await;
        assert_eq!(page.status, StatusCode::OK);
        let raw: Vec<&str> =
            page.text.split("<code>").skip(1).map(|rest| rest.split("</code>").next().unwrap()).collect();
        assert_eq!(raw, Vec::<&str>::new(), "effects that the console does not know");
    }
}

#[tokio::test]
async fn an_empty_host_teaches() {
    let archive = std::sync::Arc::new(fake::FakeArchive::empty(model::Timestamp(0)));
    let console = web::Console::new(fake::state(archive, true));
    for path in ["/", "/transactions", "/cards", "/terminals", "/incidents", "/register"] {
        let page = get(&console, path, "zh").await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.text.contains("class=\"empty\""), "{path}");
    }
    assert!(get(&console, "/transactions", "en").await.text.contains("pinward trigger error-75"));
}

#[tokio::test]
async fn the_sandbox_says_so_on_every_page_and_production_does_not() {
    let production = web::Console::new(fake::state(crate::archive(), false));
    for path in pages() {
        assert!(get(&console(), &path, "en").await.text.contains("SANDBOX"), "{path}");
        assert!(!get(&production, &path, "en").await.text.contains("class=\"sandbox\""), "{path}");
    }
}

#[tokio::test]
async fn failures_are_pages_too() {
    let console = console();
    for (path, status, words) in [
        ("/nothing", StatusCode::NOT_FOUND, "Not found"),
        ("/transactions/000000000000", StatusCode::NOT_FOUND, "Not found"),
        ("/cards/xyz", StatusCode::NOT_FOUND, "Not found"),
        ("/codes/ZZ", StatusCode::NOT_FOUND, "Not found"),
        ("/transactions?limit=many", StatusCode::UNPROCESSABLE_ENTITY, "limit"),
        ("/transactions?family=red", StatusCode::UNPROCESSABLE_ENTITY, "family"),
        ("/transactions/panic", StatusCode::INTERNAL_SERVER_ERROR, "Our mistake"),
    ] {
        let page = get(&console, path, "en").await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.text.contains(words), "{path}");
        assert!(page.text.contains(page.header("x-request-id")), "{path}: its request's name");
    }
    let away = get(&console_without_store(), "/", "zh").await;
    assert_eq!((away.status, away.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
    assert!(!away.text.contains("disk full"), "the engineer's words stay in the log");
}

#[tokio::test]
async fn head_works_and_writing_does_not() {
    let console = console();
    let head = ask(&console, Method::HEAD, "/", "en").await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    let post = ask(&console, Method::POST, "/", "en").await;
    assert_eq!((post.status, post.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET,HEAD"));
}
