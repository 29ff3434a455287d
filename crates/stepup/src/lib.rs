//! The second proof of identity. A payment that needs one is refused with a [`Challenge`]: the same card at the same terminal for
//! the same amount may come again once it is answered, and nothing else may.
//!
//! ```text
//! refused ──► issued ──► answered: code by message, authenticator app, passkey ──► the next attempt uses it up
//!                │ wrong: counted, three for a challenge, six for a day
//!                └ too late, another amount, another terminal: nothing
//! ```
//!
//! What is known of a card's challenges ([`Proofs`]) is part of the card's state, so a change of it is an entry of the card's
//! journal like a counted PIN try: two hosts cannot both take one answer, and a guess is counted before anybody learns what it
//! was. A code is kept as a digest under a key of the store; of a face or a fingerprint nothing ever comes here: a passkey says
//! that its owner was verified, and the phone knows how.
//!
//! Pure: the time, random bytes and keys are arguments. Knows no message, no page and no store.

pub mod challenge;
pub mod code;
pub mod proofs;
pub mod totp;

pub use challenge::{Binding, Challenge, ChallengeId, Method};
pub use code::{CodeDigest, CodeKey};
pub use proofs::{Change, Fresh, Given, Judgement, NotNow, Proofs};
