//! The shop's own people, as far as a terminal takes part: what it sends about them is made ready for whoever keeps their passwords.
//! How these are kept, compared and counted is not known here; nor is a cardholder's PIN ever near.

use async_trait::async_trait;
use hsm::{ModuleError, OperatorField, PasswordPlace, SecurityModule, open_operator_field};
use iso8583::Message;
use model::{OperatorId, ReasonCode};
use operator::{Answer, Asked, Password, Refusal};
use store::StoreError;

use crate::{intake::Unusable, profile::Profile};

/// The first characters of the data element with an operator and passwords (rules O3).
const MARKER: &str = "PW03";
/// A password's field, in hexadecimal digits.
const FIELD_DIGITS: usize = 16;

/// Whoever keeps the shop's people. What it answers is durable, its counter among it.
#[async_trait]
pub trait Operators: Send + Sync {
    /// Decides.
    ///
    /// # Errors
    /// [`StoreError`]: nothing is known to be decided.
    async fn ask(&self, asked: Asked) -> Result<Answer, StoreError>;
}

/// What a message says: an operator, and one or two covered passwords.
pub(crate) struct Said {
    pub(crate) operator: OperatorId,
    pub(crate) fields: Vec<[u8; 8]>,
    /// The whole element.
    pub(crate) text: String,
}

/// Reads the element.
pub(crate) fn said(profile: &Profile, message: &Message<'_>) -> Result<Said, Unusable> {
    let place = profile.operator_field.ok_or(Unusable(47))?;
    let unusable = || Unusable(place);
    let text = message.text(place).ok_or_else(unusable)?.to_string().trim_end().to_owned();
    let rest = text.strip_prefix(MARKER).ok_or_else(unusable)?;
    let (operator, covered) = rest.split_at_checked(2).ok_or_else(unusable)?;
    let whole =
        covered.is_ascii() && covered.len() <= 2 * FIELD_DIGITS && covered.len().is_multiple_of(FIELD_DIGITS);
    let fields = covered.as_bytes().chunks(FIELD_DIGITS).map(field).collect::<Option<Vec<_>>>();
    Ok(Said {
        operator: operator.parse().map_err(|_| unusable())?,
        fields: fields.filter(|_| whole).ok_or_else(unusable)?,
        text,
    })
}

fn field(digits: &[u8]) -> Option<[u8; 8]> {
    let mut field = [0; 8];
    for (byte, pair) in field.iter_mut().zip(digits.chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(field)
}

/// Uncovers a password.
pub(crate) async fn opened(
    module: &dyn SecurityModule,
    asked: OperatorField<'_>,
) -> Result<Option<Password>, ModuleError> {
    let digits = open_operator_field(module, asked).await?;
    Ok(digits.and_then(|digits| Password::new(&digits).ok()))
}

/// The places of a message's passwords, in their order.
pub(crate) const PLACES: [PasswordPlace; 2] = [PasswordPlace::Present, PasswordPlace::New];

/// Our reason for an answer. Outwards the first four are one code: whoever tries does not learn which operators there are.
pub(crate) fn reason(answer: &Answer) -> ReasonCode {
    match answer {
        Answer::SignedOn { .. } | Answer::Again | Answer::Reset => ReasonCode::Approved,
        Answer::MustChange => ReasonCode::OperatorMustChange,
        Answer::Refused(
            Refusal::Unknown | Refusal::WrongPassword | Refusal::Replayed | Refusal::NotAllowed,
        ) => ReasonCode::OperatorRefused,
        Answer::Refused(Refusal::Locked) => ReasonCode::OperatorLocked,
        Answer::Refused(Refusal::NewPassword) => ReasonCode::OperatorPasswordRefused,
        Answer::Refused(Refusal::Unreadable) => ReasonCode::KeyFault,
    }
}
