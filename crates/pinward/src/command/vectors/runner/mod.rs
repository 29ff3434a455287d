//! Runs a file of test vectors against `paycrypto`: one verdict for each vector.
//!
//! A vector names a group, inputs and outputs. Each group (see [`group`]) is a function that computes one
//! named value out of the inputs. A vector passes only if every output it lists was computed and is equal; an output
//! or input that the group does not know is "not supported", never a silent pass. Inputs that repeat what could be
//! computed (a PIN field, a cryptogram) are checked like outputs. A `negative` vector passes only if every value
//! it lists was computed and is equal, and the operation then refused it. Its `result` must say the same as
//! `negative`: a vector that contradicts itself fails, whatever the operation does.
//!
//! Used by `pinward vectors` and, by inclusion, by the integration tests of `paycrypto`: it knows neither files
//! nor the terminal.

use std::cell::RefCell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

mod dukpt;
mod keys;
mod macs;
mod payshield;
mod pins;

/// One vector of the file.
pub(crate) struct Vector {
    pub(crate) id: String,
    pub(crate) group: String,
    algorithm: String,
    inputs: Map<String, Value>,
    outputs: Map<String, Value>,
    negative: bool,
}

/// What became of a vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed { expected: String, got: String },
    NotSupported(String),
}

/// Why a value was not computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// `paycrypto` refused the inputs: what negative vectors want.
    Refused(String),
    /// The runner does not know this output, input or algorithm.
    NotSupported(String),
}

impl Trouble {
    pub(crate) fn refused(error: impl ToString) -> Trouble {
        Trouble::Refused(error.to_string())
    }

    pub(crate) fn not_supported(why: impl Into<String>) -> Trouble {
        Trouble::NotSupported(why.into())
    }
}

/// Reads the text of a vector file.
///
/// # Errors
/// One sentence that says what is malformed.
pub(crate) fn parse(text: &str) -> Result<Vec<Vector>, String> {
    let file: Value = serde_json::from_str(text).map_err(|error| format!("the file is not JSON: {error}"))?;
    let list = match &file {
        Value::Array(list) => list,
        _ => file.get("vectors").and_then(Value::as_array).ok_or("the file has no list \"vectors\"")?,
    };
    list.iter().enumerate().map(|(place, value)| parse_vector(place, value)).collect()
}

fn parse_vector(place: usize, value: &Value) -> Result<Vector, String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let id = text("id").ok_or(format!("vector {} has no \"id\"", place + 1))?;
    let object = |name: &str| match value.get(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) => Ok(map.clone()),
        Some(_) => Err(format!("\"{name}\" of vector {id} is not an object")),
    };
    let negative = match value.get("negative") {
        None | Some(Value::Null) => false,
        Some(Value::Bool(negative)) => *negative,
        Some(_) => return Err(format!("\"negative\" of vector {id} is neither true nor false")),
    };
    Ok(Vector {
        group: text("group").ok_or(format!("vector {id} has no \"group\""))?,
        algorithm: text("algorithm").unwrap_or_default(),
        inputs: object("inputs")?,
        outputs: object("outputs")?,
        negative,
        id,
    })
}

/// Runs one vector.
pub(crate) fn run(vector: &Vector) -> Outcome {
    let Some(compute) = group(&vector.group) else {
        return Outcome::NotSupported(format!("group {}", vector.group));
    };
    if let Some(outcome) = no_clear_expectation(vector) {
        return outcome;
    }
    let case = Case { vector, used: RefCell::default() };
    match vector.negative {
        true => run_negative(&case, compute),
        false => run_positive(&case, compute),
    }
}

/// Why a vector cannot be judged as it stands: it expects both acceptance and refusal, or an output has no value.
fn no_clear_expectation(vector: &Vector) -> Option<Outcome> {
    let empty = |value: &Value| match value {
        Value::Null | Value::Object(_) => true,
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    if let Some((name, _)) = vector.outputs.iter().find(|(_, value)| empty(value)) {
        return Some(Outcome::NotSupported(format!("output {name} without a value")));
    }
    let result = vector.outputs.get(RESULT)?;
    let refusal = match comparable(result).as_str() {
        ACCEPT => false,
        "REJECT" | "REJECTED" | "REFUSE" | "REFUSED" | "INVALID" | "FALSE" | "FAIL" | "ERROR" => true,
        _ => return Some(Outcome::NotSupported(format!("result {}", shown(result)))),
    };
    (refusal != vector.negative).then(|| Outcome::Failed {
        expected: format!("result {}", shown(result)),
        got: format!("\"negative\" {} in the same vector", vector.negative),
    })
}

/// What computes the values of a group.
fn group(name: &str) -> Option<Compute> {
    Some(match name {
        "tdes_dukpt" => dukpt::tdes,
        "aes_dukpt" => dukpt::aes,
        "pin_block" => pins::pin_block,
        "pvv" => pins::pvv,
        "ibm3624" => pins::ibm3624,
        "tr31" => keys::tr31,
        "kcv" => keys::kcv,
        "weak_keys" => keys::weak_keys,
        "mac" => macs::mac,
        "cmac" => macs::cmac,
        "sm4" => macs::sm4,
        "payshield_variant" => payshield::variant,
        "payshield_keyblock" => payshield::key_block,
        "payshield_framing" => payshield::framing,
        _ => return None,
    })
}

/// Computes a value of a group by its name.
pub(crate) type Compute = fn(&Case<'_>, &str) -> Result<Value, Trouble>;

/// The output that says whether the operation accepts.
const RESULT: &str = "result";
/// What all words for acceptance are compared as.
const ACCEPT: &str = "ACCEPT";
/// The output that says in free words why a negative vector is refused: there is nothing to compare it with.
const REASON: &str = "reason";
/// The output that describes and is not computed.
const NOTE: &str = "note";
/// Input names that describe and do not change the computation.
const ANNOTATIONS: [&str; 6] = ["note", "part", "name", "comment", "source", "description"];
/// Input names that belong to outputs which a vector may leave out: idle, they change nothing.
const IDLE: [&str; 10] = [
    "pin",
    "pan",
    "account12",
    "data",
    "data_ascii",
    "fill",
    "random8",
    "iso4_random8",
    "key_type",
    "check_length",
];

fn run_positive(case: &Case<'_>, compute: Compute) -> Outcome {
    let mut compared = 0;
    for (name, expected) in &case.vector.outputs {
        if name == NOTE {
            continue;
        }
        let got = match name.as_str() {
            REASON => unknown("output of a vector that is not negative:", name),
            RESULT => accept(case, compute).map(|()| Value::from("accept")),
            _ => compute(case, name),
        };
        match got {
            Ok(got) if same(expected, &got) => compared += 1,
            Ok(got) => {
                return Outcome::Failed { expected: format!("{name} {}", shown(expected)), got: shown(&got) };
            }
            Err(Trouble::Refused(why)) => {
                return Outcome::Failed {
                    expected: format!("{name} {}", shown(expected)),
                    got: format!("refused: {why}"),
                };
            }
            Err(Trouble::NotSupported(why)) => return Outcome::NotSupported(why),
        }
    }
    match check_restated_inputs(case, compute) {
        Err(Trouble::Refused(why)) => {
            return Outcome::Failed { expected: "consistent inputs".into(), got: why };
        }
        Err(Trouble::NotSupported(why)) => return Outcome::NotSupported(why),
        Ok(_) => (),
    }
    match compared {
        0 => Outcome::NotSupported("no output to compare".into()),
        _ => Outcome::Passed,
    }
}

fn run_negative(case: &Case<'_>, compute: Compute) -> Outcome {
    // Intermediate values of a refused vector are still facts: a refusal before one of them is not the one meant.
    let mut compared = 0;
    for (name, expected) in &case.vector.outputs {
        if [RESULT, REASON, NOTE].contains(&name.as_str()) {
            continue;
        }
        let got = match compute(case, name) {
            Ok(got) if same(expected, &got) => {
                compared += 1;
                continue;
            }
            Ok(got) => shown(&got),
            Err(Trouble::Refused(why)) => format!("refused: {why}"),
            Err(Trouble::NotSupported(why)) => return Outcome::NotSupported(why),
        };
        return Outcome::Failed { expected: format!("{name} {}", shown(expected)), got };
    }
    match accept(case, compute) {
        Err(Trouble::Refused(_)) => Outcome::Passed,
        // Nothing of the group is left that could refuse: its values were all computed.
        Err(Trouble::NotSupported(why)) if compared == 0 => Outcome::NotSupported(why),
        Err(Trouble::NotSupported(_)) | Ok(()) => {
            Outcome::Failed { expected: "a refusal".into(), got: "accepted".into() }
        }
    }
}

/// The whole operation of a vector without a value to compare: the group's own "result" if it has one, and all values
/// that the inputs restate (a MAC, a PVV, a check value to be verified).
fn accept(case: &Case<'_>, compute: Compute) -> Result<(), Trouble> {
    let own = compute(case, RESULT).map(|_| ());
    let restated = check_restated_inputs(case, compute);
    match (own, restated) {
        (Err(Trouble::Refused(why)), _) | (_, Err(Trouble::Refused(why))) => Err(Trouble::Refused(why)),
        // A group without an operation of its own accepts by having verified something.
        (Err(Trouble::NotSupported(_)), Ok(verified)) if verified > 0 => Ok(()),
        (Err(why), _) | (Ok(()), Err(why)) => Err(why),
        (Ok(()), Ok(_)) => Ok(()),
    }
}

/// Inputs that the group did not read but can compute must be equal to what it computes; says how many there were.
fn check_restated_inputs(case: &Case<'_>, compute: Compute) -> Result<usize, Trouble> {
    let mut verified = 0;
    while let Some(name) = case.unused_input() {
        let got = match compute(case, &name) {
            Err(Trouble::NotSupported(_)) if IDLE.contains(&name.as_str()) => {
                case.mark(&name);
                continue;
            }
            Err(Trouble::NotSupported(_)) => return Err(Trouble::not_supported(format!("input {name}"))),
            got => got?,
        };
        case.mark(&name);
        match case.vector.inputs.get(&name) {
            Some(given) if same(given, &got) => verified += 1,
            _ => return Err(Trouble::Refused(format!("{name} {} computed", shown(&got)))),
        }
    }
    Ok(verified)
}

/// The inputs of a vector, with a note of which were read.
pub(crate) struct Case<'a> {
    vector: &'a Vector,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> Case<'a> {
    /// The algorithm text in lower case.
    pub(crate) fn algorithm(&self) -> String {
        self.vector.algorithm.to_lowercase()
    }

    /// The expected text of an output, where its length matters.
    pub(crate) fn expected(&self, name: &str) -> Option<&'a str> {
        self.vector.outputs.get(name).or(self.vector.inputs.get(name)).and_then(Value::as_str)
    }

    /// The names of the outputs.
    pub(crate) fn output_names(&self) -> impl Iterator<Item = &'a str> {
        self.vector.outputs.keys().map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.vector.inputs.contains_key(name)
    }

    /// The first of the names that the inputs have, as text.
    pub(crate) fn any_text(&self, names: &[&str]) -> Result<String, Trouble> {
        let name = names.iter().find(|name| self.has(name)).ok_or_else(|| missing(names))?;
        self.mark(name);
        match self.vector.inputs.get(*name) {
            Some(Value::String(text)) => Ok(text.clone()),
            Some(Value::Number(number)) => Ok(number.to_string()),
            _ => Err(Trouble::not_supported(format!("input {name} is neither text nor number"))),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<String, Trouble> {
        self.any_text(&[name])
    }

    pub(crate) fn any_bytes(&self, names: &[&str]) -> Result<Vec<u8>, Trouble> {
        let text = self.any_text(names)?;
        hex::decode(text.trim())
            .map_err(|_| Trouble::Refused(format!("input {} is not hexadecimal", names.join(" or "))))
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, Trouble> {
        self.any_bytes(&[name])
    }

    /// The message, given as text or in hexadecimal.
    pub(crate) fn data(&self) -> Result<Vec<u8>, Trouble> {
        if self.has("data_ascii") {
            return self.text("data_ascii").map(String::into_bytes);
        }
        self.any_bytes(&["data", "data_hex", "message", "mab"])
    }

    fn mark(&self, name: &str) {
        self.used.borrow_mut().insert(name.to_owned());
    }

    fn unused_input(&self) -> Option<String> {
        let used = self.used.borrow();
        let mut names = self.vector.inputs.keys();
        names.find(|name| !used.contains(*name) && !ANNOTATIONS.contains(&name.as_str())).cloned()
    }
}

fn missing(names: &[&str]) -> Trouble {
    Trouble::not_supported(format!("input {} is missing", names.join(" or ")))
}

/// Equal as text, whatever the case of hexadecimal digits; lists in any order.
fn same(expected: &Value, got: &Value) -> bool {
    match (expected, got) {
        (Value::Array(expected), Value::Array(got)) => {
            let sorted = |list: &[Value]| {
                let mut texts: Vec<String> = list.iter().map(comparable).collect();
                texts.sort();
                texts
            };
            sorted(expected) == sorted(got)
        }
        _ => comparable(expected) == comparable(got),
    }
}

fn comparable(value: &Value) -> String {
    let text = shown(value).to_uppercase();
    match text.as_str() {
        "ACCEPTED" | "VALID" | "OK" | "TRUE" | "PASS" => ACCEPT.to_owned(),
        _ => text,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Upper-case hexadecimal.
fn hex_value(bytes: impl AsRef<[u8]>) -> Result<Value, Trouble> {
    Ok(Value::from(hex::encode_upper(bytes)))
}

/// Digit values 0 to 9 as text.
fn digits_value(digits: &[u8]) -> Result<Value, Trouble> {
    Ok(Value::from(digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>()))
}

fn unknown(what: &str, name: &str) -> Result<Value, Trouble> {
    Err(Trouble::not_supported(format!("{what} {name}")))
}

/// An array of the length that the algorithm has, or a refusal.
fn exactly<const N: usize>(bytes: &[u8], what: &str) -> Result<[u8; N], Trouble> {
    bytes.try_into().map_err(|_| Trouble::Refused(format!("{what} has {} bytes and not {N}", bytes.len())))
}

/// The number at the end of a name such as `mac_request_8`, with the name in front of it.
fn numbered(name: &str) -> (&str, Option<usize>) {
    match name.rsplit_once('_').map(|(stem, number)| (stem, number.parse())) {
        Some((stem, Ok(number))) => (stem, Some(number)),
        _ => (name, None),
    }
}

/// The leftmost bytes of a value; all of them if no number was named.
fn leftmost(bytes: &[u8], length: Option<usize>) -> Result<Value, Trouble> {
    match bytes.get(..length.unwrap_or(bytes.len())) {
        Some(bytes) => hex_value(bytes),
        None => Err(Trouble::not_supported("a value longer than the algorithm makes")),
    }
}
