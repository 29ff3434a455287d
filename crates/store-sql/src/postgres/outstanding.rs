//! Cards of other issuers for which something may be outstanding, and their numbers: what the queue of reversals is found
//! again from, by whichever host is there.

use model::{CardId, Pan, Timestamp};
use store::{Card, Outstanding, StoreError, Subject};

use super::{
    core::Core,
    pool::{column, store_error},
    sql,
};
use crate::row::open_pan;

impl Core {
    /// The card's number.
    pub(crate) async fn pan(&self, id: &CardId) -> Result<Option<Pan>, StoreError> {
        let text = &self.texts_of(&Subject::Card(*id)).pan;
        let rows = self.pool.rows(text, &[&id.0.as_slice()]).await?;
        rows.first().map(|row| open_pan(&self.sealer, id, column(row, 0)?)).transpose()
    }

    /// What was noted, each card compared with the database.
    pub(crate) async fn outstanding(&self) -> Result<Vec<Outstanding>, StoreError> {
        let mut found = Vec::new();
        for row in self.pool.rows(sql::OUTSTANDING, &[]).await? {
            let id: &[u8] = column(&row, 0)?;
            let id = id.try_into().map(CardId).map_err(|_| {
                StoreError::Corrupt("pinward.outstanding: a card's id has another length".to_owned())
            })?;
            if let Some(kept) = self.fresh::<Card>(&id).await? {
                found.push(Outstanding { card: kept.value, noted: Timestamp(column(&row, 1)?) });
            }
        }
        Ok(found)
    }

    pub(crate) async fn note_outstanding(&self, id: &CardId, at: Timestamp) -> Result<(), StoreError> {
        self.write_one(sql::NOTE_OUTSTANDING, id, at).await
    }

    pub(crate) async fn forget_outstanding(&self, id: &CardId, noted: Timestamp) -> Result<(), StoreError> {
        self.write_one(sql::FORGET_OUTSTANDING, id, noted).await
    }

    async fn write_one(&self, text: &str, id: &CardId, at: Timestamp) -> Result<(), StoreError> {
        let live = self.pool.live().await?;
        live.execute(text, &[&id.0.as_slice(), &at.0]).await.map(drop).map_err(|error| store_error(&error))
    }
}
