//! Dialects as data: a TOML file in, a compiled table out.
//!
//! `specs/README.md` explains the file to its authors. Here it is read in three steps: serde turns it into [`SpecFile`] and refuses
//! unknown keys; a file that `extends` another is laid over it, key by key; and every row is compiled into the axes of
//! [`crate::field`]. Whatever is wrong is reported with the field, the key and what was expected, because the reader of that
//! error is at a desk with the file open, not at a debugger.

use crate::bitmap::{BitmapEncoding, BitmapForm, BitmapSize, MtiEncoding};
use crate::encoding::{Content, Encoding};
use crate::field::{Align, Axes, Composite, Counts, FieldSpec, PrefixEncoding, Sensitivity};
use crate::mti::Mti;
use crate::subfield::{self, SubSpec};
use crate::tlv::Tag;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

/// A dialect: how one family of peers writes ISO 8583. Compiled and immutable; share it in an [`Arc`].
pub struct Dialect {
    name: String,
    mti: MtiEncoding,
    bitmap: BitmapForm,
    fields: [FieldSpec; 129],
    notes: Vec<FieldNote>,
    tags: BTreeMap<Tag, TagNote>,
}

/// What is known about a field that the inner loop does not need.
#[derive(Clone, Debug, Default)]
pub(crate) struct FieldNote {
    pub(crate) name_en: String,
    pub(crate) name_zh: String,
    sensitivity: Option<Sensitivity>,
    /// Sensitive only in messages of these types; in all, if empty.
    sensitive_in: Vec<Mti>,
    pub(crate) subs: Vec<SubSpec>,
    /// Any half-byte is legal when this digit of that field is 1.
    pub(crate) encrypted_by: Option<(u8, u8)>,
}

/// The name of a data object, and whether it may be shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct TagNote {
    pub(crate) name_en: String,
    pub(crate) name_zh: String,
    pub(crate) sensitivity: Option<Sensitivity>,
}

impl FieldNote {
    pub(crate) fn sensitivity_in(&self, mti: Mti) -> Option<Sensitivity> {
        self.sensitivity.filter(|_| self.sensitive_in.is_empty() || self.sensitive_in.contains(&mti))
    }

    pub(crate) fn sub_range(&self, id: &str, units: usize) -> Option<(usize, usize)> {
        subfield::range(&self.subs, id, units)
    }
}

const BUILTIN: [(&str, &str); 9] = [
    ("cup-pos", include_str!("../specs/cup-pos.toml")),
    ("cup-pos-sm4", include_str!("../specs/cup-pos-sm4.toml")),
    ("ascii87", include_str!("../specs/ascii87.toml")),
    ("ascii87-bin", include_str!("../specs/ascii87-bin.toml")),
    ("ascii87-hex128", include_str!("../specs/ascii87-hex128.toml")),
    ("ascii93-bin", include_str!("../specs/ascii93-bin.toml")),
    ("ebcdic87", include_str!("../specs/ebcdic87.toml")),
    ("bcd87", include_str!("../specs/bcd87.toml")),
    ("cups-host", include_str!("../specs/cups-host.toml")),
];

const EMV_TAGS: &str = include_str!("../specs/emv-tags.toml");

impl Dialect {
    /// The dialect of this name that comes with the crate, compiled once per process.
    pub fn builtin(name: &str) -> Option<Arc<Dialect>> {
        static COMPILED: [OnceLock<Arc<Dialect>>; BUILTIN.len()] = [const { OnceLock::new() }; BUILTIN.len()];
        let index = BUILTIN.iter().position(|(known, _)| *known == name)?;
        let dialect = COMPILED[index].get_or_init(|| match Dialect::from_toml(BUILTIN[index].1) {
            Ok(dialect) => Arc::new(dialect),
            // The tests compile every file that is built in.
            Err(error) => unreachable!("built-in dialect {name}: {error}"),
        });
        Some(Arc::clone(dialect))
    }

    /// The names of the dialects that come with the crate.
    pub fn names() -> impl ExactSizeIterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// Compiles a spec file. It may extend a built-in dialect.
    pub fn from_toml(text: &str) -> Result<Dialect, SpecError> {
        compile(SpecFile::parse(text)?.completed()?)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn mti_encoding(&self) -> MtiEncoding {
        self.mti
    }

    pub(crate) const fn bitmap_form(&self) -> BitmapForm {
        self.bitmap
    }

    /// Does the dialect define data element `n`?
    pub fn defines(&self, n: u8) -> bool {
        usize::from(n) < self.fields.len() && self.field(n).defined
    }

    /// The axes of data element `n`, if the dialect defines it.
    pub fn axes(&self, n: u8) -> Option<Axes> {
        self.defines(n).then(|| self.field(n).axes)
    }

    /// The inner structure of data element `n`.
    pub fn composite(&self, n: u8) -> Composite {
        if self.defines(n) { self.field(n).composite } else { Composite::Plain }
    }

    /// The name of data element `n` in English and in Chinese; empty where the dialect has no such field.
    pub fn field_names(&self, n: u8) -> (&str, &str) {
        self.notes.get(usize::from(n)).map_or(("", ""), |note| (&note.name_en, &note.name_zh))
    }

    /// `n` is at most 128: it comes from a bitmap or was checked.
    #[inline]
    pub(crate) const fn field(&self, n: u8) -> &FieldSpec {
        &self.fields[n as usize]
    }

    pub(crate) fn note(&self, n: u8) -> &FieldNote {
        &self.notes[usize::from(n)]
    }

    pub(crate) fn tag_note(&self, tag: Tag) -> Option<&TagNote> {
        self.tags.get(&tag)
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dialect({})", self.name)
    }
}

/// What is wrong with a spec file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Not TOML, a key that does not exist, or a value of another kind; the text has line and column.
    #[error("the spec file can not be read: {0}")]
    Toml(String),
    /// A value that is not one of those that the key can have.
    #[error("{place}: {key} = \"{found}\": expected {expected}")]
    Value {
        /// `message`, `field 55`, `tag 9F02`, …
        place: String,
        /// The key in that table.
        key: &'static str,
        /// What is there.
        found: String,
        /// What could be there.
        expected: String,
    },
    /// A key that must be there.
    #[error("{place}: {key} is missing")]
    Missing {
        /// As above.
        place: String,
        /// As above.
        key: &'static str,
    },
    /// Values that are each right and do not go together.
    #[error("{place}: {conflict}")]
    Conflict {
        /// As above.
        place: String,
        /// Which and why.
        conflict: String,
    },
}

impl SpecError {
    /// Always the author of the file.
    pub const fn blame(&self) -> crate::error::Blame {
        crate::error::Blame::Spec
    }
}

/// A spec file as written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SpecFile {
    name: Option<String>,
    extends: Option<String>,
    #[allow(dead_code, reason = "for the reader of the file, and checked to be there")]
    sources: Vec<String>,
    message: MessageSection,
    encoding: BTreeMap<String, String>,
    length: LengthSection,
    digits: DigitsSection,
    fields: BTreeMap<String, FieldSection>,
    tags: BTreeMap<String, TagSection>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MessageSection {
    mti: Option<String>,
    bitmap: Option<String>,
    bitmap_size: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LengthSection {
    encoding: Option<String>,
    counts: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct DigitsSection {
    align: Option<String>,
    pad: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FieldSection {
    format: Option<String>,
    encoding: Option<String>,
    length_encoding: Option<String>,
    counts: Option<String>,
    align: Option<String>,
    pad: Option<String>,
    composite: Option<String>,
    sub: Option<Vec<SubSection>>,
    sensitive: Option<String>,
    sensitive_in: Option<Vec<String>>,
    encrypted_by: Option<String>,
    name_en: Option<String>,
    name_zh: Option<String>,
    absent: Option<bool>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubSection {
    id: String,
    length: String,
    #[serde(default)]
    name_en: String,
    #[serde(default)]
    name_zh: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TagSection {
    name_en: Option<String>,
    name_zh: Option<String>,
    sensitive: Option<String>,
}

impl SpecFile {
    fn parse(text: &str) -> Result<SpecFile, SpecError> {
        toml::from_str(text).map_err(|error| SpecError::Toml(error.to_string().trim_end().to_owned()))
    }

    /// Laid over the dialect that it extends, if any. Only built-in dialects can be extended, and they form no circle.
    fn completed(self) -> Result<SpecFile, SpecError> {
        let Some(base) = &self.extends else { return Ok(self) };
        let Some((_, text)) = BUILTIN.iter().find(|(name, _)| name == base) else {
            return Err(value_error("the file", "extends", base, one_of(Dialect::names())));
        };
        Ok(self.over(SpecFile::parse(text)?.completed()?))
    }

    fn over(self, base: SpecFile) -> SpecFile {
        let mut encoding = base.encoding;
        encoding.extend(self.encoding);
        SpecFile {
            name: self.name,
            extends: self.extends,
            sources: self.sources,
            message: MessageSection {
                mti: self.message.mti.or(base.message.mti),
                bitmap: self.message.bitmap.or(base.message.bitmap),
                bitmap_size: self.message.bitmap_size.or(base.message.bitmap_size),
            },
            encoding,
            length: LengthSection {
                encoding: self.length.encoding.or(base.length.encoding),
                counts: self.length.counts.or(base.length.counts),
            },
            digits: DigitsSection {
                align: self.digits.align.or(base.digits.align),
                pad: self.digits.pad.or(base.digits.pad),
            },
            fields: laid_over(self.fields, base.fields, FieldSection::over),
            tags: laid_over(self.tags, base.tags, TagSection::over),
        }
    }
}

fn laid_over<T: Default>(
    top: BTreeMap<String, T>,
    mut base: BTreeMap<String, T>,
    over: fn(T, T) -> T,
) -> BTreeMap<String, T> {
    for (key, section) in top {
        let below = base.remove(&key).unwrap_or_default();
        base.insert(key, over(section, below));
    }
    base
}

impl FieldSection {
    fn over(self, base: FieldSection) -> FieldSection {
        FieldSection {
            format: self.format.or(base.format),
            encoding: self.encoding.or(base.encoding),
            length_encoding: self.length_encoding.or(base.length_encoding),
            counts: self.counts.or(base.counts),
            align: self.align.or(base.align),
            pad: self.pad.or(base.pad),
            composite: self.composite.or(base.composite),
            sub: self.sub.or(base.sub),
            sensitive: self.sensitive.or(base.sensitive),
            sensitive_in: self.sensitive_in.or(base.sensitive_in),
            encrypted_by: self.encrypted_by.or(base.encrypted_by),
            name_en: self.name_en.or(base.name_en),
            name_zh: self.name_zh.or(base.name_zh),
            absent: self.absent.or(base.absent),
        }
    }
}

impl TagSection {
    fn over(self, base: TagSection) -> TagSection {
        TagSection {
            name_en: self.name_en.or(base.name_en),
            name_zh: self.name_zh.or(base.name_zh),
            sensitive: self.sensitive.or(base.sensitive),
        }
    }
}

fn compile(file: SpecFile) -> Result<Dialect, SpecError> {
    let name = required(file.name.clone(), "the file", "name")?;
    let defaults = Defaults::read(&file)?;
    let (mti, bitmap) = message_axes(&file.message)?;
    let mut fields = [FieldSpec::UNDEFINED; 129];
    let mut notes = vec![FieldNote::default(); 129];
    for (key, section) in &file.fields {
        let number = field_number(key)?;
        if section.absent == Some(true) {
            continue;
        }
        let place = format!("field {number}");
        fields[usize::from(number)] = defaults.field(&place, section)?;
        notes[usize::from(number)] = note(&place, section)?;
    }
    let tags = tag_notes(file.tags)?;
    Ok(Dialect { name, mti, bitmap, fields, notes, tags })
}

fn message_axes(section: &MessageSection) -> Result<(MtiEncoding, BitmapForm), SpecError> {
    let place = "[message]";
    let mti = required(section.mti.clone(), place, "mti")?;
    let encoding = required(section.bitmap.clone(), place, "bitmap")?;
    let size = section.bitmap_size.as_deref().unwrap_or("iso");
    Ok((
        named(place, "mti", &mti, &MtiEncoding::NAMES)?,
        BitmapForm {
            encoding: named(place, "bitmap", &encoding, &BitmapEncoding::NAMES)?,
            size: named(place, "bitmap_size", size, &BitmapSize::NAMES)?,
        },
    ))
}

/// What holds for every field that does not say otherwise.
struct Defaults {
    encodings: Vec<(Content, Encoding)>,
    length_encoding: Option<PrefixEncoding>,
    counts: Counts,
    align: Align,
    pad: u8,
}

const CONTENTS: [(&str, Content); 7] = [
    ("n", Content::Digits),
    ("xn", Content::SignedDigits),
    ("an", Content::Alphanumeric),
    ("ans", Content::Printable),
    ("text", Content::Anything),
    ("z", Content::Track),
    ("b", Content::Bytes),
];

impl Defaults {
    fn read(file: &SpecFile) -> Result<Defaults, SpecError> {
        let mut encodings = Vec::new();
        for (key, value) in &file.encoding {
            let content = named("[encoding]", "key", key, &CONTENTS)?;
            encodings.push((content, named("[encoding]", "value", value, &Encoding::NAMES)?));
        }
        let length = file.length.encoding.as_deref();
        let (counts, align) = (file.length.counts.as_deref(), file.digits.align.as_deref());
        Ok(Defaults {
            encodings,
            length_encoding: length
                .map(|v| named("[length]", "encoding", v, &PrefixEncoding::NAMES))
                .transpose()?,
            counts: named("[length]", "counts", counts.unwrap_or("characters"), &Counts::NAMES)?,
            align: named("[digits]", "align", align.unwrap_or("left"), &Align::NAMES)?,
            pad: named("[digits]", "pad", file.digits.pad.as_deref().unwrap_or("0"), &PADS)?,
        })
    }

    fn field(&self, place: &str, section: &FieldSection) -> Result<FieldSpec, SpecError> {
        let format = required(section.format.clone(), place, "format")?;
        let (content, prefix_digits, max) = parse_format(place, &format)?;
        let axes = Axes {
            content,
            encoding: self.encoding_of(place, section, content)?,
            prefix_digits,
            prefix_encoding: self.prefix_encoding(place, section, prefix_digits)?,
            counts: choice(place, "counts", &section.counts, &Counts::NAMES, self.counts)?,
            max,
            align: choice(place, "align", &section.align, &Align::NAMES, self.align)?,
            pad: choice(place, "pad", &section.pad, &PADS, self.pad)?,
        };
        if !content.writable_in(axes.encoding) {
            let conflict =
                format!("format \"{format}\" can not be written in {:?}", axes.encoding).to_lowercase();
            return Err(SpecError::Conflict { place: place.to_owned(), conflict });
        }
        Ok(FieldSpec::compile(axes, composite(place, section, &axes)?))
    }

    fn encoding_of(
        &self,
        place: &str,
        section: &FieldSection,
        content: Content,
    ) -> Result<Encoding, SpecError> {
        if let Some(value) = &section.encoding {
            return named(place, "encoding", value, &Encoding::NAMES);
        }
        let default = self.encodings.iter().find(|(known, _)| *known == content);
        default
            .map(|(_, encoding)| *encoding)
            .ok_or_else(|| SpecError::Missing { place: place.to_owned(), key: "encoding" })
    }

    fn prefix_encoding(
        &self,
        place: &str,
        section: &FieldSection,
        prefix_digits: u8,
    ) -> Result<PrefixEncoding, SpecError> {
        match (&section.length_encoding, self.length_encoding) {
            (Some(value), _) => named(place, "length_encoding", value, &PrefixEncoding::NAMES),
            (None, Some(default)) => Ok(default),
            (None, None) if prefix_digits == 0 => Ok(PrefixEncoding::Ascii),
            (None, None) => Err(SpecError::Missing { place: place.to_owned(), key: "length_encoding" }),
        }
    }
}

const PADS: [(&str, u8); 2] = [("0", 0), ("F", 0xF)];

/// The longest field: what a four-digit prefix can say.
const LONGEST_FIELD: u16 = 9999;

/// The notation of the standard: `n 6` is fixed, `n..19` has two digits of length, `ans...999` three.
fn parse_format(place: &str, format: &str) -> Result<(Content, u8, u16), SpecError> {
    let wrong = || {
        let expected = "content and length, like \"n 6\", \"ans..25\" or \"b...255\"; content is one of ";
        value_error(place, "format", format, format!("{expected}{}", one_of(CONTENTS.map(|(name, _)| name))))
    };
    let split = format.find(|c: char| !c.is_ascii_lowercase()).ok_or_else(wrong)?;
    let (letters, rest) = format.split_at(split);
    let content = CONTENTS.iter().find(|(name, _)| *name == letters).ok_or_else(wrong)?.1;
    let number = rest.trim_start_matches([' ', '.']);
    let dots = rest.bytes().filter(|b| *b == b'.').count();
    let max: u16 = number.parse().map_err(|_| wrong())?;
    if number.starts_with('+') || dots > 4 || max == 0 || max > LONGEST_FIELD {
        return Err(wrong());
    }
    if dots > 0 && u32::from(max) >= 10u32.pow(dots as u32) {
        let conflict = format!("format \"{format}\": {dots} digits of length can not say {max}");
        return Err(SpecError::Conflict { place: place.to_owned(), conflict });
    }
    Ok((content, dots as u8, max))
}

fn composite(place: &str, section: &FieldSection, axes: &Axes) -> Result<Composite, SpecError> {
    let conflict =
        |text: &str| Err(SpecError::Conflict { place: place.to_owned(), conflict: text.to_owned() });
    let declared = section.composite.as_deref();
    let tlv = match declared {
        Some(value) => named(place, "composite", value, &Composite::NAMES)? == Composite::Tlv,
        None => false,
    };
    let has_subs = section.sub.as_ref().is_some_and(|subs| !subs.is_empty());
    match (tlv, has_subs) {
        (true, true) => conflict("composite = \"tlv\" and a table of sub-fields exclude each other"),
        (true, false) if axes.encoding != Encoding::Binary => {
            conflict("composite = \"tlv\" needs binary encoding")
        }
        (true, false) => Ok(Composite::Tlv),
        (false, true) => Ok(Composite::Sub),
        (false, false) => Ok(Composite::Plain),
    }
}

fn note(place: &str, section: &FieldSection) -> Result<FieldNote, SpecError> {
    let sensitive = section.sensitive.as_deref();
    let types = section.sensitive_in.iter().flatten().map(|text| {
        text.parse::<Mti>()
            .map_err(|_| value_error(place, "sensitive_in", text, "message types like 0810".to_owned()))
    });
    Ok(FieldNote {
        name_en: section.name_en.clone().unwrap_or_default(),
        name_zh: section.name_zh.clone().unwrap_or_default(),
        sensitivity: sensitive.map(|v| named(place, "sensitive", v, &Sensitivity::NAMES)).transpose()?,
        sensitive_in: types.collect::<Result<_, _>>()?,
        subs: sub_table(place, section.sub.as_deref().unwrap_or_default())?,
        encrypted_by: section.encrypted_by.as_deref().map(|v| digit_place(place, v)).transpose()?,
    })
}

/// `53.3` is digit 3 of field 53.
fn digit_place(place: &str, text: &str) -> Result<(u8, u8), SpecError> {
    let parsed =
        text.split_once('.').and_then(|(field, digit)| Some((field.parse().ok()?, digit.parse().ok()?)));
    parsed.filter(|(field, digit): &(u8, u8)| (2..=128).contains(field) && *digit >= 1).ok_or_else(|| {
        value_error(place, "encrypted_by", text, "a field and a digit of it, like 53.3".to_owned())
    })
}

fn sub_table(place: &str, rows: &[SubSection]) -> Result<Vec<SubSpec>, SpecError> {
    let last = rows.len().saturating_sub(1);
    let mut table: Vec<SubSpec> = Vec::with_capacity(rows.len());
    for (i, row) in rows.iter().enumerate() {
        let place = format!("{place} sub-field {}", row.id);
        let open = row.length.starts_with("..");
        let expected = "a number of characters like \"6\", or for the last row also \"..11\"";
        let len = row.length.trim_start_matches("..").parse::<u16>().ok().filter(|len| *len > 0);
        let len = len.filter(|_| !open || i == last);
        let len = len.ok_or_else(|| value_error(&place, "length", &row.length, expected.to_owned()))?;
        if table.iter().any(|known| known.id == row.id) || row.id.is_empty() {
            return Err(SpecError::Conflict { place, conflict: "the id is empty or used twice".to_owned() });
        }
        table.push(SubSpec {
            id: row.id.clone(),
            name_en: row.name_en.clone(),
            name_zh: row.name_zh.clone(),
            len: usize::from(len),
            open,
        });
    }
    Ok(table)
}

/// The names of EMV's data objects, under those of the dialect's own.
fn tag_notes(own: BTreeMap<String, TagSection>) -> Result<BTreeMap<Tag, TagNote>, SpecError> {
    let common = SpecFile::parse(EMV_TAGS)?.tags;
    let mut notes = BTreeMap::new();
    for (key, section) in laid_over(own, common, TagSection::over) {
        let place = format!("tag {key}");
        let tag: Tag = key
            .parse()
            .map_err(|_| value_error(&place, "key", &key, "one to three bytes in hex".to_owned()))?;
        let sensitive = section.sensitive.as_deref();
        notes.insert(
            tag,
            TagNote {
                name_en: section.name_en.unwrap_or_default(),
                name_zh: section.name_zh.unwrap_or_default(),
                sensitivity: sensitive
                    .map(|v| named(&place, "sensitive", v, &Sensitivity::NAMES))
                    .transpose()?,
            },
        );
    }
    Ok(notes)
}

fn field_number(key: &str) -> Result<u8, SpecError> {
    let number = key.parse::<u8>().ok().filter(|n| (2..=128).contains(n) && *key == n.to_string());
    number.ok_or_else(|| value_error("[fields]", "key", key, "a number from 2 to 128".to_owned()))
}

fn required(value: Option<String>, place: &str, key: &'static str) -> Result<String, SpecError> {
    value.filter(|v| !v.is_empty()).ok_or_else(|| SpecError::Missing { place: place.to_owned(), key })
}

fn choice<T: Copy>(
    place: &str,
    key: &'static str,
    value: &Option<String>,
    names: &[(&'static str, T)],
    default: T,
) -> Result<T, SpecError> {
    value.as_deref().map_or(Ok(default), |value| named(place, key, value, names))
}

fn named<T: Copy>(
    place: &str,
    key: &'static str,
    value: &str,
    names: &[(&'static str, T)],
) -> Result<T, SpecError> {
    let known = names.iter().find(|(name, _)| *name == value);
    known
        .map(|(_, value)| *value)
        .ok_or_else(|| value_error(place, key, value, one_of(names.iter().map(|(n, _)| *n))))
}

fn one_of(names: impl IntoIterator<Item = &'static str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn value_error(place: &str, key: &'static str, found: &str, expected: String) -> SpecError {
    SpecError::Value { place: place.to_owned(), key, found: found.to_owned(), expected }
}
