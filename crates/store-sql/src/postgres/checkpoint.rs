//! Saves states now and then, so that nobody has to fold a card's whole journal. Off the path of payments; a state that
//! is not saved costs a longer fold, nothing else.

use std::{collections::BTreeMap, sync::Arc};

use store::{StoreError, Subject};
use tokio::sync::{mpsc, watch};

use super::{
    core::{Core, partition},
    pool::{Link, store_error},
};
use crate::row::encode;

/// States that are saved at once.
const ROUND: usize = 256;

/// What is saved in one table of one partition.
#[derive(Default)]
struct Share {
    ids: Vec<Vec<u8>>,
    states: Vec<Vec<u8>>,
    seqs: Vec<i32>,
}

/// Runs until the engine is closed.
pub(crate) async fn run(core: Arc<Core>, mut due: mpsc::Receiver<Subject>, mut end: watch::Receiver<bool>) {
    let link = Link::new(core.door.clone());
    let mut subjects = Vec::with_capacity(ROUND);
    loop {
        tokio::select! {
            taken = due.recv_many(&mut subjects, ROUND) => if taken == 0 { return },
            _ = end.wait_for(|end| *end) => return,
        }
        if let Err(error) = save(&core, &link, &subjects).await {
            tracing::debug!(%error, "states not saved; the next look folds more");
        }
        subjects.clear();
    }
}

async fn save(core: &Core, link: &Link, subjects: &[Subject]) -> Result<(), StoreError> {
    let mut shares: BTreeMap<(u16, bool), Share> = BTreeMap::new();
    for subject in subjects {
        let (id, state, seq) = match subject {
            Subject::Card(id) => {
                let Some(kept) = core.states.cards.look(id) else { continue };
                (id.0.to_vec(), encode(&kept.value.state)?, kept.seq)
            }
            Subject::Terminal(id) => {
                let Some(kept) = core.states.terminals.look(id) else { continue };
                (id.as_bytes().to_vec(), encode(&kept.value.state)?, kept.seq)
            }
        };
        let is_card = matches!(subject, Subject::Card(_));
        let share = shares.entry((partition(subject, core.limits.partitions), is_card)).or_default();
        if !share.ids.contains(&id) {
            share.ids.push(id);
            share.states.push(state);
            share.seqs.push(seq as i32);
        }
    }
    let live = link.live().await?;
    for ((partition, is_card), share) in &shares {
        let texts = &core.texts[usize::from(*partition)];
        let text = if *is_card { &texts.save_cards } else { &texts.save_terminals };
        live.execute(text, &[&share.ids, &share.states, &share.seqs])
            .await
            .map_err(|error| store_error(&error))?;
    }
    Ok(())
}
