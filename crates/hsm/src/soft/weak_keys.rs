//! Keys that nobody may work with outside a sandbox: weak ones, ones with equal halves, ones that stand in standards and
//! manuals (NIST SP 800-67 Rev. 2, 3.4.2; PCI PIN requirements 2 and 17).

use std::sync::LazyLock;

use paycrypto::{key::tdes_faults, key_block::Algorithm};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    key: Vec<Published>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    hex: String,
    source: String,
}

static PUBLISHED: LazyLock<Vec<(Vec<u8>, String)>> =
    LazyLock::new(|| read(include_str!("../../policy/published-test-keys.toml")).unwrap_or_default());

fn read(text: &str) -> Result<Vec<(Vec<u8>, String)>, String> {
    let file: File = toml::from_str(text).map_err(|e| e.to_string())?;
    let decode =
        |key: Published| Ok((hex::decode(&key.hex).map_err(|e| format!("{}: {e}", key.source))?, key.source));
    file.key.into_iter().map(decode).collect()
}

/// Why a key is refused outside a sandbox; `None` if it may be used.
pub(super) fn fault(algorithm: Algorithm, key: &[u8]) -> Option<String> {
    if let Some((_, source)) = PUBLISHED.iter().find(|(published, _)| same(algorithm, published, key)) {
        return Some(format!("a published test key: {source}"));
    }
    match algorithm {
        Algorithm::Tdea => {
            let faults = tdes_faults(key);
            let found = [
                (faults.weak_part, "weak key"),
                (faults.equal_parts, "equal halves"),
                (faults.even_parity, "wrong parity"),
            ];
            found.into_iter().find(|(there, _)| *there).map(|(_, what)| what.to_owned())
        }
        // AES and SM4 have no weak keys; a byte repeated is no key at all.
        _ => key.windows(2).all(|pair| pair[0] == pair[1]).then(|| "one byte repeated".to_owned()),
    }
}

fn same(algorithm: Algorithm, published: &[u8], key: &[u8]) -> bool {
    // With TDES the lowest bit of each byte is parity.
    let counts = if algorithm == Algorithm::Tdea { 0xFE } else { 0xFF };
    published.len() == key.len() && published.iter().zip(key).all(|(a, b)| a & counts == b & counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_read_and_parity_does_not_hide_a_key() {
        assert!(read(include_str!("../../policy/published-test-keys.toml")).unwrap().len() >= 10);
        let mut key = hex::decode("0123456789ABCDEFFEDCBA9876543210").unwrap();
        assert!(fault(Algorithm::Tdea, &key).unwrap().contains("X9.24-1"));
        assert!(fault(Algorithm::SM4, &key).unwrap().contains("SM4"));
        key[0] ^= 1;
        assert!(fault(Algorithm::Tdea, &key).unwrap().contains("published"));
        assert_eq!(fault(Algorithm::SM4, &key), None);
    }

    #[test]
    fn weak_and_halved_keys_are_named() {
        let check = |hex: &str, algorithm, says: Option<&str>| {
            let found = fault(algorithm, &hex::decode(hex).unwrap());
            assert_eq!(found.as_deref(), says, "{hex}");
        };
        check("0101010101010101FEFEFEFEFEFEFEFE", Algorithm::Tdea, Some("weak key"));
        check("132A4B3C4D5E6F70132A4B3C4D5E6F70", Algorithm::Tdea, Some("equal halves"));
        check("122A4B3D4C5E6E70132A4B3C4D5E6E71", Algorithm::Tdea, Some("equal halves"));
        check("00000000000000000000000000000000", Algorithm::Aes, Some("one byte repeated"));
        check("132A4B3C4D5E6F708192A3B4C5D6E7F8", Algorithm::Aes, None);
    }
}
