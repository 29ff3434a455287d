//! Webhooks over sockets: signed, tried again, rotated, disabled, and kept out of our own network.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
};

use alarm::{AlarmError, Settings, Severity, desk::DeliveryState, webhook::guard::Barred};
use store::{Book, MemoryBook};

use crate::receiver::*;

fn book() -> Arc<dyn Book> {
    Arc::new(MemoryBook::default())
}

/// Somebody else's arithmetic: Python's hmac, base64 and json, as a receiver would write it.
const VERIFIER: &str = r#"
import sys, json, hmac, hashlib, base64
told = json.load(sys.stdin)
key = base64.b64decode(told["secret"].removeprefix("whsec_"), validate=True)
signed = f'{told["id"]}.{told["timestamp"]}.{told["body"]}'.encode()
mine = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
theirs = [part.split(",", 1) for part in told["signature"].split(" ")]
ok = any(version == "v1" and hmac.compare_digest(value, mine) for version, value in theirs)
assert json.loads(told["body"])["type"]
sys.exit(0 if ok and abs(int(told["timestamp"]) - told["now"]) <= 300 else 3)
"#;

fn verifies(request: &Request, secret: &str, now_s: i64) -> bool {
    let told = serde_json::json!({
        "secret": secret,
        "id": request.header("webhook-id"),
        "timestamp": request.header("webhook-timestamp"),
        "signature": request.header("webhook-signature"),
        "body": request.body,
        "now": now_s,
    });
    let mut child = Command::new("python3").args(["-c", VERIFIER]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(told.to_string().as_bytes()).unwrap();
    match child.wait().unwrap().code() {
        Some(0) => true,
        Some(3) => false,
        other => panic!("the verifier failed: {other:?}"),
    }
}

#[tokio::test]
async fn an_alarm_is_signed_as_a_receiver_checks_it() {
    let (receiver, hands) = (Receiver::start(&[]).await, Hands::default());
    let service = service(&book(), &hands, settings()).await;
    let (id, secret) = subscribed(&service, &receiver.url).await;
    service.raise(alert("T1", Severity::Critical)).unwrap();
    let request = receiver.has(1).await.remove(0);
    let now_s = hands.now().0 / 1000;
    assert!(verifies(&request, &secret, now_s));
    assert!(!verifies(&request, &secret, now_s + 301), "an old message is told by its time");
    let mut forged = request.clone();
    forged.body = forged.body.replace("critical", "info");
    assert!(!verifies(&forged, &secret, now_s));
    assert!(request.head.starts_with("POST /hook?token=t1 HTTP/1.1"), "{}", request.head);
    assert_eq!(request.header("content-type"), "application/json");
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(body["type"], "alarm.opened");
    assert_eq!(body["timestamp"], "2026-11-18T11:06:40Z");
    assert_eq!(body["data"]["severity"], "critical");
    assert_eq!(body["data"]["scope"], serde_json::json!({"kind": "terminal", "id": "T1"}));
    assert_eq!(body["data"]["link"], "/incidents/17");
    until(|| deliveries(&service, &id)[0].state == DeliveryState::Delivered(hands.now())).await;
    let delivery = deliveries(&service, &id).remove(0);
    assert_eq!(delivery.message_id(), request.header("webhook-id"));
    assert_eq!(
        (delivery.attempts[0].outcome.status, delivery.attempts[0].outcome.said.as_str()),
        (Some(200), "ok")
    );
    service.stop().await;
}

#[tokio::test]
async fn it_is_tried_again_with_the_same_id_and_the_same_bytes() {
    let long = format!("500 Oh\r\ncontent-length: 9000\r\n\r\n{}", "x".repeat(9000));
    let receiver = Receiver::start(&[
        "503 Busy\r\nretry-after: 7\r\ncontent-length: 22\r\n\r\n card 4111111111111111",
        "",
        "302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        &long,
    ])
    .await;
    let hands = Hands::default();
    let service = service(&book(), &hands, settings()).await;
    let (id, secret) = subscribed(&service, &receiver.url).await;
    service.raise(alert("T1", Severity::Info)).unwrap();
    for attempt in 1..=5 {
        until(|| deliveries(&service, &id).first().is_some_and(|d| d.attempts.len() == attempt)).await;
        hands.forward(10 * 3_600_000);
    }
    let requests = receiver.requests();
    assert_eq!(requests.len(), 5);
    for request in &requests {
        assert_eq!(request.header("webhook-id"), requests[0].header("webhook-id"));
        assert_eq!(request.body, requests[0].body);
    }
    let times: Vec<i64> = requests.iter().map(|r| r.header("webhook-timestamp").parse().unwrap()).collect();
    assert!(times.windows(2).all(|two| two[0] < two[1]), "each attempt is signed anew: {times:?}");
    assert!(verifies(&requests[4], &secret, times[4]));
    let delivery = deliveries(&service, &id).remove(0);
    let said: Vec<_> = delivery.attempts.iter().map(|a| (a.outcome.status, a.outcome.said.clone())).collect();
    assert_eq!(said[0], (Some(503), "card 411111******1111".to_owned()));
    assert_eq!(delivery.attempts[0].outcome.retry_after_s, Some(7));
    assert!(said[1].0.is_none() && said[1].1.contains("HTTP"), "{said:?}");
    assert_eq!(said[2], (Some(302), String::new()), "redirects are not followed");
    assert_eq!(said[3].0, Some(500), "a long answer is not read to its end");
    assert!(delivery.attempts[4].outcome.taken);
    service.stop().await;
}

#[tokio::test]
async fn while_a_secret_changes_the_old_one_is_good_too() {
    let (receiver, hands) = (Receiver::start(&[]).await, Hands::default());
    let service = service(&book(), &hands, settings()).await;
    let (id, old) = subscribed(&service, &receiver.url).await;
    let (new, until_then) = service.rotate(&id, "li.na").await.unwrap();
    assert_eq!(until_then, hands.now().plus_s(24 * 3600));
    service.test(&id).await.unwrap();
    let request = receiver.has(1).await.remove(0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&request.body).unwrap()["type"], "webhook.test");
    let now_s = hands.now().0 / 1000;
    assert!(verifies(&request, &old, now_s) && verifies(&request, &new.reveal(), now_s));
    hands.forward(24 * 3_600_000);
    service.test(&id).await.unwrap();
    let request = receiver.has(2).await.remove(1);
    let now_s = hands.now().0 / 1000;
    assert!(!verifies(&request, &old, now_s) && verifies(&request, &new.reveal(), now_s));
    service.stop().await;
}

#[tokio::test]
async fn a_dead_webhook_is_disabled_and_that_is_an_alarm() {
    let (dead, alive) =
        (Receiver::start(&["410 Gone\r\ncontent-length: 0\r\n\r\n"]).await, Receiver::start(&[]).await);
    let hands = Hands::default();
    let service = service(&book(), &hands, settings()).await;
    let (id, _) = subscribed(&service, &dead.url).await;
    subscribed(&service, &alive.url).await;
    service.raise(alert("T1", Severity::Info)).unwrap();
    let requests = alive.has(2).await;
    let kinds: Vec<String> = requests
        .iter()
        .map(|r| serde_json::from_str::<serde_json::Value>(&r.body).unwrap()["data"]["kind"].to_string())
        .collect();
    assert!(kinds.contains(&"\"webhook-disabled\"".to_owned()), "{kinds:?}");
    assert!(service.look(|desk, _| desk.webhook(&id).unwrap().disabled.clone()).unwrap().contains("410"));
    assert!(requests.iter().all(|r| !r.body.contains("token=t1")), "an address may hold a token");
    service.raise(alert("T2", Severity::Info)).unwrap();
    alive.has(3).await;
    assert_eq!(dead.requests().len(), 1, "it gets nothing more");
    service.enable(&id, "li.na").await.unwrap();
    service.test(&id).await.unwrap();
    dead.has(2).await;
    service.stop().await;
}

#[tokio::test]
async fn nothing_goes_inside() {
    let (receiver, hands) = (Receiver::start(&[]).await, Hands::default());
    let book = book();
    let strict = service(&book, &hands, Settings::default()).await;
    for url in
        [receiver.url.as_str(), "https://localhost/", "https://169.254.169.254/", "https://[::1]:8443/x"]
    {
        let refused = strict.subscribe(url, "", &[], Severity::Info, "li.na").await;
        assert!(
            matches!(refused, Err(AlarmError::Barred(Barred::Internal(_) | Barred::NotSecure))),
            "{url}: {refused:?}"
        );
    }
    strict.stop().await;
    // One that was allowed once is looked at again each time.
    let open = service(&book, &hands, settings()).await;
    let (id, _) = subscribed(&open, &receiver.url).await;
    open.stop().await;
    let strict = service(&book, &hands, Settings::default()).await;
    strict.test(&id).await.unwrap();
    until(|| deliveries(&strict, &id).first().is_some_and(|d| d.attempts.len() == 1)).await;
    let outcome = deliveries(&strict, &id)[0].attempts[0].outcome.clone();
    assert!(!outcome.taken && outcome.status.is_none() && outcome.said.contains("https only"), "{outcome:?}");
    assert_eq!(receiver.requests().len(), 0);
    strict.stop().await;
}
