//! A PIN that the holder typed on a page: the other side of the channel, as the page's script does it.

use hsm::{
    NewPinRules, PinBlockFormat, PinChangeRefused, PinChanged, PinEntry, PinKey, SecurityModule, SetPin,
    SetPinRefused,
};
use model::{CardId, NOBODY, PinOutcome, PinReference, PinRules, Unverifiable};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral},
    hkdf::{HKDF_SHA256, Salt},
    rand::SystemRandom,
    signature::{ED25519, UnparsedPublicKey as Verifier},
};

use crate::bench::{Bench, CARD, KEY, PAN, bench, block, ibm, pvv};

const CONTEXT: &[u8] = b"pinward pin entry v1";

struct Typed {
    key: Vec<u8>,
    sealed: Vec<u8>,
}

/// What the page makes of digits.
fn typed(entry: &PinEntry, digits: &str) -> Typed {
    typed_together(entry, &[digits])
}

fn typed_together(entry: &PinEntry, pins: &[&str]) -> Typed {
    Verifier::new(&ED25519, &entry.signer)
        .verify(&[CONTEXT, &entry.id, &entry.key].concat(), &entry.signature)
        .unwrap();
    let private = EphemeralPrivateKey::generate(&ECDH_P256, &SystemRandom::new()).unwrap();
    let key = private.compute_public_key().unwrap().as_ref().to_vec();
    let info = [CONTEXT, &entry.key, &key];
    let sealing = agree_ephemeral(private, &UnparsedPublicKey::new(&ECDH_P256, &entry.key), |shared| {
        let derived = Salt::new(HKDF_SHA256, &entry.id).extract(shared);
        LessSafeKey::new(UnboundKey::from(derived.expand(&info, &AES_256_GCM).unwrap()))
    });
    let field = |digits: &&str| format!("4{:X}{digits:A<14}0123456789ABCDEF", digits.len());
    let mut sealed = hex::decode(pins.iter().map(field).collect::<String>()).unwrap();
    let nonce = [7; 12];
    sealing
        .unwrap()
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(entry.id), &mut sealed)
        .unwrap();
    Typed { key, sealed: [&nonce[..], &sealed].concat() }
}

fn request<'a>(bench: &'a Bench, entry: &PinEntry, typed: &'a Typed, like: &'a PinReference) -> SetPin<'a> {
    let rules = PinRules { length_min: 4, length_max: 6, refuse_guessable: true, history: 1 };
    SetPin {
        card: CARD,
        pan: &bench.pan,
        entry: entry.id,
        key: &typed.key,
        sealed: &typed.sealed,
        rules: NewPinRules { rules, holder: &NOBODY, earlier: &[] },
        like,
    }
}

async fn set(
    bench: &Bench,
    entry: &PinEntry,
    typed: &Typed,
    like: &PinReference,
) -> Result<PinReference, SetPinRefused> {
    bench.module.set_pin(request(bench, entry, typed, like)).await
}

async fn change(bench: &Bench, pins: [&str; 2], like: &PinReference) -> Result<PinChanged, PinChangeRefused> {
    let entry = bench.module.open_pin_entry(&CARD).await.unwrap();
    let typed = typed_together(&entry, &pins);
    bench.module.change_entered_pin(request(bench, &entry, &typed, like)).await
}

#[tokio::test]
async fn a_pin_is_changed_on_a_page_only_behind_the_right_one() {
    let bench = bench();
    for method in [pvv(), ibm()] {
        let like = bench.reference(&method, "8305");
        let changed = change(&bench, ["8305", "7294"], &like).await.unwrap();
        assert_eq!(changed.reference, bench.reference(&method, "7294"));
        assert_eq!(changed.verified.card(), CARD);
        for (pins, refused) in [
            (["8306", "7294"], PinChangeRefused::Mismatch),
            // whether a new one is allowed is nobody's business who does not know the old one
            (["8306", "1234"], PinChangeRefused::Mismatch),
            (["8305", "1234"], PinChangeRefused::NewPinRefused),
            (["8305", "8305"], PinChangeRefused::NewPinRefused),
            (["8305", "7294183"], PinChangeRefused::NewPinRefused),
        ] {
            assert_eq!(change(&bench, pins, &like).await, Err(refused), "{pins:?}");
        }
    }
}

#[tokio::test]
async fn one_pin_is_no_change_and_two_are_no_new_pin() {
    let bench = bench();
    let like = bench.reference(&pvv(), "8305");
    let entry = bench.module.open_pin_entry(&CARD).await.unwrap();
    let alone = typed(&entry, "7294");
    let refused = bench.module.change_entered_pin(request(&bench, &entry, &alone, &like)).await;
    assert_eq!(refused, Err(PinChangeRefused::Unverifiable(Unverifiable::PinBlockFormat)));
    let entry = bench.module.open_pin_entry(&CARD).await.unwrap();
    let both = typed_together(&entry, &["8305", "7294"]);
    assert_eq!(set(&bench, &entry, &both, &like).await, Err(SetPinRefused::NoSuchEntry));
    // and the entry is used
    let again = bench.module.change_entered_pin(request(&bench, &entry, &both, &like)).await;
    assert_eq!(again, Err(PinChangeRefused::Unverifiable(Unverifiable::PinBlockFormat)));
}

#[tokio::test]
async fn a_pin_that_was_typed_on_a_page_becomes_a_reference_and_pays() {
    let bench = bench();
    for method in [pvv(), ibm()] {
        let like = bench.reference(&method, "1234");
        let entry = bench.module.open_pin_entry(&CARD).await.unwrap();
        let made = set(&bench, &entry, &typed(&entry, "7294"), &like).await.unwrap();
        assert_eq!(made, bench.reference(&method, "7294"));
        let tpk = bench.tpk(PinBlockFormat::Iso0);
        let sent = block(&KEY, PinBlockFormat::Iso0, PAN, "7294");
        let paid = bench.verify(PinKey::Key(&tpk), PinBlockFormat::Iso0, sent, &made).await;
        assert!(matches!(paid, PinOutcome::Verified(_)));
    }
}

#[tokio::test]
async fn an_entry_is_used_once_and_for_its_card() {
    let bench = bench();
    let like = bench.reference(&pvv(), "1234");
    let entry = bench.module.open_pin_entry(&CARD).await.unwrap();
    let good = typed(&entry, "7294");
    assert!(set(&bench, &entry, &good, &like).await.is_ok());
    assert_eq!(set(&bench, &entry, &good, &like).await, Err(SetPinRefused::NoSuchEntry), "used");
    let others = bench.module.open_pin_entry(&CardId([0xEE; 16])).await.unwrap();
    assert_eq!(set(&bench, &others, &typed(&others, "7294"), &like).await, Err(SetPinRefused::NoSuchEntry));
    let first = bench.module.open_pin_entry(&CARD).await.unwrap();
    let second = bench.module.open_pin_entry(&CARD).await.unwrap();
    assert_eq!(set(&bench, &first, &typed(&first, "7294"), &like).await, Err(SetPinRefused::NoSuchEntry));
    assert_eq!(set(&bench, &second, &typed(&second, "1111"), &like).await, Err(SetPinRefused::NewPinRefused));
    assert_eq!(set(&bench, &second, &typed(&second, "7294"), &like).await, Err(SetPinRefused::NoSuchEntry));
}

#[tokio::test]
async fn a_cipher_text_that_was_changed_is_none() {
    let bench = bench();
    let like = bench.reference(&pvv(), "1234");
    for bit in (0..(12 + 16 + 16) * 8).step_by(9) {
        let entry = bench.module.open_pin_entry(&CARD).await.unwrap();
        let mut changed = typed(&entry, "7294");
        changed.sealed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(set(&bench, &entry, &changed, &like).await, Err(SetPinRefused::NoSuchEntry), "bit {bit}");
    }
    for digits in ["729", "7294728364728", "72B4"] {
        let entry = bench.module.open_pin_entry(&CARD).await.unwrap();
        assert!(set(&bench, &entry, &typed(&entry, digits), &like).await.is_err(), "{digits}");
    }
}

/// Whoever is inside and asks for references of all PINs, to compare them with a stored one, is stopped long before.
#[tokio::test]
async fn references_cannot_be_made_at_will() {
    let bench = bench();
    let like = bench.reference(&pvv(), "1234");
    let mut made = 0;
    for guess in 0..60 {
        let entry = bench.module.open_pin_entry(&CARD).await.unwrap();
        let pin = format!("7{:05}", 3_917 * guess % 100_000);
        made += u32::from(set(&bench, &entry, &typed(&entry, &pin), &like).await.is_ok());
    }
    assert!((20..=50).contains(&made), "{made}");
}
