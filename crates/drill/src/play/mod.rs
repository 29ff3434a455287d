//! A day is played: its plan becomes people at terminals, their messages go to the real host as bytes, and what the host
//! journals becomes observations exactly as in production (`host::observe`).
//!
//! Read in this order: [`kit`] and [`world`] are the hosts, [`player`] is everybody outside, [`pad`] what keypads do,
//! [`report`] what terminals tell, [`ruling`] what the bank's rules would have done, [`record`] what is kept.

pub mod kit;
mod ledger;
mod module;
mod pad;
mod player;
mod reaction;
mod record;
mod report;
mod ruling;
mod world;

use std::sync::Arc;

pub use kit::Kit;
pub use record::{Labels, Locked, Recorded, Refusal, RulesSaid, Visited};

use self::player::Player;
use crate::Day;

/// Steps that a day makes progress by.
pub const STEPS: u64 = 96;

/// Plays a day from its first to its last payment. `heard` is told of steps as they are made, [`STEPS`] in all.
///
/// # Errors
/// When the host does not start or does not answer.
pub fn play(kit: &Arc<Kit>, day: Day, heard: &mut dyn FnMut(u64)) -> anyhow::Result<Recorded> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut player = Player::open(kit, day).await?;
        player.play(heard).await?;
        Ok(player.close().await)
    })
}
