//! Gateways that are asked over HTTPS. What differs between services is data (`gateways/*.toml`); what is the same is here: one
//! request, a bounded time, an answer of which the beginning is read.
//!
//! A message that may have been taken is not sent again: only what certainly did not get there is tried anew.

mod client;
mod preset;
mod receipt;
mod sign;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use self::{
    client::{Client, Request, Trouble},
    preset::{Filling, Preset, Sign},
};
use crate::{
    gateway::{Gateway, NotTaken, Outgoing, Receipt, Taken, hushed},
    secret,
    service::Clock,
};

pub use preset::Manner;

/// The service's name in Tencent Cloud's signature.
const TENCENT_SERVICE: &str = "sms";

/// How long such a key is.
const RECEIPTS_KEY: std::ops::RangeInclusive<usize> = 16..=100;

/// `[sms.http]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpSettings {
    /// Whose manner.
    pub preset: Manner,
    /// Another address than the preset's, such as that of a region or of one's own gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The key's id, or the account.
    pub key_id: String,
    /// A file with the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Or a variable of the environment that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<String>,
    /// A file with the secret part of the address at which the service says what became of a message: 16 to 100 letters and
    /// digits. Without it nothing is listened to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipts_file: Option<PathBuf>,
    /// A file of certificate authorities in PEM, instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// What the preset needs besides, such as `sign_name`.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// The service's templates, such as `step-up-code.zh = "SMS_1"`.
    #[serde(default)]
    pub templates: BTreeMap<String, String>,
}

impl HttpSettings {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let preset = match self.preset.preset() {
            Ok(preset) => preset,
            Err(error) => return vec![error],
        };
        let missing = preset.needs.iter().filter(|name| !self.set.contains_key(*name));
        let mut problems: Vec<String> =
            missing.map(|name| format!("sms.http.set: {name} is needed")).collect();
        if preset.templates && self.templates.is_empty() {
            problems.push("sms.http.templates: this service sends its own templates".to_owned());
        }
        if self.key_id.is_empty() {
            problems.push("sms.http.key_id is empty".to_owned());
        }
        problems.extend(secret::problems(
            "sms.http",
            self.secret_file.as_deref(),
            self.secret_env.as_deref(),
        ));
        let url = self.url.as_deref().unwrap_or(&preset.url).replace("{key_id}", "x");
        problems.extend(client::target(&url).err().map(|why| format!("sms.http.url: {why}")));
        problems
    }
}

/// The secret part of the address at which a service says what became of messages. Prints as stars.
pub struct ReceiptsKey(Zeroizing<String>);

impl ReceiptsKey {
    /// From what a file has.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn read(file: &Path) -> Result<Self, String> {
        let wrong = |why: &str| format!("sms.http.receipts_file {}: {why}", file.display());
        let text = Zeroizing::new(fs::read_to_string(file).map_err(|error| wrong(&error.to_string()))?);
        Self::new(text.trim()).ok_or_else(|| wrong("16 to 100 letters and digits"))
    }

    /// Such a text; `None` when it is none.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let is_key = RECEIPTS_KEY.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        is_key.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Is it this one? Compared by digests, so that the time tells nothing.
    #[must_use]
    pub fn is(&self, said: &str) -> bool {
        let sum = |text: &str| digest(&SHA256, text.as_bytes());
        sum(&self.0).as_ref() == sum(said).as_ref()
    }
}

impl std::fmt::Debug for ReceiptsKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReceiptsKey(***)")
    }
}

/// A gateway over HTTP.
pub struct HttpGateway {
    settings: HttpSettings,
    preset: Preset,
    secret: Zeroizing<String>,
    client: Client,
    clock: Clock,
}

impl HttpGateway {
    /// As configured; reads the secret and the certificate authorities.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn new(settings: &HttpSettings, clock: Clock) -> Result<Arc<Self>, String> {
        let mut preset = settings.preset.preset()?;
        let secret =
            secret::read("sms.http", settings.secret_file.as_deref(), settings.secret_env.as_deref())?;
        let url = settings.url.as_ref().unwrap_or(&preset.url);
        preset.url = url.replace("{key_id}", &settings.key_id);
        Ok(Arc::new(Self {
            client: Client::new(&preset.url, settings.ca_file.as_deref())?,
            settings: settings.clone(),
            preset,
            secret,
            clock,
        }))
    }

    fn request(&self, message: &Outgoing) -> Result<Request, NotTaken> {
        let name = format!("{}.{}", message.kind.name(), message.language.name());
        let template = self.settings.templates.get(&name).map_or("", String::as_str);
        if self.preset.templates && template.is_empty() {
            return Err(NotTaken::for_good(&format!("sms.http.templates has no {name}")));
        }
        let filling = Filling { message, template, set: &self.settings.set };
        let headers = self.preset.headers.iter();
        let mut headers: Vec<(String, String)> =
            headers.map(|(name, text)| (name.clone(), self.preset.fill(text, &filling))).collect();
        let at_s = (self.clock)().0.div_euclid(1000);
        let (content_type, body) = match self.preset.json(&filling) {
            Some(json) => ("application/json; charset=utf-8", json),
            None => {
                let mut form = self.preset.form(&filling);
                if self.preset.sign == Sign::AliyunRpc {
                    self.sign_form(&mut form, &message.id, at_s);
                }
                let pairs: Vec<String> =
                    form.iter().map(|(n, v)| format!("{}={}", sign::encode(n), sign::encode(v))).collect();
                ("application/x-www-form-urlencoded", pairs.join("&"))
            }
        };
        match self.preset.sign {
            Sign::AliyunRpc => {}
            Sign::Basic => {
                let value = sign::basic(&self.settings.key_id, &self.secret);
                headers.push(("Authorization".to_owned(), value));
            }
            Sign::TencentTc3 => {
                let signed = sign::Tc3 {
                    host: self.client.authority(),
                    service: TENCENT_SERVICE,
                    content_type,
                    body: body.as_bytes(),
                    at_s,
                };
                let value = signed.authorization(&self.settings.key_id, &self.secret);
                headers.push(("Authorization".to_owned(), value));
                headers.push(("X-TC-Timestamp".to_owned(), at_s.to_string()));
            }
        }
        Ok(Request { content_type, headers, body: Zeroizing::new(body) })
    }

    /// The parameters that each of Alibaba Cloud's requests has, and the signature over all.
    fn sign_form(&self, form: &mut Vec<(String, String)>, nonce: &str, at_s: i64) {
        let at = jiff::Timestamp::from_second(at_s).unwrap_or_default();
        let common = [
            ("AccessKeyId", self.settings.key_id.as_str()),
            ("Format", "JSON"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureVersion", "1.0"),
            ("SignatureNonce", nonce),
            ("Timestamp", &at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        ];
        form.extend(common.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let signature = sign::aliyun("POST", form, &self.secret);
        form.push(("Signature".to_owned(), signature));
    }

    /// What an answer means.
    fn judge(&self, status: u16, body: &[u8]) -> Result<Taken, NotTaken> {
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |at: &str| said.pointer(at).and_then(Value::as_str);
        let by = &self.preset.taken;
        let word = by.at.as_deref().and_then(text);
        let is_taken = (200..300).contains(&status) && (by.at.is_none() || word == by.is.as_deref());
        if is_taken {
            return Ok(Taken { reference: text(&by.reference).map(str::to_owned) });
        }
        let why = match word {
            Some(word) => format!("HTTP {status}, {}", hushed(word)),
            None => format!("HTTP {status}, {}", hushed(&String::from_utf8_lossy(body))),
        };
        let again =
            status == 429 || word.is_some_and(|word| by.again.iter().any(|one| word.starts_with(one)));
        Err(if again { NotTaken::for_now(&why) } else { NotTaken::for_good(&why) })
    }
}

#[async_trait]
impl Gateway for HttpGateway {
    fn name(&self) -> &str {
        match self.settings.preset {
            Manner::Aliyun => "aliyun",
            Manner::Tencent => "tencent",
            Manner::Twilio => "twilio",
        }
    }

    fn receipts(&self, body: &[u8]) -> Option<Vec<Receipt>> {
        self.preset.receipt.read(body)
    }

    fn receipts_taken(&self) -> &str {
        &self.preset.receipt.answer
    }

    async fn send(&self, message: &Outgoing) -> Result<Taken, NotTaken> {
        let request = self.request(message)?;
        match self.client.post(request).await {
            Ok((status, body)) => self.judge(status, &body),
            Err(Trouble::NotSent(why)) => Err(NotTaken::for_now(&why)),
            Err(Trouble::Unknown(why)) => Err(NotTaken::for_good(&why)),
        }
    }
}
