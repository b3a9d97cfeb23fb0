//! The investigator's desk: an HTTP interface to a store, and the page that draws it.
//!
//! The idea: everything that the command line answers is answered here, in the same JSON, to people who each have a token with a role. One table of
//! routes makes the router, the checks and the document of the API; every request goes through the same steps, in `run`. Questions of the
//! store block, so they run on threads of their own, a bounded number at once. The clock is the caller's. Weakness: one process, one store;
//! who shares a token shares its name in the log. Guarantee: what a role must not see is not sent, what shows a text is logged before it is
//! sent, and an answer is of one commit, which it names.
//!
//! ```text
//! request → who → rate → role → values → store as of its newest commit → lookup → JSON → what the role may see → access log → answer
//!           who   limits        given    desk                                          show                     access
//! ```

mod access;
mod answers;
mod bound;
mod desk;
mod fault;
mod given;
mod limits;
mod listen;
mod metrics;
#[cfg(feature = "oidc")]
mod oidc;
mod openapi;
mod page;
mod routes;
mod sessions;
mod show;
mod stream;
#[cfg(test)]
mod tests;
mod who;

pub use access::{AccessRow, Verified, verify, verify_against};
pub use limits::Rate;
pub use listen::{Bound, Socket, Tls, listen};
#[cfg(feature = "oidc")]
pub use oidc::{Answer as OidcAnswer, Fetch, Provider, Request as OidcRequest, Unreachable};
pub use who::{Lasts, Role, Token, Tokens};

use crate::embed::Model;
use crate::error::Result;
use crate::ids::Time;
use crate::store::key::{AccountKey, random_bytes};
use answers::{Asked, Body, Reply};
use axum::Router;
use axum::body::{Body as Sent, HttpBody as _};
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use axum::routing::{MethodFilter, on};
use desk::Desk;
use fault::Fault;
use given::Given;
use limits::Limits;
use metrics::Metrics;
use routes::{Handler, ROUTES, Route};
use serde_json::{Value, json};
use show::Reader;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use who::{Sessions, TokenFile, Who};

/// Longest text that is searched for or registered, and largest body.
const MOST_TEXT: usize = 1 << 20;
const MOST_BODY: usize = 2 << 20;
/// Longest purpose that a header gives.
const MOST_PURPOSE: usize = 500;
/// A body that has not come by then is not waited for; nor is a place among those that are being answered.
const BODY_TIME: Duration = Duration::from_secs(20);
const QUEUE_TIME: Duration = Duration::from_secs(10);
/// What a program says of why it reads texts, and what an answer says of the night that it is of.
const PURPOSE: &str = "stillhunt-purpose";
const NIGHT: HeaderName = HeaderName::from_static("stillhunt-night");
const REQUEST: HeaderName = HeaderName::from_static("stillhunt-request");

/// How a desk is run.
pub struct Settings {
    /// The store.
    pub store: PathBuf,
    /// The file of tokens.
    pub tokens: PathBuf,
    /// The access log.
    pub log: PathBuf,
    /// The account key, by which an account's own name is understood.
    pub key: Option<AccountKey>,
    /// The provider's own names of accounts, one a line, by which a pseudonym is revealed.
    pub accounts: Option<PathBuf>,
    /// Least accounts of a family or ring that a viewer is told of.
    pub k: u64,
    /// Bounds of one token.
    pub rate: Rate,
    /// How long sessions last.
    pub lasts: Lasts,
    /// Questions that are answered at the same time.
    pub at_once: usize,
    /// Whether cookies travel on TLS only.
    pub secure: bool,
    /// What a writer of the store is called to another.
    pub holder: String,
    /// The identity provider by which people log in, and how it is reached.
    #[cfg(feature = "oidc")]
    pub oidc: Option<(Provider, Fetch)>,
}

/// The moment, and where lines of the server's own log go: the caller knows both.
pub struct Outside {
    /// The clock.
    pub now: Box<dyn Fn() -> Time + Send + Sync>,
    /// Takes one line of JSON.
    pub line: Box<dyn Fn(&str) + Send + Sync>,
}

/// A desk that is open: everything that requests share.
pub struct State {
    settings: Settings,
    outside: Outside,
    desk: Desk,
    tokens: TokenFile,
    sessions: Sessions,
    limits: Arc<Limits>,
    access: Mutex<access::AccessLog>,
    /// Whoever writes into the store holds it: two people who write a note at the same moment wait for each other.
    writing: Mutex<()>,
    /// Whoever asks what reads all days of the store holds it: minutes of work, of which one at a time is enough.
    all_days: Mutex<()>,
    metrics: Metrics,
    places: Arc<Semaphore>,
    /// What this process's requests are called: a word of its own, and a number.
    begun: String,
    requests: AtomicU64,
    #[cfg(feature = "oidc")]
    logins: Option<oidc::Logins>,
}

impl State {
    /// Opens a desk on a store.
    /// # Errors
    /// `Store` when the store cannot be opened, or the access log is not whole; `Config` when the tokens or the log lie in the store, or there
    /// are no tokens; `Io` when a file cannot be read.
    pub fn open(
        #[cfg_attr(not(feature = "oidc"), allow(unused_mut))] mut settings: Settings,
        model: &'static Model,
        outside: Outside,
    ) -> Result<Arc<Self>> {
        let desk = Desk::open(&settings.store, model)?;
        for (what, path) in [("file of tokens", &settings.tokens), ("access log", &settings.log)] {
            outside_of(&settings.store, what, path)?;
        }
        let tokens = TokenFile::at(&settings.tokens)?;
        if let Some(key) = &settings.key {
            crate::stored::check_key(desk.held()?.store(), key)?;
        }
        let access = Mutex::new(access::AccessLog::open(&settings.log)?);
        let begun = crate::ids::Digest(random_bytes()?).to_string()[..8].to_owned();
        Ok(Arc::new(Self {
            desk,
            tokens,
            sessions: Sessions::new(settings.lasts),
            limits: Limits::new(settings.rate),
            access,
            writing: Mutex::new(()),
            all_days: Mutex::new(()),
            metrics: Metrics::default(),
            places: Arc::new(Semaphore::new(settings.at_once.max(1))),
            begun,
            requests: AtomicU64::new(0),
            #[cfg(feature = "oidc")]
            logins: settings.oidc.take().map(|(provider, fetch)| oidc::Logins::new(provider, fetch)).transpose()?,
            settings,
            outside,
        }))
    }

    /// Lets go of a snapshot of the store that is not the newest, so that what was forgotten leaves the disk though nobody asks.
    pub fn let_go(&self) {
        self.desk.let_go();
    }

    /// Opens the newest snapshot and makes what lists are read from, so that nobody waits for it. What fails here is told to whoever asks.
    pub fn make_ready(&self) {
        self.desk.make_ready();
    }
}

/// Refuses a file that lies in the store: a backup of the store would carry it away.
fn outside_of(store: &Path, what: &str, path: &Path) -> Result<()> {
    let place = |path: &Path| path.canonicalize().ok();
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (Some(store), Some(above)) = (place(store), place(above)) else { return Ok(()) };
    if above.starts_with(&store) {
        let message = format!("expected the {what} outside of the store, got {}", path.display());
        return Err(crate::error::Error::new(crate::error::ErrorKind::Config, message));
    }
    Ok(())
}

impl State {
    fn now(&self) -> Time {
        (self.outside.now)()
    }

    /// Requests that wait for a place or are being answered.
    fn answering(&self) -> usize {
        self.settings.at_once.max(1).saturating_sub(self.places.available_permits())
    }

    /// Writes what somebody did to the access log; when this returns it is on the disk.
    fn log(&self, did: &[access::Access], who: &Who, (night, request): (u32, &str)) -> std::result::Result<(), Fault> {
        if did.is_empty() {
            return Ok(());
        }
        let mut log = self.access.lock().unwrap_or_else(PoisonError::into_inner);
        let told = log.write(did, (&who.token.name, who.token.role), (self.now(), night, request));
        let (row, head) =
            told.map_err(|error| Fault::inside(format!("nothing was shown, since it could not be logged: {error}")))?;
        drop(log);
        self.metrics.logged(did.len());
        self.tell("info", "access", request, &json!({ "row": row, "head": head }));
        Ok(())
    }

    /// Writes a line of the server's own log: what happened, in which request, and what else there is to say of it.
    fn tell(&self, level: &str, event: &str, request: &str, more: &Value) {
        let mut line = json!({ "time": self.now(), "level": level, "event": event, "request": request });
        for (name, value) in more.as_object().into_iter().flatten() {
            line[name] = value.clone();
        }
        (self.outside.line)(&line.to_string());
    }

    /// Writes a line of what the server did by itself: under the number 0, which no request has.
    fn tell_of_itself(&self, level: &str, event: &str, more: &Value) {
        self.tell(level, event, &format!("{}-0", self.begun), more);
    }

    /// What the next request is called.
    fn next_request(&self) -> String {
        format!("{}-{}", self.begun, self.requests.fetch_add(1, Ordering::Relaxed) + 1)
    }
}

/// The router of a desk. It needs no socket: a test calls it as it is.
pub fn app(state: Arc<State>) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        let filter = match route.method {
            "POST" => MethodFilter::POST,
            "DELETE" => MethodFilter::DELETE,
            _ => MethodFilter::GET,
        };
        let state = Arc::clone(&state);
        router = router.route(route.path, on(filter, move |request: Request| run(Arc::clone(&state), route, request)));
    }
    let (of_methods, of_rest) = (Arc::clone(&state), state);
    router
        .method_not_allowed_fallback(move |request: Request| async move {
            other(
                &of_methods,
                &request,
                Err(Fault::new(405, "method_not_allowed", "expected another method for this path")),
            )
        })
        .fallback(move |request: Request| async move {
            let path = request.uri().path();
            let is_api = path == "/api" || path.starts_with("/api/");
            let found = match (is_api, request.method()) {
                (true, _) => Err(Fault::unknown("expected a path of the API").hint("/api/v1/openapi.json lists them")),
                (false, &Method::GET | &Method::HEAD) => {
                    page::page(path, request.headers()).ok_or_else(|| Fault::unknown("expected a file of the page"))
                }
                (false, _) => Err(Fault::new(405, "method_not_allowed", "expected GET for a path of the page")),
            };
            other(&of_rest, &request, found)
        })
}

/// An answer beside the table of routes: a file of the page, or that there is nothing.
fn other(state: &State, request: &Request, found: std::result::Result<Response<Sent>, Fault>) -> Response<Sent> {
    let id = state.next_request();
    let mut response = found.unwrap_or_else(|fault| faulty(&fault));
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let methods: Vec<&str> =
            ROUTES.iter().filter(|route| route.path == request.uri().path()).map(|route| route.method).collect();
        if !methods.is_empty() && !response.headers().contains_key(header::ALLOW) {
            response
                .headers_mut()
                .extend(HeaderValue::from_str(&methods.join(", ")).ok().map(|value| (header::ALLOW, value)));
        }
    }
    // Which path and method it was is a text of whoever asked, and is not told; files of the page that were sent are not worth a line.
    let status = response.status().as_u16();
    state.metrics.answered(("", "other"), status, 0.0);
    if status >= 400 {
        state.tell("info", "request", &id, &json!({ "route": "other", "status": status }));
    }
    guarded(state, response, &id)
}

/// The response with the headers that every one has.
fn guarded(state: &State, mut response: Response<Sent>, id: &str) -> Response<Sent> {
    page::guard(response.headers_mut(), state.settings.secure);
    response.headers_mut().extend(HeaderValue::from_str(id).ok().map(|id| (REQUEST, id)));
    response
}

fn faulty(fault: &Fault) -> Response<Sent> {
    let mut response = Response::new(Sent::from(fault.body().to_string()));
    *response.status_mut() = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if fault.status == 401 {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(again) = fault.again {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(again));
    }
    response
}

/// Answers a request of a route: all go through these steps.
async fn run(state: Arc<State>, route: &'static Route, request: Request) -> Response<Sent> {
    let id = state.next_request();
    let begun = state.now();
    let mut name = String::new();
    let answered = answer(&state, route, request, &id, &mut name).await;
    let cause = answered.as_ref().err().and_then(|fault| fault.cause.clone());
    let response = answered.unwrap_or_else(|fault| faulty(&fault));
    let seconds = (state.now().micros() - begun.micros()).max(0) as f64 / 1e6;
    let status = response.status().as_u16();
    state.metrics.answered((route.method, route.path), status, seconds);
    let level = if status >= 500 { "error" } else { "info" };
    let mut more = json!({ "method": route.method, "route": route.path, "status": status, "ms": (seconds * 1e4).round() / 10.0, "who": name });
    if let Some(cause) = cause {
        more["cause"] = json!(cause);
    }
    state.tell(level, "request", &id, &more);
    guarded(&state, response, &id)
}

async fn answer(
    state: &Arc<State>,
    route: &'static Route,
    request: Request,
    id: &str,
    name: &mut String,
) -> std::result::Result<Response<Sent>, Fault> {
    let (mut parts, body) = request.into_parts();
    let now = state.now();
    let changes = route.method != "GET";
    let who = match route.least {
        Some(_) => Some(who::who(&parts.headers, &state.tokens, &state.sessions, now)?),
        None => None,
    };
    // A cookie comes along whoever made the request, so a request that changes something shows where it comes from; so does a login.
    let by_cookie = who.as_ref().is_some_and(|who| who.session.is_some());
    if changes && (by_cookie || (who.is_none() && parts.headers.contains_key(header::ORIGIN))) {
        who::same_site(&parts.headers)?;
    }
    let going = match &who {
        Some(who) => {
            name.clone_from(&who.token.name);
            Some(state.limits.enter(&who.token.name, now)?)
        }
        None => None,
    };
    let role = who.as_ref().map_or(Role::Viewer, |who| who.token.role);
    if route.least.is_some_and(|least| role < least) {
        let least = route.least.map_or("", Role::word);
        return Err(Fault::new(403, "forbidden", format!("expected the role {least} or above, got {}", role.word())));
    }
    let in_path = RawPathParams::from_request_parts(&mut parts, &()).await;
    let in_path = in_path.map_err(|_| Fault::unknown("expected a path of UTF-8 text"))?;
    let in_path: Vec<(String, String)> =
        in_path.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    let mut given = Given::default();
    given.path(route.in_path, &in_path)?;
    given.query(route.query, parts.uri.query(), route.others)?;
    if !route.body.is_empty() {
        given.body(route.body, route.one_of, &bytes_of(&parts.headers, body).await?)?;
        given.goes_with(route.goes_with)?;
    }
    let purpose = purpose_of(&parts.headers)?.or_else(|| who.as_ref().and_then(|who| who.purpose.clone()));
    let reader = Reader { role, purposed: purpose.is_some() && role >= Role::Analyst, k: state.settings.k };
    #[cfg(feature = "oidc")]
    let ticket = who::cookie(&parts.headers, sessions::LOGIN).map(str::to_owned);
    let asked = Asked {
        given,
        who,
        purpose,
        reader,
        now,
        #[cfg(feature = "oidc")]
        ticket,
    };
    let busy = || Fault::new(503, "busy", "too many questions are being answered").hint("send it again").again(5);
    #[cfg(feature = "oidc")]
    let (logs_in, place) = login_place(state, route, &parts.headers, now, busy)?;
    #[cfg(not(feature = "oidc"))]
    let (logs_in, place) = (None::<limits::Going>, Arc::clone(&state.places));
    let place = tokio::time::timeout(QUEUE_TIME, place.acquire_owned()).await;
    let place = place.ok().and_then(std::result::Result::ok).ok_or_else(busy)?;
    let tags = parts.headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (working, called) = (Arc::clone(state), id.to_owned());
    // The place and the token's share are held for as long as the work goes on, though the asker be gone.
    let work = move || {
        let (reply, night) = match route.handler {
            Handler::Plain(handler) => (handler(&working, &asked)?, None),
            Handler::Store(handler) => {
                let (reply, held) = working.desk.ask(|held| handler(&working, held, &asked))?;
                (reply, Some(held.night))
            }
        };
        if let Some(who) = asked.who.as_ref().or(reply.who.as_ref()) {
            working.log(&reply.did, who, (night.unwrap_or(0), &called))?;
        }
        Ok::<_, Fault>((reply, night, (place, going, logs_in)))
    };
    let done = tokio::task::spawn_blocking(work).await.map_err(|cause| Fault::inside(cause.to_string()))?;
    let (reply, night, held) = done?;
    Ok(sent((state, id), route, reply, (night, tags), held))
}

/// Where a request waits its turn. Log-ins by a provider have places of their own, and one bound for all of them, since anybody may ask for
/// one and each may wait for the provider; none is begun from another site.
#[cfg(feature = "oidc")]
fn login_place(
    state: &State,
    route: &Route,
    headers: &axum::http::HeaderMap,
    now: Time,
    busy: impl Fn() -> Fault,
) -> std::result::Result<(Option<limits::Going>, Arc<Semaphore>), Fault> {
    let Some(logins) = state.logins.as_ref().filter(|_| [oidc::BEGIN, oidc::BACK].contains(&route.path)) else {
        return Ok((None, Arc::clone(&state.places)));
    };
    let from = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok());
    if route.path == oidc::BEGIN && from.is_some_and(|from| !["same-origin", "none"].contains(&from)) {
        return Err(Fault::new(403, "cross_site", "expected a log-in that begins on the desk's own page")
            .hint("open the desk, and begin there"));
    }
    let going = state.limits.enter(who::OF_PROVIDER, now)?;
    if logins.places.available_permits() == 0 {
        return Err(busy());
    }
    Ok((Some(going), Arc::clone(&logins.places)))
}

/// The response that carries a reply; `held` is dropped when a stream ends, else at once.
fn sent<T: Send + 'static>(
    (state, id): (&Arc<State>, &str),
    route: &Route,
    reply: Reply,
    (night, tags): (Option<u32>, Option<String>),
    held: T,
) -> Response<Sent> {
    let mut response = Response::new(Sent::empty());
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let mut media = "application/json";
    match reply.body {
        Body::Nothing => media = "",
        #[cfg(feature = "oidc")]
        Body::Elsewhere(address) => {
            media = "";
            response.headers_mut().extend(HeaderValue::from_str(&address).ok().map(|at| (header::LOCATION, at)));
        }
        Body::Json(mut value) => {
            bound::lists(&mut value);
            if !reply.whole {
                bound::texts(&mut value);
            }
            let text = value.to_string();
            if route.method == "GET" {
                let tag = format!("\"{}\"", blake3::hash(text.as_bytes()).to_hex());
                if tags.is_some_and(|tags| tags.contains(&tag)) {
                    *response.status_mut() = StatusCode::NOT_MODIFIED;
                } else {
                    *response.body_mut() = Sent::from(text);
                }
                response.headers_mut().extend(HeaderValue::from_str(&tag).ok().map(|tag| (header::ETAG, tag)));
            } else {
                *response.body_mut() = Sent::from(text);
            }
        }
        Body::Text(of, text) => {
            media = of;
            *response.body_mut() = Sent::from(text);
        }
        Body::Stream(of, name, write) => {
            media = of;
            let (told, id) = (Arc::clone(state), id.to_owned());
            let tell = move |cause: String| told.tell("error", "stream", &id, &json!({ "cause": cause }));
            *response.body_mut() = stream::of(write, tell, held);
            let name = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
            response.headers_mut().extend(name.ok().map(|name| (header::CONTENT_DISPOSITION, name)));
        }
    }
    let headers = response.headers_mut();
    if !media.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    }
    // Nothing of an answer stays in a cache: what was forgotten must not be there.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(night) = night {
        headers.insert(NIGHT, HeaderValue::from(night));
    }
    headers.extend(
        reply.cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()).map(|cookie| (header::SET_COOKIE, cookie)),
    );
    response
}

/// A body of JSON, of bounded length, within bounded time.
async fn bytes_of(headers: &HeaderMap, body: Sent) -> std::result::Result<Vec<u8>, Fault> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Fault::new(415, "not_json", "expected a body of the type application/json"));
    }
    let too_large = || Fault::new(413, "too_large", format!("expected a body of at most {MOST_BODY} bytes, got more"));
    if body.size_hint().lower() > MOST_BODY as u64 {
        return Err(too_large());
    }
    let late = || Fault::new(408, "too_slow", format!("expected the body within {} seconds", BODY_TIME.as_secs()));
    let read = tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, MOST_BODY)).await.map_err(|_| late())?;
    // What fails below the bound is a client that went away, whom no answer reaches.
    read.map(|bytes| bytes.to_vec()).map_err(|_| too_large())
}

/// What the header says that texts are wanted for.
fn purpose_of(headers: &HeaderMap) -> std::result::Result<Option<String>, Fault> {
    let Some(value) = headers.get(PURPOSE) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).ok().map(str::trim);
    let good = text.filter(|text| !text.is_empty() && text.len() <= MOST_PURPOSE);
    let fault =
        || Fault::value(format!("expected the header Stillhunt-Purpose to be a text of 1 to {MOST_PURPOSE} bytes"));
    good.map(|text| Some(text.to_owned())).ok_or_else(fault)
}
