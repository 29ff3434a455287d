//! Golden slips, as they come out of the printer. Compare with shared design/receipt.png.

use model::{Amount, Kind, Pan};
use simulator::clock::Civil;
use simulator::receipt::{Copy, Entry, Receipt};
use simulator::words::columns;
use simulator::{Answer, Language, Paper};

fn receipt(code: &str) -> Receipt {
    let approved = code == "00";
    Receipt {
        merchant_name: Some("人民商场".to_owned()),
        merchant: "898510154110283".parse().unwrap(),
        terminal: "T0001234".parse().unwrap(),
        operator: "01".to_owned(),
        card: "6216261000000000018".parse::<Pan>().unwrap().masked(),
        expiry: "30/12".to_owned(),
        entry: Entry::Swiped,
        kind: Kind::Sale,
        batch: "000012".to_owned(),
        voucher: "000345".to_owned(),
        approval: approved.then(|| "004417".to_owned()),
        reference: Some("632610004417".to_owned()),
        at: Civil { year: 2026, month: 11, day: 22, hour: 10, minute: 43, second: 2 },
        amount: Amount(128_000),
        answer: Answer::Code(code.parse().unwrap()),
    }
}

fn check(code: &str, paper: Paper, language: Language, copy: Copy, golden: &str) {
    let slip = receipt(code).render(paper, language, copy);
    for line in slip.lines() {
        assert!(columns(line) <= paper.columns(), "too wide: {line}");
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(format!("{}/tests/it/{golden}", env!("CARGO_MANIFEST_DIR")), &slip).unwrap();
    }
    let expected = std::fs::read_to_string(format!("{}/tests/it/{golden}", env!("CARGO_MANIFEST_DIR")));
    assert_eq!(slip, expected.unwrap_or_default(), "{golden}");
}

#[test]
fn slips_are_as_they_were_approved() {
    check("00", Paper::Mm58, Language::Zh, Copy::Merchant, "slips/approved-58-zh.txt");
    check("00", Paper::Mm80, Language::Zh, Copy::Cardholder, "slips/approved-80-zh.txt");
    check("00", Paper::Mm58, Language::En, Copy::Merchant, "slips/approved-58-en.txt");
    check("00", Paper::Mm80, Language::En, Copy::Cardholder, "slips/approved-80-en.txt");
    check("75", Paper::Mm58, Language::Zh, Copy::Cardholder, "slips/declined-58-zh.txt");
    check("55", Paper::Mm80, Language::En, Copy::Cardholder, "slips/declined-80-en.txt");
}
