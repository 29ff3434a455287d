//! The fields of commands, one after the other, as the host command reference has them.

use model::{Ksn, PinBlockFormat};
use zeroize::Zeroizing;

use super::{
    command::{Comparison, DukptMacKey, KeyType, MAX_DATA, MacKind, PinField, PinSource},
    field::{self, FieldError},
    key::HsmKey,
    settings::Ibm3624Rule,
};
use crate::module::EncryptedPinBlock;

/// Maximum PIN length, as the translation and IBM 3624 commands of older keys ask for it.
const LONGEST_PIN: &str = "12";

/// A command while it is written.
pub(super) struct Writer {
    pub(super) bytes: Zeroizing<Vec<u8>>,
}

impl Writer {
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.bytes.extend_from_slice(text.as_bytes());
        self
    }

    pub(super) fn key(&mut self, key: &HsmKey<'_>) -> &mut Self {
        self.text(key.text())
    }

    pub(super) fn ksn(&mut self, ksn: &Ksn) -> &mut Self {
        let (descriptor, number) = field::key_serial_number(ksn);
        self.text(descriptor).text(&number)
    }

    pub(super) fn rule(&mut self, rule: &Ibm3624Rule) -> &mut Self {
        self.text(&rule.table).text(&format!("{:F<12}", rule.validation))
    }

    pub(super) fn lmk(&mut self, lmk: Option<u8>) -> &mut Self {
        match lmk {
            Some(number) => self.text(&format!("%{number:02}")),
            None => self,
        }
    }
}

pub(super) fn index(pvki: u8) -> Result<String, FieldError> {
    if pvki <= 9 { Ok(pvki.to_string()) } else { Err(FieldError::Reference) }
}

pub(super) fn data_length(data: &[u8]) -> Result<usize, FieldError> {
    if (1..=MAX_DATA).contains(&data.len()) { Ok(data.len()) } else { Err(FieldError::DataLength) }
}

/// CA, CC: key, ZPK, 12, block, formats, account. G0: BDK, ZPK, KSN, block, formats, account.
pub(super) fn write_translation(
    to: &mut Writer,
    pin: &PinField<'_>,
    zone: &HsmKey<'_>,
    format: PinBlockFormat,
) -> Result<(), FieldError> {
    let block = field::block(pin.block, pin.format)?;
    let account = field::account(pin.pan, &[pin.format, format])?;
    match &pin.source {
        PinSource::Terminal(key) | PinSource::Zone(key) => to.key(key).key(zone).text(LONGEST_PIN),
        PinSource::Derived(bdk, ksn) => to.key(bdk).key(zone).ksn(ksn),
    };
    to.text(&block).text(field::format_code(pin.format)?).text(field::format_code(format)?).text(&account);
    Ok(())
}

/// DC, EC: key, PVK, block, format, account, PVKI, PVV. DA, EA: key, PVK, 12, block, format, digits, account, table,
/// validation data, offset. GQ, GO: mode 0, BDK, PVK, KSN, then the same without the 12.
pub(super) fn write_verification(
    to: &mut Writer,
    pin: &PinField<'_>,
    with: &Comparison<'_>,
) -> Result<(), FieldError> {
    let block = field::block(pin.block, pin.format)?;
    let account = field::account(pin.pan, &[pin.format])?;
    let (Comparison::Pvv { pvk, .. } | Comparison::Offset { pvk, .. }) = with;
    match (&pin.source, with) {
        (PinSource::Terminal(key) | PinSource::Zone(key), Comparison::Pvv { .. }) => to.key(key).key(pvk),
        (PinSource::Terminal(key) | PinSource::Zone(key), Comparison::Offset { .. }) => {
            to.key(key).key(pvk).text(LONGEST_PIN)
        }
        (PinSource::Derived(bdk, ksn), _) => to.text("0").key(bdk).key(pvk).ksn(ksn),
    };
    to.text(&block).text(field::format_code(pin.format)?);
    write_comparison(to, &account, with)
}

/// PVV: account, PVKI, PVV. IBM 3624: digits, account, table, validation data, offset.
fn write_comparison(to: &mut Writer, account: &str, with: &Comparison<'_>) -> Result<(), FieldError> {
    let digits = |text: &[u8]| {
        let all = text.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(text).map_err(|_| FieldError::Reference)?;
        if all { Ok(Zeroizing::new(text.to_owned())) } else { Err(FieldError::Reference) }
    };
    match with {
        Comparison::Pvv { pvki, pvv, .. } => {
            to.text(account).text(&index(*pvki)?).text(&digits(*pvv)?);
        }
        Comparison::Offset { rule, offset, .. } => {
            if !(4..=12).contains(&offset.len()) {
                return Err(FieldError::Reference);
            }
            let filled = Zeroizing::new(format!("{:F<12}", *digits(offset)?));
            to.text(&format!("{:02}", offset.len())).text(account).rule(rule).text(&filled);
        }
    }
    Ok(())
}

/// CU, DU: key type, key, PVK, block, format, then as DC or DA, the new block.
pub(super) fn write_change(
    to: &mut Writer,
    pin: &PinField<'_>,
    with: &Comparison<'_>,
    new_block: &EncryptedPinBlock,
) -> Result<(), FieldError> {
    let (Comparison::Pvv { pvk, .. } | Comparison::Offset { pvk, .. }) = with;
    let new_block = field::block(new_block, pin.format)?;
    let account = write_own_choice(to, pin, pvk)?;
    write_comparison(to, &account, with)?;
    to.text(&new_block);
    Ok(())
}

/// Key type, key, PVK, block, format: the beginning of CU, DU, FW, BK, which take no derived keys. Gives the account.
pub(super) fn write_own_choice(
    to: &mut Writer,
    pin: &PinField<'_>,
    pvk: &HsmKey<'_>,
) -> Result<Zeroizing<String>, FieldError> {
    let (key_type, key) = match &pin.source {
        PinSource::Terminal(key) => (KeyType::Tpk, key),
        PinSource::Zone(key) => (KeyType::Zpk, key),
        PinSource::Derived(..) => return Err(FieldError::Format),
    };
    let block = field::block(pin.block, pin.format)?;
    to.text(key_type.field(key)).key(key).key(pvk).text(&block).text(field::format_code(pin.format)?);
    field::account(pin.pan, &[pin.format])
}

/// M6, M8: only block, binary, size, algorithm, padding, key type, key, length 4H, data.
pub(super) fn write_mac(
    to: &mut Writer,
    key: &HsmKey<'_>,
    kind: MacKind,
    long: bool,
    data: &[u8],
) -> Result<(), FieldError> {
    let (algorithm, padding) = match kind {
        MacKind::Algorithm1 => ("1", "0"),
        MacKind::Algorithm3 => ("3", "1"),
        MacKind::Algorithm3Whole => ("3", "0"),
        MacKind::Cmac => ("6", "0"),
    };
    let length = data_length(data)?;
    to.text("00").text(if long { "1" } else { "0" }).text(algorithm).text(padding);
    to.text(KeyType::Tak.field(key)).key(key).text(&format!("{length:04X}")).bytes.extend_from_slice(data);
    Ok(())
}

/// GW: mode (1 compare 16 digits, 4 make them), method, BDK, KSN, [MAC], length 4N, data.
pub(super) fn write_dukpt_mac(
    to: &mut Writer,
    bdk: &HsmKey<'_>,
    ksn: &Ksn,
    method: DukptMacKey,
    compare: Option<&[u8; 8]>,
    data: &[u8],
) -> Result<(), FieldError> {
    let length = data_length(data)?;
    let method = match method {
        DukptMacKey::X919Request => "1",
        DukptMacKey::X919Answer => "2",
        DukptMacKey::CmacRequest => "3",
        DukptMacKey::CmacAnswer => "4",
    };
    to.text(if compare.is_some() { "1" } else { "4" }).text(method).key(bdk).ksn(ksn);
    if let Some(mac) = compare {
        to.text(&hex::encode_upper(mac));
    }
    to.text(&format!("{length:04}")).bytes.extend_from_slice(data);
    Ok(())
}
