//! SMPP against a message centre that is a process of its own, whose protocol data units are somebody else's
//! (`peers/smsc`, smpp.pdu3).

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
    time::{Duration, Instant},
};

use model::{CardId, Timestamp};
use serde_json::Value;
use sms::{
    Gateway, Kind, Language, Limits, Order, Outgoing, SmsService, Status,
    smpp::{SmppGateway, SmppSettings},
};
use store::MemoryBook;
use zeroize::Zeroizing;

const PATIENCE: Duration = Duration::from_secs(30);

/// The message centre; it ends with the test.
struct Centre {
    child: Child,
    input: ChildStdin,
    said: Receiver<Value>,
    port: u16,
}

impl Drop for Centre {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Centre {
    fn start() -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = env::var_os("PINWARD_PEERS_PYTHON")
            .map_or_else(|| root.join("peers/.venv/bin/python"), PathBuf::from);
        let mut child = Command::new(&python)
            .args(["-m", "smsc"])
            .current_dir(root.join("peers"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| {
                panic!(
                    "{}: {e}; make it with: python3 -m venv peers/.venv && peers/.venv/bin/pip install -r \
                     peers/requirements.txt",
                    python.display()
                )
            });
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (tell, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = tell.send(serde_json::from_str(&line).unwrap());
            }
        });
        let first: Value = said.recv_timeout(PATIENCE).expect("the message centre's first line");
        let port = u16::try_from(first["port"].as_u64().unwrap()).unwrap();
        Self { child, input, said, port }
    }

    fn command(&mut self, line: &str) {
        writeln!(self.input, "{line}").unwrap();
        self.until("command", line.split(' ').next().unwrap());
    }

    /// The next line that has this.
    #[track_caller]
    fn until(&self, name: &str, value: &str) -> Value {
        self.next(|said| said[name] == value).unwrap_or_else(|| panic!("no {name} {value}"))
    }

    /// The next line that is such a one.
    fn next(&self, is: impl Fn(&Value) -> bool) -> Option<Value> {
        let end = Instant::now() + PATIENCE;
        // Signs of life go on and on: it is not enough that something comes.
        while let Ok(said) = self.said.recv_timeout(end.saturating_duration_since(Instant::now())) {
            if is(&said) {
                return Some(said);
            }
        }
        None
    }

    /// The next message.
    #[track_caller]
    fn message(&self) -> Value {
        self.next(|said| !said["to"].is_null()).expect("a message")
    }

    fn settings(&self, folder: &tempfile::TempDir, password: &str) -> SmppSettings {
        let file = folder.path().join("password");
        std::fs::write(&file, format!("{password}\n")).unwrap();
        SmppSettings {
            host: "127.0.0.1".to_owned(),
            port: self.port,
            system_id: "pinward".to_owned(),
            secret_file: Some(file),
            secret_env: None,
            system_type: String::new(),
            from: "Bank".to_owned(),
            tls: false,
            clear: false,
            ca_file: None,
            window: 2,
            enquire_s: 1,
        }
    }
}

fn message(to: &str, text: &str) -> Outgoing {
    Outgoing {
        id: "a5112233445566".to_owned(),
        to: to.parse().unwrap(),
        kind: Kind::IdentityCode,
        language: Language::En,
        text: Zeroizing::new(text.to_owned()),
        values: Vec::new(),
    }
}

/// Sends until there is a session.
async fn sent(gateway: &SmppGateway, message: &Outgoing) -> String {
    for _ in 0..300 {
        match gateway.send(message).await {
            Ok(taken) => return taken.reference.unwrap(),
            Err(not) => assert!(not.again, "{not}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no session")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_arrive_whole_and_what_became_of_them_is_told() {
    let mut centre = Centre::start();
    let folder = tempfile::tempdir().unwrap();
    let settings = centre.settings(&folder, "secret08");
    assert_eq!(settings.problems(), Vec::<String>::new());
    let (gateway, mut receipts) = SmppGateway::start(&settings).unwrap();
    assert_eq!(centre.until("event", "bound")["version"], 0x34);

    let first = sent(&gateway, &message("+8613900001234", "Bank: code 482913")).await;
    let got = centre.message();
    assert_eq!((&got["to"], &got["text"]), (&"8613900001234".into(), &"Bank: code 482913".into()));
    assert_eq!((&got["source"], &got["parts"]), (&"Bank".into(), &1.into()));
    let receipt = receipts.recv().await.unwrap();
    assert_eq!((receipt.reference, receipt.delivered, receipt.said), (first, true, "DELIVRD".to_owned()));

    let long = "\u{94f6}\u{884c}\u{9a8c}\u{8bc1}\u{7801} 482913 ".repeat(13);
    let last = sent(&gateway, &message("+8613900001299", &long)).await;
    let got = centre.message();
    assert_eq!((&got["text"], &got["coding"], &got["parts"]), (&long.into(), &"UCS2".into(), &3.into()));
    let receipt = receipts.recv().await.unwrap();
    assert_eq!((receipt.reference, receipt.delivered, receipt.said), (last, false, "UNDELIV".to_owned()));

    centre.command("refuse ESME_RTHROTTLED");
    assert!(gateway.send(&message("+8613900001234", "x")).await.unwrap_err().again, "later");
    centre.command("refuse ESME_RINVDSTADR");
    assert!(!gateway.send(&message("+8613900001234", "x")).await.unwrap_err().again, "never");
    centre.until("event", "enquired");
    centre.command("enquire");
    centre.until("event", "is-there");

    // A session that ends is begun again; more messages at once than the window has places.
    centre.command("drop");
    centre.until("event", "bound");
    let gateway = Arc::new(gateway);
    let many = (0..7).map(|n| {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { sent(&gateway, &message("+8613900001234", &format!("number {n}"))).await })
    });
    for one in many.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let mut texts: Vec<String> =
        (0..7).map(|_| centre.message()["text"].as_str().unwrap().to_owned()).collect();
    texts.sort();
    assert_eq!(texts, (0..7).map(|n| format!("number {n}")).collect::<Vec<_>>(), "each once");

    // A centre that takes a message and does not answer: nobody knows, so it is not sent again.
    centre.command("silent");
    let unknown = tokio::spawn(async move { gateway.send(&message("+8613900001234", "perhaps")).await });
    assert_eq!(centre.message()["text"], "perhaps");
    centre.command("drop");
    let unknown = unknown.await.unwrap().unwrap_err();
    assert!(!unknown.again, "{unknown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_stands_with_its_message_and_a_wrong_password_sends_nothing() {
    let centre = Centre::start();
    let folder = tempfile::tempdir().unwrap();
    let (refused, _) = SmppGateway::start(&centre.settings(&folder, "wrong")).unwrap();
    centre.until("event", "refused");
    assert!(refused.send(&message("+8613900001234", "x")).await.unwrap_err().again, "no session");
    drop(refused);

    let (gateway, receipts) = SmppGateway::start(&centre.settings(&folder, "secret08")).unwrap();
    centre.until("event", "bound");
    let now = || Timestamp(jiff::Timestamp::now().as_millisecond());
    let book = Arc::new(MemoryBook::default());
    let service = SmsService::open(book, gateway, Arc::new(now), Limits::default(), "Bank").await.unwrap();
    tokio::spawn(service.clone().listen(receipts));
    let value = |text: &str| Zeroizing::new(text.to_owned());
    let order = Order {
        to: "+8613900001234".parse().unwrap(),
        card: Some(CardId([7; 16])),
        kind: Kind::PinUnlocked,
        language: Language::Zh,
        values: vec![("card", value("0018"))],
    };
    service.send(order).await.unwrap();
    for _ in 0..300 {
        if service.newest(1).await.unwrap()[0].status == Status::Delivered {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{:?}", service.newest(1).await.unwrap());
}

#[test]
fn what_would_go_over_a_line_that_others_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    let settings = |host: &str, rest: &str| -> SmppSettings {
        let text = format!(
            "host = {host:?}\nsystem_id = \"pinward\"\nsecret_file = {:?}\nfrom = \"Bank\"\n{rest}",
            file.display().to_string()
        );
        toml::from_str(&text).unwrap()
    };
    assert!(settings("smsc.example", "tls = false").problems()[0].contains("sms.smpp.tls"));
    assert_eq!(settings("smsc.example", "tls = false\nclear = true").problems(), Vec::<String>::new());
    assert_eq!(settings("smsc.example", "").problems(), Vec::<String>::new());
    assert_eq!(settings("", "secret_env = \"X\"\nwindow = 0").problems().len(), 3);
}
