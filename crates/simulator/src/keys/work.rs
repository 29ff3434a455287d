//! The work keys that a terminal with a master key gets when it signs in (docs/reference/rules.md S2, S3, S10).

use std::sync::Arc;

use model::Secret;
use paycrypto::kcv::{KcvMethod, check_value};
use paycrypto::key::{Sm4Key, TdesKey};
use paycrypto::mode;

use super::{MacKey, MessageKeys, PinKey};
use crate::sandbox::{KeySet, MacAlgorithm, Sm4Layout, TdesFormat};

const KEY_LENGTH: usize = 16;
const KCV_LENGTH: usize = 4;

/// Why keys were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyDownloadError {
    /// Not 40 bytes (NMIC 003, 006) or 60 (NMIC 004).
    #[error("the key download has {0} bytes where 40 or 60 are expected")]
    Length(usize),
    /// The check value is not that of the key under our master key.
    #[error("the check value of the {0} does not match: another master key, or a damaged download")]
    CheckValue(&'static str),
}

/// A terminal master key, by its set, and the session's keys.
pub(crate) struct Work {
    set: Arc<KeySet>,
    algorithm: MacAlgorithm,
    session: Option<Arc<MessageKeys>>,
}

impl Work {
    pub(crate) fn new(set: Arc<KeySet>, algorithm: MacAlgorithm) -> Work {
        Work { set, algorithm, session: None }
    }

    /// The session's keys.
    pub(crate) fn session(&self) -> Option<&Arc<MessageKeys>> {
        self.session.as_ref()
    }

    pub(crate) fn sign_out(&mut self) {
        self.session = None;
    }

    /// Keys that no host gave: TDES in any case, because only the length of what they make matters.
    pub(crate) fn make_up(&mut self) {
        let key = |byte| TdesKey::double(&std::array::from_fn(|at| byte + at as u8));
        let mac = Arc::new(MacKey::Tdes(key(0x40), self.algorithm));
        self.session = Some(Arc::new(MessageKeys {
            ksn: None,
            pin: PinKey::Tdes(key(0x10), TdesFormat::Iso0),
            request_mac: Arc::clone(&mac),
            answer_mac: mac,
        }));
    }

    /// Takes DE 62 of a sign-in.
    pub(crate) fn sign_in(&mut self, download: &[u8]) -> Result<(), KeyDownloadError> {
        let keys = match &*self.set {
            KeySet::Sm4 { tmk, layout } => sm4(tmk, *layout, download)?,
            KeySet::Tdes { tmk, format } => tdes(tmk, *format, self.algorithm, download)?,
            // Devices have no master key; `super::Keys` does not make a `Work` of them.
            KeySet::TdesDukpt { .. } | KeySet::AesDukpt { .. } => {
                return Err(KeyDownloadError::Length(download.len()));
            }
        };
        self.session = Some(Arc::new(keys));
        Ok(())
    }
}

/// PIN key and MAC key, `key 16 + check value 4` each, and with 60 bytes a track key that is checked and not used.
fn tdes(
    tmk: &TdesKey,
    format: TdesFormat,
    algorithm: MacAlgorithm,
    download: &[u8],
) -> Result<MessageKeys, KeyDownloadError> {
    let unwrap = |part, name| {
        let (clear, kcv) = opened(part, |clear| mode::ecb_decrypt(tmk, clear));
        let key = TdesKey::double(clear.reveal());
        let expected = check_value(KcvMethod::TdesZeros, &key, KCV_LENGTH);
        expected.is_ok_and(|e| e.matches(kcv)).then_some(key).ok_or(KeyDownloadError::CheckValue(name))
    };
    let parts = parts(download)?;
    let (pin, mac) = (unwrap(parts[0], "PIN key")?, unwrap(parts[1], "MAC key")?);
    if let Some(track) = parts.get(2) {
        unwrap(track, "track key")?;
    }
    let mac = Arc::new(MacKey::Tdes(mac, algorithm));
    Ok(MessageKeys {
        ksn: None,
        pin: PinKey::Tdes(pin, format),
        request_mac: Arc::clone(&mac),
        answer_mac: mac,
    })
}

fn sm4(tmk: &Sm4Key, layout: Sm4Layout, download: &[u8]) -> Result<MessageKeys, KeyDownloadError> {
    let unwrap = |part, name| {
        let (clear, kcv) = opened(part, |clear| mode::ecb_decrypt(tmk, clear));
        let key = Sm4Key::new(clear.reveal());
        let expected = check_value(KcvMethod::Sm4Zeros, &key, KCV_LENGTH);
        expected.is_ok_and(|e| e.matches(kcv)).then_some(key).ok_or(KeyDownloadError::CheckValue(name))
    };
    let &[pin, mac] = parts(download)?.as_slice() else {
        return Err(KeyDownloadError::Length(download.len())); // there is no track key for SM4
    };
    let (pin, mac) = (unwrap(pin, "PIN key")?, unwrap(mac, "MAC key")?);
    let mac = Arc::new(MacKey::Sm4(mac));
    Ok(MessageKeys {
        ksn: None,
        pin: PinKey::Sm4(pin, layout),
        request_mac: Arc::clone(&mac),
        answer_mac: mac,
    })
}

/// Two or three parts.
fn parts(download: &[u8]) -> Result<Vec<&[u8]>, KeyDownloadError> {
    const PART: usize = KEY_LENGTH + KCV_LENGTH;
    match download.len() {
        40 | 60 => Ok(download.chunks_exact(PART).collect()),
        length => Err(KeyDownloadError::Length(length)),
    }
}

/// A part's key in clear, and its check value.
fn opened(part: &[u8], decrypt: impl Fn(&mut [u8])) -> (Secret<[u8; KEY_LENGTH]>, &[u8]) {
    let (wrapped, kcv) = part.split_at(KEY_LENGTH);
    let mut clear = [0; KEY_LENGTH];
    clear.copy_from_slice(wrapped);
    decrypt(&mut clear);
    (Secret::new(clear), kcv)
}

#[cfg(test)]
mod tests {
    use super::*;

    // data/iso8583-keys.json "syn-keys" and iso8583-samples.json "syn-cup-0810-signin-004-F62-60".
    const TMK: &str = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";
    const F62: &str = "B10223D2FF367A2C0BD2D34D5AC12040491510CAC9035E5215FB0C952DABFEDA197A382308D7B4FB\
                       714EFF5874675B80ADB349016888E5E6EB7A8DF9";
    const MAB: &str = "0200302004C020C0981100000000000001000000012302100012376299990000000009D30122010000012300000\
        03130303030303031333035333130303435313130303031313536C4D37EC26B23F11D2600000000000000001422000001000500";

    fn work(algorithm: MacAlgorithm) -> Work {
        let tmk = TdesKey::new(&hex::decode(TMK).unwrap()).unwrap();
        Work::new(KeySet::tdes(tmk), algorithm)
    }

    fn check_mac(algorithm: MacAlgorithm, expected: &str) {
        let mut work = work(algorithm);
        work.sign_in(&hex::decode(F62).unwrap()).unwrap();
        let message = hex::decode(MAB).unwrap();
        let keys = work.session().unwrap();
        assert_eq!(hex::encode_upper(keys.request_mac.mac(&message)), expected);
        assert_eq!(hex::encode_upper(keys.answer_mac.mac(&message)), expected);
    }

    #[test]
    fn the_sample_sign_in_gives_the_sample_keys() {
        let mut work = work(MacAlgorithm::X919);
        work.sign_in(&hex::decode(F62).unwrap()).unwrap();
        let keys = work.session().unwrap();
        let (PinKey::Tdes(tpk, TdesFormat::Iso0), MacKey::Tdes(tak, _)) = (&keys.pin, &*keys.request_mac)
        else {
            panic!("other keys: {keys:?}");
        };
        assert_eq!(hex::encode_upper(tpk.expose_bytes()), "11223344556677888877665544332211");
        assert_eq!(hex::encode_upper(tak.expose_bytes()), "0123456789ABCDEFFEDCBA9876543210");
    }

    #[test]
    fn a_damaged_download_is_refused_by_name() {
        for (at, name) in [(0, "PIN key"), (19, "PIN key"), (20, "MAC key"), (59, "track key")] {
            let mut work = work(MacAlgorithm::X919);
            let mut download = hex::decode(F62).unwrap();
            download[at] ^= 0x10;
            let refused = work.sign_in(&download).unwrap_err();
            assert_eq!(refused, KeyDownloadError::CheckValue(name), "byte {at}");
            assert!(work.session().is_none());
        }
        let refused = work(MacAlgorithm::X919).sign_in(&[0; 24]).unwrap_err();
        assert_eq!(refused, KeyDownloadError::Length(24));
    }

    #[test]
    fn macs_are_those_of_the_samples() {
        check_mac(MacAlgorithm::CupEcb8, &hex::encode_upper(b"3125D152"));
        check_mac(MacAlgorithm::X919, "9D5709FBDDEB539F");
    }

    #[test]
    fn sm4_keys_come_in_pairs() {
        let tmk = Sm4Key::new(&[7; 16]);
        assert_eq!(sm4(&tmk, Sm4Layout::One, &[0; 60]).unwrap_err(), KeyDownloadError::Length(60));
    }
}
