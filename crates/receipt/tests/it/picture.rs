//! Pictures, compared by size and ink: another version of the rasterizer may move a dot. The font of this test has the characters
//! of the forms and no others (data/README.md).

use receipt::picture::{Bitmap, Face, FaceError, bitmap, png};
use receipt::{Copy, Language, Layout, Paper};

use crate::forms;

fn face() -> Face {
    Face::new(include_bytes!("data/slip.ttf").to_vec(), 0).unwrap()
}

fn ink_of_row(picture: &Bitmap, y: usize) -> u32 {
    let row = picture.row_bytes();
    picture.bytes()[y * row..(y + 1) * row].iter().map(|b| b.count_ones()).sum()
}

#[test]
fn pictures_have_the_papers_width_and_a_lines_worth_of_ink() {
    let face = face();
    for (name, slip, paper, language, copy) in forms::all() {
        let layout = Layout::of(&slip, paper, language, copy);
        let picture = bitmap(&layout, &face);
        assert_eq!(picture.width(), paper.dots(), "{name}");
        assert!((400..1200).contains(&picture.height()), "{name}: {} rows", picture.height());
        let share = f64::from(picture.ink()) / (picture.width() * picture.height()) as f64;
        assert!((0.03..0.20).contains(&share), "{name}: {share} of it is ink");
        assert!((0..12).all(|y| ink_of_row(&picture, y) == 0), "{name}: the margin has ink");
    }
}

#[test]
fn a_png_says_its_size_and_has_one_bit_a_dot() {
    let layout = Layout::of(&forms::sale(), Paper::Mm58, Language::Zh, Copy::Merchant);
    let (face, picture) = (face(), bitmap(&layout, &face()));
    let bytes = png(&layout, &face).unwrap();
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    let mut reader = png::Decoder::new(std::io::Cursor::new(&bytes)).read_info().unwrap();
    assert_eq!((reader.info().width, reader.info().height), (384, picture.height() as u32));
    let mut dots = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut dots).unwrap();
    let white: u32 = dots.iter().map(|b| b.count_ones()).sum();
    assert_eq!(white + picture.ink(), 384 * picture.height() as u32);
}

#[test]
fn a_signature_and_bold_letters_add_ink() {
    let ink = |name: &str| {
        let (_, slip, paper, language, copy) = forms::all().into_iter().find(|f| f.0 == name).unwrap();
        bitmap(&Layout::of(&slip, paper, language, copy), &face()).ink()
    };
    assert!(ink("signed-58-zh-merchant") > ink("sale-58-zh-merchant") + 500);
    assert!(ink("reprint-58-zh") > ink("sale-58-zh-merchant") + 500);
}

#[test]
fn a_font_must_be_one_and_have_chinese() {
    assert_eq!(Face::new(b"no font".to_vec(), 0).unwrap_err(), FaceError::NotAFont);
    assert_eq!(Face::new(Vec::new(), 7).unwrap_err(), FaceError::NotAFont);
    let latin = include_bytes!("data/latin.ttf").to_vec();
    assert_eq!(Face::new(latin, 0).unwrap_err(), FaceError::NoChinese);
}
