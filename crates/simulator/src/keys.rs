//! The work keys that a terminal gets when it signs in, and the MAC that it makes with them (docs/reference/rules.md S2,
//! S3, S6).

use model::Secret;
use paycrypto::kcv::{KcvMethod, check_value};
use paycrypto::key::TdesKey;
use paycrypto::{mac, mode};

use crate::sandbox::MacAlgorithm;

const KEY_LENGTH: usize = 16;
const KCV_LENGTH: usize = 4;

/// Terminal PIN key and terminal MAC key.
#[derive(Debug)]
pub(crate) struct WorkKeys {
    pub(crate) tpk: TdesKey,
    pub(crate) tak: TdesKey,
}

/// Why keys were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyDownloadError {
    /// Not 40 bytes (NMIC 003) or 60 (NMIC 004).
    #[error("the key download has {0} bytes where 40 or 60 are expected")]
    Length(usize),
    /// The check value is not that of the key under our master key.
    #[error("the check value of the {0} does not match: another master key, or a damaged download")]
    CheckValue(&'static str),
}

impl WorkKeys {
    /// Unwraps `key 16 + check value 4`, twice or three times, under the terminal master key (3DES-ECB).
    pub(crate) fn unwrap(tmk: &TdesKey, download: &[u8]) -> Result<WorkKeys, KeyDownloadError> {
        if download.len() != 2 * (KEY_LENGTH + KCV_LENGTH) && download.len() != 3 * (KEY_LENGTH + KCV_LENGTH)
        {
            return Err(KeyDownloadError::Length(download.len()));
        }
        let mut parts = download.chunks_exact(KEY_LENGTH + KCV_LENGTH);
        let mut next = |name| match parts.next() {
            Some(part) => unwrap_one(tmk, part, name),
            None => Err(KeyDownloadError::Length(download.len())),
        };
        let keys = WorkKeys { tpk: next("PIN key")?, tak: next("MAC key")? };
        if download.len() == 60 {
            next("track key")?;
        }
        Ok(keys)
    }
}

fn unwrap_one(tmk: &TdesKey, part: &[u8], name: &'static str) -> Result<TdesKey, KeyDownloadError> {
    let (wrapped, kcv) = part.split_at(KEY_LENGTH);
    let mut clear = [0; KEY_LENGTH];
    clear.copy_from_slice(wrapped);
    mode::ecb_decrypt(tmk, &mut clear);
    let clear = Secret::new(clear);
    let key = TdesKey::double(clear.reveal());
    match check_value(KcvMethod::TdesZeros, &key, KCV_LENGTH) {
        Ok(expected) if expected.matches(kcv) => Ok(key),
        Ok(_) | Err(_) => Err(KeyDownloadError::CheckValue(name)),
    }
}

/// A key that is surely another one: for the faults "wrong TPK" and "wrong TAK".
pub(crate) fn another(key: &TdesKey) -> TdesKey {
    let mut bytes = [0; KEY_LENGTH];
    for (to, from) in bytes.iter_mut().zip(key.expose_bytes()) {
        *to = from ^ 0x5A;
    }
    let bytes = Secret::new(bytes);
    TdesKey::double(bytes.reveal())
}

impl MacAlgorithm {
    /// DE 64 over the message from its type to the field before.
    pub(crate) fn mac(self, tak: &TdesKey, message: &[u8]) -> [u8; 8] {
        match self {
            MacAlgorithm::CupEcb8 => mac::union_pay_ecb(&tak.first_part(), message),
            MacAlgorithm::CupEcb16 => mac::union_pay_ecb(tak, message),
            MacAlgorithm::X919 => mac::x9_19(tak, message),
        }
    }
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

    fn keys() -> WorkKeys {
        let tmk = TdesKey::new(&hex::decode(TMK).unwrap()).unwrap();
        WorkKeys::unwrap(&tmk, &hex::decode(F62).unwrap()).unwrap()
    }

    #[test]
    fn the_sample_sign_in_gives_the_sample_keys() {
        assert_eq!(hex::encode_upper(keys().tpk.expose_bytes()), "11223344556677888877665544332211");
        assert_eq!(hex::encode_upper(keys().tak.expose_bytes()), "0123456789ABCDEFFEDCBA9876543210");
    }

    #[test]
    fn a_damaged_download_is_refused_by_name() {
        let tmk = TdesKey::new(&hex::decode(TMK).unwrap()).unwrap();
        for (at, name) in [(0, "PIN key"), (19, "PIN key"), (20, "MAC key"), (59, "track key")] {
            let mut download = hex::decode(F62).unwrap();
            download[at] ^= 0x10;
            let refused = WorkKeys::unwrap(&tmk, &download).unwrap_err();
            assert_eq!(refused, KeyDownloadError::CheckValue(name), "byte {at}");
        }
        assert_eq!(WorkKeys::unwrap(&tmk, &[0; 24]).unwrap_err(), KeyDownloadError::Length(24));
    }

    #[test]
    fn macs_are_those_of_the_samples() {
        let message = hex::decode(MAB).unwrap();
        assert_eq!(&MacAlgorithm::CupEcb8.mac(&keys().tak, &message), b"3125D152");
        assert_eq!(hex::encode_upper(MacAlgorithm::X919.mac(&keys().tak, &message)), "9D5709FBDDEB539F");
    }
}
