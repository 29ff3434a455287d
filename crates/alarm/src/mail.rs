//! Mail: the payload of a notice as a letter in one or both languages, and SMTP to the configured server (RFC 5321, with
//! STARTTLS by RFC 3207 or TLS from the start, and AUTH by RFC 4954).
//!
//! Each recipient gets a letter of its own, so that one bad address does not keep the others from theirs. The id of the letter is
//! that of the delivery: a mail program that gets it twice shows it once.

use std::{
    fs,
    time::{Duration, Instant},
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};
use zeroize::Zeroizing;

use crate::{
    alert::Text,
    desk::Outcome,
    matter::excerpt,
    payload::Payload,
    settings::{Language, Mail, MailTls},
    texts::text,
    trust::Authorities,
    webhook::send::failed,
};

/// The whole dialogue.
const ATTEMPT_MAX: Duration = Duration::from_secs(30);
const SAID_MAX: usize = 200;

/// Sends mail.
pub(crate) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    language: Language,
}

impl Mailer {
    /// As configured; reads the password.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(crate) fn new(mail: &Mail, authorities: &Authorities) -> Result<Self, String> {
        let wrong = |what: &str, error: &dyn std::fmt::Display| format!("alarms.mail.{what}: {error}");
        let from: Mailbox = mail.from.parse().map_err(|error| wrong("from", &error))?;
        let tls = match mail.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::Required(parameters(mail, authorities)?),
            MailTls::Tls => Tls::Wrapper(parameters(mail, authorities)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&mail.host)
            .port(mail.port())
            .tls(tls)
            .timeout(Some(ATTEMPT_MAX))
            .hello_name(ClientId::Domain("pinward".to_owned()));
        if let (Some(user), Some(file)) = (&mail.user, &mail.password_file) {
            let password = Zeroizing::new(
                fs::read_to_string(file)
                    .map_err(|error| wrong("password_file", &format_args!("{}: {error}", file.display())))?,
            );
            builder = builder.credentials(Credentials::new(user.clone(), password.trim_end().to_owned()));
        }
        Ok(Self { transport: builder.build(), from, language: mail.language })
    }

    /// Sends one letter, and says what came of it. A server that refuses for good (5xx) is not asked again.
    pub(crate) async fn send(&self, to: &str, message_id: &str, body: &str) -> Outcome {
        let started = Instant::now();
        let letter = match self.letter(to, message_id, body) {
            Ok(letter) => letter,
            Err(what) => return Outcome { gone: true, ..failed(&what) },
        };
        let outcome = match tokio::time::timeout(ATTEMPT_MAX, self.transport.send(letter)).await {
            Ok(Ok(answer)) => {
                let said = answer.message().collect::<Vec<_>>().join(" ");
                let status = u16::from(answer.code());
                Outcome {
                    taken: true,
                    status: Some(status),
                    said: excerpt(said.as_bytes(), SAID_MAX),
                    ..failed("")
                }
            }
            Ok(Err(error)) => Outcome {
                status: error.status().map(u16::from),
                gone: error.is_permanent(),
                ..failed(&with_sources(&error))
            },
            Err(_) => failed(&format!("no answer within {} s", ATTEMPT_MAX.as_secs())),
        };
        let took_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
        Outcome { took_ms, ..outcome }
    }

    fn letter(&self, to: &str, message_id: &str, body: &str) -> Result<Message, String> {
        let to: Mailbox = to.parse().map_err(|error| format!("no mail address: {error}"))?;
        let payload: Payload = serde_json::from_str(body).map_err(|error| format!("no payload: {error}"))?;
        let domain = self.from.email.domain();
        Message::builder()
            .message_id(Some(format!("<{message_id}@{domain}>")))
            .from(self.from.clone())
            .to(to)
            .subject(subject(&payload, self.language))
            .header(ContentType::TEXT_PLAIN)
            .body(letter_text(&payload, self.language))
            .map_err(|error| error.to_string())
    }
}

fn parameters(mail: &Mail, authorities: &Authorities) -> Result<TlsParameters, String> {
    let wrong = |error: lettre::transport::smtp::Error| format!("alarms.mail: TLS: {error}");
    let mut builder = TlsParameters::builder(mail.host.clone()).certificate_store(CertificateStore::None);
    for authority in authorities {
        builder = builder.add_root_certificate(Certificate::from_der(authority.to_vec()).map_err(wrong)?);
    }
    builder.build_rustls().map_err(wrong)
}

/// The causes too: "Connection error" alone helps nobody.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut said = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !said.contains(&more) {
            said = format!("{said}: {more}");
        }
        source = error.source();
    }
    said
}

fn pick(text: &Text, language: Language) -> String {
    match language {
        Language::Zh => text.zh.clone(),
        Language::En => text.en.clone(),
        Language::Both => format!("{} / {}", text.zh, text.en),
    }
}

/// One line: `[critical] new alarm: key out of step`.
fn subject(payload: &Payload, language: Language) -> String {
    let reason = pick(&text("reason", &payload.kind, ""), language);
    let line = match &payload.data {
        None => format!("[pinward] {reason}"),
        Some(data) => {
            let severity = pick(&text("severity", data.severity.name(), ""), language);
            format!("[{severity}] {reason}: {}", pick(&data.title, language))
        }
    };
    // A header is one line, whatever a title holds.
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn letter_text(payload: &Payload, language: Language) -> String {
    match language {
        Language::Both => {
            format!("{}\n\n----\n\n{}", paragraph(payload, |t| t.zh), paragraph(payload, |t| t.en))
        }
        Language::Zh => paragraph(payload, |t| t.zh),
        Language::En => paragraph(payload, |t| t.en),
    }
}

fn paragraph(payload: &Payload, pick: fn(Text) -> String) -> String {
    let line = |key: &str, value: &str| pick(text("line", key, value));
    let mut lines = vec![pick(text("reason", &payload.kind, ""))];
    if let Some(data) = &payload.data {
        lines.push(pick(data.title.clone()));
        lines.push(String::new());
        lines.push(pick(data.body.clone()));
        lines.push(String::new());
        lines.push(line("scope", &format!("{} {}", data.scope.kind, data.scope.id)));
        lines.push(line("since", &data.raised));
        lines.push(line("count", &data.count.to_string()));
        if let Some(over) = &data.over {
            lines.push(line("over", over));
        }
        if let Some(link) = &data.link {
            lines.push(line("link", link));
        }
        lines.push(String::new());
        lines.push(line("foot", &data.id));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload;

    #[test]
    fn a_test_has_words_too() {
        let payload: Payload = serde_json::from_str(&payload::test(model::Timestamp(0))).unwrap();
        assert_eq!(subject(&payload, Language::En), "[pinward] test");
        assert_eq!(letter_text(&payload, Language::En), "test");
    }
}
