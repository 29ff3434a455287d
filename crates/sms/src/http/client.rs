//! One POST to one address: a connection, a request, the beginning of the answer. TLS everywhere but on the loopback address.

use std::{path::Path, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::rustls::ClientConfig;
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::tls;

/// Until a connection stands.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Until the answer is there.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(15);
/// Of an answer so much is read.
const ANSWER_MAX: usize = 16 * 1024;

/// What is sent.
pub(crate) struct Request {
    pub(crate) content_type: &'static str,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Zeroizing<String>,
}

/// No answer.
pub(crate) enum Trouble {
    /// Nothing was sent.
    NotSent(String),
    /// It was sent, perhaps.
    Unknown(String),
}

/// Where it goes.
pub(crate) struct Target {
    host: String,
    port: u16,
    secure: bool,
    authority: String,
    path: String,
}

/// Reads an address.
///
/// # Errors
/// A sentence.
pub(crate) fn target(text: &str) -> Result<Target, String> {
    let url = Url::parse(text).map_err(|error| error.to_string())?;
    let host = url.host().ok_or("it names no host")?;
    let is_loopback = match &host {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(_) => false,
    };
    let secure = match url.scheme() {
        "https" => true,
        "http" if is_loopback => false,
        _ => return Err("https only: messages hold codes".to_owned()),
    };
    let name = host.to_string();
    let port = url.port_or_known_default().unwrap_or(443);
    let authority = url.port().map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    Ok(Target { host: name.trim_matches(['[', ']']).to_owned(), port, secure, authority, path })
}

/// Asks one service.
pub(crate) struct Client {
    target: Target,
    tls: Arc<ClientConfig>,
}

impl Client {
    /// Reads the certificate authorities.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(crate) fn new(url: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        let target = target(url).map_err(|why| format!("sms.http.url: {why}"))?;
        Ok(Self { target, tls: tls::client(ca_file)? })
    }

    /// Host and port, as the header has it.
    pub(crate) fn authority(&self) -> &str {
        &self.target.authority
    }

    /// Sends it; status and beginning of the answer.
    pub(crate) async fn post(&self, request: Request) -> Result<(u16, Bytes), Trouble> {
        let not_sent = |why: String| Trouble::NotSent(why);
        let connecting = TcpStream::connect((self.target.host.as_str(), self.target.port));
        let stream = tokio::time::timeout(CONNECT_MAX, connecting)
            .await
            .map_err(|_| not_sent("no connection in time".to_owned()))?
            .map_err(|error| not_sent(format!("cannot connect: {error}")))?;
        if !self.target.secure {
            return self.exchange(stream, request).await;
        }
        let stream = tls::around(&self.tls, &self.target.host, stream).await.map_err(not_sent)?;
        self.exchange(stream, request).await
    }

    async fn exchange(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        request: Request,
    ) -> Result<(u16, Bytes), Trouble> {
        let mut built = hyper::Request::post(self.target.path.as_str())
            .header(header::HOST, &self.target.authority)
            .header(header::CONTENT_TYPE, request.content_type)
            .header(header::USER_AGENT, concat!("pinward/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close");
        for (name, value) in &request.headers {
            built = built.header(name, value);
        }
        let built = built
            .body(Full::new(Bytes::copy_from_slice(request.body.as_bytes())))
            .map_err(|error| Trouble::NotSent(format!("HTTP: {error}")))?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|e| Trouble::NotSent(format!("HTTP: {e}")))?;
        let driver = tokio::spawn(connection);
        let answer = async {
            let response = sender.send_request(built).await.map_err(|error| format!("HTTP: {error}"))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
            Ok::<_, String>((status, body.map(|body| body.to_bytes()).unwrap_or_default()))
        };
        let answered = tokio::time::timeout(ANSWER_TIME_MAX, answer).await;
        driver.abort();
        answered.map_err(|_| Trouble::Unknown("no answer in time".to_owned()))?.map_err(Trouble::Unknown)
    }
}
