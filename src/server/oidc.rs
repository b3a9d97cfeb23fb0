//! Log-in by an identity provider: OpenID Connect, the code flow with PKCE, state and nonce.
//!
//! The idea: who begins a log-in gets a cookie and is sent to the provider; who comes back shows that cookie, the state that was sent along, and a code, which
//! is exchanged for an ID token over a connection of our own. The token's signature, issuer, audience, nonce and time are checked by the crate
//! `openidconnect`; a claim of it says the role, and from there on the session is one as with a token. Weakness: a role that the provider takes
//! away ends with the session, after twelve hours at the latest; only claims of the ID token are read. Guarantee: a log-in that was begun is
//! ended once, by the browser that began it, and an ID token that is not signed by a key of the provider lets nobody in.

use super::fault::Fault;
use super::who::{Role, Token, key_of};
use crate::error::{Error, ErrorKind, Result};
use crate::ids::{Digest, Time};
use crate::store::key::random_bytes;
use base64::Engine as _;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm, CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl,
    Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, TokenResponse as _,
};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// What an identity provider is to this desk.
#[derive(Clone)]
pub struct Provider {
    /// Its issuer, a URL.
    pub issuer: String,
    /// What this desk is called there.
    pub client_id: String,
    /// The secret that goes with it; without one PKCE alone binds the code.
    pub secret: Option<String>,
    /// The desk's own address, as browsers have it.
    pub url: String,
    /// What is asked for beside `openid`.
    pub scopes: Vec<String>,
    /// The claim that says the role: a text or a list of them; a point leads into an object.
    pub claim: String,
    /// The claim that names the person in the access log, and owns what is kept: one that people cannot change themselves.
    pub name: String,
    /// Values of the claim, each with the role that it gives; of several the highest counts.
    pub roles: Vec<(String, Role)>,
}

/// A request to the provider and its answer; both are small.
pub type Request = openidconnect::HttpRequest;
/// The answer.
pub type Answer = openidconnect::HttpResponse;
/// Sends a request; the caller knows the network.
pub type Fetch = Box<dyn Fn(Request) -> std::result::Result<Answer, Unreachable> + Send + Sync>;

/// Why a provider did not answer.
#[derive(Debug)]
pub struct Unreachable(pub String);

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}

type Client =
    CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointMaybeSet, EndpointMaybeSet>;

/// Path where a log-in begins, and of the address that the provider sends browsers back to.
pub(super) const BEGIN: &str = "/api/v1/oidc/login";
pub(super) const BACK: &str = "/api/v1/oidc/back";
/// Microseconds for which a log-in that was begun is waited for.
const WAITS: i64 = 600 * 1_000_000;
/// Log-ins that wait at most; the oldest make room. So many begin within that time under the rate of one name.
const MOST_WAITING: usize = 20_000;
/// Log-ins that are worked on at the same time, apart from the places of other questions: each may wait for the provider.
const AT_ONCE: usize = 2;
/// Microseconds for which a provider that did not answer is not asked again.
const PAUSE: i64 = 10 * 1_000_000;
/// Microseconds after which the provider's keys are read again where a signature is of none of them, and after which in any case.
const AGAIN: i64 = 60 * 1_000_000;
const OLD: i64 = 3_600 * 1_000_000;
/// Longest name of a person.
const LONGEST_NAME: usize = 90;
/// Signatures that are taken: those by a key pair.
const SIGNED_BY: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// A log-in that was begun.
struct Begun {
    state: String,
    nonce: String,
    verifier: String,
    purpose: Option<String>,
    at: i64,
}

/// Log-ins by one provider.
pub(super) struct Logins {
    provider: Provider,
    fetch: Fetch,
    known: Mutex<Known>,
    begun: Mutex<BTreeMap<[u8; 32], Begun>>,
    pub(super) places: Arc<Semaphore>,
}

/// What is known of the provider, and when it was last asked in vain.
#[derive(Default)]
struct Known {
    metadata: Option<(i64, CoreProviderMetadata)>,
    failed: Option<i64>,
}

/// What could not be asked of the provider.
fn unreachable(cause: &dyn std::fmt::Display) -> Fault {
    let fault = Fault::new(503, "provider_unreachable", "the identity provider does not answer as it should");
    Fault { cause: Some(cause.to_string()), ..fault.hint("log in by a token, or try again").again(30) }
}

fn refused(cause: impl Into<String>) -> Fault {
    let fault = Fault::new(403, "login_refused", "the log-in by the identity provider was not accepted");
    Fault {
        cause: Some(cause.into()),
        ..fault.hint("begin again; the server's log says why, under the number of this request")
    }
}

fn drawn() -> std::result::Result<String, Fault> {
    Ok(Digest(random_bytes()?).to_string())
}

impl Logins {
    /// # Errors
    /// `Config` when an address of it is none.
    pub(super) fn new(provider: Provider, fetch: Fetch) -> Result<Self> {
        let wrong = |what: &str, cause: &dyn std::fmt::Display| {
            Error::new(ErrorKind::Config, format!("expected {what} as a URL: {cause}"))
        };
        IssuerUrl::new(provider.issuer.clone()).map_err(|cause| wrong("the issuer", &cause))?;
        RedirectUrl::new(format!("{}{BACK}", provider.url)).map_err(|cause| wrong("the desk's own address", &cause))?;
        let places = Arc::new(Semaphore::new(AT_ONCE));
        Ok(Self { provider, fetch, known: Mutex::default(), begun: Mutex::default(), places })
    }

    /// What the provider says of itself, with its keys; read again when it is old.
    fn metadata(&self, now: Time, older_than: i64) -> std::result::Result<CoreProviderMetadata, Fault> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, metadata)) = known.metadata.as_ref().filter(|(read, _)| now.micros() - read < older_than) {
            return Ok(metadata.clone());
        }
        if known.failed.is_some_and(|failed| now.micros() - failed < PAUSE) {
            return Err(unreachable(&"it did not answer some seconds ago"));
        }
        let issuer = IssuerUrl::new(self.provider.issuer.clone()).map_err(|cause| unreachable(&cause))?;
        match CoreProviderMetadata::discover(&issuer, &self.fetch) {
            Ok(metadata) => {
                *known = Known { metadata: Some((now.micros(), metadata.clone())), failed: None };
                Ok(metadata)
            }
            Err(cause) => {
                known.failed = Some(now.micros());
                Err(unreachable(&cause))
            }
        }
    }

    fn client(&self, metadata: CoreProviderMetadata) -> std::result::Result<Client, Fault> {
        let Provider { client_id, secret, url, .. } = &self.provider;
        let back = RedirectUrl::new(format!("{url}{BACK}")).map_err(|cause| unreachable(&cause))?;
        let secret = secret.clone().map(ClientSecret::new);
        Ok(CoreClient::from_provider_metadata(metadata, ClientId::new(client_id.clone()), secret)
            .set_redirect_uri(back))
    }

    /// Begins a log-in: where to send the browser, and the value of its cookie.
    pub(super) fn begin(&self, purpose: Option<String>, now: Time) -> std::result::Result<(String, String), Fault> {
        let client = self.client(self.metadata(now, OLD)?)?;
        let (state, nonce, verifier, ticket) = (drawn()?, drawn()?, drawn()?, drawn()?);
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone()));
        let (sent_state, sent_nonce) = (state.clone(), nonce.clone());
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let asked = client.authorize_url(flow, move || CsrfToken::new(sent_state), move || Nonce::new(sent_nonce));
        let scopes = self.provider.scopes.iter().cloned().map(Scope::new);
        let (url, ..) = asked.add_scopes(scopes).set_pkce_challenge(challenge).url();
        let at = now.micros();
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        begun.retain(|_, of| at - of.at < WAITS);
        if begun.len() >= MOST_WAITING {
            let oldest = begun.iter().min_by_key(|(_, of)| of.at).map(|(key, _)| *key);
            oldest.and_then(|key| begun.remove(&key));
        }
        begun.insert(key_of(&ticket), Begun { state, nonce, verifier, purpose, at });
        Ok((url.to_string(), ticket))
    }

    /// Ends a log-in that the browser with this cookie began: who it is, as a token that lasts until `ends`, and what for.
    pub(super) fn end(
        &self,
        ticket: Option<&str>,
        (code, state): (&str, &str),
        (now, ends): (Time, i64),
    ) -> std::result::Result<(Token, Option<String>), Fault> {
        // Whatever comes of it, it is ended: a code that is shown twice finds nothing.
        let begun = {
            let mut all = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
            ticket.and_then(|ticket| all.remove(&key_of(ticket)))
        };
        let begun = begun.filter(|begun| now.micros() - begun.at < WAITS);
        let begun = begun.ok_or_else(|| refused("no log-in waits for this browser"))?;
        // Digests are compared in constant time.
        if blake3::hash(state.as_bytes()) != blake3::hash(begun.state.as_bytes()) {
            return Err(refused("the state is another than the one that was sent"));
        }
        let client = self.client(self.metadata(now, OLD)?)?;
        let exchange =
            client.exchange_code(AuthorizationCode::new(code.to_owned())).map_err(|cause| unreachable(&cause))?;
        let exchange = exchange.set_pkce_verifier(PkceCodeVerifier::new(begun.verifier));
        // In full the cause would hold what the provider sent, tokens among it.
        let answer =
            exchange.request(&self.fetch).map_err(|cause| refused(format!("the code was not taken: {cause}")))?;
        let token = answer.id_token().ok_or_else(|| refused("the provider sent no ID token"))?;
        let nonce = Nonce::new(begun.nonce);
        if self.check(&client, token, &nonce).is_err() {
            // The provider may have changed its keys since.
            let client = self.client(self.metadata(now, AGAIN)?)?;
            self.check(&client, token, &nonce).map_err(refused)?;
        }
        Ok((self.person(token, now, ends)?, begun.purpose))
    }

    fn check(&self, client: &Client, token: &CoreIdToken, nonce: &Nonce) -> std::result::Result<(), String> {
        let verifier = client.id_token_verifier().set_allowed_algs(SIGNED_BY);
        token.claims(&verifier, nonce).map(|_| ()).map_err(|cause| cause.to_string())
    }

    /// Whom a token that was checked is of.
    fn person(&self, token: &CoreIdToken, now: Time, ends: i64) -> std::result::Result<Token, Fault> {
        let text = token.to_string();
        let payload =
            text.split('.').nth(1).and_then(|part| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Value = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let Provider { claim, name, roles, .. } = &self.provider;
        let role = values(&claims, claim)
            .iter()
            .filter_map(|of| roles.iter().find(|(value, _)| value == of))
            .map(|of| of.1)
            .max();
        let role = role.ok_or_else(|| {
            Fault::new(403, "no_role", "the identity provider names no role of this desk for you")
                .hint("whoever runs the desk maps its roles to what the provider says")
        })?;
        let own = values(&claims, name).first().copied().unwrap_or_default();
        // A name that turns the writing round, or has blanks that are not seen, would pass for another's.
        let turns = |c| {
            char::is_control(c)
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}')
        };
        if own.is_empty() || own.trim() != own || own.len() > LONGEST_NAME || own.chars().any(turns) {
            return Err(refused(format!("the claim {name:?} is no name of 1 to {LONGEST_NAME} bytes")));
        }
        let subject =
            format!("{}\n{}", self.provider.issuer, values(&claims, "sub").first().copied().unwrap_or_default());
        Ok(Token {
            name: format!("{PREFIX}{own}"),
            role,
            digest: Digest::of(subject.as_bytes()).to_string(),
            created_us: now.micros(),
            expires_us: Some(ends),
        })
    }
}

/// What the name of a person whom a provider named begins with; no token's does.
pub(super) const PREFIX: &str = super::who::OF_PROVIDER;

/// Texts of a claim: itself, those of a list, or what a path of names with points between leads to.
fn values<'a>(claims: &'a Value, claim: &str) -> Vec<&'a str> {
    let found = claims.get(claim).or_else(|| claim.split('.').try_fold(claims, |of, name| of.get(name)));
    match found {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
