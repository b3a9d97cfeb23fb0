//! Where alerts go beside standard output and the operator's own program: a webhook, signed and retried, and syslog.
//!
//! The idea: an audit queues a letter for each new ring and channel in the outbox, and then tries to empty it; what does not arrive is tried again by the
//! next audit, and by `alerts send`. A webhook gets the line of JSON that `--format alerts` prints, signed over the moment and the body;
//! syslog gets the ring as a detection finding of OCSF, without its accounts. Weakness: UDP tells nobody whether a message arrived. Guarantee: no
//! text of a prompt is in a letter; the secret is read when something is sent, and printed nowhere; nothing is sent but to the configured
//! address, no redirect is followed, and plain HTTP goes to this machine only.
#![allow(clippy::disallowed_methods)]

use super::{config, print};
use crate::error::{Error, ErrorKind, Result};
use crate::store::files::read_bounded;
use crate::store::key::read_secret;
use crate::store::outbox::{Letter, Outbox};
use axum::body::Body;
use hmac::{Hmac, Mac as _};
use hyper::{Request, Uri, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use sha2::Sha256;
use std::future::Future as _;
use std::net::{IpAddr, ToSocketAddrs as _, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

/// Names of the channels in the outbox.
pub(super) const WEBHOOK: &str = "webhook";
pub(super) const SYSLOG: &str = "syslog";
/// Longest secret, largest file of certificates, least bytes of a secret.
const MOST_SECRET: u64 = 4096;
const MOST_PEM: u64 = 1 << 20;
const LEAST_SECRET: usize = 16;
/// Wait behind the first try that failed; it doubles behind each further one.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// Facility local0 and severity notice, as RFC 5424 numbers them.
const PRIORITY: u32 = 16 * 8 + 5;

/// `[webhook]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Webhook {
    /// Where to: `https://…`, or `http://` to this machine.
    url: String,
    /// The file whose text signs, of mode 600.
    secret_file: PathBuf,
    /// Seconds of a try.
    #[serde(default = "ten")]
    timeout: u64,
    /// Tries before a letter waits for the next run.
    #[serde(default = "five")]
    tries: u32,
    /// Certificates of who may sign the receiver's, in PEM; those of the system without it.
    ca: Option<PathBuf>,
}

const fn ten() -> u64 {
    10
}

const fn five() -> u32 {
    5
}

/// `[syslog]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Syslog {
    /// `udp:HOST:PORT`, or `unix:PATH` of a datagram socket.
    to: String,
    /// Marking of what is sent.
    pub(super) tlp: Option<String>,
}

/// The channels that a configuration names.
#[derive(Clone, Debug, Default)]
pub(super) struct Channels {
    pub(super) webhook: Option<Webhook>,
    pub(super) syslog: Option<Syslog>,
    /// Whether an alert to a command or a webhook carries texts of logs; one to syslog never does.
    pub(super) texts: bool,
}

/// `alerts send`: what waits is tried again.
pub(super) fn send(store: &Path, config: &Path) -> Result<()> {
    let channels = config::channels(Some(config))?;
    let left = deliver(store, &channels)?;
    if left == 0 {
        return print::out("no alert waits\n");
    }
    Err(Error::new(ErrorKind::Io, format!("{left} alerts still wait in {}", Outbox::path(store).display()))
        .hint("they are kept; the next audit and the next stillhunt alerts send try again"))
}

/// Sends what waits, oldest first, and returns how many letters still wait. A channel whose letter did not arrive is left until the next
/// run, so that order is kept; why is said on standard error.
pub(super) fn deliver(store: &Path, channels: &Channels) -> Result<usize> {
    if !Outbox::path(store).exists() {
        return Ok(0);
    }
    let mut outbox = Outbox::open(store)?;
    for to in [WEBHOOK, SYSLOG] {
        let waiting = outbox.waiting(to);
        if waiting.is_empty() {
            continue;
        }
        if let Err(cause) = empty(&mut outbox, &waiting, to, channels) {
            let n = outbox.waiting(to).len();
            print::say(&format!("{n} alerts wait for the {to}: {cause}"));
        }
    }
    Ok(outbox.all().len())
}

fn empty(outbox: &mut Outbox, waiting: &[Letter], to: &str, channels: &Channels) -> Result<()> {
    match (to, &channels.webhook, &channels.syslog) {
        (WEBHOOK, Some(webhook), _) => {
            let post = Post::new(webhook)?;
            waiting.iter().try_for_each(|letter| post.send(letter).and_then(|()| outbox.arrived(letter)))
        }
        (SYSLOG, _, Some(syslog)) => {
            waiting.iter().try_for_each(|letter| syslog.send(&letter.body).and_then(|()| outbox.arrived(letter)))
        }
        _ => Err(Error::new(ErrorKind::Config, format!("the configuration has no [{to}]"))),
    }
}

fn wrong(what: String) -> Error {
    Error::new(ErrorKind::Config, what)
}

/// A webhook, ready to be posted to.
struct Post {
    uri: Uri,
    host: String,
    secret: Vec<u8>,
    timeout: Duration,
    tries: u32,
    tls: Option<TlsConnector>,
    runtime: tokio::runtime::Runtime,
}

impl Post {
    fn new(of: &Webhook) -> Result<Self> {
        let expected = || wrong("expected [webhook] url as https://HOST/PATH, or http:// to this machine".to_owned());
        let uri: Uri = of.url.parse().map_err(|_| expected())?;
        let host = uri.host().ok_or_else(expected)?.trim_matches(['[', ']']).to_owned();
        let is_here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        let tls = match uri.scheme_str() {
            Some("https") => Some(connector(of.ca.as_deref())?),
            Some("http") if is_here => None,
            _ => return Err(expected()),
        };
        let path = &of.secret_file;
        let secret = read_secret(path, "the webhook's secret", MOST_SECRET)?
            .ok_or_else(|| wrong(format!("expected the webhook's secret at {}, found none", path.display())))?
            .private()?;
        let secret = secret.trim().as_bytes().to_vec();
        if secret.len() < LEAST_SECRET {
            let what =
                format!("expected at least {LEAST_SECRET} bytes of secret in {}, got {}", path.display(), secret.len());
            return Err(wrong(what).hint("for example: openssl rand -hex 32"));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|cause| Error::new(ErrorKind::Io, format!("cannot send: {cause}")))?;
        let timeout = Duration::from_secs(of.timeout.clamp(1, 600));
        Ok(Self { uri, host, secret, timeout, tries: of.tries.clamp(1, 20), tls, runtime })
    }

    /// Posts a letter, again after each failure until the tries are used up.
    fn send(&self, letter: &Letter) -> Result<()> {
        let mut wait = FIRST_WAIT;
        for this in 1.. {
            // Each try is signed for its own moment, so that a receiver may refuse old ones.
            let seconds = jiff::Timestamp::now().as_second();
            let tried =
                self.runtime.block_on(async { tokio::time::timeout(self.timeout, self.post(letter, seconds)).await });
            let cause = match tried {
                Ok(Ok(status)) if (200..300).contains(&status) => return Ok(()),
                Ok(Ok(status)) => format!("it answered with status {status}"),
                Ok(Err(cause)) => cause,
                Err(_) => format!("no answer within {} seconds", self.timeout.as_secs()),
            };
            if this >= self.tries {
                return Err(Error::new(ErrorKind::Io, format!("{} after {this} tries: {cause}", self.host)));
            }
            std::thread::sleep(wait);
            wait *= 2;
        }
        Ok(())
    }

    /// One try; the status of the answer.
    async fn post(&self, letter: &Letter, seconds: i64) -> std::result::Result<u16, String> {
        let words = |cause: &dyn std::fmt::Display| format!("cannot be reached: {cause}");
        let port = self.uri.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((self.host.as_str(), port)).await.map_err(|cause| words(&cause))?;
        let request = self.request(letter, seconds).map_err(|cause| words(&cause))?;
        match &self.tls {
            None => exchange(TokioIo::new(stream), request).await,
            Some(tls) => {
                let name = ServerName::try_from(self.host.clone()).map_err(|cause| words(&cause))?;
                let stream = tls.connect(name, stream).await.map_err(|cause| words(&cause))?;
                exchange(TokioIo::new(stream), request).await
            }
        }
    }

    fn request(&self, letter: &Letter, seconds: i64) -> std::result::Result<Request<Body>, axum::http::Error> {
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        Request::post(path)
            .header(header::HOST, self.uri.authority().map_or("", |authority| authority.as_str()))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("stillhunt/", env!("CARGO_PKG_VERSION")))
            .header(header::CONTENT_LENGTH, letter.body.len())
            .header(header::CONNECTION, "close")
            .header("stillhunt-id", letter.id.as_str())
            .header("stillhunt-signature", format!("t={seconds},v1={}", signature(&self.secret, seconds, &letter.body)))
            .body(Body::from(letter.body.clone()))
    }
}

/// HMAC-SHA256 over the moment in seconds, a full stop and the body, in hex.
fn signature(secret: &[u8], seconds: i64, body: &str) -> String {
    // A key of any length is good.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return String::new() };
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body.as_bytes());
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Sends one request over a connection of its own. The answer's body is not read.
async fn exchange(
    io: impl hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    request: Request<Body>,
) -> std::result::Result<u16, String> {
    let broken = |cause: hyper::Error| format!("broke off: {cause}");
    let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(broken)?;
    let mut connection = std::pin::pin!(connection);
    let mut answer = std::pin::pin!(sender.send_request(request));
    let mut ended = false;
    std::future::poll_fn(|cx| {
        // The connection does the work; what it ends with is told by the answer.
        ended = ended || connection.as_mut().poll(cx).is_ready();
        answer.as_mut().poll(cx)
    })
    .await
    .map(|answer| answer.status().as_u16())
    .map_err(broken)
}

/// TLS with the system's certificates, or with those of a file.
pub(super) fn connector(ca: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca {
        let pem = read_bounded(path, MOST_PEM)?;
        let all = CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<Vec<_>, _>>();
        let all = all.map_err(|cause| wrong(format!("expected certificates in PEM at {}: {cause}", path.display())))?;
        roots.add_parsable_certificates(all);
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    if roots.is_empty() {
        return Err(wrong("expected certificates to trust, found none".to_owned()).hint("name a file: ca in [webhook]"));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|cause| wrong(format!("cannot set up TLS: {cause}")))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

impl Syslog {
    /// Hands one message over.
    fn send(&self, body: &str) -> Result<()> {
        let message = message(&jiff::Timestamp::now().to_string(), std::process::id(), body);
        let failed =
            |cause: std::io::Error| Error::new(ErrorKind::Io, format!("{} cannot be reached: {cause}", self.to));
        if let Some(path) = self.to.strip_prefix("unix:") {
            let socket = UnixDatagram::unbound().map_err(failed)?;
            return socket.send_to(message.as_bytes(), path).map(|_| ()).map_err(failed);
        }
        let address = self
            .to
            .strip_prefix("udp:")
            .ok_or_else(|| wrong(format!("expected [syslog] to as udp:HOST:PORT or unix:PATH, got {:?}", self.to)))?;
        let address = address.to_socket_addrs().map_err(failed)?.next();
        let address = address.ok_or_else(|| wrong(format!("expected an address in [syslog] to, got {:?}", self.to)))?;
        let any: IpAddr = if address.is_ipv4() { [0, 0, 0, 0].into() } else { [0; 16].into() };
        let socket = UdpSocket::bind((any, 0)).map_err(failed)?;
        socket.send_to(message.as_bytes(), address).map(|_| ()).map_err(failed)
    }
}

/// A message of RFC 5424: no host name and no structured data, and UTF-8 as its byte order mark says.
fn message(time: &str, process: u32, body: &str) -> String {
    // Six digits of a second, at most, are allowed.
    let time = match time.trim_end_matches('Z').split_once('.') {
        Some((seconds, parts)) => format!("{seconds}.{}Z", parts.get(..6).unwrap_or(parts)),
        None => time.to_owned(),
    };
    format!("<{PRIORITY}>1 {time} - stillhunt {process} ring - \u{feff}{}", body.trim_end())
}

#[cfg(test)]
mod tests;
