//! The published attacks on PIN interfaces, run against our own (docs/concepts/attacks.md). Each test plays the attacker: it may
//! call the verbs as often as it likes with blocks that it saw on the wire, and must learn nothing that the counter of
//! tries would not have told it.

use std::collections::HashSet;

use hsm::{
    ChangePin, EncryptedPinBlock, NewPinRules, PinBlockFormat, PinChangeRefused, PinKey, SecurityModule,
    TranslatePin, VerifyPin,
    soft::{Configuration, KeyAttributes, KeyPolicy},
};
use model::{Pan, PinOutcome, PinReference, Unverifiable};
use paycrypto::key_block::{Algorithm, KeyUsage};

use crate::bench::{Bench, CARD, KEY, OTHER_KEY, PAN, bench, block, ibm, pvv, soft};

const PIN: &str = "4071";
/// Bond and Zielinski (2003): about fifteen calls for a PIN of four digits, when the caller chooses the table.
const TABLE_ATTACK_CALLS: usize = 15;

/// The attack needs a table of the caller's choice in every call. A reference names a rule; a rule that the configuration
/// does not have is a key fault whatever the PIN is, and a configuration with a table that singles digits out is refused.
#[tokio::test]
async fn decimalisation_tables_cannot_be_chosen() {
    let bench = bench();
    let tpk = bench.tpk(PinBlockFormat::Iso0);
    let maker = soft(KeyPolicy::Sandbox, Configuration::default());
    for digit in 0..10 {
        // The table of the attack: one digit becomes 1, all others 0.
        let table: String = "0123456789012345"
            .chars()
            .map(|c| if c == char::from(b'0' + digit) { '1' } else { '0' })
            .collect();
        let key = maker.generate_key(KeyAttributes::tdes(KeyUsage::PinVerificationIbm3624)).unwrap();
        assert!(Configuration::default().with_ibm3624("attack", key, &table, "123456N").is_err(), "{table}");
    }
    for call in 0..TABLE_ATTACK_CALLS {
        let reference =
            PinReference::Ibm3624 { key: format!("table of call {call}"), offset: b"0000".to_vec() };
        let sent = block(&KEY, PinBlockFormat::Iso0, PAN, PIN);
        let outcome = bench.verify(PinKey::Key(&tpk), PinBlockFormat::Iso0, sent, &reference).await;
        assert_eq!(outcome, PinOutcome::Unverifiable(Unverifiable::Key));
    }
}

/// Clulow (2003): the same block with another PAN in every call; which calls fail tells the digits. Here the PAN is the
/// transaction's; whoever forges transactions gets one uniform fault or a proven mismatch, and the latter is counted.
/// A block for another PAN is never a verified PIN, and the fault has no cause that could be told apart.
#[tokio::test]
async fn other_pans_tell_nothing() {
    let mut bench = bench();
    let reference = bench.reference(&ibm(), PIN);
    let tpk = bench.tpk(PinBlockFormat::Iso0);
    let mut seen = HashSet::new();
    for changed in 0..400_u32 {
        bench.pan = forged_pan(changed);
        let sent = block(&KEY, PinBlockFormat::Iso0, PAN, PIN);
        let outcome = bench.verify(PinKey::Key(&tpk), PinBlockFormat::Iso0, sent, &reference).await;
        assert!(!matches!(outcome, PinOutcome::Verified(_)), "verified for PAN {changed}");
        seen.insert(format!("{outcome:?}"));
    }
    let allowed = ["Mismatch", "Unverifiable(PinBlockFormat)"].map(str::to_owned);
    assert!(seen.iter().all(|outcome| allowed.contains(outcome)), "{seen:?}");
    // With format 4 the PAN is bound to every bit: not one of them is even a block.
    let tpk = bench.tpk(PinBlockFormat::Iso4);
    for changed in 0..400_u32 {
        bench.pan = forged_pan(changed);
        let sent = block(&KEY, PinBlockFormat::Iso4, PAN, PIN);
        let outcome = bench.verify(PinKey::Key(&tpk), PinBlockFormat::Iso4, sent, &reference).await;
        assert_eq!(outcome, PinOutcome::Unverifiable(Unverifiable::PinBlockFormat), "{changed}");
    }
}

/// Another PAN that differs in the digits that format 0 mixes with the PIN.
fn forged_pan(number: u32) -> Pan {
    let mut digits = PAN.as_bytes().to_vec();
    // Never by zero in the first place, so that no forged number is the true one.
    for (place, shift) in [(3, number % 9 + 1), (4, number / 9 % 10), (5, number / 90 % 10)] {
        let digit = u32::from(digits[place] - b'0') + shift;
        digits[place] = char::from_digit(digit % 10, 10).map_or(b'0', |c| c as u8);
    }
    // `PAN` has the check digit behind; forged numbers need none to be tried.
    Pan::new(&digits).unwrap_or_else(|_| with_check_digit(&digits))
}

fn with_check_digit(digits: &[u8]) -> Pan {
    let mut digits = digits.to_vec();
    let last = digits.len() - 1;
    let found = (b'0'..=b'9').find_map(|check| {
        digits[last] = check;
        Pan::new(&digits).ok()
    });
    found.expect("one of ten check digits fits")
}

/// Berkman and Ostrovsky (2007): translate into format 1, which has no PAN, and back for a card whose PIN is known. One call
/// would do. No pair of formats that loses the PAN is allowed, whatever the keys.
#[tokio::test]
async fn no_translation_strips_the_pan() {
    let bench = bench();
    for from in PinBlockFormat::ALL {
        for to in [PinBlockFormat::Iso1, PinBlockFormat::Iso2] {
            let tpk = bench.tpk(from);
            let zone_key = bench.zone_key(to);
            let request = TranslatePin {
                pan: &bench.pan,
                from: PinKey::Key(&tpk),
                block: block(&KEY, from, PAN, PIN),
                from_format: from,
                zone_key: &zone_key,
                to_format: to,
            };
            assert_eq!(
                bench.module.translate_pin(request).await.err(),
                Some(Unverifiable::Unsupported),
                "{from:?} to {to:?}"
            );
        }
    }
}

/// The same paper: let the host compute the offset or PVV for a block with an unknown PIN, and compare. One or two calls
/// would do. References are made only behind a verified old PIN, and a host's own key may say "verify only".
#[tokio::test]
async fn references_are_not_computed_for_unknown_pins() {
    let bench = bench();
    let tpk = bench.tpk(PinBlockFormat::Iso0);
    for method in [pvv(), ibm()] {
        let reference = bench.reference(&method, PIN);
        for guess in 0..200 {
            let guess = format!("{:04}", 5000 + guess);
            if bench.reference(&method, &guess) == reference {
                continue; // two PINs in ten thousand may have one PVV: then this one is right as well
            }
            let verify = VerifyPin {
                card: CARD,
                pan: &bench.pan,
                key: PinKey::Key(&tpk),
                block: block(&KEY, PinBlockFormat::Iso0, PAN, &guess),
                format: PinBlockFormat::Iso0,
                reference: &reference,
            };
            let new_block = block(&KEY, PinBlockFormat::Iso0, PAN, "9999");
            let refused =
                bench.module.change_pin(ChangePin { verify, new_block, rules: NewPinRules::any() }).await;
            assert_eq!(refused, Err(PinChangeRefused::Mismatch), "counted like any wrong PIN");
        }
    }
    assert_verify_only_keys_make_nothing().await;
}

async fn assert_verify_only_keys_make_nothing() {
    use paycrypto::key_block::ModeOfUse;
    let maker = soft(KeyPolicy::Sandbox, Configuration::default());
    let key = |mode| {
        let of = KeyAttributes { usage: KeyUsage::PinVerificationVisaPvv, algorithm: Algorithm::Tdea, mode };
        maker.import_test_key(of, &OTHER_KEY).unwrap()
    };
    let issuer =
        soft(KeyPolicy::Sandbox, Configuration::default().with_pvk("pvk", key(ModeOfUse::GenerateOnly)));
    let host = soft(KeyPolicy::Sandbox, Configuration::default().with_pvk("pvk", key(ModeOfUse::VerifyOnly)));
    let pan: Pan = PAN.parse().unwrap();
    let reference = issuer.test_reference(&pvv(), &pan, PIN).unwrap();
    assert!(host.test_reference(&pvv(), &pan, PIN).is_err(), "a key that verifies does not generate");
    let bench = Bench { module: host, pan };
    let tpk = bench.tpk(PinBlockFormat::Iso0);
    let verify = VerifyPin {
        card: CARD,
        pan: &bench.pan,
        key: PinKey::Key(&tpk),
        block: block(&KEY, PinBlockFormat::Iso0, PAN, PIN),
        format: PinBlockFormat::Iso0,
        reference: &reference,
    };
    let new_block = block(&KEY, PinBlockFormat::Iso0, PAN, "9999");
    let refused = bench.module.change_pin(ChangePin { verify, new_block, rules: NewPinRules::any() }).await;
    assert_eq!(refused, Err(PinChangeRefused::Unverifiable(Unverifiable::Key)));
}

/// Whatever makes a block unreadable - digit, length, fill, control, damaged at any byte - is one and the same answer.
#[tokio::test]
async fn every_broken_block_fails_in_the_same_way() {
    let bench = bench();
    let reference = bench.reference(&ibm(), PIN);
    for format in [PinBlockFormat::Iso0, PinBlockFormat::Iso4, PinBlockFormat::Sm4Layout1] {
        let tpk = bench.tpk(format);
        let good = block(&KEY, format, PAN, PIN);
        for bit in 0..good.as_bytes().len() * 8 {
            let mut bytes = good.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let sent = EncryptedPinBlock::new(&bytes).unwrap();
            match bench.verify(PinKey::Key(&tpk), format, sent, &reference).await {
                PinOutcome::Unverifiable(Unverifiable::PinBlockFormat) | PinOutcome::Mismatch => {}
                other => panic!("{format:?} bit {bit}: {other:?}"),
            }
        }
    }
    let causes = bench.module.integrity();
    assert!(
        causes.control > 0 && causes.length + causes.digit + causes.fill > 0,
        "told apart inside: {causes:?}"
    );
}
