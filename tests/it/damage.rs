//! Damage of a store: every changed byte and every changed value is found and named, and no look-up falls over one.
//!
//! A small real store is spoiled at seeded places, one at a time, and asked in this process, so that a panic shows with the place
//! that caused it. Weakness: a look-up on damaged files may answer wrongly; only a checked one may not, and that is held here.

use super::{Site, campaign};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use stillhunt::embed::Model;
use stillhunt::ids::Level;
use stillhunt::lookup::{ListQuery, Opened, SimilarQuery, export_families, export_members, report};
use stillhunt::store::Store;
use stillhunt::store::tables;
use stillhunt::store::verify::{Damage, verify};
use stillhunt::stored::AuditConfig;

/// Random places in each file, beside the first and the last byte. More with `STILLHUNT_FLIPS`.
fn n_flips() -> usize {
    std::env::var("STILLHUNT_FLIPS").map_or(4, |n| n.parse().expect("a number"))
}

fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let read =
            |name: &str| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(name)).expect(name);
        let romanise = read("romanise.json");
        Model::from_parts(&read("config.json"), &read("tokenizer.json"), &read("model.safetensors"), Some(&romanise))
            .expect("the shipped model")
    })
}

/// Two nights with families of every level, long prompts, system prompts and earlier turns.
fn two_nights() -> Site {
    let site = Site::new();
    let fragments = ["--fragment-campaigns", "2", "--fragment-accounts", "6", "--fragment-share", "0.2"];
    let sized = ["simulate", "--out", "sim", "--exchanges", "300", "--days", "2", "--seed", "6"];
    site.run(&[&sized[..], &fragments].concat()).ok();
    let mut rows = campaign("c", 6);
    for (i, row) in rows.iter_mut().enumerate() {
        row["system"] = "You are a patient teacher of mathematics. Show every step and never skip one, please.".into();
        row["conversation"] = format!("talk-{i}").into();
        let said = |role: &str, text: String| serde_json::json!({ "role": role, "content": text });
        let earlier = format!("An earlier question, number {i}, before the problem.");
        let prompt = row["prompt"].as_str().expect("a prompt").to_owned();
        row["prompt"] =
            serde_json::json!([said("user", earlier), said("assistant", "Yes.".into()), said("user", prompt)]);
    }
    rows.push(super::row("long", "l", 3, &"A sentence of a long text that goes on and on. ".repeat(60)));
    site.log("more.jsonl", &rows);
    site.audit(&["sim/logs/night-1.jsonl", "more.jsonl"]).ok();
    site.audit(&["sim/logs/night-2.jsonl"]).ok();
    site
}

/// What an investigator asks, with names that the healthy store knows.
struct Asked {
    text: String,
    exchange: String,
    families: Vec<String>,
    account: String,
}

impl Asked {
    fn of(site: &Site) -> Self {
        let members = site.members("store");
        let ((exchange, _), (_, account, _)) = members.0.iter().next().expect("a member");
        let mut families: Vec<String> = Vec::new();
        for level in ["exact", "near-duplicate"] {
            families.extend(members.families(level).keys().take(1).map(|name| (*name).to_owned()));
        }
        families.extend(members.1.iter().take(1).map(|[_, _, family]| family.clone()));
        assert_eq!(families.len(), 3, "a family of each level");
        let text = campaign("c", 9)[8]["prompt"].as_str().expect("a prompt").to_owned();
        Self { text, exchange: exchange.clone(), families, account: account.clone() }
    }

    /// Every look-up on the store at `dir`: its answer, or its error.
    fn answers(&self, dir: &Path) -> Vec<Result<String, String>> {
        type Answer = stillhunt::error::Result<String>;
        let config = AuditConfig::default();
        let open = || Opened::open(Store::open(dir)?, model(), &config);
        let list = ListQuery { most: 50, least_accounts: 1, trivial: true, ..ListQuery::default() };
        let similar = |text: &str| -> Answer {
            let query = SimilarQuery { text: text.to_owned(), k: 10, ..SimilarQuery::default() };
            Ok(json(&open()?.similar(&query)?))
        };
        let mut out = vec![
            similar(&self.text),
            (|| similar(&open()?.prompt_of(&self.exchange)?))(),
            (|| Ok(json(&export_families(&Store::open(dir)?, &list)?)))(),
            (|| Ok(json(&open()?.account(self.account.parse().expect("a pseudonym"))?)))(),
            (|| {
                Ok(stillhunt::report::json::write(&report(
                    &Store::open(dir)?,
                    &stillhunt::report::Counts::default(),
                    &config,
                    stillhunt::lookup::MOST_FAMILIES,
                )?))
            })(),
            (|| {
                let mut csv = Vec::new();
                export_members(&Store::open(dir)?, &[Level::Exact, Level::NearDuplicate, Level::Fragment], &mut csv)?;
                Ok(String::from_utf8_lossy(&csv).into_owned())
            })(),
        ];
        for family in &self.families {
            out.push((|| Ok(json(&open()?.family(family.parse().expect("a family"), usize::MAX)?)))());
        }
        out.into_iter().map(|answer| answer.map_err(|error| error.to_string())).collect()
    }

    /// The same, and a panic fails with the place.
    #[track_caller]
    fn no_panic(&self, dir: &Path, place: &str) -> Vec<Result<String, String>> {
        catch_unwind(AssertUnwindSafe(|| self.answers(dir))).unwrap_or_else(|_| panic!("a look-up fell over {place}"))
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("JSON")
}

fn damage(dir: &Path) -> Vec<Damage> {
    verify(dir).expect("the store opens").damage
}

/// Writes a file, whatever it was.
fn put(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).expect("written");
}

fn named_files(site: &Site) -> Vec<(String, PathBuf)> {
    let store = Store::open(&site.path("store")).expect("a store");
    let files: Vec<(String, PathBuf)> =
        store.files().iter().map(|file| (file.name.clone(), store.path(file))).collect();
    assert!(files.len() >= 36, "{}", files.len());
    files
}

#[test]
fn a_changed_byte_of_any_file_is_named_and_no_look_up_falls_over_it() {
    let site = two_nights();
    let (dir, asked) = (site.path("store"), Asked::of(&site));
    let healthy = asked.answers(&dir);
    assert!(healthy.iter().all(Result::is_ok), "{healthy:?}");
    assert_eq!(damage(&dir), []);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut flips, mut refused, mut other) = (0, 0, 0);
    for (name, path) in named_files(&site) {
        let bytes = std::fs::read(&path).expect("a file");
        let mut places = vec![0, bytes.len() - 1];
        places.extend((0..n_flips()).map(|_| rng.random_range(0..bytes.len())));
        for place in places {
            let mut spoiled = bytes.clone();
            spoiled[place] ^= 1 << rng.random_range(0..8);
            put(&path, &spoiled);
            let found = damage(&dir);
            assert!(found.len() == 1 && found[0].name == name && !found[0].missing, "{name}, byte {place}: {found:?}");
            for (answer, healthy) in asked.no_panic(&dir, &format!("{name}, byte {place}")).iter().zip(&healthy) {
                refused += u32::from(answer.is_err());
                other += u32::from(answer.is_ok() && answer != healthy);
            }
            flips += 1;
        }
        put(&path, &bytes);
    }
    println!("{flips} bytes were changed: {refused} look-ups refused, {other} answered something else");
    assert_eq!(asked.answers(&dir), healthy);
}

#[test]
fn cut_and_missing_files_are_named() {
    let site = two_nights();
    let (dir, asked) = (site.path("store"), Asked::of(&site));
    let files = named_files(&site);
    for (name, path) in &files {
        let bytes = std::fs::read(path).expect("a file");
        for length in [0, 7, bytes.len() / 2, bytes.len() - 1] {
            put(path, &bytes[..length.min(bytes.len() - 1)]);
            let found = damage(&dir);
            assert!(found.len() == 1 && found[0].name == *name, "{name} cut to {length}: {found:?}");
            asked.no_panic(&dir, &format!("{name} cut to {length}"));
        }
        std::fs::remove_file(path).expect("removed");
        let found = damage(&dir);
        assert!(found.len() == 1 && found[0].name == *name && found[0].missing, "{name}: {found:?}");
        asked.no_panic(&dir, &format!("{name} missing"));
        put(path, &bytes);
    }
    // All damage is told, not only the first, and a checked answer is an error.
    put(&files[0].1, b"");
    put(&files[9].1, b"");
    let told =
        site.run(&["store", "verify", "--store", "store"]).refused(&["found 2 damaged files or tables", "hint: "]);
    for (name, _) in [&files[0], &files[9]] {
        assert!(told.err.contains(&format!("error: {name} is not as it was written")), "{}", told.err);
    }
    for command in [
        &["similar", "a ferry"][..],
        &["family", "list"],
        &["family", &asked.families[0]],
        &["account", &asked.account],
        &["export", "members"],
        &["export", "families"],
    ] {
        site.run(&[command, &["--store", "store", "--checked"]].concat()).refused(&[
            &files[0].0,
            "is not as it was written",
            "(and 1 more)",
            "hint: restore it from a backup",
        ]);
    }
}

#[test]
fn a_checked_answer_of_a_whole_store_is_the_answer() {
    let site = two_nights();
    for command in [&["export", "members"][..], &["family", "list", "--format", "json"], &["similar", "a ferry"]] {
        let ask = |more: &[&str]| site.run(&[command, &["--store", "store"], more].concat()).ok().out;
        assert_eq!(ask(&["--checked"]), ask(&[]));
    }
}

/// A catalog that is spoiled and mended again.
struct Spoiled {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Spoiled {
    fn new(site: &Site) -> Self {
        let path = site.path("store/catalog.sqlite");
        Self { bytes: std::fs::read(&path).expect("a catalog"), path }
    }

    fn sql(&self, statement: &str) -> usize {
        let db = rusqlite::Connection::open(&self.path).expect("a catalog");
        let changed = db.execute(statement, []).unwrap_or_else(|cause| panic!("{statement}: {cause}"));
        db.close().expect("closed");
        changed
    }

    fn mend(&self) {
        for side in ["catalog.sqlite-wal", "catalog.sqlite-shm"] {
            let _ = std::fs::remove_file(self.path.with_file_name(side));
        }
        put(&self.path, &self.bytes);
    }
}

/// What verify says, whether the store opens or not.
fn told(dir: &Path) -> String {
    match verify(dir) {
        Ok(verified) => verified.damage.iter().map(|damage| format!("{damage}\n")).collect(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_column_of_every_catalog_table_is_checked() {
    let site = two_nights();
    let (dir, asked) = (site.path("store"), Asked::of(&site));
    let catalog = Spoiled::new(&site);
    let db = rusqlite::Connection::open(&catalog.path).expect("a catalog");
    let names = |query: &str| -> Vec<(String, String)> {
        let mut statement = db.prepare(query).expect("a query");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<rusqlite::Result<_>>().expect("rows")
    };
    let tables = names("SELECT name, sql FROM sqlite_schema WHERE type = 'table'");
    let columns: Vec<(String, Vec<(String, String)>)> = tables
        .iter()
        .map(|(table, _)| (table.clone(), names(&format!("SELECT name, type FROM pragma_table_info('{table}')"))))
        .collect();
    let rows = |table: &str| -> i64 {
        db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count")
    };
    let counts: Vec<i64> = columns.iter().map(|(table, _)| rows(table)).collect();
    drop(db);
    assert!(columns.len() >= 9 && counts.iter().all(|&n| n > 0), "{columns:?} {counts:?}");
    let mut changed = 0;
    let mut spoil = |table: &str, statement: &str| {
        if catalog.sql(statement) > 0 || statement.starts_with("DROP") {
            let said = told(&dir);
            let place = if table == "digests" { "table " } else { &format!("table {table}") };
            assert!(said.contains(place), "{statement}: {said}");
            asked.no_panic(&dir, statement);
            let run = site.run(&["store", "verify", "--store", "store"]).refused(&[place]);
            assert!(run.err.contains("catalog.sqlite"), "{}", run.err);
            changed += 1;
        }
        catalog.mend();
    };
    for (table, columns) in &columns {
        for row in ["min", "max"] {
            let place = format!("rowid = (SELECT {row}(rowid) FROM {table})");
            for (column, kind) in columns {
                let values: &[&str] = match kind.as_str() {
                    "INTEGER" => &["+ 1", "- 1", "+ 4294967296", "- 9000000000000000000"],
                    _ => &["|| 'x'"],
                };
                for value in values {
                    // A value that some row has already is no change that a unique column lets through.
                    let old = format!("coalesce({column}, 0) {value}");
                    spoil(table, &format!("UPDATE OR IGNORE {table} SET {column} = {old} WHERE {place}"));
                }
                if kind == "TEXT" {
                    let bytes = "CAST(x'ff80' AS TEXT)";
                    spoil(table, &format!("UPDATE OR IGNORE {table} SET {column} = {bytes} WHERE {place}"));
                }
            }
            spoil(table, &format!("DELETE FROM {table} WHERE {place}"));
        }
        spoil(table, &format!("DROP TABLE {table}"));
    }
    spoil("digests", "INSERT INTO digests VALUES ('nothing', 0, '')");
    println!("{changed} changes of the catalog, each named");
    assert_eq!(told(&dir), "");
    // A writer does not put a good digest over a damaged value.
    catalog.sql("UPDATE accounts SET night = night + 1 WHERE account = 3");
    site.log("new.jsonl", &campaign("n", 3));
    site.audit(&["new.jsonl"]).refused(&["catalog.sqlite, table accounts, is not as it was written", "hint: restore"]);
    site.run(&["export", "members", "--store", "store", "--checked"]).refused(&["table accounts"]);
}

#[test]
fn a_changed_byte_of_the_catalog_is_found_or_changes_no_answer() {
    let site = two_nights();
    let (dir, asked) = (site.path("store"), Asked::of(&site));
    let (catalog, healthy) = (Spoiled::new(&site), asked.answers(&dir));
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let n = 20 * n_flips();
    let mut found = 0;
    for _ in 0..n {
        let place = rng.random_range(0..catalog.bytes.len());
        let mut spoiled = catalog.bytes.clone();
        spoiled[place] ^= 1 << rng.random_range(0..8);
        put(&catalog.path, &spoiled);
        let answers = asked.no_panic(&dir, &format!("catalog.sqlite, byte {place}"));
        match told(&dir).as_str() {
            "" => assert_eq!(answers, healthy, "byte {place} of catalog.sqlite changes an answer and is not found"),
            _ => found += 1,
        }
        catalog.mend();
    }
    println!("{found} of {n} changed bytes of the catalog were found; the others change no answer");
    // Most of a small catalog is room for more.
    assert!(found * 10 > n, "{found}");
}

/// Where the number of its format stands in a file, and what is there.
fn number_at(name: &str, bytes: &[u8]) -> usize {
    if !name.ends_with(".parquet") {
        return 7;
    }
    let key = b"stillhunt.format";
    let at =
        bytes.windows(key.len()).rposition(|window| window == key).unwrap_or_else(|| panic!("{name} has no number"));
    // Behind the key stand the type and the length of the value.
    at + key.len() + 2
}

#[test]
fn a_file_of_another_format_is_refused_by_name_and_number() {
    let site = two_nights();
    // Of every field something new, so that a night reads all that nights before it left.
    let message = |role: &str, text: String| serde_json::json!({ "role": role, "content": text });
    let mut rows = campaign("n", 3);
    for (i, row) in rows.iter_mut().enumerate() {
        row["system"] =
            format!("Answer new question {i} in the manner of a patient librarian of the old school.").into();
        let earlier = format!("New and earlier question {i}, which somebody asked before the one that counts.");
        let prompt = row["prompt"].as_str().expect("a prompt").to_owned();
        row["prompt"] = serde_json::json!([message("user", earlier), message("user", prompt)]);
    }
    site.log("new.jsonl", &rows);
    let copy = |from: &str, to: &str| {
        let mut command = std::process::Command::new("cp");
        assert!(command.arg("-r").args([site.path(from), site.path(to)]).status().expect("cp runs").success());
    };
    copy("store", "healthy");
    for (name, path) in named_files(&site) {
        let bytes = std::fs::read(&path).expect("a file");
        let at = number_at(&name, &bytes);
        // What is kept of rings has changed its form six times, and what was found five times.
        let format = match () {
            () if name.starts_with("shared/rings-0") => 7,
            () if name.starts_with("shared/rings-found") => 6,
            () => 1,
        };
        assert_eq!(bytes[at], b'0' + format, "{name}");
        let mut newer = bytes.clone();
        newer[at] = b'9';
        put(&path, &newer);
        // These are kept for other tools; no look-up reads their texts, or who is in which family, as a table.
        let of_others = [("turns.parquet", "text"), ("systems.parquet", "text"), ("assigned.parquet", "family")];
        if let Some((_, column)) = of_others.into_iter().find(|(ending, _)| name.ends_with(ending)) {
            let error = tables::read(&path, &[column], None).err().expect("refused").to_string();
            assert!(error.contains(".parquet: expected a table of format 1, got format 9"), "{error}");
        } else {
            // What no look-up reads, the next night does, or the one behind that.
            let audit = &["audit", "new.jsonl", "--key", "key"][..];
            let account = &["account", "c-account-0", "--key", "key"][..];
            let commands = [&["export", "members"][..], &["family", "list"], account, audit, audit];
            let mut runs = commands.iter().map(|command| site.run(&[*command, &["--store", "store"]].concat()));
            let refused = runs.find(|run| run.code != 0).unwrap_or_else(|| panic!("nobody minds {name}"));
            // An export is a stream, whose head may be out by then.
            let formats = format!("of format {format}, got format 9");
            let parts = [name.as_str(), &formats, "hint: "];
            assert!(refused.code == 2 && parts.iter().all(|part| refused.err.contains(part)), "{}", refused.err);
            assert!(!refused.err.contains("panicked"), "{}", refused.err);
        }
        std::fs::remove_dir_all(site.path("store")).expect("removed");
        copy("healthy", "store");
    }
    assert_eq!(damage(&site.path("store")), []);
}

/// Commits over a catalog that grows keep it whole. `STILLHUNT_ACCOUNTS=1000000 cargo test --release --test it
/// cost_of_a_commit -- --nocapture` prints what its digests cost at that size.
#[test]
fn cost_of_a_commit() {
    use std::time::Instant;
    use stillhunt::store::Writer;
    let dir = tempfile::tempdir().expect("a directory");
    let store = dir.path().join("store");
    let (mut writer, _) = Writer::open(&store, "a measurement", &[]).expect("a store");
    let most: u32 = std::env::var("STILLHUNT_ACCOUNTS").map_or(10_000, |n| n.parse().expect("a number"));
    for (n, first) in [(most / 10, 0), (most, most / 10)] {
        let fill = Instant::now();
        writer
            .record(|db| {
                let mut insert = db.prepare("INSERT INTO accounts VALUES (?1, ?2, 1)")?;
                (first..n).try_for_each(|i| insert.execute((i, format!("a{i:024x}"))).map(|_| ()))
            })
            .expect("filled");
        let fill = fill.elapsed();
        let few = Instant::now();
        writer
            .record(|db| db.execute("INSERT OR REPLACE INTO meta VALUES ('x', '1')", []).map(|_| ()))
            .expect("a commit");
        let few = few.elapsed();
        drop(writer);
        let open = Instant::now();
        writer = Writer::open(&store, "a measurement", &[]).expect("a store").0;
        let open = open.elapsed();
        let check = Instant::now();
        assert_eq!(told(&store), "");
        println!(
            "{n} accounts: filled in {fill:.2?}, a commit of one row {few:.2?}, a writer opens in {open:.2?}, verify {:.2?}",
            check.elapsed()
        );
    }
}
