//! Certificates end, and somebody must know in time: a metric counts down, and the log warns a month before. Keys are in
//! neither.

use std::{
    collections::BTreeMap,
    io::Write,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::Duration,
};

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::{
    client::{Pos, Wire},
    pki::{Authority, listener},
    world::World,
};

/// What an exporter would see, by name and label.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Seen {
    fn slot(&self, key: &Key) -> Arc<AtomicU64> {
        let labels: Vec<&str> = key.labels().map(metrics::Label::value).collect();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry([&[key.name()], &labels[..]].concat().join(" ")).or_default())
    }

    fn gauge(&self, name: &str) -> Option<f64> {
        self.0.lock().unwrap().get(name).map(|slot| f64::from_bits(slot.load(Relaxed)))
    }

    fn counter(&self, name: &str) -> Option<u64> {
        self.0.lock().unwrap().get(name).map(|slot| slot.load(Relaxed))
    }
}

impl Recorder for Seen {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.slot(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.slot(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

/// What was logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn listen(&self) -> tracing::subscriber::DefaultGuard {
        let log = self.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || log.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

/// Starts with a certificate of so many days, refuses one peer, reads a good and a bad file again. One thread, so that
/// log and metrics are this test's own.
async fn check(days: u32, warned: bool) {
    let (seen, log) = (Seen::default(), Log::default());
    let _recorded = metrics::set_default_local_recorder(&seen);
    let _logged = log.listen();
    let authority = Authority::new();
    let host = authority.host_certificate_for(days);
    let world = World::at(listener(authority.tls()), |_| {}).await;
    let address = world.host.addresses()[0];
    Wire::open(address, Pos::unionpay(1)).await.send(&Pos::unionpay(1).echo(1)).await;
    world.until_refused("plain-on-tls", 1).await;
    tokio::time::sleep(Duration::from_millis(20)).await;

    let left = seen.gauge(&format!("pinward_tls_certificate_seconds_left {address}")).unwrap();
    let expected = f64::from(days) * 86_400.0;
    assert!((expected - 60.0..=expected).contains(&left), "{left} of {expected}");
    assert_eq!(log.text().contains("the certificate expires soon"), warned, "{}", log.text());

    assert!(world.host.reload_certificates().is_empty());
    let key = authority.terminal("10000001").key_pem();
    authority.write("host.key", &key);
    assert_eq!(world.host.reload_certificates().len(), 1);
    assert_eq!(seen.counter("pinward_tls_reloads_total done"), Some(1));
    assert_eq!(seen.counter("pinward_tls_reloads_total failed"), Some(1));
    assert_eq!(seen.counter("pinward_tls_handshakes_total failed"), Some(1));
    assert_eq!(seen.counter("pinward_edge_refused_total plain-on-tls"), Some(1));

    let said = log.text();
    assert!(said.contains("not the key of the certificate"), "the log was listened to");
    for secret in [host.key_pem(), key] {
        for line in secret.lines().filter(|line| !line.starts_with('-')) {
            assert!(!said.contains(line), "a key in the log");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_ends_within_thirty_days_is_warned_of() {
    check(29, true).await;
}

#[tokio::test]
async fn a_certificate_that_lasts_is_not() {
    check(31, false).await;
}
