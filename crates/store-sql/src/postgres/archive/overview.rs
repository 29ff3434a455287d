//! The overview: figures of a window, its chart, and what needs a person.

use model::{ReasonCode, Timestamp, reason::Family};
use store::{
    StoreError,
    archive::{Attention, Overview},
};
use tokio_postgres::Row;

use super::{lists, sql};
use crate::{
    attention::{DECLINE_ROWS, end_of_slot, most_urgent},
    figures::{Answer, Counted, Windows},
    line,
    postgres::{
        core::Core,
        pool::{column, place},
    },
};

/// Lines that are counted at once.
const ROWS_AT_ONCE: i64 = 10_000;

pub(crate) async fn overview(core: &Core, window_s: u32, now: Timestamp) -> Result<Overview, StoreError> {
    let mut windows = Windows::new(window_s, end_of_slot(window_s, now));
    count(core, &mut windows, now).await?;
    let from = windows.from();
    let (current, before, slots) = windows.finish();
    let locked = core.shelves.rows(sql::CARDS_LOCKED, &[&now.0]).await?;
    Ok(Overview {
        window_s,
        now,
        current,
        before,
        slots,
        terminals_seen: current.terminals_seen,
        terminals: terminals(core).await?,
        cards_locked: locked.first().map_or(Ok(0), |row| column(row, 0).map(place))? as u32,
        attention: attention(core, from, now).await?,
        last_declines: lists::rows(core, sql::LAST_DECLINES, &[&now.0, &i64::from(DECLINE_ROWS)]).await?,
    })
}

async fn terminals(core: &Core) -> Result<u32, StoreError> {
    let found = core.shelves.everywhere(core.texts.iter().map(|texts| &*texts.terminals_count), &[]).await?;
    let counts = found.iter().flatten().map(|row| column(row, 0).map(place));
    Ok(counts.sum::<Result<u64, _>>()? as u32)
}

/// One pass over the lines of both windows, in parts: they are never all in memory.
async fn count(core: &Core, windows: &mut Windows, now: Timestamp) -> Result<(), StoreError> {
    let (mut at, mut seq) = (windows.start().0, i64::MAX);
    loop {
        let rows = core.shelves.rows(sql::COUNTED, &[&at, &seq, &now.0, &ROWS_AT_ONCE]).await?;
        for row in &rows {
            windows.add(&counted(row)?);
        }
        let Some(last) = rows.last().filter(|_| rows.len() as i64 == ROWS_AT_ONCE) else { return Ok(()) };
        (at, seq) = (column(last, 0)?, column(last, 7)?);
    }
}

fn counted(row: &Row) -> Result<Counted, StoreError> {
    Ok(Counted {
        at: Timestamp(column(row, 0)?),
        counted: column(row, 1)?,
        approved: column(row, 2)?,
        answer: Answer::of(column(row, 3)?),
        family: line::family(column(row, 4)?).unwrap_or(Family::Neutral),
        took_us: lists::small(row, 5)?,
        terminal: column(row, 6)?,
    })
}

async fn attention(core: &Core, from: Timestamp, now: Timestamp) -> Result<Vec<Attention>, StoreError> {
    let mut items = Vec::new();
    for kind in &KINDS {
        items.extend(kind.find(core, from, now).await?);
    }
    Ok(most_urgent(items))
}

/// A kind of thing that needs a person, and how it is found.
struct Kind {
    what: &'static str,
    family: Family,
    object: Object,
    statement: &'static str,
    reason: Option<ReasonCode>,
}

#[derive(Clone, Copy)]
enum Object {
    Terminal,
    Card,
}

const KINDS: [Kind; 6] = [
    Kind {
        what: "wrong-pins-at-terminal",
        family: Family::Bad,
        object: Object::Terminal,
        statement: sql::WRONG_PINS_AT_TERMINAL,
        reason: None,
    },
    Kind {
        what: "card-locked",
        family: Family::Lock,
        object: Object::Card,
        statement: sql::LOCKED_CARDS,
        reason: None,
    },
    at_terminal("keys-out-of-step", ReasonCode::PinBlockUnreadable),
    at_terminal("mac-failures", ReasonCode::MacInvalid),
    at_terminal("format-errors", ReasonCode::FormatError),
    Kind {
        what: "wrong-pins-on-card",
        family: Family::Warn,
        object: Object::Card,
        statement: sql::WRONG_PINS_ON_CARD,
        reason: None,
    },
];

const fn at_terminal(what: &'static str, reason: ReasonCode) -> Kind {
    let statement = sql::REASON_AT_TERMINAL;
    Kind { what, family: Family::Sys, object: Object::Terminal, statement, reason: Some(reason) }
}

impl Kind {
    async fn find(&self, core: &Core, from: Timestamp, now: Timestamp) -> Result<Vec<Attention>, StoreError> {
        let found = match self.reason {
            Some(reason) => core.shelves.rows(self.statement, &[&from.0, &now.0, &reason.name()]).await?,
            None => core.shelves.rows(self.statement, &[&from.0, &now.0]).await?,
        };
        found.iter().map(|row| self.read(row)).collect()
    }

    fn read(&self, row: &Row) -> Result<Attention, StoreError> {
        let object_kind = match self.object {
            Object::Terminal => "terminal",
            Object::Card => "card",
        };
        Ok(Attention {
            what: self.what.to_owned(),
            family: self.family,
            count: place(column(row, 2)?) as u32,
            object_kind: object_kind.to_owned(),
            object: column::<Option<String>>(row, 0)?.unwrap_or_default(),
            card: column::<Option<&[u8]>>(row, 1)?.map(lists::id_of).transpose()?,
            at: Timestamp(column(row, 3)?),
            rrn: column(row, 4)?,
        })
    }
}
