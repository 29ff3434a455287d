//! An authority of the test's own, with certificates for the host and for terminals, in files in a folder of their own.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use host::{ListenerConfig, TlsConfig};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, DnType, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SanType, SerialNumber, date_time_ymd,
};
use tempfile::TempDir;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use crate::world::terminals;

/// The host's name in its certificate.
pub(crate) const NAME: &str = "localhost";

pub(crate) struct Authority {
    folder: TempDir,
    certificate: Certificate,
    key: KeyPair,
}

/// A certificate with its key.
pub(crate) struct Identity {
    pub(crate) certificate: CertificateDer<'static>,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let certificate = params.self_signed(&key).unwrap();
        let authority = Self { folder: tempfile::tempdir().unwrap(), certificate, key };
        authority.write("ca.pem", &pem("CERTIFICATE", authority.certificate.der()));
        authority.new_host_certificate();
        authority
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        // As an operator should: the new file is whole before it has the name.
        let new = self.path("new");
        fs::write(&new, text).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(&new, &path).unwrap();
        path
    }

    pub(crate) fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        change(&mut params);
        let certificate = params.signed_by(&key, &self.certificate, &self.key).unwrap();
        Identity { certificate: certificate.der().clone(), key }
    }

    /// A certificate that names a terminal in its subject alternative name.
    pub(crate) fn terminal(&self, id: &str) -> Identity {
        let uri = format!("terminal:{id}");
        self.issue(|params| params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())])
    }

    /// Puts a fresh certificate where the host looks for its own.
    pub(crate) fn new_host_certificate(&self) -> Identity {
        let host = self.issue(|params| {
            params.subject_alt_names = vec![SanType::DnsName(NAME.try_into().unwrap())];
        });
        self.keep(&host, "host");
        host
    }

    /// The same with so many days left.
    pub(crate) fn host_certificate_for(&self, days: u32) -> Identity {
        let now = std::time::SystemTime::now();
        let host = self.issue(|params| {
            params.not_after = (now + Duration::from_secs(u64::from(days) * 86_400)).into();
        });
        self.keep(&host, "host");
        host
    }

    /// Writes `name.pem` and `name.key`.
    pub(crate) fn keep(&self, identity: &Identity, name: &str) -> (PathBuf, PathBuf) {
        let certificate = self.write(&format!("{name}.pem"), &pem("CERTIFICATE", &identity.certificate));
        (certificate, self.write(&format!("{name}.key"), &identity.key_pem()))
    }

    /// A list of revocations with these serial numbers.
    pub(crate) fn revoke(&self, serials: &[u64]) -> PathBuf {
        let revoked = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 1, 1),
            next_update: date_time_ymd(2090, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.certificate, &self.key).unwrap();
        self.write("crl.pem", &pem("X509 CRL", list.der()))
    }

    /// The host's side.
    pub(crate) fn tls(&self) -> TlsConfig {
        TlsConfig {
            certificate: self.path("host.pem"),
            key: self.path("host.key"),
            client_ca: None,
            client_crl: None,
            client: None,
            bind_terminal: false,
        }
    }

    /// The same with certificates of terminals, each bound to its terminal.
    pub(crate) fn mutual(&self) -> TlsConfig {
        TlsConfig { client_ca: Some(self.path("ca.pem")), bind_terminal: true, ..self.tls() }
    }

    /// The terminal's side.
    pub(crate) fn client(&self, identity: Option<&Identity>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let builder = ClientConfig::builder().with_root_certificates(roots);
        match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let key = PrivateKeyDer::Pkcs8(identity.key.serialize_der().into());
                builder.with_client_auth_cert(vec![identity.certificate.clone()], key).unwrap()
            }
        }
    }
}

impl Identity {
    pub(crate) fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key.serialize_der())
    }
}

/// The terminals' listener with TLS.
pub(crate) fn listener(tls: TlsConfig) -> ListenerConfig {
    ListenerConfig { tls: Some(tls), ..terminals() }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// RFC 7468, with base64 (RFC 4648 §4) by hand: for one function no crate.
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in der.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let digit = (bits >> (18 - 6 * place)) as usize & 0x3F;
            text.push(if place > three.len() { '=' } else { char::from(ALPHABET[digit]) });
        }
    }
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}
