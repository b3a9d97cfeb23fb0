//! A provider that signs what it is told to: the honest log-in, and every lie that must let nobody in.
#![allow(clippy::disallowed_methods)]

use super::*;
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, Mac as _};
use openidconnect::http::Response;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// What the provider does with the next token.
type Lie = fn(&mut Value, &mut Value);

struct Fake {
    logins: Logins,
    /// Codes that were exchanged.
    exchanged: Arc<AtomicU32>,
    nonce: Arc<Mutex<String>>,
}

fn encoded(bytes: &[u8]) -> String {
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

fn now() -> Time {
    // The crate that checks tokens reads the clock itself.
    Time::new(jiff::Timestamp::now().as_microsecond()).expect("a time")
}

/// A provider whose tokens `lie` changes: header and claims; signed by the key that it publishes, or by `forged`.
fn fake(lie: Lie, forged: bool) -> Fake {
    let key = SigningKey::from_bytes(&[7; 32]);
    let signs = if forged { SigningKey::from_bytes(&[9; 32]) } else { key.clone() };
    let exchanged = Arc::new(AtomicU32::new(0));
    let nonce = Arc::new(Mutex::new(String::new()));
    let (counted, told) = (Arc::clone(&exchanged), Arc::clone(&nonce));
    let answer = move |request: Request| {
        let seconds = jiff::Timestamp::now().as_second();
        let body = match request.uri().path() {
            "/.well-known/openid-configuration" => json!({
                "issuer": "https://id.example", "authorization_endpoint": "https://id.example/authorize",
                "token_endpoint": "https://id.example/token", "jwks_uri": "https://id.example/keys",
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                // What it offers is not what is taken.
                "id_token_signing_alg_values_supported": ["EdDSA", "none", "HS256"],
            }),
            "/keys" => json!({ "keys": [{ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "k",
                "x": encoded(key.verifying_key().as_bytes()) }] }),
            "/token" => {
                let form = String::from_utf8(request.body().clone()).expect("a form");
                assert!(form.contains("code_verifier=") && form.contains("grant_type=authorization_code"), "{form}");
                if counted.fetch_add(1, Ordering::SeqCst) > 0 {
                    let refused = json!({ "error": "invalid_grant" });
                    let answer = Response::builder().status(400).header("content-type", "application/json");
                    return Ok(answer.body(refused.to_string().into_bytes()).expect("an answer"));
                }
                let mut head = json!({ "alg": "EdDSA", "kid": "k", "typ": "JWT" });
                let nonce = told.lock().expect("held").clone();
                let mut claims = json!({ "iss": "https://id.example", "aud": "desk", "sub": "u-1", "exp": seconds + 300, "iat": seconds,
                    "nonce": nonce, "realm": { "groups": ["staff", "desk-analysts"] } });
                lie(&mut head, &mut claims);
                let signed =
                    format!("{}.{}", encoded(head.to_string().as_bytes()), encoded(claims.to_string().as_bytes()));
                let signature = match head["alg"].as_str() {
                    Some("none") => String::new(),
                    // By the secret that both know, as it should be where that is taken.
                    Some("HS256") => {
                        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"a secret").expect("a key");
                        mac.update(signed.as_bytes());
                        encoded(&mac.finalize().into_bytes())
                    }
                    _ => encoded(&signs.sign(signed.as_bytes()).to_bytes()),
                };
                json!({ "access_token": "t", "token_type": "Bearer", "id_token": format!("{signed}.{signature}") })
            }
            path => panic!("asked for {path}"),
        };
        let answer = Response::builder().status(200).header("content-type", "application/json");
        Ok(answer.body(body.to_string().into_bytes()).expect("an answer"))
    };
    let provider = Provider {
        issuer: "https://id.example".into(),
        client_id: "desk".into(),
        secret: Some("a secret".into()),
        url: "https://desk.example".into(),
        scopes: vec!["profile".into()],
        claim: "realm.groups".into(),
        name: "sub".into(),
        roles: vec![("desk-viewers".into(), Role::Viewer), ("desk-analysts".into(), Role::Analyst)],
    };
    Fake { logins: Logins::new(provider, Box::new(answer)).expect("a provider"), exchanged, nonce }
}

impl Fake {
    /// Begins; the state that was sent, and the cookie.
    fn begin(&self) -> (String, String) {
        let (address, ticket) = self.logins.begin(Some("case 7".into()), now()).expect("an address");
        let query: BTreeMap<String, String> =
            openidconnect::url::Url::parse(&address).expect("a URL").query_pairs().into_owned().collect();
        assert!(address.starts_with("https://id.example/authorize?"), "{address}");
        assert_eq!(query["code_challenge_method"], "S256");
        assert_eq!(query["redirect_uri"], "https://desk.example/api/v1/oidc/back");
        assert!(query["scope"].split(' ').any(|scope| scope == "openid"), "{address}");
        self.nonce.lock().expect("held").clone_from(&query["nonce"]);
        (query["state"].clone(), ticket)
    }

    fn end(&self, ticket: Option<&str>, state: &str) -> std::result::Result<(Token, Option<String>), Fault> {
        self.logins.end(ticket, ("code", state), (now(), i64::MAX))
    }
}

#[test]
fn an_honest_login_says_who_and_which_role() {
    let fake = fake(|_, _| (), false);
    let (state, ticket) = fake.begin();
    let (token, purpose) = fake.end(Some(&ticket), &state).expect("somebody");
    assert_eq!((token.name.as_str(), token.role, purpose.as_deref()), ("oidc:u-1", Role::Analyst, Some("case 7")));
    // Shown again, code and cookie open nothing, and the provider is not asked.
    assert_eq!(fake.end(Some(&ticket), &state).expect_err("ended").status, 403);
    assert_eq!(fake.exchanged.load(Ordering::SeqCst), 1);
    // The same code in a log-in of somebody else's is refused by the provider.
    let (state, ticket) = fake.begin();
    assert_eq!(fake.end(Some(&ticket), &state).expect_err("a code of before").status, 403);
}

#[test]
fn another_browser_or_another_state_ends_nothing() {
    let fake = fake(|_, _| (), false);
    let (state, ticket) = fake.begin();
    for (ticket, state) in [(None, state.as_str()), (Some("another"), &state), (Some(ticket.as_str()), "another")] {
        assert_eq!(fake.end(ticket, state).expect_err("refused").status, 403, "{state}");
    }
    // The wrong state used the log-in up.
    assert_eq!(fake.end(Some(&ticket), &state).expect_err("ended").status, 403);
    assert_eq!(fake.exchanged.load(Ordering::SeqCst), 0, "no code was sent anywhere");
    let (state, ticket) = fake.begin();
    let late = Time::new(now().micros() + WAITS + 1).expect("a time");
    assert_eq!(fake.logins.end(Some(&ticket), ("code", &state), (late, i64::MAX)).expect_err("too late").status, 403);
}

#[test]
fn a_token_that_lies_lets_nobody_in() {
    let lies: [(&str, Lie); 9] = [
        ("another issuer", |_, claims| claims["iss"] = json!("https://evil.example")),
        ("another audience", |_, claims| claims["aud"] = json!("another-desk")),
        ("an audience more", |_, claims| claims["aud"] = json!(["desk", "another-desk"])),
        ("another nonce", |_, claims| claims["nonce"] = json!("x")),
        ("no nonce", |_, claims| claims["nonce"] = Value::Null),
        ("expired", |_, claims| claims["exp"] = json!(jiff::Timestamp::now().as_second() - 10)),
        ("not signed", |head, _| head["alg"] = json!("none")),
        ("signed by a secret", |head, _| head["alg"] = json!("HS256")),
        ("a name with control characters", |_, claims| claims["sub"] = json!("u\u{1b}[31m")),
    ];
    for (what, lie) in lies {
        let fake = fake(lie, false);
        let (state, ticket) = fake.begin();
        let fault = fake.end(Some(&ticket), &state).map(|(token, _)| token.name).expect_err(what);
        assert!(
            !fault.cause.as_ref().is_some_and(|cause| cause.contains("not taken")),
            "{what}: the code was taken: {fault:?}"
        );
        assert_eq!((fault.status, fault.code), (403, "login_refused"), "{what}: {fault:?}");
        assert!(!fault.body().to_string().contains("example"), "{what}: the cause goes to the log only");
    }
    let forged = fake(|_, _| (), true);
    let (state, ticket) = forged.begin();
    assert_eq!(forged.end(Some(&ticket), &state).expect_err("forged").code, "login_refused");
    let nobody = fake(|_, claims| claims["realm"]["groups"] = json!(["staff", "DESK-ANALYSTS"]), false);
    let (state, ticket) = nobody.begin();
    assert_eq!(nobody.end(Some(&ticket), &state).expect_err("no role").code, "no_role");
}
