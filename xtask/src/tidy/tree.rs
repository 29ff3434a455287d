//! The tree as the checks see it: every text file of the project, read once.
//!
//! The folders are walked rather than asked from git, so that a source archive without history passes the same
//! checks.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::source::Source;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rules {
    /// Names of folders that are no part of the project.
    skip: Vec<String>,
}

/// The project's text files, in order of their paths.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
}

/// A text file.
pub(super) struct File {
    /// From the project's folder, with `/`.
    pub(super) path: String,
    pub(super) text: String,
    /// What a Rust file is made of; `None` for other files.
    pub(super) rust: Option<Source>,
}

impl Tree {
    pub(super) fn read(root: &Path, rules: &Rules) -> Result<Self> {
        let mut files = Vec::new();
        walk(root, "", rules, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Self {
        Self { files: files.iter().map(|(path, text)| File::new((*path).into(), (*text).into())).collect() }
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|f| f.path == path)
    }

    /// Does anything start with this path: a file, or a folder with text in it?
    pub(super) fn has(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.files.iter().any(|f| f.path == path || f.path.starts_with(&folder))
    }

    pub(super) fn rust(&self) -> impl Iterator<Item = (&File, &Source)> {
        self.files.iter().filter_map(|f| f.rust.as_ref().map(|s| (f, s)))
    }

    pub(super) fn with_ending<'t>(&'t self, ending: &'t str) -> impl Iterator<Item = &'t File> {
        self.files.iter().filter(move |f| f.path.ends_with(ending))
    }
}

impl File {
    fn new(path: String, text: String) -> Self {
        let rust = path.ends_with(".rs").then(|| Source::read(&text, is_for_tests(&path)));
        Self { path, text, rust }
    }

    /// `("authorization", "src/decide.rs")` of `crates/authorization/src/decide.rs`.
    pub(super) fn in_crate(&self) -> Option<(&str, &str)> {
        self.path.strip_prefix("crates/")?.split_once('/')
    }
}

/// Is the whole file test code?
fn is_for_tests(path: &str) -> bool {
    path.starts_with("crates/testkit/")
        || path.starts_with("fuzz/")
        || ["/tests/", "/benches/"].iter().any(|folder| path.contains(folder))
        || path.ends_with("/tests.rs")
}

fn walk(root: &Path, folder: &str, rules: &Rules, files: &mut Vec<File>) -> Result<()> {
    let place = root.join(folder);
    for entry in fs::read_dir(&place).with_context(|| format!("reading {}", place.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
        let kind = entry.file_type()?;
        if kind.is_dir() && !rules.skip.contains(&name) {
            walk(root, &path, rules, files)?;
        } else if kind.is_file() {
            // A file that another program removes while we walk is no longer part of the tree.
            let Ok(bytes) = fs::read(entry.path()) else { continue };
            files.extend(String::from_utf8(bytes).ok().map(|text| File::new(path, text)));
        }
    }
    Ok(())
}
