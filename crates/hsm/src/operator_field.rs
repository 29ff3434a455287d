//! Opens the password of one of the shop's own people with the verbs that every module has: the stream that covers it is made of
//! message authentication codes (`paycrypto::operator_field`). No PIN key and no PIN verb has a part in it.

use paycrypto::operator_field::{FIELD_LEN, labels, uncover};
use zeroize::Zeroizing;

use crate::module::{MacAlgorithm, MacKey, ModuleError, SecurityModule};

/// Which password of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordPlace {
    /// The one that there is, or a first one.
    Present,
    /// The one that takes its place.
    New,
}

/// A field, and what it is bound to.
#[derive(Clone, Copy)]
pub struct OperatorField<'a> {
    /// The key under which the message was found genuine.
    pub key: MacKey<'a>,
    /// Its algorithm.
    pub algorithm: MacAlgorithm,
    /// Two digits.
    pub operator: u8,
    /// DE 11.
    pub stan: u32,
    /// Which of the message's passwords.
    pub place: PasswordPlace,
    /// As it was sent.
    pub field: [u8; FIELD_LEN],
}

/// The digits; `None` if it is none, which says nothing about any password.
///
/// # Errors
/// [`ModuleError`].
pub async fn open_operator_field(
    module: &dyn SecurityModule,
    asked: OperatorField<'_>,
) -> Result<Option<Zeroizing<String>>, ModuleError> {
    let place = match asked.place {
        PasswordPlace::Present => 0,
        PasswordPlace::New => 1,
    };
    let [first, second] = labels(asked.operator, asked.stan, place);
    let codes = Zeroizing::new([
        module.generate_mac(asked.key, asked.algorithm, &first).await?,
        module.generate_mac(asked.key, asked.algorithm, &second).await?,
    ]);
    Ok(uncover(&asked.field, &codes))
}
