//! An e-signature: strokes of a pen on a pad, bounded when they arrive, drawn alike on paper, on a screen and in a picture.
//!
//! It is not evidence of who signed: nothing here compares signatures.

use serde::{Deserialize, Serialize};

use crate::picture::Bitmap;

/// The pad is so many units wide; x runs from 0 to one less.
pub const PAD_WIDTH: u16 = 600;
/// And so many high.
pub const PAD_HEIGHT: u16 = 200;
/// The most strokes.
pub const STROKES_MAX: usize = 64;
/// The most points of all strokes together.
pub const POINTS_MAX: usize = 2000;
/// Less ink than this, in units along the strokes, is a dot or a slip of the finger and no signature.
pub const INK_MIN: u32 = 80;

/// Why strokes are no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// More strokes or points than anybody writes.
    #[error("a signature has at most {STROKES_MAX} strokes and {POINTS_MAX} points")]
    TooMuch,
    /// Beside the pad.
    #[error("a point lies beside the pad of {PAD_WIDTH} by {PAD_HEIGHT}")]
    BesideThePad,
    /// Next to nothing.
    #[error("that is too little ink for a signature")]
    TooLittle,
}

/// Strokes within bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Strokes", into = "Strokes")]
pub struct Signature {
    strokes: Vec<Vec<[u16; 2]>>,
}

/// As it is sent and kept: `{"strokes":[[[x,y],…],…]}`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Strokes {
    strokes: Vec<Vec<[u16; 2]>>,
}

impl TryFrom<Strokes> for Signature {
    type Error = SignatureError;

    fn try_from(sent: Strokes) -> Result<Signature, SignatureError> {
        Signature::new(sent.strokes)
    }
}

impl From<Signature> for Strokes {
    fn from(signature: Signature) -> Strokes {
        Strokes { strokes: signature.strokes }
    }
}

impl Signature {
    /// Takes strokes, each a line through its points.
    ///
    /// # Errors
    /// [`SignatureError`] when there is too much of them, too little, or a point lies beside the pad.
    pub fn new(strokes: Vec<Vec<[u16; 2]>>) -> Result<Signature, SignatureError> {
        let points: usize = strokes.iter().map(Vec::len).sum();
        if strokes.len() > STROKES_MAX || points > POINTS_MAX {
            return Err(SignatureError::TooMuch);
        }
        if strokes.iter().flatten().any(|[x, y]| *x >= PAD_WIDTH || *y >= PAD_HEIGHT) {
            return Err(SignatureError::BesideThePad);
        }
        let signature = Signature { strokes };
        if signature.ink() < INK_MIN { Err(SignatureError::TooLittle) } else { Ok(signature) }
    }

    /// The strokes.
    #[must_use]
    pub fn strokes(&self) -> &[Vec<[u16; 2]>] {
        &self.strokes
    }

    /// Units along all strokes, by the longer side of each step.
    fn ink(&self) -> u32 {
        let step = |pair: &[[u16; 2]]| match pair {
            [a, b] => u32::from(a[0].abs_diff(b[0]).max(a[1].abs_diff(b[1]))),
            _ => 0,
        };
        self.strokes.iter().flat_map(|s| s.windows(2)).map(step).sum()
    }

    /// The outline of an SVG path; whole numbers only.
    #[must_use]
    pub fn svg_path(&self) -> String {
        let mut out = String::new();
        for stroke in &self.strokes {
            for (at, [x, y]) in stroke.iter().enumerate() {
                out.push_str(&format!("{}{x} {y}", if at == 0 { 'M' } else { 'L' }));
            }
        }
        out
    }

    /// Draws it into a field of a picture.
    pub fn draw(&self, picture: &mut Bitmap, left: usize, top: usize, width: usize, height: usize) {
        let place = |[x, y]: [u16; 2]| {
            (
                left + usize::from(x) * width / usize::from(PAD_WIDTH),
                top + usize::from(y) * height / usize::from(PAD_HEIGHT),
            )
        };
        for stroke in &self.strokes {
            for pair in stroke.windows(2) {
                picture.stroke(place(pair[0]), place(pair[1]));
            }
        }
    }
}
