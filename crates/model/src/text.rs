//! Fixed-width ASCII identifiers (DE 37, 38, 41, 42): one macro, so that each noun is a type of its own and
//! costs nothing to copy, compare or hash.

macro_rules! fixed_text {
    ($(#[$doc:meta])* $name:ident, $len:literal, $noun:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name([u8; $len]);

        impl $name {
            #[doc = concat!("Width on the wire, in characters: ", stringify!($len), ".")]
            pub const LEN: usize = $len;

            /// All blanks: for what has none.
            pub const BLANK: Self = Self([b' '; $len]);

            /// Takes the identifier as it stands on the wire: exactly the width, printable ASCII.
            ///
            /// # Errors
            /// [`Invalid`](crate::Invalid) when the width or a character is wrong.
            pub fn new(text: &[u8]) -> Result<Self, crate::Invalid> {
                let bytes: [u8; $len] = text
                    .try_into()
                    .map_err(|_| crate::Invalid { noun: $noun, expected: $expected })?;
                if bytes.iter().all(|b| (0x20..0x7f).contains(b)) {
                    Ok(Self(bytes))
                } else {
                    Err(crate::Invalid { noun: $noun, expected: $expected })
                }
            }

            /// The identifier with its padding, as on the wire.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; $len] {
                &self.0
            }

            /// The identifier as people write it, trailing spaces removed.
            #[must_use]
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or_default().trim_end()
            }
        }

        // All of them have one length: it says nothing.
        impl std::hash::Hash for $name {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                state.write(&self.0);
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({:?})", stringify!($name), self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::Invalid;

            /// Shorter text is padded with spaces on the right (ans, left aligned).
            fn from_str(text: &str) -> Result<Self, crate::Invalid> {
                let mut bytes = [b' '; $len];
                let given = text.as_bytes();
                if given.is_empty() || given.len() > $len {
                    return Err(crate::Invalid { noun: $noun, expected: $expected });
                }
                bytes[..given.len()].copy_from_slice(given);
                Self::new(&bytes)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.bytes(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                Self::new(d.bytes()?).map_err(|e| minicbor::decode::Error::message(e.to_string()))
            }
        }
    };
}
pub(crate) use fixed_text;
