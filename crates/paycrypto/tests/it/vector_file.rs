//! Every vector of `vectors/crypto-vectors.json` passes.

use crate::runner::{self, Outcome};

const FILE: &str = include_str!("../../../../vectors/crypto-vectors.json");

/// Vectors that are not supported yet, each with its reason.
const NOT_SUPPORTED_YET: &[(&str, &str)] = &[];

#[test]
fn every_vector_of_the_file_passes() {
    let vectors = runner::parse(FILE).unwrap();
    let mut wrong = Vec::new();
    for vector in &vectors {
        let expected_gap = NOT_SUPPORTED_YET.iter().any(|(id, _)| *id == vector.id);
        match (runner::run(vector), expected_gap) {
            (Outcome::Passed, false) | (Outcome::NotSupported(_), true) => (),
            (outcome, _) => wrong.push(format!("{}: {outcome:?}", vector.id)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(vectors.len() >= 228, "the file has shrunk to {} vectors", vectors.len());
}

fn check(vector: &str, expect: fn(&Outcome) -> bool) {
    let vectors = runner::parse(&format!("{{\"vectors\": [{vector}]}}")).unwrap();
    let outcome = runner::run(&vectors[0]);
    assert!(expect(&outcome), "{vector}: {outcome:?}");
}

fn failed(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Failed { .. })
}

fn not_supported(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NotSupported(_))
}

#[test]
fn the_checker_never_passes_silently() {
    // a wrong value
    check(
        r#"{"id":"a","group":"kcv","algorithm":"KCV TDES zeros",
        "inputs":{"key":"E6F1081FEA4C402CC192B65DE367EC3E"},"outputs":{"kcv":"212CF8"}}"#,
        failed,
    );
    // an output, an input, an algorithm and a group that it does not know
    check(
        r#"{"id":"b","group":"kcv","algorithm":"KCV TDES zeros",
        "inputs":{"key":"E6F1081FEA4C402CC192B65DE367EC3E"},"outputs":{"kcv":"212CF9","colour":"00"}}"#,
        not_supported,
    );
    check(
        r#"{"id":"c","group":"kcv","algorithm":"KCV TDES zeros",
        "inputs":{"key":"E6F1081FEA4C402CC192B65DE367EC3E","iv":"01"},"outputs":{"kcv":"212CF9"}}"#,
        not_supported,
    );
    check(
        r#"{"id":"d","group":"kcv","algorithm":"KCV Camellia",
        "inputs":{"key":"E6F1081FEA4C402CC192B65DE367EC3E"},"outputs":{"kcv":"212CF9"}}"#,
        not_supported,
    );
    check(r#"{"id":"e","group":"rsa","inputs":{},"outputs":{"x":"00"}}"#, not_supported);
    // nothing to compare
    check(r#"{"id":"f","group":"kcv","algorithm":"KCV TDES zeros","inputs":{},"outputs":{}}"#, not_supported);
    // a negative vector with a good block
    check(
        r#"{"id":"g","group":"pin_block","algorithm":"ISO 9564-1 format 0 decode","negative":true,
        "inputs":{"clear_pin_block":"041215FEDCBA9876","pan":"5432101234567891"},"outputs":{"result":"reject"}}"#,
        failed,
    );
    // an input that contradicts what it restates
    check(
        r#"{"id":"h","group":"pin_block","algorithm":"ISO 9564-1 format 4 (AES)",
        "inputs":{"pin":"1234","pan":"4111111111111111","key":"AF8CB133A78F8DC2D1359F18527593FB",
            "random8":"2F69ADDE2E9E7ACE","pan_field":"44111111111111112000000000000000"},
        "outputs":{"encrypted_pin_block":"A912150391AB65A67E52883D81CE2D15"}}"#,
        failed,
    );
}

#[test]
fn negative_vectors_may_restate_a_value_that_must_not_match() {
    let passed = |outcome: &Outcome| *outcome == Outcome::Passed;
    check(
        r#"{"id":"a","group":"pvv","algorithm":"Visa PVV","negative":true,
        "inputs":{"pvk":"0123456789ABCDEFFEDCBA9876543210","pvki":"1","pin":"4525","pan":"1122334455667788","pvv":"8523"},
        "outputs":{"result":"reject"}}"#,
        passed,
    );
    check(
        r#"{"id":"b","group":"tdes_dukpt","algorithm":"TDES DUKPT","negative":true,
        "inputs":{"bdk":"0123456789ABCDEFFEDCBA9876543210","ksn":"FFFF9876543210FFFFFF"},
        "outputs":{"result":"reject","reason":"more than ten one-bits"}}"#,
        passed,
    );
}

#[test]
fn malformed_files_are_described_in_one_sentence() {
    for (text, part) in [
        ("", "not JSON"),
        ("{}", "no list"),
        (r#"{"vectors":[{"group":"mac"}]}"#, "no \"id\""),
        (r#"{"vectors":[{"id":"x"}]}"#, "no \"group\""),
        (r#"{"vectors":[{"id":"x","group":"mac","inputs":[]}]}"#, "not an object"),
        (r#"{"vectors":[{"id":"x","group":"mac","negative":"no"}]}"#, "neither true nor false"),
    ] {
        let error = runner::parse(text).err().unwrap();
        assert!(error.contains(part) && !error.contains('\n'), "{error}");
    }
}
