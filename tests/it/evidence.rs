//! Evidence bundles as a stranger meets them: verified with the public key alone, replayed from the inputs, disclosed in part; and the chain of
//! custody of a store, which shows what was taken out of it.

use super::rings::nights;
use super::watermark::marked;
use super::{Run, Site, campaign};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A site with a signing key, its public part, and a watermark result `r.json` of a marked text.
fn with_result() -> Site {
    let site = marked("gumbel");
    keygen(&site, "signer");
    let args = ["watermark", "detect", "t.jsonl", "--key-file", "k.toml", "--format", "json", "--decoys", "50"];
    let result = site.run(&args).ok();
    site.write("r.json", result.out);
    site
}

fn keygen(site: &Site, name: &str) {
    let made = site.run(&["evidence", "keygen", "--out", name]).ok();
    site.write(&format!("{name}.pub"), made.out);
}

/// Bundles `r.json` as `b` and `b.tar.zst`.
fn bundled() -> Site {
    let site = with_result();
    site.run(&["evidence", "bundle", "r.json", "--out", "b", "--sign", "signer", "--inputs", ".", "--archive"]).ok();
    site
}

fn verify(site: &Site, bundle: &str) -> Run {
    site.run(&["evidence", "verify", bundle, "--public", "signer.pub"])
}

/// The run failed at this step.
#[track_caller]
fn at_step(run: Run, step: &str) {
    run.refused(&[&format!("step: {step}\n")]);
}

/// All files below a directory.
fn files(dir: &Path) -> Vec<PathBuf> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { out.extend(files(&path)) } else { out.push(path) }
    }
    out.sort();
    out
}

#[test]
fn a_signing_key_is_private_and_never_overwritten() {
    let site = Site::new();
    keygen(&site, "signer");
    let mode = std::fs::metadata(site.path("signer")).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(site.read("signer.pub").starts_with("-----BEGIN PUBLIC KEY-----\n"));
    let before = site.read("signer");
    site.run(&["evidence", "keygen", "--out", "signer"]).refused(&["expected nothing at signer"]);
    assert_eq!(site.read("signer"), before);
    // A key that others may read signs nothing.
    std::fs::set_permissions(site.path("signer"), std::fs::Permissions::from_mode(0o644)).expect("set");
    site.write("r.json", "{}");
    let run = site.run(&["evidence", "bundle", "r.json", "--out", "b", "--sign", "signer"]);
    run.refused(&["may be read by others", "chmod 600"]);
}

#[test]
fn a_bundle_is_verified_by_its_public_key_and_a_change_of_any_file_is_named() {
    let site = bundled();
    let told = verify(&site, "b").ok();
    assert!(told.out.contains("verified") && told.out.contains("results/1.json"), "{}", told.out);
    verify(&site, "b.tar.zst").ok();
    assert_eq!(site.read("b/results/1.json"), site.read("r.json"), "a result is kept as it was printed");
    let key = site.read("k.toml");
    let secret = key.lines().find_map(|line| line.strip_prefix("key = ")).expect("a key").trim_matches('"').to_owned();
    for path in files(&site.path("b")) {
        let whole = std::fs::read(&path).expect("read");
        assert!(!String::from_utf8_lossy(&whole).contains(&secret), "{} has the key", path.display());
        let name = path.strip_prefix(site.path("b")).expect("below").display().to_string();
        let mut changed = whole.clone();
        changed[whole.len() / 2] ^= 1;
        std::fs::write(&path, changed).expect("written");
        let run = verify(&site, "b");
        let steps = match name.as_str() {
            "envelope.dsse.json" => vec!["step: envelope\n".to_owned(), "step: signature\n".to_owned()],
            "manifest.json" => vec!["step: manifest\n".to_owned()],
            name => vec![format!("step: file:{name}\n")],
        };
        assert!(run.code == 2 && steps.iter().any(|step| run.err.contains(step)), "{name}: {}", run.err);
        std::fs::remove_file(&path).expect("removed");
        assert_eq!(verify(&site, "b").code, 2, "{name} is gone");
        std::fs::write(&path, whole).expect("written");
    }
    verify(&site, "b").ok();
    site.write("b/more.txt", "x");
    at_step(verify(&site, "b"), "file:more.txt");
    std::fs::remove_file(site.path("b/more.txt")).expect("removed");
    std::os::unix::fs::symlink(site.path("r.json"), site.path("b/more.json")).expect("a link");
    at_step(verify(&site, "b"), "layout");
    std::fs::remove_file(site.path("b/more.json")).expect("removed");
    keygen(&site, "other");
    at_step(site.run(&["evidence", "verify", "b", "--public", "other.pub"]), "signature");
    // The same result, signed by another: each part alone is good, together they are not.
    site.run(&["evidence", "bundle", "r.json", "--out", "c", "--sign", "other"]).ok();
    std::fs::copy(site.path("c/envelope.dsse.json"), site.path("b/envelope.dsse.json")).expect("copied");
    at_step(verify(&site, "b"), "signature");
    site.run(&["evidence", "bundle", "r.json", "--out", "c", "--sign", "other"]).refused(&["expected nothing at c"]);
    let shown = site.run(&["evidence", "show", "c"]).ok();
    for part in ["Null hypothesis", "Alternative explanations", "probability of guilt", "Marked"] {
        assert!(shown.out.contains(part), "{part} in\n{}", shown.out);
    }
    assert!(shown.err.contains("nothing of this is verified"));
}

#[test]
fn hostile_archives_are_refused_by_name() {
    let site = bundled();
    let whole = std::fs::read(site.path("b.tar.zst")).expect("read");
    for length in [3, 10, 1000, whole.len() / 2, whole.len() - 1] {
        site.write("cut.tar.zst", &whole[..length]);
        at_step(verify(&site, "cut.tar.zst"), "archive");
    }
    // What another program packs: absolute paths, ways out, links, the same name twice, directories.
    let tar = |name: &str, args: &[&str]| {
        let packed = Command::new("tar")
            .current_dir(site.dir.path())
            .arg("--zstd")
            .args(["-P", "-cf", name])
            .args(args)
            .output();
        packed.is_ok_and(|out| out.status.success())
    };
    std::fs::create_dir_all(site.path("evidence")).expect("made");
    site.write("evidence/manifest.json", "{}");
    std::os::unix::fs::symlink("/etc/passwd", site.path("evidence/link")).expect("a link");
    let absolute = site.path("r.json").display().to_string();
    let cases: [&[&str]; 5] = [
        &[&absolute],
        &["evidence/../r.json"],
        &["evidence/link"],
        &["evidence/manifest.json", "evidence/manifest.json"],
        &["evidence"],
    ];
    for (i, args) in cases.iter().enumerate() {
        let name = format!("hostile-{i}.tar.zst");
        if !tar(&name, args) {
            println!("skipped: tar with zstd is absent");
            return;
        }
        at_step(verify(&site, &name), "archive");
    }
}

#[test]
fn a_replay_finds_its_inputs_by_digest_and_every_number_is_the_same() {
    let site = bundled();
    std::fs::create_dir_all(site.path("inputs/deep")).expect("made");
    std::fs::copy(site.path("t.jsonl"), site.path("inputs/deep/renamed.bin")).expect("copied");
    let replay = |more: &[&str]| {
        let mut args = vec!["evidence", "replay", "b", "--inputs", "inputs", "--public", "signer.pub"];
        args.extend(more);
        site.run(&args)
    };
    at_step(replay(&[]), "commitment:k.toml");
    // Another key is not the one that was committed to, even where its file has the same name.
    super::watermark::private(
        &site,
        "inputs/k.toml",
        &site.read("k.toml").replace("vocab_size = 600", "vocab_size = 601"),
    );
    at_step(replay(&[]), "commitment:k.toml");
    super::watermark::private(&site, "inputs/another-name.toml", &site.read("k.toml"));
    std::fs::remove_file(site.path("inputs/k.toml")).expect("removed");
    let one = replay(&["--threads", "1"]).ok();
    let two = replay(&["--threads", "2"]).ok();
    assert_eq!(one.out, two.out);
    assert!(one.out.contains("results/1.json: every number is the same"), "{}", one.out);
    site.write("inputs/deep/renamed.bin", "{\"tokens\":[1,2,3]}\n");
    at_step(replay(&[]), "input:t.jsonl");
}

/// Where a mark stands is part of a result: it is in the report, and a replay makes it again, from a file in another directory.
#[test]
fn places_are_bundled_reported_and_replayed() {
    let site = with_result();
    super::watermark::hidden(&site);
    std::fs::create_dir_all(site.path("in")).expect("made");
    std::fs::rename(site.path("hidden.jsonl"), site.path("in/hidden.jsonl")).expect("moved");
    let args = ["watermark", "detect", "in/hidden.jsonl", "--key-file", "k.toml", "--format", "json", "--decoys", "50"];
    let result = site.run(&[&args[..], &["--where", "--where-alpha", "0.02"]].concat()).ok();
    site.write("r.json", &result.out);
    site.run(&["evidence", "bundle", "r.json", "--out", "b", "--sign", "signer"]).ok();
    let report = site.read("b/report.md");
    assert!(report.contains("Where the mark of") && report.contains("1 of 6 documents are named"), "{report}");
    let replay = ["evidence", "replay", "b", "--inputs", ".", "--public", "signer.pub"];
    let told = site.run(&replay).ok().out;
    assert!(told.contains("every number is the same"), "{told}");
    let other = result.out.replace("\"named\": 1,", "\"named\": 2,");
    assert_ne!(other, result.out);
    site.write("r.json", other);
    site.run(&["evidence", "bundle", "r.json", "--out", "c", "--sign", "signer"]).ok();
    site.run(&["evidence", "replay", "c", "--inputs", "."]).refused(&["/results/0/where/named", "expected 2, got 1"]);
}

/// Whoever signs a number that the inputs do not give is found out.
#[test]
fn a_replay_names_the_first_number_that_differs() {
    let site = with_result();
    let result = site.read("r.json");
    let honest: Value = serde_json::from_str(&result).expect("JSON");
    let scored = honest["results"][0]["scored"].as_u64().expect("a number");
    site.write("r.json", result.replace(&format!("\"scored\": {scored}"), &format!("\"scored\": {}", scored + 1)));
    site.run(&["evidence", "bundle", "r.json", "--out", "b", "--sign", "signer"]).ok();
    verify(&site, "b").ok();
    let run = site.run(&["evidence", "replay", "b", "--inputs", "."]);
    run.refused(&["step: replay:results/1.json/results/0/scored\n", &format!("expected {}, got {scored}", scored + 1)]);
    // A recipe that asks for more than a replay does not get into a bundle.
    site.write("evil.json", result.replace("\"--alpha=0.000001\"", "\"--trace=/x\""));
    let told = site.run(&["evidence", "bundle", "evil.json", "--out", "c", "--sign", "signer"]).ok();
    assert!(told.err.contains("cannot be replayed") && told.err.contains("--trace"), "{}", told.err);
    assert!(!site.read("c/recipes.json").contains("arguments"), "no command line of it is left");
    at_step(site.run(&["evidence", "replay", "c", "--inputs", "."]), "recipes");
}

/// Results about standard input, or with keys that cannot be committed to, are bundled with the reason why they have no recipe.
#[test]
fn what_cannot_be_replayed_says_so() {
    let site = with_result();
    let text = site.read("t.jsonl");
    let args = ["watermark", "detect", "-", "--key-file", "k.toml", "--format", "json", "--decoys", "50"];
    let run = site.run_with(&args, text.as_bytes()).ok();
    assert!(run.err.contains("carries no recipe"), "{}", run.err);
    assert_eq!(run.json()["recipe"], Value::Null);
    site.write("r.json", run.out);
    site.run(&["evidence", "bundle", "r.json", "--out", "b", "--sign", "signer"]).ok();
    verify(&site, "b").ok();
    at_step(site.run(&["evidence", "replay", "b", "--inputs", "."]), "recipes");
}

#[test]
fn keys_that_follow_from_a_root_are_replayed_with_the_root() {
    let site = with_result();
    site.run(&["watermark", "keygen", "root.toml", "--root"]).ok();
    let vocab =
        "scheme = \"gumbel\"\ndialect = \"native\"\nvocab_size = 600\nroot = \"root.toml\"\npath = \"a/m/c-{1..2}\"\n";
    super::watermark::private(&site, "range.toml", vocab);
    let args = ["watermark", "detect", "t.jsonl", "--key-file", "range.toml", "--format", "json", "--decoys", "20"];
    site.write("r.json", site.run(&args).ok().out);
    site.run(&["evidence", "bundle", "r.json", "--out", "b", "--sign", "signer"]).ok();
    let commitment = site.run(&["watermark", "commit", "root.toml"]).ok().out;
    let listed = site.read("b/commitments.json");
    assert!(listed.contains(commitment.split_whitespace().next().expect("a digest")), "{listed}");
    // What is committed to before the test is the root with the scheme and the paths, and the bundle lists just that.
    let commit = |more: &[&str]| {
        let told = site.run(&[&["watermark", "commit", "range.toml"], more].concat()).ok().out;
        told.split_whitespace().next().expect("a digest").to_owned()
    };
    let of_range = commit(&[]);
    assert!(listed.contains(&of_range), "{of_range} in {listed}");
    assert_eq!(of_range, commit(&["--root", "root.toml"]));
    assert_eq!(of_range, commit(&["--paths", "a/m/c-{1..2}"]));
    let others = [commit(&["--paths", "a/m/c-{1..3}"]), {
        site.run(&["watermark", "keygen", "other.toml", "--root"]).ok();
        commit(&["--root", "other.toml"])
    }];
    assert!(!others.contains(&of_range) && others[0] != others[1]);
    site.run(&["evidence", "replay", "b", "--inputs", "."]).ok();
    // Other paths than were committed to are not the key of this result.
    site.write("elsewhere/t.jsonl", site.read("t.jsonl"));
    super::watermark::private(&site, "elsewhere/root.toml", &site.read("root.toml"));
    site.write("elsewhere/range.toml", vocab.replace("{1..2}", "{1..3}"));
    at_step(site.run(&["evidence", "replay", "b", "--inputs", "elsewhere"]), "commitment:range.toml");
    // Paths of the command line in the place of the file's.
    let with = [&args[..], &["--paths", "a/m/c-7"]].concat();
    site.write("r.json", site.run(&with).ok().out);
    site.run(&["evidence", "bundle", "r.json", "--out", "c", "--sign", "signer"]).ok();
    assert!(site.read("c/commitments.json").contains(&commit(&["--paths", "a/m/c-7"])));
    site.run(&["evidence", "replay", "c", "--inputs", "."]).ok();
}

/// The script that is in every bundle, where Python has what it needs.
#[test]
fn the_script_verifies_without_this_program() {
    let python = std::env::var("STILLHUNT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "import blake3, cryptography"]).output();
    if !has.is_ok_and(|out| out.status.success()) {
        println!("skipped: the_script_verifies_without_this_program (python3 with blake3 and cryptography)");
        return;
    }
    let site = bundled();
    let script = |bundle: &str| {
        let run = Command::new(&python)
            .current_dir(site.dir.path())
            .args(["b/verify_bundle.py", bundle, "signer.pub"])
            .output();
        let run = run.expect("it starts");
        (run.status.code(), String::from_utf8_lossy(&run.stderr).into_owned())
    };
    assert_eq!(script("b").0, Some(0), "{}", script("b").1);
    for path in files(&site.path("b")) {
        let name = path.strip_prefix(site.path("b")).expect("below").display().to_string();
        if name == "verify_bundle.py" {
            continue;
        }
        let whole = std::fs::read(&path).expect("read");
        for at in [0, whole.len() / 2, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, changed).expect("written");
            let (code, err) = script("b");
            assert!(code == Some(2) && err.contains("step: "), "{name}, byte {at}: {code:?} {err}");
        }
        std::fs::write(&path, whole).expect("written");
    }
    keygen(&site, "signer2");
    std::fs::copy(site.path("signer2.pub"), site.path("signer.pub")).expect("copied");
    assert!(script("b").1.contains("step: signature"));
}

/// A token of a real authority, made by openssl.
#[test]
fn a_timestamp_is_held_against_the_envelope() {
    let site = bundled();
    if !authority(&site) {
        println!("skipped: a_timestamp_is_held_against_the_envelope (openssl with ts)");
        return;
    }
    let stamp = |bundle: &str, token: &str| {
        site.run(&["evidence", "stamp", bundle, "--token", token, "--sign", "signer", "--archive"])
    };
    site.run(&["evidence", "bundle", "r.json", "--out", "c", "--sign", "signer"]).ok();
    stamp("c", "b.tsr").refused(&["over other bytes"]);
    stamp("b", "b.tsr").ok();
    assert!(verify(&site, "b").ok().out.contains("timestamp"), "shown");
    verify(&site, "b.tar.zst").ok();
    let chain = openssl(&site, "ts -verify -data b/envelope.dsse.json -in b/timestamp.tsr -CAfile ca.pem");
    assert!(chain, "openssl agrees");
    let token = std::fs::read(site.path("b/timestamp.tsr")).expect("read");
    for at in (0..token.len()).step_by(50) {
        let mut changed = token.clone();
        changed[at] ^= 1;
        site.write("b/timestamp.tsr", changed);
        at_step(verify(&site, "b"), "timestamp");
    }
}

fn openssl(site: &Site, line: &str) -> bool {
    let run = Command::new("openssl").current_dir(site.dir.path()).args(line.split(' ')).output();
    run.is_ok_and(|out| out.status.success())
}

/// Makes an authority of its own and its token over the envelope of `b`.
fn authority(site: &Site) -> bool {
    site.write("serial", "01\n");
    site.write(
        "ts.conf",
        "[req]\ndistinguished_name = dn\nx509_extensions = ext\nprompt = no\n[dn]\nCN = test authority\n[ext]\nbasicConstraints = critical, CA:TRUE\n\
         extendedKeyUsage = critical, timeStamping\n[tsa]\ndefault_tsa = config\n[config]\nserial = serial\nsigner_digest = sha256\n\
         default_policy = 1.2.3.4\ndigests = sha256, sha384, sha512\n",
    );
    openssl(site, "req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -config ts.conf")
        && openssl(site, "ts -query -data b/envelope.dsse.json -sha256 -cert -out b.tsq")
        && openssl(
            site,
            "ts -reply -queryfile b.tsq -signer ca.pem -inkey ca.key -config ts.conf -section config -out b.tsr",
        )
}

/// Rings: found in two audits, bundled from the audit's report, replayed from the logs alone, one account disclosed.
#[test]
fn rings_are_bundled_from_their_store_and_replayed_from_the_logs() {
    let site = Site::new();
    keygen(&site, "signer");
    let nights = nights();
    for (i, rows) in nights.iter().enumerate() {
        site.log(&format!("logs/{i}.jsonl"), rows);
    }
    site.audit(&["logs/0.jsonl", "logs/1.jsonl", "logs/2.jsonl"]).ok();
    site.audit(&["logs/3.jsonl", "logs/4.jsonl"]).ok();
    let list = site.run(&["ring", "list", "--store", "store", "--format", "json"]).ok().json();
    let ring = list["rings"][0]["id"].as_str().expect("a ring").to_owned();
    let shown = site.run(&["ring", &ring, "--store", "store", "--format", "json"]).ok();
    let members: BTreeSet<String> = shown.json()["members"]
        .as_array()
        .expect("members")
        .iter()
        .map(|of| of["account"].as_str().expect("one").to_owned())
        .collect();
    site.write("ring.json", shown.out);
    site.write("names", (0..1200).map(|i| format!("person-{i}\n")).collect::<String>());
    let bundle = |result: &str, out: &str, more: &[&str]| {
        let mut args = vec![
            "evidence",
            "bundle",
            result,
            "--out",
            out,
            "--sign",
            "signer",
            "--key",
            "key",
            "--author",
            "an analyst",
        ];
        args.extend(more);
        site.run(&args)
    };
    bundle("ring.json", "b", &[]).refused(&["expected --store"]);
    bundle("ring.json", "b", &["--store", "store", "--names", "names"]).ok();
    verify(&site, "b").ok();
    // A judgement is no number of the logs: it may come later, and is left out of the comparison.
    site.run(&["ring", "note", &ring, "looked at", "--store", "store"]).ok();
    bundle("report/report.json", "c", &["--store", "store", "--ring", &ring])
        .refused(&["expected what the store says"]);
    site.audit(&["logs/4.jsonl"]).ok();
    bundle("report/report.json", "c", &["--store", "store", "--ring", &ring]).ok();
    // A result that the store does not say is not signed.
    let forged = site.read("ring.json").replacen("\"accounts\":", "\"accounts\":1", 1);
    site.write("forged.json", forged);
    bundle("forged.json", "d", &["--store", "store"]).refused(&["expected what the store says"]);

    // Names stand in the file of secrets and nowhere in the bundle.
    for path in files(&site.path("b")) {
        assert!(
            !String::from_utf8_lossy(&std::fs::read(&path).expect("read")).contains("person-"),
            "{}",
            path.display()
        );
    }
    let secrets: Value = serde_json::from_str(&site.read("b.secrets.json")).expect("JSON");
    let committed: BTreeSet<String> = secrets["accounts"]
        .as_array()
        .expect("accounts")
        .iter()
        .map(|of| of["account"].as_str().expect("one").to_owned())
        .collect();
    assert_eq!(committed, members);
    let member = secrets["accounts"][0]["name"].as_str().expect("a name").to_owned();
    let disclose =
        ["evidence", "disclose", "b", "--secrets", "b.secrets.json", "--account", &member, "--out", "one.json"];
    site.run(&disclose).ok();
    let run = |bundle: &str, file: &str| {
        site.run(&["evidence", "verify", bundle, "--public", "signer.pub", "--disclosure", file])
    };
    assert!(run("b", "one.json").ok().out.contains(&member));
    assert_eq!(site.read("one.json").matches("person-").count(), 1, "nothing else is revealed");
    site.write("forged.json", site.read("one.json").replace(&member, "person-7777"));
    at_step(run("b", "forged.json"), "disclosure");
    at_step(run("c", "one.json"), "disclosure");

    // The replay needs the logs and the account key, and no store.
    std::fs::create_dir_all(site.path("inputs")).expect("made");
    for i in 0..5 {
        std::fs::copy(site.path(&format!("logs/{i}.jsonl")), site.path(&format!("inputs/log-{i}"))).expect("copied");
    }
    let replay = |bundle: &str, threads: &str| {
        site.run(&["evidence", "replay", bundle, "--inputs", "inputs", "--threads", threads])
    };
    at_step(replay("b", "2"), "commitment:account.key");
    super::watermark::private(&site, "inputs/the-key", &site.read("key"));
    assert_eq!(replay("b", "1").ok().out, replay("b", "2").ok().out);
    replay("c", "2").ok();

    // A store that something else changed as well is not a function of its logs, and says so.
    site.run(&["registry", "add", "a course", "What is a neuron?", "--kind", "course", "--store", "store"]).ok();
    site.write("ring.json", site.run(&["ring", &ring, "--store", "store", "--format", "json"]).ok().out);
    let told = bundle("ring.json", "e", &["--store", "store"]).ok();
    assert!(told.err.contains("cannot be replayed") && told.err.contains("registry add"), "{}", told.err);

    // Custody: rows of all of it, and the head of a bundle holds rows that are cut off.
    let chain = site.run(&["evidence", "custody", "show", "--store", "store", "--format", "json"]).ok().json();
    let commands: Vec<&str> =
        chain["rows"].as_array().expect("rows").iter().map(|row| row["command"].as_str().expect("one")).collect();
    assert_eq!(commands[..5], ["audit", "audit", "evidence bundle", "ring note", "audit"]);
    let custody = |more: &[&str]| {
        let mut args = vec!["evidence", "custody", "verify", "--store", "store"];
        args.extend(more);
        site.run(&args)
    };
    custody(&["--against", "b", "--against", "c"]).ok();
    let edit = |sql: &str| {
        rusqlite::Connection::open(site.path("store/catalog.sqlite"))
            .expect("a catalog")
            .execute_batch(sql)
            .expect("done")
    };
    edit("DELETE FROM custody WHERE row > 3");
    custody(&[]).ok();
    custody(&["--against", "c"]).refused(&["cut off"]);
    site.run(&["store", "verify", "--store", "store"]).refused(&["custody"]);
}

#[test]
fn a_store_tells_who_did_what_and_what_was_changed_behind_its_back() {
    let site = Site::new();
    site.log("a.jsonl", &campaign("a", 8));
    site.audit(&["a.jsonl"]).ok();
    site.run(&[
        "registry",
        "add",
        "an app",
        "What is a neuron, in one word?",
        "--kind",
        "app",
        "--author",
        "ann",
        "--store",
        "store",
    ])
    .ok();
    site.run(&["store", "forget", "--account", "a-account-3", "--store", "store", "--key", "key"]).ok();
    let show = site.run(&["evidence", "custody", "show", "--store", "store"]).ok().out;
    for part in ["audit {input:0}", "a.jsonl", "ann  registry add", "store forget --account\n"] {
        assert!(show.contains(part), "{part} in\n{show}");
    }
    let digest = blake3::hash(site.read("a.jsonl").as_bytes()).to_hex().to_string();
    assert!(show.contains(&digest), "inputs are told by digest");
    assert!(!show.contains("account-3"), "a forgotten account is forgotten here, too");
    let verify = || site.run(&["evidence", "custody", "verify", "--store", "store"]);
    verify().ok();
    site.run(&["store", "verify", "--store", "store"]).ok();
    let db = || rusqlite::Connection::open(site.path("store/catalog.sqlite")).expect("a catalog");
    let edits = [
        ("UPDATE custody SET author = 'bob' WHERE row = 2", "UPDATE custody SET author = 'ann' WHERE row = 2", "row 2"),
        (
            "UPDATE custody SET time = time + 1 WHERE row = 1",
            "UPDATE custody SET time = time - 1 WHERE row = 1",
            "row 1",
        ),
        (
            "UPDATE custody SET row = 9 WHERE row = 3",
            "UPDATE custody SET row = 3 WHERE row = 9",
            "expected row 3, got row 9",
        ),
    ];
    for (edit, back, told) in edits {
        db().execute_batch(edit).expect("edited");
        verify().refused(&[told]);
        db().execute_batch(back).expect("mended");
        verify().ok();
    }
    db().execute_batch("DELETE FROM custody WHERE row = 2").expect("edited");
    verify().refused(&["a row was taken out"]);
    // A writer does not go on upon a damaged catalog.
    site.log("b.jsonl", &campaign("b", 8));
    site.audit(&["b.jsonl"]).refused(&["custody"]);
}

#[test]
fn commitments_are_those_that_were_published_before() {
    let site = bundled();
    let before = site.run(&["watermark", "commit", "k.toml", "--format", "json"]).ok().json();
    let listed: Value = serde_json::from_str(&site.read("b/commitments.json")).expect("JSON");
    assert_eq!(listed, json!([{ "role": "key", "name": "k.toml", "commitment": before["commitment"] }]));
}
