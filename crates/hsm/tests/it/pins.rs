//! Verification, translation and change of PINs, for every format, cipher and key scheme.

use hsm::{
    ChangePin, NewPinRules, PinBlockFormat, PinChangeRefused, PinKey, SecurityModule, TranslatePin, VerifyPin,
};
use model::{AdmittedKsn, HolderDigits, PersonalDigits, PinOutcome, PinRules, Unverifiable};
use paycrypto::key_block::{Algorithm, KeyUsage};

use crate::bench::{
    Bench, CARD, KEY, OTHER_KEY, OTHER_PAN, PAN, aes_pin_key, bench, block, derived, ibm, ksn, pvv,
    tdes_pin_key,
};

/// What terminals send to hosts.
const FROM_TERMINALS: [PinBlockFormat; 6] = [
    PinBlockFormat::Iso0,
    PinBlockFormat::Iso1,
    PinBlockFormat::Iso3,
    PinBlockFormat::Iso4,
    PinBlockFormat::Sm4Layout1,
    PinBlockFormat::Sm4Layout2,
];

#[tokio::test]
async fn the_right_pin_is_verified_and_bound_to_the_card_in_every_format() {
    let bench = bench();
    for format in FROM_TERMINALS {
        let tpk = bench.tpk(format);
        for method in [pvv(), ibm()] {
            let reference = bench.reference(&method, "4321");
            match bench.verify(PinKey::Key(&tpk), format, block(&KEY, format, PAN, "4321"), &reference).await
            {
                PinOutcome::Verified(proof) => assert_eq!(proof.card(), CARD),
                other => panic!("{format:?}: {other:?}"),
            }
            let wrong = block(&KEY, format, PAN, "4322");
            let outcome = bench.verify(PinKey::Key(&tpk), format, wrong, &reference).await;
            assert_eq!(outcome, PinOutcome::Mismatch, "{format:?}");
        }
    }
}

#[tokio::test]
async fn all_digits_count() {
    let bench = bench();
    let (tpk, format) = (bench.tpk(PinBlockFormat::Iso0), PinBlockFormat::Iso0);
    let reference = bench.reference(&ibm(), "123456");
    for wrong in ["123457", "123465", "023456", "12345", "1234567"] {
        let outcome =
            bench.verify(PinKey::Key(&tpk), format, block(&KEY, format, PAN, wrong), &reference).await;
        assert_eq!(outcome, PinOutcome::Mismatch, "{wrong}");
    }
}

#[tokio::test]
async fn a_block_under_another_key_is_a_fault_and_never_a_mismatch() {
    let bench = bench();
    let reference = bench.reference(&ibm(), "123456");
    for format in FROM_TERMINALS {
        let tpk = bench.tpk(format);
        let before = bench.module.integrity();
        let garbled = block(&OTHER_KEY, format, PAN, "123456");
        let outcome = bench.verify(PinKey::Key(&tpk), format, garbled, &reference).await;
        assert_eq!(outcome, PinOutcome::Unverifiable(Unverifiable::PinBlockFormat), "{format:?}");
        assert_ne!(bench.module.integrity(), before, "{format:?}: counted by cause, inside");
    }
}

#[tokio::test]
async fn format_2_is_for_chips_and_a_host_takes_none() {
    let bench = bench();
    let tpk = bench.tpk(PinBlockFormat::Iso2);
    let reference = bench.reference(&ibm(), "123456");
    let sent = block(&KEY, PinBlockFormat::Iso2, PAN, "123456");
    let outcome = bench.verify(PinKey::Key(&tpk), PinBlockFormat::Iso2, sent, &reference).await;
    assert_eq!(outcome, PinOutcome::Unverifiable(Unverifiable::Unsupported));
}

#[tokio::test]
async fn pins_under_keys_of_one_transaction_are_verified() {
    let bench = bench();
    let import = |algorithm| {
        let of = hsm::soft::KeyAttributes::of(KeyUsage::BaseDerivation, algorithm);
        bench.module.import_test_key(of, &KEY).unwrap()
    };
    let reference = bench.reference(&ibm(), "123456");
    for (algorithm, format, serial) in [
        (Algorithm::Tdea, PinBlockFormat::Iso0, "FFFF9876543210E00008"),
        (Algorithm::Tdea, PinBlockFormat::Iso3, "FFFF9876543210FFF800"),
        (Algorithm::Aes, PinBlockFormat::Iso4, "123456789012345600000005"),
    ] {
        let (bdk, serial) = (import(algorithm), ksn(serial));
        let key = if algorithm == Algorithm::Aes { aes_pin_key(serial) } else { tdes_pin_key(serial) };
        let admitted = AdmittedKsn::journaled(serial);
        for (pin, right) in [("123456", true), ("123457", false)] {
            let sent = block(&key, format, PAN, pin);
            let outcome = bench.verify(derived(&bdk, &admitted), format, sent, &reference).await;
            assert_eq!(matches!(outcome, PinOutcome::Verified(_)), right, "{serial} {outcome:?}");
        }
        // The same key block is no PIN key, and a PIN key derives nothing.
        let sent = block(&key, format, PAN, "123456");
        let outcome = bench.verify(PinKey::Key(&bdk), format, sent, &reference).await;
        assert_eq!(outcome, PinOutcome::Unverifiable(Unverifiable::Key));
        let tpk = bench.tpk(format);
        let sent = block(&key, format, PAN, "123456");
        let outcome = bench.verify(derived(&tpk, &admitted), format, sent, &reference).await;
        assert_eq!(outcome, PinOutcome::Unverifiable(Unverifiable::Key));
    }
}

#[tokio::test]
async fn a_serial_number_that_no_device_sends_is_a_key_fault() {
    let bench = bench();
    let of = hsm::soft::KeyAttributes::tdes(KeyUsage::BaseDerivation);
    let bdk = bench.module.import_test_key(of, &KEY).unwrap();
    let reference = bench.reference(&ibm(), "123456");
    // Twenty-one one-bits; and a number of the other standard's length.
    for serial in ["FFFF9876543210FFFFFF", "123456789012345600000005"] {
        let admitted = AdmittedKsn::journaled(ksn(serial));
        let sent = block(&KEY, PinBlockFormat::Iso0, PAN, "123456");
        let outcome = bench.verify(derived(&bdk, &admitted), PinBlockFormat::Iso0, sent, &reference).await;
        assert_eq!(outcome, PinOutcome::Unverifiable(Unverifiable::Key), "{serial}");
    }
}

async fn translate(
    bench: &Bench,
    from: PinBlockFormat,
    to: PinBlockFormat,
    pan_in_block: &str,
) -> Result<hsm::EncryptedPinBlock, Unverifiable> {
    let (tpk, zone_key) = (bench.tpk(from), bench.zone_key(to));
    let request = TranslatePin {
        pan: &bench.pan,
        from: PinKey::Key(&tpk),
        block: block(&KEY, from, pan_in_block, "314159"),
        from_format: from,
        zone_key: &zone_key,
        to_format: to,
    };
    bench.module.translate_pin(request).await
}

/// PCI PIN 3-3, all pairs, with the PAN of the transaction and with another one in the block.
#[tokio::test]
async fn translation_keeps_the_table_and_the_pan() {
    let bench = bench();
    for from in PinBlockFormat::ALL {
        for to in PinBlockFormat::ALL {
            let bound = !matches!(to, PinBlockFormat::Iso1 | PinBlockFormat::Iso2);
            let allowed = bound && from != PinBlockFormat::Iso2;
            let same = translate(&bench, from, to, PAN).await;
            assert_eq!(same.is_ok(), allowed, "{from:?} to {to:?}: {same:?}");
            if let Ok(out) = same {
                // The next zone reads the same PIN under its own key, for the same PAN.
                let tpk = bench.module.import_test_key(
                    hsm::soft::KeyAttributes::of(KeyUsage::PinEncryption, crate::bench::cipher(to)),
                    &OTHER_KEY,
                );
                let reference = bench.reference(&ibm(), "314159");
                let verified = bench.verify(PinKey::Key(&tpk.unwrap()), to, out, &reference).await;
                assert!(matches!(verified, PinOutcome::Verified(_)), "{from:?} to {to:?}: {verified:?}");
            }
            // A block made for another PAN does not come through: format 1 alone has no PAN to disagree with.
            let changed = translate(&bench, from, to, OTHER_PAN).await;
            assert_eq!(
                changed.is_ok(),
                allowed && from == PinBlockFormat::Iso1,
                "{from:?} to {to:?}, other PAN"
            );
        }
    }
}

#[tokio::test]
async fn a_key_that_leaves_does_not_decrypt_and_a_key_that_comes_does_not_encrypt() {
    let bench = bench();
    let (tpk, zone_key) = (bench.tpk(PinBlockFormat::Iso0), bench.zone_key(PinBlockFormat::Iso0));
    let request = |from, to| TranslatePin {
        pan: &bench.pan,
        from: PinKey::Key(from),
        block: block(&KEY, PinBlockFormat::Iso0, PAN, "314159"),
        from_format: PinBlockFormat::Iso0,
        zone_key: to,
        to_format: PinBlockFormat::Iso0,
    };
    assert_eq!(
        bench.module.translate_pin(request(&zone_key, &zone_key)).await.err(),
        Some(Unverifiable::Key)
    );
    assert_eq!(bench.module.translate_pin(request(&tpk, &tpk)).await.err(), Some(Unverifiable::Key));
}

#[tokio::test]
async fn a_pin_changes_only_for_whoever_knows_the_old_one() {
    let bench = bench();
    let format = PinBlockFormat::Iso0;
    let tpk = bench.tpk(format);
    for method in [pvv(), ibm()] {
        let reference = bench.reference(&method, "1234");
        let change = |old: &str, new: &str| {
            let verify = VerifyPin {
                card: CARD,
                pan: &bench.pan,
                key: PinKey::Key(&tpk),
                block: block(&KEY, format, PAN, old),
                format,
                reference: &reference,
            };
            bench.module.change_pin(ChangePin {
                verify,
                new_block: block(&KEY, format, PAN, new),
                rules: NewPinRules::any(),
            })
        };
        assert_eq!(change("1235", "9876").await, Err(PinChangeRefused::Mismatch));
        assert_eq!(change("1234", "1234").await, Err(PinChangeRefused::NewPinRefused));
        let changed = change("1234", "9876").await.unwrap();
        assert_eq!(changed.verified.card(), CARD);
        assert_eq!(changed.reference, bench.reference(&method, "9876"));
        let garbled = VerifyPin {
            card: CARD,
            pan: &bench.pan,
            key: PinKey::Key(&tpk),
            block: block(&KEY, format, PAN, "1234"),
            format,
            reference: &reference,
        };
        let new_block = block(&OTHER_KEY, format, PAN, "9876");
        let refused = bench
            .module
            .change_pin(ChangePin { verify: garbled, new_block, rules: NewPinRules::any() })
            .await;
        assert_eq!(refused, Err(PinChangeRefused::Unverifiable(Unverifiable::PinBlockFormat)));
    }
}

#[tokio::test]
async fn a_guessable_or_used_pin_is_refused_inside_the_module() {
    let bench = bench();
    let format = PinBlockFormat::Iso0;
    let tpk = bench.tpk(format);
    let holder = HolderDigits { birth_date: PersonalDigits::of("19870326"), ..HolderDigits::default() };
    for method in [pvv(), ibm()] {
        let reference = bench.reference(&method, "7294");
        let earlier = [bench.reference(&method, "8068"), bench.reference(&method, "4071")];
        let rules = PinRules { length_min: 4, length_max: 6, refuse_guessable: true, history: 3 };
        let change = |new: &str| {
            let verify = VerifyPin {
                card: CARD,
                pan: &bench.pan,
                key: PinKey::Key(&tpk),
                block: block(&KEY, format, PAN, "7294"),
                format,
                reference: &reference,
            };
            let rules = NewPinRules { rules, holder: &holder, earlier: &earlier };
            bench.module.change_pin(ChangePin { verify, new_block: block(&KEY, format, PAN, new), rules })
        };
        for refused in ["1234", "1122", "2580", "8726", "2603", "8068", "4071", "7294", "7392815"] {
            assert_eq!(change(refused).await, Err(PinChangeRefused::NewPinRefused), "{method:?}: {refused}");
        }
        assert!(change("739281").await.is_ok());
    }
}
