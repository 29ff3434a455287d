//! Telling somebody: a delivery becomes a request or a letter, and what came of it an [`Outcome`].

use std::sync::Arc;

use model::Timestamp;
use store::Book;
use tokio_rustls::rustls::ClientConfig;

use crate::{
    desk::{Delivery, Desk, Outcome, Target},
    mail::Mailer,
    settings::Settings,
    trust,
    webhook::{
        guard,
        send::{self, Message, failed},
        sign::{Secret, signatures},
    },
};

/// What the book binds a webhook's secret to.
pub(crate) fn owner(webhook: &str) -> String {
    format!("alarms/webhook/{webhook}")
}

/// Everything that is needed to tell somebody.
pub(crate) struct Sender {
    tls: Arc<ClientConfig>,
    mailer: Option<Mailer>,
    book: Arc<dyn Book>,
    settings: Arc<Settings>,
}

/// One delivery, with what the desk knows about its target.
pub(crate) struct Job {
    delivery: Delivery,
    url: String,
    sealed: Vec<Vec<u8>>,
}

impl Job {
    /// `None` when the target is no more.
    pub(crate) fn of(desk: &Desk, delivery: &Delivery, now: Timestamp) -> Option<Self> {
        let (url, sealed) = match &delivery.target {
            Target::Mail(_) => (String::new(), Vec::new()),
            Target::Webhook(id) => {
                let webhook = desk.webhook(id)?;
                (webhook.url.clone(), webhook.signing(now).map(<[u8]>::to_vec).collect())
            }
        };
        Some(Self { delivery: delivery.clone(), url, sealed })
    }
}

impl Sender {
    /// Reads certificates and password.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(crate) fn new(book: Arc<dyn Book>, settings: Arc<Settings>) -> Result<Self, String> {
        let authorities = trust::authorities(settings.ca_file.as_deref())?;
        let tls = trust::client(&authorities)?;
        let mailer = settings.mail.as_ref().map(|mail| Mailer::new(mail, &authorities)).transpose()?;
        Ok(Self { tls, mailer, book, settings })
    }

    /// Does it, within a bounded time. `now` is the moment of the attempt, which is signed with it.
    pub(crate) async fn tell(&self, job: &Job, now: Timestamp) -> Outcome {
        let delivery = &job.delivery;
        match &delivery.target {
            Target::Mail(to) => match &self.mailer {
                Some(mailer) => mailer.send(to, &delivery.message_id(), &delivery.body).await,
                None => Outcome { gone: true, ..failed("there is no [alarms.mail] any more") },
            },
            Target::Webhook(id) => self.post(job, id, now).await,
        }
    }

    async fn post(&self, job: &Job, webhook: &str, now: Timestamp) -> Outcome {
        let delivery = &job.delivery;
        let open = |sealed: &Vec<u8>| self.book.open(&owner(webhook), sealed).map(Secret::of);
        let secrets: Vec<Secret> = match job.sealed.iter().map(open).collect() {
            Ok(secrets) => secrets,
            Err(error) => return failed(&format!("its secret: {error}")),
        };
        // Looked at anew for each attempt: a name may lead elsewhere by now.
        let to = match guard::check(&job.url, &self.settings.allow).await {
            Ok(to) => to,
            Err(error) => return failed(&error.to_string()),
        };
        let (id, timestamp_s) = (delivery.message_id(), now.0.div_euclid(1000));
        let signatures = signatures(&secrets, &id, timestamp_s, delivery.body.as_bytes());
        let message = Message { id: &id, timestamp_s, signatures: &signatures, body: delivery.body.clone() };
        send::send(&to, &self.tls, message).await
    }
}
