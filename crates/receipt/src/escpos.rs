//! A slip as the bytes of a thermal printer (ESC/POS, Chinese models): GB18030 text, bold, double height, centred lines, a raster
//! for the signature, and a cut. The commands' names are those of Epson's ESC/POS reference.
//!
//! Text that came from outside has no control character left (see [`crate::clean`]), so that no value is a command.

use encoding_rs::GB18030;

use crate::layout::{Align, Layout, Line, Style};
use crate::picture::Bitmap;

/// `ESC @`: initialize printer.
const INITIALIZE: &[u8] = &[0x1B, b'@'];
/// `FS &`: select Chinese character mode.
const CHINESE: &[u8] = &[0x1C, b'&'];
/// `GS V 66 0`: feed to the cutter, partial cut.
const CUT: &[u8] = &[0x1D, b'V', 66, 0];
/// `ESC d 3`: print and feed three lines, so that the last is above the tear bar where there is no cutter.
const FEED: &[u8] = &[0x1B, b'd', 3];

/// The height of a signature, in dots.
const INK_DOTS: usize = 120;

/// The bytes, from initialization to cut.
#[must_use]
pub fn escpos(layout: &Layout) -> Vec<u8> {
    let mut out = [INITIALIZE, CHINESE].concat();
    let mut current = Style::default();
    for line in &layout.lines {
        match line {
            Line::Text(style, text) => {
                change(&mut out, &mut current, *style);
                out.extend_from_slice(&GB18030.encode(text).0);
                out.push(b'\n');
            }
            Line::Rule => {
                change(&mut out, &mut current, Style::default());
                out.extend(std::iter::repeat_n(b'-', layout.paper.columns()));
                out.push(b'\n');
            }
            Line::Ink(signature, _) => {
                change(&mut out, &mut current, Style::default());
                let mut picture = Bitmap::new(layout.paper.dots(), INK_DOTS);
                signature.draw(&mut picture, 12, 0, layout.paper.dots() - 24, INK_DOTS);
                raster(&mut out, &picture);
            }
        }
    }
    change(&mut out, &mut current, Style::default());
    out.extend_from_slice(FEED);
    out.extend_from_slice(CUT);
    out
}

/// Sends only what changes: `ESC a` justification, `ESC E` emphasis, `GS !` character size. `FS !` has the size and weight of
/// Chinese characters apart from it.
fn change(out: &mut Vec<u8>, current: &mut Style, wanted: Style) {
    if current.align != wanted.align {
        out.extend_from_slice(&[0x1B, b'a', u8::from(wanted.align == Align::Centre)]);
    }
    if current.bold != wanted.bold {
        out.extend_from_slice(&[0x1B, b'E', u8::from(wanted.bold)]);
    }
    if current.tall != wanted.tall {
        out.extend_from_slice(&[0x1D, b'!', u8::from(wanted.tall)]);
        out.extend_from_slice(&[0x1C, b'!', if wanted.tall { 0x08 } else { 0 }]);
    }
    *current = wanted;
}

/// `GS v 0`: print raster bit image, whole bytes a row, the leftmost dot in the highest bit.
fn raster(out: &mut Vec<u8>, picture: &Bitmap) {
    let (bytes, rows) = (picture.row_bytes() as u16, picture.height() as u16);
    out.extend_from_slice(&[0x1D, b'v', b'0', 0]);
    out.extend_from_slice(&bytes.to_le_bytes());
    out.extend_from_slice(&rows.to_le_bytes());
    out.extend_from_slice(picture.bytes());
}
