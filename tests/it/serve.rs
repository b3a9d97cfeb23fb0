//! The desk as a process: the contract of its commands, what it does while others write, what it survives, and what a bad peer gets.
//!
//! What each role sees on each route is tested beside the code, without a socket (`src/server/tests.rs`); here real sockets, signals, nights and
//! forgettings are. Weakness: connections are tens, not thousands, since a test machine may open few files.

use super::{Site, campaign, row};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A desk that runs.
struct Desk {
    child: Child,
    address: String,
    token: String,
}

/// An answer.
#[derive(Debug)]
struct Got {
    status: u16,
    head: String,
    body: String,
}

impl Got {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|cause| panic!("{cause}: {self:?}"))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let found = |line: &&str| line.split(':').next().is_some_and(|of| of.eq_ignore_ascii_case(name));
        self.head.lines().find(found).and_then(|line| line.split_once(": ")).map(|(_, value)| value.trim())
    }
}

/// What a connection gives until it is closed, or the reader's patience ends.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.set_read_timeout(Some(Duration::from_secs(60)));
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

impl Desk {
    /// Starts a desk on the store of a site.
    fn start(site: &Site, more: &[&str]) -> Self {
        if !site.path("token").exists() {
            let made =
                site.run(&["serve", "token", "add", "--tokens", "tokens", "--role", "admin", "--name", "ann"]).ok();
            assert_eq!((made.out.lines().count(), made.err.as_str()), (1, ""), "the token stands alone");
            site.write("token", made.out.trim());
        }
        let mut args = vec![
            "serve",
            "--store",
            "store",
            "--key",
            "key",
            "--tokens",
            "tokens",
            "--listen",
            "127.0.0.1:0",
            "--rate",
            "0",
        ];
        args.extend(more);
        let log = std::fs::OpenOptions::new().create(true).append(true).open(site.path("server.log")).expect("a log");
        // A file that would grow beyond a limit is an error to it, as a full disk is, and no signal.
        let plain = site.command(&args);
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(plain.get_program()).args(plain.get_args());
        command.current_dir(site.dir.path());
        for (name, value) in plain.get_envs() {
            let _ = match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
        let ready: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line:?}: {}", site.read("server.log")));
        let address = ready["url"].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address").to_owned();
        Self { child, address, token: site.read("token") }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).expect("it listens")
    }

    /// Sends a request as it is written and reads the answer; none where the connection breaks.
    fn raw(&self, request: &[u8]) -> Option<Got> {
        let mut stream = TcpStream::connect(&self.address).ok()?;
        stream.write_all(request).ok()?;
        let text = String::from_utf8(rest(&mut stream)).expect("UTF-8");
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        let body =
            if head.to_lowercase().contains("transfer-encoding: chunked") { joined(body) } else { body.to_owned() };
        Some(Got { status, head: head.to_owned(), body })
    }

    fn try_send(&self, method: &str, path: &str, body: Option<&Value>) -> Option<Got> {
        let body = body.map(ToString::to_string).unwrap_or_default();
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: desk\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}",
            self.token
        );
        self.raw(request.as_bytes())
    }

    #[track_caller]
    fn get(&self, path: &str) -> Got {
        self.try_send("GET", path, None).expect("an answer")
    }

    #[track_caller]
    fn post(&self, path: &str, body: &Value) -> Got {
        self.try_send("POST", path, Some(body)).expect("an answer")
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("sent");
    }

    /// Asks it to end, and returns its exit status.
    fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("it did not end")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The blocks of a chunked body, put together.
fn joined(mut text: &str) -> String {
    let mut out = String::new();
    while let Some((length, rest)) = text.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("a length");
        if length == 0 {
            break;
        }
        out += &rest[..length];
        text = rest[length..].trim_start_matches("\r\n");
    }
    out
}

fn audited(rows: &[Value]) -> Site {
    let site = Site::new();
    site.log("log.jsonl", rows);
    site.audit(&["log.jsonl"]).ok();
    site
}

#[test]
fn the_commands_keep_their_contract() {
    let site = audited(&campaign("a", 8));
    let desk = Desk::start(&site, &[]);
    assert!(desk.token.starts_with("stillhunt_"));
    let families = desk.get("/api/v1/families?limit=3");
    assert_eq!((families.status, families.header("stillhunt-night")), (200, Some("1")));
    let of_command = site.run(&["family", "list", "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(families.json()["families"][0]["id"], of_command["families"][0]["id"]);
    let account =
        site.run(&["similar", "--store", "store", "--format", "json", "-k", "1", "explain step by step"]).ok().json();
    let id = account["hits"][0]["account"].as_str().expect("an account");
    let page = site.run(&["account", id, "--store", "store", "--format", "json"]).ok().json();
    let mut shown = desk.get(&format!("/api/v1/accounts/{id}")).json();
    // Without a purpose the texts are not there; all else is what the command prints.
    for (shown, of) in shown["families"]
        .as_array_mut()
        .expect("families")
        .iter_mut()
        .zip(page["families"].as_array().expect("families"))
    {
        assert!(shown["prompt"].is_null());
        shown["prompt"] = of["prompt"].clone();
    }
    assert_eq!(shown, page);
    assert_eq!(
        desk.raw(b"GET /api/v1/families HTTP/1.1\r\nHost: desk\r\nConnection: close\r\n\r\n")
            .expect("an answer")
            .status,
        401
    );
    assert_eq!(desk.raw(b"GET /readyz HTTP/1.0\r\n\r\n").expect("an answer").status, 200);
    assert_eq!(desk.stop(), Some(0));
    let verified = site.run(&["serve", "log", "verify", "--tokens", "tokens"]).ok();
    assert!(verified.out.starts_with("unbroken: "), "{}", verified.out);
}

#[test]
fn rows_that_were_kept_aside_are_told() {
    let site = Site::new();
    site.log(
        "log.jsonl",
        &[campaign("a", 8), vec![json!({ "id": "x", "account": "b" }), json!({ "id": "y", "account": "b" })]].concat(),
    );
    site.audit(&["log.jsonl", "--max-bad-share", "0.5"]).ok();
    site.log("next.jsonl", &[campaign("b", 8), vec![json!({ "id": "z", "account": "b" })]].concat());
    site.audit(&["next.jsonl", "--max-bad-share", "0.5"]).ok();
    let report: Value = serde_json::from_str(&site.read("report/report.json")).expect("JSON");
    let rows = |night: u64| -> u64 {
        let all = report["quarantined"].as_array().expect("a list").iter();
        all.filter(|of| of["night"] == night).map(|of| of["rows"].as_u64().expect("a number")).sum()
    };
    assert_eq!((rows(1), rows(2)), (2, 1), "{report}");
    let desk = Desk::start(&site, &[]);
    assert_eq!(desk.get("/api/v1/tonight").json()["quarantined"], report["quarantined"]);
    assert_eq!(desk.stop(), Some(0));
}

#[test]
fn tokens_are_made_listed_and_revoked() {
    let site = audited(&campaign("a", 6));
    let desk = Desk::start(&site, &[]);
    let mode =
        std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(site.path("tokens")).expect("a file").permissions());
    assert_eq!(mode & 0o777, 0o600);
    let listed = site.run(&["serve", "token", "list", "--tokens", "tokens", "--format", "json"]).ok();
    assert_eq!((listed.json()["tokens"][0]["name"].clone(), listed.out.contains(&desk.token)), (json!("ann"), false));
    assert_eq!(desk.get("/api/v1/session").status, 200);
    site.run(&["serve", "token", "revoke", "--tokens", "tokens", "--name", "ann"]).ok();
    assert_eq!(desk.get("/api/v1/session").status, 401, "from the next request on");
    site.run(&["serve", "token", "revoke", "--tokens", "tokens", "--name", "ann"]).refused(&["the name of a token"]);
    let add = ["serve", "token", "add", "--tokens", "tokens", "--name", "bob", "--role"];
    site.run(&[&add[..], &["viewer"]].concat()).ok();
    site.run(&[&add[..], &["admin"]].concat()).refused(&["a name that no token has"]);
}

#[test]
fn an_address_that_others_reach_needs_tls() {
    let site = audited(&campaign("a", 6));
    drop(Desk::start(&site, &[]));
    let serve = ["serve", "--store", "store", "--key", "key", "--tokens", "tokens", "--listen", "0.0.0.0:0"];
    site.run(&serve).refused(&["expected TLS", "--behind-proxy"]);
    site.write("cert.pem", "not a certificate");
    site.write("key.pem", "not a key");
    site.run(&[&serve[..], &["--tls-cert", "cert.pem", "--tls-key", "key.pem"]].concat()).refused(&["key.pem"]);
    site.run(&["serve", "--store", "nowhere", "--tokens", "tokens"]).refused(&["expected a store"]);
    site.run(&["serve", "--store", "store", "--tokens", "none"]).refused(&["file of tokens", "serve token add"]);
    site.run(&["serve", "--store", "store", "--tokens", "tokens", "--listen", "here"])
        .refused(&["an address and a port"]);
}

#[test]
fn a_night_is_committed_while_readers_ask() {
    let site = audited(&campaign("a", 8));
    let desk = Desk::start(&site, &[]);
    let done = std::sync::atomic::AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|reader| {
                let (desk, done) = (&desk, &done);
                scope.spawn(move || {
                    let (mut n, mut last) = (0, 0);
                    while !done.load(std::sync::atomic::Ordering::Relaxed) {
                        let got = match reader {
                            0 => desk.post("/api/v1/similar", &json!({ "text": "explain step by step", "k": 5 })),
                            1 => desk.get("/api/v1/nights"),
                            2 => desk.get("/api/v1/families"),
                            _ => desk.get("/api/v1/tonight"),
                        };
                        assert_eq!(got.status, 200, "{got:?}");
                        let night: u64 =
                            got.header("stillhunt-night").and_then(|night| night.parse().ok()).expect("a night");
                        assert!(night >= last, "a later answer is not of an earlier night");
                        if reader == 1 {
                            assert_eq!(
                                got.json()["nights"].as_array().map(Vec::len),
                                Some(night as usize),
                                "an answer is of one commit"
                            );
                        }
                        (n, last) = (n + 1, night);
                    }
                    (n, last)
                })
            })
            .collect();
        for night in 2..5 {
            let name = format!("log-{night}.jsonl");
            site.log(&name, &campaign(&format!("n{night}"), 8));
            site.audit(&[&name]).ok();
        }
        std::thread::sleep(Duration::from_millis(500));
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        readers.into_iter().map(|reader| reader.join().expect("it ends")).collect::<Vec<(u64, u64)>>()
    });
    assert!(asked.iter().all(|(n, last)| *n > 3 && *last == 4), "{asked:?}");
    assert_eq!(desk.stop(), Some(0));
}

#[test]
fn what_is_forgotten_is_in_no_later_answer() {
    const SECRET: &str = "a sentence about zeppelins that only this account has ever sent to anybody";
    let mut rows = campaign("a", 8);
    rows.push(row("odd-1", "odd", 1, SECRET));
    rows.push(row("odd-2", "odd", 2, SECRET));
    let site = audited(&rows);
    let desk = Desk::start(&site, &[]);
    let search = || desk.post("/api/v1/similar", &json!({ "text": SECRET, "k": 3 }));
    assert!(search().body.contains("zeppelins"));
    let reveal = json!({ "exchange": "odd-1", "purpose": "case 7" });
    assert!(desk.post("/api/v1/reveal", &reveal).body.contains("zeppelins"));
    let forgot = site.run(&["store", "forget", "--account", "odd", "--store", "store", "--key", "key"]).ok();
    assert!(forgot.code == 0);
    let later = search();
    assert_eq!(later.status, 200);
    assert!(!later.body.contains("zeppelins"), "{}", later.body);
    assert_eq!(desk.post("/api/v1/reveal", &reveal).status, 404);
    assert!(!desk.get("/api/v1/export/members").body.contains("odd-1"));
    // Nor does the desk keep it on the disk by having the store open.
    assert_eq!(desk.get("/api/v1/families").status, 200);
    for entry in std::fs::read_dir(site.path("store")).expect("the store") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            let bytes = std::fs::read(&path).expect("a file");
            assert!(!bytes.windows(9).any(|window| window == b"zeppelins"), "{}", path.display());
        }
    }
}

#[test]
fn a_killed_desk_loses_no_row_that_it_acknowledged() {
    let site = audited(&campaign("a", 8));
    let mut acknowledged = 0;
    for round in 0..20u64 {
        let desk = Desk::start(&site, &[]);
        std::thread::scope(|scope| {
            let asking: Vec<_> = (0..3)
                .map(|of| {
                    let desk = &desk;
                    scope.spawn(move || {
                        let body = json!({ "exchange": format!("a{of}"), "purpose": format!("round {round}") });
                        let mut n = 0;
                        while let Some(got) = desk.try_send("POST", "/api/v1/reveal", Some(&body)) {
                            assert_eq!(got.status, 200, "{got:?}");
                            n += 1;
                        }
                        n
                    })
                })
                .collect();
            std::thread::sleep(Duration::from_millis(120 + 37 * (round % 6)));
            desk.signal(Signal::KILL);
            acknowledged += asking.into_iter().map(|asking| asking.join().expect("it ends")).sum::<usize>();
        });
    }
    assert!(acknowledged > 20, "{acknowledged} were acknowledged");
    let verified = site.run(&["serve", "log", "verify", "access.jsonl"]).ok();
    let rows = site.read("access.jsonl").lines().filter(|line| line.ends_with('}')).count();
    assert!(rows >= acknowledged, "{rows} rows, {acknowledged} acknowledged; {}", verified.out);
    // The chain goes on, and its head was told outside of the file too.
    let desk = Desk::start(&site, &[]);
    assert_eq!(desk.post("/api/v1/reveal", &json!({ "exchange": "a1", "purpose": "the end" })).status, 200);
    assert_eq!(desk.stop(), Some(0));
    let log = site.read("server.log");
    let last = log
        .lines()
        .rev()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["event"] == "access");
    let last = last.expect("the head of a row");
    let kept = format!("{}:{}", last["row"], last["head"].as_str().expect("a head"));
    let verify = ["serve", "log", "verify", "access.jsonl", "--against", kept.as_str()];
    site.run(&verify).ok();
    // Rows that are cut off show against that head, and an edit shows by itself.
    let whole = site.read("access.jsonl");
    let shorter: String = whole.lines().take(whole.lines().count() - 1).flat_map(|line| [line, "\n"]).collect();
    site.write("access.jsonl", shorter);
    site.run(&["serve", "log", "verify", "access.jsonl"]).ok();
    site.run(&verify).refused(&["expected row"]);
    site.write("access.jsonl", whole.replacen("round 0", "round 9", 1));
    let refused = site.run(&["serve", "log", "verify", "access.jsonl"]);
    refused.refused(&["unbroken access log", "not what its head was made of"]);
}

/// A desk that may write little, as on a full disk: what it cannot log it does not show, and what it showed is in the log.
#[test]
fn what_cannot_be_logged_is_not_shown() {
    let site = audited(&campaign("a", 6));
    let mut desk = Desk::start(&site, &[]);
    let text = "a very particular question that nobody else would ask in these words";
    let reveal = |desk: &Desk| {
        let csv = desk.get("/api/v1/export/members").body;
        let exchange = csv.lines().nth(1).and_then(|line| line.split(',').next()).expect("a row").to_owned();
        (exchange.clone(), desk.post("/api/v1/reveal", &json!({ "exchange": exchange, "purpose": text })))
    };
    let (exchange, good) = reveal(&desk);
    assert_eq!(good.status, 200, "{good:?}");
    let prompt = good.json()["text"].as_str().expect("a text").to_owned();
    // Long purposes, so that the log of what was done is longer than what the desk writes of itself: one limit holds for both files.
    for _ in 0..10 {
        let long = json!({ "exchange": exchange, "purpose": text.repeat(7) });
        assert_eq!(desk.post("/api/v1/reveal", &long).status, 200);
    }
    // From here on the log's file may not grow by a whole row.
    let length = std::fs::metadata(site.path("access.jsonl")).expect("the log").len();
    let limit = rustix::process::Rlimit { current: Some(length + 100), maximum: Some(length + 100) };
    let pid = Pid::from_child(&desk.child);
    let set = rustix::process::prlimit(Some(pid), rustix::process::Resource::Fsize, limit);
    set.expect("a limit");
    for (path, body) in [
        ("/api/v1/reveal", json!({ "exchange": exchange, "purpose": text })),
        ("/api/v1/similar", json!({ "text": prompt, "k": 3 })),
    ] {
        let refused = desk.post(path, &body);
        assert_eq!(refused.status, 500, "{path}: {refused:?}");
        assert!(!refused.body.contains(prompt.as_str()) && !refused.body.contains("account"), "{path}: {refused:?}");
    }
    let family = desk.raw(
        format!(
            "GET /api/v1/families HTTP/1.1\r\nHost: desk\r\nConnection: close\r\nAuthorization: Bearer {}\r\nStillhunt-Purpose: {text}\r\n\r\n",
            desk.token
        )
        .as_bytes(),
    );
    assert_eq!(family.expect("an answer").status, 500);
    let export = desk.get("/api/v1/export/members");
    assert_eq!(export.status, 500, "{export:?}");
    // What shows nothing is answered all the same.
    assert_eq!(desk.get("/healthz").status, 200);
    assert_eq!(desk.get("/api/v1/nights").status, 200);
    let told = site.read("server.log");
    assert!(told.contains("could not be logged") && !told.contains(prompt.as_str()), "{told}");
    desk.child.kill().expect("killed");
    let _ = desk.child.wait();
    site.run(&["serve", "log", "verify", "access.jsonl"]).ok();
}

#[test]
fn bad_peers_cost_little_and_others_are_answered() {
    let site = audited(&campaign("a", 8));
    let desk = Desk::start(&site, &[]);
    let open = "GET /healthz HTTP/1.1\r\nHost: desk\r\n";
    // Connections that say nothing, or half of a header, hold nobody up.
    let mut idle: Vec<TcpStream> = (0..150).map(|_| desk.connect()).collect();
    idle.iter_mut().skip(1).step_by(2).for_each(|stream| stream.write_all(open.as_bytes()).expect("sent"));
    let begun = Instant::now();
    assert_eq!(desk.get("/healthz").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Too large a header, too many of them.
    let long = format!("{open}X: {}\r\n\r\n", "x".repeat(200_000));
    let many: String = open.to_owned() + &(0..500).map(|n| format!("X{n}: y\r\n")).collect::<String>() + "\r\n";
    for bomb in [long, many] {
        let got = desk.raw(bomb.as_bytes());
        assert!(got.as_ref().is_none_or(|got| [400, 431].contains(&got.status)), "{got:?}");
    }
    // Two lengths, a length and chunks, a bare line feed, a control character: none of it is one request to us and two to another.
    let post = format!(
        "POST /api/v1/similar HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n",
        desk.token
    );
    for smuggled in [
        format!("{post}Content-Length: 4\r\nContent-Length: 5\r\n\r\n{{}}xxx"),
        format!(
            "{post}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
        ),
        format!("{post}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
        "GET /healthz HTTP/1.1\r\nHost: desk\r\nX: a\u{1}b\r\nConnection: close\r\n\r\n".to_owned(),
    ] {
        let mut stream = desk.connect();
        stream.write_all(smuggled.as_bytes()).expect("sent");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let text = String::from_utf8_lossy(&rest(&mut stream)).into_owned();
        assert!(text.matches("HTTP/1.1 ").count() <= 1, "{smuggled:?}: {text}");
        assert!(!text.contains(" 200 OK") && !text.contains(" 500 "), "{smuggled:?}: {text}");
    }
    // A body that is announced as too large is refused before it comes.
    let large = format!("{post}Connection: close\r\nContent-Length: 99999999\r\n\r\n");
    let got = desk.raw(large.as_bytes()).expect("an answer");
    assert_eq!((got.status, got.json()["error"]["code"].clone()), (413, json!("too_large")));
    // One that never ends is given up, and so is what is only begun.
    let mut slow = desk.connect();
    slow.write_all(format!("{post}Content-Length: 50\r\n\r\n{{").as_bytes()).expect("sent");
    let text = String::from_utf8_lossy(&rest(&mut slow)).into_owned();
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    let mut half = idle.swap_remove(1);
    let answered = rest(&mut half);
    assert!(answered.is_empty() || answered.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&answered));
    assert_eq!(desk.get("/readyz").status, 200);
    assert_eq!(desk.stop(), Some(0));
}

#[test]
fn hostile_prompts_are_data() {
    let hostile = [
        "<script>alert(1)</script>".to_owned(),
        "\"><img src=x onerror=alert(1)>".to_owned(),
        "javascript:alert(1)".to_owned(),
        "\u{202e}gnp.exe \u{1b}[31mred\u{1b}[0m".to_owned(),
        "{{constructor.constructor('alert(1)')()}}".to_owned(),
        "</style><style>*{display:none}".to_owned(),
        format!("a{}", "\u{301}".repeat(100_000)),
        "=HYPERLINK(\"http://evil\")".to_owned(),
        "x\r\nSet-Cookie: a=b".to_owned(),
    ];
    let rows: Vec<Value> = hostile
        .iter()
        .enumerate()
        .flat_map(|(n, text)| {
            (0..6).map(move |i| row(&format!("{text:.20}-{n}-{i}"), &format!("who-{i}"), n as u64, text))
        })
        .collect();
    let site = audited(&rows);
    let desk = Desk::start(&site, &[]);
    for text in &hostile {
        let got = desk.post("/api/v1/similar", &json!({ "text": text, "k": 5 }));
        assert_eq!((got.status, got.header("content-type")), (200, Some("application/json")), "{text:.30}");
        assert_eq!(got.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(got.header("set-cookie"), None);
        for hit in got.json()["hits"].as_array().expect("hits").iter().take(2) {
            let exchange = hit["exchange"].as_str().expect("an id");
            let got = desk.post(
                "/api/v1/reveal",
                &json!({ "exchange": exchange, "purpose": text.chars().take(100).collect::<String>() }),
            );
            assert_eq!(got.status, 200, "{exchange}: {}", got.body);
        }
    }
    assert_eq!(desk.get("/api/v1/tonight?families=100").status, 200);
    let csv = desk.get("/api/v1/export/members");
    assert!(csv.body.lines().all(|line| !line.starts_with(['=', '+', '@', '-'])), "a cell is no formula");
    site.run(&["serve", "log", "verify", "access.jsonl"]).ok();
}
