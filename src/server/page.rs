//! The page: its files lie in the program, and nothing is fetched from anywhere else.
//!
//! The idea: any path that is neither the API nor a file gives the shell, which draws what the address says, so every view has a link. Weakness: a
//! path that means nothing gives the shell too, and the page says so. Guarantee: the policy that every answer carries lets nothing run that is not
//! one of these files, and lets no request leave for another host.

mod assets;

use assets::{ASSETS, SHELL};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use std::sync::OnceLock;

/// What the page may do: run, draw and ask what comes from here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Headers that every answer of the desk carries.
pub(super) fn guard(headers: &mut HeaderMap, secure: bool) {
    let set = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    if secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

/// Every file as gzip, the shell last; made once.
fn small() -> &'static [Vec<u8>] {
    static SMALL: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    SMALL.get_or_init(|| {
        let gzip = |bytes: &[u8]| {
            let mut out = GzEncoder::new(Vec::new(), Compression::best());
            out.write_all(bytes).and_then(|()| out.finish()).unwrap_or_default()
        };
        ASSETS.iter().map(|asset| asset.2).chain([SHELL]).map(gzip).collect()
    })
}

/// The file of a path, or the shell; none for a path below `/assets/` that is not there. A file is sent as gzip to whoever takes that: it holds
/// no secret, which an answer of the API may, beside words of whoever asks; so those are sent as they are.
pub(super) fn page(path: &str, asked: &HeaderMap) -> Option<Response<Body>> {
    let (place, media, bytes) = match path.strip_prefix("/assets/") {
        Some(name) => {
            let place = ASSETS.iter().position(|asset| asset.0 == name)?;
            (place, ASSETS[place].1, ASSETS[place].2)
        }
        None => (ASSETS.len(), "text/html; charset=utf-8", SHELL),
    };
    let text = |name: header::HeaderName| asked.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_gzip = |part: &str| part.trim().starts_with("gzip") && !part.trim().ends_with("q=0");
    let gzip = text(header::ACCEPT_ENCODING).split(',').any(is_gzip);
    let tag = format!("\"{}{}\"", blake3::hash(bytes).to_hex(), if gzip { "-gzip" } else { "" });
    let mut response = Response::new(Body::empty());
    if text(header::IF_NONE_MATCH).contains(&tag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = if gzip { Body::from(small()[place].as_slice()) } else { Body::from(bytes) };
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    // The program may be a newer one at the next request.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (header::ETAG, tag)));
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn a_file_is_small_for_whoever_takes_gzip_and_the_same() {
        for (place, asset) in ASSETS.iter().map(|asset| asset.2).chain([SHELL]).enumerate() {
            let mut whole = Vec::new();
            let _ = flate2::read::GzDecoder::new(small()[place].as_slice()).read_to_end(&mut whole).expect("gzip");
            assert_eq!(whole, asset);
        }
        let sent = |encodings: &'static str| {
            let mut asked = HeaderMap::new();
            asked.insert(header::ACCEPT_ENCODING, HeaderValue::from_static(encodings));
            let response = page("/assets/page.js", &asked).expect("a file");
            (response.headers().contains_key(header::CONTENT_ENCODING), response.headers()[header::ETAG].clone())
        };
        let (plain, small) = (sent("br, gzip;q=0"), sent("br, gzip"));
        assert_eq!((plain.0, small.0), (false, true));
        assert_ne!(plain.1, small.1, "what differs in its bytes has another tag");
        assert!(sent("identity").1 == plain.1 && sent("gzip;q=0.5").0);
    }
}
