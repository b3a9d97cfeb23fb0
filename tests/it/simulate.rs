//! `simulate`: the logs that it writes audit cleanly, and its truth joins with what was found.

use super::{Site, counts};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A line of the truth: exchange, account, class, campaign, app, seed, edit.
type Truth = BTreeMap<String, [String; 6]>;

fn truth(site: &Site, name: &str) -> Truth {
    let text = site.read(name);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header: Vec<&str> = vec!["exchange_id", "account", "class", "campaign", "app", "seed_id", "edit"];
    assert_eq!(reader.headers().expect("a header").iter().collect::<Vec<_>>(), header);
    let cells = |row: csv::StringRecord| {
        let cells: [String; 6] = std::array::from_fn(|i| row[i + 1].to_owned());
        (row[0].to_owned(), cells)
    };
    reader.records().map(|row| cells(row.expect("a row"))).collect()
}

#[test]
fn a_simulated_log_audits_cleanly_and_its_truth_joins() {
    let site = Site::new();
    let args = ["simulate", "--out", "sim", "--exchanges", "5000", "--days", "3", "--seed", "11"];
    let told = site.run(&args).ok().json();
    assert_eq!(told["summary"]["exchanges"], 5000);
    let report = site.audit(&["sim/logs"]).ok().json();
    assert_eq!(counts(&report), [5000, 5000, 0, 0]);
    assert_eq!((&report["counts"]["inputs"], &report["store"]["accounts"]), (&json!(3), &told["summary"]["accounts"]));
    let truth = truth(&site, "sim/truth.csv");
    assert_eq!(truth.len(), 5000);
    let members = site.members("store");
    assert!(members.0.keys().all(|(id, _)| truth.contains_key(id)), "every member has its truth");
    // One account of the truth is one pseudonym of the store.
    let mut pseudonyms: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for ((id, _), (_, account, _)) in &members.0 {
        pseudonyms.entry(&truth[id][0]).or_default().insert(account);
    }
    assert!(pseudonyms.len() > 100 && pseudonyms.values().all(|of| of.len() == 1));
    // Each campaign stands out: most of its exchanges share a family, and the families of one are of that one.
    let mut found: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for (id, [_, _, campaign, ..]) in truth.iter().filter(|(_, cells)| !cells[2].is_empty()) {
        *sizes.entry(campaign).or_default() += 1;
        if let Some(family) = members.of(id, "near-duplicate") {
            *found.entry(campaign).or_default().entry(family).or_default() += 1;
        }
    }
    assert!(!sizes.is_empty());
    let families = members.families("near-duplicate");
    let (mut own, mut members_of_largest) = (0, 0);
    for (campaign, families_of) in &found {
        let (largest, n) = families_of.iter().max_by_key(|(_, n)| **n).expect("a family");
        println!("{campaign}: {n} of {} exchanges in {largest}", sizes[campaign]);
        let all = families[largest].len();
        assert!(*n * 10 >= all * 7, "{campaign}: {n} of the {all} members of {largest}");
        own += *n;
        members_of_largest += all;
    }
    println!("{own} of {members_of_largest} members of the campaigns' largest families are their own");
    assert!(own * 10 >= members_of_largest * 9, "{own} of {members_of_largest}");
    let covered: usize = found.values().flat_map(BTreeMap::values).sum();
    let all: usize = sizes.values().sum();
    assert!(covered * 2 > all, "{covered} of {all} campaign exchanges are in families");
}

#[test]
fn the_same_seed_writes_the_same_bytes() {
    let site = Site::new();
    let simulate = |out: &str, seed: &str, more: &[&str]| {
        let args = ["simulate", "--out", out, "--exchanges", "400", "--days", "2", "--seed", seed];
        site.run(&[&args, more].concat()).ok();
        super::digests(&site.path(out))
    };
    let one = simulate("one", "1", &[]);
    assert_eq!(one.keys().collect::<Vec<_>>(), ["logs/night-1.jsonl", "logs/night-2.jsonl", "truth.csv"]);
    assert_eq!(simulate("again", "1", &[]), one);
    assert_ne!(simulate("two", "2", &[]), one);
    let packed = simulate("packed", "1", &["--compress", "--one-log"]);
    assert_eq!(packed.keys().collect::<Vec<_>>(), ["logs/log.jsonl.zst", "truth.csv.zst"]);
    let log =
        zstd::decode_all(std::fs::File::open(site.path("packed/logs/log.jsonl.zst")).expect("a file")).expect("zstd");
    let plain = site.read("one/logs/night-1.jsonl") + &site.read("one/logs/night-2.jsonl");
    assert_eq!(String::from_utf8(log).expect("UTF-8"), plain);
}

#[test]
fn the_demonstration_log_is_what_its_recipe_writes() {
    let site = Site::new();
    let sized =
        ["simulate", "--out", "demo", "--exchanges", "20000", "--seed", "2026", "--days", "5", "--campaigns", "6"];
    let planted = ["--queue-campaigns", "2", "--fragment-campaigns", "1", "--fragment-accounts", "30"];
    site.run(&[&sized[..], &planted, &["--fragment-requests", "10", "--fragment-share", "0.2"]].concat()).ok();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/demo");
    let logs = (1..=5).map(|night| format!("logs/night-{night}.jsonl"));
    for name in logs.chain(["truth.csv".to_owned()]) {
        let file = std::fs::File::open(shipped.join(format!("{name}.zst"))).expect("a shipped file");
        let packed = zstd::decode_all(file).expect("zstd");
        assert!(packed == site.read(&format!("demo/{name}")).into_bytes(), "{name}: generate it again");
    }
}

/// The first rows of the report are what was planted (campaigns, templates of apps, copies that went round), not sentences
/// that the grammars repeat.
#[test]
fn the_first_screen_of_the_demonstration_shows_what_was_planted() {
    let site = Site::new();
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/demo");
    let packed = std::fs::File::open(shipped.join("truth.csv.zst")).expect("a shipped file");
    site.write("truth.csv", zstd::decode_all(packed).expect("zstd"));
    let truth = truth(&site, "truth.csv");
    // Which runs share a fingerprint depends on the key, so this one is fixed.
    site.write("key", "5a".repeat(32) + "\n");
    std::fs::set_permissions(site.path("key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("set");
    let mut report = Value::Null;
    for night in 1..=5 {
        let log = shipped.join(format!("logs/night-{night}.jsonl.zst")).display().to_string();
        report = site.audit(&[log.as_str()]).ok().json();
    }
    // Exchanges of each family: planted, all.
    let mut of_family: BTreeMap<String, [usize; 2]> = BTreeMap::new();
    for row in site.export("store").lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let [_, _, campaign, _, seed, _] = &truth[cells[0]];
        let planted = !campaign.is_empty() || ["app-", "trend-", "exercise-"].iter().any(|kind| seed.starts_with(kind));
        let counts = of_family.entry(cells[2].to_owned()).or_default();
        counts[0] += usize::from(planted);
        counts[1] += 1;
    }
    // Its rings are the two work queues, whole, and whatever else is in them is a campaign's too.
    let members = site.run(&["export", "members", "--store", "store", "--key", "key"]).ok().out;
    let class_of: BTreeMap<&str, &str> = members
        .lines()
        .skip(1)
        .map(|line| {
            let mut cells = line.split(',');
            let (id, account) = (cells.next().expect("an id"), cells.next().expect("an account"));
            (account, truth[id][1].as_str())
        })
        .collect();
    let rings = site.run(&["export", "rings", "--store", "store", "--key", "key"]).ok().out;
    let classes: Vec<&str> =
        rings.lines().skip(1).map(|line| class_of[line.split(',').nth(1).expect("an account")]).collect();
    let right = classes.iter().filter(|class| **class == "campaign").count();
    assert!(right >= 78 && classes.len() - right <= 2, "{right} of {}: {rings}", classes.len());
    assert_eq!(report["rings_meta"]["valid"], true, "{}", report["rings_meta"]);
    let families = report["families"].as_array().expect("families");
    for (level, least) in [(None, 17), (Some("near-duplicate"), 12), (Some("fragment"), 12)] {
        let rows = families.iter().filter(|family| level.is_none_or(|level| family["level"] == level)).take(20);
        let (planted, others): (Vec<&Value>, Vec<&Value>) = rows.partition(|family| {
            let [planted, all] = of_family[family["id"].as_str().expect("an id")];
            2 * planted > all
        });
        let shown: Vec<String> = others.iter().map(|row| format!("{} {}", row["accounts"], row["template"])).collect();
        println!("{level:?}: {} of the first 20 are planted; the others: {shown:#?}", planted.len());
        assert!(planted.len() >= least, "{level:?}: {} of the first 20 are planted, not {shown:#?}", planted.len());
        // 25 of 2,000 accounts at most have a sentence of the background.
        assert!(others.iter().all(|row| row["accounts"].as_u64().is_some_and(|n| n <= 25)), "{shown:#?}");
    }
}

#[test]
fn prompts_come_from_a_file_of_texts() {
    let site = Site::new();
    let texts: Vec<String> =
        (0..300).map(|i| format!("Describe mineral number {i} of the collection in two sentences.")).collect();
    site.write("texts.txt", texts.join("\n"));
    site.write("texts.jsonl", texts.iter().map(|text| format!("{}\n", json!({ "text": text }))).collect::<String>());
    for name in ["texts.txt", "texts.jsonl"] {
        let out = format!("sim-{name}");
        site.run(&["simulate", "--out", &out, "--exchanges", "500", "--days", "1", "--texts", name]).ok();
        let log = site.read(&format!("{out}/logs/night-1.jsonl"));
        let rows: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let from_file =
            rows.iter().filter(|row| row["prompt"].as_str().is_some_and(|p| p.contains("mineral number"))).count();
        assert!(from_file * 2 > rows.len(), "{from_file} of {}", rows.len());
    }
    site.write("nothing.txt", "\n\n");
    assert_eq!(site.run(&["simulate", "--out", "x", "--texts", "nothing.txt"]).code, 2);
    site.run(&["simulate", "--out", "x", "--texts", "missing.txt"]).refused(&["missing.txt"]);
    assert_eq!(site.run(&["simulate", "--out", "x", "--campaign-share", "0.9"]).code, 2);
}

#[test]
fn fragment_campaigns_are_planted_and_their_fragments_written() {
    let site = Site::new();
    let fragments = |out: &str| {
        let text = site.read(&format!("{out}/fragments.csv"));
        let rows = csv::Reader::from_reader(text.as_bytes()).into_deserialize::<(String, String)>();
        rows.map(|row| row.expect("a row")).collect::<BTreeMap<_, _>>()
    };
    let simulate = |out: &str, more: &[&str]| {
        let args = ["simulate", "--out", out, "--exchanges", "6000", "--days", "2", "--seed", "5", "--one-log"];
        site.run(&[&args, more].concat()).ok().json()
    };
    let told =
        simulate("plain", &["--fragment-campaigns", "4", "--fragment-accounts", "15", "--fragment-share", "0.1"]);
    assert_eq!(told["summary"]["by_edit"]["fragment"], 180);
    assert_eq!(told["config"]["fragments"]["share"], 0.1);
    let (of, facts) = (fragments("plain"), truth(&site, "plain/truth.csv"));
    assert_eq!(of.len(), 4);
    let mut carried: BTreeMap<&str, u32> = BTreeMap::new();
    for line in site.read("plain/logs/log.jsonl").lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        let fact = &facts[row["id"].as_str().expect("an id")];
        if let Some(fragment) = of.get(&fact[2]) {
            assert_eq!((fact[1].as_str(), fact[5].as_str()), ("campaign", "fragment"));
            assert!(row["prompt"].as_str().is_some_and(|prompt| prompt.contains(fragment)), "{row}");
            *carried.entry(&fact[2]).or_default() += 1;
        }
    }
    assert!(carried.len() == 4 && carried.values().all(|&n| n == 45), "{carried:?}");
    let edited = ["--fragment-campaigns", "5", "--fragment-accounts", "10", "--fragment-edits", "split,word8"];
    let more = ["--fragment-published", "--fragment-requests", "2", "--fragment-length", "120", "--compress"];
    let told = simulate("edited", &[&edited[..], &more[..]].concat());
    assert_eq!(told["summary"]["by_edit"]["fragment+word8+split"], 100);
    assert!(site.path("edited/fragments.csv.zst").exists());
    simulate("whole", &["--fragment-campaigns", "1", "--fragment-published"]);
    assert!(fragments("whole").values().all(|text| text.starts_with("You are an expert data analyst")));
    simulate("without", &[]);
    assert!(!site.path("without/fragments.csv").exists());
}

#[test]
fn fragment_flags_out_of_range_are_refused() {
    let site = Site::new();
    for (flag, value, wanted) in [
        ("--fragment-campaigns", "10001", "expected at most 10000 fragment campaigns, got 10001"),
        ("--fragment-accounts", "0", "expected between 1 and 100000 fragment accounts, got 0"),
        ("--fragment-requests", "0", "expected between 1 and 10000 fragment requests, got 0"),
        ("--fragment-length", "19", "expected a fragment length between 20 and 2000 characters, got 19"),
        ("--fragment-share", "0.95", "expected a fragment share between 0.02 and 0.9, got 0.95"),
        ("--fragment-edits", "words", "expected fragment edits among translation, "),
        ("--fragment-campaigns", "60", "expected campaigns to have at most half of the 2000 accounts"),
    ] {
        site.run(&["simulate", "--out", "x", flag, value]).refused(&[wanted]);
    }
}

#[test]
fn a_plan_is_planted_with_its_truth_by_exchange_and_by_account() {
    let site = Site::new();
    let plans = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/plans");
    for name in ["benchmark", "evasions"] {
        let path = plans.join(format!("{name}.toml")).display().to_string();
        let told = site.run(&["simulate", "--out", name, "--plan", &path, "--exchanges", "5000"]).ok().json();
        let plan: toml::Table = std::fs::read_to_string(&path).expect("a plan").parse().expect("TOML");
        for table in plan["campaign"].as_array().expect("campaigns") {
            let name = table["name"].as_str().expect("a name");
            let sent = told["summary"]["by_campaign"][name].as_u64();
            assert!(sent > Some(20), "{name}: {sent:?}");
        }
        for table in plan["benign"].as_array().expect("groups") {
            let name = table["name"].as_str().expect("a name");
            assert!(told["summary"]["by_group"][name].as_u64() > Some(7), "{name}");
        }
        assert_eq!(told["config"]["plan"]["world"]["exchanges"], 5000);
    }
    let truth = site.read("benchmark/truth.csv");
    assert_eq!(truth.lines().next(), Some("exchange_id,account,class,campaign,app,seed_id,edit,group"));
    let accounts = site.read("benchmark/accounts.csv");
    let of_account: BTreeMap<&str, Vec<&str>> =
        accounts.lines().map(|row| (row.split(',').next().expect("an account"), row.split(',').collect())).collect();
    // Whoever sends for a campaign or a group is of it, by the truth of accounts.
    for row in truth.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let own = &of_account[cells[1]];
        for (cell, column) in [(cells[3], 2), (cells[7], 3)] {
            assert!(cell.is_empty() || own[column].split(';').any(|name| name == cell), "{row}: {own:?}");
        }
    }
    let registered = site.read("benchmark/registry-app.jsonl");
    assert!(
        registered.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line["text"].is_string()))
    );
    let log = site.read("benchmark/logs/night-3.jsonl");
    let row: Value = serde_json::from_str(log.lines().next().expect("a row")).expect("JSON");
    assert!(row["attributes"]["registered"].as_str().is_some_and(|date| date.len() == 10), "{row}");
    let report = site.audit(&["benchmark/logs/night-1.jsonl", "--known", "benchmark/registry-app.jsonl"]).ok().json();
    assert_eq!(report["counts"]["rows_quarantined"], 0);
}

#[test]
fn a_plan_that_makes_no_sense_is_refused_with_its_name() {
    let site = Site::new();
    site.write("unknown.toml", "[[campaign]]\nname = 'x'\nkind = 'queue'\nspeed = 3\n");
    site.run(&["simulate", "--out", "x", "--plan", "unknown.toml"]).refused(&["unknown.toml", "speed"]);
    site.write("range.toml", "[[campaign]]\nname = 'x'\nkind = 'queue'\nrate = 0.0\n");
    site.run(&["simulate", "--out", "x", "--plan", "range.toml"])
        .refused(&["range.toml", "expected rate of campaign x between 0.01 and 10000, got 0"]);
    site.run(&["simulate", "--out", "x", "--plan", "missing.toml"]).refused(&["missing.toml"]);
    site.write("good.toml", "");
    assert_eq!(site.run(&["simulate", "--out", "x", "--plan", "good.toml", "--queue-campaigns", "2"]).code, 2);
}
