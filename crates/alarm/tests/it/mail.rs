//! Mail, to a small server that speaks SMTP down to the bytes: in clear on the loopback, with STARTTLS and sign-in, and
//! one that refuses.

use std::sync::{Arc, Mutex};

use alarm::{AlarmService, Language, Mail, MailTls, Settings, Severity, Target, desk::DeliveryState};
use base64ct::{Base64, Encoding};
use store::{Book, MemoryBook};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader},
    net::TcpListener,
};
use tokio_rustls::{TlsAcceptor, rustls};

use crate::receiver::*;

/// What a client said, and the letters that it left.
#[derive(Default)]
struct Seen {
    lines: Vec<String>,
    letters: Vec<String>,
}

struct Post {
    port: u16,
    seen: Arc<Mutex<Seen>>,
}

impl Post {
    /// `refuse`: an answer to RCPT.
    async fn start(tls: Option<TlsAcceptor>, refuse: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let kept = seen.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (kept, tls) = (kept.clone(), tls.clone());
                tokio::spawn(async move {
                    stream.write_all(b"220 post.example ESMTP\r\n").await.unwrap();
                    let wants_tls = talk(&mut stream, &kept, tls.is_some(), refuse).await;
                    if let (true, Some(tls)) = (wants_tls, tls)
                        && let Ok(mut stream) = tls.accept(stream).await
                    {
                        talk(&mut stream, &kept, false, refuse).await;
                    }
                });
            }
        });
        Self { port, seen }
    }

    fn letters(&self) -> Vec<String> {
        self.seen.lock().unwrap().letters.clone()
    }

    fn heard(&self, beginning: &str) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.lines.iter().filter(|line| line.starts_with(beginning)).cloned().collect()
    }
}

/// One dialogue (RFC 5321, 4.1); true when the client has asked for TLS.
async fn talk(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    seen: &Mutex<Seen>,
    offers_tls: bool,
    refuse: Option<&str>,
) -> bool {
    let mut stream = BufReader::new(stream);
    let mut letter: Option<String> = None;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return false;
        }
        if let Some(text) = &mut letter {
            if line != ".\r\n" {
                text.push_str(line.strip_prefix('.').unwrap_or(&line));
                continue;
            }
            seen.lock().unwrap().letters.extend(letter.take());
            stream.write_all(b"250 2.0.0 queued as 17\r\n").await.unwrap();
            continue;
        }
        let line = line.trim_end().to_owned();
        seen.lock().unwrap().lines.push(line.clone());
        let answer = match line.split(' ').next().unwrap_or_default() {
            "EHLO" if offers_tls => "250-post.example\r\n250 STARTTLS",
            "EHLO" => "250-post.example\r\n250 AUTH PLAIN LOGIN",
            "STARTTLS" => "220 go ahead",
            "AUTH" => "235 2.7.0 welcome",
            "RCPT" => refuse.unwrap_or("250 2.1.5 ok"),
            "DATA" => {
                letter = Some(String::new());
                "354 go ahead"
            }
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        match line.as_str() {
            "STARTTLS" => return true,
            "QUIT" => return false,
            _ => {}
        }
    }
}

fn mail(host: &str, port: u16) -> Mail {
    Mail {
        host: host.to_owned(),
        port: Some(port),
        tls: MailTls::None,
        user: None,
        password_file: None,
        from: "pinward <alarms@bank.example>".to_owned(),
        to: vec!["night@bank.example".to_owned(), "Li Na <li.na@bank.example>".to_owned()],
        language: Language::Both,
    }
}

async fn with_mail(mail: Mail, ca_file: Option<std::path::PathBuf>) -> (AlarmService, Hands) {
    let settings = Settings { mail: Some(mail), ca_file, ..settings() };
    assert_eq!(settings.problems(), Vec::<String>::new());
    let hands = Hands::default();
    let book: Arc<dyn Book> = Arc::new(MemoryBook::default());
    (service(&book, &hands, settings).await, hands)
}

/// The text of a letter, whichever way it was encoded for the journey.
fn text(letter: &str) -> String {
    let (head, body) = letter.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    if head.contains("content-transfer-encoding: base64") {
        let bytes = Base64::decode_vec(&body.replace("\r\n", "")).unwrap();
        return String::from_utf8(bytes).unwrap();
    }
    assert!(!head.contains("quoted-printable"), "{letter}");
    body.to_owned()
}

#[tokio::test]
async fn a_letter_in_both_languages_for_each() {
    let post = Post::start(None, None).await;
    let (service, _) = with_mail(mail("127.0.0.1", post.port), None).await;
    service.raise(alert("T1", Severity::Critical)).unwrap();
    until(|| post.letters().len() == 2).await;
    let mut to = post.heard("RCPT");
    to.sort();
    assert_eq!(to, ["RCPT TO:<li.na@bank.example>", "RCPT TO:<night@bank.example>"]);
    assert_eq!(post.heard("MAIL")[0].split(' ').nth(1), Some("FROM:<alarms@bank.example>"));
    let letter = &post.letters()[0];
    for header in ["From: ", "To: ", "Subject: =?utf-8?", "Date: ", "Message-ID: <alarm-1-"] {
        assert!(letter.contains(header), "{header}: {letter}");
    }
    let text = text(letter);
    for part in [
        "T1: key out of step",
        "sign in again",
        "\u{91cd}\u{65b0}\u{7b7e}\u{5230}",
        "/incidents/17",
        "terminal T1",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    service.stop().await;
}

#[tokio::test]
async fn what_nobody_acknowledges_becomes_mail() {
    let post = Post::start(None, None).await;
    let (service, hands) = with_mail(mail("127.0.0.1", post.port), None).await;
    service.raise(alert("T1", Severity::Warning)).unwrap();
    until(|| service.look(|desk, _| desk.alarms().count()) == 1).await;
    hands.forward(15 * 60_000 - 1000);
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(post.letters().len(), 0);
    hands.forward(1000);
    until(|| post.letters().len() == 2).await;
    service.stop().await;
}

#[tokio::test]
async fn with_starttls_and_a_password() {
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (ca, password) = (dir.path().join("ca.pem"), dir.path().join("password"));
    let pem = Base64::encode_string(made.cert.der());
    std::fs::write(&ca, format!("-----BEGIN CERTIFICATE-----\n{pem}\n-----END CERTIFICATE-----\n")).unwrap();
    std::fs::write(&password, "tres secret\n").unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(made.key_pair.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let post = Post::start(Some(TlsAcceptor::from(Arc::new(config))), None).await;
    let secure = |host: &str| Mail {
        tls: MailTls::Starttls,
        user: Some("pinward".to_owned()),
        password_file: Some(password.clone()),
        ..mail(host, post.port)
    };
    let (service, _) = with_mail(secure("localhost"), Some(ca.clone())).await;
    service.raise(alert("T1", Severity::Critical)).unwrap();
    until(|| post.letters().len() == 2).await;
    // Sign-in comes after the line is protected.
    let lines = post.seen.lock().unwrap().lines.clone();
    let place = |beginning: &str| lines.iter().position(|line| line.starts_with(beginning)).unwrap();
    assert!(place("STARTTLS") < place("AUTH"), "{lines:?}");
    let plain = Base64::encode_string(b"\0pinward\0tres secret");
    assert!(lines.contains(&format!("AUTH PLAIN {plain}")), "{lines:?}");
    service.stop().await;

    // A certificate of another name, or of nobody we know, gets no password.
    for (host, ca) in [("127.0.0.1", Some(ca)), ("localhost", None)] {
        let before = post.heard("AUTH").len();
        let (service, _) = with_mail(secure(host), ca).await;
        service.raise(alert("T1", Severity::Critical)).unwrap();
        let target = Target::Mail("night@bank.example".to_owned());
        let said = || {
            service.look(|desk, _| {
                desk.deliveries(&target)
                    .next()
                    .and_then(|d| d.attempts.first().map(|a| a.outcome.said.clone()))
            })
        };
        until(|| said().is_some()).await;
        assert!(said().unwrap().contains("ertificate"), "{:?}", said());
        assert_eq!(post.heard("AUTH").len(), before);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_server_that_offers_no_tls_gets_nothing_when_tls_is_wanted() {
    let post = Post::start(None, None).await;
    let wish = Mail { tls: MailTls::Starttls, ..mail("localhost", post.port) };
    let (service, _) = with_mail(wish, None).await;
    service.raise(alert("T1", Severity::Critical)).unwrap();
    let target = Target::Mail("night@bank.example".to_owned());
    until(|| service.look(|desk, _| desk.deliveries(&target).any(|d| d.tried == 1))).await;
    assert_eq!(post.letters().len() + post.heard("MAIL").len(), 0);
    service.stop().await;
}

#[tokio::test]
async fn a_refusal_for_good_is_not_asked_again_and_one_for_now_is() {
    for (answer, pending) in [("550 5.1.1 no such user", false), ("451 4.3.0 later", true)] {
        let post = Post::start(None, Some(answer)).await;
        let (service, hands) = with_mail(mail("127.0.0.1", post.port), None).await;
        service.raise(alert("T1", Severity::Critical)).unwrap();
        let target = Target::Mail("night@bank.example".to_owned());
        let delivery = || service.look(|desk, _| desk.deliveries(&target).next().cloned());
        until(|| delivery().is_some_and(|d| d.tried == 1)).await;
        let delivery = delivery().unwrap();
        assert_eq!(delivery.attempts[0].outcome.status, answer[..3].parse().ok(), "{delivery:?}");
        assert_eq!(delivery.is_pending(), pending, "{delivery:?}");
        assert_eq!(delivery.state == DeliveryState::GivenUp(hands.now()), !pending);
        service.stop().await;
    }
}

#[tokio::test]
async fn a_password_that_is_not_there_is_said_at_the_start() {
    let wish = Mail {
        user: Some("pinward".to_owned()),
        password_file: Some("/no/such/file".into()),
        ..mail("localhost", 1)
    };
    let parts = alarm::Parts {
        book: Arc::new(MemoryBook::default()),
        settings: Settings { mail: Some(wish), ..Settings::default() },
        clock: Arc::new(|| model::Timestamp(0)),
        alone: true,
        tick: std::time::Duration::from_secs(1),
    };
    let refused = AlarmService::start(parts).await.err().unwrap();
    assert!(refused.contains("password_file") && refused.contains("/no/such/file"), "{refused}");
}
