//! What a host that stalls looks like: in an open loop, all that were due meanwhile say so.

use std::time::Duration;

use load::Plan;

use crate::fake_host::{Manner, run};

const STALL: Manner = Manner::Stalls(Duration::from_millis(400), Duration::from_millis(800));

fn plan(rate: Option<f64>) -> Plan {
    Plan {
        connections: 1,
        depth: 4,
        rate,
        time: Duration::from_secs(2),
        reply_timeout: Duration::from_secs(30),
        ..Plan::default()
    }
}

#[test]
fn a_stall_shows_in_an_open_loop_and_hides_in_a_closed_one() {
    let open = run(STALL, &plan(Some(500.0)));
    assert!(open.is_clean(), "{:?}", open.troubles);
    // Due every 2 ms: four tenths of all were due during the stall, and waited 0.8 s to nothing.
    assert!(open.p99_ms > 500.0 && open.p90_ms > 300.0, "{open:?}");
    assert!((500..=1000).contains(&open.answers["00"]), "{open:?}");
    let closed = run(STALL, &plan(None));
    assert!(closed.p90_ms < 300.0 && closed.max_ms > 500.0, "{closed:?}");
}

#[test]
fn an_open_loop_keeps_its_rate_and_the_rest_waits_its_turn() {
    let report = run(Manner::Code("00"), &Plan { time: Duration::from_secs(1), ..plan(Some(200.0)) });
    assert!((100.0..=250.0).contains(&report.per_second), "{report:?}");
    assert_eq!((report.kind, report.rate), ("open", Some(200.0)));
}
