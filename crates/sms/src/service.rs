//! Sending: the text is written, the message counted, and a gateway asked a bounded number of times.
//!
//! Counting comes first and is durable. Two hosts that count at once meet at the number of the fact: one of them reads what the
//! other wrote and asks the limits again.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use model::{CardId, Timestamp};
use ring::hmac;
use store::{
    Book, BookError, StoreError,
    book::{self, READ_MAX, json},
};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};
use zeroize::Zeroizing;

use crate::{
    gateway::{Gateway, Outgoing, Receipt, hushed},
    ledger::{FACT, Ledger, Sent, SmsFact, day, stream},
    limits::{Limited, Limits},
    number::PhoneNumber,
    text::{self, Kind, Language, NoText, Values},
};

/// The stream of the key under which numbers are digested.
const KEY: &str = "sms-key";
/// Lost races against other hosts.
const RACES_MAX: usize = 32;
/// Waits between attempts: a code is of use for minutes, so nobody tries for hours.
const WAITS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(8)];
/// Deliveries that may be under way; one more is refused.
const UNDER_WAY_MAX: usize = 256;
/// How often and how far apart a receipt's message is looked for.
const RECEIPT_LOOKS: usize = 40;
const RECEIPT_WAIT: Duration = Duration::from_millis(100);
/// Bytes of a digest that are kept.
const DIGEST_LEN: usize = 16;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A message to be sent.
pub struct Order {
    /// To whom.
    pub to: PhoneNumber,
    /// About which card, for the limits.
    pub card: Option<CardId>,
    /// What it is.
    pub kind: Kind,
    /// In which language.
    pub language: Language,
    /// What stands in its places; `bank` is put in here.
    pub values: Values,
}

/// Not sent.
#[derive(Debug, thiserror::Error)]
pub enum SmsError {
    /// Our own mistake.
    #[error(transparent)]
    Text(#[from] NoText),
    /// Later.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// Too many are under way.
    #[error("too many messages are under way")]
    Busy,
    /// The store's trouble.
    #[error(transparent)]
    Store(#[from] BookError),
}

impl From<StoreError> for SmsError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.into())
    }
}

/// Sends messages. Clones share one service.
#[derive(Clone)]
pub struct SmsService {
    inner: Arc<Inner>,
}

struct Inner {
    book: Arc<dyn Book>,
    gateway: Arc<dyn Gateway>,
    clock: Clock,
    limits: Limits,
    bank: String,
    key: hmac::Key,
    ledger: Mutex<Ledger>,
    tasks: std::sync::Mutex<JoinSet<()>>,
}

impl SmsService {
    /// Opens the ledger of a store. `bank` is whose name stands in the texts.
    ///
    /// # Errors
    /// [`SmsError::Store`].
    pub async fn open(
        book: Arc<dyn Book>,
        gateway: Arc<dyn Gateway>,
        clock: Clock,
        limits: Limits,
        bank: &str,
    ) -> Result<Self, SmsError> {
        let fresh: Zeroizing<[u8; 32]> = Zeroizing::new(random()?);
        let key = Zeroizing::new(book::secret(book.as_ref(), KEY, clock(), &*fresh).await?);
        let inner = Inner {
            book,
            gateway,
            clock,
            limits,
            bank: bank.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            ledger: Mutex::default(),
            tasks: std::sync::Mutex::default(),
        };
        inner.learn(&mut *inner.ledger.lock().await).await?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Counts a message and has it sent; returns its id once it is counted. What comes of it is seen in [`newest`](Self::newest).
    ///
    /// # Errors
    /// [`SmsError`]; nothing was sent then.
    pub async fn send(&self, order: Order) -> Result<String, SmsError> {
        let inner = &self.inner;
        let Order { to, card, kind, language, mut values } = order;
        if kind.places().iter().any(|place| place == "bank") {
            values.push(("bank", Zeroizing::new(inner.bank.clone())));
        }
        let text = text::write(kind, language, &values)?;
        if inner.tasks.lock().unwrap_or_else(PoisonError::into_inner).len() >= UNDER_WAY_MAX {
            return Err(SmsError::Busy);
        }
        let id = hex::encode(random::<8>()?);
        let message = Outgoing { id: id.clone(), to, kind, language, text, values };
        inner.count(&message, card).await?;
        let task = inner.clone();
        let mut tasks = inner.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(async move { task.deliver(message).await });
        Ok(id)
    }

    /// Notes what a gateway says of a message; `false` when nobody here knows it.
    ///
    /// # Errors
    /// [`SmsError::Store`].
    pub async fn received(&self, receipt: &Receipt) -> Result<bool, SmsError> {
        let inner = &self.inner;
        let id = {
            let mut ledger = inner.ledger.lock().await;
            inner.learn(&mut ledger).await?;
            ledger.by_reference(inner.gateway.name(), &receipt.reference).map(|sent| sent.id.clone())
        };
        let Some(id) = id else { return Ok(false) };
        let (delivered, said) = (receipt.delivered, hushed(&receipt.said));
        inner.append(&SmsFact::Received { id, delivered, said }).await?;
        Ok(true)
    }

    /// What the gateway says of messages in a call to our own address; `None` when it is no such thing. Returns what the gateway
    /// wants to hear.
    ///
    /// # Errors
    /// [`SmsError::Store`].
    pub async fn called(&self, body: &[u8]) -> Result<Option<String>, SmsError> {
        let gateway = Arc::clone(&self.inner.gateway);
        let Some(receipts) = gateway.receipts(body) else { return Ok(None) };
        self.received_soon(receipts).await?;
        Ok(Some(gateway.receipts_taken().to_owned()))
    }

    /// Notes every receipt that comes out of a gateway's channel, until the gateway is gone.
    pub async fn listen(self, mut receipts: mpsc::Receiver<Receipt>) {
        while let Some(receipt) = receipts.recv().await {
            if let Err(error) = self.received_soon(vec![receipt]).await {
                tracing::warn!(%error, "what became of a message was not kept");
            }
        }
    }

    /// A receipt may be faster than the answer that names its message: it is looked for a few times.
    async fn received_soon(&self, mut receipts: Vec<Receipt>) -> Result<(), SmsError> {
        for _ in 0..RECEIPT_LOOKS {
            let mut unknown = Vec::new();
            for receipt in receipts {
                if !self.received(&receipt).await? {
                    unknown.push(receipt);
                }
            }
            if unknown.is_empty() {
                return Ok(());
            }
            receipts = unknown;
            tokio::time::sleep(RECEIPT_WAIT).await;
        }
        tracing::info!(
            gateway = self.gateway(),
            count = receipts.len(),
            "receipts of no message that is known here"
        );
        Ok(())
    }

    /// The newest messages, newest first, with what became of them; without what they said.
    ///
    /// # Errors
    /// [`SmsError::Store`].
    pub async fn newest(&self, limit: usize) -> Result<Vec<Sent>, SmsError> {
        let mut ledger = self.inner.ledger.lock().await;
        self.inner.learn(&mut ledger).await?;
        Ok(ledger.newest(limit))
    }

    /// The gateway's name.
    #[must_use]
    pub fn gateway(&self) -> &str {
        self.inner.gateway.name()
    }

    /// Waits for what is under way; each attempt ends by itself.
    pub async fn stop(&self) {
        let mut tasks = std::mem::take(&mut *self.inner.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }
}

impl Inner {
    /// Counts it, or says why not.
    async fn count(&self, message: &Outgoing, card: Option<CardId>) -> Result<(), SmsError> {
        let tag = hmac::sign(&self.key, message.to.reveal().as_bytes());
        let number = hex::encode(&tag.as_ref()[..DIGEST_LEN]);
        let fact = SmsFact::Counted {
            id: message.id.clone(),
            number: number.clone(),
            masked: message.to.masked(),
            card,
            kind: message.kind,
            language: message.language,
            gateway: self.gateway.name().to_owned(),
        };
        self.append_if(&fact, |ledger, now| {
            self.limits.admit(ledger.counted(), &number, card, now).map_err(SmsError::Limited)
        })
        .await
    }

    async fn append(&self, fact: &SmsFact) -> Result<(), SmsError> {
        self.append_if(fact, |_, _| Ok(())).await
    }

    /// Appends to today's stream if `may` says so on everything that is known; asks again after a lost race.
    async fn append_if(
        &self,
        fact: &SmsFact,
        may: impl Fn(&Ledger, Timestamp) -> Result<(), SmsError>,
    ) -> Result<(), SmsError> {
        let body = json(fact)?;
        let mut ledger = self.ledger.lock().await;
        for _ in 0..RACES_MAX {
            self.learn(&mut ledger).await?;
            let now = (self.clock)();
            may(&ledger, now)?;
            let today = day(now);
            match self.book.append(&stream(today), ledger.seq(today), now, FACT, body.clone()).await {
                Err(BookError::Collision) => {}
                other => {
                    other?;
                    return self.learn(&mut ledger).await;
                }
            }
        }
        Err(StoreError::Overloaded.into())
    }

    /// Reads what was added since, here or by other hosts.
    async fn learn(&self, ledger: &mut Ledger) -> Result<(), SmsError> {
        let now = (self.clock)();
        for day in Ledger::days(now) {
            loop {
                let facts = self.book.read(&stream(day), ledger.seq(day), READ_MAX).await?;
                for fact in &facts {
                    ledger.apply(day, fact)?;
                }
                if facts.len() < READ_MAX as usize {
                    break;
                }
            }
        }
        ledger.tidy(now);
        Ok(())
    }

    async fn deliver(&self, message: Outgoing) {
        let mut waits = WAITS.iter();
        let fact = loop {
            match self.gateway.send(&message).await {
                Ok(taken) => {
                    break SmsFact::Taken { id: message.id.clone(), reference: taken.reference };
                }
                Err(not) => {
                    tracing::warn!(id = %message.id, to = %message.to, gateway = self.gateway.name(), why = %not, "a message was not taken");
                    match waits.next().filter(|_| not.again) {
                        Some(wait) => tokio::time::sleep(*wait).await,
                        None => break SmsFact::GivenUp { id: message.id.clone(), why: not.why },
                    }
                }
            }
        };
        if let Err(error) = self.append(&fact).await {
            tracing::warn!(id = %message.id, %error, "what became of a message was not kept");
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N], StoreError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| StoreError::Away(format!("no randomness: {error}")))?;
    Ok(bytes)
}
