//! The console with TLS, asked by a TLS client that knows its authority; and everything that it does not answer.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName},
    },
};

use crate::{
    hosts::prepared,
    sandbox::{PROGRAM, Process, said},
};

/// Writes certificate and key, and a configuration with them; returns the certificate.
fn with_tls(folder: &Path, data: &Path) -> CertificateDer<'static> {
    let CertifiedKey { cert, key_pair } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (certificate, key) = (folder.join("console.pem"), folder.join("console.key"));
    fs::write(&certificate, pem("CERTIFICATE", cert.der())).unwrap();
    fs::write(&key, pem("PRIVATE KEY", &key_pair.serialize_der())).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let path = data.join("pinward.toml");
    let mut config: toml::Table = toml::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let console = config["console"].as_table_mut().unwrap();
    let files = [("certificate", certificate), ("key", key)];
    let tls = files.map(|(name, path)| (name.to_owned(), path.display().to_string().into()));
    console.insert("tls".to_owned(), toml::Value::Table(tls.into_iter().collect()));
    console.insert("names".to_owned(), vec!["localhost"].into());
    fs::write(&path, config.to_string()).unwrap();
    cert.der().clone()
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64.encode(der))
}

fn serve(data: &Path, console: &str) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--listen", "127.0.0.1:0", "--console", console, "--config"]);
    command.arg(data.join("pinward.toml")).env("PINWARD_LOG", "warn");
    command
}

/// Starts it, and says where the console is.
fn started(data: &Path) -> (Process, SocketAddr) {
    let mut child = serve(data, "127.0.0.1:0").stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let process = Process(child);
    let mut line = String::new();
    while !line.starts_with("console ") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the host ended");
    }
    std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(drop));
    let port = line.trim().strip_prefix("console    https://localhost:").unwrap_or_else(|| panic!("{line}"));
    (process, SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap())))
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, host: &str) -> String {
    let request = format!("GET /sign-in HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A peer may close without saying so in TLS; what it said before counts.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).to_lowercase()
}

#[tokio::test]
async fn the_console_speaks_tls_under_its_name_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let data = prepared(folder.path(), None);
    let authority = with_tls(folder.path(), &data);
    let open = serve(&data, "0.0.0.0:0").output().unwrap();
    assert_eq!(open.status.code(), Some(2), "{}", said(&open));
    assert!(said(&open).contains("sandbox"), "{}", said(&open));

    let (_process, address) = started(&data);
    let mut roots = RootCertStore::empty();
    roots.add(authority).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(client));
    let connect = async || {
        let stream = TcpStream::connect(address).await.unwrap();
        connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap()
    };
    let page = ask(connect().await, &format!("localhost:{}", address.port())).await;
    assert!(page.starts_with("http/1.1 200"), "{page}");
    assert!(page.contains("strict-transport-security: max-age=31536000"), "{page}");
    assert!(page.contains("set-cookie: __host-pinward_device="), "{page}");
    let cookies = page.lines().filter(|line| line.starts_with("set-cookie"));
    assert!(cookies.clone().count() > 0 && cookies.clone().all(|line| line.contains("; secure")), "{page}");
    let foreign = ask(connect().await, "evil.example").await;
    assert!(foreign.starts_with("http/1.1 421"), "{foreign}");
    let clear = ask(TcpStream::connect(address).await.unwrap(), "localhost").await;
    assert!(clear.starts_with("http/1.1 400") && clear.contains("by https://"), "{clear}");
}
