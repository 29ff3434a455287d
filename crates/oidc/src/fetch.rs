//! One request to the provider: to an address that was looked at, over TLS, without redirects, with an end.

use std::{path::Path, sync::Arc, time::Duration};

use alarm::webhook::guard::{self, Checked, Network};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use url::{Url, form_urlencoded};

use crate::settings::is_here;

/// The whole request.
const REQUEST_MAX: Duration = Duration::from_secs(8);
/// The longest answer: a key set with chains of certificates in it.
const ANSWER_MAX: usize = 256 * 1024;

/// Where requests may go, and whom to believe there.
pub(crate) struct Http {
    tls: Arc<ClientConfig>,
    /// The provider's own host may be anywhere: the operator named it.
    host: String,
    everywhere: Vec<Network>,
    allow: Vec<Network>,
}

/// Fields of a form.
pub(crate) type Form<'f> = [(&'f str, &'f str)];

impl Http {
    pub(crate) fn new(issuer: &Url, allow: &[Network], ca_file: Option<&Path>) -> Result<Self, String> {
        let everywhere: Result<Vec<Network>, String> =
            ["0.0.0.0/0", "::/0"].iter().map(|all| all.parse()).collect();
        Ok(Self {
            tls: tls(ca_file)?,
            host: issuer.host_str().unwrap_or_default().to_owned(),
            everywhere: everywhere?,
            allow: allow.to_vec(),
        })
    }

    /// Is it an address that we would go to, or send a browser to?
    pub(crate) fn admits(&self, text: &str) -> Result<Url, String> {
        let url = Url::parse(text).map_err(|error| format!("{text}: {error}"))?;
        if url.scheme() == "https" || url.scheme() == "http" && is_here(&url) && is_here_too(&self.host) {
            Ok(url)
        } else {
            Err(format!("{text}: https only"))
        }
    }

    async fn look_at(&self, text: &str) -> Result<Checked, String> {
        let url = self.admits(text)?;
        let own = url.host_str() == Some(self.host.as_str());
        let allow = if own { &self.everywhere } else { &self.allow };
        guard::check(text, allow).await.map_err(|barred| format!("{text}: {barred}"))
    }

    pub(crate) async fn get(&self, address: &str) -> Result<Bytes, String> {
        self.ask(address, None, None).await
    }

    /// Sends a form; `basic` is name and secret (RFC 6749 §2.3.1).
    pub(crate) async fn post(
        &self,
        address: &str,
        form: &Form<'_>,
        basic: Option<(&str, &str)>,
    ) -> Result<Bytes, String> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic = basic.map(|(name, secret)| {
            format!("Basic {}", BASE64.encode(format!("{}:{}", encoded(name), encoded(secret))))
        });
        self.ask(address, Some(body), basic).await
    }

    async fn ask(&self, address: &str, form: Option<String>, basic: Option<String>) -> Result<Bytes, String> {
        let whole = async {
            let to = self.look_at(address).await?;
            let stream =
                TcpStream::connect(to.address).await.map_err(|error| format!("cannot connect: {error}"))?;
            if !to.secure {
                return exchange(stream, &to, form, basic).await;
            }
            let name = ServerName::try_from(to.name.clone()).map_err(|error| format!("no name: {error}"))?;
            let connector = TlsConnector::from(Arc::clone(&self.tls));
            let stream = connector.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
            exchange(stream, &to, form, basic).await
        };
        match tokio::time::timeout(REQUEST_MAX, whole).await {
            Ok(answer) => answer.map_err(|why| format!("{address}: {why}")),
            Err(_) => Err(format!("{address}: no answer within {} s", REQUEST_MAX.as_secs())),
        }
    }
}

fn is_here_too(host: &str) -> bool {
    Url::parse(&format!("http://{host}")).is_ok_and(|url| is_here(&url))
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    to: &Checked,
    form: Option<String>,
    basic: Option<String>,
) -> Result<Bytes, String> {
    let said = |error: hyper::Error| format!("HTTP: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(said)?;
    let driver = tokio::spawn(connection);
    let answer = async {
        let request = request(to, form, basic).map_err(|error| format!("HTTP: {error}"))?;
        let response = sender.send_request(request).await.map_err(said)?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_MAX).collect().await;
        let body = body.map_err(|_| "the answer is too long or broke off".to_owned())?.to_bytes();
        if status == StatusCode::OK { Ok(body) } else { Err(format!("answered {status}")) }
    };
    let answer = answer.await;
    driver.abort();
    answer
}

fn request(
    to: &Checked,
    form: Option<String>,
    basic: Option<String>,
) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
    let builder = match form {
        Some(_) => {
            Request::post(to.path.as_str()).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        }
        None => Request::get(to.path.as_str()),
    };
    let builder = match basic {
        Some(basic) => builder.header(header::AUTHORIZATION, basic),
        None => builder,
    };
    builder
        .header(header::HOST, &to.authority)
        .header(header::ACCEPT, "application/json")
        .header(header::USER_AGENT, concat!("pinward/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close")
        .body(Full::new(Bytes::from(form.unwrap_or_default())))
}

fn tls(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, String> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => {
            // One of the system's that cannot be read is nothing to stop for.
            let _ = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Some(file) => {
            let wrong = |error: &dyn std::fmt::Display| format!("ca_file {}: {error}", file.display());
            let all = CertificateDer::pem_file_iter(file).map_err(|error| wrong(&error))?;
            for certificate in all {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
            if roots.is_empty() {
                return Err(wrong(&"no certificate in it"));
            }
        }
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))
}
