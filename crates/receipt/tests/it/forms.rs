//! A slip of each form.

use model::{Amount, Currency, Kind, Pan};
use receipt::{Chip, Consent, Copy, Entry, Language, Moment, Original, Outcome, Paper, Signature, Slip};

/// A purchase that was approved.
pub(crate) fn sale() -> Slip {
    Slip {
        merchant_name: Some("人民商场".to_owned()),
        merchant: "898510154110283".to_owned(),
        terminal: "T0001234".to_owned(),
        operator: Some("01".to_owned()),
        issuer: Some("示例银行".to_owned()),
        acquirer: Some("演示收单".to_owned()),
        card: Some("6216261000000000018".parse::<Pan>().unwrap().masked()),
        entry: Some(Entry::Contactless),
        expiry: Some("30/12".to_owned()),
        kind: Kind::Sale,
        batch: Some("000012".to_owned()),
        voucher: Some("000345".to_owned()),
        approval: Some("004417".to_owned()),
        reference: Some("632610004417".to_owned()),
        at: Moment { year: 2026, month: 11, day: 22, hour: 10, minute: 43, second: 2 },
        amount: Some(Amount(128_000)),
        currency: Currency::CNY,
        original: None,
        chip: Some(Chip {
            aid: Some("A000000333010101".to_owned()),
            tvr: Some("0000008000".to_owned()),
            tsi: Some("E800".to_owned()),
            arqc: Some("4A1C9D03B2E85F71".to_owned()),
        }),
        outcome: Outcome::Approved(Consent::OnPaper),
        reprint: false,
    }
}

/// Two strokes.
pub(crate) fn signature() -> Signature {
    Signature::new(vec![
        vec![[60, 150], [120, 40], [180, 150], [240, 60]],
        vec![[300, 100], [420, 110], [540, 60]],
    ])
    .unwrap()
}

/// A kind that points at the sale.
fn pointing(kind: Kind) -> Slip {
    Slip {
        kind,
        voucher: Some("000346".to_owned()),
        reference: Some("632610004418".to_owned()),
        entry: Some(Entry::Manual),
        chip: None,
        original: Some(Original {
            voucher: Some("000345".to_owned()),
            reference: Some("632610004417".to_owned()),
            date: Some("2026/11/22".to_owned()),
        }),
        ..sale()
    }
}

/// A refusal.
pub(crate) fn declined() -> Slip {
    Slip {
        approval: None,
        chip: None,
        outcome: Outcome::refused(
            Some("75"),
            "密码错误次数超限，请联系发卡银行",
            "Too many wrong PINs, please contact your bank",
        ),
        ..sale()
    }
}

type Form = (&'static str, Slip, Paper, Language, Copy);

/// Every form, on one of the two papers, in one of the two languages.
pub(crate) fn all() -> Vec<Form> {
    let signed = || Slip { outcome: Outcome::Approved(Consent::Signed(signature())), ..sale() };
    let pre_auth = Slip { kind: Kind::PreAuth, outcome: Outcome::Approved(Consent::PinAlone), ..sale() };
    let balance =
        Slip { kind: Kind::Balance, amount: None, outcome: Outcome::Approved(Consent::NotNeeded), ..sale() };
    vec![
        ("sale-58-zh-merchant", sale(), Paper::Mm58, Language::Zh, Copy::Merchant),
        ("sale-80-en-cardholder", sale(), Paper::Mm80, Language::En, Copy::Cardholder),
        ("signed-58-zh-merchant", signed(), Paper::Mm58, Language::Zh, Copy::Merchant),
        ("signed-80-en-merchant", signed(), Paper::Mm80, Language::En, Copy::Merchant),
        ("reprint-58-zh", Slip { reprint: true, ..sale() }, Paper::Mm58, Language::Zh, Copy::Merchant),
        ("void-58-zh", pointing(Kind::SaleVoid), Paper::Mm58, Language::Zh, Copy::Merchant),
        ("refund-58-en", pointing(Kind::Refund), Paper::Mm58, Language::En, Copy::Merchant),
        ("pre-auth-80-zh", pre_auth, Paper::Mm80, Language::Zh, Copy::Cardholder),
        ("pre-auth-void-58-en", pointing(Kind::PreAuthVoid), Paper::Mm58, Language::En, Copy::Cardholder),
        ("completion-58-zh", pointing(Kind::Completion), Paper::Mm58, Language::Zh, Copy::Merchant),
        ("balance-58-en", balance, Paper::Mm58, Language::En, Copy::Cardholder),
        ("declined-58-zh", declined(), Paper::Mm58, Language::Zh, Copy::Cardholder),
        ("declined-80-en", declined(), Paper::Mm80, Language::En, Copy::Merchant),
    ]
}
