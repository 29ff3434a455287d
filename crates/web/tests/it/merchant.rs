//! A shop: the staff make a link, the merchant comes by it; what is there, and what whoever comes with another one sees.

use axum::http::StatusCode;

use crate::{archive, console, fake, get, post, post_as};

async fn link(console: &axum::Router) -> String {
    let asked = format!("/api/v1/merchants/{}/link", fake::MERCHANT);
    let made = post_as(console, &asked, "application/json", r#"{"hours":2}"#).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    made.json()["address"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_merchant_sees_todays_refusals_and_what_to_tell_the_customer() {
    let console = console();
    let path = link(&console).await;
    for (lang, texts) in [
        ("en", include_str!("../../locales/en/shop.ftl")),
        ("zh", include_str!("../../locales/zh-CN/shop.ftl")),
    ] {
        let page = get(&console, &path, lang).await;
        assert_eq!(page.status, StatusCode::OK);
        for key in ["shop-today", "shop-tell", "shop-people"] {
            let text = texts.lines().find_map(|line| line.strip_prefix(&format!("{key} = "))).unwrap();
            assert!(page.text.contains(text), "{text}: {}", page.text);
        }
        let lang = if lang == "en" { handbook::Lang::En } else { handbook::Lang::Zh };
        let told =
            handbook::reason(model::ReasonCode::PinTriesExceeded).todo(lang, handbook::Audience::Cardholder);
        assert!(page.text.contains(told), "{told}");
        for kept_back in [fake::HERO_PAN, "621626", "tries left", "attempts"] {
            assert!(!page.text.contains(kept_back), "{kept_back}");
        }
    }
}

#[tokio::test]
async fn the_merchant_gives_a_locked_cashier_a_first_password() {
    let console = console();
    let path = link(&console).await;
    let done = post(&console, &path, "operator=01&deed=reset").await;
    assert_eq!(done.status, StatusCode::OK);
    assert!(
        done.text.contains("First password of operator 01") && done.text.contains("id=\"first-password\"")
    );
    assert!(get(&console, &path, "en").await.text.contains("first password"));
    for (form, words) in [
        ("operator=7&deed=open", "An operator number has two digits."),
        ("operator=77&deed=close", "There is no operator with this number."),
        ("operator=01&deed=open", "There is an operator with this number."),
        ("operator=01&deed=burn", "An operator number has two digits."),
    ] {
        let wrong = post(&console, &path, form).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(wrong.text.contains(words) && wrong.text.contains("role=\"alert\""), "{form}");
        let typed = form.split(['=', '&']).nth(1).unwrap();
        assert!(wrong.text.contains(&format!("value=\"{typed}\"")), "what was typed stays");
    }
    let opened = post(&console, &path, "operator=77&deed=open").await;
    assert!(opened.text.contains("First password of operator 77"));
    let listed = get(&console, &format!("/api/v1/merchants/{}/operators", fake::MERCHANT), "en").await.json();
    assert!(
        listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["operator"] == "77" && one["must_change"] == true)
    );
}

#[tokio::test]
async fn every_link_that_is_none_is_one_page() {
    let console = console();
    let good = link(&console).await;
    let expected = get(&console, "/shop/nonsense", "en").await;
    assert_eq!(expected.status, StatusCode::NOT_FOUND);
    let flipped = if good.ends_with('0') { "1" } else { "0" };
    let guessed = format!("{}{flipped}", &good[..good.len() - 1]);
    for path in [guessed, format!("/shop/{}", "0".repeat(48)), format!("/shop/{}", fake::MERCHANT)] {
        let page = get(&console, &path, "en").await;
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert_eq!(page.text.replace(&path, "/shop/nonsense"), expected.text, "{path}");
        let deed = post(&console, &path, "operator=01&deed=reset").await;
        assert_eq!((deed.status, deed.text.contains("first-password")), (StatusCode::NOT_FOUND, false));
    }
    assert_eq!(get(&console, &good, "en").await.status, StatusCode::OK);
    let mut shows_only = fake::state(archive(), true);
    shows_only.shop = None;
    let console = web::Console::new(shows_only);
    assert_eq!(get(&console, &good, "en").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_link_is_for_a_merchant_of_ours_and_for_some_hours() {
    let console = console();
    for (merchant, body, status) in [
        ("000000000000000", "{}", StatusCode::NOT_FOUND),
        (fake::MERCHANT, r#"{"hours":73}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (fake::MERCHANT, r#"{"hours":0}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (fake::MERCHANT, "{}", StatusCode::CREATED),
    ] {
        let asked = format!("/api/v1/merchants/{merchant}/link");
        assert_eq!(post_as(&console, &asked, "application/json", body).await.status, status, "{body}");
    }
    let page = post(&console, &format!("/merchants/{}/link", fake::MERCHANT), "hours=3").await;
    assert!(page.text.contains("id=\"shop-link\""), "{}", page.text);
}
