//! One attempt: one connection, one request, the beginning of the answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, StatusCode,
    body::{Bytes, Incoming},
    client::conn::http1,
    header,
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, pki_types::ServerName},
};

use super::guard::Checked;
use crate::{desk::Outcome, matter::excerpt};

/// The whole attempt; the specification proposes 15 to 30 seconds.
const ATTEMPT_MAX: Duration = Duration::from_secs(20);
/// Of an answer so much is read, and the rest is not waited for.
const ANSWER_MAX: usize = 4096;
/// Of that so much is kept.
const SAID_MAX: usize = 200;

/// A message, signed.
pub(crate) struct Message<'m> {
    pub(crate) id: &'m str,
    pub(crate) timestamp_s: i64,
    pub(crate) signatures: &'m str,
    pub(crate) body: Arc<str>,
}

/// Sends it, and says what came of it. Redirects are answers like any other: not taken.
pub(crate) async fn send(to: &Checked, tls: &Arc<ClientConfig>, message: Message<'_>) -> Outcome {
    let started = Instant::now();
    let outcome = match tokio::time::timeout(ATTEMPT_MAX, attempt(to, tls, message)).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(what)) => failed(&what),
        Err(_) => failed(&format!("no answer within {} s", ATTEMPT_MAX.as_secs())),
    };
    let took_ms = u32::try_from(started.elapsed().as_millis()).unwrap_or(u32::MAX);
    Outcome { took_ms, ..outcome }
}

/// It did not get there.
pub(crate) fn failed(what: &str) -> Outcome {
    let said = excerpt(what.as_bytes(), SAID_MAX);
    Outcome { taken: false, status: None, said, took_ms: 0, gone: false, retry_after_s: None }
}

async fn attempt(to: &Checked, tls: &Arc<ClientConfig>, message: Message<'_>) -> Result<Outcome, String> {
    let stream = TcpStream::connect(to.address).await.map_err(|error| format!("cannot connect: {error}"))?;
    if !to.secure {
        return exchange(stream, to, message).await;
    }
    let name = ServerName::try_from(to.name.clone()).map_err(|error| format!("no name: {error}"))?;
    let connector = TlsConnector::from(tls.clone());
    let stream = connector.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
    exchange(stream, to, message).await
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    to: &Checked,
    message: Message<'_>,
) -> Result<Outcome, String> {
    let said = |error: hyper::Error| format!("HTTP: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
    let driver = tokio::spawn(connection);
    let answer = async {
        let request = request(to, message).map_err(|error| format!("HTTP: {error}"))?;
        let response = sender.send_request(request).await.map_err(said)?;
        Ok(outcome(response).await)
    };
    let answer = answer.await;
    driver.abort();
    answer
}

fn request(to: &Checked, message: Message<'_>) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    Request::post(to.path.as_str())
        .header(header::HOST, &to.authority)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("pinward/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .header("webhook-id", message.id)
        .header("webhook-timestamp", message.timestamp_s)
        .header("webhook-signature", message.signatures)
        .body(Full::new(Bytes::copy_from_slice(message.body.as_bytes())))
}

async fn outcome(response: hyper::Response<Incoming>) -> Outcome {
    let status = response.status();
    let retry_after_s = response
        .headers()
        .get(header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.trim().parse().ok());
    // An answer that is longer or breaks off has said enough by its status.
    let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
    let said = body.map(|body| excerpt(&body.to_bytes(), SAID_MAX)).unwrap_or_default();
    Outcome {
        taken: status.is_success(),
        status: Some(status.as_u16()),
        said,
        took_ms: 0,
        gone: status == StatusCode::GONE,
        retry_after_s,
    }
}
