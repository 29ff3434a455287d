//! The vectors that W3C published: read, and their signatures verified, below the rule that the owner must be verified.

use serde::Deserialize;

use crate::{
    Assertion, Refused, Registration, RelyingParty,
    authenticator_data::AuthenticatorData,
    client_data::{self, Ceremony},
    credential::data_of,
    party::sha256,
    register,
};

#[derive(Deserialize)]
struct File {
    vector: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    registration: Registered,
    assertion: Asserted,
}

#[derive(Deserialize)]
struct Registered {
    challenge: String,
    client_data: String,
    attestation: String,
}

#[derive(Deserialize)]
struct Asserted {
    challenge: String,
    client_data: String,
    authenticator_data: String,
    signature: String,
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

#[test]
fn published_vectors_are_read_and_their_signatures_verified() {
    let file: File = toml::from_str(include_str!("../tests/data/webauthn-3.toml")).unwrap();
    let party = RelyingParty::of_address("https://example.org").unwrap();
    assert_eq!(file.vector.len(), 3);
    for Vector { name, registration, assertion } in file.vector {
        let challenge = bytes(&registration.challenge);
        let sent = Registration {
            client_data: bytes(&registration.client_data),
            attestation: bytes(&registration.attestation),
        };
        client_data::check(&sent.client_data, Ceremony::Create, &party, &challenge).unwrap();
        let made = AuthenticatorData::read(data_of(&sent.attestation).unwrap()).unwrap().new.unwrap();
        // One of the registrations says that the owner was verified.
        let registered = register(&party, &challenge, &sent).map(|credential| credential.id);
        let expected = if name == "packed.RS256" { Ok(made.id.clone()) } else { Err(Refused::NotVerified) };
        assert_eq!(registered, expected, "{name}");

        let challenge = bytes(&assertion.challenge);
        let sent = Assertion {
            id: made.id,
            client_data: bytes(&assertion.client_data),
            authenticator_data: bytes(&assertion.authenticator_data),
            signature: bytes(&assertion.signature),
            user_handle: Vec::new(),
        };
        client_data::check(&sent.client_data, Ceremony::Get, &party, &challenge).unwrap();
        let data = AuthenticatorData::read(&sent.authenticator_data).unwrap();
        assert_eq!(data.check(&party), Err(Refused::NotVerified), "{name}");
        let mut signed = [sent.authenticator_data.as_slice(), &sha256(&sent.client_data)].concat();
        made.key.verify(&signed, &sent.signature).unwrap();
        signed[33] ^= 1;
        assert_eq!(made.key.verify(&signed, &sent.signature), Err(Refused::Signature), "{name}");
    }
}
