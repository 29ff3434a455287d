//! Gateways over HTTP against a server of the test's: what each manner sends, and what its answers mean.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use model::Timestamp;
use sms::{
    Gateway, Kind, Language, NotTaken, Outgoing, Taken,
    http::{HttpGateway, HttpSettings, Manner, ReceiptsKey},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use zeroize::Zeroizing;

/// A service that gives one answer to everything, and keeps what it was sent.
struct Service {
    url: String,
    got: Arc<Mutex<Vec<String>>>,
}

impl Service {
    async fn start(status: &str, body: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let got = Arc::new(Mutex::new(Vec::new()));
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let kept = got.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                let mut chunk = [0; 4096];
                while !is_whole(&request) {
                    match stream.read(&mut chunk).await {
                        Ok(0) | Err(_) => break,
                        Ok(read) => request.extend_from_slice(&chunk[..read]),
                    }
                }
                kept.lock().unwrap().push(String::from_utf8_lossy(&request).into_owned());
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { url, got }
    }

    fn got(&self) -> String {
        self.got.lock().unwrap().last().cloned().unwrap()
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    length.is_some_and(|length| body.len() >= length.parse().unwrap_or(0))
}

fn settings(preset: Manner, url: &str, folder: &tempfile::TempDir) -> HttpSettings {
    let secret_file = folder.path().join("secret");
    std::fs::write(&secret_file, "secret of a test\n").unwrap();
    let pairs = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    HttpSettings {
        preset,
        url: Some(url.to_owned()),
        key_id: "account-7".to_owned(),
        secret_file: Some(secret_file),
        secret_env: None,
        receipts_file: None,
        ca_file: None,
        set: pairs(&[
            ("sign_name", "Bank"),
            ("app_id", "1400006666"),
            ("region", "ap-guangzhou"),
            ("from", "+12025550100"),
        ]),
        templates: pairs(&[("identity-code.en", "T-17")]),
    }
}

fn message(language: Language) -> Outgoing {
    let value = |text: &str| Zeroizing::new(text.to_owned());
    Outgoing {
        id: "0011223344556677".to_owned(),
        to: "+8613900001234".parse().unwrap(),
        kind: Kind::IdentityCode,
        language,
        text: value("Bank: code 482913 & more"),
        values: vec![("minutes", value("5")), ("code", value("482913")), ("bank", value("B\"]}"))],
    }
}

async fn sent(preset: Manner, status: &str, body: &str) -> (Result<Taken, NotTaken>, String) {
    let (service, folder) = (Service::start(status, body).await, tempfile::tempdir().unwrap());
    let settings = settings(preset, &service.url, &folder);
    assert_eq!(settings.problems(), Vec::<String>::new());
    let gateway = HttpGateway::new(&settings, Arc::new(|| Timestamp(1_551_113_065_000))).unwrap();
    let outcome = gateway.send(&message(Language::En)).await;
    (outcome, service.got())
}

fn taken(reference: &str) -> Result<Taken, NotTaken> {
    Ok(Taken { reference: Some(reference.to_owned()) })
}

#[tokio::test]
async fn aliyun_gets_a_signed_form_with_template_and_values() {
    let answer = r#"{"Code":"OK","Message":"OK","BizId":"900619746936498440^0"}"#;
    let (outcome, request) = sent(Manner::Aliyun, "200 OK", answer).await;
    assert_eq!(outcome, taken("900619746936498440^0"));
    for part in [
        "PhoneNumbers=13900001234",
        "TemplateCode=T-17",
        "SignName=Bank",
        "AccessKeyId=account-7",
        "Timestamp=2019-02-25T16%3A44%3A25Z",
        "SignatureNonce=0011223344556677",
        "Signature=",
        "TemplateParam=%7B%22bank%22%3A%22B%5C%22%5D%7D%22%2C%22code%22%3A%22482913%22",
    ] {
        assert!(request.contains(part), "{part}: {request}");
    }
    assert!(!request.contains("secret"), "{request}");
}

#[tokio::test]
async fn tencent_gets_signed_json_and_no_value_changes_its_form() {
    let answer = r#"{"Response":{"SendStatusSet":[{"SerialNo":"5000:1","Code":"Ok"}]}}"#;
    let (outcome, request) = sent(Manner::Tencent, "200 OK", answer).await;
    assert_eq!(outcome, taken("5000:1"));
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    for part in ["x-tc-action: sendsms", "x-tc-region: ap-guangzhou", "x-tc-timestamp: 1551113065"] {
        assert!(head.contains(part), "{part}: {head}");
    }
    assert!(head.contains("authorization: tc3-hmac-sha256 credential=account-7/2019-02-25/sms/tc3_request"));
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["PhoneNumberSet"], serde_json::json!(["+8613900001234"]));
    assert_eq!(body["TemplateParamSet"], serde_json::json!(["B\"]}", "482913", "5"]));
}

#[tokio::test]
async fn twilio_gets_the_whole_text_under_basic_authentication() {
    let (outcome, request) = sent(Manner::Twilio, "201 Created", r#"{"sid":"SM1"}"#).await;
    assert_eq!(outcome, taken("SM1"));
    assert!(request.contains("Body=Bank%3A%20code%20482913%20%26%20more"), "{request}");
    assert!(request.contains("To=%2B8613900001234") && request.contains("From=%2B12025550100"));
    assert!(request.to_lowercase().contains("authorization: basic "));
}

#[tokio::test]
async fn what_was_refused_is_not_tried_again_unless_the_service_says_later() {
    let cases = [
        (Manner::Aliyun, "200 OK", r#"{"Code":"isv.BUSINESS_LIMIT_CONTROL"}"#, false),
        (Manner::Aliyun, "200 OK", r#"{"Code":"isp.SYSTEM_ERROR"}"#, true),
        (Manner::Tencent, "200 OK", r#"{"Response":{"Error":{"Code":"AuthFailure"}}}"#, false),
        (Manner::Twilio, "401 Unauthorized", r#"{"code":20003}"#, false),
        (Manner::Twilio, "429 Too Many Requests", "", true),
        (Manner::Twilio, "500 Internal Server Error", "", false),
        (Manner::Twilio, "400 Bad Request", "+8613900001234 is no number, 482913", false),
    ];
    for (manner, status, body, again) in cases {
        let refused = sent(manner, status, body).await.0.unwrap_err();
        assert_eq!(refused.again, again, "{manner:?} {status} {body}: {refused}");
        assert!(!refused.why.contains("13900001234") && !refused.why.contains("482913"), "{refused}");
    }
}

#[tokio::test]
async fn a_service_that_is_away_is_tried_again_and_a_missing_template_is_not() {
    let folder = tempfile::tempdir().unwrap();
    // A port that nobody listens at: it was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let settings = settings(Manner::Aliyun, &format!("http://127.0.0.1:{port}/"), &folder);
    let gateway = HttpGateway::new(&settings, Arc::new(|| Timestamp(0))).unwrap();
    assert!(gateway.send(&message(Language::En)).await.unwrap_err().again);
    let refused = gateway.send(&message(Language::Zh)).await.unwrap_err();
    assert!(!refused.again && refused.why.contains("identity-code.zh"), "{refused}");
}

#[test]
fn what_would_go_out_in_clear_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for url in ["http://sms.example/", "ftp://127.0.0.1/", "sms"] {
        let problems = settings(Manner::Twilio, url, &folder).problems();
        assert!(problems.iter().any(|problem| problem.contains("sms.http.url")), "{url}: {problems:?}");
    }
    let mut without = settings(Manner::Aliyun, "https://sms.example/", &folder);
    without.set.clear();
    without.templates.clear();
    assert_eq!(without.problems().len(), 2);
}

#[test]
fn each_manner_says_in_its_own_way_what_became_of_a_message() {
    let folder = tempfile::tempdir().unwrap();
    let gateway = |manner| {
        HttpGateway::new(&settings(manner, "https://sms.example/", &folder), Arc::new(|| Timestamp(0)))
            .unwrap()
    };
    let told = |manner, body: &str| {
        let receipts = gateway(manner).receipts(body.as_bytes());
        receipts.map(|list| {
            list.into_iter()
                .map(|r| (r.reference, r.delivered, r.said))
                .collect::<Vec<(String, bool, String)>>()
        })
    };
    let is = |reference: &str, delivered, said: &str| (reference.to_owned(), delivered, said.to_owned());
    let aliyun = r#"[{"biz_id":"9^0","success":true,"err_code":"DELIVERED"},{"biz_id":"9^1","success":false,"err_code":"MK:0001"}]"#;
    assert_eq!(
        told(Manner::Aliyun, aliyun),
        Some(vec![is("9^0", true, "DELIVERED"), is("9^1", false, "MK:***")])
    );
    let tencent =
        r#"[{"sid":"5000:1","report_status":"FAIL","errmsg":"user is shut down","mobile":"13900001234"}]"#;
    assert_eq!(told(Manner::Tencent, tencent), Some(vec![is("5000:1", false, "user is shut down")]));
    assert_eq!(told(Manner::Twilio, "MessageSid=SM1&MessageStatus=sent"), Some(Vec::new()), "on its way");
    assert_eq!(
        told(Manner::Twilio, "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30003"),
        Some(vec![is("SM1", false, "***")])
    );
    assert_eq!(told(Manner::Aliyun, "no JSON"), None);
    assert_eq!(told(Manner::Aliyun, "[{}, 7]"), Some(Vec::new()));
}

#[test]
fn a_secret_comes_from_one_place_and_the_key_of_receipts_is_long() {
    let folder = tempfile::tempdir().unwrap();
    let mut both = settings(Manner::Twilio, "https://sms.example/", &folder);
    both.secret_env = Some("PINWARD_SMS_SECRET".to_owned());
    assert!(both.problems().iter().any(|problem| problem.contains("one of them")));
    both.secret_file = None;
    let missing = HttpGateway::new(&both, Arc::new(|| Timestamp(0))).err().unwrap();
    assert!(missing.contains("PINWARD_SMS_SECRET is not set"), "{missing}");
    let file = folder.path().join("receipts");
    std::fs::write(&file, "short\n").unwrap();
    assert!(ReceiptsKey::read(&file).is_err());
    std::fs::write(&file, "0123456789abcdefXYZ\n").unwrap();
    let key = ReceiptsKey::read(&file).unwrap();
    assert!(key.is("0123456789abcdefXYZ") && !key.is("0123456789abcdefXYz") && !key.is(""));
    assert_eq!(format!("{key:?}"), "ReceiptsKey(***)");
}
