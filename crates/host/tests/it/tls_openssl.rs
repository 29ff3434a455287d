//! The same port as another implementation meets it: OpenSSL's `s_client`, which every Debian has. It speaks TLS 1.2 and
//! 1.3, older versions where it is allowed to, and shows the host's certificate its own way.

use std::{
    io::{Read, Write},
    net::SocketAddr,
    path::Path,
    process::{Command, Output, Stdio},
};

use crate::{
    client::Pos,
    pki::{Authority, listener},
    world::World,
};

fn s_client(address: SocketAddr, authority: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string(), "-servername", "localhost", "-CAfile"]);
    command.arg(authority).args(["-verify_return_error", "-quiet"]).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// One frame there and one back; `None` when the host closed instead.
fn ask(mut command: Command, frame: &[u8]) -> (Option<Vec<u8>>, Output) {
    let mut client = command.spawn().expect("openssl is in the path (Debian: apt install openssl)");
    let mut stdin = client.stdin.take().unwrap();
    let _ = stdin.write_all(frame).and_then(|()| stdin.flush());
    let mut stdout = client.stdout.take().unwrap();
    let mut length = [0; 2];
    let answer = stdout.read_exact(&mut length).ok().and_then(|()| {
        let mut frame = vec![0; usize::from(u16::from_be_bytes(length))];
        stdout.read_exact(&mut frame).ok().map(|()| frame)
    });
    let _ = client.kill();
    (answer, client.wait_with_output().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_is_answered_when_its_certificate_is_right() {
    let authority = Authority::new();
    let world = World::at(listener(authority.mutual()), |_| {}).await;
    let address = world.host.addresses()[0];
    let (certificate, key) = authority.keep(&authority.terminal("10000001"), "terminal");
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let right = ["-cert", certificate, "-key", key];
    let cases: [(&str, &[&str], bool); 5] = [
        ("TLS 1.3", &["-tls1_3"], true),
        ("TLS 1.2", &["-tls1_2"], true),
        ("TLS 1.1", &["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], false),
        ("TLS 1.0", &["-tls1", "-cipher", "DEFAULT@SECLEVEL=0"], false),
        ("an old cipher", &["-tls1_2", "-cipher", "AES128-SHA"], false),
    ];
    let pos = Pos::unionpay(1);
    for (what, arguments, served) in cases {
        let command = s_client(address, &authority.path("ca.pem"), &[&right[..], arguments].concat());
        let frame = pos.echo(1);
        let (answer, output) = tokio::task::spawn_blocking(move || ask(command, &frame)).await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(answer.is_some(), served, "{what}: {said}");
        if let Some(answer) = answer {
            let decoded = pos.dialect.decode(&answer[11..]).unwrap();
            assert_eq!(decoded.short(39).unwrap().as_str(), "00", "{what}");
        } else {
            assert!(said.contains("alert"), "the host said why: {said}");
        }
    }
    assert_eq!(world.refused("handshake-failed"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn openssl_without_a_certificate_is_not_answered() {
    let authority = Authority::new();
    let world = World::at(listener(authority.mutual()), |_| {}).await;
    let command = s_client(world.host.addresses()[0], &authority.path("ca.pem"), &[]);
    let frame = Pos::unionpay(1).echo(1);
    let (answer, output) = tokio::task::spawn_blocking(move || ask(command, &frame)).await.unwrap();
    assert!(answer.is_none());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("certificate required"), "{said}");
}
