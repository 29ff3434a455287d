//! The security module: the only place where a PIN or a key is ever clear.
//!
//! [`module`] says what may be asked, in the field's verbs; [`soft`] answers in this process (test and closed-loop
//! use only: it is no secure cryptographic device), [`payshield`] puts the verbs into a device's commands. The module
//! knows keys and PINs; it does not know a card's PIN-try state, a message, a socket or a clock.

pub mod module;
pub mod operator_field;
pub mod payshield;
pub mod pin_rules;
pub mod soft;
pub mod translation;

pub use model::PinBlockFormat;
pub use module::{
    ChangePin, CheckValue, Direction, EncryptedPinBlock, GeneratedWorkKeys, MacAlgorithm, MacKey, MacOutcome,
    ModuleError, NewPinRules, PinChangeRefused, PinChanged, PinEntry, PinKey, SecurityModule, SetPin,
    SetPinRefused, TranslatePin, VerifyPin, WorkKeyLayout,
};
pub use operator_field::{OperatorField, PasswordPlace, open_operator_field};
