//! Values from outside: whatever they are, a slip stays within its paper, is bounded, and holds no command for a printer and no
//! markup for a browser.

use proptest::prelude::*;
use receipt::{Copy, Language, Layout, Line, Original, Outcome, Paper, Slip, columns, escpos, html, text};

use crate::forms;

fn hostile(name: &str, value: &str, sentence: &str) -> Slip {
    Slip {
        merchant_name: Some(name.to_owned()),
        merchant: value.to_owned(),
        terminal: value.to_owned(),
        operator: Some(value.to_owned()),
        issuer: Some(name.to_owned()),
        acquirer: Some(value.to_owned()),
        expiry: Some(value.to_owned()),
        batch: Some(value.to_owned()),
        voucher: Some(name.to_owned()),
        original: Some(Original {
            voucher: Some(name.to_owned()),
            reference: Some(value.to_owned()),
            date: Some(name.to_owned()),
        }),
        outcome: Outcome::refused(Some(value), sentence, name),
        ..forms::sale()
    }
}

/// Any characters, with those that hurt more often than chance has them.
fn any_text() -> impl Strategy<Value = String> {
    let hurting = prop::sample::select(vec![
        "\u{1B}@",
        "\u{1D}V\0",
        "\n",
        "\u{202E}",
        "<script>",
        "&",
        "\"",
        "金",
        "\u{200B}",
        "\u{3000}",
        "é",
        "\u{301}",
        "\u{1F600}",
        "\u{10FFFF}",
        " ",
        "－",
    ]);
    prop::collection::vec(
        prop_oneof![hurting.prop_map(str::to_owned), any::<char>().prop_map(String::from)],
        0..300,
    )
    .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn nothing_leaves_the_paper(name in any_text(), value in any_text(), sentence in any_text(), wide in any::<bool>()) {
        let paper = if wide { Paper::Mm80 } else { Paper::Mm58 };
        let slip = hostile(&name, &value, &sentence);
        for (language, copy) in [(Language::Zh, Copy::Merchant), (Language::En, Copy::Cardholder)] {
            let layout = Layout::of(&slip, paper, language, copy);
            prop_assert!(layout.lines.len() < 120, "{} lines", layout.lines.len());
            for line in &layout.lines {
                if let Line::Text(_, words) = line {
                    prop_assert!(columns(words) <= paper.columns(), "too wide: {words}");
                    prop_assert!(!words.chars().any(char::is_control), "{words:?}");
                }
            }
            prop_assert!(text::text(&layout).len() < 20_000);
            let page = html::fragment(&layout);
            prop_assert!(!page.contains("<script"), "{page}");
            let commands = escpos::escpos(&layout);
            let plain = escpos::escpos(&Layout { lines: Vec::new(), ..layout });
            // two commands at each end, and those of bold, tall and centred lines: nothing else begins with ESC, FS or GS
            let begins = |bytes: &[u8]| bytes.iter().filter(|b| [0x1B, 0x1C, 0x1D].contains(b)).count();
            prop_assert_eq!(begins(&commands), begins(&plain) + 12);
        }
    }
}

#[test]
fn long_names_are_cut_and_wide_characters_do_not_hang_over_the_edge() {
    let slip = Slip { merchant_name: Some("商".repeat(500)), ..forms::sale() };
    let layout = Layout::of(&slip, Paper::Mm58, Language::Zh, Copy::Merchant);
    let plain = text::text(&layout);
    assert_eq!(plain.matches('商').count(), 39 + 3, "thirty-nine and the labels'");
    assert!(plain.contains('…'));
    assert!(plain.lines().all(|line| columns(line) <= 32));
}

#[test]
fn a_refused_slip_has_nothing_to_sign() {
    for language in [Language::Zh, Language::En] {
        let layout = Layout::of(&forms::declined(), Paper::Mm58, language, Copy::Merchant);
        let plain = text::text(&layout);
        for word in [language.text("signature"), language.text("consent"), language.text("approval")] {
            assert!(!plain.contains(word), "{word}");
        }
        assert!(plain.contains("Too many wrong PINs"));
    }
}
