//! TLS as terminals meet it: whose certificate opens the port, in whose name one may speak, and how certificates change
//! while connections are open.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use host::{ClientCertificate, Host, ListenerConfig, Settings, TlsConfig};
use model::ReasonCode;
use rcgen::date_time_ymd;
use store::Event;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, pki_types::ServerName},
};

use crate::{
    client::{Pos, Wire},
    pki::{Authority, Identity, NAME, listener, pem, set_mode},
    world::{PIN, WRONG, World, idle_parts, terminals},
};

async fn connect(address: SocketAddr, client: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(client)).connect(name, stream).await
}

/// A terminal of this number asks for its line test over TLS: DE 39, or `None` if it is not let in.
async fn echo(world: &World, client: ClientConfig, number: u32) -> Option<String> {
    let pos = Pos::unionpay(number);
    let mut wire = Wire::over(connect(world.host.addresses()[0], client).await.ok()?, pos.clone());
    // In TLS 1.3 the client is done before the host has looked at its certificate.
    if !wire.try_send(&pos.echo(1)).await {
        return None;
    }
    wire.read().await.map(|answer| answer.code())
}

async fn mutual() -> (Authority, World) {
    let authority = Authority::new();
    let world = World::at(listener(authority.mutual()), |_| {}).await;
    (authority, world)
}

#[tokio::test]
async fn a_payment_over_mutual_tls() {
    let (authority, world) = mutual().await;
    let stream =
        connect(world.host.addresses()[0], authority.client(Some(&authority.terminal("10000001")))).await;
    let (mut pos, stream) = (Pos::unionpay(1), stream.unwrap());
    let version = stream.get_ref().1.protocol_version().unwrap();
    assert_eq!(format!("{version:?}"), "TLSv1_3");
    let mut wire = Wire::over(stream, pos.clone());
    pos.sign_in(&mut wire, 1).await;
    let heap: Vec<u8> = (2..40).flat_map(|stan| pos.sealed(&pos.sale(stan, 1000, 0, PIN))).collect();
    wire.send(&heap).await;
    for _ in 2..40 {
        let answer = wire.answer().await;
        assert_eq!(answer.code(), "00");
        pos.assert_genuine(&answer);
    }
}

/// Who is let in, by certificate.
#[tokio::test]
async fn the_certificate_decides() {
    let (authority, world) = mutual().await;
    let other = Authority::new();
    let expired = authority.issue(|params| {
        params.distinguished_name.push(rcgen::DnType::CommonName, "10000001");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let named_by_subject =
        authority.issue(|params| params.distinguished_name.push(rcgen::DnType::CommonName, "10000001"));
    let nobody =
        authority.issue(|params| params.distinguished_name.push(rcgen::DnType::CommonName, "nobody at all"));
    let right = authority.terminal("10000001");
    let foreign = other.terminal("10000001");
    let cases: [(&str, Option<&Identity>, Option<&str>); 6] = [
        ("right", Some(&right), Some("00")),
        ("right, by its common name", Some(&named_by_subject), Some("00")),
        ("none", None, None),
        ("of another authority", Some(&foreign), None),
        ("expired", Some(&expired), None),
        ("names nobody", Some(&nobody), None),
    ];
    for (what, identity, expected) in cases {
        assert_eq!(echo(&world, authority.client(identity), 1).await.as_deref(), expected, "{what}");
    }
    assert_eq!((world.refused("handshake-failed"), world.refused("certificate-names-nobody")), (3, 1));
}

#[tokio::test]
async fn a_terminal_that_does_not_know_the_hosts_authority_goes_away() {
    let (authority, world) = mutual().await;
    let stranger = Authority::new();
    assert_eq!(echo(&world, stranger.client(Some(&authority.terminal("10000001"))), 1).await, None);
    world.until_refused("handshake-failed", 1).await;
}

#[tokio::test]
async fn a_revoked_certificate_opens_nothing() {
    let authority = Authority::new();
    let numbered = |serial: u64| {
        authority.issue(|params| {
            params.serial_number = Some(serial.into());
            params.distinguished_name.push(rcgen::DnType::CommonName, "10000001");
        })
    };
    let (good, stolen) = (numbered(77), numbered(78));
    let tls = TlsConfig { client_crl: Some(authority.revoke(&[78])), ..authority.mutual() };
    let world = World::at(listener(tls), |_| {}).await;
    assert_eq!(echo(&world, authority.client(Some(&good)), 1).await.as_deref(), Some("00"));
    assert_eq!(echo(&world, authority.client(Some(&stolen)), 1).await, None);
    authority.revoke(&[77, 78]);
    assert_eq!(world.host.reload_certificates(), Vec::<String>::new());
    assert_eq!(echo(&world, authority.client(Some(&good)), 1).await, None);
}

#[tokio::test]
async fn while_certificates_are_handed_out_none_is_right_and_a_wrong_one_is_wrong() {
    let authority = Authority::new();
    let tls = TlsConfig { client: Some(ClientCertificate::Optional), ..authority.mutual() };
    let world = World::at(listener(tls), |_| {}).await;
    let own = authority.terminal("10000001");
    assert_eq!(echo(&world, authority.client(None), 1).await.as_deref(), Some("00"));
    assert_eq!(echo(&world, authority.client(Some(&own)), 1).await.as_deref(), Some("00"));
    assert_eq!(echo(&world, authority.client(Some(&own)), 2).await.as_deref(), Some("58"));
    let foreign = Authority::new().terminal("10000001");
    assert_eq!(echo(&world, authority.client(Some(&foreign)), 1).await, None);
}

/// Terminal 1's certificate, terminal 2's name, keys and card: refused before anything is looked at.
#[tokio::test]
async fn nobody_speaks_in_anothers_name() {
    let authority = Authority::new();
    let tls = TlsConfig { client: Some(ClientCertificate::Optional), ..authority.mutual() };
    let world = World::at(listener(tls), |s| s.limits.refusals_per_minute = 3).await;
    let address = world.host.addresses()[0];
    let mut victim = Pos::unionpay(2);
    let mut wire = Wire::over(connect(address, authority.client(None)).await.unwrap(), victim.clone());
    victim.sign_in(&mut wire, 1).await;
    let (card, entries) = (world.card(0).await, world.journal().await.len());

    let thief = authority.client(Some(&authority.terminal("10000001")));
    let mut wire = Wire::over(connect(address, thief).await.unwrap(), victim.clone());
    for stan in 2..8 {
        let answer = wire.ask(&victim.sealed(&victim.sale(stan, 1000, 0, WRONG))).await;
        assert_eq!(answer.code(), "58");
    }
    assert_eq!((world.card(0).await, world.module.asked_about_pins()), (card, 0));
    assert_eq!(world.refused("foreign-terminal"), 6);
    let written = world.journal().await.split_off(entries);
    assert_eq!(written.len(), 3, "no more than a terminal may write");
    for entry in written {
        let Event::Terminal(event) = &entry.event else { panic!("not at the terminal: {entry:?}") };
        assert_eq!(event.reason, ReasonCode::TerminalSuspended);
    }
}

/// One certificate for all terminals behind a concentrator.
#[tokio::test]
async fn a_concentrator_speaks_for_all_that_its_certificate_names() {
    let (authority, world) = mutual().await;
    let uri = |id: &str| rcgen::SanType::URI(format!("terminal:{id}").try_into().unwrap());
    let both = authority.issue(|params| params.subject_alt_names = vec![uri("10000001"), uri("10000003")]);
    for (number, code) in [(1, "00"), (3, "00"), (2, "58")] {
        assert_eq!(echo(&world, authority.client(Some(&both)), number).await.as_deref(), Some(code));
    }
}

#[tokio::test]
async fn plain_text_on_a_tls_port_and_tls_on_a_plain_port_end_at_once() {
    let authority = Authority::new();
    let tls = World::at(listener(authority.tls()), |_| {}).await;
    let pos = Pos::unionpay(1);
    let mut plain = Wire::open(tls.host.addresses()[0], pos.clone()).await;
    plain.send(&pos.echo(1)).await;
    plain.expect_alert().await;
    tls.until_refused("plain-on-tls", 1).await;

    let world = World::new().await;
    for address in world.host.addresses() {
        let begun = std::time::Instant::now();
        assert!(connect(*address, authority.client(None)).await.is_err());
        assert!(begun.elapsed() < Duration::from_secs(5), "not after the time for a frame");
    }
    assert_eq!(world.refused("tls-on-plain"), 2);
}

/// TLS 1.1 (RFC 4346): a ClientHello by hand, because no library here speaks it. The answer is an alert (RFC 5246 §7.2):
/// fatal (2), protocol_version (70).
#[tokio::test]
async fn tls_1_1_is_refused() {
    let authority = Authority::new();
    let world = World::at(listener(authority.tls()), |_| {}).await;
    // Curves, their points, and signatures that this host has: it is the version alone that is wrong.
    let extensions = [0, 10, 0, 4, 0, 2, 0, 0x17, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3];
    let ciphers = [0, 4, 0xC0, 0x09, 0x00, 0x2F];
    let body = [&[3, 2][..], &[7; 32], &[0], &ciphers, &[1, 0, 0, 22], &extensions].concat();
    let length = u8::try_from(body.len()).unwrap();
    let hello = [&[0x16, 3, 1, 0, length + 4, 1, 0, 0, length][..], &body].concat();
    let mut stream = TcpStream::connect(world.host.addresses()[0]).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert_eq!((answer.first(), answer.get(5..)), (Some(&0x15), Some(&[2, 70][..])));
    world.until_refused("handshake-failed", 1).await;
}

/// What the host shows to somebody who connects now.
async fn shown(world: &World, authority: &Authority) -> Vec<u8> {
    let stream = connect(world.host.addresses()[0], authority.client(None)).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[tokio::test]
async fn new_certificates_are_for_new_connections() {
    let authority = Authority::new();
    let old = authority.new_host_certificate();
    let world = World::at(listener(authority.tls()), |_| {}).await;
    let pos = Pos::unionpay(1);
    let open = connect(world.host.addresses()[0], authority.client(None)).await.unwrap();
    let mut open = Wire::over(open, pos.clone());
    assert_eq!(open.ask(&pos.echo(1)).await.code(), "00");
    assert_eq!(shown(&world, &authority).await, old.certificate.to_vec());

    let new = authority.new_host_certificate();
    assert_eq!(shown(&world, &authority).await, old.certificate.to_vec(), "not before it is asked for");
    assert_eq!(world.host.reload_certificates(), Vec::<String>::new());
    assert_eq!(shown(&world, &authority).await, new.certificate.to_vec());
    assert_eq!(open.ask(&pos.echo(2)).await.code(), "00", "open connections go on");

    authority.write("host.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n");
    let problems = world.host.reload_certificates();
    assert!(problems.len() == 1 && problems[0].contains("host.pem"), "{problems:?}");
    assert_eq!(shown(&world, &authority).await, new.certificate.to_vec(), "the old ones go on");
    assert_eq!(open.ask(&pos.echo(3)).await.code(), "00");
}

#[tokio::test]
async fn changed_files_are_noticed() {
    let authority = Authority::new();
    let world = World::at(listener(authority.tls()), |s| s.certificate_check_ms = 20).await;
    let old = shown(&world, &authority).await;
    let new = authority.new_host_certificate().certificate.to_vec();
    for _ in 0..500 {
        let now = shown(&world, &authority).await;
        if now == new {
            return;
        }
        assert_eq!(now, old);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the new certificate is not shown");
}

/// The start refuses, and the check tells the same, all at once.
async fn check(change: impl FnOnce(&Authority, &mut TlsConfig), expected: &[&str]) {
    let authority = Authority::new();
    let mut tls = authority.mutual();
    change(&authority, &mut tls);
    let config = listener(tls);
    let problems = host::check(std::slice::from_ref(&config), &Settings::default());
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem}\nis not: {expected}");
        assert!(!problem.contains("PRIVATE") && !problem.contains('\n'), "{problem}");
    }
    let started = Host::start(idle_parts(Settings::default()), &[config]).await;
    let sentence = started.err().map(|error| error.to_string()).unwrap_or_default();
    for expected in expected {
        assert!(sentence.contains(expected), "{sentence}\nis not: {expected}");
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_with_what_is_wrong() {
    check(|a, c| c.certificate = a.path("nowhere.pem"), &["nowhere.pem: No such file"]).await;
    check(|a, _| drop(a.write("host.pem", "")), &["host.pem: no certificate in it"]).await;
    check(|a, _| drop(a.write("host.pem", &pem("CERTIFICATE", b"0123"))), &["certificate 1 cannot be read"])
        .await;
    check(
        |a, _| drop(a.write("host.key", "-----BEGIN PRIVATE KEY-----\nAAAA")),
        &["is not ended (cut off?)"],
    )
    .await;
    check(|a, _| drop(a.write("host.key", &pem("PRIVATE KEY", &[1; 90]))), &["not supported, or damaged"])
        .await;
    let sealed = pem("ENCRYPTED PRIVATE KEY", &[1; 90]);
    check(|a, _| drop(a.write("host.key", &sealed)), &["host.key: no private key in it that can be read"])
        .await;
    check(|a, _| set_mode(&a.path("host.key"), 0o644), &["host.key: everybody on this machine may read"])
        .await;
    let another =
        |a: &Authority, _: &mut TlsConfig| drop(a.write("host.key", &a.terminal("10000001").key_pem()));
    check(another, &["host.key: not the key of the certificate in"]).await;
    let expired = |a: &Authority, _: &mut TlsConfig| {
        let expired = a.issue(|params| {
            params.not_before = date_time_ymd(2020, 1, 1);
            params.not_after = date_time_ymd(2021, 1, 1);
        });
        a.keep(&expired, "host");
    };
    check(expired, &["host.pem: certificate 1 expired on 2021-01-01"]).await;
    let later = |a: &Authority, _: &mut TlsConfig| {
        a.keep(&a.issue(|params| params.not_before = date_time_ymd(2080, 1, 1)), "host");
    };
    check(later, &["host.pem: certificate 1 is valid from 2080-01-01"]).await;
    let no_authority = |_: &Authority, c: &mut TlsConfig| {
        c.client_ca = None;
        c.client = Some(ClientCertificate::Required);
    };
    check(no_authority, &["tls.client asks for", "tls.bind_terminal asks for"]).await;
}

#[tokio::test]
async fn everything_is_told_at_once() {
    let all = |a: &Authority, c: &mut TlsConfig| {
        c.certificate = a.path("gone.pem");
        set_mode(&a.path("host.key"), 0o604);
        c.client_ca = Some(a.write("empty.pem", ""));
        c.client_crl = Some(a.path("gone.crl"));
    };
    check(all, &["gone.pem", "host.key: everybody", "empty.pem: no certificate", "gone.crl: No such"]).await;
    let wrong = ListenerConfig {
        dialect: "klingon".to_owned(),
        mac: "md5".to_owned(),
        ..listener(TlsConfig {
            certificate: "/nowhere/a.pem".into(),
            key: "/nowhere/b.key".into(),
            ..Authority::new().tls()
        })
    };
    let mut zero = terminals();
    zero.limits.connections = Some(0);
    let problems = host::check(&[wrong, zero], &Settings::default()).join("\n");
    for expected in ["klingon", "md5", "/nowhere/a.pem", "/nowhere/b.key", "limits that are 0: connections"] {
        assert!(problems.contains(expected), "{expected} is missing in:\n{problems}");
    }
}
