//! A message for people: its fields by path and name, with card data masked unless the caller insists.
//!
//! [`Message::to_fields`] is the exact listing (`2`, `55.9F02`, in the notation of the samples) that tests compare and tools print;
//! [`Message::describe`] adds names in English and Chinese and masks what the spec file marks as sensitive.

use crate::error::DecodeError;
use crate::field::{Composite, Sensitivity};
use crate::message::{Message, hex_of};
use crate::sensitive;
use crate::tlv;
use serde::ser::{Serialize, SerializeMap, Serializer};

/// An ordered listing: path to value, in the order of the message. It serializes as a map.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<(String, String)>);

/// One line of a description.
#[derive(Clone, PartialEq, Eq)]
pub struct DescribedField {
    /// `2`, `60.2`, `55.9F02`.
    pub path: String,
    /// English name, empty if the dialect has none.
    pub name_en: String,
    /// Chinese name, empty if the dialect has none.
    pub name_zh: String,
    /// The value, masked where `masked` says so.
    pub value: String,
    /// Where the value starts in the body.
    pub offset: usize,
    /// Was something hidden?
    pub masked: bool,
    /// Is it a line of [`Message::to_fields`]? Sub-fields of positional tables repeat what their field says and are not.
    pub is_listed: bool,
}

impl Fields {
    /// The value at a path.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == path).map(|(_, value)| value)
    }

    /// All of them, in the order of the message.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, value)| (path.as_str(), value.as_str()))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// None?
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Debug for Fields {
    /// Only the paths: the values are card data.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(path, _)| path)).finish()
    }
}

impl std::fmt::Debug for DescribedField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DescribedField({} at {})", self.path, self.offset)
    }
}

impl IntoIterator for Fields {
    type Item = (String, String);
    type IntoIter = std::vec::IntoIter<(String, String)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (path, value) in &self.0 {
            map.serialize_entry(path, value)?;
        }
        map.end()
    }
}

impl Message<'_> {
    /// Everything the message says, unmasked: `bitmap` (its first half), `1` (its second half, where bit 1 announces one), then
    /// every field. A BER-TLV field that can be read is listed object by object. The message type is not among them.
    pub fn to_fields(&self) -> Fields {
        let mut fields = vec![("bitmap".to_owned(), format!("{:016X}", self.bitmap().primary()))];
        if self.bitmap().has(1) {
            fields.push(("1".to_owned(), format!("{:016X}", self.bitmap().secondary())));
        }
        for line in self.describe(true).into_iter().filter(|line| line.is_listed) {
            fields.push((line.path, line.value));
        }
        Fields(fields)
    }

    /// Every field and sub-field with its names. Unless `reveal`, card numbers keep their first six and last four digits and
    /// everything else that is sensitive becomes stars.
    pub fn describe(&self, reveal: bool) -> Vec<DescribedField> {
        let mut lines = Vec::new();
        for n in self.fields() {
            self.describe_field(n, reveal, &mut lines);
        }
        lines
    }

    fn describe_field(&self, n: u8, reveal: bool, lines: &mut Vec<DescribedField>) {
        let (note, dialect) = (self.dialect().note(n), self.dialect());
        let (Some(text), Some(offset)) = (self.text(n), self.value_offset(n)) else { return };
        let sensitivity = note.sensitivity_in(self.mti()).filter(|_| !reveal);
        if dialect.composite(n) == Composite::Tlv && self.describe_objects(n, offset, reveal, lines) {
            return;
        }
        let value = text.to_string();
        lines.push(DescribedField {
            path: n.to_string(),
            name_en: note.name_en.clone(),
            name_zh: note.name_zh.clone(),
            value: sensitivity.map_or_else(|| value.clone(), |s| sensitive::masked(s, &value)),
            offset,
            masked: sensitivity.is_some(),
            is_listed: true,
        });
        for sub in &note.subs {
            let Some((start, end)) = note.sub_range(&sub.id, text.len()) else { continue };
            let part: String = text.characters().skip(start).take(end - start).map(char::from).collect();
            lines.push(DescribedField {
                path: format!("{n}.{}", sub.id),
                name_en: sub.name_en.clone(),
                name_zh: sub.name_zh.clone(),
                value: sensitivity.map_or_else(|| part.clone(), |s| sensitive::masked(s, &part)),
                offset,
                masked: sensitivity.is_some(),
                is_listed: false,
            });
        }
    }

    /// One line per data object; `false` if the field is not well formed and has to be shown whole.
    fn describe_objects(&self, n: u8, offset: usize, reveal: bool, lines: &mut Vec<DescribedField>) -> bool {
        let Some(raw) = self.raw(n) else { return false };
        let Ok(objects) = tlv::objects(raw).collect::<Result<Vec<_>, _>>() else { return false };
        for (i, object) in objects.iter().enumerate() {
            let note = self.dialect().tag_note(object.tag);
            let hex: String = hex_of(object.value).map(char::from).collect();
            let repeats = objects[..i].iter().filter(|before| before.tag == object.tag).count();
            let sensitivity = sensitive::of_object(self.dialect(), object).filter(|_| !reveal);
            lines.push(DescribedField {
                path: match repeats {
                    0 => format!("{n}.{}", object.tag),
                    more => format!("{n}.{}#{}", object.tag, more + 1),
                },
                name_en: note.map(|note| note.name_en.clone()).unwrap_or_default(),
                name_zh: note.map(|note| note.name_zh.clone()).unwrap_or_default(),
                value: sensitivity.map_or_else(|| hex.clone(), |s| sensitive::masked(s, &hex)),
                offset: offset + object.value_offset,
                masked: sensitivity.is_some(),
                is_listed: true,
            });
        }
        true
    }
}

impl DecodeError<'_> {
    /// The fields that could be read, described like those of a good message. The field that is to blame is never revealed.
    pub fn describe_partial(&self, reveal: bool) -> Vec<DescribedField> {
        let blamed = self.field().map(|n| n.to_string());
        let mut lines = self.partial().describe(reveal);
        for line in &mut lines {
            let root = line.path.split('.').next();
            if root == blamed.as_deref() && !reveal {
                line.value = sensitive::masked(Sensitivity::Secret, &line.value);
                line.masked = true;
            }
        }
        lines
    }
}
