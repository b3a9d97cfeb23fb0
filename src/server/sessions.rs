//! Sessions of the desk's page: opened with a token or by an identity provider, shown, closed.
//!
//! The name of a session is a cookie that no script reads and no other site sends. Weakness: who holds the cookie is in until it ends.
//! Guarantee: nothing of the store is answered here.

use super::State;
#[cfg(feature = "oidc")]
use super::access::Access;
use super::answers::{Answer, Asked, Body, Reply};
use super::fault::Fault;
#[cfg(feature = "oidc")]
use super::who::Who;
use super::who::{COOKIE, Token, unread};
use crate::ids::Time;
use serde_json::{Value, json};

pub(super) fn open_session(state: &State, asked: &Asked) -> Answer {
    let token = asked.given.text("token").unwrap_or_default();
    let token = state.tokens.of_token(token.trim(), asked.now).map_err(unread)?.ok_or_else(|| {
        Fault::new(401, "unauthorized", "expected an access token, got none that is good")
            .hint("a token is printed once, by stillhunt serve token add")
    })?;
    let purpose = asked.given.text("purpose").map(str::to_owned);
    let (name, ends) = state.sessions.open(&token, purpose.clone(), asked.now)?;
    let page = session_page(state, &token, purpose.as_deref(), Some(ends));
    let seconds = (ends.micros() - asked.now.micros()) / 1_000_000;
    let mut reply = Reply::json(page);
    reply.cookie = Some(cookie(state, &name, seconds));
    Ok(reply)
}

fn cookie(state: &State, name: &str, seconds: i64) -> String {
    let secure = if state.settings.secure { "; Secure" } else { "" };
    format!("{COOKIE}={name}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

fn session_page(state: &State, token: &Token, purpose: Option<&str>, expires: Option<Time>) -> Value {
    json!({ "schema": 1, "name": token.name, "role": token.role, "purpose": purpose, "expires": expires, "k": state.settings.k,
        "version": env!("CARGO_PKG_VERSION") })
}

pub(super) fn session(state: &State, asked: &Asked) -> Answer {
    let who = asked.who.as_ref().ok_or_else(|| Fault::inside("a session without who has it"))?;
    Ok(Reply::json(session_page(state, &who.token, asked.purpose.as_deref(), who.expires)))
}

pub(super) fn close_session(state: &State, asked: &Asked) -> Answer {
    if let Some(name) = asked.who.as_ref().and_then(|who| who.session.as_deref()) {
        state.sessions.close(name);
    }
    Ok(Reply {
        status: 204,
        body: Body::Nothing,
        did: Vec::new(),
        cookie: Some(cookie(state, "", 0)),
        whole: false,
        who: None,
    })
}

/// Name of the cookie of a log-in that was begun.
#[cfg(feature = "oidc")]
pub(super) const LOGIN: &str = "stillhunt_login";

#[cfg(feature = "oidc")]
fn logins(state: &State) -> Result<&super::oidc::Logins, Fault> {
    state.logins.as_ref().ok_or_else(|| Fault::unknown("expected an identity provider, this desk has none"))
}

#[cfg(feature = "oidc")]
fn elsewhere(address: String, cookie: String) -> Reply {
    Reply {
        status: 303,
        body: Body::Elsewhere(address),
        did: Vec::new(),
        cookie: Some(cookie),
        whole: false,
        who: None,
    }
}

#[cfg(feature = "oidc")]
pub(super) fn provider(state: &State, _: &Asked) -> Answer {
    Ok(Reply::json(json!({ "schema": 1, "enabled": state.logins.is_some(), "login": super::oidc::BEGIN })))
}

#[cfg(feature = "oidc")]
pub(super) fn begin_login(state: &State, asked: &Asked) -> Answer {
    let purpose = asked.given.text("purpose").map(str::to_owned);
    let (address, ticket) = logins(state)?.begin(purpose, asked.now)?;
    let secure = if state.settings.secure { "; Secure" } else { "" };
    // It comes back from another site, so it cannot be strict; it opens nothing by itself.
    let cookie = format!("{LOGIN}={ticket}; Path=/api/v1/oidc; HttpOnly; SameSite=Lax; Max-Age=600{secure}");
    Ok(elsewhere(address, cookie))
}

#[cfg(feature = "oidc")]
pub(super) fn end_login(state: &State, asked: &Asked) -> Answer {
    let given = &asked.given;
    let logins = logins(state)?;
    let (Some(code), Some(sent)) = (given.text("code"), given.text("state")) else {
        let said = given.text("error").unwrap_or("no code");
        let fault = Fault::new(403, "login_refused", "the identity provider let nobody in");
        return Err(Fault { cause: Some(format!("it said {said:?}")), ..fault.hint("begin again") });
    };
    let ends = state.sessions.ends(asked.now);
    let (token, purpose) = logins.end(asked.ticket.as_deref(), (code, sent), (asked.now, ends))?;
    let (name, until) = state.sessions.open(&token, purpose.clone(), asked.now)?;
    let seconds = (until.micros() - asked.now.micros()) / 1_000_000;
    let who = Who { token, session: None, purpose: purpose.clone(), expires: Some(until) };
    let did = vec![Access { act: "login", subject: "identity provider".into(), purpose }];
    Ok(Reply { who: Some(who), ..elsewhere("/".into(), cookie(state, &name, seconds)) }.with(did))
}
