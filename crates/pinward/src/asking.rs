//! Asks the REST API of a store's host; of a store without a running host, the journal itself. So a command beside a running
//! host and one on a resting store say the same, in the same words.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use handbook::Lang;
use serde_json::Value;
use store::Store;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    command::Usage,
    config::{self, Config},
    seed,
    storage::{Place, Storage, Wish},
    store_url::StoreUrl,
    watching::{self, Watching, insight::Door},
};

/// A host on this machine answers at once.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// A session's token, for hosts that ask who it is.
const TOKEN: &str = "PINWARD_TOKEN";
/// An answer is not longer.
const ANSWER_MAX: u64 = 64 << 20;
/// So many times a moment is waited for a store that is just catching up.
const AGAIN: usize = 60;

/// Which store, as a command is told.
#[derive(clap::Args)]
pub(crate) struct Where {
    /// Data directory.
    #[arg(long, value_name = "DIR", default_value = "pinward-data")]
    data: PathBuf,
    /// The store's database instead of the one that the data directory names.
    #[arg(long, value_name = "URL")]
    store: Option<StoreUrl>,
}

/// What was answered.
pub(crate) enum Answer {
    /// It is there.
    Found(Value),
    /// It is not.
    NotFound,
}

/// A slip.
pub(crate) enum Slip {
    /// In the form that was asked for.
    Drawn(Vec<u8>),
    /// There is no such payment.
    NotFound,
}

/// What is asked.
pub(crate) enum Question<'a> {
    /// Why a payment was refused.
    Why(&'a str),
    /// Incidents that stand somewhere (all, if empty), so many.
    Incidents(&'a str, u32),
}

impl Question<'_> {
    fn path(&self) -> String {
        match self {
            Self::Why(rrn) => format!("/api/v1/transactions/{rrn}/diagnosis"),
            Self::Incidents("", limit) => format!("/api/v1/incidents?limit={limit}"),
            Self::Incidents(status, limit) => format!("/api/v1/incidents?limit={limit}&status={status}"),
        }
    }
}

/// Asks. An embedded store is one process's: whoever can open it has no host beside. Beside a host on a database that host
/// is asked, because it has read the journal already.
pub(crate) async fn ask(wanted: &Where, question: &Question<'_>) -> anyhow::Result<Answer> {
    let place = match &wanted.store {
        None => Place::of_data(&wanted.data)?,
        Some(url) => Place::new(wanted.data.clone(), Wish { store: Some(url.clone()), ..Wish::default() })?,
    };
    if !place.exists() {
        return Err(Usage(format!("there is no store in {}", wanted.data.display())).into());
    }
    if place.is_embedded() {
        return match place.open().await {
            Ok(storage) => ask_resting(&wanted.data, storage, question).await,
            Err(error) if is_in_use(&error) => ask_running(&wanted.data, question).await?.ok_or(error),
            Err(error) => Err(error),
        };
    }
    if wanted.store.is_none()
        && let Some(answer) = ask_running(&wanted.data, question).await?
    {
        return Ok(answer);
    }
    ask_resting(&wanted.data, place.open().await?, question).await
}

fn is_in_use(error: &anyhow::Error) -> bool {
    let in_use = |error: &store_sql::OpenError| matches!(error, store_sql::OpenError::InUse { .. });
    error.chain().any(|cause| cause.downcast_ref().is_some_and(in_use))
}

/// Asks the host of a directory; `None` if none answers there.
async fn ask_running(data: &Path, question: &Question<'_>) -> anyhow::Result<Option<Answer>> {
    for address in addresses(data) {
        let connected = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await;
        if let Ok(Ok(stream)) = connected {
            drop(stream);
            return answered(address, &question.path()).await.map(Some);
        }
    }
    Ok(None)
}

/// Posts to the host of a directory, in whose log it stands who did it; status and body. `None` if no host answers there.
pub(crate) async fn tell(
    data: &Path,
    path: &str,
    body: &Value,
    lang: Lang,
) -> anyhow::Result<Option<(u16, Value)>> {
    let wanted = Request { path, lang: Some(lang), body: Some(body) };
    for address in addresses(data) {
        let connected = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await;
        if !matches!(connected, Ok(Ok(_))) {
            continue;
        }
        let (status, body) = tokio::time::timeout(ANSWER_WITHIN, send(address, &wanted))
            .await
            .with_context(|| format!("http://{address}{path} does not answer: it may have been done"))??;
        if matches!(status, 401 | 403) {
            bail!(who_are_you(address));
        }
        return Ok(Some((status, serde_json::from_slice(&body).unwrap_or_default())));
    }
    Ok(None)
}

fn who_are_you(address: SocketAddr) -> String {
    format!("the host at {address} asks who you are: put a token of POST /api/v1/session into {TOKEN}")
}

/// Where a host of this directory would have its console: what it published, and what is configured.
fn addresses(data: &Path) -> Vec<SocketAddr> {
    let published = seed::published(data)
        .and_then(|sandbox| sandbox.console.strip_prefix("http://").and_then(|address| address.parse().ok()));
    let configured = config::table(&data.join("pinward.toml"))
        .ok()
        .and_then(|table| table.get("console")?.get("address")?.as_str()?.parse().ok());
    let mut addresses: Vec<SocketAddr> = published.into_iter().chain(configured).collect();
    addresses.dedup();
    addresses
}

/// The slip of a payment, by the query of `GET /api/v1/transactions/{rrn}/receipt`.
pub(crate) async fn slip(wanted: &Where, rrn: &str, query: &str) -> anyhow::Result<Slip> {
    let place = match &wanted.store {
        None => Place::of_data(&wanted.data)?,
        Some(url) => Place::new(wanted.data.clone(), Wish { store: Some(url.clone()), ..Wish::default() })?,
    };
    if !place.exists() {
        return Err(Usage(format!("there is no store in {}", wanted.data.display())).into());
    }
    match place.open().await {
        Ok(storage) => slip_resting(&wanted.data, storage, rrn, query).await,
        Err(error) if is_in_use(&error) => {
            let path = format!("/api/v1/transactions/{rrn}/receipt?{query}");
            for address in addresses(&wanted.data) {
                let connected = tokio::time::timeout(CONNECT_WITHIN, TcpStream::connect(address)).await;
                if matches!(connected, Ok(Ok(_))) {
                    return body_of(address, &path)
                        .await
                        .map(|found| found.map_or(Slip::NotFound, Slip::Drawn));
                }
            }
            Err(error)
        }
        Err(error) => Err(error),
    }
}

/// Draws it from an open store, and closes that.
async fn slip_resting(data: &Path, storage: Storage, rrn: &str, query: &str) -> anyhow::Result<Slip> {
    let zone = web::Zone::named(&configuration(data)?.host.time_zone)?;
    let archive = storage.archive();
    let drawn =
        web::receipts::drawn(&*archive, storage.book(), &crate::describe::Describer, &zone, rrn, query).await;
    drop(archive);
    storage.close().await?;
    match drawn {
        Ok(bytes) => Ok(Slip::Drawn(bytes)),
        Err(web::receipts::NoReceipt::NotFound) => Ok(Slip::NotFound),
        Err(error) => Err(error.into()),
    }
}

/// Reads the journal of an open store, answers, and closes it.
async fn ask_resting(data: &Path, storage: Storage, question: &Question<'_>) -> anyhow::Result<Answer> {
    let config = configuration(data)?;
    let Watching { watch, known } = watching::start(&config, &storage, None, None)?;
    watch.settled().await;
    let archive = storage.archive();
    let door = Door::new(Arc::clone(&watch), known, Arc::clone(&archive), Store::new(storage.engine()));
    let told = match question {
        Question::Why(rrn) => web::told::verdict(&door, &*archive, rrn).await,
        Question::Incidents(status, limit) => web::told::incidents(&door, status, *limit).await.map(Some),
    };
    watch.stop().await;
    drop(door);
    storage.close().await?;
    match told {
        Ok(Some(value)) => Ok(Answer::Found(value)),
        Ok(None) => Ok(Answer::NotFound),
        Err(web::told::NotTold::NotUnderstood(why)) => Err(Usage(why).into()),
        Err(error) => Err(error.into()),
    }
}

/// The directory's configuration, or an empty one.
fn configuration(data: &Path) -> anyhow::Result<Config> {
    let file = data.join("pinward.toml");
    let mut table = if file.exists() { config::table(&file)? } else { config::table_of("")? };
    let here = data.to_string_lossy().into_owned();
    table.entry("data").or_insert(toml::Value::String(here));
    table.try_into().with_context(|| format!("configuration {}", file.display()))
}

/// Asks for JSON.
async fn answered(address: SocketAddr, path: &str) -> anyhow::Result<Answer> {
    match body_of(address, path).await? {
        Some(body) => Ok(Answer::Found(serde_json::from_slice(&body)?)),
        None => Ok(Answer::NotFound),
    }
}

/// Asks, and once more if the diagnosis is still reading; `None` if it is not there.
async fn body_of(address: SocketAddr, path: &str) -> anyhow::Result<Option<Vec<u8>>> {
    let wanted = Request { path, lang: None, body: None };
    for _ in 0..AGAIN {
        let (status, body) = tokio::time::timeout(ANSWER_WITHIN, send(address, &wanted))
            .await
            .with_context(|| format!("http://{address}{path} does not answer"))??;
        match status {
            200 => return Ok(Some(body)),
            404 => return Ok(None),
            503 => tokio::time::sleep(CONNECT_WITHIN / 4).await,
            409 | 422 => {
                let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
                let detail = problem["detail"].as_str().unwrap_or("a part of the question means nothing");
                return Err(Usage(detail.to_owned()).into());
            }
            401 | 403 => bail!(who_are_you(address)),
            _ => bail!("http://{address}{path} answered {status}"),
        }
    }
    bail!("the host at {address} is not ready to answer: see http://{address}/api/v1/health")
}

/// What is sent: with a body it is posted.
struct Request<'a> {
    path: &'a str,
    lang: Option<Lang>,
    body: Option<&'a Value>,
}

/// HTTP/1.0 (RFC 1945): the answer ends with the connection, so nothing needs to be unpacked.
async fn send(address: SocketAddr, wanted: &Request<'_>) -> anyhow::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(address).await?;
    let token = std::env::var(TOKEN).ok().filter(|token| token.bytes().all(|b| b.is_ascii_graphic()));
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let lang = wanted.lang.map(|lang| format!("Accept-Language: {}\r\n", lang.tag())).unwrap_or_default();
    let (method, path) = (if wanted.body.is_some() { "POST" } else { "GET" }, wanted.path);
    let body = wanted.body.map(Value::to_string).unwrap_or_default();
    let kind =
        wanted.body.map(|_| format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {address}\r\nAccept: application/json\r\n{lang}{token}{}\r\n{body}",
        kind.unwrap_or_default()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_MAX).read_to_end(&mut answer).await?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").context("not an HTTP answer")?;
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.context("not an HTTP answer")?, answer.split_off(end + 4)))
}
