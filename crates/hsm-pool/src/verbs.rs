//! The verbs of a security module, put into commands and asked.

use async_trait::async_trait;
use hsm::{
    ChangePin, CheckValue, EncryptedPinBlock, GeneratedWorkKeys, MacAlgorithm, MacKey, MacOutcome,
    ModuleError, PinChangeRefused, PinChanged, SecurityModule, TranslatePin, VerifyPin, WorkKeyLayout,
    payshield::{
        Command, Content,
        command::KeyType,
        module::{self, MacMethod, MacPlan},
        outcome,
    },
};
use model::{KeyBlock, KeyScheme, PinOutcome, Unverifiable};
use tokio::time::Instant;

use crate::pool::Pool;

#[async_trait]
impl SecurityModule for Pool {
    fn describe(&self) -> String {
        let known = self.devices().into_iter().find_map(|(_, diagnostics, _)| diagnostics);
        match known {
            Some(device) => {
                format!("payShield ({}, LMK check value {})", device.firmware, device.lmk_check_value)
            }
            None => "payShield (not reached yet)".to_owned(),
        }
    }

    fn is_secure_device(&self) -> bool {
        true
    }

    fn supports_mac(&self, algorithm: MacAlgorithm) -> bool {
        module::supports_mac(algorithm)
    }

    fn supports_scheme(&self, scheme: KeyScheme) -> bool {
        module::supports_scheme(scheme)
    }

    async fn check(&self) -> Result<(), ModuleError> {
        let command = Command::Diagnostics.encode(None);
        let command = command.map_err(|e| ModuleError::Unsupported(e.to_string()))?;
        let (command, reply) = self.run(command, self.deadline()).await?;
        outcome::of_other(&command, reply).map(drop)
    }

    async fn generate_work_keys(
        &self,
        tmk: &KeyBlock,
        layout: WorkKeyLayout,
    ) -> Result<GeneratedWorkKeys, ModuleError> {
        let until = self.deadline();
        let mut keys = Vec::new();
        let mut for_terminal = Vec::new();
        let mut check_values = Vec::new();
        let key_types = [KeyType::Tpk, KeyType::Tak, KeyType::Tpk];
        for (command, key_type) in module::work_keys(&self.settings, tmk, layout)?.into_iter().zip(key_types)
        {
            let (command, reply) = self.run(command, until).await?;
            let content = outcome::of_other(&command, reply)?;
            let Content::GeneratedKey { key, for_terminal: under_tmk, check_value } = content else {
                return Err(ModuleError::Away("the HSM gave no key".to_owned()));
            };
            let key = KeyBlock::new(key);
            let first_four = self.check_value(&key, key_type, until).await?;
            if first_four.0[..3] != check_value {
                return Err(ModuleError::Away("the HSM gave a key with two check values".to_owned()));
            }
            for_terminal.extend_from_slice(&under_tmk);
            for_terminal.extend_from_slice(&first_four.0);
            check_values.push(first_four);
            keys.push(key);
        }
        let mut keys = keys.into_iter();
        match (keys.next(), keys.next()) {
            (Some(tpk), Some(tak)) => {
                Ok(GeneratedWorkKeys { tpk, tak, tdk: keys.next(), for_terminal, check_values })
            }
            _ => Err(ModuleError::Away("the HSM gave no keys".to_owned())),
        }
    }

    async fn verify_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
        mac: &[u8; 8],
    ) -> Result<MacOutcome, ModuleError> {
        let until = self.deadline();
        let plan = module::mac_plan(&self.settings, &key, algorithm, message)?;
        let (method, data, compare) = match plan {
            MacPlan::Whole(kind) => (MacMethod::Plain(kind), message.to_vec(), mac.to_vec()),
            MacPlan::Derived(method) => (MacMethod::Derived(method), message.to_vec(), mac.to_vec()),
            MacPlan::Folded(_) | MacPlan::FoldedTwice(_) => {
                // Eight characters of text, in capitals: anything else is no code of this algorithm.
                let Some(code) = binary(mac) else { return Ok(MacOutcome::Invalid) };
                let (method, data) = self.last_step(&key, &plan, until).await?;
                (method, data, code.to_vec())
            }
        };
        let command = module::verify_mac(&self.settings, &key, method, &compare, &data)?;
        let (command, reply) = self.run(command, until).await?;
        outcome::of_mac_verification(&command, &reply)
    }

    async fn generate_mac(
        &self,
        key: MacKey<'_>,
        algorithm: MacAlgorithm,
        message: &[u8],
    ) -> Result<[u8; 8], ModuleError> {
        let until = self.deadline();
        let plan = module::mac_plan(&self.settings, &key, algorithm, message)?;
        let eight = |mac: Vec<u8>| {
            <[u8; 8]>::try_from(mac).map_err(|_| ModuleError::Away("a MAC of another length".to_owned()))
        };
        match plan {
            MacPlan::Whole(kind) => {
                eight(self.mac(&key, MacMethod::Plain(kind), true, message, until).await?)
            }
            MacPlan::Derived(method) => {
                eight(self.mac(&key, MacMethod::Derived(method), true, message, until).await?)
            }
            MacPlan::Folded(_) | MacPlan::FoldedTwice(_) => {
                let (method, data) = self.last_step(&key, &plan, until).await?;
                let whole = eight(self.mac(&key, method, true, &data, until).await?)?;
                let mut characters = [0; 8];
                characters.copy_from_slice(&module::characters(whole)[..8]);
                Ok(characters)
            }
        }
    }

    async fn verify_pin(&self, request: VerifyPin<'_>) -> PinOutcome {
        let command = match module::verify_pin(&self.settings, &request) {
            Ok(command) => command,
            Err(cause) => return PinOutcome::Unverifiable(cause),
        };
        match self.run(command, self.deadline()).await {
            Ok((command, reply)) => outcome::of_verification(request.card, &command, &reply),
            Err(away) => PinOutcome::Unverifiable(away.into()),
        }
    }

    async fn translate_pin(&self, request: TranslatePin<'_>) -> Result<EncryptedPinBlock, Unverifiable> {
        let command = module::translate_pin(&self.settings, &request)?;
        let (command, reply) = self.run(command, self.deadline()).await?;
        outcome::of_translation(&command, reply)
    }

    async fn change_pin(&self, request: ChangePin<'_>) -> Result<PinChanged, PinChangeRefused> {
        let fault = PinChangeRefused::Unverifiable;
        let until = self.deadline();
        let command = if module::needs_transfer(&request) {
            let [old, new] = module::transfer(&self.settings, &request).map_err(fault)?;
            let old = self.translated(old, until).await.map_err(fault)?;
            let new = self.translated(new, until).await.map_err(fault)?;
            module::change_transferred(&self.settings, &request, [&old, &new]).map_err(fault)?
        } else {
            module::change_pin(&self.settings, &request).map_err(fault)?
        };
        let (command, reply) = self.run(command, until).await.map_err(|away| fault(away.into()))?;
        outcome::of_change(&command, reply, request.verify.card, request.verify.reference)
    }
}

impl Pool {
    /// Four bytes of a key's check value. A0 tells three, terminals want four.
    pub(crate) async fn check_value(
        &self,
        key: &KeyBlock,
        key_type: KeyType,
        until: Instant,
    ) -> Result<CheckValue, ModuleError> {
        let command = module::check_value(&self.settings, key, key_type)?;
        let (command, reply) = self.run(command, until).await?;
        match outcome::of_other(&command, reply)? {
            Content::CheckValue([a, b, c, d, ..]) => Ok(CheckValue([a, b, c, d])),
            _ => Err(ModuleError::Away("the HSM gave no check value".to_owned())),
        }
    }

    async fn mac(
        &self,
        key: &MacKey<'_>,
        method: MacMethod,
        long: bool,
        data: &[u8],
        until: Instant,
    ) -> Result<Vec<u8>, ModuleError> {
        let command = module::generate_mac(&self.settings, key, method, long, data)?;
        let (command, reply) = self.run(command, until).await?;
        outcome::of_mac(&command, reply)
    }

    /// The command that gives UnionPay's code: over all sixteen characters, or over the last eight XORed with what the
    /// first eight give.
    async fn last_step(
        &self,
        key: &MacKey<'_>,
        plan: &MacPlan,
        until: Instant,
    ) -> Result<(MacMethod, Vec<u8>), ModuleError> {
        use hsm::payshield::command::MacKind;
        match plan {
            MacPlan::FoldedTwice(characters) => {
                let (first, last) = characters.split_at(8);
                let method = MacMethod::Plain(MacKind::Algorithm3Whole);
                let between = self.mac(key, method, true, first, until).await?;
                Ok((method, between.iter().zip(last).map(|(a, b)| a ^ b).collect()))
            }
            MacPlan::Folded(characters) => Ok((MacMethod::Plain(MacKind::Algorithm1), characters.to_vec())),
            MacPlan::Whole(_) | MacPlan::Derived(_) => {
                Err(ModuleError::Unsupported("a fold for another algorithm".to_owned()))
            }
        }
    }

    async fn translated(
        &self,
        command: hsm::payshield::Encoded,
        until: Instant,
    ) -> Result<EncryptedPinBlock, Unverifiable> {
        let (command, reply) = self.run(command, until).await?;
        outcome::of_translation(&command, reply)
    }
}

/// Eight capital hexadecimal characters as four bytes.
fn binary(characters: &[u8; 8]) -> Option<[u8; 4]> {
    let digit = |c: u8| match c {
        b'0'..=b'9' => Some(c - b'0'),
        b'A'..=b'F' => Some(c - b'A' + 10),
        _ => None,
    };
    let mut bytes = [0; 4];
    for (byte, [high, low]) in bytes.iter_mut().zip(characters.as_chunks::<2>().0) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}
