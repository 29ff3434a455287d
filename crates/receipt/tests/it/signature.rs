//! A signature: what is taken, what is refused, and that it comes back as it was.

use proptest::prelude::*;
use receipt::signature::{POINTS_MAX, STROKES_MAX};
use receipt::{Signature, SignatureError};

use crate::forms;

#[test]
fn what_is_no_signature_is_refused() {
    let line = vec![[0, 0], [300, 100]];
    let refused = |strokes: Vec<Vec<[u16; 2]>>| Signature::new(strokes).unwrap_err();
    assert_eq!(refused(vec![]), SignatureError::TooLittle);
    assert_eq!(refused(vec![vec![[5, 5]]; 10]), SignatureError::TooLittle);
    assert_eq!(refused(vec![vec![[0, 0], [600, 10]]]), SignatureError::BesideThePad);
    assert_eq!(refused(vec![vec![[0, 0], [10, 200]]]), SignatureError::BesideThePad);
    assert_eq!(refused(vec![line.clone(); STROKES_MAX + 1]), SignatureError::TooMuch);
    assert_eq!(refused(vec![vec![[1, 1]; POINTS_MAX + 1]]), SignatureError::TooMuch);
    assert!(Signature::new(vec![line]).is_ok());
}

#[test]
fn json_is_held_to_the_same_bounds() {
    let read = |text: &str| serde_json::from_str::<Signature>(text);
    assert!(read(r#"{"strokes":[[[0,0],[300,100]]]}"#).is_ok());
    for bad in [
        r#"{"strokes":[[[0,0],[3,1]]]}"#,
        r#"{"strokes":[[[0,0],[700,1]]]}"#,
        r#"{"strokes":[[[0,-1],[300,1]]]}"#,
        r#"{"strokes":[[[0],[300,1]]]}"#,
        r#"{"strokes":[[[0,0],[300,100]]],"by":"me"}"#,
        r#"{}"#,
    ] {
        assert!(read(bad).is_err(), "{bad}");
    }
    let text = serde_json::to_string(&forms::signature()).unwrap();
    assert_eq!(read(&text).unwrap(), forms::signature());
}

proptest! {
    #[test]
    fn whatever_is_taken_can_be_drawn(strokes in prop::collection::vec(prop::collection::vec([0u16..650, 0u16..220], 0..40), 0..40)) {
        if let Ok(signature) = Signature::new(strokes) {
            let mut picture = receipt::picture::Bitmap::new(384, 120);
            signature.draw(&mut picture, 12, 0, 360, 120);
            prop_assert!(picture.ink() > 0);
            prop_assert!(signature.svg_path().bytes().all(|b| b.is_ascii_digit() || b"ML ".contains(&b)));
            let back: Signature = serde_json::from_str(&serde_json::to_string(&signature).unwrap()).unwrap();
            prop_assert_eq!(back, signature);
        }
    }
}
