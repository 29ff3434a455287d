//! What stands on which line, decided once for every way of drawing it. Each line is cleaned and at most as wide as the paper.

use crate::clean::{MERCHANT_NAME_CHARS, SENTENCE_CHARS, VALUE_CHARS, clean};
use crate::signature::Signature;
use crate::slip::{Chip, Consent, Copy, Original, Outcome, Paper, Slip, grouped};
use crate::width::{columns, wrapped};
use crate::words::Language;
use model::Kind;

/// Where a line stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// At the left.
    #[default]
    Left,
    /// In the middle.
    Centre,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    /// Where.
    pub align: Align,
    /// Heavier strokes.
    pub bold: bool,
    /// Twice as high.
    pub tall: bool,
}

/// One line of a slip.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Words, or nothing.
    Text(Style, String),
    /// A rule from edge to edge.
    Rule,
    /// A signature, and the words that stand for it where nothing can be drawn.
    Ink(Signature, &'static str),
}

/// A slip on paper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// How wide.
    pub paper: Paper,
    /// The language of most of it.
    pub language: Language,
    /// From top to bottom.
    pub lines: Vec<Line>,
}

const PLAIN: Style = Style { align: Align::Left, bold: false, tall: false };
const BOLD: Style = Style { align: Align::Left, bold: true, tall: false };
const CENTRED: Style = Style { align: Align::Centre, bold: false, tall: false };
const TITLE: Style = Style { align: Align::Centre, bold: true, tall: true };

impl Layout {
    /// Lays a slip out.
    #[must_use]
    pub fn of(slip: &Slip, paper: Paper, language: Language, copy: Copy) -> Layout {
        let mut page = Page { width: paper.columns(), language, lines: Vec::new() };
        page.head(slip, copy);
        page.rule();
        page.merchant(slip);
        page.rule();
        page.transaction(slip);
        page.rule();
        if let Some(chip) = &slip.chip {
            page.chip(chip);
        }
        match &slip.outcome {
            Outcome::Approved(consent) => page.approved(slip.kind, consent, copy),
            Outcome::Refused { code, zh, en } => page.refused(code.as_deref(), zh, en),
        }
        Layout { paper, language, lines: page.lines }
    }
}

/// The paper while it is filled.
struct Page {
    width: usize,
    language: Language,
    lines: Vec<Line>,
}

impl Page {
    fn text(&self, key: &'static str) -> &'static str {
        self.language.text(key)
    }

    fn put(&mut self, style: Style, text: &str) {
        self.lines.extend(wrapped(text, self.width).into_iter().map(|line| Line::Text(style, line)));
    }

    fn rule(&mut self) {
        self.lines.push(Line::Rule);
    }

    fn field(&mut self, key: &'static str, value: &str) {
        self.styled(PLAIN, self.text(key), value, VALUE_CHARS);
    }

    fn styled(&mut self, style: Style, label: &str, value: &str, limit: usize) {
        self.put(style, &format!("{label}: {}", clean(value, limit)));
    }

    fn optional(&mut self, key: &'static str, value: Option<&String>) {
        if let Some(value) = value {
            self.field(key, value);
        }
    }

    /// Labelled values on one line if they fit, otherwise one below the other.
    fn together(&mut self, values: &[(&str, Option<&String>)]) {
        let shown: Vec<String> = values
            .iter()
            .filter_map(|(label, value)| Some(format!("{label}: {}", clean((*value)?, VALUE_CHARS))))
            .collect();
        let one = shown.join("  ");
        if columns(&one) <= self.width && !one.is_empty() {
            self.put(PLAIN, &one);
        } else {
            shown.iter().for_each(|line| self.put(PLAIN, line));
        }
    }

    fn head(&mut self, slip: &Slip, copy: Copy) {
        self.put(TITLE, self.text("title"));
        self.put(
            CENTRED,
            match copy {
                Copy::Merchant => self.text("merchant-copy"),
                Copy::Cardholder => self.text("cardholder-copy"),
            },
        );
        if slip.reprint {
            self.put(Style { bold: true, ..CENTRED }, self.text("reprint"));
        }
    }

    fn merchant(&mut self, slip: &Slip) {
        if let Some(name) = &slip.merchant_name {
            self.styled(PLAIN, self.text("merchant-name"), name, MERCHANT_NAME_CHARS);
        }
        self.field("merchant-number", &slip.merchant);
        self.together(&[
            (self.text("terminal-number"), Some(&slip.terminal)),
            (self.text("operator"), slip.operator.as_ref()),
        ]);
    }

    fn transaction(&mut self, slip: &Slip) {
        self.together(&[
            (self.text("issuer"), slip.issuer.as_ref()),
            (self.text("acquirer"), slip.acquirer.as_ref()),
        ]);
        if let Some(card) = &slip.card {
            let entry = slip.entry.map(|entry| format!(" /{}", entry.letter())).unwrap_or_default();
            self.field("card", &format!("{card}{entry}"));
        }
        self.optional("expiry", slip.expiry.as_ref());
        self.field("kind", &self.kind(slip.kind));
        self.together(&[
            (self.text("batch"), slip.batch.as_ref()),
            (self.text("voucher"), slip.voucher.as_ref()),
        ]);
        self.optional("approval", slip.approval.as_ref());
        self.optional("reference", slip.reference.as_ref());
        if let Some(original) = &slip.original {
            self.original(original);
        }
        self.field("date-time", &slip.at.to_string());
        if let Some(amount) = slip.amount {
            let currency = if slip.currency.0 == 156 { "RMB".to_owned() } else { slip.currency.to_string() };
            let label = self.both(self.text("amount"), Language::En.text("amount"));
            self.styled(BOLD, &label, &format!("{currency} {}", grouped(amount)), VALUE_CHARS);
        }
    }

    fn kind(&self, kind: Kind) -> String {
        let name = kind.name();
        let in_language = |language: Language| language.kind(name).unwrap_or(name);
        self.both(in_language(self.language), in_language(Language::En))
    }

    /// The chosen language and English, once if they are the same.
    fn both(&self, here: &str, english: &str) -> String {
        if here == english { here.to_owned() } else { format!("{here}/{english}") }
    }

    fn original(&mut self, original: &Original) {
        self.optional("original-voucher", original.voucher.as_ref());
        self.optional("original-reference", original.reference.as_ref());
        self.optional("original-date", original.date.as_ref());
    }

    fn chip(&mut self, chip: &Chip) {
        self.together(&[("ARQC", chip.arqc.as_ref())]);
        self.together(&[("AID", chip.aid.as_ref())]);
        self.together(&[("TVR", chip.tvr.as_ref()), ("TSI", chip.tsi.as_ref())]);
    }

    fn approved(&mut self, kind: Kind, consent: &Consent, copy: Copy) {
        let remark = self.language.find(&format!("remark-{}", kind.name())).unwrap_or_default();
        self.styled(PLAIN, self.text("remark"), remark, SENTENCE_CHARS);
        match consent {
            Consent::OnPaper if copy == Copy::Merchant => {
                self.field("signature", "");
                self.put(PLAIN, "");
            }
            Consent::OnPaper => {}
            Consent::Signed(signature) => {
                self.field("signature", "");
                self.lines.push(Line::Ink(signature.clone(), self.text("signed")));
            }
            Consent::PinAlone => self.put(PLAIN, self.text("signature-waived")),
            Consent::NotNeeded => return,
        }
        let gives_back =
            matches!(kind, Kind::Refund | Kind::SaleVoid | Kind::PreAuthVoid | Kind::CompletionVoid);
        self.put(PLAIN, self.text(if gives_back { "consent-refund" } else { "consent" }));
    }

    fn refused(&mut self, code: Option<&str>, zh: &str, en: &str) {
        let code =
            code.map(|c| format!("  {}: {}", self.text("code"), clean(c, VALUE_CHARS))).unwrap_or_default();
        self.put(BOLD, &format!("{}{code}", self.text("declined")));
        self.put(PLAIN, zh);
        self.put(PLAIN, en);
    }
}
