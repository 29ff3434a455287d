//! A desk whose facts go nowhere.

use desk::{Case, CaseNo, Desk, Fact, House, Opening, Refusal, Source, Subject};
use model::{CardId, Timestamp};

pub(crate) const AGENT: &str = "li.na";
pub(crate) const MINUTE: i64 = 60_000;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Wednesday, 2026-11-18 10:00 in Shanghai.
pub(crate) const START: Timestamp = Timestamp(1_794_967_200_000);

pub(crate) struct World {
    pub(crate) desk: Desk,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { desk: Desk::default(), now: START }
    }

    pub(crate) fn house(&self) -> &'static House {
        House::builtin()
    }

    pub(crate) fn later(&mut self, ms: i64) -> &mut Self {
        self.now = self.now.plus_ms(ms);
        self
    }

    /// What was decided became true; it went through JSON, as it does in the book.
    pub(crate) fn put(&mut self, fact: Result<Fact, Refusal>) -> Result<CaseNo, Refusal> {
        let fact = serde_json::to_string(&fact?).unwrap();
        let fact: Fact = serde_json::from_str(&fact).unwrap();
        let seq = self.desk.seq() + 1;
        self.desk.apply(seq, self.now, &fact);
        Ok(seq)
    }

    pub(crate) fn open(&mut self, opening: Opening) -> CaseNo {
        let fact = self.desk.open(House::builtin(), opening, AGENT);
        self.put(fact).unwrap()
    }

    pub(crate) fn case(&self, no: CaseNo) -> &Case {
        self.desk.case(no).unwrap()
    }

    pub(crate) fn step(&mut self, no: CaseNo, step: &str, note: &str) -> Result<CaseNo, Refusal> {
        let fact = self.desk.step(House::builtin(), no, step, note, AGENT, self.now);
        self.put(fact)
    }

    pub(crate) fn close(&mut self, no: CaseNo) -> Result<CaseNo, Refusal> {
        let case = self.case(no);
        let fact =
            case.close(desk::Outcome::Solved, "paid").map(|closing| case.closing_fact(closing, None, AGENT));
        self.put(fact)
    }

    /// Does every gate of a case.
    pub(crate) fn pass_gates(&mut self, no: CaseNo) {
        let gates: Vec<String> = self.case(no).open_gates().map(|step| step.id.clone()).collect();
        for gate in gates {
            self.step(no, &gate, "done").unwrap();
        }
    }
}

pub(crate) fn card(n: u8) -> CardId {
    CardId([n; 16])
}

/// Somebody calls about a locked card.
pub(crate) fn locked(n: u8) -> Opening {
    Opening {
        source: Source::Phone,
        subject: Subject { card: Some(card(n)), code: Some("75".to_owned()), ..Subject::default() },
        priority: None,
        summary: "card locked at the till".to_owned(),
        caller: String::new(),
        evidence: Vec::new(),
    }
}
