//! The console on made-up data, for looking at it: `cargo run -p web --example console [address]`.

#[path = "../tests/it/fake.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, reason = "shared with the tests")]
mod fake;
#[path = "../tests/it/fake_insight.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, reason = "shared with the tests")]
mod fake_insight;
#[path = "../tests/it/fake_rules.rs"]
#[allow(dead_code, missing_docs, unreachable_pub, reason = "shared with the tests")]
mod fake_rules;

use std::{sync::Arc, time::Duration};

use fake::FakeArchive;
use model::Timestamp;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:18080".to_owned());
    let now = Timestamp(jiff::Timestamp::now().as_millisecond());
    let archive = Arc::new(FakeArchive::new(now));
    let listener =
        web::bind(address.parse()?, web::Fences { tls: false, accounts: false, sandbox: true }).await?;
    println!("http://{}/", listener.local_addr()?);
    let announcer = archive.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(3)).await;
            announcer.announce();
        }
    });
    let stop = async {
        let _ = tokio::signal::ctrl_c().await;
    };
    web::serve(listener, None, web::Console::new(fake::state(archive, true)), stop).await?;
    Ok(())
}
