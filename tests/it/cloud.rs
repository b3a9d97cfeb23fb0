//! Logs in object stores, against a small S3 in this process: listing in pages, globs, parts, retries, what is known again, refusals; and the
//! sentence of a program that was built without.

use super::Site;

#[cfg(not(feature = "cloud"))]
#[test]
fn a_program_without_object_stores_says_so() {
    let site = Site::new();
    for address in ["s3://bucket/logs/*.jsonl", "https://host/log.jsonl"] {
        site.audit(&[address]).refused(&["built without object stores", "--features cloud"]);
    }
}

#[cfg(feature = "cloud")]
mod served {
    use super::super::{Run, lines, row};
    use super::Site;
    use serde_json::Value;
    use std::collections::{BTreeMap, BTreeSet};
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::sync::{Arc, Mutex};

    const SECRET: &str = "a-secret-that-nobody-prints";

    /// Objects by bucket and key, and what was asked of them.
    #[derive(Default)]
    struct Bucket {
        objects: BTreeMap<String, Vec<u8>>,
        /// Paths whose first request fails for once.
        failed: BTreeSet<String>,
        asked: Vec<String>,
        /// What leads every ETag; none are given where it is `None`.
        lead: Option<&'static str>,
    }

    /// Starts a server; it ends with the process.
    fn serve(objects: Vec<(&str, Vec<u8>)>) -> (String, Arc<Mutex<Bucket>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let objects = objects.into_iter().map(|(key, bytes)| (key.to_owned(), bytes)).collect();
        let bucket = Arc::new(Mutex::new(Bucket { objects, lead: Some(""), ..Bucket::default() }));
        let shared = bucket.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let bucket = shared.clone();
                std::thread::spawn(move || while answer(&stream, &bucket).is_some() {});
            }
        });
        (address, bucket)
    }

    fn tag(bytes: &[u8]) -> String {
        format!("\"{}-{}\"", bytes.len(), bytes.iter().map(|b| u64::from(*b)).sum::<u64>())
    }

    /// Answers one request of a connection.
    fn answer(mut stream: &TcpStream, bucket: &Mutex<Bucket>) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut first = String::new();
        reader.read_line(&mut first).ok().filter(|n| *n > 0)?;
        let mut headers = BTreeMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(": ") else { break };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        let mut bucket = bucket.lock().expect("one at a time");
        let (method, target) = (first.split(' ').next()?.to_owned(), first.split(' ').nth(1)?.to_owned());
        bucket.asked.push(format!("{method} {target} {}", headers.get("range").map_or("", String::as_str)));
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let query: BTreeMap<&str, String> =
            query.split('&').filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k, v.replace("%2F", "/"))).collect();
        let mut say = |status: &str, more: &str, body: &[u8], bare: bool| {
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{more}\r\n", body.len());
            stream.write_all(head.as_bytes()).ok()?;
            if bare { Some(()) } else { stream.write_all(body).ok() }
        };
        if headers.get("authorization").is_some_and(|said| said.contains("Credential=wrong/")) {
            return say("403 Forbidden", "", b"<Error><Code>InvalidAccessKeyId</Code></Error>", false);
        }
        if bucket.failed.insert(path.to_owned()) {
            return say("503 Slow Down", "", b"", false);
        }
        let path = path.trim_start_matches('/');
        let lead = bucket.lead;
        if query.contains_key("list-type") {
            let prefix = query.get("prefix").map_or("", String::as_str);
            let after = query.get("continuation-token").map_or("", String::as_str);
            let keys: Vec<&String> = bucket.objects.keys().collect();
            let below = keys.iter().filter_map(|key| key.strip_prefix("night/")?.strip_prefix(prefix));
            // A page holds two names.
            let names: BTreeSet<String> =
                below.map(|rest| rest.split_inclusive('/').next().unwrap_or(rest).to_owned()).collect();
            let mut page = names.into_iter().filter(|name| name.as_str() > after);
            let shown: Vec<String> = page.by_ref().take(2).collect();
            let next = page.next().and_then(|_| shown.last().cloned());
            let one = |name: &String| match bucket.objects.get(&format!("night/{prefix}{name}")) {
                Some(bytes) => format!(
                    "<Contents><Key>{prefix}{name}</Key><LastModified>2026-11-01T00:00:00.000Z</LastModified>{}<Size>{}</Size></Contents>",
                    lead.map_or(String::new(), |lead| {
                        format!("<ETag>{lead}{}</ETag>", tag(bytes).replace('"', "&quot;"))
                    }),
                    bytes.len()
                ),
                None => format!("<CommonPrefixes><Prefix>{prefix}{name}</Prefix></CommonPrefixes>"),
            };
            let next =
                next.map_or(String::new(), |next| format!("<NextContinuationToken>{next}</NextContinuationToken>"));
            let list: String = shown.iter().map(one).collect();
            return say("200 OK", "", format!("<ListBucketResult>{list}{next}</ListBucketResult>").as_bytes(), false);
        }
        let Some(bytes) = bucket.objects.get(path) else {
            return say("404 Not Found", "", b"<Error><Code>NoSuchKey</Code></Error>", method == "HEAD");
        };
        if headers.get("if-match").is_some_and(|wanted| *wanted != tag(bytes)) {
            return say("412 Precondition Failed", "", b"", false);
        }
        let told = lead.map_or(String::new(), |lead| format!("ETag: {lead}{}\r\n", tag(bytes)));
        let more = format!("{told}Last-Modified: Sun, 01 Nov 2026 00:00:00 GMT\r\n");
        let range = headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-'));
        match range.and_then(|(from, to)| Some((from.parse::<usize>().ok()?, to.parse::<usize>().ok()?))) {
            Some((from, to)) => {
                let to = to.min(bytes.len() - 1);
                let more = format!("{more}Content-Range: bytes {from}-{to}/{}\r\n", bytes.len());
                say("206 Partial Content", &more, &bytes[from..=to], false)
            }
            None => say("200 OK", &more, bytes, method == "HEAD"),
        }
    }

    fn run(site: &Site, address: &str, key: &str, args: &[&str]) -> Run {
        let output = site
            .command(&Site::audit_args("store", args))
            .env("AWS_ENDPOINT_URL", format!("http://{address}"))
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", key)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .output()
            .expect("the program runs");
        let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(!out.contains(SECRET) && !err.contains(SECRET), "{out}{err}");
        Run { code: output.status.code().unwrap_or(-1), out, err, told: args.join(" ") }
    }

    fn log(lead: &str, n: u64) -> Vec<u8> {
        let rows: Vec<Value> = (0..n)
            .map(|i| {
                row(
                    &format!("{lead}{i}"),
                    &format!("{lead}-account-{i}"),
                    i,
                    &format!("Question {i} of the log {lead}?"),
                )
            })
            .collect();
        lines(&rows).into_bytes()
    }

    #[test]
    fn objects_are_listed_fetched_and_known_again() {
        let mut big = log("big", 3);
        let mut long = row("long", "big-account-long", 9, "One long answer?");
        long["response"] = "x".repeat(20 << 20).into();
        big.extend(format!("{long}\n").into_bytes());
        let parquet = std::fs::read(
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/formats/lmsys-parquet.parquet"),
        )
        .unwrap();
        let (address, bucket) = serve(vec![
            ("night/logs/d1/a.jsonl", log("a", 3)),
            ("night/logs/d1/b.jsonl", log("b", 4)),
            ("night/logs/d1/c.jsonl", log("c", 5)),
            ("night/logs/d2/big.jsonl", big),
            ("night/logs/d2/note.txt", b"no log".to_vec()),
            ("night/logs/d3/talk.parquet", parquet),
        ]);
        let site = Site::new();
        let count = |run: Run| {
            let counts = &run.ok().json()["counts"];
            ["inputs", "inputs_known", "rows_kept", "rows_quarantined"]
                .map(|name| counts[name].as_u64().expect("a count"))
        };
        assert_eq!(count(run(&site, &address, "right", &["s3://night/logs/*/[ab].jsonl"])), [2, 0, 7, 0]);
        let asked = std::mem::take(&mut bucket.lock().unwrap().asked);
        assert!(!asked.iter().any(|line| line.contains("c.jsonl") || line.contains("big")), "{asked:?}");
        // All below a prefix; what was read before is known by its digest.
        let defaults = ["--default-account", "unnamed", "--default-time", "2026-07-01T00:00:00Z"];
        let all = |address: &str| run(&site, address, "right", &[&["s3://night/logs/"][..], &defaults].concat());
        assert_eq!(count(all(&address)), [5, 2, 5 + 4 + 8, 0]);
        let parts =
            bucket.lock().unwrap().asked.iter().filter(|line| line.contains("big") && line.contains("bytes=")).count();
        assert!(parts >= 3, "{parts} parts of twenty mebibytes");
        assert_eq!(count(all(&address)), [5, 5, 0, 0]);
        let store = site.run(&["store", "verify", "--store", "store"]).ok();
        assert!(!store.out.contains(SECRET));
        // One object, by its address in the store and on the web; and the sentence of log show.
        assert_eq!(count(run(&site, &address, "right", &["s3://night/logs/d1/c.jsonl"])), [1, 1, 0, 0]);
        assert_eq!(
            count(run(&site, &address, "right", &[&format!("http://{address}/night/logs/d1/c.jsonl")])),
            [1, 1, 0, 0]
        );
    }

    /// What is as it was is not asked for again; what changed, has no strong tag or had a bad row is read and known by its digest and its rows.
    #[test]
    fn unchanged_objects_are_known_by_their_tags() {
        let broken = [log("c", 2), b"{no json}\n".to_vec()].concat();
        let (address, bucket) =
            serve(vec![("night/a.jsonl", log("a", 3)), ("night/b.jsonl", log("b", 4)), ("night/c.jsonl", broken)]);
        let site = Site::new();
        let audit = || {
            bucket.lock().unwrap().asked.clear();
            let ran = run(&site, &address, "right", &["s3://night/"]).ok();
            let asked = std::mem::take(&mut bucket.lock().unwrap().asked);
            let fetched =
                ["a", "b", "c"].map(|name| asked.iter().any(|line| line.starts_with(&format!("GET /night/{name}."))));
            let counts = &ran.json()["counts"];
            let names = ["inputs", "inputs_known", "inputs_unchanged", "rows_kept", "rows_known", "rows_quarantined"];
            (names.map(|name| counts[name].as_u64().expect("a count")), fetched, ran.err)
        };
        let (counts, fetched, _) = audit();
        assert_eq!((counts, fetched), ([3, 0, 0, 9, 0, 1], [true; 3]));
        let (counts, fetched, told) = audit();
        assert_eq!((counts, fetched), ([3, 2, 2, 0, 9, 1], [false, false, true]));
        assert!(
            told.contains("s3://night/a.jsonl: of the same length and ETag as when it was read, not read again"),
            "{told}"
        );
        let report = std::fs::read_to_string(site.path("report/report.html")).unwrap();
        assert!(report.contains("2 by length and ETag, without being read again"));
        // Of the same length, with another tag: one new row and two that are known.
        let changed = String::from_utf8(log("a", 3)).unwrap().replace("\"a0\"", "\"z0\"").into_bytes();
        assert_eq!(changed.len(), log("a", 3).len());
        bucket.lock().unwrap().objects.insert("night/a.jsonl".to_owned(), changed);
        let (counts, fetched, _) = audit();
        assert_eq!((counts, fetched), ([3, 1, 1, 1, 8, 1], [true, false, true]));
        assert_eq!(audit().1, [false, false, true]);
        // A weak tag, or none, says nothing: what is in them is known by its digest.
        for lead in [Some("W/"), None] {
            bucket.lock().unwrap().lead = lead;
            let (counts, fetched, told) = audit();
            assert_eq!((counts, fetched), ([3, 2, 0, 0, 9, 1], [true; 3]), "{lead:?}");
            assert!(told.contains("s3://night/b.jsonl: read before, nothing new"), "{told}");
        }
        bucket.lock().unwrap().lead = Some("");
        assert_eq!(audit().1, [false, false, true]);
        // A plain web server's tag is often made of a time: there the bytes decide.
        let web = run(&site, &address, "right", &[&format!("http://{address}/night/b.jsonl")]).ok();
        assert_eq!(web.json()["counts"]["inputs_unchanged"], 0);
        let again = run(&site, &address, "right", &[&format!("http://{address}/night/b.jsonl")]).ok();
        assert_eq!(
            (&again.json()["counts"]["inputs_known"], &again.json()["counts"]["inputs_unchanged"]),
            (&1.into(), &0.into())
        );
        site.run(&["store", "verify", "--store", "store"]).ok();
    }

    #[test]
    fn refusals_say_what_and_no_secret() {
        let (address, bucket) = serve(vec![("night/a.jsonl", log("a", 2))]);
        let site = Site::new();
        run(&site, &address, "wrong", &["s3://night/a.jsonl"]).refused(&["s3://night/a.jsonl", "environment"]);
        run(&site, &address, "right", &["s3://night/b.jsonl"]).refused(&["expected logs at s3://night/b.jsonl"]);
        run(&site, &address, "right", &["s3://night/*.csv"]).refused(&["found none"]);
        run(&site, &address, "right", &[&format!("http://{address}/night/a.jsonl?sig={SECRET}")])
            .refused(&["without a password or a query"]);
        assert!(bucket.lock().unwrap().asked.iter().all(|line| !line.contains("sig=")));
        assert!(!site.path("store/catalog.db").exists() || site.run(&["store", "stats", "--store", "store"]).code == 0);
    }
}
