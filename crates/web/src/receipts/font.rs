//! The font of pictures: looked for on the system once, when the first picture is wanted.

use std::sync::OnceLock;

use receipt::picture::{FONT_PACKAGES, FONT_PATHS, Face};

/// There is no font with Chinese.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no font with Chinese characters on this system: {FONT_PACKAGES}")]
pub struct NoFont;

/// The system's font. One that was found is kept; where there is none, the next picture looks again.
pub(super) fn face() -> Result<&'static Face, NoFont> {
    static FACE: OnceLock<Face> = OnceLock::new();
    if let Some(face) = FACE.get() {
        return Ok(face);
    }
    let found = FONT_PATHS.iter().find_map(|(path, index)| Face::new(std::fs::read(path).ok()?, *index).ok());
    found.map(|face| FACE.get_or_init(|| face)).ok_or(NoFont)
}
