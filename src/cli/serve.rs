//! The command `serve`: tokens, the access log, and the desk itself. The clock and the signals are known here.
#![allow(clippy::disallowed_methods)]

use super::args::Common;
use super::format::{Format, only};
use super::serve_args::{LogCommand, Run, Serve, ServeCommand, TokenCommand};
use super::{alerts, config, print, threads};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::Time;
use crate::server::{self, Bound, Lasts, Outside, Rate, Settings, Socket, State, Tls, Tokens};
use crate::store::key::AccountKey;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs as _};
use std::path::{Path, PathBuf};

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

pub(crate) fn run(args: &Serve) -> Result<()> {
    match (&args.command, &args.run) {
        (Some(ServeCommand::Token(command)), _) => token(command),
        (Some(ServeCommand::Log(command)), _) => log(command),
        (None, Some(run)) => serve(run),
        (None, None) => Err(Error::new(ErrorKind::Config, "expected --store and --tokens, or the word token or log")),
    }
}

fn none(path: &Path) -> Error {
    Error::new(ErrorKind::Config, format!("expected a file of tokens at {}, found none", path.display()))
        .hint("stillhunt serve token add makes one")
}

fn token(command: &TokenCommand) -> Result<()> {
    match command {
        TokenCommand::Add { tokens: path, role, name, days } => {
            let mut tokens = Tokens::read(path)?.unwrap_or_default();
            let now = alerts::now()?;
            let ends = (*days > 0).then(|| Time::new(now.micros() + i64::from(*days) * DAY)).flatten();
            let token = tokens.add(name, role.role(), now, ends)?;
            tokens.write(path)?;
            print::out(&format!("{token}\n"))
        }
        TokenCommand::List { tokens: path, format } => {
            only(*format, &[Format::Text, Format::Json])?;
            let tokens = Tokens::read(path)?.ok_or_else(|| none(path))?;
            let moment = |micros: i64| Time::new(micros);
            if *format == Format::Json {
                let row = |token: &server::Token| {
                    serde_json::json!({ "name": token.name, "role": token.role, "created": moment(token.created_us),
                        "expires": token.expires_us.and_then(moment) })
                };
                let rows: Vec<_> = tokens.all().iter().map(row).collect();
                return print::json(&serde_json::json!({ "schema": 1, "tokens": rows }));
            }
            let when = |time: Option<Time>| time.map_or_else(|| "never".to_owned(), print::second);
            let line = |token: &server::Token| {
                let (made, ends) = (when(moment(token.created_us)), when(token.expires_us.and_then(moment)));
                format!("{:<8} made {made}, ends {ends}  {}\n", token.role.word(), print::line(&token.name, 100))
            };
            let out: String = tokens.all().iter().map(line).collect();
            print::out(if out.is_empty() { "no token\n" } else { &out })
        }
        TokenCommand::Revoke { tokens: path, name } => {
            let mut tokens = Tokens::read(path)?.ok_or_else(|| none(path))?;
            tokens.revoke(name)?;
            tokens.write(path)?;
            print::out("revoked\n")
        }
    }
}

/// Where the access log lies when nobody says.
fn log_beside(tokens: &Path) -> PathBuf {
    tokens.with_file_name("access.jsonl")
}

fn log(command: &LogCommand) -> Result<()> {
    let LogCommand::Verify { log, tokens, against } = command;
    let path = log.clone().or_else(|| tokens.as_deref().map(log_beside)).unwrap_or_default();
    let verified = match against {
        None => server::verify(&path, &mut |_| {})?,
        Some(kept) => {
            let parts = kept.split_once(':').and_then(|(row, head)| Some((row.parse().ok()?, head)));
            let kept =
                parts.ok_or_else(|| Error::new(ErrorKind::Config, format!("expected ROW:HEAD, got {kept:?}")))?;
            server::verify_against(&path, kept)?
        }
    };
    verified.faults.iter().for_each(|fault| print::say(&format!("error: {fault}")));
    if !verified.faults.is_empty() {
        let message = format!("expected an unbroken access log, found {} faults", verified.n_faults);
        return Err(Error::new(ErrorKind::Store, message).hint("somebody changed the file behind the server's back"));
    }
    if verified.unfinished {
        print::say("an unfinished line stands at the end: a row that a stopped server never acknowledged");
    }
    let (row, head) = verified.head;
    print::out(&format!("unbroken: {row} rows, head {head}\n"))
}

/// Where to listen, and whether others than this machine reach it.
fn socket(listen: &str) -> Result<(Socket, bool)> {
    if listen == "stdin" {
        use std::os::fd::AsFd as _;
        let failed = |cause: std::io::Error| {
            Error::new(ErrorKind::Config, format!("expected a socket as standard input: {cause}"))
        };
        let given = std::io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
        let socket = TcpListener::from(given);
        let address = socket.local_addr().map_err(failed)?;
        return Ok((Socket::Open(socket), !address.ip().is_loopback()));
    }
    let wrong = |cause: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Config, format!("expected an address and a port to listen at, got {listen:?}: {cause}"))
            .hint("for example 127.0.0.1:7433")
    };
    let address: SocketAddr =
        listen.to_socket_addrs().map_err(|cause| wrong(&cause))?.next().ok_or_else(|| wrong(&"it names nothing"))?;
    Ok((Socket::Address(address), !address.ip().is_loopback()))
}

fn serve(args: &Run) -> Result<()> {
    threads(args.threads)?;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::read(certificate, key)?),
        _ => None,
    };
    let (socket, is_open) = socket(&args.listen)?;
    if is_open && tls.is_none() && !args.behind_proxy {
        let message = format!("expected TLS for {}, which other machines reach", args.listen);
        return Err(Error::new(ErrorKind::Config, message)
            .hint("give --tls-cert and --tls-key, or --behind-proxy where another program in front does TLS"));
    }
    let common =
        Common { store: args.store.clone(), model: args.model.clone(), key: args.key.clone(), threads: args.threads };
    let key = match &args.key {
        Some(path) => Some(AccountKey::read(path)?.ok_or_else(|| {
            Error::new(ErrorKind::Config, format!("expected the account key at {}, found none", path.display()))
        })?),
        None => config::key_path(&common).ok().map(|path| AccountKey::read(&path)).transpose()?.flatten(),
    };
    let settings = Settings {
        store: args.store.clone(),
        tokens: args.tokens.clone(),
        log: args.log.clone().unwrap_or_else(|| log_beside(&args.tokens)),
        key,
        accounts: args.accounts.clone(),
        k: args.least_accounts,
        rate: Rate { a_second: args.rate, burst: args.burst, at_once: args.at_once },
        lasts: Lasts { idle: i64::from(args.idle) * 60_000_000, whole: i64::from(args.session) * 3_600_000_000 },
        at_once: std::thread::available_parallelism().map_or(4, |n| 2 * n.get()).clamp(4, 64),
        secure: is_open || tls.is_some() || args.behind_proxy,
        holder: format!("the desk, process {}", std::process::id()),
        #[cfg(feature = "oidc")]
        oidc: args.oidc.as_deref().map(super::oidc::provider).transpose()?,
    };
    // The model lives as long as the program.
    let model = Box::leak(Box::new(config::model(&common)?));
    let outside = Outside {
        now: Box::new(|| alerts::now().unwrap_or_else(|_| Time::new(0).expect("the epoch is a time"))),
        line: Box::new(print::note),
    };
    many_files();
    let state = State::open(settings, model, outside)?;
    let bound = Bound::new(socket)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}", bound.address);
    let ready = || {
        // A closed standard output is no reason not to serve.
        let _ = print::json(&serde_json::json!({ "url": url }));
    };
    server::listen(state, bound, tls, ready, stopped())
}

/// Each connection is an open file; as many as the system allows may be open.
fn many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Where that is refused fewer connections are taken at once.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}

/// Ends when the program is asked to end.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int), Ok(mut hup)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {}, _ = hup.recv() => {} }
}
