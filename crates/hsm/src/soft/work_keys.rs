//! Fresh work keys for a terminal, one after the other in the order of DE 62 (docs/reference/rules.md S2).

use model::KeyBlock;
use paycrypto::{
    kcv::{KcvError, KcvMethod, check_value},
    key::{Sm4Key, TdesKey},
    key_block::{Algorithm, KeyUsage},
};

use super::{
    SoftModule, fresh,
    opened_key::{OpenedKey, Purpose},
    seal::{self, KeyAttributes},
};
use crate::module::{CheckValue, GeneratedWorkKeys, ModuleError, WorkKeyLayout};

impl SoftModule {
    pub(super) fn make_work_keys(
        &self,
        tmk: &KeyBlock,
        layout: WorkKeyLayout,
    ) -> Result<GeneratedWorkKeys, ModuleError> {
        let tmk = self.key(tmk, Purpose::TerminalMaster)?;
        // A key is never handed out under a weaker one (PCI PIN requirement 21): TDES under TDES, SM4 under SM4.
        let (algorithm, mac_usage) = match (layout, &tmk.1) {
            (WorkKeyLayout::Sm4, OpenedKey::Sm4(_)) => (Algorithm::SM4, KeyUsage::Mac97971Algorithm1),
            (WorkKeyLayout::DoubleLength | WorkKeyLayout::DoubleLengthWithTrackKey, OpenedKey::Tdes(_)) => {
                (Algorithm::Tdea, KeyUsage::Mac97971Algorithm3)
            }
            _ => {
                return Err(ModuleError::KeyRefused(
                    "the terminal master key is of another cipher".to_owned(),
                ));
            }
        };
        let mut keys = Maker {
            module: self,
            tmk: &tmk.1,
            algorithm,
            for_terminal: Vec::new(),
            check_values: Vec::new(),
        };
        let tpk = keys.make(KeyUsage::PinEncryption)?;
        let tak = keys.make(mac_usage)?;
        let tdk = match layout {
            WorkKeyLayout::DoubleLength | WorkKeyLayout::Sm4 => None,
            WorkKeyLayout::DoubleLengthWithTrackKey => Some(keys.make(KeyUsage::Data)?),
        };
        let Maker { for_terminal, check_values, .. } = keys;
        Ok(GeneratedWorkKeys { tpk, tak, tdk, for_terminal, check_values })
    }
}

struct Maker<'a> {
    module: &'a SoftModule,
    tmk: &'a OpenedKey,
    algorithm: Algorithm,
    for_terminal: Vec<u8>,
    check_values: Vec<CheckValue>,
}

impl Maker<'_> {
    fn make(&mut self, usage: KeyUsage) -> Result<KeyBlock, ModuleError> {
        let clear = fresh::<16>(self.algorithm)?;
        let first_four =
            check_value_of(self.algorithm, &clear).map_err(|e| ModuleError::Unsupported(e.to_string()))?;
        self.for_terminal.extend_from_slice(&seal::encrypt_under_tmk(self.tmk, &clear)?);
        self.for_terminal.extend_from_slice(&first_four.0);
        self.check_values.push(first_four);
        seal::seal(&self.module.master, KeyAttributes::of(usage, self.algorithm), &*clear)
    }
}

fn check_value_of(algorithm: Algorithm, clear: &[u8; 16]) -> Result<CheckValue, KcvError> {
    let value = if algorithm == Algorithm::SM4 {
        check_value(KcvMethod::Sm4Zeros, &Sm4Key::new(clear), 4)?
    } else {
        check_value(KcvMethod::TdesZeros, &TdesKey::double(clear), 4)?
    };
    let mut first_four = [0; 4];
    first_four.copy_from_slice(value.bytes());
    Ok(CheckValue(first_four))
}
