//! Rings from the command line: an account pool that shares a work queue is found with its members, the customers of an app are not; five
//! nights in one command say what five commands say.

use super::{Site, row};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const DAYS: u64 = 5;
/// Minutes from the first moment of [`row`] to the next midnight in UTC.
const TO_MIDNIGHT: u64 = 960;
pub(crate) const POOL: std::ops::Range<usize> = 20..50;

/// A sentence that no other resembles: twelve words of two or three syllables.
fn sentence(rng: &mut ChaCha8Rng) -> String {
    const SYLLABLES: [&str; 24] = [
        "ba", "ce", "di", "fo", "gu", "ha", "je", "ki", "lo", "mu", "na", "pe", "qui", "ro", "su", "ta", "ve", "wi",
        "xo", "yu", "zan", "bel", "cor", "din",
    ];
    let mut word =
        || -> String { (0..rng.random_range(2..4)).map(|_| SYLLABLES[rng.random_range(0..SYLLABLES.len())]).collect() };
    (0..12).map(|_| word()).collect::<Vec<_>>().join(" ")
}

/// Five nights of 1,200 people with questions of their own and some that many ask, 40 customers of an app, and a pool of 30 accounts.
pub(crate) fn nights() -> Vec<Vec<Value>> {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let common: Vec<String> = (0..200).map(|_| sentence(&mut rng)).collect();
    let template = "You are the friendly assistant of a shop for garden tools and you answer in one paragraph the question of a customer that follows";
    (0..DAYS)
        .map(|day| {
            let mut rows: Vec<(u64, String, String)> = Vec::new();
            for person in 0..1200 {
                let name = format!("person-{person}");
                for _ in 0..rng.random_range(1..5) {
                    let is_own = rng.random_bool(0.7);
                    let text =
                        if is_own { sentence(&mut rng) } else { common[rng.random_range(0..common.len())].clone() };
                    rows.push((rng.random_range(0..1440), name.clone(), text));
                }
            }
            for customer in 100..140 {
                let text = format!("{template}: {}", sentence(&mut rng));
                rows.push((rng.random_range(0..1440), format!("person-{customer}"), text));
            }
            let queue: Vec<String> = (0..12).map(|_| sentence(&mut rng)).collect();
            for member in POOL {
                for task in &queue {
                    if rng.random_bool(0.4) {
                        let ending = [" please", ", thanks", ""][rng.random_range(0..3)];
                        rows.push((rng.random_range(0..1440), format!("person-{member}"), format!("{task}{ending}")));
                    }
                }
            }
            rows.sort();
            let sent = |(i, (minute, name, text)): (usize, (u64, String, String))| {
                row(&format!("x-{day}-{i}"), &name, TO_MIDNIGHT + day * 1_440 + minute, &text)
            };
            rows.into_iter().enumerate().map(sent).collect()
        })
        .collect()
}

/// Accounts of the exported rings, by name.
pub(crate) fn exported(site: &Site, store: &str, names: &BTreeMap<String, String>) -> BTreeSet<String> {
    let csv = site.run(&["export", "rings", "--store", store, "--key", "key"]).ok().out;
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("ring_id,account,route,membership,rung,gamma_star,confirmed_night"));
    lines.map(|line| names[line.split(',').nth(1).expect("an account")].clone()).collect()
}

/// Name of each pseudonym, by the exchanges of both.
pub(crate) fn names(site: &Site, nights: &[Vec<Value>]) -> BTreeMap<String, String> {
    let of: BTreeMap<&str, &str> = nights
        .iter()
        .flatten()
        .map(|row| (row["id"].as_str().expect("an id"), row["account"].as_str().expect("an account")))
        .collect();
    let csv = site.run(&["export", "members", "--store", "store", "--key", "key"]).ok().out;
    csv.lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',');
            let (id, account) = (cells.next().expect("an id"), cells.next().expect("an account"));
            (account.to_owned(), of[id].to_owned())
        })
        .collect()
}

#[test]
fn a_pool_is_a_ring_an_app_is_none_and_one_command_says_what_five_say() {
    let site = Site::new();
    let nights = nights();
    let logs: Vec<String> = (0..DAYS).map(|night| format!("night-{night}.jsonl")).collect();
    let mut statuses = Vec::new();
    for (log, rows) in logs.iter().zip(&nights) {
        site.log(log, rows);
        statuses.push(site.audit(&[log, "--exit-code", "7"]).code);
    }
    let valid = site.run(&["ring", "list", "--store", "store", "--format", "json"]).ok().json()["rings_meta"].clone();
    assert_eq!(valid["valid"], true, "{valid}");
    // Once for a new ring, and not again for the same one; nothing is said of a rung that none has reached.
    assert_eq!(statuses.iter().filter(|status| **status == 7).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [0, 7].contains(status)), "{statuses:?}");
    let names = names(&site, &nights);
    let pool: BTreeSet<String> = POOL.map(|member| format!("person-{member}")).collect();
    let found = exported(&site, "store", &names);
    assert!(found.intersection(&pool).count() >= 29, "{found:?}");
    assert!(found.difference(&pool).count() <= 1, "{found:?}");

    let all: Vec<&str> = logs.iter().map(String::as_str).collect();
    site.run(&[&Site::audit_args("whole", &all)[..], &["--exit-code", "7", "--at-or-above", "second-stream"]].concat())
        .ok();
    assert_eq!(exported(&site, "whole", &names), found);
    site.run(&[&Site::audit_args("single", &all)[..], &["--threads", "1"]].concat()).ok();
    let rings = |store: &str| site.run(&["ring", "list", "--store", store, "--format", "json"]).ok().json();
    assert_eq!(rings("single"), rings("whole"));

    let listed = rings("store");
    assert_eq!(listed["rings"].as_array().map(Vec::len), Some(1), "{listed}");
    let meta = &listed["rings_meta"];
    assert_eq!((meta["phi0"].as_f64(), meta["q"].as_f64()), (Some(5.0), Some(0.01)));
    assert_eq!(meta["days"].as_array().map(Vec::len), Some(DAYS as usize));
    assert_eq!(meta["placebo"]["rejected"], 0);
    // The walk in which accounts are late begins on the second day.
    let late = &meta["placebo"]["late"];
    assert!(
        late["rejected"] == 0
            && late["tested"].as_u64() > Some(10)
            && late["mean_e"].as_f64().is_some_and(|mean| mean < 1.0),
        "{late}"
    );
    assert_eq!((&late["days"], &late["lower"]), (&json!(6), &json!(0.0)));
    let ring = &listed["rings"][0];
    assert!(ring["gamma_star"].as_f64().is_some_and(|gamma| gamma >= 5.0), "{ring}");
    assert!(ring["first_proposed"].as_str() < ring["confirmed_night"].as_str(), "confirmed on later days only: {ring}");
    let id = ring["id"].as_str().expect("a name");
    let page = site.run(&["ring", id, "--store", "store"]).ok().out;
    assert!(page.contains("no probability of guilt") && page.contains("Null:"), "{page}");
    site.run(&["ring", "r0000", "--store", "store"]).refused(&["expected a ring of the store"]);
    // The report's own list is the same.
    let report: Value = serde_json::from_str(&site.read("report/report.json")).expect("JSON");
    assert_eq!(report["rings"], rings("single")["rings"]);

    // Whoever looks at a member or a family of the ring sees the ring.
    let member = found.intersection(&pool).next().expect("a member").as_str();
    let account = site.run(&["account", member, "--store", "store", "--key", "key", "--format", "json"]).ok().json();
    assert_eq!(account["rings"][0]["ring_id"], id, "{account}");
    let family = ring["families"][0]["family_id"].as_str().expect("a family");
    assert!(site.run(&["family", family, "--store", "store"]).ok().out.contains(&format!("ring {id}")));

    what_it_hangs_on_is_told(ring, &page);
    what_it_had_on_each_night_is_told(&site, ring);
    what_analysts_say_is_kept(&site, id);

    let placebo = ["ring", "placebo", "--walks", "4", "--store", "store", "--format", "json"];
    let walked = site.run(&placebo).ok().json();
    assert_eq!(walked, site.run(&[&placebo[..], &["--threads", "1"]].concat()).ok().json());
    for (of, dealing) in walked["placebo"].as_array().expect("two ways").iter().zip(["choices", "names"]) {
        // Four days of each walk had later ones, and the last had halves.
        assert_eq!((&of["dealing"], &of["walks"], &of["lists"]), (&json!(dealing), &json!(4), &json!(20)), "{of}");
        assert!(of["lists_with"] == 0 && of["tests"].as_u64() > Some(100) && of["mean_e"].as_f64() < Some(1.0), "{of}");
    }
    let dates = &walked["placebo"][2];
    assert!(dates["dealing"] == "dates" && dates["walks"] == 4 && dates["lists_with"] == 0, "{dates}");

    // What is forgotten is in no list any more; what was concluded stays.
    site.run(&["store", "forget", "--account", "person-21", "--store", "store", "--key", "key"]).ok();
    let left = exported(&site, "store", &names);
    assert!(!left.contains("person-21"));
    assert!(left.len() + 1 >= found.len(), "{left:?}");
    site.run(&["store", "verify", "--store", "store"]).ok();
}

fn what_it_hangs_on_is_told(ring: &Value, page: &str) {
    // Without the stream that confirms there is no ring; the log names no payment, so composition is not asked.
    assert_eq!(ring["without"]["co-use"], "not-confirmed", "{ring}");
    assert!(ring["without"]["composition"].is_null() && ring["without"]["simultaneity"] == "chance", "{ring}");
    let of = |change: &str| -> Value {
        let all = ring["sensitivity"].as_array().expect("changes");
        all.iter().find(|of| of["change"] == change).expect("the change").clone()
    };
    for change in ["top-text-dropped", "no-interests", "coarser-neighbourhoods", "busiest-account-dropped"] {
        let of = of(change);
        assert!(of["stream"] == "co-use" && of["stands"] == true && of["log10_e"].as_f64() > Some(2.0), "{of}");
    }
    assert_eq!(of("any-plan")["stands"], Value::Null);
    // The log knows no plan, payment or registration.
    assert_eq!((&of("within-strata")["stands"], &of("within-strata")["log10_e"]), (&Value::Null, &Value::Null));
    assert!(
        of("bins-of-1-hour")["stands"] == false && of("bins-of-8-hours")["stands"] == false,
        "at random times: {ring}"
    );
    assert!(page.contains("without co-use: not confirmed") && page.contains("still confirmed"), "{page}");
}

fn what_it_had_on_each_night_is_told(site: &Site, ring: &Value) {
    let id = ring["id"].as_str().expect("a name");
    let of = |store: &str| site.run(&["ring", id, "--store", store, "--format", "json"]).ok().json();
    let page = of("store");
    let days_of = |page: &Value| -> Vec<Value> {
        page["by_night"].as_array().expect("nights").iter().map(|night| night["day"].clone()).collect()
    };
    assert_eq!(days_of(&page), days_of(&of("whole")), "one commit knows the nights that five know");
    let list = |name: &str| page[name].as_array().unwrap_or_else(|| panic!("{name}: {page}"));
    let nights = list("by_night");
    let days: Vec<&str> = nights.iter().map(|night| night["day"].as_str().expect("a day")).collect();
    assert!(days.is_sorted() && days.len() >= 3, "{days:?}");
    assert!(days.contains(&ring["confirmed_night"].as_str().expect("a day")), "{days:?}");
    let last = nights.last().expect("a night");
    assert_eq!((&last["log10_e"], &last["streams"]), (&ring["log10_e"], &ring["streams"]));
    assert!(nights[0]["log10_e"].as_f64() < last["log10_e"].as_f64(), "{nights:?}");

    // Every use of a listed member is there, with its moments.
    let members = list("members");
    let requests: u64 = list("moments")
        .iter()
        .filter(|of| members[of[0].as_u64().expect("a place") as usize]["listed"] == true)
        .map(|of| {
            assert!(of[1].as_u64() < page["rings"][0]["families"].as_array().map(|of| of.len() as u64), "{of}");
            assert!(of[2].as_i64() <= of[3].as_i64() && of[2].as_i64() > Some(1_700_000_000_000_000), "{of}");
            of[4].as_u64().expect("requests")
        })
        .sum();
    assert_eq!((requests, &page["moments_left_out"]), (ring["requests"].as_u64().expect("a number"), &json!(0)));
    assert!(!list("uses").is_empty());
}

fn what_analysts_say_is_kept(site: &Site, id: &str) {
    site.run(&["ring", "note", id, "seen \u{1b}[31mbefore", "--author", "ann", "--store", "store"]).ok();
    site.run(&["ring", "dispose", id, "extraction", "--author", "bob", "--note", "same tasks", "--store", "store"])
        .ok();
    site.run(&["ring", "dispose", id, "guilty", "--store", "store"]).refused(&["benign-coordinated"]);
    site.run(&["ring", "note", "r0000", "text", "--store", "store"]).refused(&["expected a ring of the store"]);
    site.run(&["ring", "note", id, " ", "--store", "store"]).refused(&["expected a note"]);
    site.run(&["ring", "assign", id, "--to", "carol", "--author", "ann", "--store", "store"]).ok();
    site.run(&["ring", "assign", id, "--to", " ", "--store", "store"]).refused(&["expected a name"]);
    let page = site.run(&["ring", id, "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(page["rings"][0]["assignee"], "carol");
    site.run(&["ring", "assign", id, "--author", "carol", "--store", "store"]).ok();
    let page = site.run(&["ring", id, "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(page["rings"][0]["assignee"], Value::Null);
    let said = |of: &str| -> Vec<String> {
        let notes = page["rings"][0]["notes"].as_array().expect("notes");
        notes.iter().map(|note| note[of].as_str().expect("text").to_owned()).collect()
    };
    let texts =
        ["seen \u{1b}[31mbefore", "disposition: extraction", "same tasks", "assigned to carol", "assigned to nobody"];
    assert_eq!(said("text"), texts);
    assert_eq!(said("author"), ["ann", "bob", "bob", "ann", "carol"]);
    assert_eq!(page["rings"][0]["disposition"], "extraction");
    let page = site.run(&["ring", id, "--store", "store"]).ok().out;
    assert!(page.contains("same tasks") && !page.contains('\u{1b}'), "{page}");

    // A set that an analyst drew is frozen, and is no ring before a later day has tested it.
    site.write("set.txt", "person-1\nperson-2\nperson-3\nnobody\n");
    let drawn = ["ring", "propose", "set.txt", "--store", "store", "--key", "key", "--format", "json"];
    let drawn = site.run(&drawn).ok().json();
    assert_eq!((&drawn["accounts"], &drawn["unknown"]), (&json!(3), &json!(1)), "{drawn}");
    site.write("pair.txt", "person-1\nperson-2\n");
    site.run(&["ring", "propose", "pair.txt", "--store", "store", "--key", "key"]).refused(&["3 accounts"]);
    let listed = site.run(&["ring", "list", "--store", "store", "--format", "json"]).ok().json();
    assert_eq!(listed["rings"].as_array().map(Vec::len), Some(1), "{listed}");
}

#[test]
fn what_accounts_have_in_common_beside_their_texts_is_a_stream_of_its_own() {
    let site = Site::new();
    let mut nights = nights();
    let logs: Vec<String> = (0..DAYS).map(|night| format!("night-{night}.jsonl")).collect();
    for (log, rows) in logs.iter().zip(&mut nights) {
        for row in rows.iter_mut() {
            let name = row["account"].as_str().expect("a name").to_owned();
            let number: usize = name.trim_start_matches("person-").parse().expect("a number");
            let is_own = POOL.contains(&number);
            let card = if is_own { number % 6 } else { number };
            // A new model appears on the second day: the pool goes to it at once, of the others some do.
            let day = log.trim_start_matches("night-").trim_end_matches(".jsonl");
            let moves = day != "0" && (is_own || number.is_multiple_of(10));
            row["model"] = json!(if moves { "m-new" } else { "m-old" });
            if is_own {
                row["prompt"] = json!(format!("{} and think step by step", row["prompt"].as_str().expect("a prompt")));
            }
            row["attributes"] =
                json!({ "payment": format!("card-{card}"), "asn": 64_500 + number % 40, "tier": "plus" });
        }
        site.log(log, rows);
    }
    let all: Vec<&str> = logs.iter().map(String::as_str).collect();
    site.audit(&all).ok();
    let ring = site.run(&["ring", "list", "--store", "store", "--format", "json"]).ok().json()["rings"][0].clone();
    assert_eq!(ring["rung"], "second-stream", "{ring}");
    assert!(ring["streams"]["composition"].as_f64() > Some(1.31) && ring["streams"]["co-use"].as_f64() > Some(1.31));
    let shared = ring["in_common"].as_array().expect("attributes");
    let names: Vec<&str> = shared.iter().filter_map(|of| of["attribute"].as_str()).collect();
    assert_eq!(names, ["payment", "network"]);
    assert!(shared[0]["log10_p"].as_f64() < Some(-4.0) && shared[1]["log10_p"].as_f64() > Some(-2.0), "{ring}");
    let page = site.run(&["ring", ring["id"].as_str().expect("a name"), "--store", "store"]).ok().out;
    assert!(page.contains("payment: ") && page.contains("one-organisation not tested"), "{page}");
    // Cards are a fact as well, with how common each is.
    let link = &ring["links"][0];
    assert!(link["link"] == "payment" && link["accounts"].as_u64() >= Some(2), "{ring}");
    assert!(link["having"].as_u64() <= Some(6) && link["known"].as_u64() > Some(900), "{ring}");
    assert!(page.contains("have one payment") && page.contains("a fact, without a p-value"), "{page}");
    // All that the pool asks wants reasoning, also what it does not share; it moves to the new model as one.
    let focus = &ring["focus"];
    assert!(
        focus["shared_requests"].as_u64() > Some(50) && focus["shared_focused"] == focus["shared_requests"],
        "{ring}"
    );
    assert!(focus["share"] == 1.0 && focus["of_others"].as_f64() < Some(0.1), "{ring}");
    assert!(ring["streams"]["focus"].as_f64() > Some(1.31) && ring["streams"]["pivot"].as_f64() > Some(1.31), "{ring}");
    let pivot = &ring["pivots"][0];
    assert!(pivot["model"] == "m-new" && pivot["share"] == 1.0 && pivot["of_others"].as_f64() < Some(0.3), "{ring}");
    // Without its cards the ring has its moves as a second stream; what it asks for would not be one.
    assert_eq!(ring["without"]["composition"], "second-stream", "{ring}");
    // The same accounts, who say that they are one company.
    for (log, rows) in logs.iter().zip(&mut nights) {
        rows.iter_mut().for_each(|row| row["attributes"]["organization"] = json!("Acme"));
        site.log(log, rows);
    }
    site.run(&Site::audit_args("company", &all)).ok();
    let listed = site.run(&["ring", "list", "--store", "company", "--format", "json"]).ok().json();
    assert_eq!(listed["rings"][0]["rung"], "chance", "{listed}");
}

/// New templates every day, which their users fill: an app's, where these use it as unevenly as people do.
#[test]
fn new_templates_that_customers_fill_are_explained_by_an_app() {
    let answer = |uneven: bool| {
        let (site, mut rng) = (Site::new(), ChaCha8Rng::seed_from_u64(18));
        let logs: Vec<String> = (0..DAYS).map(|night| format!("night-{night}.jsonl")).collect();
        for (log, rows) in logs.iter().zip(&mut nights()) {
            let mut sent: BTreeMap<usize, u32> = BTreeMap::new();
            rows.retain_mut(|row| {
                let name = row["account"].as_str().expect("a name");
                let number: usize = name.trim_start_matches("person-").parse().expect("a number");
                let sent = sent.entry(number).or_default();
                let prompt = row["prompt"].as_str().expect("a prompt").to_owned();
                if POOL.contains(&number) {
                    row["prompt"] = json!(format!("{prompt} of this note: {}", sentence(&mut rng)));
                }
                let is_kept = if uneven { number.is_multiple_of(2) || rng.random_bool(0.3) } else { *sent < 5 };
                *sent += u32::from(is_kept);
                !POOL.contains(&number) || is_kept
            });
            site.log(log, rows);
        }
        site.audit(&logs.iter().map(String::as_str).collect::<Vec<_>>()).ok();
        let rings = site.run(&["ring", "list", "--store", "store", "--format", "json"]).ok().json()["rings"].clone();
        let csv = ["export", "rings", "--store", "store", "--key", "key", "--at-or-above"];
        let [all, surer] = ["chance", "provenance"].map(|rung| site.run(&[&csv[..], &[rung]].concat()).ok().out);
        assert!(all.lines().count() > 20 && surer.lines().count() == 1, "{all}{surer}");
        let provenance = rings[0]["provenance"].as_array().expect("answers").clone();
        let app = provenance.into_iter().find(|answer| answer["explanation"] == "unregistered-app");
        app.expect("the app is asked for")
    };
    let app = answer(true);
    assert_eq!(app["explains"], true, "{app}");
    let pool = answer(false);
    assert!(pool["found"].as_str().expect("words").contains("more even than people's"), "{pool}");
    assert_eq!(pool["explains"], false, "{pool}");
}

#[test]
fn a_new_ring_is_told_once_and_again_where_the_telling_failed() {
    let site = Site::new();
    let logs: Vec<String> = (0..DAYS).map(|night| format!("night-{night}.jsonl")).collect();
    logs.iter().zip(&nights()).for_each(|(log, rows)| site.log(log, rows));
    let all: Vec<&str> = logs.iter().map(String::as_str).collect();
    // The program writes what it is given; arguments come from the file, and no shell reads them.
    site.write("settings.toml", "alert = [\"./tell\", \"$HOME ; x\"]\nalert_seconds = 20\n");
    let tell = |script: &str| {
        site.write("tell", format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(site.path("tell"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("set");
    };
    let audit = |more: &[&str]| {
        site.run(
            &[&Site::audit_args("store", &all)[..], &["--config", "settings.toml", "--exit-code", "9"], more].concat(),
        )
    };
    tell("exit 3");
    audit(&[]).refused(&["the alert command", "given again by the next audit"]);
    site.write("settings.toml", "alert = [\"./tell\", \"$HOME ; x\"]\nalert_seconds = 1\n");
    tell("exec sleep 60");
    audit(&[]).refused(&["did not end within 1 seconds"]);
    tell("cat > told; echo \"$1\" >> told");
    let mut again = vec!["audit", "--store", "store", "--key", "key", "--config", "settings.toml", "--exit-code", "9"];
    again.extend(["--format", "alerts"].iter().chain(&all));
    let told = site.run(&again);
    assert_eq!(told.code, 9, "{}", told.err);
    let alert: Value = serde_json::from_str(&told.out).expect("one line of JSON");
    assert_eq!(alert["alert"], "new-ring");
    assert!(alert["holds_raw_text"] == false && alert.get("texts").is_none(), "{alert}");
    assert_eq!(site.read("told"), format!("{}$HOME ; x\n", told.out));
    let told = site.run(&again);
    assert_eq!((told.code, told.out.as_str()), (0, ""), "nothing is said twice");
}

#[test]
fn an_alert_waits_beside_the_store_until_its_receiver_is_back() {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;
    let site = Site::new();
    let logs: Vec<String> = (0..DAYS).map(|night| format!("night-{night}.jsonl")).collect();
    logs.iter().zip(&nights()).for_each(|(log, rows)| site.log(log, rows));
    let all: Vec<&str> = logs.iter().map(String::as_str).collect();
    let secret = "what the receiver knows, 32 bytes";
    site.write("secret", secret);
    std::fs::set_permissions(site.path("secret"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    let bound = || TcpListener::bind("127.0.0.1:0").expect("bound");
    let configured = |listener: &TcpListener| {
        let port = listener.local_addr().expect("an address").port();
        site.write(
            "settings.toml",
            format!("alert_texts = true\n[webhook]\nurl = \"http://127.0.0.1:{port}/\"\nsecret_file = \"secret\"\ntries = 1\n"),
        );
    };
    let listener = bound();
    configured(&listener);
    drop(listener);
    let audit = [&Site::audit_args("store", &all)[..], &["--config", "settings.toml"]].concat();
    let told = site.run(&audit).ok();
    assert!(told.err.contains("alerts wait for the webhook") && !told.err.contains(secret), "{}", told.err);
    let send = ["alerts", "send", "--store", "store", "--config", "settings.toml"];
    site.run(&send).refused(&["still wait", "try again"]);
    let listener = bound();
    configured(&listener);
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let (mut text, mut block) = (Vec::new(), [0; 4096]);
        while !text.ends_with(b"}\n") {
            let n = stream.read(&mut block).expect("a request");
            text.extend_from_slice(&block[..n]);
        }
        stream.write_all(b"HTTP/1.1 200 x\r\ncontent-length: 0\r\n\r\n").expect("answered");
        String::from_utf8(text).expect("a request")
    });
    assert_eq!(site.run(&send).ok().out, "no alert waits\n");
    let request = served.join().expect("a receiver");
    let (header, body) = request.split_once("\r\n\r\n").expect("a header and a body");
    let alert: Value = serde_json::from_str(body).expect("one line of JSON");
    assert!(alert["alert"] == "new-ring" && header.contains("stillhunt-signature: t=") && !request.contains(secret));
    // Texts go out because the configuration says so, and the alert says that they do.
    let texts = alert["texts"].as_array().expect("texts");
    assert!(alert["holds_raw_text"] == true && (1..=5).contains(&texts.len()), "{alert}");
    assert!(
        texts.iter().all(|of| of["text"].as_str().map(str::len) == of["text_bytes"].as_u64().map(|n| n as usize)),
        "{alert}"
    );
    // Told once: another audit has nothing to send, and asks nobody.
    let told = site.run(&audit).ok();
    assert!(!told.err.contains("alerts wait"), "{}", told.err);
}

#[test]
fn a_day_begins_when_the_configuration_says() {
    let site = Site::new();
    let nights = nights();
    site.log("a.jsonl", &nights[0]);
    site.log("b.jsonl", &nights[1]);
    let days = || {
        let listed = site.run(&["ring", "list", "--store", "store", "--format", "json"]).ok().json();
        listed["rings_meta"]["days"].as_array().expect("days").iter().map(|day| day["day"].clone()).collect::<Vec<_>>()
    };
    site.audit(&["a.jsonl"]).ok();
    let first = days();
    site.audit(&["b.jsonl"]).ok();
    assert_eq!(days().len(), 2);
    // Cut elsewhere, all is read again; an audit that says nothing of it keeps the cut.
    site.audit(&["b.jsonl", "--day-starts", "23:30+01:00"]).ok();
    let other = days();
    assert!(other.len() >= 2 && other != first, "{other:?}");
    site.audit(&["b.jsonl"]).ok();
    assert_eq!(days(), other);
    site.audit(&["b.jsonl", "--day-starts", "7pm"]).refused(&["when a day begins"]);
}

#[test]
fn a_day_that_goes_on_in_the_next_log_is_read_again_and_an_earlier_one_is_late() {
    let site = Site::new();
    let nights = nights();
    let (first, second) = nights[1].split_at(nights[1].len() / 2);
    let late = &nights[0][..40];
    site.log("a.jsonl", &nights[0][40..]);
    site.log("b.jsonl", first);
    site.log("c.jsonl", second);
    site.log("late.jsonl", late);
    site.log("d.jsonl", &nights[2]);
    for log in ["a.jsonl", "b.jsonl", "c.jsonl", "d.jsonl"] {
        site.audit(&[log]).ok();
    }
    let days = |store: &str| site.run(&["ring", "list", "--store", store, "--format", "json"]).ok().json();
    let in_parts = days("store");
    for log in ["a.jsonl", "b.jsonl", "c.jsonl", "d.jsonl"].chunks(4) {
        site.run(&Site::audit_args("whole", log)).ok();
    }
    let whole = days("whole");
    let of = |found: &Value, what: &str| -> Vec<Value> {
        found["rings_meta"]["days"].as_array().expect("days").iter().map(|day| day[what].clone()).collect()
    };
    for what in ["day", "accounts"] {
        assert_eq!(of(&in_parts, what), of(&whole, what), "{what}");
    }
    assert_eq!(in_parts["rings_meta"]["late"], 0);
    site.audit(&["late.jsonl"]).ok();
    let after = days("store");
    assert_eq!(after["rings_meta"]["late"], 40);
    assert_eq!(of(&after, "accounts"), of(&in_parts, "accounts"));
    // One exchange of a far day, from a clock that ran wild, ends no day.
    let stray = row("stray", "person-1", TO_MIDNIGHT + 90 * 1_440, "a question of three months later");
    site.log("e.jsonl", &[&nights[3][..], &[stray]].concat());
    site.audit(&["e.jsonl"]).ok();
    let after = days("store");
    assert_eq!((of(&after, "day").len(), &after["rings_meta"]["late"]), (4, &json!(41)));
}

#[test]
fn end_users_behind_a_gateway_are_found_as_accounts_of_their_own_would_be() {
    let site = Site::new();
    // Without the app's customers: five accounts make a fragment, and a gateway is one.
    let is_app = |row: &Value| row["prompt"].as_str().is_some_and(|text| text.contains("friendly assistant"));
    let rows: Vec<Value> = nights().into_iter().flatten().filter(|row| !is_app(row)).collect();
    let behind = |row: &Value| {
        let mut row = row.clone();
        row["end_user"] = row["account"].take();
        row["account"] = json!("gateway");
        row
    };
    let mut of_gateway: Vec<Value> = rows.iter().map(behind).collect();
    of_gateway.push(row("nobody", "gateway", 5, "a question of nobody in particular"));
    site.log("own.jsonl", &rows);
    site.log("gateway.jsonl", &of_gateway);
    site.run(&Site::audit_args("own", &["own.jsonl"])).ok();
    let nightly = site.run(&Site::audit_args("store", &["gateway.jsonl"])).ok().json();
    assert_eq!(nightly["rings"], json!([]), "one account is no ring");
    let registered = ["registry", "add", "Gate", "gateway", "--kind", "gateway", "--store", "store", "--key", "key"];
    site.run(&registered).ok();

    let ask = ["ring", "behind", "gateway", "--store", "store", "--key", "key"];
    let found = site.run(&[&ask[..], &["--format", "json"]].concat()).ok().json();
    assert_eq!(found, site.run(&[&ask[..], &["--format", "json", "--threads", "1"]].concat()).ok().json());
    let users = rows.iter().map(|row| row["account"].as_str().expect("a name")).collect::<BTreeSet<&str>>().len();
    assert_eq!((&found["end_users"], &found["unnamed"]), (&json!(users), &json!(1)), "{found}");
    assert_eq!(found["exchanges"], rows.len() as u64 + 1);
    assert_eq!(found["rings_meta"]["valid"], true, "{found}");

    // The same people with accounts of their own are the same ring, and the same evidence but for what is drawn: they have other numbers.
    let own = site.run(&["ring", "list", "--store", "own", "--format", "json"]).ok().json();
    let own_ring = &own["rings"][0];
    let page = ["ring", own_ring["id"].as_str().expect("a ring"), "--store", "own", "--format", "json"];
    let members = |members: &Value| -> BTreeSet<String> {
        let listed = members.as_array().expect("members").iter().filter(|member| member["listed"] == true);
        listed.map(|member| member["account"].as_str().expect("a name").to_owned()).collect()
    };
    let of_own = members(&site.run(&page).ok().json()["members"]);
    let ring = &found["rings"][0];
    assert_eq!(found["rings"].as_array().map(Vec::len), Some(1), "{found}");
    let of_gateway = members(&found["members"][ring["id"].as_str().expect("a name")]);
    assert!(of_gateway.symmetric_difference(&of_own).count() <= 1, "{of_gateway:?} and {of_own:?}");
    assert!(of_own.len() >= POOL.len() - 1, "{of_own:?}");
    for same in ["first_proposed", "confirmed_night"] {
        assert_eq!(ring[same], own_ring[same], "{same}");
    }
    for alike in ["log10_e", "gamma_star", "requests"] {
        let of = |ring: &Value| ring[alike].as_f64().expect("a number");
        let ratio = of(ring) / of(own_ring);
        assert!((0.8..1.25).contains(&ratio), "{alike}: {} and {}", of(ring), of(own_ring));
    }
    let fit = |page: &Value| -> Vec<Value> {
        let days = page["rings_meta"]["days"].as_array().expect("days").iter();
        days.map(|day| json!([day["day"], day["accounts"], day["families"]])).collect()
    };
    assert_eq!(fit(&found), fit(&own));
    assert!(ring["provenance"] == json!([]) && ring["id"] != own_ring["id"], "{ring}");

    // What is known is no evidence, behind a gateway as before it: every text of the pool.
    let members: BTreeSet<String> = POOL.map(|member| format!("person-{member}")).collect();
    let shared = rows.iter().filter(|row| row["account"].as_str().is_some_and(|name| members.contains(name)));
    let lines: Vec<Value> = shared.map(|row| json!({ "name": "set", "text": row["prompt"] })).collect();
    site.log("known.jsonl", &lines);
    let known = site.run(&[&ask[..], &["--known", "known.jsonl", "--format", "json"]].concat()).ok().json();
    assert_eq!(known["rings"], json!([]), "{known}");

    let words = site.run(&ask).ok().out;
    assert!(words.contains("who stand below in the place of accounts") && words.contains("Null:"), "{words}");
    site.run(&["ring", "behind", "a000000000000000000000000", "--store", "store"])
        .refused(&["expected an account of the store"]);
}
