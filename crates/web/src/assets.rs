//! Style, scripts and fonts: part of the program, named by the hash of their contents, kept by browsers for good.

use std::{fmt::Write as _, sync::LazyLock};

use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use rust_embed::RustEmbed;

use crate::error::Failure;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// One hash over all files: a style sheet then names its fonts by a relative path.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut sum = [0_u8; 8];
    for name in Files::iter() {
        let file = Files::get(&name).expect("the file was just listed");
        for (i, byte) in file.metadata.sha256_hash().iter().enumerate() {
            sum[i % 8] = sum[i % 8].rotate_left(1) ^ byte;
        }
    }
    sum.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
});

/// The address of a file.
pub(crate) fn path(name: &str) -> String {
    format!("/assets/{}/{name}", *HASH)
}

/// `GET /assets/{hash}/{*name}`.
pub(crate) async fn serve(Path((hash, name)): Path<(String, String)>) -> Result<Response, Failure> {
    let media_type = media_type(&name).ok_or(Failure::NotFound)?;
    let file = Files::get(&name).filter(|_| hash == *HASH).ok_or(Failure::NotFound)?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, file.data).into_response())
}

/// What browsers load; licences and notes beside the files are not served.
fn media_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "css" => Some("text/css; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "svg" => Some("image/svg+xml"),
        "woff2" => Some("font/woff2"),
        _ => None,
    }
}
