//! Test keys of a sandbox's terminals, for every key scheme: made here in clear, because whoever plays a terminal needs them;
//! sealed by the security module for the host.

use anyhow::Context;
use authorization::key_set::KeySet;
use hsm::soft::KeyAttributes;
use model::{KeyBlock, KeyScheme, Ksn};
use paycrypto::{
    dukpt,
    kcv::{KcvMethod, check_value},
    key::{AesKey, Sm4Key, TdesKey, adjust_parity},
    key_block::{Algorithm, KeyUsage},
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::test_module::TestModule;

/// A terminal's keys as `sandbox.json` gives them.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct TerminalKeysJson {
    /// Key scheme; `tdes` if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scheme: Option<KeyScheme>,
    /// Terminal master key of the fixed schemes, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tmk: Option<String>,
    /// With DUKPT: the device's initial key, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) initial_key: Option<String>,
    /// With DUKPT: the device, a key serial number whose counter is zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ksn: Option<String>,
}

/// Base derivation keys from which this maker loads devices. Every maker has keys of its own, so two never load the
/// same device.
pub(crate) struct TestKeys<'a> {
    module: &'a TestModule,
    tdes_base: (Zeroizing<[u8; 16]>, KeyBlock),
    aes_base: (Zeroizing<[u8; 16]>, KeyBlock),
    /// Key set identifier of the serial numbers: random, so that it names the base key.
    key_set_id: [u8; 5],
    devices: u32,
}

impl<'a> TestKeys<'a> {
    pub(crate) async fn new(module: &'a TestModule) -> anyhow::Result<Self> {
        let base = async |algorithm| -> anyhow::Result<_> {
            let clear = random_key(algorithm)?;
            let block =
                module.import(KeyAttributes::of(KeyUsage::BaseDerivation, algorithm), &*clear).await?;
            Ok((clear, block))
        };
        let mut key_set_id = [0; 5];
        getrandom::fill(&mut key_set_id).map_err(|e| anyhow::anyhow!("no randomness: {e}"))?;
        Ok(Self {
            module,
            tdes_base: base(Algorithm::Tdea).await?,
            aes_base: base(Algorithm::Aes).await?,
            key_set_id,
            devices: 0,
        })
    }

    /// Fresh keys for one terminal: for its host, and for itself.
    pub(crate) async fn make(&mut self, scheme: KeyScheme) -> anyhow::Result<(KeySet, TerminalKeysJson)> {
        match scheme {
            KeyScheme::Tdes => self.master_key(scheme, Algorithm::Tdea).await,
            KeyScheme::Sm4 => self.master_key(scheme, Algorithm::SM4).await,
            KeyScheme::TdesDukpt => self.tdes_device(),
            KeyScheme::AesDukpt => self.aes_device(),
        }
    }

    async fn master_key(
        &self,
        scheme: KeyScheme,
        algorithm: Algorithm,
    ) -> anyhow::Result<(KeySet, TerminalKeysJson)> {
        let clear = random_key(algorithm)?;
        let attributes = KeyAttributes::of(KeyUsage::KeyEncryption, algorithm);
        let key = self.module.import(attributes, &*clear).await?;
        let value = match scheme {
            KeyScheme::Sm4 => check_value(KcvMethod::Sm4Zeros, &Sm4Key::new(&clear), 4)?,
            _ => check_value(KcvMethod::TdesZeros, &TdesKey::double(&clear), 4)?,
        };
        let json = TerminalKeysJson {
            scheme: Some(scheme).filter(|s| *s != KeyScheme::Tdes),
            tmk: Some(hex::encode_upper(*clear)),
            ..TerminalKeysJson::default()
        };
        Ok((key_set(scheme, key, None, value.to_string()), json))
    }

    fn tdes_device(&mut self) -> anyhow::Result<(KeySet, TerminalKeysJson)> {
        // Ten bytes: key set identifier (5), device in 19 bits, counter in 21 bits (X9.24-1:2009, A.1).
        let number = u64::from(self.next_device()) << 21;
        let ksn = Ksn::new(&[&self.key_set_id[..], &number.to_be_bytes()[3..]].concat())?;
        let base = dukpt::tdes::BaseDerivationKey::new(&*self.tdes_base.0)?;
        let serial = dukpt::tdes::KeySerialNumber::from_slice(ksn.as_bytes())?;
        let initial = base.initial_key(&serial).expose_bytes();
        let value = check_value(KcvMethod::TdesZeros, &TdesKey::new(&*initial)?, 4)?;
        Ok(self.device(KeyScheme::TdesDukpt, ksn, &*initial, value.to_string()))
    }

    fn aes_device(&mut self) -> anyhow::Result<(KeySet, TerminalKeysJson)> {
        // Twelve bytes: base key identifier (4), derivation identifier (4), counter (4) (X9.24-3:2017, 6.2).
        let device = self.next_device();
        let ksn = Ksn::new(&[&self.key_set_id[..4], &device.to_be_bytes(), &[0; 4]].concat())?;
        let base = AesKey::new(&*self.aes_base.0)?;
        let serial = dukpt::aes::KeySerialNumber::from_slice(ksn.as_bytes())?;
        let initial = dukpt::aes::InitialKey::of_base_key(&base, serial.initial_key_id())?;
        let value = check_value(KcvMethod::AesCmac, &AesKey::new(initial.expose_bytes())?, 4)?;
        Ok(self.device(KeyScheme::AesDukpt, ksn, initial.expose_bytes(), value.to_string()))
    }

    fn device(
        &self,
        scheme: KeyScheme,
        ksn: Ksn,
        initial: &[u8],
        check_value: String,
    ) -> (KeySet, TerminalKeysJson) {
        let base = if scheme == KeyScheme::AesDukpt { &self.aes_base.1 } else { &self.tdes_base.1 };
        let json = TerminalKeysJson {
            scheme: Some(scheme),
            tmk: None,
            initial_key: Some(hex::encode_upper(initial)),
            ksn: Some(ksn.to_string()),
        };
        (key_set(scheme, base.clone(), Some(ksn.device()), check_value), json)
    }

    fn next_device(&mut self) -> u32 {
        self.devices += 1;
        self.devices
    }
}

fn key_set(scheme: KeyScheme, key: KeyBlock, device: Option<Ksn>, check_value: String) -> KeySet {
    KeySet { scheme, key, format: scheme.usual_format(), device, check_value }
}

fn random_key(algorithm: Algorithm) -> anyhow::Result<Zeroizing<[u8; 16]>> {
    let mut key = Zeroizing::new([0; 16]);
    getrandom::fill(&mut *key).map_err(|e| anyhow::anyhow!("no randomness: {e}")).context("test key")?;
    if algorithm == Algorithm::Tdea {
        adjust_parity(&mut *key);
    }
    Ok(key)
}
