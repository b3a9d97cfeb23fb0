use super::accounts::Openings;
use super::archive;
use super::bundle::{Given, Making, make, stamp, tree};
use super::compare::difference;
use super::json::Json;
use super::sign::{PublicKey, SecretKey};
use super::timestamp::Stamp;
use super::verify::{unverified, verify};
use super::*;
use crate::error::Result;
use crate::ids::{Digest, Time};
use crate::store::custody::{Act, CustodyRow};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ACCOUNT: &str = "a0123456789abcdef01234567";
const OTHER: &str = "affffffffffffffffffffffff";

fn key(n: u8) -> SecretKey {
    SecretKey::new([n; 32])
}

fn detect() -> String {
    let hex = "ab".repeat(32);
    format!(
        r#"{{"schema": 1, "stillhunt": "0.1.0", "input": {{"files": [{{"name": "logs/t.jsonl", "blake3": "{hex}"}}]}},
 "results": [{{"key_id": "k<b>|", "scheme": "gumbel", "scored": 400, "statistic": 3.5e2, "log10_p": -40.25, "p_kind": "Exact",
 "adjusted_log10_p": -39.9, "m_tests": 2, "decoys": {{"n": 50}}, "power": 0.99, "verdict": "Marked"}}],
 "recipe": {{"stillhunt": "0.1.0", "command": ["watermark", "detect"], "arguments": ["{{input:0}}", "--key-file={{input:1}}", "--alpha=0.000001"],
 "inputs": [{{"role": "suspect", "name": "t.jsonl", "blake3": "{hex}", "bytes": 5}},
 {{"role": "key", "name": "k.toml", "blake3": null, "commitment": "{hex}", "bytes": null}}]}}}}"#
    )
}

fn rings() -> String {
    format!(
        r#"{{"schema":1,"rings":[{{"id":"r1","log10_e":4.5,"streams":{{"co-use":4.5,"composition":null}},"provenance":[
 {{"explanation":"gateway","explains":false,"found":"none"}}]}}],"rings_meta":{{"q":0.01}},"members":[{{"account":"{ACCOUNT}"}},{{"account":"{OTHER}"}}]}}"#
    )
}

fn custody() -> Vec<CustodyRow> {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE TABLE digests (name TEXT, n_rows INTEGER, blake3 TEXT)").unwrap();
    for command in ["audit", "ring note"] {
        let act = Act {
            author: "somebody".into(),
            time: Time::new(5).unwrap(),
            command: command.into(),
            arguments: Vec::new(),
            inputs: Vec::new(),
            result: None,
        };
        crate::store::custody::append(&db, &act).unwrap();
    }
    crate::store::custody::rows_of(&db).unwrap()
}

/// A small bundle with every kind of file but a token, and the openings of its accounts.
fn bundle_of(signer: &SecretKey) -> (Files, Openings) {
    let results = vec![
        Given::of_result(detect().into_bytes()).unwrap(),
        Given { bytes: rings().into_bytes(), recipe: Err("a test".into()) },
    ];
    let names = BTreeMap::from([(ACCOUNT.to_owned(), "customer-1".to_owned())]);
    let making = Making { results, custody: Some(custody()), names, made: Time::new(7).unwrap(), key: signer };
    let mut n = 0;
    let mut salt = || -> Result<[u8; 32]> {
        n += 1;
        Ok([n; 32])
    };
    let (files, openings, _) = make(making, &mut salt).unwrap();
    (files, openings)
}

#[track_caller]
fn step(files: &Files) -> String {
    verify(files, &key(1).public(), None).err().map_or_else(|| "verified".to_owned(), |failure| failure.step)
}

#[test]
fn a_bundle_verifies_with_the_public_key_alone() {
    let (files, _) = bundle_of(&key(1));
    let public = PublicKey::from_pem(&key(1).public().to_pem()).unwrap();
    let verified = verify(&files, &public, None).unwrap();
    assert_eq!(verified.n_files, files.len() - 2);
    assert_eq!(verified.stated.results, ["results/1.json", "results/2.json"]);
    assert_eq!(verified.stated.custody.as_ref().map(|head| head.row), Some(2));
    assert_eq!(verified.stated.commitments.len(), 1);
    assert_eq!(unverified(&files).unwrap(), verified.stated);
    for name in [MANIFEST, ENVELOPE, RECIPES, COMMITMENTS, ACCOUNTS, CUSTODY, GUIDE, SCRIPT, REPORT[0], REPORT[1]] {
        assert!(files.contains_key(name), "{name}");
    }
}

/// Every byte of every file, each changed in one bit and in all of them.
#[test]
fn any_changed_byte_is_found_and_its_file_is_named() {
    let (mut files, _) = bundle_of(&key(1));
    let own = token(&files);
    stamp(&mut files, own, &key(1)).unwrap();
    assert_eq!(step(&files), "verified");
    let names: Vec<String> = files.keys().cloned().collect();
    for name in names {
        let length = files[&name].len();
        for at in 0..length {
            // Of long files every byte in its lowest bit, and each seventh in all of them.
            let flips: &[u8] = if length > 6_000 && at % 7 > 0 { &[1] } else { &[1, 0xff] };
            for &flip in flips {
                files.get_mut(&name).unwrap()[at] ^= flip;
                let step = step(&files);
                let expected: &[&str] = match name.as_str() {
                    ENVELOPE => &["envelope", "signature"],
                    MANIFEST => &["manifest"],
                    TOKEN | TOKEN_ENVELOPE => &["timestamp"],
                    _ => &[],
                };
                assert!(
                    expected.contains(&step.as_str()) || expected.is_empty() && step == format!("file:{name}"),
                    "{name}, byte {at}: {step}"
                );
                files.get_mut(&name).unwrap()[at] ^= flip;
            }
        }
        let whole = files[&name].clone();
        files.get_mut(&name).unwrap().pop();
        assert_ne!(step(&files), "verified", "{name} cut");
        files.insert(name.clone(), [&whole[..], b"\n"].concat());
        assert_ne!(step(&files), "verified", "{name} longer");
        files.remove(&name);
        assert_ne!(step(&files), "verified", "{name} taken out");
        files.insert(name, whole);
    }
    assert_eq!(step(&files), "verified");
}

#[test]
fn swapped_added_and_signed_by_another_is_found() {
    let (files, _) = bundle_of(&key(1));
    let (others, _) = bundle_of(&key(2));
    let mut swapped = files.clone();
    swapped.insert(REPORT[1].into(), b"# Nothing was found\n".to_vec());
    assert_eq!(step(&swapped), "file:report.md");
    let mut added = files.clone();
    added.insert("results/3.json".into(), b"{}".to_vec());
    assert_eq!(step(&added), "file:results/3.json");
    assert_eq!(step(&others), "signature");
    let mut mixed = files.clone();
    mixed.insert(ENVELOPE.into(), others[ENVELOPE].clone());
    assert_eq!(step(&mixed), "signature");
    // The name of the key is not signed: one that claims to be ours is held against the signature.
    let claim = String::from_utf8(others[ENVELOPE].clone()).unwrap();
    let claim = claim.replace(&key(2).public().id(), &key(1).public().id());
    mixed.insert(ENVELOPE.into(), claim.into_bytes());
    assert_eq!(step(&mixed), "signature");
    // The same statement in another form of JSON.
    let spaced = String::from_utf8(files[ENVELOPE].clone()).unwrap().replacen("{", "{ ", 1);
    mixed.insert(ENVELOPE.into(), spaced.into_bytes());
    assert_eq!(step(&mixed), "envelope");
    mixed.insert("../evil".into(), Vec::new());
    assert_eq!(step(&mixed), "layout");
}

/// A signer who lies is found where the bundle contradicts itself.
#[test]
fn a_bundle_that_contradicts_itself_is_refused() {
    let (files, _) = bundle_of(&key(1));
    let resealed = |name: &str, change: &dyn Fn(String) -> String| {
        let mut files = files.clone();
        let changed = change(String::from_utf8(files[name].clone()).unwrap());
        files.insert(name.into(), changed.into_bytes());
        let mut manifest: super::bundle::Manifest = serde_json::from_slice(&files[MANIFEST]).unwrap();
        for listed in &mut manifest.files {
            (listed.bytes, listed.blake3) =
                (files[&listed.name].len() as u64, Digest::of(&files[&listed.name]).to_string());
        }
        let leaves: Vec<(&str, Digest)> =
            manifest.files.iter().map(|listed| (listed.name.as_str(), listed.blake3.parse().unwrap())).collect();
        let (before, root) = (manifest.tree.clone(), tree(&leaves).to_string());
        manifest.tree.clone_from(&root);
        let bytes = serde_json::to_vec_pretty(&manifest).unwrap();
        let payload = super::sign::Envelope::read(&files[ENVELOPE]).unwrap().unverified().unwrap();
        let subject = |bytes: &[u8]| serde_json::to_string(&super::bundle::Subject::new(MANIFEST, bytes)).unwrap();
        let payload = String::from_utf8(payload)
            .unwrap()
            .replace(&subject(&files[MANIFEST]), &subject(&bytes))
            .replace(&before, &root);
        files.insert(MANIFEST.into(), bytes);
        files.insert(ENVELOPE.into(), key(1).seal(payload.as_bytes()));
        step(&files)
    };
    assert_eq!(resealed(REPORT[1], &|text| text + "x"), "verified", "the signer may write what he likes");
    assert_eq!(resealed(RECIPES, &|text| text.replace("--alpha=0.000001", "--chart=/x")), "recipes");
    assert_eq!(resealed(COMMITMENTS, &|text| text.replace("abab", "cdcd")), "commitments");
    assert_eq!(resealed(ACCOUNTS, &|text| text.replace(OTHER, "aeeeeeeeeeeeeeeeeeeeeeeee")), "accounts");
    assert_eq!(resealed(CUSTODY, &|text| text.replace("somebody", "nobody")), "custody");
    assert_eq!(resealed(CUSTODY, &|_| "[]".into()), "custody");
    let rows = custody().len();
    assert!(rows > 1);
    for row in 0..rows {
        let without = |text: String| {
            let mut chain: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
            chain.remove(row);
            serde_json::to_string(&chain).unwrap()
        };
        assert_eq!(resealed(CUSTODY, &without), "custody", "row {row} taken out");
    }
}

#[test]
fn what_is_disclosed_is_checked_and_nothing_else_is_revealed() {
    let (files, openings) = bundle_of(&key(1));
    let secrets = openings.write();
    let openings = Openings::read_secrets(secrets.as_bytes()).unwrap();
    let root = unverified(&files).unwrap().tree;
    let disclosure = openings.disclose(&["customer-1".into()], &root).unwrap().write();
    let found = verify(&files, &key(1).public(), Some(disclosure.as_bytes())).unwrap();
    assert_eq!(found.disclosed, [(ACCOUNT.to_owned(), "customer-1".to_owned())]);
    assert!(!disclosure.contains(OTHER), "another account");
    // The bundle itself has neither a name nor a salt.
    let salt = Digest([1; 32]).to_string();
    for (name, bytes) in &files {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains("customer-1") && !text.contains(&salt), "{name}");
    }
    assert!(openings.disclose(&[OTHER.into()], &root).is_err(), "no name was given");
    assert!(openings.disclose(&["customer-2".into()], &root).is_err());
    for (from, to) in [("customer-1", "customer-2"), ("0101", "0201"), (root.as_str(), salt.as_str()), (ACCOUNT, OTHER)]
    {
        let forged = disclosure.replacen(from, to, 1);
        let failure = verify(&files, &key(1).public(), Some(forged.as_bytes())).unwrap_err();
        assert_eq!(failure.step, "disclosure", "{from}");
    }
}

#[test]
fn an_archive_gives_the_same_files_and_only_its_own_form_is_read() {
    let (files, _) = bundle_of(&key(1));
    let packed = archive::write(&files);
    assert_eq!(archive::read(&packed).unwrap(), files);
    for length in (0..packed.len()).step_by(97).chain([packed.len() - 1]) {
        assert_eq!(archive::read(&packed[..length]).unwrap_err().step, "archive", "cut at {length}");
    }
    assert!(archive::read(&[&packed[..], b"x"].concat()).is_err(), "bytes behind the end");
    let tar = zstd::stream::decode_all(&packed[..]).unwrap();
    assert_eq!(archive::untar(&tar).unwrap(), files);
    // Any byte of any header: kind, owner, mode, name, sum.
    for at in 0..512 {
        let mut other = tar.clone();
        other[at] ^= 1;
        assert!(archive::untar(&other).is_err_and(|failure| failure.step == "archive"), "byte {at} of a header");
    }
    // Names that lead out of the directory cannot be written as names of a bundle, so the header is forged.
    for name in ["/etc/passwd", "evidence/../x", "evidence//x", "evidence/a/b/c", "../x", "evidence/./x", "x"] {
        let mut forged = tar.clone();
        forged[..100].fill(0);
        forged[..name.len()].copy_from_slice(name.as_bytes());
        forged[148..156].fill(b' ');
        let sum: u32 = forged[..512].iter().map(|&b| u32::from(b)).sum();
        forged[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let failure = archive::untar(&forged).unwrap_err();
        assert!(failure.error.to_string().contains("ordinary name"), "{name}: {}", failure.error);
    }
    // The same entry twice.
    let first = 512 + files.values().next().unwrap().len().next_multiple_of(512);
    let twice = [&tar[..first], &tar[..]].concat();
    assert!(archive::untar(&twice).unwrap_err().error.to_string().contains("each once"));
    // A gibibyte of zeros in a few kilobytes.
    let bomb = zstd::stream::encode_all(std::io::repeat(0).take(MOST_BYTES + 10), 1).unwrap();
    assert!(archive::read(&bomb).unwrap_err().error.to_string().contains("at most"));
}

use std::io::Read as _;

fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[tag, 0x82][..], &length, &content].concat()
}

/// A granted response over the envelope, without the authority's signature.
fn token(files: &Files) -> Vec<u8> {
    use sha2::Digest as _;
    let imprint = sha2::Sha256::digest(&files[ENVELOPE]);
    let sha256 = der(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]]);
    let info = der(
        0x30,
        &[
            &der(2, &[&[1]]),
            &der(6, &[&[0x2a, 3]]),
            &der(0x30, &[&der(0x30, &[&sha256]), &der(4, &[&imprint])]),
            &der(2, &[&[9]]),
            &der(0x18, &[b"20261129182000Z"]),
        ],
    );
    let stamp = der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 0x10, 1, 4]]);
    let content = der(0x30, &[&stamp, &der(0xa0, &[&der(4, &[&info])])]);
    let signed = der(0x30, &[&der(2, &[&[3]]), &der(0x31, &[]), &content]);
    let token = der(0x30, &[&der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2]]), &der(0xa0, &[&signed])]);
    der(0x30, &[&der(0x30, &[&der(2, &[&[0]])]), &token])
}

#[test]
fn a_token_over_other_bytes_is_refused() {
    let (mut files, _) = bundle_of(&key(1));
    let (others, _) = bundle_of(&key(2));
    assert!(stamp(&mut files, token(&others), &key(1)).is_err(), "over another envelope");
    assert!(stamp(&mut files, b"nonsense".to_vec(), &key(1)).is_err());
    let own = token(&files);
    assert!(stamp(&mut files, own.clone(), &key(2)).is_err(), "another signer");
    stamp(&mut files, own, &key(1)).unwrap();
    assert_eq!(verify(&files, &key(1).public(), None).unwrap().stamped.as_deref(), Some("20261129182000Z"));
    files.insert(TOKEN.into(), token(&others));
    assert_eq!(step(&files), "timestamp");
}

#[test]
fn keys_are_read_as_they_are_written() {
    let signer = key(9);
    let again = SecretKey::from_pem(&signer.to_pem()).unwrap();
    assert_eq!(again.public(), signer.public());
    assert_eq!(format!("{again:?}"), "SecretKey(redacted)");
    // RFC 8410, section 10.1 and 10.3: a public key and a private key of the standard.
    let public = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let private = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
    assert_eq!(SecretKey::from_pem(private).unwrap().public().to_pem(), public);
    for bad in ["", "-----BEGIN PUBLIC KEY-----", private, "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"]
    {
        assert!(PublicKey::from_pem(bad).is_err(), "{bad}");
    }
}

#[test]
fn the_first_number_that_differs_is_named() {
    let of = |text: &str| Json::parse(text.as_bytes()).unwrap();
    let result = detect();
    assert_eq!(difference(&of(&result), &of(&result)), None);
    let path = |other: &str| difference(&of(&result), &of(other)).map(|found| found.path);
    assert_eq!(path(&result.replace("-40.25", "-40.250000000000001")).as_deref(), Some("/results/0/log10_p"));
    assert_eq!(path(&result.replace("logs/t.jsonl", "elsewhere/t.jsonl")), None, "a file is known by its digest");
    assert_eq!(path(&result.replace("logs/t.jsonl", "u.jsonl")).as_deref(), Some("/input/files/0/name"));
    assert_eq!(path(&result.replace("\"stillhunt\": \"0.1.0\", \"input\"", "\"stillhunt\": \"9\", \"input\"")), None);
    assert_eq!(path(&result.replace("\"m_tests\": 2, ", "")).as_deref(), Some("/results/0/m_tests"));
    assert_eq!(
        path(&result.replace("\"m_tests\": 2, ", "\"m_tests\": 2, \"more\": 1, ")).as_deref(),
        Some("/results/0/more")
    );
    assert_eq!(path(&result.replace("\"schema\": 1", "\"schema\": 1.0")).as_deref(), Some("/schema"));
}

#[test]
fn the_report_says_what_an_expert_asks_and_escapes_what_it_shows() {
    let (files, _) = bundle_of(&key(1));
    for name in REPORT {
        let text = String::from_utf8(files[name].clone()).unwrap();
        for part in [
            "Null hypothesis",
            "Number of tests",
            "Controls",
            "Sensitivity",
            "Limits",
            "Alternative explanations",
            "probability of guilt",
            "extremely strong support",
            "very strong support",
            "does not explain it",
        ] {
            assert!(text.contains(part), "{name}: {part}");
        }
        assert!(!text.contains("k<b>|"), "{name} shows a name as it came");
    }
}

#[test]
fn json_keeps_digits_and_refuses_what_readers_differ_about() {
    let text = r#"{"a":[1,-0.0,1e400,"\u0041\"\\",true,null,{}],"b":{"c":[]}}"#;
    assert_eq!(Json::parse(text.as_bytes()).unwrap().write(), text.replace("\\u0041", "A"));
    let deep = "[".repeat(200) + &"]".repeat(200);
    for bad in ["", "{", "[1,]", r#"{"a":1,"a":1}"#, "\"\\", "nul", "[1 2]", "\u{feff}1", deep.as_str()] {
        assert!(Json::parse(bad.as_bytes()).is_err(), "{bad}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the bytes are, there is a value or an error.
    #[test]
    fn hostile_bytes_are_a_value_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..2000), text in "[\\[\\]{}\",:0-9a-z\\\\ ]{0,200}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            let _ = Json::parse(bytes);
            let _ = Stamp::read(bytes);
            let _ = archive::read(bytes);
            let _ = archive::untar(bytes);
            let _ = super::sign::Envelope::read(bytes);
            let _ = PublicKey::from_pem(&String::from_utf8_lossy(bytes));
            let _ = Openings::check(bytes, "", &[]);
            let _ = Given::of_result(bytes.to_vec());
        }
    }

    /// A token of which some bytes are others never brings the reader down, and neither does an archive.
    #[test]
    fn hostile_changes_are_a_value_or_an_error(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20)) {
        let (files, _) = bundle_of(&key(1));
        let mut stamp = token(&files);
        let mut packed = archive::write(&files);
        for (at, byte) in &changes {
            let (i, j) = (at.index(stamp.len()), at.index(packed.len()));
            stamp[i] = *byte;
            packed[j] = *byte;
        }
        let _ = Stamp::read(&stamp).map(|stamp| stamp.covers(b""));
        if let Ok(read) = archive::read(&packed) {
            prop_assert!(read == files || verify(&read, &key(1).public(), None).is_err());
        }
    }

    /// JSON that serde writes comes back with the same meaning.
    #[test]
    fn json_means_what_serde_reads(text in "\\PC{0,40}", number in any::<f64>().prop_filter("finite", |x| x.is_finite()), n in any::<i64>()) {
        let value = serde_json::json!({ "t": text, "x": number, "list": [n, null, { "k": [text] }] });
        let written = Json::parse(serde_json::to_string_pretty(&value).unwrap().as_bytes()).unwrap().write();
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), serde_json::from_str::<serde_json::Value>(&value.to_string()).unwrap());
    }
}
