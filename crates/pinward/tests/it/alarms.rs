//! Webhooks of the real program: refused towards the inside until the configuration allows it, signed, and told after the host was
//! killed in between.

use std::{
    fs,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use alarm::webhook::sign::Secret;
use serde_json::{Value, json};

use crate::hosts::{Served, database, prepared};

const PATIENCE: Duration = Duration::from_secs(60);

/// One request to the console; status and body.
fn ask(console: SocketAddr, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = TcpStream::connect(console).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {console}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Takes one webhook and answers it; head and body.
fn take(listener: &TcpListener, answer: &str) -> (String, String) {
    let began = Instant::now();
    listener.set_nonblocking(true).unwrap();
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(_) if began.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => panic!("no webhook came: {error}"),
        }
    };
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut text = String::new();
    loop {
        let mut part = [0; 4096];
        let n = stream.read(&mut part).unwrap();
        assert!(n > 0, "a request that breaks off: {text}");
        text += std::str::from_utf8(&part[..n]).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if body.len() >= header(head, "content-length").parse().unwrap() {
            write!(stream, "HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n").unwrap();
            return (head.to_owned(), body.to_owned());
        }
    }
}

fn header(head: &str, name: &str) -> String {
    let found = head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| *key == name);
    found.unwrap_or_else(|| panic!("no {name}: {head}")).1.to_owned()
}

/// Waits until the newest delivery is in a state.
fn delivery(console: SocketAddr, webhook: &str, state: &str) -> Value {
    let began = Instant::now();
    loop {
        let (_, list) = ask(console, "GET", &format!("/api/v1/webhooks/{webhook}/deliveries"), &Value::Null);
        let newest = list["data"][0].clone();
        if newest["state"] == state && newest["tried"] != 0 {
            return newest;
        }
        assert!(began.elapsed() < PATIENCE, "not {state}: {list}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn told_over_a_crash(data: &Path) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let host = Served::start(data);
    let (status, problem) = ask(host.console, "POST", "/api/v1/webhooks", &json!({ "url": url }));
    assert_eq!(status, 422, "{problem}");
    host.stop();

    let config = data.join("pinward.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n[alarms]\nallow = [\"127.0.0.1\"]\n")).unwrap();
    let host = Served::start(data);
    let (status, made) = ask(host.console, "POST", "/api/v1/webhooks", &json!({ "url": url }));
    assert_eq!(status, 201, "{made}");
    let webhook = made["webhook"]["id"].as_str().unwrap().to_owned();
    let secret = Secret::parse(made["secret"].as_str().unwrap()).unwrap();
    let (status, _) = ask(host.console, "POST", &format!("/api/v1/webhooks/{webhook}/test"), &Value::Null);
    assert_eq!(status, 202);
    let (first, body) = take(&listener, "503 Busy");
    delivery(host.console, &webhook, "waiting");
    host.kill();

    let host = Served::start(data);
    let (again, same) = take(&listener, "204 Taken");
    assert_eq!((&same, header(&again, "webhook-id")), (&body, header(&first, "webhook-id")));
    for head in [&first, &again] {
        let time: i64 = header(head, "webhook-timestamp").parse().unwrap();
        let expected = secret.sign(&header(head, "webhook-id"), time, body.as_bytes());
        assert_eq!(header(head, "webhook-signature"), expected);
    }
    let told = delivery(host.console, &webhook, "delivered");
    assert_eq!((&told["tried"], &told["attempts"][1]["status"]), (&json!(2), &json!(204)), "{told}");
    host.stop();
}

#[test]
fn a_webhook_is_told_although_the_host_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    told_over_a_crash(&prepared(folder.path(), None));
}

#[test]
fn a_webhook_is_told_although_a_host_of_a_database_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    told_over_a_crash(&prepared(folder.path(), Some(&database())));
}
