//! Who asks: roles, the file of tokens, and the sessions of the page.
//!
//! The idea: a token is 32 random bytes that are shown once; the file keeps a digest of it, so whoever reads the file cannot ask. A login of
//! the page exchanges a token for a session that only this process knows, and that ends when it is idle, when it is old, when somebody
//! logs out, when the server ends, and when its token expires or is revoked. Weakness: a token that was stolen is good until it is
//! revoked. Guarantee: the file is read again whenever it changed, so a revoked token answers nothing from the next request on.

use super::fault::Fault;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Digest, Time};
use crate::store::files::{Stamp, stamp};
use crate::store::key::{random_bytes, read_secret, write_secret};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What somebody may see and do; each role may all that those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Numbers of families and rings that enough accounts are behind; no text, no account, no exchange.
    Viewer,
    /// Accounts, exchanges and texts, with a purpose; notes, dispositions, entries of the registry.
    Analyst,
    /// The access log, and taking entries out of the registry.
    Admin,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Analyst, Self::Admin];

    /// The word in commands and answers.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Analyst => "analyst",
            Self::Admin => "admin",
        }
    }
}

/// What names begin with that an identity provider gave.
pub(super) const OF_PROVIDER: &str = "oidc:";
/// Largest file of tokens, longest name of one, and most of them.
const LONGEST_FILE: u64 = 4 << 20;
const LONGEST_NAME: usize = 100;
const MOST: usize = 10_000;
/// What every token begins with, so that a scanner for leaked secrets knows it.
const PREFIX: &str = "stillhunt_";
/// Sessions of one token, and of all.
const MOST_OF_ONE: usize = 32;
const MOST_SESSIONS: usize = 10_000;

/// A token as the file keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// Whose it is; what they do is logged under it.
    pub name: String,
    /// What it may.
    pub role: Role,
    /// BLAKE3 of the token under a context of its own, 64 hex digits.
    pub digest: String,
    /// When it was made, in microseconds since 1970.
    pub created_us: i64,
    /// When it ends, in microseconds since 1970; without it only by being revoked.
    pub expires_us: Option<i64>,
}

impl Token {
    fn is_over(&self, now: Time) -> bool {
        self.expires_us.is_some_and(|end| now.micros() >= end)
    }
}

/// The tokens of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    schema: u32,
    tokens: Vec<Token>,
}

fn digest_of(token: &str) -> blake3::Hash {
    blake3::Hash::from(blake3::derive_key("stillhunt 2026 desk token", token.as_bytes()))
}

impl Tokens {
    /// Reads the file at `path`; none where there is no file.
    /// # Errors
    /// `Io` when it cannot be read; `Config` when others may read it, or it is no file of tokens.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let Some(secret) = read_secret(path, "file of tokens", LONGEST_FILE)? else { return Ok(None) };
        let tokens: Self = serde_json::from_str(&secret.private()?).map_err(|cause| {
            Error::new(ErrorKind::Config, format!("expected a file of tokens at {}: {cause}", path.display()))
                .hint("stillhunt serve token add makes one")
        })?;
        let sound = |token: &Token| token.digest.parse::<Digest>().is_ok();
        if tokens.schema != 1 || !tokens.tokens.iter().all(sound) {
            let message = format!("expected a file of tokens of form 1 at {}", path.display());
            return Err(Error::new(ErrorKind::Config, message).hint("stillhunt serve token add makes one"));
        }
        if let Some(token) = tokens.tokens.iter().find(|token| token.name.starts_with(OF_PROVIDER)) {
            let message = format!(
                "expected no token whose name begins with {OF_PROVIDER} at {}, got {:?}",
                path.display(),
                token.name
            );
            return Err(Error::new(ErrorKind::Config, message).hint(
                "such names are those of people whom an identity provider lets in; take the token out of the file",
            ));
        }
        Ok(Some(tokens))
    }

    /// Writes the file, mode 0600, whole or not at all.
    /// # Errors
    /// `Io` when it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        write_secret(path, &(text + "\n"))
    }

    /// All of them, in the order in which they were made.
    #[must_use]
    pub fn all(&self) -> &[Token] {
        &self.tokens
    }

    /// Makes a token and returns it; it is nowhere kept.
    /// # Errors
    /// `Config` when the name is taken, empty, too long or has control characters; `Io` without randomness.
    pub fn add(&mut self, name: &str, role: Role, now: Time, expires: Option<Time>) -> Result<String> {
        let refuse = |message: String| Err(Error::new(ErrorKind::Config, message));
        if name.starts_with(OF_PROVIDER) {
            return refuse(format!("expected a name that does not begin with {OF_PROVIDER}, got {name:?}"));
        }
        if name.trim().is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
            return refuse(format!(
                "expected a name of 1 to {LONGEST_NAME} bytes without control characters, got {name:?}"
            ));
        }
        if self.tokens.iter().any(|token| token.name == name) {
            return refuse(format!("expected a name that no token has, got {name:?}"))
                .map_err(|error| error.hint("stillhunt serve token revoke takes it away"));
        }
        if self.tokens.len() >= MOST {
            return refuse(format!("expected at most {MOST} tokens"));
        }
        let token = format!("{PREFIX}{}", Digest(random_bytes()?));
        self.schema = 1;
        self.tokens.push(Token {
            name: name.to_owned(),
            role,
            digest: digest_of(&token).to_hex().to_string(),
            created_us: now.micros(),
            expires_us: expires.map(Time::micros),
        });
        Ok(token)
    }

    /// Takes away the token of a name.
    /// # Errors
    /// `Config` when there is none.
    pub fn revoke(&mut self, name: &str) -> Result<()> {
        let before = self.tokens.len();
        self.tokens.retain(|token| token.name != name);
        if self.tokens.len() < before {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Config, format!("expected the name of a token, got {name:?}"))
            .hint("stillhunt serve token list shows them"))
    }

    /// The token with this digest. Every one is compared, each in constant time.
    fn with(&self, digest: &blake3::Hash) -> Option<&Token> {
        let mut found = None;
        for token in &self.tokens {
            let own = token.digest.parse::<Digest>().map_or([0; 32], |digest| digest.0);
            if blake3::Hash::from(own) == *digest {
                found = Some(token);
            }
        }
        found
    }
}

/// The file of tokens, read again when it changes.
pub(super) struct TokenFile {
    path: PathBuf,
    read: Mutex<(Option<Stamp>, Tokens)>,
}

impl TokenFile {
    pub(super) fn at(path: &Path) -> Result<Self> {
        let file = Self { path: path.into(), read: Mutex::new((None, Tokens::default())) };
        if Tokens::read(path)?.is_none() {
            return Err(Error::new(
                ErrorKind::Config,
                format!("expected a file of tokens at {}, found none", path.display()),
            )
            .hint("stillhunt serve token add --tokens FILE --role analyst --name NAME makes one"));
        }
        file.fresh(|_| ())?;
        Ok(file)
    }

    /// The tokens as the file has them now. A file that is gone or damaged has none.
    fn fresh<T>(&self, ask: impl FnOnce(&Tokens) -> T) -> Result<T> {
        let now = stamp(&self.path).ok();
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if now.is_none() || read.0 != now {
            *read = (None, Tokens::default());
            if let Some(tokens) = Tokens::read(&self.path)? {
                *read = (now, tokens);
            }
        }
        Ok(ask(&read.1))
    }

    /// Whose token this is, where it is good.
    pub(super) fn of_token(&self, token: &str, now: Time) -> Result<Option<Token>> {
        self.of_digest(&digest_of(token), now)
    }

    fn of_digest(&self, digest: &blake3::Hash, now: Time) -> Result<Option<Token>> {
        self.fresh(|tokens| tokens.with(digest).filter(|token| !token.is_over(now)).cloned())
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Who {
    pub(super) token: Token,
    /// The session, where the page asks.
    pub(super) session: Option<String>,
    /// What the session was opened for.
    pub(super) purpose: Option<String>,
    /// When it ends.
    pub(super) expires: Option<Time>,
}

/// A login of the page.
struct Session {
    digest: blake3::Hash,
    /// Who it is, where an identity provider said so and no file of tokens does.
    person: Option<Token>,
    purpose: Option<String>,
    opened: i64,
    used: i64,
}

/// How long a session lasts without a request, and in all, in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Lasts {
    /// Without a request.
    pub idle: i64,
    /// In all.
    pub whole: i64,
}

impl Default for Lasts {
    fn default() -> Self {
        Self { idle: 30 * 60 * 1_000_000, whole: 12 * 3_600 * 1_000_000 }
    }
}

/// The sessions of this process, by a digest of their names.
pub(super) struct Sessions {
    lasts: Lasts,
    open: Mutex<BTreeMap<[u8; 32], Session>>,
}

pub(super) fn key_of(name: &str) -> [u8; 32] {
    blake3::derive_key("stillhunt 2026 desk session", name.as_bytes())
}

impl Sessions {
    pub(super) fn new(lasts: Lasts) -> Self {
        Self { lasts, open: Mutex::default() }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<[u8; 32], Session>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When a session ends at the latest that is opened now, in microseconds.
    #[cfg(feature = "oidc")]
    pub(super) fn ends(&self, now: Time) -> i64 {
        now.micros().saturating_add(self.lasts.whole)
    }

    fn is_over(&self, session: &Session, now: i64) -> bool {
        now - session.used >= self.lasts.idle || now - session.opened >= self.lasts.whole
    }

    /// Opens a session and returns its name, for a cookie, and when it ends at the latest.
    pub(super) fn open(&self, token: &Token, purpose: Option<String>, now: Time) -> Result<(String, Time)> {
        let name = Digest(random_bytes()?).to_string();
        let digest = blake3::Hash::from(token.digest.parse::<Digest>().map_or([0; 32], |digest| digest.0));
        let at = now.micros();
        let mut open = self.lock();
        open.retain(|_, session| !self.is_over(session, at));
        // The longest unused of this token, or of all, makes room.
        let of_token = open.values().filter(|session| session.digest == digest).count();
        if of_token >= MOST_OF_ONE || open.len() >= MOST_SESSIONS {
            let may_go = |session: &&([u8; 32], i64, bool)| of_token < MOST_OF_ONE || session.2;
            let listed: Vec<_> = open.iter().map(|(key, of)| (*key, of.used, of.digest == digest)).collect();
            let oldest = listed.iter().filter(may_go).min_by_key(|session| session.1).map(|session| session.0);
            oldest.and_then(|key| open.remove(&key));
        }
        let person = token.name.starts_with(OF_PROVIDER).then(|| token.clone());
        open.insert(key_of(&name), Session { digest, person, purpose, opened: at, used: at });
        let whole = at.saturating_add(self.lasts.whole).min(token.expires_us.unwrap_or(i64::MAX));
        Ok((name, Time::new(whole).unwrap_or(now)))
    }

    /// Ends a session.
    pub(super) fn close(&self, name: &str) {
        self.lock().remove(&key_of(name));
    }

    /// Sessions that are open.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Who is logged in under this name, where the log-in is open and its token good.
    pub(super) fn who(&self, name: &str, tokens: &TokenFile, now: Time) -> Result<Option<Who>> {
        let (digest, person, purpose, opened) = {
            let mut open = self.lock();
            let key = key_of(name);
            let Some(session) = open.get_mut(&key) else { return Ok(None) };
            if self.is_over(session, now.micros()) {
                open.remove(&key);
                return Ok(None);
            }
            session.used = now.micros();
            (session.digest, session.person.clone(), session.purpose.clone(), session.opened)
        };
        let token = match person {
            Some(person) => Some(person).filter(|person| !person.is_over(now)),
            None => tokens.of_digest(&digest, now)?,
        };
        let Some(token) = token else {
            self.close(name);
            return Ok(None);
        };
        let ends = opened.saturating_add(self.lasts.whole).min(token.expires_us.unwrap_or(i64::MAX));
        Ok(Some(Who { token, session: Some(name.to_owned()), purpose, expires: Time::new(ends) }))
    }
}

/// Name of the cookie.
pub(super) const COOKIE: &str = "stillhunt_session";

/// The value of a cookie in the headers of a request.
pub(super) fn cookie<'a>(headers: &'a axum::http::HeaderMap, wanted: &str) -> Option<&'a str> {
    let all = headers.get_all(axum::http::header::COOKIE).into_iter();
    let pairs = all.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    pairs.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

/// Who asks, by the headers of a request: a token, or the cookie of a session. A token wins.
pub(super) fn who(
    headers: &axum::http::HeaderMap,
    tokens: &TokenFile,
    sessions: &Sessions,
    now: Time,
) -> std::result::Result<Who, Fault> {
    let none = || {
        Fault::new(401, "unauthorized", "expected an access token, got none that is good")
            .hint("send Authorization: Bearer TOKEN, or log in; tokens expire and can be revoked")
    };
    if let Some(given) = headers.get(axum::http::header::AUTHORIZATION) {
        let given = given.to_str().ok().and_then(|text| text.split_once(' '));
        let token = given.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        let token = tokens.of_token(token.ok_or_else(none)?, now).map_err(unread)?.ok_or_else(none)?;
        let expires = token.expires_us.and_then(Time::new);
        return Ok(Who { token, session: None, purpose: None, expires });
    }
    sessions.who(cookie(headers, COOKIE).ok_or_else(none)?, tokens, now).map_err(unread)?.ok_or_else(none)
}

/// A file of tokens that cannot be read lets nobody in, and is the server's trouble.
pub(super) fn unread(error: Error) -> Fault {
    Fault::inside(error.to_string())
}

/// Refuses what another site may have sent with the cookie: a request that changes something must say that it comes from here.
pub(super) fn same_site(headers: &axum::http::HeaderMap) -> std::result::Result<(), Fault> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let foreign = || {
        Fault::new(403, "cross_site", "expected a request from the desk's own page, got one that does not show it")
            .hint("a program sends its token; a page of the desk's own address sends Origin, or the header Stillhunt-Desk: 1")
    };
    match (text("origin"), text("host")) {
        (Some(origin), host) => {
            let of_origin = origin.split_once("://").map(|(_, rest)| rest);
            if of_origin.is_some() && of_origin == host { Ok(()) } else { Err(foreign()) }
        }
        // Another site cannot set a header of our own without asking first, which nothing here allows.
        (None, _) if text("stillhunt-desk").is_some() => Ok(()),
        _ => Err(foreign()),
    }
}
