//! One font, drawn a character at a time into the cell that the paper has for it.

use ab_glyph::{Font, FontVec, Glyph, GlyphId, PxScale, ScaleFont, point};

/// Where systems keep a font with Chinese, and which one of a collection it is; the first that is there is taken.
pub const FONT_PATHS: &[(&str, u32)] = &[
    ("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc", 0),
    ("/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc", 0),
    ("/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc", 0),
    ("/usr/share/fonts/google-noto-sans-cjk-fonts/NotoSansCJK-Regular.ttc", 0),
    ("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc", 1),
    ("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", 1),
    ("/usr/share/fonts/wenquanyi/wqy-microhei/wqy-microhei.ttc", 1),
    ("/System/Library/Fonts/PingFang.ttc", 0),
    ("/System/Library/Fonts/STHeiti Light.ttc", 0),
    ("C:\\Windows\\Fonts\\msyh.ttc", 0),
    ("C:\\Windows\\Fonts\\simsun.ttc", 0),
];

/// What to install where there is none.
pub const FONT_PACKAGES: &str = "install fonts-noto-cjk or fonts-wqy-microhei (Debian, Ubuntu), google-noto-sans-cjk-fonts (Fedora) or noto-fonts-cjk (Arch)";

/// How dark a dot must be to be burned.
const THRESHOLD: f32 = 0.42;

/// Why a font does not serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FaceError {
    /// Not a font.
    #[error("not a TrueType or OpenType font")]
    NotAFont,
    /// A font without the characters of a slip.
    #[error("the font has no Chinese characters")]
    NoChinese,
}

/// A font that has Chinese.
pub struct Face(FontVec);

impl std::fmt::Debug for Face {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Face({} glyphs)", self.0.glyph_count())
    }
}

impl Face {
    /// Reads a font, or one of a collection.
    ///
    /// # Errors
    /// [`FaceError`] when it is none, or has no Chinese.
    pub fn new(bytes: Vec<u8>, index: u32) -> Result<Face, FaceError> {
        let font = FontVec::try_from_vec_and_index(bytes, index).map_err(|_| FaceError::NotAFont)?;
        // the first character of what a slip is called, and two that stand on each
        let has = |c: char| font.glyph_id(c) != GlyphId(0);
        if ['\u{7B7E}', '\u{5361}', '\u{989D}', '0'].into_iter().all(has) {
            Ok(Face(font))
        } else {
            Err(FaceError::NoChinese)
        }
    }

    /// Gives the dots of a character that has a cell so wide: an em of `em` dots, stretched to `height`. What is wider than its
    /// cell is made narrower.
    pub fn draw(&self, c: char, cell: usize, em: usize, height: usize, mut dot: impl FnMut(usize, usize)) {
        let units = self.0.units_per_em().filter(|units| *units > 0.0).unwrap_or(1000.0);
        let factor = self.0.height_unscaled() / units;
        let (em, cell) = (em as f32, cell as f32);
        let mut scale = PxScale { x: em * factor, y: height as f32 * factor };
        let id = self.0.glyph_id(c);
        let advance = self.0.as_scaled(scale).h_advance(id);
        if advance > cell {
            scale.x *= cell / advance;
        }
        let left = (cell - advance.min(cell)) / 2.0;
        let baseline = height as f32 * 0.86;
        let glyph = Glyph { id, scale, position: point(left, baseline) };
        let Some(outline) = self.0.outline_glyph(glyph) else { return };
        let bounds = outline.px_bounds();
        outline.draw(|x, y, coverage| {
            let (x, y) = (bounds.min.x + x as f32, bounds.min.y + y as f32);
            if coverage >= THRESHOLD && x >= 0.0 && y >= 0.0 {
                dot(x as usize, y as usize);
            }
        });
    }
}
