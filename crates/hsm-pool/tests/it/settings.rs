//! Settings of devices: header lengths, LMK numbers, variant LMKs; and what `hsm check` finds.

use hsm::{
    EncryptedPinBlock, MacAlgorithm, MacKey, MacOutcome, PinKey, SecurityModule, WorkKeyLayout,
    payshield::{
        command::{Attributes, KeyType},
        loader::{TestKey, TestPin},
    },
    soft::ReferenceMethod,
};
use hsm_pool::{Finding, KeyText, Level, Loader, Pool, PoolConfig, examine};
use model::{KeyBlock, PinOutcome, PinVerified, Unverifiable};
use paycrypto::{key::TdesKey, key_block::Algorithm, mac, pin::Pin, pin_block};

use crate::peer::{
    CARD, PIN, Peer, TAK, TMK, TPK, Under, WRONG, ZPK, account, pan, quick, tdes, verification, world,
};

#[tokio::test]
async fn headers_of_any_length() {
    for length in ["1", "2", "12", "255"] {
        let peer = Peer::start(&["--header-length", length]);
        let config = PoolConfig { header_length: length.parse().unwrap(), ..quick(&[&peer]) };
        let pool = Pool::start(&config).await.unwrap();
        pool.check().await.unwrap();
        let wrong = PoolConfig { header_length: config.header_length % 255 + 1, ..config };
        let pool = Pool::start(&wrong).await.unwrap();
        assert!(pool.check().await.is_err(), "{length}");
    }
}

#[tokio::test]
async fn the_lmks_number_is_named_in_every_command() {
    let peer = Peer::start(&["--lmk-id", "07"]);
    let mut world = world(&[&peer]).await;
    let (ksn, pan) = (Under::Tpk.admitted(), pan());
    for (number, works) in [(7, true), (8, false)] {
        let config = PoolConfig { lmk: Some(number), ..world.config.clone() };
        world.pool = Pool::start(&config).await.unwrap();
        let block = Under::Tpk.block(PIN);
        let request = verification(Under::Tpk, &world.keys, &ksn, &pan, block, &world.pvv);
        let expect = if works {
            PinOutcome::Verified(PinVerified::attest(CARD))
        } else {
            PinOutcome::Unverifiable(Unverifiable::ModuleUnavailable)
        };
        assert_eq!(world.pool.verify_pin(request).await, expect);
        let keys = world.pool.generate_work_keys(&world.keys.tmk, WorkKeyLayout::DoubleLength).await;
        assert_eq!(keys.is_ok(), works);
        let code = world.pool.generate_mac(MacKey::Key(&world.keys.tak), MacAlgorithm::X919, b"m").await;
        assert_eq!(code.is_ok(), works);
    }
}

#[tokio::test]
async fn codes_with_their_length_before_them() {
    let peer = Peer::start(&["--m7-length"]);
    let world = world(&[&peer]).await;
    let tak = TdesKey::double(&tdes(TAK));
    let key = MacKey::Key(&world.keys.tak);
    let code = world.pool.generate_mac(key, MacAlgorithm::X919, b"message").await;
    assert_eq!(code, Ok(mac::x9_19(&tak, b"message")));
    let code = world.pool.generate_mac(key, MacAlgorithm::CupEcb16, b"message").await;
    assert_eq!(code, Ok(mac::union_pay_ecb(&tak, b"message")));
}

#[tokio::test]
async fn variant_keys_are_taken_only_where_the_configuration_says_so() {
    let peer = Peer::start(&["--lmk", "variant"]);
    let config = PoolConfig { allow_variant_keys: true, ..quick(&[&peer]) };
    let pool = Pool::start(&config).await.unwrap();
    let import = async |key_type, clear: &[u8]| {
        let attributes = Attributes { usage: "00", mode: 'N', exportability: 'N' };
        let of = TestKey { attributes, key_type, algorithm: Algorithm::Tdea };
        Loader::new(&pool).import(&peer.zone_master_key(Algorithm::Tdea), of, clear).await.unwrap().0
    };
    let tpk = import(KeyType::Tpk, &tdes(TPK)).await;
    let zpk = import(KeyType::Zpk, &tdes(ZPK)).await;
    let tak = import(KeyType::Tak, &tdes(TAK)).await;
    let tmk = import(KeyType::Tpk, &tdes(TMK)).await;
    let pvk = import(KeyType::Tpk, &tdes(7)).await;
    let mut config = config;
    config.pvv.insert("bank".to_owned(), KeyText(pvk.as_str().to_owned()));
    let pool = Pool::start(&config).await.unwrap();
    let (clear, pan) = (TdesKey::double(&tdes(ZPK)), pan());
    let test = TestPin { zone_key: &zpk, clear_zone_key: &clear, pan: &pan, pin: PIN };
    let method = ReferenceMethod::Pvv { key: "bank".to_owned(), pvki: 1 };
    let reference = Loader::new(&pool).reference(&test, &method).await.unwrap();
    let verify = async |pool: &Pool, key: &KeyBlock, clear: &TdesKey, pin: &str| {
        let pin = Pin::from_ascii(pin.as_bytes()).unwrap();
        let block = pin_block::encode_format_0(&pin, &account()).encrypt(clear);
        let block = EncryptedPinBlock::new(&block).unwrap();
        let key = PinKey::Key(key);
        let format = Under::Tpk.format();
        let request = hsm::VerifyPin { card: CARD, pan: &pan, key, block, format, reference: &reference };
        pool.verify_pin(request).await
    };
    let clear = TdesKey::double(&tdes(TPK));
    let right = PinOutcome::Verified(PinVerified::attest(CARD));
    assert_eq!(verify(&pool, &tpk, &clear, PIN).await, right);
    assert_eq!(verify(&pool, &tpk, &clear, WRONG).await, PinOutcome::Mismatch);
    let code = pool.generate_mac(MacKey::Key(&tak), MacAlgorithm::X919, b"message").await.unwrap();
    let tak_clear = TdesKey::double(&tdes(TAK));
    assert_eq!(code, mac::x9_19(&tak_clear, b"message"));
    let cup = pool.generate_mac(MacKey::Key(&tak), MacAlgorithm::CupEcb16, b"message").await.unwrap();
    assert_eq!(cup, mac::union_pay_ecb(&tak_clear, b"message"));
    let checked = pool.verify_mac(MacKey::Key(&tak), MacAlgorithm::CupEcb16, b"message", &cup).await;
    assert_eq!(checked, Ok(MacOutcome::Valid));
    let made = pool.generate_work_keys(&tmk, WorkKeyLayout::DoubleLength).await.unwrap();
    assert!(made.tpk.as_str().starts_with('U') && made.for_terminal.len() == 40);
    assert!(
        examine(&config).await.iter().any(|f| f.level == Level::Warn && f.text.contains("no key blocks"))
    );

    let strict = PoolConfig { allow_variant_keys: false, pvv: [].into(), ..config.clone() };
    let pool = Pool::start(&strict).await.unwrap();
    assert_eq!(verify(&pool, &tpk, &clear, PIN).await, PinOutcome::Unverifiable(Unverifiable::Key));
    assert_eq!(PoolConfig { allow_variant_keys: false, ..config }.check().len(), 1);
}

fn texts(findings: &[Finding], level: Level) -> Vec<&str> {
    findings.iter().filter(|f| f.level == level).map(|f| f.text.as_str()).collect()
}

#[tokio::test]
async fn an_examination_tells_what_works_and_what_does_not() {
    let (first, second) = (Peer::start(&[]), Peer::start(&[]));
    let world = world(&[&first, &second]).await;
    let findings = examine(&world.config).await;
    assert_eq!(texts(&findings, Level::Fail), Vec::<&str>::new(), "{findings:#?}");
    let ok = texts(&findings, Level::Ok).join("\n");
    for expected in [
        "makes sense",
        "answers NC: firmware 0007-E000",
        "20 echoes (B2)",
        "takes pvv.bank, check value",
        "the same LMK",
    ] {
        assert!(ok.contains(expected), "{expected}: {ok}");
    }
    assert!(ok.contains("takes ibm3624.bank") && ok.contains("takes transfer_key"));

    second.fault("dead");
    first.fault("error=68");
    let findings = examine(&world.config).await;
    let fail = texts(&findings, Level::Fail).join("\n");
    assert!(fail.contains("cannot be reached") && fail.contains("error 68 (command disabled)"), "{fail}");
    first.fault("none");

    let other = Peer::start(&["--lmk", "variant"]);
    let mut config = world.config.clone();
    config.addresses = vec![first.host.clone(), other.host.clone()];
    let findings = examine(&config).await;
    let fail = texts(&findings, Level::Fail).join("\n");
    assert!(fail.contains("different LMKs") && fail.contains("refuses pvv.bank"), "{fail}");
    config.addresses.clear();
    assert_eq!(examine(&config).await.len(), 1);
}
