//! A slip as HTML: a fragment for a page that has the style sheet, or a document of its own that prints on a roll. No script.

use crate::layout::{Align, Layout, Line, Style};
use crate::signature::{PAD_HEIGHT, PAD_WIDTH};

/// What a slip needs to look like one, on screen and on paper.
pub const STYLE: &str = include_str!("../texts/slip.css");

/// `<div class="slip slip-58">…</div>`.
#[must_use]
pub fn fragment(layout: &Layout) -> String {
    let lines: String = layout.lines.iter().map(line).collect();
    let (paper, lang) = (layout.paper.millimetres(), layout.language.tag());
    format!("<div class=\"slip slip-{paper}\" lang=\"{lang}\">\n{lines}</div>\n")
}

/// A whole document with its style, for a file or a printer's queue.
#[must_use]
pub fn document(layout: &Layout) -> String {
    let page = format!("@page{{size:{}mm auto;margin:0}}", layout.paper.millimetres());
    whole(layout, &format!("<style>{page}\n{STYLE}</style>"))
}

/// A whole document whose style is at an address, for a server that allows no style within a page.
#[must_use]
pub fn linked_document(layout: &Layout, style_href: &str) -> String {
    whole(layout, &format!("<link rel=\"stylesheet\" href=\"{}\">", escaped(style_href)))
}

fn whole(layout: &Layout, style: &str) -> String {
    let title = escaped(layout.language.text("title"));
    format!(
        "<!doctype html>\n<html lang=\"{}\">\n<head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\n{style}</head>\n\
         <body class=\"slip-page\"><main>\n{}</main></body>\n</html>\n",
        layout.language.tag(),
        fragment(layout)
    )
}

fn line(line: &Line) -> String {
    match line {
        Line::Rule => "<hr>\n".to_owned(),
        Line::Text(style, text) => format!("<p{}>{}</p>\n", class(*style), escaped(text)),
        Line::Ink(signature, words) => format!(
            "<svg class=\"ink\" viewBox=\"0 0 {PAD_WIDTH} {PAD_HEIGHT}\" role=\"img\" aria-label=\"{}\">\
             <path d=\"{}\"/></svg>\n",
            escaped(words),
            signature.svg_path()
        ),
    }
}

fn class(style: Style) -> String {
    let names = [("centre", style.align == Align::Centre), ("bold", style.bold), ("tall", style.tall)];
    let names: Vec<&str> = names.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    if names.is_empty() { String::new() } else { format!(" class=\"{}\"", names.join(" ")) }
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}
