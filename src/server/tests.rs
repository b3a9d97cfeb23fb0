//! The desk without a socket: long because every route is asked by every role, and every status is seen.
#![allow(clippy::disallowed_methods)]

use super::*;
use crate::lookup::{ListQuery, export_families};
use crate::report::Part;
use crate::store::Store;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use std::sync::atomic::AtomicI64;
use tower::ServiceExt as _;

/// A desk on a copy of the store that lies beside the tests: two nights, 54 accounts, a near-duplicate family, a fragment.
struct Site {
    dir: tempfile::TempDir,
    app: Router,
    state: Arc<State>,
    now: Arc<AtomicI64>,
    lines: Arc<Mutex<Vec<String>>>,
    tokens: [String; 3],
}

/// An answer, read to its end.
struct Got {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|cause| panic!("{cause}: {}", self.body))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    for entry in std::fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let to = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            let _ = std::fs::copy(&path, &to).expect("copied");
        }
    }
}

fn model() -> &'static Model {
    static MODEL: std::sync::OnceLock<Model> = std::sync::OnceLock::new();
    MODEL.get_or_init(|| crate::cli::model(None).expect("the model in the program"))
}

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;

impl Site {
    fn new() -> Self {
        Self::with(|_| ())
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let path = |name: &str| dir.path().join(name);
        copy(&golden("store-3"), &path("store"));
        let start = Time::new(1_800_000_000 * SECOND).expect("a time");
        let mut tokens = Tokens::default();
        let made = Role::ALL.map(|role| tokens.add(role.word(), role, start, None).expect("a token"));
        tokens.write(&path("tokens")).expect("written");
        std::fs::copy(golden("store-3.key"), path("key")).expect("copied");
        std::fs::set_permissions(path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("owner-only");
        let mut settings = Settings {
            store: path("store"),
            tokens: path("tokens"),
            log: path("access.jsonl"),
            key: AccountKey::read(&path("key")).expect("a key"),
            accounts: None,
            k: 5,
            rate: Rate { a_second: 0, burst: 1, at_once: 100 },
            lasts: Lasts::default(),
            at_once: 4,
            secure: false,
            holder: "a test".into(),
            #[cfg(feature = "oidc")]
            oidc: None,
        };
        change(&mut settings);
        let (now, lines) = (Arc::new(AtomicI64::new(start.micros())), Arc::new(Mutex::new(Vec::new())));
        let (clock, told) = (Arc::clone(&now), Arc::clone(&lines));
        let outside = Outside {
            now: Box::new(move || Time::new(clock.load(Ordering::Relaxed)).expect("a time")),
            line: Box::new(move |line| told.lock().expect("held").push(line.to_owned())),
        };
        let state = State::open(settings, model(), outside).expect("opened");
        Self { dir, app: app(Arc::clone(&state)), state, now, lines, tokens: made }
    }

    fn store(&self) -> Store {
        Store::open(&self.dir.path().join("store")).expect("a store")
    }

    fn token(&self, role: Role) -> &str {
        &self.tokens[role as usize]
    }

    fn wait(&self, seconds: i64) {
        self.now.fetch_add(seconds * SECOND, Ordering::Relaxed);
    }

    /// Sends a request; a body that is none is left out.
    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Option<&str>) -> Got {
        let mut request = Request::builder().method(method).uri(path).header("host", "desk.example");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() && !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Sent::from(body.unwrap_or_default().to_owned())).expect("a request");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let app = self.app.clone();
        runtime.block_on(async {
            let (parts, body) = app.oneshot(request).await.expect("an answer").into_parts();
            let bytes = body.collect().await.expect("a body").to_bytes();
            let body = String::from_utf8(bytes.to_vec()).expect("UTF-8");
            Got { status: parts.status.as_u16(), headers: parts.headers, body }
        })
    }

    fn get(&self, role: Role, path: &str) -> Got {
        self.send("GET", path, &[("authorization", &format!("Bearer {}", self.token(role)))], None)
    }

    fn with_purpose(&self, role: Role, path: &str) -> Got {
        let bearer = format!("Bearer {}", self.token(role));
        self.send("GET", path, &[("authorization", &bearer), ("stillhunt-purpose", "case 7")], None)
    }

    fn post(&self, role: Role, path: &str, body: &Value) -> Got {
        let bearer = format!("Bearer {}", self.token(role));
        self.send("POST", path, &[("authorization", &bearer)], Some(&body.to_string()))
    }

    /// The cookie of a new session.
    fn login(&self, role: Role) -> String {
        let got = self.send("POST", "/api/v1/session", &[], Some(&json!({ "token": self.token(role) }).to_string()));
        assert_eq!(got.status, 200, "{}", got.body);
        got.header("set-cookie").split(';').next().expect("a cookie").to_owned()
    }

    fn rows(&self) -> Vec<AccessRow> {
        let mut rows = Vec::new();
        let verified = verify(&self.dir.path().join("access.jsonl"), &mut |row| rows.push(row.clone()));
        assert_eq!(verified.expect("a log").faults, Vec::<String>::new());
        rows
    }

    /// Families of the store, system prompts too.
    fn families(&self) -> Vec<crate::report::Family> {
        let all = |level| {
            let wanted = ListQuery { most: 100, level, trivial: true, ..ListQuery::default() };
            export_families(&self.store(), &wanted).expect("families")
        };
        [all(None), all(Some(crate::ids::Level::System))].concat()
    }

    fn account(&self) -> String {
        let store = self.store();
        let all: Vec<String> =
            store.catalog().all("SELECT id FROM accounts ORDER BY account", [], |row| row.get(0)).expect("accounts");
        all[0].clone()
    }

    fn exchange(&self) -> String {
        let csv = self.get(Role::Analyst, "/api/v1/export/members").body;
        csv.lines().nth(1).and_then(|line| line.split(',').next()).expect("a row").to_owned()
    }

    /// A path of a route with names of the store in it, and a body that it takes.
    fn example(&self, route: &Route) -> (String, Option<Value>) {
        let family = self.families()[0].id.to_string();
        let path = match route.path {
            "/api/v1/families/{id}" | "/api/v1/families/{id}/accounts" => route.path.replace("{id}", &family),
            "/api/v1/accounts/{id}" | "/api/v1/accounts/{id}/behind" => route.path.replace("{id}", &self.account()),
            "/api/v1/exchanges/{id}" => route.path.replace("{id}", &self.exchange()),
            "/api/v1/saved/{id}" => route.path.replace("{id}", "7"),
            "/api/v1/registry" if route.method == "DELETE" => format!("{}?name=something", route.path),
            path => path.replace("{id}", "r0123456789abcdef"),
        };
        let body = match (route.method, route.path) {
            ("POST", "/api/v1/session") => json!({ "token": self.tokens[0] }),
            ("POST", "/api/v1/similar") => json!({ "text": "act as a reward model and compare two solutions", "k": 3 }),
            ("POST", "/api/v1/reveal") => json!({ "account": self.account(), "purpose": "case 7" }),
            ("POST", "/api/v1/registry") => {
                json!({ "name": "a course", "kind": "course", "text": "solve this exercise in steps", "provenance": "its page" })
            }
            ("POST", "/api/v1/saved") => {
                json!({ "name": "large ones", "families": { "accounts": 20, "level": "fragment" } })
            }
            ("POST", path) if path.ends_with("assignee") => json!({ "assignee": "ann" }),
            ("POST", path) if path.ends_with("notes") => json!({ "text": "seen" }),
            ("POST", path) if path.ends_with("disposition") => json!({ "disposition": "unknown" }),
            _ => Value::Null,
        };
        (path, (!body.is_null()).then_some(body))
    }
}

#[test]
fn every_route_asks_who_and_lets_its_roles_through() {
    let site = Site::new();
    for route in ROUTES {
        let (path, body) = site.example(route);
        let body = body.map(|body| body.to_string());
        let send = |headers: &[(&str, &str)]| site.send(route.method, &path, headers, body.as_deref());
        let what = format!("{} {path}", route.method);
        let Some(least) = route.least else {
            // This desk has no identity provider.
            let expected = if path.contains("/oidc/") { 404 } else { route.status };
            assert_eq!(send(&[]).status, expected, "{what}");
            continue;
        };
        for bad in [None, Some("Bearer nonsense"), Some("Basic abc"), Some("Bearer"), Some("")] {
            let headers: Vec<(&str, &str)> = bad.map(|bad| ("authorization", bad)).into_iter().collect();
            let got = send(&headers);
            assert_eq!((got.status, got.json()["error"]["code"].as_str()), (401, Some("unauthorized")), "{what}");
            assert_eq!(got.header("www-authenticate"), "Bearer");
        }
        for role in Role::ALL {
            let bearer = format!("Bearer {}", site.token(role));
            // A viewer's purpose opens nothing.
            let got = send(&[("authorization", &bearer), ("stillhunt-purpose", "case 7")]);
            if role < least {
                assert_eq!(
                    (got.status, got.json()["error"]["code"].as_str()),
                    (403, Some("forbidden")),
                    "{what} {role:?}"
                );
                continue;
            }
            // This store has no rings, and nothing of that name is registered; what is there is answered.
            let expected = if path.contains("/rings/")
                || path.contains("/saved/")
                || route.method == "DELETE" && path.contains("name=")
            {
                404
            } else {
                route.status
            };
            assert_eq!(got.status, expected, "{what} {role:?}: {}", got.body);
            if expected == route.status && !route.answer.is_empty() {
                let answer = got.json();
                for (field, kinds) in route.answer {
                    let kind = match &answer[field] {
                        Value::Null if answer.get(field).is_some() => "null",
                        Value::Null => "nothing",
                        Value::Bool(_) => "boolean",
                        Value::Number(number) if number.is_u64() || number.is_i64() => "integer",
                        Value::Number(_) => "number",
                        Value::String(_) => "string",
                        Value::Array(_) => "array",
                        Value::Object(_) => "object",
                    };
                    assert!(
                        kinds.split(" or ").any(|of| of == kind || (of, kind) == ("number", "integer")),
                        "{what}: {field} is {kind}"
                    );
                }
            }
            assert!(!got.header("content-security-policy").contains("unsafe"), "{what}");
            assert_eq!(got.header("x-content-type-options"), "nosniff", "{what}");
            assert_eq!(got.header("cache-control"), "no-store", "{what}");
        }
    }
}

#[test]
fn what_reads_all_days_is_answered_as_by_the_command_line_and_one_at_a_time() {
    let site = Site::new();
    let (account, store) = (site.account(), site.store());
    let known = crate::audit::known_texts(&crate::stored::FragmentConfig::default());
    let gateway = account.parse().expect("a pseudonym");
    let behind = crate::lookup::rings_behind(&store, model(), &known, gateway).expect("found");
    let placebo = crate::lookup::placebo(&store, model(), 2, 3).expect("walked");
    let mut behind = crate::lookup::behind_page(&behind);
    behind["members_left_out"] = json!({});
    let pages = [
        (format!("/api/v1/accounts/{account}/behind"), behind),
        ("/api/v1/placebo?walks=2&seed=3".to_owned(), crate::lookup::placebo_page(&placebo)),
    ];
    for (path, page) in pages {
        let busy = site.state.all_days.lock().expect("nobody asks");
        let got = site.get(Role::Analyst, &path);
        assert_eq!((got.status, got.header("retry-after")), (503, "30"), "{path}");
        drop(busy);
        let got = site.get(Role::Analyst, &path);
        assert_eq!((got.status, got.json()), (200, page), "{path}");
    }
    assert_eq!(site.get(Role::Analyst, "/api/v1/accounts/a000000000000000000000000/behind").status, 404);
}

#[test]
fn what_a_role_must_not_see_is_not_in_the_bytes() {
    let site = Site::new();
    let opened =
        crate::lookup::Opened::open(site.store(), model(), &crate::stored::AuditConfig::default()).expect("opened");
    let (mut texts, mut names): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for family in site.families() {
        for exchange in opened.family(family.id, usize::MAX).expect("a family").exchanges {
            texts.push(
                serde_json::to_string(&exchange.prompt.chars().take(40).collect::<String>())
                    .expect("JSON")
                    .trim_matches('"')
                    .to_owned(),
            );
            names.push(exchange.exchange_id);
        }
        // Templates, by their longest fixed part.
        let parts =
            family.template_parts.iter().filter_map(|part| if let Part::Text(text) = part { Some(text) } else { None });
        texts.extend(
            parts
                .max_by_key(|text| text.len())
                .filter(|text| text.len() > 20)
                .map(|text| text.chars().take(20).collect()),
        );
    }
    let accounts: Vec<String> =
        site.store().catalog().all("SELECT id FROM accounts", [], |row| row.get(0)).expect("accounts");
    assert!(texts.len() > 5 && names.len() > 5 && accounts.len() == 54);
    let mut sent = Vec::new();
    for route in ROUTES.iter().filter(|route| route.least == Some(Role::Viewer) && route.method != "DELETE") {
        let (path, body) = site.example(route);
        let paths = if route.path.ends_with("families/{id}") {
            site.families().iter().map(|family| route.path.replace("{id}", &family.id.to_string())).collect()
        } else {
            vec![path]
        };
        for path in paths {
            let bearer = format!("Bearer {}", site.token(Role::Viewer));
            let headers = [("authorization", bearer.as_str()), ("stillhunt-purpose", "I should like to")];
            sent.push((
                path.clone(),
                site.send(route.method, &path, &headers, body.clone().map(|body| body.to_string()).as_deref()).body,
            ));
        }
    }
    let similar = site.post(Role::Viewer, "/api/v1/similar", &json!({ "text": "act as a reward model", "k": 100 }));
    sent.push(("similar".into(), similar.body));
    assert!(sent.iter().map(|(_, body)| body.len()).sum::<usize>() > 5_000);
    for (path, body) in &sent {
        for secret in texts.iter().chain(&names).chain(&accounts) {
            // What the asker sent is not what the store says.
            assert!(!body.contains(secret.as_str()), "{path} shows {secret}");
        }
    }
    // The same look-ups hold all of it for whoever may see it, so the search above can find something.
    let family = site.families()[0].id;
    let whole = site.with_purpose(Role::Analyst, &format!("/api/v1/families/{family}")).body;
    assert!(
        texts.iter().any(|text| whole.contains(text.as_str())) && accounts.iter().any(|id| whole.contains(id.as_str()))
    );
    let unsaid = site.get(Role::Analyst, &format!("/api/v1/families/{family}")).json();
    assert!(unsaid["exchanges"].as_array().expect("exchanges").iter().all(|exchange| exchange["prompt"].is_null()));
    assert!(unsaid["exchanges"].as_array().is_some_and(|exchanges| !exchanges.is_empty()));
}

#[test]
fn small_families_do_not_exist_for_viewers() {
    let site = Site::with(|settings| settings.k = 1_000);
    let family = site.families()[0].id;
    let path = format!("/api/v1/families/{family}");
    let (viewer, analyst) = (site.get(Role::Viewer, &path), site.get(Role::Analyst, &path));
    assert_eq!((viewer.status, analyst.status), (404, 200));
    // Nor do they look otherwise than what is not there.
    let other = site.get(Role::Viewer, "/api/v1/families/n00000000000000ff");
    assert_eq!(viewer.json()["error"]["code"], other.json()["error"]["code"]);
    assert_eq!(site.get(Role::Viewer, "/api/v1/families").json()["families"], json!([]));
    assert_eq!(site.get(Role::Viewer, "/api/v1/tonight").json()["families"], json!([]));
    let hits = site.post(Role::Viewer, "/api/v1/similar", &json!({ "text": "act as a reward model" })).json();
    assert_eq!(hits["hits"], json!([]));
}

#[test]
fn a_search_finds_who_sent_it_and_is_logged() {
    let site = Site::new();
    let got = site.post(
        Role::Analyst,
        "/api/v1/similar",
        &json!({ "text": "act as a reward model: compare two solutions", "k": 3 }),
    );
    let hits = got.json();
    assert_eq!(hits["hits"].as_array().map(Vec::len), Some(3));
    let hit = &hits["hits"][0];
    assert!(hit["similarity"].as_f64().is_some_and(|similarity| similarity > 0.2));
    assert!(hit["text"].as_str().is_some_and(|text| text.len() > 10) && hit["exchange"].is_string());
    let account = hit["account"].as_str().expect("an account");
    assert_eq!(site.get(Role::Analyst, &format!("/api/v1/accounts/{account}")).status, 200);
    let rows = site.rows();
    assert_eq!((rows.len(), rows[0].act.as_str(), rows[0].who.as_str(), rows[0].night), (1, "similar", "analyst", 2));
    // The text itself is nowhere in the log, only its digest.
    assert!(rows[0].subject.starts_with("text ") && !rows[0].subject.contains("reward"));
    assert_eq!(got.header("stillhunt-night"), "2");
}

#[test]
fn a_reveal_is_an_act_with_a_purpose() {
    let site = Site::new();
    let hits = site.post(Role::Analyst, "/api/v1/similar", &json!({ "text": "act as a reward model", "k": 1 })).json();
    let exchange = hits["hits"][0]["exchange"].clone();
    let got = site.post(Role::Analyst, "/api/v1/reveal", &json!({ "exchange": exchange, "purpose": "case 7" }));
    assert_eq!((got.status, &got.json()["text"]), (200, &hits["hits"][0]["text"]));
    let row = site.rows().pop().expect("a row");
    assert_eq!((row.act.as_str(), row.purpose.as_deref()), ("reveal", Some("case 7")));
    assert!(row.subject.contains(exchange.as_str().expect("an id")));
    let before = site.rows().len();
    for (body, status) in [
        (json!({ "exchange": exchange }), 422),
        (json!({ "exchange": exchange, "purpose": " " }), 422),
        (json!({ "purpose": "case 7" }), 422),
        (json!({ "exchange": exchange, "account": site.account(), "purpose": "case 7" }), 422),
        (json!({ "exchange": "no such", "purpose": "case 7" }), 404),
        (json!({ "account": "a000000000000000000000000", "purpose": "case 7" }), 404),
        (json!({ "account": "nobody we know", "purpose": "case 7" }), 404),
    ] {
        assert_eq!(site.post(Role::Analyst, "/api/v1/reveal", &body).status, status, "{body}");
    }
    assert_eq!(site.rows().len(), before, "what was not shown is not logged as shown");
    assert_eq!(site.post(Role::Viewer, "/api/v1/reveal", &json!({ "exchange": exchange, "purpose": "x" })).status, 403);
}

#[test]
fn a_pseudonym_is_revealed_by_the_providers_own_list() {
    let known = "Alice & Sons, \"Ltd\"";
    let id_of = |settings: &Settings| {
        let key = settings.key.as_ref().expect("a key");
        crate::ids::AccountId::derive(key.bytes(), known).to_string()
    };
    let mut id = String::new();
    let site = Site::with(|settings| {
        id = id_of(settings);
        let catalog = rusqlite::Connection::open(settings.store.join("catalog.sqlite")).expect("a catalog");
        catalog.execute("UPDATE accounts SET id = ?1 WHERE account = 0", [&id]).expect("renamed");
        let names = settings.store.with_file_name("names");
        std::fs::write(&names, format!("someone else\n{known}\n")).expect("written");
        settings.accounts = Some(names);
    });
    let got = site.post(Role::Analyst, "/api/v1/reveal", &json!({ "account": id, "purpose": "case 7" })).json();
    assert_eq!(got["name"], json!(known));
    let by_name = site.post(Role::Analyst, "/api/v1/reveal", &json!({ "account": known, "purpose": "case 7" })).json();
    assert_eq!(by_name["account"], json!(id));
    assert!(site.rows().iter().all(|row| !row.subject.contains("Alice")), "a name does not get into the log");
}

#[test]
fn sessions_end() {
    let site = Site::new();
    let cookie = site.login(Role::Analyst);
    let ask = |cookie: &str| site.send("GET", "/api/v1/session", &[("cookie", cookie)], None);
    let got = ask(&cookie);
    assert_eq!((got.status, got.json()["role"].clone()), (200, json!("analyst")));
    // Idle for less than half an hour, again and again, until twelve hours have passed.
    for _ in 0..24 {
        site.wait(29 * 60);
        assert_eq!(ask(&cookie).status, 200);
    }
    site.wait(29 * 60);
    assert_eq!(ask(&cookie).status, 401, "after twelve hours");
    let cookie = site.login(Role::Analyst);
    site.wait(30 * 60);
    assert_eq!(ask(&cookie).status, 401, "after half an hour without a request");
    let cookie = site.login(Role::Analyst);
    let out = site.send("DELETE", "/api/v1/session", &[("cookie", &cookie), ("stillhunt-desk", "1")], None);
    assert_eq!(out.status, 204);
    assert!(out.header("set-cookie").contains("Max-Age=0"));
    assert_eq!(ask(&cookie).status, 401, "after the logout");
    let (cookie, other) = (site.login(Role::Analyst), site.login(Role::Viewer));
    let path = site.dir.path().join("tokens");
    let mut tokens = Tokens::read(&path).expect("read").expect("there");
    tokens.revoke("analyst").expect("revoked");
    tokens.write(&path).expect("written");
    assert_eq!(ask(&cookie).status, 401, "the token was revoked");
    assert_eq!(site.get(Role::Analyst, "/api/v1/rings").status, 401);
    assert_eq!(ask(&other).status, 200, "another one's was not");
    // A token of the same name is another token.
    tokens.add("analyst", Role::Admin, Time::new(0).expect("a time"), None).expect("a token");
    tokens.write(&path).expect("written");
    assert_eq!(ask(&cookie).status, 401);
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(ask(&other).status, 401, "without a file there is no token");
}

#[test]
fn tokens_expire() {
    let site = Site::new();
    let path = site.dir.path().join("tokens");
    let mut tokens = Tokens::read(&path).expect("read").expect("there");
    let ends = site.now.load(Ordering::Relaxed) + 60 * SECOND;
    let token = tokens.add("guest", Role::Viewer, Time::new(0).expect("a time"), Time::new(ends)).expect("a token");
    tokens.write(&path).expect("written");
    let cookie = site.send("POST", "/api/v1/session", &[], Some(&json!({ "token": token }).to_string()));
    let cookie = cookie.header("set-cookie").split(';').next().expect("a cookie").to_owned();
    let ask = || {
        let bearer = format!("Bearer {token}");
        [("authorization", bearer.as_str()), ("cookie", cookie.as_str())]
            .map(|header| site.send("GET", "/api/v1/session", &[header], None).status)
    };
    assert_eq!(ask(), [200, 200]);
    site.wait(60);
    assert_eq!(ask(), [401, 401]);
    let text = std::fs::read_to_string(&path).expect("read");
    assert!(!text.contains(&token) && !text.contains(&token["stillhunt_".len()..]), "the file holds digests only");
}

#[test]
fn another_site_cannot_use_the_cookie() {
    let site = Site::new();
    let cookie = site.login(Role::Analyst);
    let body = json!({ "text": "act as a reward model" }).to_string();
    let send = |headers: &[(&str, &str)]| {
        let mut all = vec![("cookie", cookie.as_str())];
        all.extend(headers);
        site.send("POST", "/api/v1/similar", &all, Some(&body)).status
    };
    assert_eq!(send(&[]), 403);
    assert_eq!(send(&[("origin", "https://evil.example")]), 403);
    assert_eq!(send(&[("origin", "null")]), 403);
    assert_eq!(send(&[("origin", "https://evil.example"), ("stillhunt-desk", "1")]), 403);
    assert_eq!(send(&[("origin", "http://desk.example.evil.example")]), 403);
    assert_eq!(send(&[("origin", "http://desk.example")]), 200);
    assert_eq!(send(&[("stillhunt-desk", "1")]), 200);
    let login = |origin: &str| {
        let body = json!({ "token": site.token(Role::Viewer) }).to_string();
        site.send("POST", "/api/v1/session", &[("origin", origin)], Some(&body)).status
    };
    assert_eq!((login("https://evil.example"), login("http://desk.example")), (403, 200));
    let plain =
        site.send("POST", "/api/v1/session", &[], Some(&json!({ "token": site.token(Role::Viewer) }).to_string()));
    let cookie = plain.header("set-cookie");
    assert!(
        cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && !cookie.contains("Secure"),
        "{cookie}"
    );
    let secure = Site::with(|settings| settings.secure = true);
    let got =
        secure.send("POST", "/api/v1/session", &[], Some(&json!({ "token": secure.token(Role::Viewer) }).to_string()));
    assert!(got.header("set-cookie").contains("; Secure"));
}

#[test]
fn what_is_too_much_is_refused() {
    let site = Site::with(|settings| settings.rate = Rate { a_second: 1, burst: 30, at_once: 100 });
    let post = |body: &str, media: &str| {
        let bearer = format!("Bearer {}", site.token(Role::Analyst));
        let got =
            site.send("POST", "/api/v1/similar", &[("authorization", &bearer), ("content-type", media)], Some(body));
        (got.status, got.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let json = "application/json";
    assert_eq!(post(&"x".repeat(MOST_BODY + 1), json).0, 413);
    assert_eq!(post(&format!("{{\"text\":\"{}\"}}", "x".repeat(MOST_TEXT + 1)), json).0, 422);
    assert_eq!(post("{\"text\":\"x\"}", "text/plain").0, 415);
    for bad in [
        "",
        "{",
        "[]",
        "{\"text\":1}",
        "{\"text\":\"\"}",
        "{\"text\":\"x\",\"k\":0}",
        "{\"text\":\"x\",\"k\":1001}",
        "{\"text\":\"x\",\"other\":1}",
    ] {
        assert_eq!(post(bad, json), (422, "invalid".to_owned()), "{bad}");
    }
    assert_eq!(post(&format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000)), json).0, 422, "deep nesting");
    assert_eq!(site.get(Role::Viewer, "/api/v1/families?limit=501").status, 422);
    assert_eq!(site.get(Role::Viewer, "/api/v1/families?cursor=1.2").status, 422);
    let refused =
        (0..40).map(|_| site.get(Role::Admin, "/api/v1/session")).find(|got| got.status == 429).expect("too many");
    assert_eq!(
        (refused.json()["error"]["code"].as_str(), refused.header("retry-after")),
        (Some("too_many_requests"), "1")
    );
    site.wait(2);
    assert_eq!(site.get(Role::Admin, "/api/v1/session").status, 200);
}

#[test]
fn paths_lead_nowhere_else() {
    let site = Site::new();
    for path in [
        "/api/v1/nothing",
        "/api/v1/families/n0123",
        "/api/v1/families/..%2f..%2fetc%2fpasswd",
        "/api/v1/export/%2e%2e%2ftokens",
        "/api/v1/rings/%00",
        "/api/v1/accounts/%ff",
        "/assets/../../../etc/passwd",
        "/assets/%2e%2e/tokens",
    ] {
        let got = site.get(Role::Admin, path);
        assert_eq!((got.status, got.json()["error"]["code"].as_str()), (404, Some("not_found")), "{path}");
    }
    // A view of the page is none of the server's business; it gives the shell.
    for path in ["/", "/search?q=x", "/families/n0123456789abcdef", "/rings/../../etc/passwd"] {
        let got = site.send("GET", path, &[], None);
        assert_eq!((got.status, got.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        assert!(got.header("content-security-policy").contains("default-src 'none'"));
        let tag = got.header("etag").to_owned();
        assert_eq!(site.send("GET", path, &[("if-none-match", &tag)], None).status, 304);
    }
    let wrong = site.send("PUT", "/api/v1/rings", &[], None);
    assert_eq!((wrong.status, wrong.json()["error"]["code"].as_str()), (405, Some("method_not_allowed")));
    assert!(wrong.header("allow").contains("GET"), "{:?}", wrong.headers);
    assert_eq!(site.send("POST", "/search", &[], None).status, 405);
}

#[test]
fn pages_of_families_join_without_gap_or_double() {
    let site = Site::new();
    let whole: Vec<Value> = site.get(Role::Analyst, "/api/v1/families?limit=500&trivial=true").json()["families"]
        .as_array()
        .expect("families")
        .clone();
    assert!(whole.len() > 2);
    let (mut joined, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = site.get(Role::Analyst, &format!("/api/v1/families?limit=1&trivial=true{cursor}")).json();
        joined.extend(page["families"].as_array().expect("families").iter().cloned());
        pages += 1;
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(joined, whole);
    assert_eq!(pages, whole.len());
}

/// All rows of a list of the desk, `limit` at a time, and how many pages they were.
fn joined(site: &Site, path: &str, list: &str, limit: usize) -> (Vec<Value>, usize) {
    let (mut joined, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let got = site.get(Role::Admin, &format!("{path}?limit={limit}{cursor}"));
        assert_eq!(got.status, 200, "{path}: {}", got.body);
        let page = got.json();
        let rows = page[list].as_array().expect("rows");
        assert!(rows.len() <= limit);
        joined.extend(rows.iter().cloned());
        pages += 1;
        match &page["next"] {
            Value::Null => return (joined, pages),
            next => cursor = format!("&cursor={}", next.as_str().map_or(next.to_string(), str::to_owned)),
        }
    }
}

#[test]
fn what_grows_with_the_store_comes_in_pages_that_join() {
    let site = Site::new();
    let opened =
        crate::lookup::Opened::open(site.store(), model(), &crate::stored::AuditConfig::default()).expect("opened");
    let mut most = 0;
    for family in site.families() {
        let whole = opened.family(family.id, usize::MAX).expect("a family");
        assert_eq!((whole.members.len() as u64, whole.members_left_out), (family.accounts, 0));
        let expected = json!(whole.members);
        let path = format!("/api/v1/families/{}/accounts", family.id);
        for limit in [1, 3, 500] {
            let (rows, pages) = joined(&site, &path, "members", limit);
            assert_eq!((json!(rows), pages), (expected.clone(), whole.members.len().div_ceil(limit)), "{path}");
        }
        let short = opened.family(family.id, 2).expect("a family");
        assert_eq!(short.members, whole.members[..2.min(whole.members.len())]);
        assert_eq!(short.members.len() as u64 + short.members_left_out, family.accounts);
        most = most.max(whole.members.len());
    }
    assert!(most > 5, "{most}");
    // An account of the store that is none of the family, and one of no store.
    let csv = site.get(Role::Analyst, "/api/v1/export/members").body;
    let family = site.families().last().expect("a family").id.to_string();
    let is_member = |account: &str| {
        csv.lines().any(|line| line.split(',').nth(1) == Some(account) && line.split(',').nth(2) == Some(&family))
    };
    let accounts: Vec<String> =
        site.store().catalog().all("SELECT id FROM accounts", [], |row| row.get(0)).expect("accounts");
    let stranger = accounts.iter().find(|account| !is_member(account)).expect("an account");
    for (cursor, status) in [(stranger.as_str(), 404), ("a000000000000000000000000", 404), ("n0123456789abcdef", 422)] {
        let path = format!("/api/v1/families/{family}/accounts?cursor={cursor}");
        assert_eq!(site.get(Role::Analyst, &path).status, status, "{cursor}");
    }
    for name in ["one", "two", "three", "four", "five"] {
        let entry =
            json!({ "name": name, "kind": "course", "text": format!("exercise {name}"), "provenance": "its page" });
        assert_eq!(site.post(Role::Analyst, "/api/v1/registry", &entry).status, 201);
    }
    for (path, list, number) in
        [("nights", "nights", "night"), ("custody", "rows", "row"), ("log", "rows", "row"), ("registry", "entries", "")]
    {
        let (rows, pages) = joined(&site, &format!("/api/v1/{path}"), list, 2);
        assert!(rows.len() >= 2 && pages == rows.len().div_ceil(2), "{path}: {} rows, {pages} pages", rows.len());
        let numbers: Vec<u64> = rows.iter().filter_map(|row| row[number].as_u64()).collect();
        assert!(
            numbers.windows(2).all(|pair| pair[0] == pair[1] + 1),
            "{path}: the newest first, none twice: {numbers:?}"
        );
        assert!(number.is_empty() || numbers.last() == Some(&1), "{path}: {numbers:?}");
    }
    let names: Vec<Value> =
        joined(&site, "/api/v1/registry", "entries", 2).0.iter().map(|entry| entry["name"].clone()).collect();
    assert_eq!(json!(names), json!(["one", "two", "three", "four", "five"]));
}

#[test]
fn each_filter_leaves_what_it_says() {
    let site = Site::new();
    let list = |role: Role, query: &str| -> Vec<Value> {
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let got = site.get(role, &format!("/api/v1/families?limit=3&trivial=true{query}{cursor}"));
            assert_eq!(got.status, 200, "{query}: {}", got.body);
            let page = got.json();
            all.extend(page["families"].as_array().expect("families").iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    };
    let whole = list(Role::Analyst, "");
    let text = |family: &Value, field: &str| family[field].as_str().expect("a text").to_owned();
    let middle = {
        let mut firsts: Vec<String> = whole.iter().map(|family| text(family, "first_seen")).collect();
        firsts.sort();
        firsts[firsts.len() / 2].clone()
    };
    let csv = site.get(Role::Analyst, "/api/v1/export/members").body;
    let account = site.account();
    let of_account: std::collections::BTreeSet<&str> = csv
        .lines()
        .filter(|line| line.split(',').nth(1) == Some(&account))
        .filter_map(|line| line.split(',').nth(2))
        .collect();
    let model = whole[0]["models"][0]["model"].as_str().unwrap_or_default().to_owned();
    let in_night = |family: &Value, wanted: u64| {
        family["nights"].as_array().expect("nights").iter().any(|night| night["night"] == wanted)
    };
    let asks_model =
        |family: &Value| family["models"].as_array().expect("models").iter().any(|of| of["model"] == *model);
    type Keeps<'a> = Box<dyn Fn(&Value) -> bool + 'a>;
    let filters: Vec<(String, Keeps<'_>)> = vec![
        (format!("&until={middle}"), Box::new(|family| text(family, "first_seen") < middle)),
        ("&from_night=2".into(), Box::new(|family| in_night(family, 2))),
        ("&to_night=1".into(), Box::new(|family| in_night(family, 1))),
        ("&from_night=2&to_night=2".into(), Box::new(|family| in_night(family, 2))),
        (format!("&model={model}"), Box::new(asks_model)),
        (format!("&account={account}"), Box::new(|family| of_account.contains(text(family, "id").as_str()))),
        (
            "&least_percent=95".into(),
            Box::new(|family| {
                family["level"] == "exact" || family["smallest_similarity"].as_f64().is_some_and(|least| least >= 0.95)
            }),
        ),
        ("&stratum=nothing".into(), Box::new(|_| false)),
    ];
    let mut kept = 0;
    for (query, keeps) in &filters {
        let expected: Vec<&Value> = whole.iter().filter(|family| keeps(family)).collect();
        let found = list(Role::Analyst, query);
        assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{query}");
        kept += usize::from(!expected.is_empty() && expected.len() < whole.len());
    }
    assert!(kept >= 3, "filters that leave something out and something in: {kept}");
    for bad in ["&model=nobody", "&account=a000000000000000000000000"] {
        assert_eq!(site.get(Role::Analyst, &format!("/api/v1/families?limit=3{bad}")).status, 404, "{bad}");
    }
    for hidden in [format!("account={account}"), "stratum=x".into()] {
        assert_eq!(site.get(Role::Viewer, &format!("/api/v1/families?{hidden}")).status, 403, "{hidden}");
    }
    // A registered text names a stratum.
    let near = whole.iter().find(|family| family["level"] == "near-duplicate").expect("a family");
    let of_one = site.with_purpose(Role::Analyst, &format!("/api/v1/families/{}", text(near, "id"))).json();
    let body = json!({ "name": "a course", "kind": "course", "text": of_one["exchanges"][0]["prompt"], "provenance": "its page" });
    assert_eq!(site.post(Role::Analyst, "/api/v1/registry", &body).status, 201);
    let stratum = list(Role::Analyst, "&stratum=a%20course");
    assert!(!stratum.is_empty() && stratum.len() < whole.len(), "{stratum:?}");
    // A search takes the nights too.
    let search = |more: Value| {
        let mut body = json!({ "text": of_one["exchanges"][0]["prompt"], "k": 100 });
        body.as_object_mut().expect("fields").extend(more.as_object().expect("fields").clone());
        let page = site.post(Role::Analyst, "/api/v1/similar", &body).json();
        page["hits"]
            .as_array()
            .expect("hits")
            .iter()
            .map(|hit| hit["requests"].as_u64().expect("a number"))
            .sum::<u64>()
    };
    let (all, first, second) =
        (search(json!({})), search(json!({ "to_night": 1 })), search(json!({ "from_night": 2 })));
    assert!(all > 0 && first < all && second < all, "{all} {first} {second}");
}

#[test]
fn long_texts_are_cut_and_told_in_full_to_whoever_says_what_for() {
    let site = Site::new();
    let id = site.exchange();
    let whole = site.with_purpose(Role::Analyst, &format!("/api/v1/exchanges/{id}"));
    assert_eq!((whole.status, whole.json()["exchange"].as_str()), (200, Some(id.as_str())));
    let revealed = site.post(Role::Analyst, "/api/v1/reveal", &json!({ "exchange": id, "purpose": "case 7" })).json();
    assert_eq!(revealed, whole.json());
    let rows = site.rows();
    let last = &rows[rows.len() - 2..];
    assert!(last.iter().all(|row| (row.act.as_str(), row.subject.clone()) == ("reveal", format!("exchange {id}"))));
    let refused = site.get(Role::Analyst, &format!("/api/v1/exchanges/{id}"));
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (403, Some("purpose_required")));
    assert_eq!(site.with_purpose(Role::Analyst, "/api/v1/exchanges/nobody").status, 404);
    let family = format!("/api/v1/families/{}", site.families()[0].id);
    assert_eq!(site.get(Role::Analyst, &format!("{family}?whole=true")).status, 403);
    assert_eq!(site.with_purpose(Role::Analyst, &format!("{family}?whole=true")).status, 200);
}

#[test]
fn an_answer_has_a_tag_and_names_its_night() {
    let site = Site::new();
    let got = site.get(Role::Analyst, "/api/v1/nights");
    let bearer = format!("Bearer {}", site.token(Role::Analyst));
    let again =
        site.send("GET", "/api/v1/nights", &[("authorization", &bearer), ("if-none-match", got.header("etag"))], None);
    assert_eq!((again.status, again.body.as_str(), again.header("stillhunt-night")), (304, "", "2"));
    assert_eq!(got.json()["nights"].as_array().map(Vec::len), Some(2));
}

#[test]
fn the_registry_is_written_by_analysts_and_cleared_by_admins() {
    let site = Site::new();
    let entry = json!({ "name": "a course", "kind": "course", "text": "solve this exercise in steps", "provenance": "its page" });
    assert_eq!(site.post(Role::Analyst, "/api/v1/registry", &entry).json(), json!({ "schema": 1, "added": 1 }));
    // The commit was somebody else's to the desk's readers; they see it at once.
    let entries = site.get(Role::Analyst, "/api/v1/registry").json();
    assert_eq!((entries["total"].clone(), entries["entries"][0]["author"].clone()), (json!(1), json!("analyst")));
    let custody = site.get(Role::Analyst, "/api/v1/custody").json();
    assert_eq!(custody["faults"], json!([]));
    let last = &custody["rows"][0];
    assert_eq!((last["author"].clone(), last["command"].clone()), (json!("analyst"), json!("registry add")));
    let gone = |role: Role| {
        let bearer = format!("Bearer {}", site.token(role));
        site.send("DELETE", "/api/v1/registry?name=a%20course", &[("authorization", &bearer)], None).status
    };
    assert_eq!((gone(Role::Analyst), gone(Role::Admin), gone(Role::Admin)), (403, 200, 404));
    let bad = json!({ "name": "x", "kind": "gateway", "text": "a text", "provenance": "y" });
    assert_eq!(site.post(Role::Analyst, "/api/v1/registry", &bad).status, 422);
}

#[test]
fn questions_are_kept_for_their_author_or_for_all() {
    let site = Site::new();
    let save = |role: Role, body: Value| site.post(role, "/api/v1/saved", &body);
    let list = |role: Role| -> Vec<Value> {
        site.get(role, "/api/v1/saved").json()["saved"].as_array().expect("questions").clone()
    };
    let own = json!({ "name": "large ones", "families": { "accounts": 20, "level": "fragment" } });
    let shared = json!({ "name": "graders", "shared": true, "similar": { "text": "act as a reward model", "least_percent": 80 } });
    assert_eq!(save(Role::Analyst, own.clone()).json(), json!({ "schema": 1, "id": 1 }));
    assert_eq!(save(Role::Analyst, shared).json()["id"], 2);
    assert_eq!(save(Role::Viewer, own.clone()).status, 403);
    let mine = list(Role::Analyst);
    assert_eq!((mine[0]["asks"].clone(), mine[0]["given"].clone()), (json!("families"), own["families"].clone()));
    assert_eq!(mine[1]["given"]["text"], "act as a reward model");
    // Others see what is shared, and what was typed there only when they say what for.
    let theirs = list(Role::Admin);
    assert_eq!((theirs.len(), theirs[0]["name"].clone()), (1, json!("graders")));
    assert_eq!((&theirs[0]["given"]["text"], &theirs[0]["given"]["least_percent"]), (&Value::Null, &json!(80)));
    let said = site.with_purpose(Role::Admin, "/api/v1/saved").json();
    assert_eq!(said["saved"][0]["given"]["text"], "act as a reward model");
    for bad in [
        json!({ "name": "x" }),
        json!({ "name": "x", "rings": {}, "families": {} }),
        json!({ "name": "x", "families": { "accounts": "many" } }),
        json!({ "name": "x", "families": { "cursor": "1.1.n0000000000000000" } }),
        json!({ "name": "x", "similar": {} }),
        json!({ "name": "x", "similar": { "text": "y", "purpose": "z" } }),
        json!({ "name": "x", "families": [] }),
        json!({ "name": " ", "rings": {} }),
        json!({ "name": "x", "similar": { "text": "y".repeat(8_001) } }),
    ] {
        assert_eq!(save(Role::Analyst, bad.clone()).status, 422, "{bad}");
    }
    // A list goes on where a page of it ended.
    let page = |cursor: &str| site.get(Role::Analyst, &format!("/api/v1/saved?limit=1{cursor}")).json();
    let first = page("");
    assert_eq!((first["saved"][0]["id"].clone(), first["next"].clone()), (json!(1), json!(1)));
    let second = page("&cursor=1");
    assert_eq!((second["saved"][0]["id"].clone(), second["next"].clone()), (json!(2), Value::Null));
    let remove = |role: Role, id: u64| {
        let bearer = format!("Bearer {}", site.token(role));
        site.send("DELETE", &format!("/api/v1/saved/{id}"), &[("authorization", &bearer)], None).status
    };
    assert_eq!(save(Role::Admin, own).json()["id"], 3);
    assert_eq!([remove(Role::Analyst, 3), remove(Role::Analyst, 2), remove(Role::Analyst, 2)], [404, 204, 404]);
    assert_eq!([remove(Role::Admin, 1), remove(Role::Admin, 3)], [204, 204]);
    assert_eq!(list(Role::Admin), Vec::<Value>::new());
}

#[test]
fn a_forget_takes_what_was_kept_of_it() {
    let site = Site::new();
    // A text that one account alone sent.
    let csv = site.get(Role::Analyst, "/api/v1/export/members").body;
    let exchanges: std::collections::BTreeSet<&str> =
        csv.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
    let sent: Vec<(String, String)> = exchanges
        .into_iter()
        .map(|exchange| {
            let body = json!({ "exchange": exchange, "purpose": "case 7" });
            let shown = site.post(Role::Analyst, "/api/v1/reveal", &body).json();
            let field = |name: &str| shown[name].as_str().expect("a text").to_owned();
            (field("account"), field("text"))
        })
        .collect();
    let alone = |(account, text): &&(String, String)| {
        sent.iter().all(|(other, of)| other == account || of.to_lowercase() != text.to_lowercase())
    };
    let (account, text) = sent.iter().find(alone).expect("a text of one account");
    for (name, given) in [
        ("its text", json!({ "text": format!("  {}  ", text.to_uppercase()) })),
        ("itself", json!({ "text": "any", "account": account })),
        ("another", json!({ "text": "a text that nobody sent" })),
    ] {
        let body = json!({ "name": name, "similar": given });
        assert_eq!(site.post(Role::Analyst, "/api/v1/saved", &body).status, 201, "{name}");
    }
    let names = || -> Vec<Value> {
        let page = site.get(Role::Analyst, "/api/v1/saved").json();
        page["saved"].as_array().expect("questions").iter().map(|saved| saved["name"].clone()).collect()
    };
    assert_eq!(names().len(), 3);
    let store = site.dir.path().join("store");
    let gone = crate::upkeep::Forget::Account(account.parse().expect("a pseudonym"));
    let _ = crate::upkeep::forget(&store, &gone, "a test", &crate::stored::Silent).expect("forgotten");
    assert_eq!(names(), [json!("another")]);
    let after = Time::new(1_900_000_000 * SECOND).expect("a time");
    let _ = crate::upkeep::forget(&store, &crate::upkeep::Forget::Before(after), "a test", &crate::stored::Silent);
    assert_eq!(names(), Vec::<Value>::new(), "what is older than what is kept goes");
    // Also where no exchange is left to forget, and where an account is named that was forgotten before.
    for (name, given) in
        [("late", json!({ "text": "any" })), ("of nobody", json!({ "text": "any", "account": account }))]
    {
        let body = json!({ "name": name, "similar": given });
        assert_eq!(site.post(Role::Analyst, "/api/v1/saved", &body).status, 201, "{name}");
    }
    let _ = crate::upkeep::forget(&store, &crate::upkeep::Forget::Before(after), "a test", &crate::stored::Silent);
    assert_eq!(names(), Vec::<Value>::new(), "a forget that takes no exchange takes questions all the same");
}

#[test]
fn a_writer_at_work_is_told_as_such() {
    let site = Site::new();
    let writer = crate::store::Writer::open(&site.dir.path().join("store"), "the nightly job", &[]).expect("a writer");
    let entry =
        json!({ "name": "a course", "kind": "course", "text": "solve this exercise", "provenance": "its page" });
    let got = site.post(Role::Analyst, "/api/v1/registry", &entry);
    assert_eq!((got.status, got.json()["error"]["code"].as_str()), (503, Some("store_busy")));
    assert_eq!(site.get(Role::Analyst, "/api/v1/families").status, 200, "readers need not wait");
    drop(writer);
    assert_eq!(site.post(Role::Analyst, "/api/v1/registry", &entry).status, 201);
}

#[test]
fn people_who_write_at_the_same_moment_wait_for_each_other() {
    let site = Site::new();
    let entry = |i: usize| json!({ "name": format!("course {i}"), "kind": "course", "text": format!("exercise {i}"), "provenance": "its page" });
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|i| {
                let (site, entry) = (&site, entry(i));
                scope.spawn(move || site.post(Role::Analyst, "/api/v1/registry", &entry).status)
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("ended")).collect()
    });
    assert_eq!(statuses, [201; 8]);
    assert_eq!(site.get(Role::Analyst, "/api/v1/registry").json()["total"], 8);
}

#[test]
fn exports_are_what_the_command_prints() {
    let site = Site::new();
    let mut members = Vec::new();
    let levels = [crate::ids::Level::Exact, crate::ids::Level::NearDuplicate, crate::ids::Level::Fragment];
    crate::lookup::export_members(&site.store(), &levels, &mut members).expect("members");
    let got = site.get(Role::Analyst, "/api/v1/export/members");
    assert_eq!(got.body.as_bytes(), members);
    assert_eq!(got.header("content-disposition"), "attachment; filename=\"members.csv\"");
    assert_eq!(site.get(Role::Analyst, "/api/v1/export/families").status, 403, "texts without a purpose");
    let families = site.with_purpose(Role::Analyst, "/api/v1/export/families?format=json").json();
    assert!(families["families"].as_array().is_some_and(|families| !families.is_empty()));
    assert_eq!(site.get(Role::Analyst, "/api/v1/export/members?format=json").status, 422);
    let acts: Vec<String> = site.rows().into_iter().map(|row| row.act).collect();
    assert_eq!(acts, ["export", "export"]);
}

#[test]
fn the_log_of_the_server_holds_no_token_and_no_text() {
    let site = Site::new();
    site.post(Role::Analyst, "/api/v1/similar", &json!({ "text": "a quite secret question" }));
    site.send("POST", "/api/v1/session", &[], Some(&json!({ "token": site.token(Role::Admin) }).to_string()));
    site.send("GET", "/api/v1/rings", &[("authorization", "Bearer somebody's token")], None);
    let nowhere = site.send("HACK", "/nowhere-at-all?token=hidden", &[], None);
    let lines = site.lines.lock().expect("held").join("\n");
    assert!(lines.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    assert!(lines.contains("\"who\":\"analyst\"") && lines.contains("\"event\":\"access\""));
    // Every line says when, how grave, what, and in which request; what was answered bears the same name.
    for line in lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")) {
        let named =
            ["time", "level", "event", "request"].map(|field| line[field].as_str().is_some_and(|of| !of.is_empty()));
        assert_eq!(named, [true; 4], "{line}");
    }
    assert!(!nowhere.header("stillhunt-request").is_empty() && lines.contains(nowhere.header("stillhunt-request")));
    for secret in [
        "secret question",
        site.token(Role::Admin),
        site.token(Role::Analyst),
        "somebody's token",
        "HACK",
        "nowhere-at-all",
    ] {
        assert!(!lines.contains(secret), "{secret}");
    }
    let metrics = site.send("GET", "/metrics", &[], None).body;
    assert!(
        metrics.contains("stillhunt_requests_total{route=\"/api/v1/similar\",method=\"POST\",status=\"200\"} 1\n"),
        "{metrics}"
    );
    assert!(metrics.contains("stillhunt_night 2\n"));
}

#[test]
fn secrets_do_not_lie_in_the_store_nor_open() {
    let dir = tempfile::tempdir().expect("a directory");
    copy(&golden("store-3"), &dir.path().join("store"));
    let open = |tokens: &str, log: &str| {
        let settings = Settings {
            store: dir.path().join("store"),
            tokens: dir.path().join(tokens),
            log: dir.path().join(log),
            key: None,
            accounts: None,
            k: 5,
            rate: Rate::default(),
            lasts: Lasts::default(),
            at_once: 1,
            secure: false,
            holder: "a test".into(),
            #[cfg(feature = "oidc")]
            oidc: None,
        };
        let outside = Outside { now: Box::new(|| Time::new(0).expect("a time")), line: Box::new(|_| ()) };
        State::open(settings, model(), outside).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(open("tokens", "log").contains("found none"));
    let mut tokens = Tokens::default();
    tokens.add("ann", Role::Viewer, Time::new(0).expect("a time"), None).expect("a token");
    for path in ["tokens", "store/tokens"] {
        tokens.write(&dir.path().join(path)).expect("written");
    }
    assert!(open("store/tokens", "log").contains("outside of the store"));
    assert!(open("tokens", "store/log").contains("outside of the store"));
    assert_eq!(open("tokens", "log"), "");
    // Names of people whom an identity provider lets in are no token's, however the file came to have one.
    let text = std::fs::read_to_string(dir.path().join("tokens")).expect("read").replace("\"ann\"", "\"oidc:ann\"");
    crate::store::files::write_private(&dir.path().join("other"), text.as_bytes()).expect("written");
    assert!(open("other", "log").contains("begins with oidc:"));
    std::fs::set_permissions(dir.path().join("tokens"), std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .expect("opened to all");
    assert!(open("tokens", "log").contains("may be read by others"));
}
