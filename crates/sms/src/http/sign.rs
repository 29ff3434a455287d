//! How requests are signed, in three manners. Each is checked against the example that its service has published.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use jiff::{Timestamp, tz::TimeZone};
use ring::{digest, hmac};

/// Alibaba Cloud's signature of a form (RPC style, version 1.0): HMAC-SHA1 over method, path and the sorted parameters, percent
/// encoded twice; the key is the secret and `&`.
#[must_use]
pub(crate) fn aliyun(method: &str, parameters: &[(String, String)], secret: &str) -> String {
    let mut pairs: Vec<String> =
        parameters.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.sort();
    let said = format!("{method}&%2F&{}", encode(&pairs.join("&")));
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, format!("{secret}&").as_bytes());
    BASE64.encode(hmac::sign(&key, said.as_bytes()))
}

/// What Tencent Cloud's signature covers.
pub(crate) struct Tc3<'a> {
    pub(crate) host: &'a str,
    pub(crate) service: &'a str,
    pub(crate) content_type: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) at_s: i64,
}

impl Tc3<'_> {
    /// The header `Authorization` (TC3-HMAC-SHA256) of a POST to `/` that signs content type and host.
    #[must_use]
    pub(crate) fn authorization(&self, key_id: &str, secret: &str) -> String {
        let Self { host, service, content_type, body, at_s } = self;
        let request = format!(
            "POST\n/\n\ncontent-type:{content_type}\nhost:{host}\n\ncontent-type;host\n{}",
            sha256(body)
        );
        let date = Timestamp::from_second(*at_s).unwrap_or_default().to_zoned(TimeZone::UTC).date();
        let scope = format!("{date}/{service}/tc3_request");
        let said = format!("TC3-HMAC-SHA256\n{at_s}\n{scope}\n{}", sha256(request.as_bytes()));
        let start = hmac_sha256(format!("TC3{secret}").as_bytes(), date.to_string().as_bytes());
        let of_service = hmac_sha256(&start, service.as_bytes());
        let key = hmac_sha256(&of_service, b"tc3_request");
        let signature = hex::encode(hmac_sha256(&key, said.as_bytes()));
        format!(
            "TC3-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders=content-type;host, Signature={signature}"
        )
    }
}

/// HTTP's basic authentication (RFC 7617).
#[must_use]
pub(crate) fn basic(key_id: &str, secret: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{key_id}:{secret}")))
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

fn hmac_sha256(key: &[u8], said: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), said).as_ref().to_vec()
}

/// Percent encoding of everything but the unreserved characters (RFC 3986, 2.3).
#[must_use]
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of Alibaba Cloud's page on request signatures (DescribeRegions).
    #[test]
    fn aliyun_signs_as_its_page_says() {
        let parameters = [
            ("Timestamp", "2016-02-23T12:46:24Z"),
            ("Format", "XML"),
            ("AccessKeyId", "testid"),
            ("Action", "DescribeRegions"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "3ee8c1b8-83d3-44af-a94f-4e0ad82fd6cf"),
            ("Version", "2014-05-26"),
            ("SignatureVersion", "1.0"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(aliyun("GET", &parameters, "testsecret"), "OLeaidS1JvxuMvnyHOwuJ+uX5qY=");
    }

    /// The example of Tencent Cloud's page on signature v3 (DescribeInstances).
    #[test]
    fn tencent_signs_as_its_page_says() {
        let signed = Tc3 {
            host: "cvm.tencentcloudapi.com",
            service: "cvm",
            content_type: "application/json; charset=utf-8",
            body:
                br#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#,
            at_s: 1_551_113_065,
        };
        let expected = "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
                        SignedHeaders=content-type;host, \
                        Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168";
        let id = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
        assert_eq!(signed.authorization(id, "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"), expected);
    }

    /// The example of RFC 7617, 2.
    #[test]
    fn basic_is_that_of_the_rfc() {
        assert_eq!(basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
