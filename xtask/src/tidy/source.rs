//! A Rust file in layers: code alone, and code with its strings, each with everything else blanked out, so that a
//! check can look for a word without finding it in a comment. Knows comments, strings, characters and braces; it is
//! no parser.

/// A Rust file, line by line.
pub(super) struct Source {
    /// Code only; comments, strings and characters are blank.
    pub(super) code: Vec<String>,
    /// Code and strings; comments are blank.
    pub(super) spoken: Vec<String>,
    /// Is the line inside `#[cfg(test)]`, or the whole file for tests?
    pub(super) test: Vec<bool>,
}

/// A function and how long it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    /// Index of its first line.
    pub(super) line: usize,
    pub(super) lines: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Code,
    LineComment,
    BlockComment(usize),
    Text,
    RawText(usize),
    Character,
}

impl Source {
    pub(super) fn read(text: &str, for_tests: bool) -> Self {
        let (code, spoken) = layers(text);
        let mut test = vec![for_tests; code.lines().count()];
        if !for_tests {
            mark_tests(&code, &mut test);
        }
        let lines = |layer: &str| layer.lines().map(str::to_owned).collect();
        Self { code: lines(&code), spoken: lines(&spoken), test }
    }

    /// Lines of product code, numbered from 1.
    pub(super) fn product_code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.code.iter().zip(&self.test).enumerate();
        lines.filter(|(_, (_, test))| !**test).map(|(index, (line, _))| (index + 1, line.as_str()))
    }

    /// Functions of product code.
    pub(super) fn functions(&self) -> Vec<Function> {
        let code = self.code.join("\n");
        let mut found = Vec::new();
        for (start, _) in code.match_indices("fn ") {
            let inside_a_word = code[..start].ends_with(|c: char| c.is_alphanumeric() || c == '_');
            let name: String =
                code[start + 3..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let line = code[..start].matches('\n').count();
            if inside_a_word || name.is_empty() || self.test[line] {
                continue;
            }
            if let Some(end) = end_of_item(&code, start) {
                let lines = code[start..end].matches('\n').count() + 1;
                found.push(Function { name, line, lines });
            }
        }
        found
    }
}

/// The two layers of a text, each with as many lines as the text.
fn layers(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut code, mut spoken) = (String::new(), String::new());
    let mut place = Place::Code;
    let mut i = 0;
    while i < chars.len() {
        let (next, taken) = step(place, &chars[i..], i.checked_sub(1).map(|p| chars[p]));
        let is_code = place == Place::Code && next == Place::Code;
        let is_comment =
            [place, next].iter().any(|p| matches!(p, Place::LineComment | Place::BlockComment(_)));
        for c in &chars[i..i + taken] {
            let blank = if *c == '\n' { '\n' } else { ' ' };
            code.push(if is_code { *c } else { blank });
            spoken.push(if is_comment { blank } else { *c });
        }
        place = next;
        i += taken;
    }
    (code, spoken)
}

/// Where the next characters lead, and how many of them belong to the step.
fn step(place: Place, rest: &[char], before: Option<char>) -> (Place, usize) {
    let starts = |pattern: &str| pattern.chars().enumerate().all(|(i, c)| rest.get(i) == Some(&c));
    match place {
        Place::Code if starts("//") => (Place::LineComment, 2),
        Place::Code if starts("/*") => (Place::BlockComment(1), 2),
        Place::Code if starts("\"") => (Place::Text, 1),
        Place::Code if starts("'") && is_character(rest) => (Place::Character, 1),
        Place::Code => match raw_text_hashes(rest, before) {
            Some(hashes) => (Place::RawText(hashes), hashes + 2),
            None => (Place::Code, 1),
        },
        Place::LineComment if starts("\n") => (Place::Code, 1),
        Place::BlockComment(1) if starts("*/") => (Place::Code, 2),
        Place::BlockComment(depth) if starts("*/") => (Place::BlockComment(depth - 1), 2),
        Place::BlockComment(depth) if starts("/*") => (Place::BlockComment(depth + 1), 2),
        Place::Text | Place::Character if starts("\\") => (place, 2.min(rest.len())),
        Place::Text if starts("\"") => (Place::Code, 1),
        Place::Character if starts("'") => (Place::Code, 1),
        Place::RawText(hashes) if starts(&format!("\"{}", "#".repeat(hashes))) => (Place::Code, hashes + 1),
        _ => (place, 1),
    }
}

/// `'a'` and `'\n'` are characters, `'a` is a lifetime.
fn is_character(rest: &[char]) -> bool {
    rest.get(1) == Some(&'\\') || rest.get(2) == Some(&'\'')
}

/// The number of `#` when `r"`, `r#"`, `br##"` … starts here. A name directly before `"` would not be Rust.
fn raw_text_hashes(rest: &[char], before: Option<char>) -> Option<usize> {
    let prefix = before.is_none_or(|c| !c.is_alphanumeric() && c != '_' || c == 'b' || c == 'c');
    if !prefix || rest.first() != Some(&'r') {
        return None;
    }
    let hashes = rest[1..].iter().take_while(|c| **c == '#').count();
    (rest.get(1 + hashes) == Some(&'"')).then_some(hashes)
}

/// Marks the lines of items under `#[cfg(test)]`.
fn mark_tests(code: &str, test: &mut [bool]) {
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let Some(end) = end_of_item(code, start + "#[cfg(test)]".len()) else { continue };
        let line = |at: usize| code[..at].matches('\n').count();
        test[line(start)..=line(end)].fill(true);
    }
}

/// The end of the item that starts here: its closing brace, or the `;` of one without braces.
fn end_of_item(code: &str, start: usize) -> Option<usize> {
    let (mut braces, mut brackets) = (0_i32, 0_i32);
    for (at, c) in code[start..].char_indices() {
        match c {
            '(' | '[' => brackets += 1,
            ')' | ']' => brackets -= 1,
            '{' => braces += 1,
            '}' => braces -= 1,
            ';' => {}
            _ => continue,
        }
        if matches!(c, '}' | ';') && braces == 0 && brackets == 0 {
            return Some(start + at);
        }
        if braces < 0 {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, code: &str, spoken: &str) {
        assert_eq!(layers(text), (code.to_owned(), spoken.to_owned()));
    }

    #[test]
    fn comments_and_strings_are_told_from_code() {
        check("a; // b\nc", "a;     \nc", "a;     \nc");
        check("a /* b /* c */ d */ e", "a                   e", "a                   e");
        check(r#"f("x\"//y") + 1"#, "f(        ) + 1", r#"f("x\"//y") + 1"#);
        check("r#\"a\"b\"# + br\"c\"", "         + b    ", "r#\"a\"b\"# + br\"c\"");
        check("&'a str; '\"'; '\\''", "&'a str;    ;     ", "&'a str; '\"'; '\\''");
        check("for x in 'a'..'b' {}", "for x in    ..    {}", "for x in 'a'..'b' {}");
    }

    #[test]
    fn tests_are_told_from_the_product() {
        let source = Source::read(
            "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c(x: [u8; 2]) {\n}\n",
            false,
        );
        assert_eq!(source.test, [false, true, true, true, true, false, false]);
        let lengths: Vec<_> = source.functions().into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        assert_eq!(lengths, [("a".to_owned(), 0, 1), ("c".to_owned(), 5, 2)]);
    }
}
