//! The Python counterpart as a process of its own, and a world of test keys in it.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
};

use hsm::{
    EncryptedPinBlock, PinKey, VerifyPin,
    payshield::{
        command::{Attributes, KeyType},
        loader::{TestKey, TestPin, ZoneMasterKey},
    },
    soft::ReferenceMethod,
};
use hsm_pool::{Ibm3624Config, KeyText, Loader, Pool, PoolConfig};
use model::{AdmittedKsn, CardId, KeyBlock, Ksn, Pan, PinBlockFormat, PinReference};
use paycrypto::{
    dukpt,
    key::{AesKey, TdesKey, adjust_parity},
    key_block::Algorithm,
    pin::{PanForPin, Pin},
    pin_block,
};

pub(crate) const PIN: &str = "4321";
pub(crate) const WRONG: &str = "4322";
pub(crate) const CARD: CardId = CardId([9; 16]);
pub(crate) const TDES_KSN: &str = "FFFF9876543210E00008";
pub(crate) const AES_KSN: &str = "123456789012345600000003";

/// A running counterpart; ends when it is dropped.
pub(crate) struct Peer {
    child: Child,
    _input: ChildStdin,
    control: String,
    pub(crate) host: String,
    zmk: (String, String),
    zmk_aes: Option<(String, String)>,
}

impl Peer {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        let python = env::var_os("PINWARD_PEERS_PYTHON")
            .map_or_else(|| root.join("peers/.venv/bin/python"), PathBuf::from);
        let mut command = Command::new(&python);
        command.args(["-m", "payshield"]).args(arguments).current_dir(root.join("peers"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap_or_else(|e| {
            panic!(
                "{} cannot be run ({e}); make it with: python3 -m venv peers/.venv && peers/.venv/bin/pip install -r \
                 peers/requirements.txt (or name another Python in PINWARD_PEERS_PYTHON)",
                python.display()
            )
        });
        let input = child.stdin.take().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|e| {
            panic!(
                "the counterpart said {line:?} ({e}): are the packages of peers/requirements.txt installed?"
            )
        });
        let text = |name: &str| said[name].as_str().map(str::to_owned);
        Self {
            child,
            _input: input,
            control: text("control").unwrap(),
            host: text("host").unwrap(),
            zmk: (text("zmk").unwrap(), text("zmk_clear").unwrap()),
            zmk_aes: text("zmk_aes").zip(text("zmk_aes_clear")),
        }
    }

    /// A line to the control port; gives the answer.
    pub(crate) fn tell(&self, line: &str) -> String {
        let mut stream = TcpStream::connect(&self.control).unwrap();
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).unwrap();
        answer.trim().to_owned()
    }

    pub(crate) fn fault(&self, fault: &str) {
        assert_eq!(self.tell(&format!("fault {fault}")), "ok", "{fault}");
    }

    /// How often a command came.
    pub(crate) fn count(&self, code: &str) -> u64 {
        let stats: serde_json::Value = serde_json::from_str(&self.tell("stats")).unwrap();
        stats["commands"][code].as_u64().unwrap_or(0)
    }

    pub(crate) fn zone_master_key(&self, algorithm: Algorithm) -> ZoneMasterKey {
        let (key, clear) =
            if algorithm == Algorithm::Aes { self.zmk_aes.as_ref().unwrap() } else { &self.zmk };
        ZoneMasterKey::new(KeyBlock::new(key.clone()), &hex::decode(clear).unwrap()).unwrap()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

/// A made-up TDES key of odd parity.
pub(crate) fn tdes(number: u8) -> [u8; 16] {
    let mut key = [0; 16];
    for (place, byte) in (0_u8..).zip(&mut key) {
        *byte = number
            .wrapping_mul(37)
            .wrapping_add(place.wrapping_mul(place).wrapping_mul(11))
            .wrapping_add(place);
    }
    adjust_parity(&mut key);
    key
}

/// A made-up AES key.
pub(crate) fn aes(number: u8) -> [u8; 16] {
    tdes(number).map(|byte| byte.wrapping_mul(3).wrapping_add(5))
}

pub(crate) fn pan() -> Pan {
    "9000000000123457".parse().unwrap()
}

pub(crate) fn account() -> paycrypto::pin::Account12 {
    PanForPin::new(pan().reveal()).unwrap().account12()
}

/// Test keys under the LMK.
pub(crate) struct Keys {
    pub(crate) tpk: KeyBlock,
    pub(crate) zpk: KeyBlock,
    pub(crate) zpk_out: KeyBlock,
    pub(crate) zpk_aes_out: KeyBlock,
    pub(crate) bdk: KeyBlock,
    pub(crate) bdk_aes: KeyBlock,
    pub(crate) tak: KeyBlock,
    pub(crate) tak_1: KeyBlock,
    pub(crate) tak_aes: KeyBlock,
    pub(crate) tmk: KeyBlock,
    pvk: KeyBlock,
    ibm: KeyBlock,
    transfer: KeyBlock,
}

pub(crate) const TPK: u8 = 1;
pub(crate) const ZPK: u8 = 2;
pub(crate) const ZPK_OUT: u8 = 3;
pub(crate) const BDK: u8 = 4;
pub(crate) const TAK: u8 = 5;
pub(crate) const TMK: u8 = 6;

impl Keys {
    async fn import(peer: &Peer) -> Self {
        let config =
            PoolConfig { addresses: vec![peer.host.clone()], connections: 1, ..PoolConfig::default() };
        let pool = Pool::start(&config).await.unwrap();
        let loader = Loader::new(&pool);
        let import = async |usage, mode, algorithm, clear: &[u8]| {
            let attributes = Attributes { usage, mode, exportability: 'N' };
            let of = TestKey { attributes, key_type: KeyType::Tpk, algorithm };
            let zmk = peer.zone_master_key(algorithm);
            loader.import(&zmk, of, clear).await.unwrap_or_else(|e| panic!("{usage} {mode}: {e}")).0
        };
        let (t, a) = (Algorithm::Tdea, Algorithm::Aes);
        Self {
            tpk: import("P0", 'D', t, &tdes(TPK)).await,
            zpk: import("72", 'D', t, &tdes(ZPK)).await,
            zpk_out: import("P0", 'E', t, &tdes(ZPK_OUT)).await,
            zpk_aes_out: import("P0", 'E', a, &aes(ZPK_OUT)).await,
            bdk: import("B0", 'X', t, &tdes(BDK)).await,
            bdk_aes: import("B0", 'X', a, &aes(BDK)).await,
            tak: import("M3", 'C', t, &tdes(TAK)).await,
            tak_1: import("M1", 'C', t, &tdes(TAK)).await,
            tak_aes: import("M6", 'C', a, &aes(TAK)).await,
            tmk: import("K0", 'B', t, &tdes(TMK)).await,
            pvk: import("V2", 'C', t, &tdes(7)).await,
            ibm: import("V1", 'C', t, &tdes(8)[..8]).await,
            transfer: import("P0", 'B', t, &tdes(9)).await,
        }
    }
}

/// Devices, keys, references, and a pool.
pub(crate) struct World {
    pub(crate) keys: Keys,
    pub(crate) config: PoolConfig,
    pub(crate) pool: Pool,
    pub(crate) pvv: PinReference,
    pub(crate) offset: PinReference,
}

/// A configuration for tests: failures show after a second, so that a machine with other things to do makes none.
pub(crate) fn quick(peers: &[&Peer]) -> PoolConfig {
    PoolConfig {
        addresses: peers.iter().map(|peer| peer.host.clone()).collect(),
        connections: 2,
        timeout_ms: 1_000,
        deadline_ms: 3_500,
        breaker_failures: 3,
        breaker_open_ms: 300,
        ..PoolConfig::default()
    }
}

pub(crate) async fn world(peers: &[&Peer]) -> World {
    let keys = Keys::import(peers[0]).await;
    let text = |key: &KeyBlock| KeyText(key.as_str().to_owned());
    let mut config = quick(peers);
    config.pvv.insert("bank".to_owned(), text(&keys.pvk));
    let rule = Ibm3624Config {
        key: text(&keys.ibm),
        table: "0123456789012345".to_owned(),
        validation: "1234567890AN".to_owned(),
    };
    config.ibm3624.insert("bank".to_owned(), rule);
    config.transfer_key = Some(text(&keys.transfer));
    let pool = Pool::start(&config).await.unwrap();
    let loader = Loader::new(&pool);
    let clear = TdesKey::double(&tdes(ZPK));
    let pan = pan();
    let test = TestPin { zone_key: &keys.zpk, clear_zone_key: &clear, pan: &pan, pin: PIN };
    let by_pvv = ReferenceMethod::Pvv { key: "bank".to_owned(), pvki: 1 };
    let by_offset = ReferenceMethod::Ibm3624 { key: "bank".to_owned() };
    let pvv = loader.reference(&test, &by_pvv).await.unwrap();
    let offset = loader.reference(&test, &by_offset).await.unwrap();
    World { keys, config, pool, pvv, offset }
}

/// Which key a PIN block is under in a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Under {
    Tpk,
    Zpk,
    TdesDukpt,
    AesDukpt,
}

impl Under {
    pub(crate) const ALL: [Self; 4] = [Self::Tpk, Self::Zpk, Self::TdesDukpt, Self::AesDukpt];

    pub(crate) fn format(self) -> PinBlockFormat {
        if self == Self::AesDukpt { PinBlockFormat::Iso4 } else { PinBlockFormat::Iso0 }
    }

    pub(crate) fn admitted(self) -> AdmittedKsn {
        let text = if self == Self::AesDukpt { AES_KSN } else { TDES_KSN };
        AdmittedKsn::journaled(text.parse::<Ksn>().unwrap())
    }

    pub(crate) fn key<'a>(self, keys: &'a Keys, ksn: &'a AdmittedKsn) -> PinKey<'a> {
        match self {
            Self::Tpk => PinKey::Key(&keys.tpk),
            Self::Zpk => PinKey::Key(&keys.zpk),
            Self::TdesDukpt => PinKey::Derived { bdk: &keys.bdk, ksn },
            Self::AesDukpt => PinKey::Derived { bdk: &keys.bdk_aes, ksn },
        }
    }

    /// The block of a PIN, as a terminal would make it.
    pub(crate) fn block(self, pin: &str) -> EncryptedPinBlock {
        let pin = Pin::from_ascii(pin.as_bytes()).unwrap();
        let clear = pin_block::encode_format_0(&pin, &account());
        let whole = PanForPin::new(pan().reveal()).unwrap();
        let bytes = match self {
            Self::Tpk => clear.encrypt(&TdesKey::double(&tdes(TPK))).to_vec(),
            Self::Zpk => clear.encrypt(&TdesKey::double(&tdes(ZPK))).to_vec(),
            Self::TdesDukpt => {
                let bdk = dukpt::tdes::BaseDerivationKey::new(&tdes(BDK)).unwrap();
                let ksn = dukpt::tdes::KeySerialNumber::from_slice(&hex::decode(TDES_KSN).unwrap()).unwrap();
                clear.encrypt(&bdk.transaction_key(&ksn).pin_key()).to_vec()
            }
            Self::AesDukpt => {
                let key = aes_transaction().pin_key(dukpt::aes::KeyType::Aes128).unwrap();
                pin_block::encrypt_format_4(&key, &pin, &whole, b"\x01\x02\x03\x04\x05\x06\x07\x08").to_vec()
            }
        };
        EncryptedPinBlock::new(&bytes).unwrap()
    }
}

pub(crate) fn aes_transaction() -> dukpt::aes::TransactionKey {
    let ksn = dukpt::aes::KeySerialNumber::from_slice(&hex::decode(AES_KSN).unwrap()).unwrap();
    let bdk = AesKey::new(&aes(BDK)).unwrap();
    dukpt::aes::InitialKey::of_base_key(&bdk, ksn.initial_key_id()).unwrap().transaction_key(&ksn)
}

pub(crate) fn verification<'a>(
    under: Under,
    keys: &'a Keys,
    ksn: &'a AdmittedKsn,
    pan: &'a Pan,
    block: EncryptedPinBlock,
    reference: &'a PinReference,
) -> VerifyPin<'a> {
    VerifyPin { card: CARD, pan, key: under.key(keys, ksn), block, format: under.format(), reference }
}
