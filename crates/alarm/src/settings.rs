//! What an operator sets: the ladder of steps, mail, and which addresses webhooks may go to.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{alert::Severity, webhook::guard::Network};

/// Steps of a ladder.
const STEPS_MAX: usize = 10;
/// Recipients of mail.
const RECIPIENTS_MAX: usize = 20;
/// A week: longer waits are no escalation.
const MINUTES_MAX: u32 = 7 * 24 * 60;

/// `[alarms]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Alerts about the same thing are one alarm while they are not further apart than this.
    pub group_minutes: u32,
    /// Where people reach the console, for links in mail and webhooks, such as `https://pinward.example`; without it
    /// links are paths.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub console_url: Option<String>,
    /// Networks inside of one's own that webhooks may go to, such as `10.2.0.0/16`; there also without TLS.
    pub allow: Vec<Network>,
    /// A file of certificate authorities in PEM, instead of the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// So long the old secret of a webhook signs beside the new one.
    pub rotation_hours: u32,
    /// A webhook that has failed for so long is disabled.
    pub disable_after_days: u32,
    /// The ladder. Each step is taken if nobody has acknowledged the alarm until then.
    pub step: Vec<Step>,
    /// Mail; without it nobody gets any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mail: Option<Mail>,
}

impl Default for Settings {
    fn default() -> Self {
        let step = |after_minutes, channel, least| Step { after_minutes, channel, least, to: Vec::new() };
        Self {
            group_minutes: 60,
            console_url: None,
            allow: Vec::new(),
            ca_file: None,
            rotation_hours: 24,
            disable_after_days: 5,
            step: vec![
                step(0, Channel::Webhooks, Severity::Info),
                step(0, Channel::Mail, Severity::Critical),
                step(15, Channel::Mail, Severity::Warning),
            ],
            mail: None,
        }
    }
}

/// One step of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// So long after the alarm.
    pub after_minutes: u32,
    /// To whom.
    pub channel: Channel,
    /// Only alarms that are at least so bad.
    #[serde(default)]
    pub least: Severity,
    /// Mail: to these instead of `alarms.mail.to`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<String>,
}

/// Where a step goes. The console has every alarm at once, whatever the steps say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// All webhooks that want it.
    Webhooks,
    /// Mail.
    Mail,
}

/// How mail is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// The server's name, as its certificate has it.
    pub host: String,
    /// 587 for `starttls`, 465 for `tls`, 25 for `none` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the line is protected.
    #[serde(default)]
    pub tls: MailTls,
    /// For signing in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// A file with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Who it is from, such as `pinward <alarms@bank.example>`.
    pub from: String,
    /// To whom, unless a step says otherwise.
    pub to: Vec<String>,
    /// `zh`, `en` or `both`.
    #[serde(default)]
    pub language: Language,
}

/// In which language people get mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Chinese.
    Zh,
    /// English.
    En,
    /// Chinese, and English below it.
    #[default]
    Both,
}

/// How the line to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// STARTTLS (RFC 3207), required.
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// Not at all; only to a server on this machine.
    None,
}

impl Mail {
    /// The port, the usual one of the protection if none is set.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::Starttls => 587,
            MailTls::Tls => 465,
            MailTls::None => 25,
        })
    }

    fn problems(&self, problems: &mut Vec<String>) {
        if self.tls == MailTls::None && !is_here(&self.host) {
            problems.push(format!(
                "alarms.mail.tls = \"none\" is for a server on this machine, and {:?} is none",
                self.host
            ));
        }
        if self.user.is_some() != self.password_file.is_some() {
            problems.push("alarms.mail: user and password_file belong together".to_owned());
        }
        if self.to.is_empty() {
            problems.push("alarms.mail.to: at least one address is needed".to_owned());
        }
        recipients("alarms.mail.to", &self.to, problems);
        recipients("alarms.mail.from", std::slice::from_ref(&self.from), problems);
    }
}

impl Settings {
    /// Everything that makes no sense, at once.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut within = |name: &str, value: u32, longest: u32| {
            if value == 0 || value > longest {
                problems.push(format!("alarms.{name} = {value}: 1 to {longest}, please"));
            }
        };
        within("group_minutes", self.group_minutes, MINUTES_MAX);
        within("rotation_hours", self.rotation_hours, 30 * 24);
        within("disable_after_days", self.disable_after_days, 365);
        if self.step.len() > STEPS_MAX {
            problems.push(format!("[[alarms.step]]: {} steps, at most {STEPS_MAX}", self.step.len()));
        }
        if self.step.windows(2).any(|two| two[0].after_minutes > two[1].after_minutes) {
            problems.push("[[alarms.step]]: each step is at or after the one before".to_owned());
        }
        for step in &self.step {
            if step.after_minutes > MINUTES_MAX {
                problems.push(format!(
                    "alarms.step.after_minutes = {}: at most {MINUTES_MAX}",
                    step.after_minutes
                ));
            }
            if !step.to.is_empty() && step.channel != Channel::Mail {
                problems.push("alarms.step.to belongs to channel = \"mail\"".to_owned());
            }
            if !step.to.is_empty() && self.mail.is_none() {
                problems.push("alarms.step.to needs [alarms.mail]".to_owned());
            }
            recipients("alarms.step.to", &step.to, &mut problems);
        }
        if let Some(url) = &self.console_url
            && !(url.starts_with("https://") || url.starts_with("http://"))
        {
            problems.push(format!("alarms.console_url {url:?}: it begins with https:// or http://"));
        }
        if let Some(mail) = &self.mail {
            mail.problems(&mut problems);
        }
        problems
    }

    /// As a span of time.
    pub(crate) fn group_ms(&self) -> i64 {
        i64::from(self.group_minutes) * 60_000
    }

    /// Into the console, from outside.
    pub(crate) fn link(&self, path: &str) -> String {
        let base = self.console_url.as_deref().unwrap_or_default().trim_end_matches('/');
        format!("{base}{path}")
    }

    /// How long the old secret signs too.
    pub(crate) fn rotation(&self) -> Duration {
        Duration::from_secs(u64::from(self.rotation_hours) * 3600)
    }
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn recipients(what: &str, addresses: &[String], problems: &mut Vec<String>) {
    if addresses.len() > RECIPIENTS_MAX {
        problems.push(format!("{what}: {} addresses, at most {RECIPIENTS_MAX}", addresses.len()));
    }
    for address in addresses {
        if address.parse::<lettre::message::Mailbox>().is_err() {
            problems.push(format!("{what}: {address:?} is no mail address"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_make_sense() {
        assert_eq!(Settings::default().problems(), Vec::<String>::new());
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let text = r#"
            group_minutes = 0
            console_url = "pinward.example"
            allow = ["10.0.0.0/8", "127.0.0.1"]
            [[step]]
            after_minutes = 20
            channel = "webhooks"
            to = ["who"]
            [[step]]
            after_minutes = 5
            channel = "mail"
            least = "critical"
            [mail]
            host = "mail.example"
            tls = "none"
            user = "pinward"
            from = "nobody"
            to = []
        "#;
        let settings: Settings = toml::from_str(text).unwrap();
        let problems = settings.problems().join("; ");
        for expected in [
            "group_minutes = 0",
            "console_url",
            "at or after",
            "belongs to channel",
            "\"who\" is no mail",
            "server on this machine",
            "belong together",
            "at least one address",
            "\"nobody\" is no mail",
        ] {
            assert!(problems.contains(expected), "{expected}: {problems}");
        }
        assert_eq!(settings.mail.unwrap().port(), 25);
        assert!(toml::from_str::<Settings>("group_seconds = 1").is_err());
        assert!(toml::from_str::<Settings>("allow = ['10.0.0.0/33']").is_err());
    }
}
