//! A gateway that is spoken to in SMPP 3.4, as message centres of operators are: one session that is bound as a transceiver, kept
//! alive, and begun again when it ends. Texts go out in the seven-bit alphabet or in UCS-2, long ones in parts.
//!
//! ```text
//! send ──► jobs, a window of them ──► submit_sm ──► submit_sm_resp ──► taken, with the centre's name for it
//!                                     deliver_sm ──► receipt ──► the ledger
//! ```
//!
//! What was sent and not answered when a session ends may have been taken, and is not sent again.

mod pdu;
mod session;
mod text;

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use self::{session::Job, text::encode};
use crate::{
    gateway::{Gateway, NotTaken, Outgoing, Receipt, Taken},
    secret, tls,
};

/// Jobs that wait for a place in the window.
const WAITING_MAX: usize = 64;
/// Receipts that wait to be written down.
const RECEIPTS_MAX: usize = 256;
/// One message, with all its parts.
const MESSAGE_TIME_MAX: Duration = Duration::from_secs(30);
/// The longest fields of a bind (SMPP 3.4, 4.1.5), without their zeros.
const SYSTEM_ID_MAX: usize = 15;
const SYSTEM_TYPE_MAX: usize = 12;
/// The longest address (SMPP 3.4, 5.2.8).
const ADDRESS_MAX: usize = 20;

/// `[sms.smpp]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmppSettings {
    /// Host of the message centre, a name or an address.
    pub host: String,
    /// Its port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Who we are.
    pub system_id: String,
    /// A file with the password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// Or a variable of the environment that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_env: Option<String>,
    /// As the centre wants it; often empty.
    #[serde(default)]
    pub system_type: String,
    /// Our address: a number, or a name of at most 11 characters.
    pub from: String,
    /// TLS around it. Without it only to this machine, or where `clear` says that the line is protected otherwise.
    #[serde(default = "yes")]
    pub tls: bool,
    /// The line is protected otherwise: without TLS the codes are readable on it.
    #[serde(default)]
    pub clear: bool,
    /// A file of certificate authorities in PEM, instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// Messages that may be under way at once.
    #[serde(default = "default_window")]
    pub window: u32,
    /// Seconds of silence before the centre is asked whether it is there.
    #[serde(default = "default_enquire_s")]
    pub enquire_s: u64,
}

fn default_port() -> u16 {
    2775
}

fn yes() -> bool {
    true
}

fn default_window() -> u32 {
    10
}

fn default_enquire_s() -> u64 {
    30
}

impl SmppSettings {
    /// Everything that makes no sense.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let is_here = self.host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
        let plain =
            |text: &str, most: usize| text.len() <= most && text.bytes().all(|b| b.is_ascii_graphic());
        let checks = [
            (self.host.is_empty() || !plain(&self.host, 253), "sms.smpp.host: a name or an address"),
            (
                self.system_id.is_empty() || !plain(&self.system_id, SYSTEM_ID_MAX),
                "sms.smpp.system_id: 1 to 15 plain characters",
            ),
            (!plain(&self.system_type, SYSTEM_TYPE_MAX), "sms.smpp.system_type: at most 12 plain characters"),
            (
                self.from.is_empty() || !plain(&self.from, ADDRESS_MAX),
                "sms.smpp.from: 1 to 20 plain characters",
            ),
            (
                !self.tls && !is_here && !self.clear,
                "sms.smpp.tls: without it codes are readable on the line; if the line is protected otherwise, say so with clear = true",
            ),
            (!(1..=1000).contains(&self.window), "sms.smpp.window: 1 to 1000"),
            (!(1..=3600).contains(&self.enquire_s), "sms.smpp.enquire_s: 1 to 3600"),
        ];
        let wrong = checks.iter().filter(|(wrong, _)| *wrong).map(|(_, why)| (*why).to_owned());
        let secret = secret::problems("sms.smpp", self.secret_file.as_deref(), self.secret_env.as_deref());
        wrong.chain(secret).collect()
    }
}

/// A gateway over SMPP. Its session ends when it is dropped.
pub struct SmppGateway {
    jobs: mpsc::Sender<Job>,
}

impl SmppGateway {
    /// Begins the session, which is made anew whenever it ends. Receipts come out of the channel.
    ///
    /// # Errors
    /// A sentence for the operator: the password or the certificate authorities cannot be read.
    pub fn start(settings: &SmppSettings) -> Result<(Arc<Self>, mpsc::Receiver<Receipt>), String> {
        let password =
            secret::read("sms.smpp", settings.secret_file.as_deref(), settings.secret_env.as_deref())?;
        let tls = settings.tls.then(|| tls::client(settings.ca_file.as_deref())).transpose()?;
        let (jobs, waiting) = mpsc::channel(WAITING_MAX);
        let (receipts, told) = mpsc::channel(RECEIPTS_MAX);
        let line = session::Line { settings: settings.clone(), password, tls, receipts };
        tokio::spawn(session::keep(line, waiting));
        Ok((Arc::new(Self { jobs }), told))
    }
}

#[async_trait]
impl Gateway for SmppGateway {
    fn name(&self) -> &str {
        "smpp"
    }

    async fn send(&self, message: &Outgoing) -> Result<Taken, NotTaken> {
        // What the parts of one message have in common; two messages to one telephone at once have different ones, nearly always.
        let reference =
            message.id.get(..2).and_then(|text| u8::from_str_radix(text, 16).ok()).unwrap_or_default();
        let encoded =
            encode(&message.text, reference).ok_or_else(|| NotTaken::for_good("the text is too long"))?;
        let to = Zeroizing::new(message.to.reveal().trim_start_matches('+').to_owned());
        let (answer, answered) = oneshot::channel();
        let job = Job::new(to, encoded, answer);
        self.jobs
            .try_send(job)
            .map_err(|_| NotTaken::for_now("too many messages wait for the message centre"))?;
        match tokio::time::timeout(MESSAGE_TIME_MAX, answered).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) | Err(_) => Err(NotTaken::for_good("no answer of the message centre in time")),
        }
    }
}
