//! A case in work with everything on it, and one that is closed and asks its question.

use std::{collections::BTreeMap, sync::Arc};

use desk::{
    Desk, Evidence, EvidenceKind, Fact, House, Opening, Outcome, Proof, Source, Subject, WaitsOn,
    fact::Survey,
};
use model::{CardId, Pan, Timestamp};
use office::CaseDesk;
use staff::Token;
use store::MemoryBook;

/// The number of the case in work.
pub(crate) const CASE: &str = "1";

fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_millisecond())
}

/// The link of the question.
pub(crate) fn survey() -> Token {
    Token::new([7; staff::session::TOKEN_LEN])
}

fn opening(card: CardId, pan: &Pan, source: Source) -> Opening {
    let line = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let lines = [line("code", "75"), line("verdict", "locked 0.97"), line("pan", pan.masked().as_str())];
    Opening {
        source,
        subject: Subject {
            card: Some(card),
            pan: Some(pan.masked()),
            terminal: Some("T0001234".to_owned()),
            merchant: Some("898510154110280".to_owned()),
            merchant_name: "Corner Shop".to_owned(),
            rrn: Some(super::HERO_RRN.to_owned()),
            code: Some("75".to_owned()),
            cause: Some(diagnosis::Cause::Locked),
            incident: Some(17),
            alarm: None,
        },
        priority: None,
        summary: "locked at the till".to_owned(),
        caller: "Ms Li".to_owned(),
        evidence: vec![
            Evidence {
                kind: EvidenceKind::Transaction,
                id: super::HERO_RRN.to_owned(),
                at: now().plus_s(-900),
                summary: lines.into_iter().collect(),
            },
            Evidence {
                kind: EvidenceKind::Card,
                id: card.to_string(),
                at: now(),
                summary: BTreeMap::from([line("locked-until", "2030-01-01T00:00:00Z")]),
            },
        ],
    }
}

struct Maker {
    desk: Desk,
}

impl Maker {
    fn put(&mut self, minutes_ago: i64, fact: Fact) {
        let seq = self.desk.seq() + 1;
        self.desk.apply(seq, now().plus_s(-60 * minutes_ago), &fact);
    }
}

/// The desk.
pub(crate) fn desk(card: CardId, pan: &Pan) -> CaseDesk {
    let house = House::builtin();
    let mut maker = Maker { desk: Desk::default() };
    let open = maker.desk.open(house, opening(card, pan, Source::Phone), "li.na").unwrap();
    maker.put(14, open);
    let proof = Proof {
        method: "code-to-contact-on-file".to_owned(),
        asked: vec!["one-time-code".to_owned()],
        right: 1,
        wrong: 0,
        contact_unchanged_h: Some(24),
    };
    let proved = maker.desk.prove(house, 1, proof, "li.na").unwrap();
    maker.put(12, proved);
    let step = maker.desk.step(house, 1, "explain", "", "li.na", now()).unwrap();
    maker.put(11, step);
    let waits = maker.desk.case(1).unwrap().wait(WaitsOn::SecondPerson, "the unlock", "li.na").unwrap();
    maker.put(10, waits);
    for due in maker.desk.due(house, now()) {
        maker.put(1, due.fact());
    }
    close_one(&mut maker, house);
    CaseDesk::with(Arc::new(MemoryBook::default()), Arc::new(now), maker.desk)
}

/// A case that was closed and asks its question.
fn close_one(maker: &mut Maker, house: &House) {
    let mut shop = opening(CardId([1; 16]), &Pan::new(b"9999990000000000").unwrap(), Source::Terminal);
    shop.subject =
        Subject { terminal: Some("T0001236".to_owned()), code: Some("ZZ".to_owned()), ..Subject::default() };
    shop.evidence.clear();
    let open = maker.desk.open(house, shop, "wang.wei").unwrap();
    maker.put(300, open);
    let no = maker.desk.seq();
    let gates: Vec<String> = maker.desk.case(no).unwrap().open_gates().map(|s| s.id.clone()).collect();
    for gate in gates {
        let done = maker.desk.step(house, no, &gate, "told the shop", "wang.wei", now()).unwrap();
        maker.put(290, done);
    }
    let case = maker.desk.case(no).unwrap();
    let survey =
        Survey { hash: survey().hash().whole().to_owned(), sealed: String::new(), until: now().plus_s(3600) };
    let closing = case.close(Outcome::Explained, "told the shop").unwrap();
    let closed = case.closing_fact(closing, Some(survey), "wang.wei");
    maker.put(280, closed);
}

/// A desk that works, with nothing on it.
pub(crate) fn awake() -> CaseDesk {
    CaseDesk::new(Arc::new(MemoryBook::default()), Arc::new(now))
}
