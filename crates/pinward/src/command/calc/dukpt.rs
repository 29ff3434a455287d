//! `pinward calc dukpt`: the keys of one transaction on the host's side, by ANSI X9.24-1 (TDEA) or X9.24-3 (AES),
//! with one step for each one-bit of the transaction counter.

use clap::ValueEnum;
use paycrypto::dukpt::aes::{self, KeyType, KeyUsage};
use paycrypto::dukpt::tdes;

use super::input::{self, bad_option, upper_hex};
use super::page::Page;

/// The keys of a transaction.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The base derivation key: 16 bytes, with --aes 16, 24 or 32
    #[arg(long, value_name = "HEX")]
    bdk: String,
    /// The key serial number: 10 bytes, with --aes 12
    #[arg(long, value_name = "HEX")]
    ksn: String,
    /// DUKPT with AES (X9.24-3) rather than TDEA (X9.24-1)
    #[arg(long)]
    aes: bool,
    /// With --aes: the kind of the working keys [default: AES of the base key's length]
    #[arg(long, requires = "aes")]
    working: Option<Working>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Working {
    Tdes2,
    Tdes3,
    Aes128,
    Aes192,
    Aes256,
}

impl From<Working> for KeyType {
    fn from(working: Working) -> KeyType {
        match working {
            Working::Tdes2 => KeyType::Tdes2,
            Working::Tdes3 => KeyType::Tdes3,
            Working::Aes128 => KeyType::Aes128,
            Working::Aes192 => KeyType::Aes192,
            Working::Aes256 => KeyType::Aes256,
        }
    }
}

pub(super) fn page(options: &Options) -> anyhow::Result<Page> {
    let mut page = Page::default();
    page.input("bdk", &options.bdk);
    page.input("ksn", &options.ksn);
    page.input("aes", options.aes);
    if options.aes { with_aes(page, options) } else { with_tdea(page, options) }
}

fn with_tdea(mut page: Page, options: &Options) -> anyhow::Result<Page> {
    let serial = input::block::<10>("ksn", &options.ksn)?;
    let ksn = tdes::KeySerialNumber::new(serial).map_err(|error| bad_option("ksn", error))?;
    let base = tdes::BaseDerivationKey::new(&input::bytes("bdk", &options.bdk)?)
        .map_err(|error| bad_option("bdk", error))?;
    page.step("key serial number with the counter cleared", upper_hex(ksn.device()));
    page.step("transaction counter, 21 bits", format!("{:06X}", ksn.counter()));
    let initial = base.initial_key(&ksn);
    page.step("initial PIN encryption key (IPEK)", upper_hex(initial.expose_bytes().as_slice()));
    for counter in counters(ksn.counter()) {
        let mut serial = ksn.device();
        for (byte, bits) in serial.iter_mut().rev().zip(counter.to_le_bytes()) {
            *byte |= bits;
        }
        let reached = tdes::KeySerialNumber::new(serial).map_err(|error| bad_option("ksn", error))?;
        let key = initial.transaction_key(&reached);
        page.step(
            format!("non-reversible key generation, counter {counter:06X}"),
            upper_hex(key.expose_bytes().as_slice()),
        );
    }
    let transaction = initial.transaction_key(&ksn);
    page.step("transaction key", upper_hex(transaction.expose_bytes().as_slice()));
    let working = [
        ("MAC key, request (variant FF00)", transaction.mac_request_key()),
        ("MAC key, response (variant FF000000)", transaction.mac_response_key()),
        ("data encryption key, request (variant FF0000, enciphered)", transaction.data_request_key()),
        ("data encryption key, response (variant FF00000000, enciphered)", transaction.data_response_key()),
    ];
    for (term, key) in &working {
        page.step(*term, upper_hex(key.expose_bytes()));
    }
    Ok(page.end("PIN encryption key (variant FF)", upper_hex(transaction.pin_key().expose_bytes())))
}

fn with_aes(mut page: Page, options: &Options) -> anyhow::Result<Page> {
    let ksn = aes::KeySerialNumber::from_slice(&input::bytes("ksn", &options.ksn)?)
        .map_err(|error| bad_option("ksn", error))?;
    let base = input::aes("bdk", &options.bdk)?;
    let kind = options.working.map_or_else(|| aes_of_length(base.length()), KeyType::from);
    page.step("initial key ID", upper_hex(ksn.initial_key_id()));
    page.step("transaction counter, 32 bits", format!("{:08X}", ksn.counter()));
    let initial = aes::InitialKey::of_base_key(&base, ksn.initial_key_id())
        .map_err(|error| bad_option("bdk", error))?;
    page.step("initial key", upper_hex(initial.expose_bytes()));
    for counter in counters(ksn.counter()) {
        let reached = aes::KeySerialNumber::new(ksn.initial_key_id(), counter)
            .map_err(|error| bad_option("ksn", error))?;
        let key = initial.transaction_key(&reached);
        page.step(
            format!("intermediate derivation key, counter {counter:08X}"),
            upper_hex(key.expose_bytes()),
        );
    }
    let transaction = initial.transaction_key(&ksn);
    page.step("transaction key (derivation key)", upper_hex(transaction.expose_bytes()));
    let key = |usage| transaction.working_key(usage, kind).map_err(|error| bad_option("working", error));
    for (term, usage) in [
        ("key encryption key (usage 0002)", KeyUsage::KeyEncryption),
        ("MAC key, generation (usage 2000)", KeyUsage::MacGeneration),
        ("MAC key, verification (usage 2001)", KeyUsage::MacVerification),
        ("MAC key, both ways (usage 2002)", KeyUsage::MacBothWays),
        ("data key, encryption (usage 3000)", KeyUsage::DataEncryption),
        ("data key, decryption (usage 3001)", KeyUsage::DataDecryption),
        ("data key, both ways (usage 3002)", KeyUsage::DataBothWays),
    ] {
        page.step(term, upper_hex(key(usage)?.expose_bytes()));
    }
    Ok(page.end("PIN encryption key (usage 1000)", upper_hex(key(KeyUsage::PinEncryption)?.expose_bytes())))
}

fn aes_of_length(bytes: usize) -> KeyType {
    match bytes {
        16 => KeyType::Aes128,
        24 => KeyType::Aes192,
        _ => KeyType::Aes256,
    }
}

/// The counters on the way: one one-bit more each time, from the left.
fn counters(counter: u32) -> impl Iterator<Item = u32> {
    (0..u32::BITS).rev().filter(move |bit| counter >> bit & 1 == 1).map(move |bit| counter >> bit << bit)
}

#[cfg(test)]
mod tests {
    use crate::command::calc::tests::{check, check_refused, page_of, text, vectors};

    #[test]
    fn the_counter_is_reached_bit_by_bit() {
        assert_eq!(super::counters(0b1011).collect::<Vec<_>>(), [0b1000, 0b1010, 0b1011]);
        assert_eq!(super::counters(0).count(), 0);
    }

    #[test]
    fn published_keys_with_tdea() {
        let mut computed = 0;
        for vector in vectors("tdes_dukpt", "TDES DUKPT") {
            let (Some(bdk), Some(ksn)) = (text(&vector, "inputs", "bdk"), text(&vector, "inputs", "ksn"))
            else {
                continue;
            };
            let page = page_of(&format!("dukpt --bdk {bdk} --ksn {ksn}")).unwrap();
            for (name, step) in
                [("ipek", "initial PIN encryption key (IPEK)"), ("transaction_key", "transaction key")]
            {
                if let Some(key) = text(&vector, "outputs", name) {
                    assert_eq!(page.value(step), key, "{vector}");
                    computed += 1;
                }
            }
            let (block, pin, pan) = ("encrypted_pin_block", "pin", "pan");
            if let (Some(block), Some(pin), Some(pan)) =
                (text(&vector, "outputs", block), text(&vector, "inputs", pin), text(&vector, "inputs", pan))
            {
                let key = page.result();
                check(&format!("pinblock --format 0 --pin {pin} --pan {pan} --key {key}"), block);
            }
        }
        assert!(computed > 20);
    }

    #[test]
    fn published_keys_with_aes() {
        let mut computed = 0;
        for vector in vectors("aes_dukpt", "AES DUKPT (ANSI X9.24-3:2017)") {
            let (bdk, ksn) =
                (text(&vector, "inputs", "bdk").unwrap(), text(&vector, "inputs", "ksn").unwrap());
            let line = format!("dukpt --aes --working aes128 --bdk {bdk} --ksn {ksn}");
            if let Some(key) = text(&vector, "outputs", "pin_key_aes128") {
                check(&line, key);
            }
            let page = page_of(&line).unwrap();
            for (name, step) in [
                ("initial_key", "initial key"),
                ("transaction_key", "transaction key (derivation key)"),
                ("mac_gen_key_aes128", "MAC key, generation (usage 2000)"),
                ("data_enc_key_aes128", "data key, encryption (usage 3000)"),
            ] {
                if let Some(key) = text(&vector, "outputs", name) {
                    assert_eq!(page.value(step), key, "{vector}");
                    computed += 1;
                }
            }
        }
        assert!(computed > 20);
    }

    #[test]
    fn what_is_no_serial_number_or_base_key_is_refused() {
        let bdk = "0123456789ABCDEFFEDCBA9876543210";
        check_refused(&format!("dukpt --bdk {bdk} --ksn FFFF9876543210E000"), "--ksn");
        check_refused(&format!("dukpt --bdk {bdk} --ksn FFFF9876543210FFFFFF"), "counter");
        check_refused("dukpt --bdk 0123456789ABCDEF --ksn FFFF9876543210E00001", "--bdk");
        let line = format!("dukpt --aes --bdk {bdk} --ksn 123456789012345600000001 --working aes256");
        check_refused(&line, "stronger");
    }
}
