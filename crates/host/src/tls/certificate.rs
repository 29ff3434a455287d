//! The three things that we read in a certificate ourselves (RFC 5280 §4.1): from when to when it is valid, and which
//! terminals it names. Whether it is genuine, rustls has verified before. A reader of DER (ITU-T X.690) that goes forward
//! only, never recurses, and says "not readable" to everything that it does not expect.

use model::TerminalId;

/// Names of terminals begin with this, as a URI or a DNS name of the subject alternative names, or as common name.
const PREFIX: &str = "terminal:";
/// As many terminals may share one certificate: those behind one concentrator.
const TERMINALS: usize = 4096;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const BOOLEAN: u8 = 0x01;
/// Context tags of TBSCertificate (RFC 5280 §4.1) and GeneralName (§4.2.1.6).
const VERSION: u8 = 0xA0;
const EXTENSIONS: u8 = 0xA3;
const DNS_NAME: u8 = 0x82;
const URI: u8 = 0x86;
/// 2.5.4.3 and 2.5.29.17.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1D, 0x11];

/// What we know of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Certificate {
    /// Seconds since 1970, both included.
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// The terminals that it names.
    pub(super) terminals: Vec<TerminalId>,
}

impl Certificate {
    /// Reads a certificate; `None` if it is none.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let mut certificate = Der(Der(der).contents(SEQUENCE)?);
        let mut tbs = Der(certificate.contents(SEQUENCE)?);
        let _ = tbs.optional(VERSION);
        tbs.contents(INTEGER)?;
        let (_algorithm, _issuer) = (tbs.contents(SEQUENCE)?, tbs.contents(SEQUENCE)?);
        let mut validity = Der(tbs.contents(SEQUENCE)?);
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let subject = tbs.contents(SEQUENCE)?;
        let _public_key = tbs.contents(SEQUENCE)?;
        let mut extensions = None;
        while let Some((tag, contents)) = tbs.next() {
            extensions = (tag == EXTENSIONS).then_some(contents).or(extensions);
        }
        let mut terminals = match extensions {
            Some(wrapped) => alternative_names(Der(wrapped).contents(SEQUENCE)?)?,
            None => Vec::new(),
        };
        // As for servers' names (RFC 6125 §6.4.4): the common name counts where there is no better one.
        if terminals.is_empty() {
            terminals.extend(common_name(subject));
        }
        Some(Self { not_before, not_after, terminals })
    }
}

fn alternative_names(extensions: &[u8]) -> Option<Vec<TerminalId>> {
    let mut terminals = Vec::new();
    let mut all = Der(extensions);
    while let Some((SEQUENCE, extension)) = all.next() {
        let mut extension = Der(extension);
        if extension.contents(OID)? != SUBJECT_ALT_NAME {
            continue;
        }
        let _critical = extension.optional(BOOLEAN);
        let mut names = Der(Der(extension.contents(OCTET_STRING)?).contents(SEQUENCE)?);
        while let Some((tag, name)) = names.next() {
            if matches!(tag, DNS_NAME | URI) && terminals.len() < TERMINALS {
                terminals.extend(terminal(name, true));
            }
        }
    }
    Some(terminals)
}

/// The last common name, the most specific one. Here the number may also stand alone.
fn common_name(subject: &[u8]) -> Option<TerminalId> {
    let mut found = None;
    let mut names = Der(subject);
    while let Some((SET, relative)) = names.next() {
        let mut attributes = Der(relative);
        while let Some((SEQUENCE, attribute)) = attributes.next() {
            let mut attribute = Der(attribute);
            if attribute.contents(OID)? == COMMON_NAME {
                found = attribute.next().map(|(_, text)| text);
            }
        }
    }
    terminal(found?, false)
}

fn terminal(name: &[u8], needs_prefix: bool) -> Option<TerminalId> {
    let number = match name.split_at_checked(PREFIX.len()) {
        Some((prefix, number)) if prefix.eq_ignore_ascii_case(PREFIX.as_bytes()) => number,
        _ if needs_prefix => return None,
        _ => name,
    };
    TerminalId::new(number).ok()
}

/// What is left to read.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag and contents. `None` at the end and at what is no DER.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&[tag, first], rest) = self.0.split_first_chunk::<2>()?;
        let long = usize::from(first & 0x7F);
        let (length, rest) = match first {
            0..=0x7F => (usize::from(first), rest),
            // Three bytes of length are more than any certificate has.
            0x81..=0x83 => {
                let (digits, rest) = rest.split_at_checked(long)?;
                (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// The contents of the next element, if it has this tag.
    fn contents(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|(found, _)| *found == tag).map(|(_, contents)| contents)
    }

    /// The same for an element that may be left out.
    fn optional(&mut self, tag: u8) -> Option<&'a [u8]> {
        if self.0.first() == Some(&tag) { self.contents(tag) } else { None }
    }

    /// UTCTime `YYMMDDHHMMSSZ` with 1950 to 2049, or GeneralizedTime `YYYYMMDDHHMMSSZ` (RFC 5280 §4.1.2.5).
    fn time(&mut self) -> Option<i64> {
        let (tag, text) = self.next()?;
        let (digits, ending) = text.split_at_checked(text.len().checked_sub(1)?)?;
        if ending != b"Z" || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let (century, rest) = match (tag, digits.len()) {
            (UTC_TIME, 12) => (if digits[0] < b'5' { 2000 } else { 1900 }, digits),
            (GENERALIZED_TIME, 14) => (100 * two(digits)?, &digits[2..]),
            _ => return None,
        };
        let mut parts = rest.chunks(2).map_while(|pair| two(pair).and_then(|n| i8::try_from(n).ok()));
        let mut part = || parts.next();
        let year = century + i16::from(part()?);
        let (month, day, hour, minute, second) = (part()?, part()?, part()?, part()?, part()?);
        let civil = jiff::civil::DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
        Some(jiff::tz::TimeZone::UTC.to_timestamp(civil).ok()?.as_second())
    }
}

fn two(digits: &[u8]) -> Option<i16> {
    let (tens, ones) = (digits.first()?.checked_sub(b'0')?, digits.get(1)?.checked_sub(b'0')?);
    Some(i16::from(tens) * 10 + i16::from(ones))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.not_before = date_time_ymd(2026, 1, 2);
        params.not_after = date_time_ymd(2055, 3, 4);
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn uri(name: &str) -> SanType {
        SanType::URI(name.try_into().unwrap())
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut CertificateParams), terminals: &[&str]) {
        let read = Certificate::read(&made(change)).unwrap();
        let named: Vec<_> = read.terminals.iter().map(ToString::to_string).collect();
        assert_eq!(named, terminals);
    }

    #[test]
    fn certificates_name_terminals() {
        check(|_| {}, &[]);
        check(|p| p.distinguished_name.push(DnType::CommonName, "10000001"), &["10000001"]);
        check(|p| p.distinguished_name.push(DnType::CommonName, "terminal:10000001"), &["10000001"]);
        check(|p| p.distinguished_name.push(DnType::CommonName, "a corner shop"), &[]);
        check(|p| p.distinguished_name.push(DnType::OrganizationName, "10000001"), &[]);
        check(|p| p.subject_alt_names = vec![uri("terminal:10000002")], &["10000002"]);
        check(|p| p.subject_alt_names = vec![uri("urn:10000002"), uri("terminal:1")], &[]);
        check(
            |p| p.subject_alt_names = vec![SanType::DnsName("terminal:10000003".try_into().unwrap())],
            &["10000003"],
        );
        check(
            |p| {
                p.distinguished_name.push(DnType::CommonName, "10000009");
                p.subject_alt_names = vec![uri("terminal:10000001"), uri("terminal:10000002")];
            },
            &["10000001", "10000002"],
        );
    }

    #[test]
    fn validity_is_read_in_both_forms() {
        let read = Certificate::read(&made(|_| {})).unwrap();
        // 2026-01-02 as UTCTime, 2055-03-04 as GeneralizedTime; by `date -u -d … +%s`.
        assert_eq!((read.not_before, read.not_after), (1_767_312_000, 2_687_731_200));
    }

    /// Every cut and every flipped byte of a real certificate: readable or not, never a panic.
    #[test]
    fn damaged_certificates_are_no_trouble() {
        let whole = made(|p| p.subject_alt_names = vec![uri("terminal:10000001")]);
        for cut in 0..whole.len() {
            assert_eq!(Certificate::read(&whole[..cut]), None, "cut at {cut}");
        }
        for at in 0..whole.len() {
            for flip in [0x01, 0x80, 0xFF] {
                let mut damaged = whole.clone();
                damaged[at] ^= flip;
                let _ = Certificate::read(&damaged);
            }
        }
    }
}
