//! Log-in by a real identity provider, one that a package of Python installs (`oidc-provider-mock`): the whole way of a browser, by hand.
//!
//! The provider's program is named by `STILLHUNT_OIDC_PROVIDER`; without it the test says that it was skipped. What a lying provider gets is
//! tested beside the code (`src/server/oidc/tests.rs`).

use super::{Site, campaign};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A child that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

/// Sends a request; the head and the body of the answer, none where nobody listens.
fn send(address: &str, request: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    text.split_once("\r\n\r\n").map(|(head, body)| (head.to_owned(), body.to_owned()))
}

fn get(address: &str, path: &str, cookie: &str) -> (String, String) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n");
    send(address, &request).expect("an answer")
}

/// The values of a header.
fn values<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    let pairs = head.lines().filter_map(|line| line.split_once(": "));
    pairs.filter(|(of, _)| of.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}

/// Address and path of a URL.
fn parts(url: &str) -> (&str, String) {
    let rest = url.strip_prefix("http://").expect("an address");
    rest.split_once('/').map(|(address, path)| (address, format!("/{path}"))).expect("a path")
}

fn cookie_of(head: &str) -> String {
    values(head, "set-cookie").first().and_then(|value| value.split(';').next()).expect("a cookie").to_owned()
}

#[test]
fn somebody_logs_in_by_their_provider() {
    let Ok(program) = std::env::var("STILLHUNT_OIDC_PROVIDER") else {
        eprintln!(
            "skipped: somebody_logs_in_by_their_provider needs STILLHUNT_OIDC_PROVIDER (scripts/oidc-test installs one)"
        );
        return;
    };
    let site = Site::new();
    site.log("log.jsonl", &campaign("a", 6));
    site.audit(&["log.jsonl"]).ok();
    site.run(&["serve", "token", "add", "--tokens", "tokens", "--role", "viewer", "--name", "spare"]).ok();
    site.run(&["serve", "token", "add", "--tokens", "tokens", "--role", "admin", "--name", "oidc:ann"])
        .refused(&["does not begin with oidc:"]);
    let (provider, desk) = (free_port(), free_port());
    let mut command = Command::new(program);
    command.args(["--port", &provider.to_string(), "--require-nonce", "true"]);
    for person in
        ["{\"sub\":\"ann\",\"groups\":[\"desk-analysts\",\"staff\"]}", "{\"sub\":\"eve\",\"groups\":[\"staff\"]}"]
    {
        command.args(["--user-claims", person]);
    }
    let _provider = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the provider"));
    let at = format!("127.0.0.1:{provider}");
    let begun = Instant::now();
    while TcpStream::connect(&at).is_err() {
        assert!(begun.elapsed() < Duration::from_secs(60), "the provider does not listen");
        std::thread::sleep(Duration::from_millis(100));
    }
    site.write("secret", "a secret that the provider takes");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(site.path("secret"), mode).expect("owner-only");
    site.write(
        "provider.toml",
        format!(
            "issuer = \"http://{at}\"\nclient_id = \"desk\"\nclient_secret_file = \"secret\"\nurl = \"http://127.0.0.1:{desk}\"\nclaim = \"groups\"\n\
             [roles]\ndesk-analysts = \"analyst\"\n"
        ),
    );
    let listen = format!("127.0.0.1:{desk}");
    let args = [
        "serve",
        "--store",
        "store",
        "--key",
        "key",
        "--tokens",
        "tokens",
        "--listen",
        &listen,
        "--oidc",
        "provider.toml",
    ];
    let log = std::fs::File::create(site.path("server.log")).expect("a log");
    let mut child = site.command(&args).stdout(Stdio::piped()).stderr(log).spawn().expect("the desk");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
    let _desk = Running(child);
    assert!(line.contains("url"), "{line:?}: {}", site.read("server.log"));

    // The way of a browser: the desk, the provider's form, and back.
    let way = |person: &str| -> (String, String, String) {
        let (head, _) = get(&listen, "/api/v1/oidc/login?purpose=case%207", "");
        assert!(head.starts_with("HTTP/1.1 303"), "{head}");
        let ticket = cookie_of(&head);
        assert!(head.contains("HttpOnly") && head.contains("SameSite=Lax"), "{head}");
        let location = values(&head, "location")[0].to_owned();
        let (address, path) = parts(&location);
        let form = format!("sub={person}");
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        );
        let (head, body) = send(address, &request).expect("the provider's answer");
        let back = values(&head, "location").first().unwrap_or_else(|| panic!("{head}\n{body}")).to_string();
        let path = parts(&back).1;
        let (head, body) = get(&listen, &path, &ticket);
        (head, body, format!("{path}\n{ticket}"))
    };
    let (head, body, shown) = way("ann");
    assert!(head.starts_with("HTTP/1.1 303") && values(&head, "location") == ["/"], "{head}\n{body}");
    let session = cookie_of(&head);
    assert!(session.starts_with("stillhunt_session=") && head.contains("SameSite=Strict"), "{head}");
    let who: Value = serde_json::from_str(&get(&listen, "/api/v1/session", &session).1).expect("JSON");
    assert_eq!((who["name"].as_str(), who["role"].as_str()), (Some("oidc:ann"), Some("analyst")), "{who}");
    assert_eq!(who["purpose"], "case 7");
    assert!(get(&listen, "/api/v1/families", &session).0.starts_with("HTTP/1.1 200"));
    // The code is good once, and only where the log-in was begun.
    let (path, ticket) = shown.split_once('\n').expect("both");
    for cookie in [ticket, "", &session] {
        let (head, body) = get(&listen, path, cookie);
        assert!(head.starts_with("HTTP/1.1 403") && body.contains("login_refused"), "{head}\n{body}");
    }
    // Whom the provider gives no role of the desk is not let in.
    let (head, body, _) = way("eve");
    assert!(head.starts_with("HTTP/1.1 403") && body.contains("no_role"), "{head}\n{body}");
    // Out again.
    let out = format!(
        "DELETE /api/v1/session HTTP/1.1\r\nHost: {listen}\r\nConnection: close\r\nStillhunt-Desk: 1\r\nCookie: {session}\r\n\r\n"
    );
    assert!(send(&listen, &out).expect("an answer").0.starts_with("HTTP/1.1 204"));
    assert!(get(&listen, "/api/v1/session", &session).0.starts_with("HTTP/1.1 401"));
    let log = site.read("access.jsonl");
    assert!(log.lines().any(|row| row.contains("\"oidc:ann\"") && row.contains("\"login\"")), "{log}");
    assert!(!site.read("server.log").contains("a secret that"), "secrets are in no log");
}
