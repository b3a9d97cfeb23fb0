//! How the desk asks an identity provider: the file that names it, and one request over a connection of its own.
//!
//! Weakness: each request makes a connection; a log-in makes one, and two more once an hour. Guarantee: only `https`, or `http` to this machine;
//! an answer is at most a megabyte and waited for ten seconds.

use super::channels::connector;
use super::serve_args::RoleWord;
use crate::error::{Error, ErrorKind, Result};
use crate::server::{Fetch, OidcAnswer, OidcRequest, Provider, Unreachable};
use crate::store::files::read_bounded;
use crate::store::key::read_secret;
use axum::body::Body;
use axum::http::{Request, Response, Uri, header};
use clap::ValueEnum as _;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Largest file that names a provider, largest secret, largest answer, and how long one is waited for.
const MOST_FILE: u64 = 1 << 16;
const MOST_SECRET: u64 = 1 << 12;
const MOST_ANSWER: usize = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(10);

/// The file, in TOML.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    url: String,
    #[serde(default = "profile")]
    scopes: Vec<String>,
    claim: String,
    #[serde(default = "subject")]
    name: String,
    roles: BTreeMap<String, String>,
    ca: Option<PathBuf>,
}

fn profile() -> Vec<String> {
    vec!["profile".to_owned()]
}

fn subject() -> String {
    "sub".to_owned()
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Config, what)
}

fn is_here(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The provider that a file names, and how it is asked.
pub(super) fn provider(path: &Path) -> Result<(Provider, Fetch)> {
    let bytes = read_bounded(path, MOST_FILE)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong(format!("expected {} to be UTF-8", path.display())))?;
    let mut file: File = toml::from_str(&text).map_err(|cause| {
        wrong(format!("expected an identity provider at {}: {cause}", path.display()))
            .hint("issuer, client_id, url, claim, and [roles] with VALUE = \"viewer\", \"analyst\" or \"admin\"")
    })?;
    let role = |(value, word): (String, String)| {
        let role =
            RoleWord::from_str(&word, false).map_err(|_| wrong(format!("expected a role in [roles], got {word:?}")))?;
        Ok((value, role.role()))
    };
    let roles = std::mem::take(&mut file.roles).into_iter().map(role).collect::<Result<Vec<_>>>()?;
    if roles.is_empty() {
        return Err(wrong("expected a role in [roles], got none".into()));
    }
    let secret = match &file.client_secret_file {
        Some(path) => {
            let none = || wrong(format!("expected the client's secret at {}, found none", path.display()));
            let secret = read_secret(path, "the client's secret", MOST_SECRET)?.ok_or_else(none)?.private()?;
            Some(secret.trim().to_owned())
        }
        None => None,
    };
    let tls = connector(file.ca.as_deref())?;
    let fetch: Fetch = Box::new(move |request| fetch(&tls, request));
    let url = file.url.trim_end_matches('/').to_owned();
    let own: Uri =
        url.parse().map_err(|cause| wrong(format!("expected url to be this desk's own address: {cause}")))?;
    let safe =
        own.scheme_str() == Some("https") || own.host().is_some_and(|host| is_here(host.trim_matches(['[', ']'])));
    if !safe || own.authority().is_none() || !["", "/"].contains(&own.path()) {
        return Err(wrong(format!("expected url to be https:// and a host, without a path, got {url:?}")));
    }
    let File { issuer, client_id, scopes, claim, name, .. } = file;
    Ok((Provider { issuer, client_id, secret, url, scopes, claim, name, roles }, fetch))
}

/// Sends a request, on a thread that may wait.
fn fetch(tls: &TlsConnector, request: OidcRequest) -> std::result::Result<OidcAnswer, Unreachable> {
    let words = |cause: &dyn std::fmt::Display| Unreachable(format!("cannot be asked: {cause}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|cause| words(&cause))?;
    let late = |_| Unreachable(format!("no answer within {} seconds", TIMEOUT.as_secs()));
    let answer = runtime.block_on(async { tokio::time::timeout(TIMEOUT, asked(tls, request)).await });
    // A look-up of a name that goes on is not waited for.
    runtime.shutdown_background();
    answer.map_err(late)?
}

async fn asked(tls: &TlsConnector, request: OidcRequest) -> std::result::Result<OidcAnswer, Unreachable> {
    let words = |cause: &dyn std::fmt::Display| Unreachable(format!("cannot be asked: {cause}"));
    let uri = request.uri().clone();
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let is_tls = match uri.scheme_str() {
        Some("https") => true,
        Some("http") if is_here(&host) => false,
        _ => return Err(Unreachable(format!("expected https://, or http:// to this machine, got {uri}"))),
    };
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|cause| words(&cause))?;
    let (mut parts, body) = request.into_parts();
    parts.uri = uri.path_and_query().map_or("/", |path| path.as_str()).parse().map_err(|cause| words(&cause))?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    parts.headers.insert(header::HOST, authority.parse().map_err(|cause| words(&cause))?);
    parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
    let request = Request::from_parts(parts, Body::from(body));
    if is_tls {
        let name = ServerName::try_from(host).map_err(|cause| words(&cause))?;
        answered(TokioIo::new(tls.connect(name, stream).await.map_err(|cause| words(&cause))?), request).await
    } else {
        answered(TokioIo::new(stream), request).await
    }
}

async fn answered(
    io: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    request: Request<Body>,
) -> std::result::Result<OidcAnswer, Unreachable> {
    let words = |cause: &dyn std::fmt::Display| Unreachable(format!("broke off: {cause}"));
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(|cause| words(&cause))?;
    // It ends with the runtime, which is this request's own.
    drop(tokio::spawn(connection));
    let (parts, body) = sender.send_request(request).await.map_err(|cause| words(&cause))?.into_parts();
    let bytes = axum::body::to_bytes(Body::new(body), MOST_ANSWER).await.map_err(|cause| words(&cause))?;
    Ok(Response::from_parts(parts, bytes.to_vec()))
}
