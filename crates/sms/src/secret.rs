//! Where a gateway's secret comes from: a file, or a variable of the environment; never the configuration itself, which people print
//! and send to each other.

use std::{env, fs, path::Path};

use zeroize::Zeroizing;

/// Everything that makes no sense about it.
pub(crate) fn problems(part: &str, file: Option<&Path>, variable: Option<&str>) -> Option<String> {
    let both = file.is_some() == variable.is_some();
    both.then(|| format!("{part}: give secret_file or secret_env, one of them"))
}

/// Reads it, without the line's end.
///
/// # Errors
/// A sentence for the operator, without any of it.
pub(crate) fn read(
    part: &str,
    file: Option<&Path>,
    variable: Option<&str>,
) -> Result<Zeroizing<String>, String> {
    let text = match (file, variable) {
        (Some(file), None) => Zeroizing::new(
            fs::read_to_string(file)
                .map_err(|error| format!("{part}.secret_file {}: {error}", file.display()))?,
        ),
        (None, Some(name)) => {
            Zeroizing::new(env::var(name).map_err(|_| format!("{part}.secret_env: {name} is not set"))?)
        }
        (None, None) | (Some(_), Some(_)) => {
            return Err(format!("{part}: give secret_file or secret_env, one of them"));
        }
    };
    let text = Zeroizing::new(text.trim_end().to_owned());
    if text.is_empty() { Err(format!("{part}: the secret is empty")) } else { Ok(text) }
}
