//! The samples and how to read them.

use iso8583::{Dialect, Framing};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

#[derive(Deserialize)]
pub(crate) struct Sample {
    pub(crate) id: String,
    pub(crate) dialect: String,
    pub(crate) framing: String,
    pub(crate) hex: String,
    pub(crate) decoded: BTreeMap<String, serde_json::Value>,
    pub(crate) negative: bool,
}

pub(crate) static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../data/iso8583-samples.json")).expect("the samples are JSON")
});

impl Sample {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        unhex(&self.hex)
    }

    pub(crate) fn framing(&self) -> Framing {
        self.framing.parse().expect("a known framing")
    }

    pub(crate) fn dialect(&self) -> Arc<Dialect> {
        dialect(&self.dialect)
    }

    /// The message without its frame.
    pub(crate) fn body(&self) -> Vec<u8> {
        let bytes = self.bytes();
        let frame =
            self.framing().split(&bytes, Default::default()).expect("a frame").expect("a whole frame");
        frame.body.to_vec()
    }

    pub(crate) fn listed(&self, path: &str) -> Option<String> {
        self.decoded.get(path).map(|value| match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    }
}

pub(crate) fn sample(id: &str) -> &'static Sample {
    SAMPLES.iter().find(|sample| sample.id == id).unwrap_or_else(|| panic!("no sample {id}"))
}

pub(crate) fn dialect(name: &str) -> Arc<Dialect> {
    Dialect::builtin(name).unwrap_or_else(|| panic!("no dialect {name}"))
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).expect("hex") as u8;
    text.as_bytes().chunks(2).map(|pair| (digit(pair[0]) << 4) | digit(pair[1])).collect()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect()
}
