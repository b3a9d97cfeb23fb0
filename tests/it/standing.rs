//! What is kept of families from night to night is what counting all their requests gives, and what the tables of families by number
//! and by prompt say is what the catalog says.
//!
//! A copy of the store that has forgotten what it kept, and has none of those tables, must answer every look-up in the same words.

use super::{Site, row};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn catalog(site: &Site, store: &str) -> rusqlite::Connection {
    rusqlite::Connection::open(site.path(&format!("{store}/catalog.sqlite"))).expect("a catalog")
}

fn copy(site: &Site, to: &str) {
    let mut command = std::process::Command::new("cp");
    assert!(command.arg("-r").args([site.path("store"), site.path(to)]).status().expect("cp runs").success());
}

/// Makes the digests of the catalog those of its tables, which `verify` names.
fn sign(site: &Site, db: &rusqlite::Connection) {
    let told = site.run(&["store", "verify", "--store", "store"]);
    let told = format!("{}{}", told.out, told.err);
    for table in ["files", "meta"] {
        let Some(line) = told.lines().find(|line| line.contains(&format!("table {table},"))) else { continue };
        let (_, got) = line.split_once(" got ").expect("what is there");
        let (n, digest) = got.split_once(" with ").expect("rows and digest");
        let row = (n.parse::<u32>().expect("a number"), digest.trim(), table);
        db.execute("UPDATE digests SET n_rows = ?1, blake3 = ?2 WHERE name = ?3", row).expect("changed");
    }
    site.run(&["store", "verify", "--store", "store"]).ok();
}

/// Six nights with system prompts, earlier turns, fragments, and families that come back, grow and are merged.
fn nights(site: &Site) -> Vec<Vec<Value>> {
    let fragments = ["--fragment-campaigns", "3", "--fragment-accounts", "6", "--fragment-share", "0.2"];
    let sized = ["simulate", "--out", "sim", "--exchanges", "1500", "--days", "6", "--seed", "11"];
    site.run(&[&sized[..], &fragments].concat()).ok();
    let mut nights: Vec<Vec<Value>> = (1..=6)
        .map(|night| {
            let log = site.read(&format!("sim/logs/night-{night}.jsonl"));
            log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
        })
        .collect();
    let sent = |night: u64, i: u64, prompt: &str, more: &[(&str, Value)]| {
        let id = format!("own-{night}-{i}");
        let mut row = row(&id, &format!("account-{}", (i * 7 + night) % 9), night * 1_440 + i, prompt);
        more.iter().for_each(|(name, value)| row[*name] = value.clone());
        row
    };
    let said = |role: &str, text: &str| json!({ "role": role, "content": text });
    let template = "Act as a tireless grader of essays and give only the mark, with one short reason, for";
    for (night, rows) in (1u64..).zip(&mut nights) {
        // The same prompt every night, one that comes twice with two nights between, and near-duplicates of both.
        rows.push(sent(night, 0, "How many moons does the planet Jupiter have, and which is largest?", &[]));
        if night % 3 == 1 {
            rows.push(sent(night, 1, "Write a limerick about the lighthouse keeper of Ushant and his cat.", &[]));
            rows.push(sent(night, 2, "Write a limerick about the lighthouse keeper of Ushant and his dog.", &[]));
        }
        let system = [("system", json!(format!("You are the patient tutor number {} of a school.", night % 2)))];
        for i in 3..6 {
            rows.push(sent(night, i, &format!("{template} the essay number {i} of class {night}."), &system));
        }
        let turn = format!("{template} whatever stands in the {night}th attachment of this talk.");
        for i in 6..9 {
            let last = format!("And now number {}, please, with the reason first.", i * night);
            let mut row = sent(night, i, "", &[("conversation", json!(format!("talk-{night}-{i}")))]);
            row["prompt"] = json!([said("user", &turn), said("assistant", "Done."), said("user", &last)]);
            rows.push(row);
        }
    }
    nights
}

/// Every answer that reads what is kept.
fn answers(site: &Site, store: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut ask = |command: &[&str]| {
        let run = site.run(&[command, &["--store", store]].concat()).ok();
        out.insert(command.join(" "), run.out.clone());
        run.out
    };
    let list = ask(&["family", "list", "--most", "10000", "--trivial", "--format", "json"]);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let families = list["families"].as_array().expect("families");
    assert!(families.len() > 30, "{}", families.len());
    ask(&["family", "list", "--new"]);
    ask(&["family", "list", "--accounts", "3", "--since", "2026-11-23T00:00:00Z"]);
    let mut by_level: BTreeMap<&str, u32> = BTreeMap::new();
    for family in families {
        let n = by_level.entry(family["level"].as_str().expect("a level")).or_default();
        *n += 1;
        if *n <= 6 {
            ask(&["family", family["id"].as_str().expect("a name"), "--format", "json"]);
        }
    }
    assert!(by_level.len() >= 3, "{by_level:?}");
    for level in ["exact", "near-duplicate", "fragment", "system"] {
        ask(&["family", "list", "--level", level]);
    }
    for account in [0, 1, 2, 4, 5] {
        ask(&["account", &format!("account-{account}"), "--key", "key", "--format", "json"]);
    }
    ask(&["export", "families"]);
    ask(&["export", "members"]);
    // Counts of exchanges, prompts and accounts; the copies have other files.
    let stats = ask(&["store", "stats"]);
    let counts = stats.lines().next().and_then(|line| line.rsplit_once(", ")).expect("counts, then bytes").0;
    out.insert("store stats".into(), counts.into());
    out
}

/// Takes the tables of families and fragments out of a catalog, as a store of an older program has none.
fn take_tables(db: &rusqlite::Connection) {
    let kinds = "('families-by-number', 'fragments-by-number', 'assigned-by-prompt', 'links')";
    let n = db.execute(&format!("DELETE FROM files WHERE kind IN {kinds}"), []).expect("deleted");
    assert!(n >= 4, "{n} tables of families");
}

/// Answers of the store and of a copy that counts everything and reads families from the catalog.
#[track_caller]
fn counted_is_kept(site: &Site, name: &str) {
    let of_night = || {
        catalog(site, "store").query_row("SELECT value FROM meta WHERE name = 'kept-standings'", [], |row| row.get(0))
    };
    let of_night: String = of_night().expect("kept");
    let last = || catalog(site, "store").query_row("SELECT MAX(night) FROM nights", [], |row| row.get::<_, u32>(0));
    assert_eq!(of_night, last().expect("a night").to_string(), "{name}: standings are kept");
    copy(site, name);
    let db = catalog(site, name);
    db.execute("DELETE FROM meta WHERE name = 'kept-standings' OR name LIKE 'totals-%'", []).expect("deleted");
    take_tables(&db);
    let (kept, counted) = (answers(site, "store"), answers(site, name));
    for (command, kept) in &kept {
        assert_eq!(Some(kept), counted.get(command), "{name}: {command}");
    }
}

#[test]
fn kept_night_by_night_is_counted_at_once() {
    let site = Site::new();
    let nights = nights(&site);
    for (i, rows) in (1..).zip(&nights) {
        let name = format!("night-{i}.jsonl");
        site.log(&name, rows);
        site.audit(&[&name]).ok();
        // As behind a writer that was killed between its two commits: the next begins with what is left to do.
        if i == 3 {
            let db = catalog(&site, "store");
            db.execute("UPDATE meta SET value = '2' WHERE name = 'kept-standings'", []).expect("changed");
            db.execute(
                "DELETE FROM files WHERE night = 3 AND kind IN ('facts', 'uses', 'uses-by-account', 'activity')",
                [],
            )
            .expect("deleted");
            sign(&site, &db);
        } else if i == 5 {
            // As a store of an older program: the next night begins with the tables of all nights.
            let db = catalog(&site, "store");
            take_tables(&db);
            sign(&site, &db);
        } else if i % 2 == 0 {
            counted_is_kept(&site, &format!("counted-{i}"));
        }
    }
    site.run(&["store", "forget", "--store", "store", "--account", "account-3", "--key", "key"]).ok();
    counted_is_kept(&site, "forgotten");
    site.log(
        "again.jsonl",
        &nights[2]
            .iter()
            .map(|row| {
                let mut row = row.clone();
                row["id"] = format!("again-{}", row["id"].as_str().unwrap_or_default()).into();
                row
            })
            .collect::<Vec<_>>(),
    );
    site.audit(&["again.jsonl"]).ok();
    counted_is_kept(&site, "after");
}
