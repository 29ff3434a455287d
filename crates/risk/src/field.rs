//! The fields that a rule may name: one table of name, type, values and where the value comes from.
//!
//! What is not in this table does not exist for a rule, so that a misspelt name is refused when the rule is published and
//! not found out in the night. The table in `docs/reference/rule-language.md` is compared with this one by a test.

use model::ReasonCode;

use crate::{
    event::{EntryMode, RiskEvent},
    fault::Fault,
    key::Key,
};

/// The type of a value in a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// `true` or `false`.
    Bool,
    /// A whole number of 64 bits; amounts are in minor units.
    Int,
    /// Text.
    Text,
    /// Milliseconds between two moments, written `duration("10m")`.
    Duration,
    /// A moment, written `timestamp("2026-11-22T00:00:00Z")`.
    Timestamp,
    /// A card: can be counted by and looked up in lists, and is nothing that could be written down.
    Card,
}

impl Type {
    /// The name in the documentation and in messages.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Text => "string",
            Self::Duration => "duration",
            Self::Timestamp => "timestamp",
            Self::Card => "card",
        }
    }
}

macro_rules! fields {
    ($( $variant:ident $name:literal $kind:ident $unit:literal ),* $(,)?) => {
        /// A field of a [`RiskEvent`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Field {
            $( #[doc = concat!("`", $name, "`")] $variant, )*
        }

        impl Field {
            /// Every field, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in a rule.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Its type.
            #[must_use]
            pub fn kind(self) -> Type {
                match self { $(Self::$variant => Type::$kind,)* }
            }

            /// What a number counts; empty where there is nothing to say.
            #[must_use]
            pub fn unit(self) -> &'static str {
                match self { $(Self::$variant => $unit,)* }
            }
        }
    };
}

fields! {
    At "at" Timestamp "",
    Card "card" Card "",
    Bin "bin" Text "",
    Terminal "terminal" Text "",
    Merchant "merchant" Text "",
    Mcc "mcc" Text "",
    MerchantMcc "merchant_mcc" Text "",
    Area "area" Text "",
    TerminalArea "terminal_area" Text "",
    Country "country" Text "",
    Zone "zone" Text "",
    Product "product" Text "",
    Amount "amount" Int "minor units",
    Currency "currency" Int "ISO 4217 number",
    Kind "kind" Text "",
    Entry "entry" Text "",
    Pin "pin" Text "",
    PinFault "pin_fault" Text "",
    PinMismatch "pin_mismatch" Bool "",
    PinVerified "pin_verified" Bool "",
    Locked "locked" Bool "",
    TriesLeft "tries_left" Int "tries",
    Hour "hour" Int "hour, 0 to 23",
    Weekday "weekday" Int "1 (Monday) to 7",
    SinceOk "since_ok" Duration "",
    SinceLast "since_last" Duration "",
    SinceChange "since_change" Duration "",
    LastArea "last_area" Text "",
    LastTerminal "last_terminal" Text "",
    SpeedKmh "speed_kmh" Int "km/h",
    Reason "reason" Text "",
    Approved "approved" Bool "",
}

/// A BIN has at most eight digits (ISO/IEC 7812-1:2017); more than that would be part of the card's own number.
const BIN_DIGITS_MAX: usize = 8;

const KINDS: &[&str] = &[
    "balance",
    "sale",
    "sale-void",
    "refund",
    "pre-auth",
    "pre-auth-void",
    "completion",
    "completion-void",
    "cash",
    "pin-change",
];
const PINS: &[&str] = &["verified", "mismatch", "unverifiable", "not-present"];
const PIN_FAULTS: &[&str] =
    &["pin-block-format", "key", "no-reference", "unsupported", "module-unavailable", "ksn-replayed"];

impl Field {
    /// The field of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|f| f.name() == name)
    }

    /// All texts that the field can have, when they are known: a comparison with another one is a mistake.
    #[must_use]
    pub fn values(self) -> Option<Vec<&'static str>> {
        match self {
            Self::Kind => Some(KINDS.to_vec()),
            Self::Entry => Some(EntryMode::ALL.iter().map(|e| e.name()).collect()),
            Self::Pin => Some(PINS.to_vec()),
            Self::PinFault => Some(PIN_FAULTS.to_vec()),
            Self::Reason => Some(ReasonCode::ALL.iter().map(|r| r.name()).collect()),
            _ => None,
        }
    }

    /// Can events be counted by it: count(FIELD, …)?
    #[must_use]
    pub fn is_key(self) -> bool {
        self.kind() == Type::Card
            || (self.kind() == Type::Text && self.values().is_none() && !self.is_about_the_one_before())
    }

    fn is_about_the_one_before(self) -> bool {
        matches!(self, Self::LastArea | Self::LastTerminal)
    }

    /// May it be absent from an event?
    #[must_use]
    pub fn is_optional(self) -> bool {
        !matches!(
            self,
            Self::At
                | Self::Card
                | Self::Bin
                | Self::Terminal
                | Self::Merchant
                | Self::Kind
                | Self::Pin
                | Self::PinMismatch
                | Self::PinVerified
                | Self::Locked
                | Self::Hour
                | Self::Weekday
                | Self::Reason
                | Self::Approved
        )
    }
}

impl RiskEvent<'_> {
    /// A field of type `int`, `duration` (milliseconds) or `timestamp` (milliseconds since 1970).
    ///
    /// # Errors
    /// [`Fault::Missing`] when the event does not have it.
    #[inline]
    pub fn number(&self, field: Field) -> Result<i64, Fault> {
        let value = match field {
            Field::At => Some(self.at.0),
            Field::Amount => self.amount,
            Field::Currency => self.currency.map(i64::from),
            Field::TriesLeft => self.tries_left.map(i64::from),
            Field::Hour => Some(i64::from(self.hour)),
            Field::Weekday => Some(i64::from(self.weekday)),
            Field::SinceOk => self.since_ok_ms,
            Field::SinceLast => self.since_last_ms,
            Field::SinceChange => self.since_change_ms,
            Field::SpeedKmh => self.speed_kmh,
            _ => None,
        };
        value.ok_or(Fault::Missing(field))
    }

    /// A field of type `string`.
    ///
    /// # Errors
    /// [`Fault::Missing`] when the event does not have it.
    #[inline]
    pub fn text(&self, field: Field) -> Result<&str, Fault> {
        let value = match field {
            Field::Bin => Some(self.bin.get(..BIN_DIGITS_MAX).unwrap_or(self.bin)),
            Field::Terminal => Some(self.terminal),
            Field::Merchant => Some(self.merchant),
            Field::Mcc => self.mcc,
            Field::MerchantMcc => self.merchant_mcc,
            Field::Area => self.area,
            Field::TerminalArea => self.terminal_area,
            Field::Country => self.country,
            Field::Zone => self.zone,
            Field::Product => self.product,
            Field::Kind => Some(self.kind.name()),
            Field::Entry => self.entry.map(EntryMode::name),
            Field::Pin => Some(self.pin.name()),
            Field::PinFault => self.pin.fault(),
            Field::LastArea => self.last_area,
            Field::LastTerminal => self.last_terminal,
            Field::Reason => Some(self.reason.name()),
            _ => None,
        };
        value.ok_or(Fault::Missing(field))
    }

    /// A field of type `bool`.
    ///
    /// # Errors
    /// [`Fault::Missing`] when the event does not have it.
    #[inline]
    pub fn flag(&self, field: Field) -> Result<bool, Fault> {
        use crate::event::PinResult;
        match field {
            Field::PinMismatch => Ok(self.pin == PinResult::Mismatch),
            Field::PinVerified => Ok(self.pin == PinResult::Verified),
            Field::Locked => Ok(self.locked),
            Field::Approved => Ok(self.approved),
            other => Err(Fault::Missing(other)),
        }
    }

    /// A field by which events are counted or looked up.
    ///
    /// # Errors
    /// [`Fault::Missing`] when the event does not have it.
    #[inline]
    pub fn key(&self, field: Field) -> Result<Key, Fault> {
        if field == Field::Card { Ok(Key::card(&self.card)) } else { self.text(field).map(Key::text) }
    }

    /// Does the event have the field?
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        match field.kind() {
            Type::Card => true,
            Type::Bool => self.flag(field).is_ok(),
            Type::Text => self.text(field).is_ok(),
            Type::Int | Type::Duration | Type::Timestamp => self.number(field).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{CardId, Kind, Timestamp, Unverifiable};

    use super::*;
    use crate::event::PinResult;

    #[test]
    fn every_name_that_an_event_can_have_is_in_the_table() {
        for kind in [
            Kind::Balance,
            Kind::Sale,
            Kind::SaleVoid,
            Kind::Refund,
            Kind::PreAuth,
            Kind::PreAuthVoid,
            Kind::Completion,
            Kind::CompletionVoid,
            Kind::Cash,
            Kind::PinChange,
        ] {
            assert!(KINDS.contains(&kind.name()), "{}", kind.name());
        }
        for why in [
            Unverifiable::PinBlockFormat,
            Unverifiable::Key,
            Unverifiable::NoReference,
            Unverifiable::Unsupported,
            Unverifiable::ModuleUnavailable,
            Unverifiable::KsnReplayed,
        ] {
            let pin = PinResult::Unverifiable(why);
            assert!(PINS.contains(&pin.name()));
            assert!(pin.fault().is_some_and(|name| PIN_FAULTS.contains(&name)));
        }
    }

    #[test]
    fn what_is_not_optional_is_always_there_and_the_rest_is_not() {
        let bare = RiskEvent::new(Timestamp(1), CardId([1; 16]), "900000", "T0000001", "M1");
        for field in Field::ALL {
            assert_eq!(bare.has(*field), !field.is_optional(), "{}", field.name());
        }
    }

    #[test]
    fn a_rule_never_sees_more_of_a_number_than_the_issuer() {
        let event = RiskEvent::new(Timestamp(1), CardId([1; 16]), "9000000000000001", "T0000001", "M1");
        assert_eq!(event.text(Field::Bin), Ok("90000000"));
    }
}
