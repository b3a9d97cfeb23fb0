//! The page: its files lie in the program, and nothing is fetched from anywhere else.
//!
//! The idea: any path that is neither the API nor a file gives the shell, which draws what the address says, so every view has a link. Weakness: a
//! path that means nothing gives the shell too, and the page says so. Guarantee: the policy that every answer carries lets nothing run that is not
//! one of these files, and lets no request leave for another host.

mod assets;

use assets::{ASSETS, SHELL};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Response, StatusCode, header};

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

/// The file of a path, or the shell; none for a path below `/assets/` that is not there.
pub(super) fn page(path: &str, asked: &HeaderMap) -> Option<Response<Body>> {
    let shell = ("index.html", "text/html; charset=utf-8", SHELL);
    let asset = match path.strip_prefix("/assets/") {
        Some(name) => ASSETS.iter().find(|asset| asset.0 == name)?,
        None => &shell,
    };
    let tag = format!("\"{}\"", blake3::hash(asset.2).to_hex());
    let mut response = Response::new(Body::empty());
    let known =
        asked.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|tags| tags.contains(&tag));
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        *response.body_mut() = Body::from(asset.2);
    }
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.1));
    // The program may be a newer one at the next request.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Some(response)
}
