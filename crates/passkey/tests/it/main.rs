//! An authenticator in software against the relying party: what is right is taken, everything else is refused for its own reason,
//! and no bytes make a parser fall over.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use passkey::{
    Assertion, AssertionText, Credential, Refused, RegistrationText, RelyingParty, assert, register,
    soft::SoftAuthenticator,
};
use proptest::prelude::*;

const ADDRESS: &str = "https://bank.example";
const CHALLENGE: &[u8] = b"sixteen bytes and a few more";

fn party() -> RelyingParty {
    RelyingParty::of_address(ADDRESS).unwrap()
}

fn telephone() -> SoftAuthenticator {
    SoftAuthenticator::new(ADDRESS, "bank.example")
}

fn registered(phone: &mut SoftAuthenticator) -> Credential {
    let sent = phone.create(CHALLENGE, b"li.na").unwrap().read().unwrap();
    register(&party(), CHALLENGE, &sent).unwrap()
}

fn asserted(phone: &mut SoftAuthenticator) -> Assertion {
    phone.get(CHALLENGE, None).unwrap().read().unwrap()
}

#[test]
fn a_passkey_is_registered_and_counts_on() {
    for ed25519 in [false, true] {
        let mut phone = telephone();
        let text = if ed25519 {
            phone.create_ed25519(CHALLENGE, b"li.na").unwrap()
        } else {
            phone.create(CHALLENGE, b"li.na").unwrap()
        };
        let sent = text.read().unwrap();
        assert_eq!(sent.challenge().unwrap(), CHALLENGE);
        let credential = register(&party(), CHALLENGE, &sent).unwrap();
        let kept: Credential = serde_json::from_str(&serde_json::to_string(&credential).unwrap()).unwrap();
        assert_eq!(kept, credential);
        let assertion = asserted(&mut phone);
        assert!(assertion.is_of(b"li.na") && !assertion.is_of(b"somebody else"));
        let next = assert(&party(), CHALLENGE, &kept, &assertion).unwrap();
        assert_eq!((next.count, &next.id), (1, &credential.id));
        assert_eq!(assert(&party(), CHALLENGE, &next, &assertion), Err(Refused::Counter), "used again");
        let later = asserted(&mut phone);
        assert_eq!(assert(&party(), CHALLENGE, &next, &later).unwrap().count, 2);
    }
}

#[test]
fn whatever_is_not_as_it_was_asked_for_is_refused_for_its_reason() {
    type Turn = fn(&mut passkey::soft::Levers);
    let turns: [(Turn, Refused); 6] = [
        (|l| l.origin = "https://bank.example.evil.example".to_owned(), Refused::Origin),
        (|l| l.origin = "http://bank.example".to_owned(), Refused::Origin),
        (|l| l.embedded = true, Refused::Origin),
        (|l| l.party = "evil.example".to_owned(), Refused::RelyingParty),
        (|l| l.present = false, Refused::NobodyPresent),
        (|l| l.verified = false, Refused::NotVerified),
    ];
    for (turn, refused) in turns {
        let mut phone = telephone();
        let credential = registered(&mut phone);
        turn(&mut phone.levers);
        assert_eq!(assert(&party(), CHALLENGE, &credential, &asserted(&mut phone)), Err(refused));
        let again = phone.create(CHALLENGE, b"li.na").unwrap().read().unwrap();
        assert_eq!(register(&party(), CHALLENGE, &again), Err(refused), "registration");
    }
    let mut phone = telephone();
    let credential = registered(&mut phone);
    let other = registered(&mut phone);
    assert_eq!(
        assert(&party(), b"another challenge", &credential, &asserted(&mut phone)),
        Err(Refused::Credential)
    );
    let assertion = phone.get(CHALLENGE, Some(&credential.id)).unwrap();
    let sent = assertion.read().unwrap();
    assert_eq!(assert(&party(), b"another challenge", &credential, &sent), Err(Refused::Challenge));
    assert_eq!(assert(&party(), b"", &credential, &sent), Err(Refused::Challenge));
    let stolen = AssertionText { id: other.id.to_string(), ..assertion.clone() }.read().unwrap();
    assert_eq!(assert(&party(), CHALLENGE, &other, &stolen), Err(Refused::Signature), "another key signed");
    phone.levers.backed_up = true;
    let synced = phone.get(CHALLENGE, Some(&credential.id)).unwrap().read().unwrap();
    assert_eq!(assert(&party(), CHALLENGE, &credential, &synced), Err(Refused::Backup));
}

#[test]
fn a_registration_is_no_assertion_and_an_assertion_no_registration() {
    let mut phone = telephone();
    let made = phone.create(CHALLENGE, b"li.na").unwrap();
    let credential = register(&party(), CHALLENGE, &made.read().unwrap()).unwrap();
    let signed = phone.get(CHALLENGE, None).unwrap();
    let swapped = AssertionText { client_data: made.client_data.clone(), ..signed.clone() }.read().unwrap();
    assert_eq!(assert(&party(), CHALLENGE, &credential, &swapped), Err(Refused::Ceremony));
    let swapped = RegistrationText { client_data: signed.client_data, ..made }.read().unwrap();
    assert_eq!(register(&party(), CHALLENGE, &swapped), Err(Refused::Ceremony));
}

#[test]
fn a_copied_key_shows_by_its_counter_unless_it_does_not_count() {
    let mut phone = telephone();
    let mut credential = registered(&mut phone);
    for _ in 0..3 {
        credential = assert(&party(), CHALLENGE, &credential, &asserted(&mut phone)).unwrap();
    }
    phone.turn_back(2);
    assert_eq!(assert(&party(), CHALLENGE, &credential, &asserted(&mut phone)), Err(Refused::Counter));
    let mut phone = telephone();
    phone.levers.counts = false;
    phone.levers.backed_up = true;
    let credential = registered(&mut phone);
    for _ in 0..2 {
        let next = assert(&party(), CHALLENGE, &credential, &asserted(&mut phone)).unwrap();
        assert!(next.backed_up && next.backup_eligible && next.count == 0);
    }
}

#[test]
fn nothing_is_read_that_is_longer_than_it_may_be() {
    let long = "A".repeat(100_000);
    let malformed = |refused: Result<(), Refused>| matches!(refused, Err(Refused::Malformed(_)));
    assert!(malformed(
        RegistrationText { client_data: long.clone(), attestation: String::new() }.read().map(drop)
    ));
    assert!(malformed(
        RegistrationText { client_data: String::new(), attestation: long.clone() }.read().map(drop)
    ));
    let text = telephone_and_assertion();
    for change in [
        (|t: &mut AssertionText, l: String| t.id = l) as fn(&mut AssertionText, String),
        |t, l| t.client_data = l,
        |t, l| t.authenticator_data = l,
        |t, l| t.signature = l,
        |t, l| t.user_handle = l,
    ] {
        let mut text = text.clone();
        change(&mut text, long.clone());
        assert!(malformed(text.read().map(drop)));
    }
    // Arrays in arrays in arrays: skipped without recursion.
    let deep = [[0x81; 4_000].as_slice(), &[0x00]].concat();
    let attestation = [b"\xa3\x67attStmt".as_slice(), &deep, b"\x63fmt\x64none\x68authData\x41\x00"].concat();
    let client_data = telephone().create(CHALLENGE, b"").unwrap().client_data;
    let sent = RegistrationText { client_data, attestation: BASE64.encode(attestation) }.read().unwrap();
    assert!(malformed(register(&party(), CHALLENGE, &sent).map(drop)));
}

fn telephone_and_assertion() -> AssertionText {
    let mut phone = telephone();
    registered(&mut phone);
    phone.get(CHALLENGE, None).unwrap()
}

/// Changes, cuts or lengthens bytes.
fn damaged(text: &str, at: prop::sample::Index, with: u8, cut: bool) -> Option<String> {
    let mut bytes = BASE64.decode(text).unwrap();
    let place = at.index(bytes.len());
    if cut {
        bytes.truncate(place);
    } else if with == 0 {
        bytes.push(0);
    } else {
        bytes[place] ^= with;
    }
    Some(BASE64.encode(bytes)).filter(|changed| changed != text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_is_changed_under_the_signature_is_refused(at: prop::sample::Index, with: u8, cut: bool, which in 0..3_u8) {
        let mut phone = telephone();
        let credential = registered(&mut phone);
        let mut text = phone.get(CHALLENGE, None).unwrap();
        let part = match which {
            0 => &mut text.client_data,
            1 => &mut text.authenticator_data,
            _ => &mut text.signature,
        };
        if let Some(changed) = damaged(part, at, with, cut) {
            *part = changed;
            let refused = text.read().and_then(|sent| assert(&party(), CHALLENGE, &credential, &sent));
            prop_assert!(refused.is_err());
        }
    }

    #[test]
    fn a_damaged_registration_is_read_or_refused_and_no_more(at: prop::sample::Index, with: u8, cut: bool) {
        let mut text = telephone().create(CHALLENGE, b"li.na").unwrap();
        if let Some(changed) = damaged(&text.attestation, at, with, cut) {
            text.attestation = changed;
            let read = text.read().and_then(|sent| register(&party(), CHALLENGE, &sent));
            prop_assert!(!cut || read.is_err());
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(attestation: Vec<u8>, client_data: Vec<u8>, id: Vec<u8>) {
        let text = RegistrationText { client_data: BASE64.encode(&client_data), attestation: BASE64.encode(&attestation) };
        prop_assert!(text.read().and_then(|sent| register(&party(), CHALLENGE, &sent)).is_err());
        let text = AssertionText {
            id: BASE64.encode(&id),
            client_data: BASE64.encode(&client_data),
            authenticator_data: BASE64.encode(&attestation),
            ..AssertionText::default()
        };
        let _ = text.read().and_then(|sent| sent.challenge());
    }
}
