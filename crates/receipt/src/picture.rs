//! A slip as a picture of black and white dots, 384 or 576 wide, as a printer would burn it: each character in its cell, so that
//! columns stand below each other whatever the font.
//!
//! The font comes as bytes. A font with Chinese is ten megabytes: it is looked for on the system, never part of the program
//! ([`FONT_PATHS`]).

mod bitmap;
mod face;

pub use bitmap::Bitmap;
pub use face::{FONT_PACKAGES, FONT_PATHS, Face, FaceError};

use crate::layout::{Align, Layout, Line, Style};
use crate::width::{char_columns, columns};

/// Dots of a half-width column: 384 / 32 and 576 / 48.
const COLUMN: usize = 12;
/// Dots of a character's height.
const EM: usize = 24;
/// From line to line.
const LEADING: usize = 30;
/// Twice as high.
const TALL_LEADING: usize = 54;
/// A signature's height.
const INK: usize = 120;
/// White above and below.
const MARGIN: usize = 12;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// The encoder refused.
    #[error("the picture cannot be written")]
    Encode(#[from] png::EncodingError),
}

/// The picture's dots.
#[must_use]
pub fn bitmap(layout: &Layout, face: &Face) -> Bitmap {
    let height = layout.lines.iter().map(leading).sum::<usize>() + 2 * MARGIN;
    let mut picture = Bitmap::new(layout.paper.dots(), height);
    let mut top = MARGIN;
    for line in &layout.lines {
        match line {
            Line::Text(style, text) => write(&mut picture, face, top, *style, text),
            Line::Rule => {
                (0..layout.paper.dots()).filter(|x| x % 12 < 8).for_each(|x| {
                    picture.set(x, top + LEADING / 2);
                    picture.set(x, top + LEADING / 2 + 1);
                });
            }
            Line::Ink(signature, _) => {
                signature.draw(&mut picture, COLUMN, top, layout.paper.dots() - 2 * COLUMN, INK);
            }
        }
        top += leading(line);
    }
    picture
}

/// The picture as PNG (ISO/IEC 15948), one bit a dot.
///
/// # Errors
/// [`PictureError`] when it cannot be encoded.
pub fn png(layout: &Layout, face: &Face) -> Result<Vec<u8>, PictureError> {
    let picture = bitmap(layout, face);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, picture.width() as u32, picture.height() as u32);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    // in a grey picture of one bit, 1 is white; here 1 is ink
    let white: Vec<u8> = picture.bytes().iter().map(|byte| !byte).collect();
    encoder.write_header()?.write_image_data(&white)?;
    Ok(out)
}

fn leading(line: &Line) -> usize {
    match line {
        Line::Text(style, _) if style.tall => TALL_LEADING,
        Line::Text(..) | Line::Rule => LEADING,
        Line::Ink(..) => INK,
    }
}

fn write(picture: &mut Bitmap, face: &Face, top: usize, style: Style, text: &str) {
    let free = picture.width().saturating_sub(columns(text) * COLUMN);
    let mut left = if style.align == Align::Centre { free / 2 } else { 0 };
    let height = if style.tall { 2 * EM } else { EM };
    for c in text.chars() {
        let width = char_columns(c) * COLUMN;
        face.draw(c, width, EM, height, |x, y| {
            picture.set(left + x, top + y);
            if style.bold {
                picture.set(left + x + 1, top + y);
            }
        });
        left += width;
    }
}
