//! Somebody on the line who records frames and sends them again: to whichever host, whenever it suits.

use std::sync::Arc;

use tokio::{io::AsyncWriteExt, time::Duration};

use crate::{dice::Dice, net::Net, run::Run};

/// Replays so many frames.
pub async fn replay(run: Arc<Run>, net: Arc<Net>) {
    let mut dice = Dice::new(run.seed, "replays");
    for _ in 0..run.plan.replays {
        tokio::time::sleep(Duration::from_millis(dice.between(10, 8_000))).await;
        let Some(frame) = net.overheard(&mut dice) else { continue };
        let host = dice.below(net.hosts() as u64) as usize;
        let Ok(mut wire) = net.connect(host).await else { continue };
        run.fault(format_args!("a frame of {} bytes is replayed to host {host}", frame.len()));
        if wire.write_all(&frame).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(dice.between(1, 3_000))).await;
        }
    }
}
