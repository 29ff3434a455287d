//! Every verb, with right and wrong input, compared with our own cryptography.

use hsm::{
    ChangePin, Direction, EncryptedPinBlock, MacAlgorithm, MacKey, MacOutcome, ModuleError, NewPinRules,
    PinChangeRefused, SecurityModule, TranslatePin, WorkKeyLayout,
};
use model::{KeyBlock, KeyScheme, PinBlockFormat, PinOutcome, PinReference, PinVerified, Unverifiable};
use paycrypto::{
    dukpt, kcv,
    key::{AesKey, BlockKey, TdesKey},
    mac,
    pin::{PanForPin, Pin},
    pin_block, pin_verify,
};

use crate::peer::{
    AES_KSN, BDK, CARD, Keys, PIN, Peer, TAK, TDES_KSN, TMK, Under, WRONG, World, ZPK_OUT, account, aes,
    aes_transaction, pan, tdes, verification, world,
};

async fn verify(
    world: &World,
    under: Under,
    block: EncryptedPinBlock,
    reference: &PinReference,
) -> PinOutcome {
    let (ksn, pan) = (under.admitted(), pan());
    world.pool.verify_pin(verification(under, &world.keys, &ksn, &pan, block, reference)).await
}

fn right() -> PinOutcome {
    PinOutcome::Verified(PinVerified::attest(CARD))
}

#[tokio::test]
async fn pins_are_verified_under_every_key_and_by_both_methods() {
    let peer = Peer::start(&[]);
    let world = world(&[&peer]).await;
    for (reference, codes) in [(&world.pvv, ["DC", "EC", "GQ"]), (&world.offset, ["DA", "EA", "GO"])] {
        for under in Under::ALL {
            assert_eq!(verify(&world, under, under.block(PIN), reference).await, right(), "{under:?}");
            assert_eq!(verify(&world, under, under.block(WRONG), reference).await, PinOutcome::Mismatch);
            let length = under.block(PIN).as_bytes().len();
            let garbled = EncryptedPinBlock::new(&[0x5A; 16][..length]).unwrap();
            let fault = PinOutcome::Unverifiable(Unverifiable::PinBlockFormat);
            assert_eq!(verify(&world, under, garbled, reference).await, fault, "{under:?}");
        }
        assert!(codes.iter().all(|code| peer.count(code) >= 3), "{codes:?}: {}", peer.tell("stats"));
    }
}

#[tokio::test]
async fn references_are_those_of_our_own_cryptography() {
    let peer = Peer::start(&[]);
    let world = world(&[&peer]).await;
    let pin = Pin::from_ascii(PIN.as_bytes()).unwrap();
    let index = pin_verify::pvv::Pvki::new(1).unwrap();
    let pvv = pin_verify::pvv::generate(&TdesKey::double(&tdes(7)), index, &pin, &account());
    let expected = PinReference::Pvv { key: "bank".to_owned(), pvki: 1, pvv: pvv.expose_ascii() };
    assert!(world.pvv == expected);
    let table = pin_verify::ibm3624::DecimalisationTable::new("0123456789012345").unwrap();
    let data = pin_verify::ibm3624::ValidationData::from_template("1234567890AN", &account()).unwrap();
    // A key of equal halves is single DES.
    let half = &tdes(8)[..8];
    let single = TdesKey::new(&[half, half].concat()).unwrap();
    let offset = pin_verify::ibm3624::offset(&single, &table, data, &pin, 4).unwrap();
    let expected = PinReference::Ibm3624 { key: "bank".to_owned(), offset: offset.expose_ascii().to_vec() };
    assert!(world.offset == expected);
}

#[tokio::test]
async fn what_the_device_cannot_do_is_refused_without_asking_it() {
    let peer = Peer::start(&[]);
    let world = world(&[&peer]).await;
    let before = peer.count("DC");
    let (ksn, pan) = (Under::Tpk.admitted(), pan());
    let unverifiable = PinOutcome::Unverifiable;
    let ask = async |format, key: &str, block: EncryptedPinBlock| {
        let reference = PinReference::Pvv { key: key.to_owned(), pvki: 1, pvv: *b"1234" };
        let mut request = verification(Under::Tpk, &world.keys, &ksn, &pan, block, &reference);
        request.format = format;
        world.pool.verify_pin(request).await
    };
    let block = || Under::Tpk.block(PIN);
    for format in [PinBlockFormat::Iso2, PinBlockFormat::Sm4Layout1, PinBlockFormat::Iso4] {
        assert_eq!(ask(format, "bank", block()).await, unverifiable(Unverifiable::Unsupported), "{format:?}");
    }
    assert_eq!(ask(PinBlockFormat::Iso0, "other", block()).await, unverifiable(Unverifiable::Key));
    assert_eq!(peer.count("DC"), before);
    assert!(!world.pool.supports_scheme(KeyScheme::Sm4) && world.pool.supports_scheme(KeyScheme::AesDukpt));
    assert!(
        !world.pool.supports_mac(MacAlgorithm::CupEcb8) && world.pool.supports_mac(MacAlgorithm::CupEcb16)
    );
    assert!(world.pool.is_secure_device());
    assert!(
        world.pool.describe().starts_with("payShield (0007-E000, LMK check value "),
        "{}",
        world.pool.describe()
    );
    world.pool.check().await.unwrap();
}

#[tokio::test]
async fn keys_of_another_usage_or_altered_are_key_faults() {
    let peer = Peer::start(&[]);
    let world = world(&[&peer]).await;
    let (ksn, pan) = (Under::Tpk.admitted(), pan());
    let altered = {
        let text = world.keys.tpk.as_str();
        let last = if text.ends_with('0') { '1' } else { '0' };
        KeyBlock::new(format!("{}{last}", &text[..text.len() - 1]))
    };
    let variant = KeyBlock::new(format!("U{}", "0123456789ABCDEF".repeat(2)));
    for key in [&world.keys.tak, &altered, &variant, &KeyBlock::new("garbage".to_owned())] {
        let mut request =
            verification(Under::Tpk, &world.keys, &ksn, &pan, Under::Tpk.block(PIN), &world.pvv);
        request.key = hsm::PinKey::Key(key);
        assert_eq!(
            world.pool.verify_pin(request).await,
            PinOutcome::Unverifiable(Unverifiable::Key),
            "{key:?}"
        );
        let refused = world.pool.generate_mac(MacKey::Key(key), MacAlgorithm::X919, b"message").await;
        if *key != world.keys.tak {
            assert!(matches!(refused, Err(ModuleError::KeyRefused(_))), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn pin_blocks_are_translated_for_the_next_zone() {
    let peer = Peer::start(&[]);
    let world = world(&[&peer]).await;
    let (pan, whole) = (pan(), PanForPin::new(pan().reveal()).unwrap());
    let translate = async |under: Under, to_format, zone_key: &KeyBlock| {
        let ksn = under.admitted();
        let from = under.key(&world.keys, &ksn);
        let (block, from_format) = (under.block(PIN), under.format());
        let request = TranslatePin { pan: &pan, from, block, from_format, zone_key, to_format };
        world.pool.translate_pin(request).await
    };
    let pin = Pin::from_ascii(PIN.as_bytes()).unwrap();
    let same = |decoded: Pin| decoded.expose_digits() == pin.expose_digits();
    let out = TdesKey::double(&tdes(ZPK_OUT));
    for under in Under::ALL {
        let block = translate(under, PinBlockFormat::Iso0, &world.keys.zpk_out).await.unwrap();
        let clear = pin_block::ClearPinBlock::decrypt(&out, block.as_bytes().try_into().unwrap());
        assert!(same(pin_block::decode_format_0(&clear, &account()).unwrap()), "{under:?}");
        let block = translate(under, PinBlockFormat::Iso3, &world.keys.zpk_out).await.unwrap();
        let clear = pin_block::ClearPinBlock::decrypt(&out, block.as_bytes().try_into().unwrap());
        assert!(same(pin_block::decode_format_3(&clear, &account()).unwrap()), "{under:?}");
        let block = translate(under, PinBlockFormat::Iso4, &world.keys.zpk_aes_out).await.unwrap();
        let key = AesKey::new(&aes(ZPK_OUT)).unwrap();
        let decoded =
            pin_block::decrypt_format_4(&key, block.as_bytes().try_into().unwrap(), &whole).unwrap();
        assert!(same(decoded), "{under:?}");
        let stripped = translate(under, PinBlockFormat::Iso1, &world.keys.zpk_out).await;
        assert_eq!(stripped.err(), Some(Unverifiable::Unsupported), "never into format 1");
        let wrong_key = translate(under, PinBlockFormat::Iso0, &world.keys.tak).await;
        assert_eq!(wrong_key.err(), Some(Unverifiable::Key));
    }
}

#[tokio::test]
async fn pins_are_changed_only_after_the_old_one() {
    let peer = Peer::start(&[]);
    let world = world(&[&peer]).await;
    let pan = pan();
    let change = async |under: Under, old: &str, new: EncryptedPinBlock, reference: &PinReference| {
        let ksn = under.admitted();
        let verify = verification(under, &world.keys, &ksn, &pan, under.block(old), reference);
        world.pool.change_pin(ChangePin { verify, new_block: new, rules: NewPinRules::any() }).await
    };
    for reference in [&world.pvv, &world.offset] {
        for under in Under::ALL {
            let changed = change(under, PIN, under.block("8260"), reference).await.unwrap().reference;
            assert_eq!(verify(&world, under, under.block("8260"), &changed).await, right(), "{under:?}");
            assert_eq!(verify(&world, under, under.block(PIN), &changed).await, PinOutcome::Mismatch);
            let refused = change(under, WRONG, under.block("8260"), reference).await;
            assert_eq!(refused, Err(PinChangeRefused::Mismatch), "{under:?}");
            let refused = change(under, PIN, under.block(PIN), reference).await;
            assert_eq!(refused, Err(PinChangeRefused::NewPinRefused), "{under:?}");
            let garbled = EncryptedPinBlock::new(&[0x5A; 16][..under.block(PIN).as_bytes().len()]).unwrap();
            let refused = change(under, PIN, garbled, reference).await;
            let fault = PinChangeRefused::Unverifiable(Unverifiable::PinBlockFormat);
            assert_eq!(refused, Err(fault), "{under:?}");
        }
    }
}

#[tokio::test]
async fn authentication_codes_are_those_of_our_own_cryptography() {
    let peer = Peer::start(&[]);
    let world = world(&[&peer]).await;
    let tak = TdesKey::double(&tdes(TAK));
    let ksn = dukpt::tdes::KeySerialNumber::from_slice(&hex::decode(TDES_KSN).unwrap()).unwrap();
    let transaction = dukpt::tdes::BaseDerivationKey::new(&tdes(BDK)).unwrap().transaction_key(&ksn);
    let aes_mac_key = |usage| {
        let key = aes_transaction().working_key(usage, dukpt::aes::KeyType::Aes128).unwrap();
        key.to_aes().unwrap()
    };
    let derived = |text: &str, bdk, direction| MacKey::Derived { bdk, ksn: text.parse().unwrap(), direction };
    let first = |whole: [u8; 16]| <[u8; 8]>::try_from(&whole[..8]).unwrap();
    let Keys { tak: m3, tak_1: m1, tak_aes: m6, bdk, bdk_aes, .. } = &world.keys;
    let (request, answer) = (Direction::Request, Direction::Answer);
    for length in [1, 8, 15, 16, 17, 200, 1000] {
        let message: Vec<u8> = (0..length).map(|i| u8::try_from(i * 7 % 256).unwrap()).collect();
        let (x919, cup, cmac) = (MacAlgorithm::X919, MacAlgorithm::CupEcb16, MacAlgorithm::Cmac);
        let usage = [dukpt::aes::KeyUsage::MacGeneration, dukpt::aes::KeyUsage::MacVerification];
        let [aes_request, aes_answer] = usage.map(aes_mac_key);
        for (key, algorithm, expect) in [
            (MacKey::Key(m3), x919, mac::x9_19(&tak, &message)),
            (MacKey::Key(m3), cup, mac::union_pay_ecb(&tak, &message)),
            (MacKey::Key(m1), cup, mac::union_pay_ecb(&tak, &message)),
            (MacKey::Key(m6), cmac, first(mac::cmac(&AesKey::new(&aes(TAK)).unwrap(), &message))),
            (derived(TDES_KSN, bdk, request), x919, mac::x9_19(&transaction.mac_request_key(), &message)),
            (derived(TDES_KSN, bdk, answer), x919, mac::x9_19(&transaction.mac_response_key(), &message)),
            (derived(AES_KSN, bdk_aes, request), cmac, first(mac::cmac(&aes_request, &message))),
            (derived(AES_KSN, bdk_aes, answer), cmac, first(mac::cmac(&aes_answer, &message))),
        ] {
            let made = world.pool.generate_mac(key, algorithm, &message).await.unwrap();
            assert_eq!(hex::encode(made), hex::encode(expect), "{key:?} {algorithm:?} {length}");
            let valid = world.pool.verify_mac(key, algorithm, &message, &made).await;
            assert_eq!(valid, Ok(MacOutcome::Valid), "{key:?} {algorithm:?} {length}");
            let mut wrong = made;
            wrong[7] = if wrong[7] == b'0' { b'1' } else { b'0' };
            let invalid = world.pool.verify_mac(key, algorithm, &message, &wrong).await;
            assert_eq!(invalid, Ok(MacOutcome::Invalid), "{key:?} {algorithm:?} {length}");
        }
    }
    let no_text = world.pool.verify_mac(MacKey::Key(m3), MacAlgorithm::CupEcb16, b"x", &[0xFF; 8]).await;
    assert_eq!(no_text, Ok(MacOutcome::Invalid));
    let other = world.pool.generate_mac(MacKey::Key(m3), MacAlgorithm::CupEcb8, b"x").await;
    assert!(matches!(other, Err(ModuleError::Unsupported(_))), "{other:?}");
    let wrong_usage = world.pool.generate_mac(MacKey::Key(m1), MacAlgorithm::X919, b"x").await;
    assert!(matches!(wrong_usage, Err(ModuleError::KeyRefused(_))), "{wrong_usage:?}");
}

#[tokio::test]
async fn work_keys_are_what_the_terminal_gets() {
    let peer = Peer::start(&[]);
    let world = world(&[&peer]).await;
    let tmk = TdesKey::double(&tdes(TMK));
    for (layout, count) in [(WorkKeyLayout::DoubleLength, 2), (WorkKeyLayout::DoubleLengthWithTrackKey, 3)] {
        let made = world.pool.generate_work_keys(&world.keys.tmk, layout).await.unwrap();
        assert_eq!((made.for_terminal.len(), made.check_values.len()), (20 * count, count));
        assert_eq!(made.tdk.is_some(), count == 3);
        let mut clear_keys = Vec::new();
        for (part, value) in made.for_terminal.chunks(20).zip(&made.check_values) {
            let mut clear: [u8; 16] = part[..16].try_into().unwrap();
            for block in clear.as_chunks_mut::<8>().0 {
                tmk.decrypt_block(block);
            }
            let key = TdesKey::double(&clear);
            let expect = kcv::check_value(kcv::KcvMethod::TdesZeros, &key, 4).unwrap();
            assert_eq!((expect.bytes(), &part[16..]), (&value.0[..], &value.0[..]));
            clear_keys.push(key);
        }
        // The TAK that the terminal got is the one that the device keeps.
        let code =
            world.pool.generate_mac(MacKey::Key(&made.tak), MacAlgorithm::X919, b"sign-in").await.unwrap();
        assert_eq!(code, mac::x9_19(&clear_keys[1], b"sign-in"));
        let cup = world.pool.generate_mac(MacKey::Key(&made.tak), MacAlgorithm::CupEcb16, b"sign-in").await;
        assert_eq!(cup, Ok(mac::union_pay_ecb(&clear_keys[1], b"sign-in")));
        // And the TPK.
        let pin = Pin::from_ascii(PIN.as_bytes()).unwrap();
        let block = pin_block::encode_format_0(&pin, &account()).encrypt(&clear_keys[0]);
        let (ksn, pan) = (Under::Tpk.admitted(), pan());
        let block = EncryptedPinBlock::new(&block).unwrap();
        let mut request = verification(Under::Tpk, &world.keys, &ksn, &pan, block, &world.pvv);
        request.key = hsm::PinKey::Key(&made.tpk);
        assert_eq!(world.pool.verify_pin(request).await, right());
    }
    let sm4 = world.pool.generate_work_keys(&world.keys.tmk, WorkKeyLayout::Sm4).await;
    assert!(matches!(sm4.err(), Some(ModuleError::Unsupported(_))));
    let no_tmk = world.pool.generate_work_keys(&world.keys.tak, WorkKeyLayout::DoubleLength).await;
    assert!(matches!(no_tmk.err(), Some(ModuleError::KeyRefused(_))));
}
