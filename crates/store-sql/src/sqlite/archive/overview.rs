//! The overview: figures of a window, its chart, and what needs a person.

use model::{CardId, ReasonCode, Timestamp, reason::Family};
use rusqlite::{Connection, params};
use store::{
    StoreError,
    archive::{Attention, Overview},
};

use super::{lists, sql};
use crate::{
    attention::{DECLINE_ROWS, end_of_slot, most_urgent},
    figures::{Answer, Counted, Windows},
    line,
    sqlite::pool::store_error,
};

pub(crate) fn overview(conn: &Connection, window_s: u32, now: Timestamp) -> Result<Overview, StoreError> {
    let mut windows = Windows::new(window_s, end_of_slot(window_s, now));
    count(conn, &mut windows, now)?;
    let from = windows.from();
    let (current, before, slots) = windows.finish();
    let number = |statement: &str, values: &[&dyn rusqlite::ToSql]| {
        conn.query_row(statement, values, |row| row.get::<_, u32>(0)).map_err(store_error)
    };
    Ok(Overview {
        window_s,
        now,
        current,
        before,
        slots,
        terminals_seen: current.terminals_seen,
        terminals: number(sql::TERMINALS_REGISTERED, &[])?,
        cards_locked: number(sql::CARDS_LOCKED, &[&now.0])?,
        attention: attention(conn, from, now)?,
        last_declines: lists::rows(conn, sql::LAST_DECLINES, params![now.0, DECLINE_ROWS])?,
    })
}

/// One pass over an index that has all that counting needs.
fn count(conn: &Connection, windows: &mut Windows, now: Timestamp) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(sql::COUNTED).map_err(store_error)?;
    let mut rows = statement.query([windows.start().0, now.0]).map_err(store_error)?;
    while let Some(row) = rows.next().map_err(store_error)? {
        windows.add(&counted(row).map_err(store_error)?);
    }
    Ok(())
}

fn counted(row: &rusqlite::Row<'_>) -> rusqlite::Result<Counted> {
    let text = |index| row.get_ref(index).and_then(|value| Ok(value.as_str()?));
    Ok(Counted {
        at: Timestamp(row.get(0)?),
        counted: row.get(1)?,
        approved: row.get(2)?,
        answer: Answer::of(text(3)?),
        family: line::family(text(4)?).unwrap_or(Family::Neutral),
        took_us: row.get(5)?,
        terminal: row.get(6)?,
    })
}

fn attention(conn: &Connection, from: Timestamp, now: Timestamp) -> Result<Vec<Attention>, StoreError> {
    let mut items = Vec::new();
    for kind in KINDS {
        items.extend(kind.find(conn, from, now)?);
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
    fn find(&self, conn: &Connection, from: Timestamp, now: Timestamp) -> Result<Vec<Attention>, StoreError> {
        let mut statement = conn.prepare_cached(self.statement).map_err(store_error)?;
        let read = |row: &rusqlite::Row<'_>| self.read(row);
        let found = match self.reason {
            Some(reason) => statement.query_map(params![from.0, now.0, reason.name()], read),
            None => statement.query_map(params![from.0, now.0], read),
        };
        found.and_then(Iterator::collect).map_err(store_error)
    }

    fn read(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<Attention> {
        let object_kind = match self.object {
            Object::Terminal => "terminal",
            Object::Card => "card",
        };
        Ok(Attention {
            what: self.what.to_owned(),
            family: self.family,
            count: row.get(2)?,
            object_kind: object_kind.to_owned(),
            object: row.get(0)?,
            card: row.get::<_, Option<[u8; 16]>>(1)?.map(CardId),
            at: Timestamp(row.get(3)?),
            rrn: row.get(4)?,
        })
    }
}
