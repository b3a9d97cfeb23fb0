//! The socket: connections in, with bounds of time and size on each, TLS where it is asked for, and an end that lets answers finish.
//!
//! The idea: HTTP/1.1 only, by `hyper`; one task a connection. Weakness: a peer may hold as many connections as there is room for; each is closed
//! when it sends no whole header in time. Guarantee: a slow or oversized header, a handshake that does not end and a connection too many cost
//! a bounded amount, and nothing of them reaches a handler.

use super::{State, app};
use crate::error::{Error, ErrorKind, Result};
use crate::store::files::read_bounded;
use crate::store::key::read_secret;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use std::future::Future;
use std::net::{SocketAddr, TcpListener as Plain};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, crypto};

/// Time for a whole header, or for the next request of a connection; for a handshake; for answers to finish at the end.
const HEADER_TIME: Duration = Duration::from_secs(15);
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
const END_TIME: Duration = Duration::from_secs(20);
/// How often a store that nobody asks is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes of a header in all, headers, and connections.
const MOST_HEADER: usize = 32 << 10;
const MOST_HEADERS: usize = 64;
const MOST_CONNECTIONS: usize = 16_384;
/// Largest file of certificates.
const MOST_PEM: u64 = 1 << 20;

/// Certificate and key of a server.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl Tls {
    /// Reads both from PEM files.
    /// # Errors
    /// `Io` when a file cannot be read; `Config` when it is not what it should be, or others may read the key.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self> {
        let wrong = |path: &Path, what: &str, cause: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Config, format!("expected {what} in PEM at {}: {cause}", path.display()))
        };
        let pem = read_bounded(certificate, MOST_PEM)?;
        let chain = CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<Vec<_>, _>>();
        let chain = chain.map_err(|cause| wrong(certificate, "certificates", &cause))?;
        let secret = read_secret(key, "TLS key", MOST_PEM)?.ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("expected a TLS key at {}, found none", key.display()))
        })?;
        let secret =
            PrivateKeyDer::from_pem_slice(secret.private()?.as_bytes()).map_err(|cause| wrong(key, "a key", &cause))?;
        let config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, secret))
            .map_err(|cause| wrong(certificate, "certificates that go with the key", &cause))?;
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

/// Where a server listens.
pub enum Socket {
    /// An address that is to be bound.
    Address(SocketAddr),
    /// A socket that another program opened, systemd for one.
    Open(Plain),
}

/// A socket that is bound.
pub struct Bound {
    socket: Plain,
    /// The address that it is bound to.
    pub address: SocketAddr,
}

impl Bound {
    /// Binds a socket.
    /// # Errors
    /// `Io` when it cannot be bound.
    pub fn new(socket: Socket) -> Result<Self> {
        let failed = |cause: std::io::Error| Error::new(ErrorKind::Io, format!("cannot listen: {cause}"));
        let socket = match socket {
            Socket::Open(socket) => socket,
            Socket::Address(address) => Plain::bind(address)
                .map_err(|cause| Error::new(ErrorKind::Io, format!("cannot listen at {address}: {cause}")))?,
        };
        socket.set_nonblocking(true).map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        Ok(Self { socket, address })
    }
}

/// Answers on a socket until `stop` ends; then no connection is taken, and answers that are under way may finish. `ready` is called when a
/// connection would be taken.
/// # Errors
/// `Io` when the runtime or the socket cannot be used.
pub fn listen(
    state: Arc<State>,
    bound: Bound,
    tls: Option<Tls>,
    ready: impl FnOnce(),
    stop: impl Future<Output = ()>,
) -> Result<()> {
    let failed = |cause: std::io::Error| Error::new(ErrorKind::Io, format!("cannot serve: {cause}"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().map_err(failed)?;
    let served = runtime.block_on(async {
        let listener = TcpListener::from_std(bound.socket).map_err(failed)?;
        ready();
        serve(state, listener, tls, stop).await;
        Ok(())
    });
    // A question that goes on though its asker is gone is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

async fn serve(state: Arc<State>, listener: TcpListener, tls: Option<Tls>, stop: impl Future<Output = ()>) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let (router, looks) = (app(Arc::clone(&state)), Arc::clone(&state));
    state.tell_of_itself("info", "started", &json!({ "version": env!("CARGO_PKG_VERSION") }));
    let mut refused = false;
    let looking = tokio::spawn(async move {
        let mut making = tokio::task::spawn_blocking(|| ());
        loop {
            tokio::time::sleep(LOOK).await;
            let state = Arc::clone(&looks);
            let _ = tokio::task::spawn_blocking(move || state.let_go()).await;
            // What takes long does not keep the desk from letting go of what was forgotten.
            if making.is_finished() {
                let state = Arc::clone(&looks);
                making = tokio::task::spawn_blocking(move || state.make_ready());
            }
        }
    });
    tokio::pin!(stop);
    loop {
        let place = Arc::clone(&places).acquire_owned();
        let taken = tokio::select! {
            () = &mut stop => break,
            taken = async { (place.await, listener.accept().await) } => taken,
        };
        let (place, stream) = match taken {
            (Ok(place), Ok((stream, _))) => {
                refused = false;
                (place, stream)
            }
            (_, failed) => {
                // Too many open files, for one; it may be better in a moment. It is told once, not at each try.
                if let (Err(cause), false) = (failed, refused) {
                    state.tell_of_itself("error", "accept", &json!({ "cause": cause.to_string() }));
                }
                refused = true;
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (router, watcher, tls) = (router.clone(), graceful.watcher(), tls.clone());
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => connection(stream, router, watcher).await,
                Some(Tls(acceptor)) => {
                    let shaken = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await;
                    if let Ok(Ok(stream)) = shaken {
                        connection(stream, router, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    looking.abort();
    let ended = tokio::time::timeout(END_TIME, graceful.shutdown()).await;
    state.tell_of_itself("info", "stopped", &json!({ "all_answered": ended.is_ok() }));
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: axum::Router,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let service = TowerToHyperService::new(router);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_buf_size(MOST_HEADER)
        .max_headers(MOST_HEADERS)
        .serve_connection(TokioIo::new(stream), service);
    // An error is a peer that went away, or spoke no HTTP.
    let _ = watcher.watch(connection).await;
}
