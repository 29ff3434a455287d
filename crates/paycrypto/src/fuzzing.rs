//! What must hold for every input: one function per reader of outside bytes, called by the fuzz targets and by the
//! ordinary tests that replay their corpus. A violation panics.
//!
//! Random bytes hardly ever are a block under a key or pass a MAC. So each function also enciphers what it was given
//! under a fixed key first, and the decoder gets past its first check. Errors are not looked into for leaks: they are
//! enumerations without data, so that a refusal has nothing to tell but its name.

use std::sync::LazyLock;

use subtle::ConstantTimeEq;

use crate::dukpt::{DukptError, aes, tdes};
use crate::key::{AesKey, BlockKey, Sm4Key, TdesKey};
use crate::key_block::{
    self, Algorithm, Exportability, Header, KeyBlockError, KeyUsage, ModeOfUse, OptionalBlock, ProtectionKey,
    Version,
};
use crate::pin::{Account12, PanForPin, Pin};
use crate::pin_block::{self, ClearPinBlock, Format3Fill, PinBlockError};
use crate::thales;

/// Any bytes as a PIN block: sixteen for the block, the rest for the account number and a PIN.
pub fn pin_block(data: &[u8]) {
    let Some((block, rest)) = data.split_first_chunk::<16>() else { return };
    let pan: String = rest.iter().chain(&[0; 12]).take(19).map(|byte| char::from(b'0' + byte % 10)).collect();
    let pan = PanForPin::new(&pan).expect("twelve to nineteen digits");
    let first = block.first_chunk::<8>().expect("the first eight of sixteen bytes");
    let formats = [
        format_0(first, &pan.account12()),
        format_1(first),
        format_2(first),
        format_3(first, &pan.account12()),
    ];
    assert!(formats.iter().filter(|decodes| **decodes).count() <= 1, "a block is of one format only");
    format_4(block, &pan);
    sm4_layouts(block, &pan.account12());
    diebold(first);
    let digits: Vec<u8> = rest.iter().rev().take(12).map(|byte| b'0' + byte % 10).collect();
    if let Ok(pin) = Pin::from_ascii(&digits) {
        encoded(&pin, &pan, first);
    }
}

/// The decoders say what this plain and slow one says, whose only merit is that it can be read.
fn agrees(
    found: Result<&Pin, PinBlockError>,
    nibbles: &[u8],
    control: u8,
    is_fill: impl Fn(u8) -> bool,
) -> bool {
    let length = usize::from(nibbles[1]);
    let places = &nibbles[2..];
    let (digits, fill) = places.split_at(length.min(places.len()));
    let expected = if nibbles[0] != control {
        Err(PinBlockError::Control)
    } else if !(4..=12).contains(&length) {
        Err(PinBlockError::Length)
    } else if digits.iter().any(|digit| *digit > 9) {
        Err(PinBlockError::Digit)
    } else if !fill.iter().all(|nibble| is_fill(*nibble)) {
        Err(PinBlockError::Fill)
    } else {
        Ok(digits)
    };
    assert_eq!(found.map(Pin::expose_digits), expected);
    found.is_ok()
}

fn nibbles(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xF]).collect()
}

/// The block with the account field taken off, which formats 0 and 3 and the SM4 layouts share.
fn without_account(block: &[u8], account: &Account12) -> Vec<u8> {
    let mut nibbles = nibbles(block);
    for (nibble, digit) in nibbles.iter_mut().rev().zip(account.digits().iter().rev()) {
        *nibble ^= digit;
    }
    nibbles
}

fn format_0(block: &[u8; 8], account: &Account12) -> bool {
    let decoded = pin_block::decode_format_0(&ClearPinBlock::from_bytes(block), account);
    if let Ok(pin) = &decoded {
        assert_eq!(*pin_block::encode_format_0(pin, account).expose_bytes(), *block);
    }
    agrees(decoded.as_ref().map_err(|e| *e), &without_account(block, account), 0, |nibble| nibble == 0xF)
}

fn format_1(block: &[u8; 8]) -> bool {
    let decoded = pin_block::decode_format_1(&ClearPinBlock::from_bytes(block));
    if let Ok(pin) = &decoded {
        assert_eq!(*pin_block::encode_format_1(pin, block).expose_bytes(), *block);
    }
    agrees(decoded.as_ref().map_err(|e| *e), &nibbles(block), 1, |_| true)
}

fn format_2(block: &[u8; 8]) -> bool {
    let decoded = pin_block::decode_format_2_on_ic_card(&ClearPinBlock::from_bytes(block));
    if let Ok(pin) = &decoded {
        assert_eq!(*pin_block::encode_format_2_for_ic_card(pin).expose_bytes(), *block);
    }
    agrees(decoded.as_ref().map_err(|e| *e), &nibbles(block), 2, |nibble| nibble == 0xF)
}

fn format_3(block: &[u8; 8], account: &Account12) -> bool {
    let decoded = pin_block::decode_format_3(&ClearPinBlock::from_bytes(block), account);
    let field = without_account(block, account);
    if let Ok(pin) = &decoded {
        let fill = Format3Fill::from_nibbles(&field[2 + pin.len()..]).expect("fill of A to F");
        assert_eq!(*pin_block::encode_format_3(pin, account, &fill).expose_bytes(), *block);
    }
    agrees(decoded.as_ref().map_err(|e| *e), &field, 3, |nibble| nibble >= 0xA)
}

/// The sixteen bytes as an enciphered block, and as the PIN field of one.
fn format_4(bytes: &[u8; 16], pan: &PanForPin) {
    let key = AesKey::new(&[0x41; 16]).expect("sixteen bytes");
    let mut made = *bytes;
    key.encrypt_block(&mut made);
    for (byte, with) in made.iter_mut().zip(pin_block::format_4_pan_field(pan)) {
        *byte ^= with;
    }
    key.encrypt_block(&mut made);
    for block in [&made, bytes] {
        let field = pin_block::decrypt_format_4_pin_field(&key, block, pan);
        let decoded = pin_block::decrypt_format_4(&key, block, pan);
        if let Ok(pin) = &decoded {
            let random = field.last_chunk::<8>().expect("the last eight of sixteen bytes");
            assert_eq!(pin_block::format_4_pin_field(pin, random), field);
            assert_eq!(pin_block::encrypt_format_4(&key, pin, pan, random), *block);
        }
        agrees(decoded.as_ref().map_err(|e| *e), &nibbles(&field[..8]), 4, |nibble| nibble == 0xA);
    }
    assert_eq!(*pin_block::decrypt_format_4_pin_field(&key, &made, pan), *bytes);
}

/// The sixteen bytes as enciphered blocks of both layouts, and as clear ones.
fn sm4_layouts(bytes: &[u8; 16], account: &Account12) {
    let key = Sm4Key::new(&[0x41; 16]);
    let mut made = *bytes;
    key.encrypt_block(&mut made);
    for block in [&made, bytes] {
        let mut clear = *block;
        key.decrypt_block(&mut clear);
        let one = pin_block::decrypt_sm4_layout_1(&key, block, account);
        if let Ok(pin) = &one {
            assert_eq!(pin_block::encrypt_sm4_layout_1(&key, pin, account), *block);
        }
        agrees(one.as_ref().map_err(|e| *e), &without_account(&clear, account), 0, |nibble| nibble == 0xF);

        let (first, padding) = clear.split_first_chunk::<8>().expect("sixteen bytes");
        let expected = match pin_block::decode_format_0(&ClearPinBlock::from_bytes(first), account) {
            Ok(_) if padding != [0; 8] => Err(PinBlockError::Fill),
            format_0 => format_0,
        };
        let two = pin_block::decrypt_sm4_layout_2(&key, block, account);
        assert_eq!(two.as_ref().map(Pin::expose_digits), expected.as_ref().map(Pin::expose_digits));
        if let Ok(pin) = &two {
            assert_eq!(pin_block::encrypt_sm4_layout_2(&key, pin, account), *block);
        }
    }
    let clear_too = pin_block::decode_sm4_layout_1(bytes, account);
    let enciphered = pin_block::decrypt_sm4_layout_1(&key, &made, account);
    assert_eq!(clear_too.as_ref().map(Pin::expose_digits), enciphered.as_ref().map(Pin::expose_digits));
}

fn diebold(block: &[u8; 8]) {
    match thales::decode_diebold(&ClearPinBlock::from_bytes(block)) {
        Ok(pin) => assert_eq!(*thales::encode_diebold(&pin).expose_bytes(), *block),
        Err(error) => assert!(matches!(error, PinBlockError::Fill | PinBlockError::Length)),
    }
}

/// A PIN that was put into a block comes out of it.
fn encoded(pin: &Pin, pan: &PanForPin, random: &[u8; 8]) {
    let account = pan.account12();
    let (aes, sm4) =
        (AesKey::new(random.repeat(2).as_slice()).expect("sixteen bytes"), Sm4Key::new(&[7; 16]));
    let fill = Format3Fill::from_random(random);
    let decoded = [
        pin_block::decode_format_0(&pin_block::encode_format_0(pin, &account), &account),
        pin_block::decode_format_1(&pin_block::encode_format_1(pin, random)),
        pin_block::decode_format_2_on_ic_card(&pin_block::encode_format_2_for_ic_card(pin)),
        pin_block::decode_format_3(&pin_block::encode_format_3(pin, &account, &fill), &account),
        pin_block::decrypt_format_4(&aes, &pin_block::encrypt_format_4(&aes, pin, pan, random), pan),
        pin_block::decrypt_sm4_layout_1(
            &sm4,
            &pin_block::encrypt_sm4_layout_1(&sm4, pin, &account),
            &account,
        ),
        pin_block::decrypt_sm4_layout_2(
            &sm4,
            &pin_block::encrypt_sm4_layout_2(&sm4, pin, &account),
            &account,
        ),
        thales::decode_diebold(&thales::encode_diebold(pin)),
    ];
    for found in decoded {
        assert!(found.is_ok_and(|found| bool::from(found.ct_eq(pin))));
    }
}

/// The protection keys of the published blocks of the corpus, in the order A, B, C, Thales; then D, E.
static PROTECTION_KEYS: LazyLock<[ProtectionKey; 6]> = LazyLock::new(|| {
    let parts = |left: u64, right: u64| (u128::from(left) << 64 | u128::from(right)).to_be_bytes();
    let double = |left, right| ProtectionKey::Tdes(TdesKey::double(&parts(left, right)));
    let mut lmk = [0x80; 24];
    lmk[..8].copy_from_slice(&0x0123_4567_89AB_CDEF_u64.to_be_bytes());
    lmk[16..].copy_from_slice(&0xFEDC_BA98_7654_3210_u64.to_be_bytes());
    let aes = |bytes: &[u8; 32]| ProtectionKey::Aes(AesKey::new(bytes).expect("thirty-two bytes"));
    [
        double(0x89E8_8CF7_9314_44F3, 0x34BD_7547_FC3F_380C),
        double(0x1D22_BF32_387C_600A, 0xD97F_9B97_A513_11AC),
        double(0xEFE0_853B_256B_583D, 0x868F_251C_E99E_A1D9),
        ProtectionKey::Tdes(TdesKey::triple(&lmk)),
        aes(&[0x41; 32]),
        aes(b"256-bit AES wrapping (ISO 20038)"),
    ]
});

/// Any bytes as the text of a key block, with or without the tag `S` of payShield; then as the parts of a block that
/// is wrapped, opened, changed in one character and refused.
pub fn key_block(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        opened(text.strip_prefix('S').unwrap_or(text));
    }
    wrapped(data);
}

/// What opens has the header that was read, holds a key, and can be wrapped again.
fn opened(block: &str) {
    let claimed = key_block::read_unverified_header(block);
    if let Ok(header) = &claimed {
        says_what_stands_there(block, header);
    }
    for protection_key in PROTECTION_KEYS.iter() {
        match (key_block::unwrap(protection_key, block), &claimed) {
            (Ok((header, key)), claimed) => {
                assert_eq!(Ok(&header), claimed.as_ref());
                let length = key.expose_bytes().len();
                assert!(length > 0 && 2 * length < block.len() && block.len() <= key_block::BLOCK_LENGTH_MAX);
                assert_eq!(format!("{key:?}"), "UnwrappedKey(********)");
                let again = key_block::wrap(protection_key, &header, key.expose_bytes(), &[7; 48]);
                // A block of nearly 9,999 characters may have no room for the padding that we add.
                assert!(again.is_ok() || block.len() > key_block::BLOCK_LENGTH_MAX - 128, "{again:?}");
                if let Ok(again) = again {
                    let (second, key_again) = key_block::unwrap(protection_key, &again).expect("ours");
                    assert_eq!((second, key_again.expose_bytes()), (header, key.expose_bytes()));
                }
            }
            // What is no header is no block, for the same reason and whatever the key.
            (Err(error), Err(claimed)) => assert_eq!(error, *claimed),
            (Err(error), Ok(header)) => {
                let of_aes = matches!(header.version, Version::D | Version::E);
                let fits = of_aes == matches!(protection_key, ProtectionKey::Aes(_));
                let allowed: &[KeyBlockError] = match fits {
                    true => &[KeyBlockError::KeyData, KeyBlockError::Mac, KeyBlockError::KeyLength],
                    false => &[KeyBlockError::KeyData, KeyBlockError::ProtectionKey],
                };
                assert!(allowed.contains(&error), "{error}");
            }
        }
    }
}

/// The header is what a plain second reader finds: the length of the block, and all optional blocks but padding at the end.
fn says_what_stands_there(block: &str, header: &Header) {
    let number = |text: &str, radix| usize::from_str_radix(text, radix).expect("digits that were read");
    assert_eq!(number(&block[1..5], 10), block.len());
    assert_eq!((header.usage.code(), header.key_version), (two(&block[5..]), two(&block[9..])));
    let mut rest = &block[16..];
    let mut found = Vec::new();
    for _ in 0..number(&block[12..14], 10) {
        let (length, before_data) = match number(&rest[2..4], 16) {
            0 => {
                let end = 6 + number(&rest[4..6], 16);
                (number(&rest[6..end], 16), end)
            }
            length => (length, 4),
        };
        found.push((two(rest), &rest[before_data..length]));
        rest = &rest[length..];
    }
    found.pop_if(|(id, _)| id == b"PB");
    let read: Vec<_> = header.optional_blocks.iter().map(|block| (block.id, block.data.as_str())).collect();
    assert_eq!(read, found);
    assert!(!read.iter().any(|(id, _)| id == b"PB"), "padding comes last");
}

fn two(text: &str) -> [u8; 2] {
    [text.as_bytes()[0], text.as_bytes()[1]]
}

const VERSIONS: [(Version, usize); 6] = [
    (Version::A, 0),
    (Version::B, 1),
    (Version::C, 2),
    (Version::Thales0, 3),
    (Version::D, 4),
    (Version::E, 5),
];
const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Tdea, Algorithm::Aes, Algorithm::SM4, Algorithm::Hmac, Algorithm::Des];
const MODES_OF_USE: [ModeOfUse; 4] =
    [ModeOfUse::EncryptAndDecrypt, ModeOfUse::VerifyOnly, ModeOfUse::DeriveKeys, ModeOfUse::Proprietary];
const EXPORTABILITIES: [Exportability; 3] =
    [Exportability::Trusted, Exportability::No, Exportability::Sensitive];

/// Seven bytes choose the header and the change; the rest is the key and the data of an optional block.
fn wrapped(data: &[u8]) {
    let [version, usage, rules, key_length, optional_length, place, character, rest @ ..] = data else {
        return;
    };
    let pick = |byte: &u8, of: usize| usize::from(*byte) % of;
    let (version, key_number) = VERSIONS[pick(version, VERSIONS.len())];
    let mut header = Header::new(
        version,
        KeyUsage::ALL[pick(usage, KeyUsage::ALL.len())],
        ALGORITHMS[pick(rules, ALGORITHMS.len())],
        MODES_OF_USE[pick(rules, MODES_OF_USE.len())],
        EXPORTABILITIES[pick(rules, EXPORTABILITIES.len())],
    );
    let Some((key, rest)) = rest.split_at_checked(1 + pick(key_length, 64)) else { return };
    if let Some(text) = rest.get(..2 * usize::from(*optional_length)).filter(|text| !text.is_empty()) {
        let data = text.iter().map(|byte| char::from(b' ' + byte % 95)).collect();
        header.optional_blocks.push(OptionalBlock { id: *b"KS", data });
    }
    let random = core::array::from_fn(|place| data[place % data.len()]);
    let protection_key = &PROTECTION_KEYS[key_number];
    let block = key_block::wrap(protection_key, &header, key, &random).expect("a block of moderate length");
    let (header_again, key_again) = key_block::unwrap(protection_key, &block).expect("ours");
    assert_eq!((&header_again, key_again.expose_bytes()), (&header, key));

    let (place, last) = (pick(place, block.len()), block.len() - 1);
    for place in [place, last] {
        let mut changed = block.clone().into_bytes();
        changed[place] = b' ' + character % 95;
        let changed = String::from_utf8(changed).expect("printable ASCII");
        // Lower-case hexadecimal is understood. Any other change is refused, by the four bytes of MAC of versions A and
        // C but for one in 2^32.
        if !changed.eq_ignore_ascii_case(&block) {
            assert!(key_block::unwrap(protection_key, &changed).is_err(), "{changed}");
        }
        assert!(key_block::unwrap(protection_key, &block[..place]).is_err(), "cut at {place}");
    }
}

/// Any bytes as a key serial number of either kind, and the key that it names.
pub fn dukpt_ksn(data: &[u8]) {
    tdes_ksn(data);
    aes_ksn(data);
}

fn tdes_ksn(data: &[u8]) {
    let found = tdes::KeySerialNumber::from_slice(data);
    let Ok(bytes) = <[u8; 10]>::try_from(data) else {
        return assert_eq!(found, Err(DukptError::KsnLength(data.len())));
    };
    let counter = u32::from_be_bytes([0, bytes[7] & 0x1F, bytes[8], bytes[9]]);
    let Ok(ksn) = found else {
        assert!(found == Err(DukptError::Counter) && counter.count_ones() > tdes::ONE_BITS_MAX);
        return;
    };
    assert!(counter.count_ones() <= tdes::ONE_BITS_MAX);
    assert_eq!((ksn.bytes(), ksn.counter()), (&bytes, counter));
    let mut device = bytes;
    device[7] &= 0xE0;
    device[8..].fill(0);
    assert_eq!(ksn.device(), device);
    let start = tdes::KeySerialNumber::new(device).expect("no one-bits");

    let base_key = tdes::BaseDerivationKey::new(&[0x41; 16]).expect("sixteen bytes");
    let (key, initial_key) = (base_key.transaction_key(&ksn), base_key.initial_key(&start));
    assert_eq!(key.expose_bytes(), initial_key.transaction_key(&ksn).expose_bytes());
    assert_eq!(key.expose_bytes() == initial_key.expose_bytes(), counter == 0, "{ksn:?}");
    assert_ne!(key.pin_key().expose_bytes(), key.mac_request_key().expose_bytes());
}

fn aes_ksn(data: &[u8]) {
    let found = aes::KeySerialNumber::from_slice(data);
    let Ok(bytes) = <[u8; 12]>::try_from(data) else {
        return assert_eq!(found, Err(DukptError::KsnLength(data.len())));
    };
    let counter = u32::from_be_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]);
    let Ok(ksn) = found else {
        assert!(found == Err(DukptError::Counter) && counter.count_ones() > aes::ONE_BITS_MAX);
        return;
    };
    assert!(counter.count_ones() <= aes::ONE_BITS_MAX);
    assert_eq!((ksn.bytes(), ksn.counter()), (bytes, counter));
    assert_eq!(ksn.initial_key_id()[..], bytes[..8]);
    assert_eq!(aes::KeySerialNumber::new(ksn.initial_key_id(), counter), Ok(ksn));

    let base_key = AesKey::new(&[0x41; 16]).expect("sixteen bytes");
    let initial_key = aes::InitialKey::of_base_key(&base_key, ksn.initial_key_id()).expect("an AES key");
    let key = initial_key.transaction_key(&ksn);
    assert_eq!(key.expose_bytes() == initial_key.expose_bytes(), counter == 0, "{ksn:?}");
    let pin_key = key.pin_key(aes::KeyType::Aes128).expect("no stronger than the base key");
    assert_ne!(pin_key.expose_bytes(), key.expose_bytes());
    assert!(key.pin_key(aes::KeyType::Aes256).is_err(), "stronger than the base key");
}
