//! Exports of rings, each read back by a reader of its format; names that a log or an analyst could give are hostile. `tests/exports` has the
//! validators that other people wrote.

use super::*;
use crate::ids::{AccountId, Level};
use crate::report::ring::{Disposition, Note, RingFamily, RingMember, Rung};
use crate::report::{Family, sample};
use std::collections::BTreeSet;

const EVIL: &str = "=cmd|' /C calc'!A0 <script>alert(1)</script> ]]> &\u{0}\u{1}\u{8}\u{b}\u{1b}[2J\u{fffe}\u{202e}gnp\u{2066}\u{e0041} \"'{{7*7}}";

/// Two rings of one campaign, which share an account, with members that are on the list and one that is not.
fn rings() -> (Vec<Ring>, RingsMeta, Vec<graph::Use>) {
    let report = sample().finish();
    let account = |name: &str| AccountId::derive(&[3; 32], name);
    let member = |name: &str, listed| RingMember {
        account: account(name),
        membership: 0.9975,
        listed,
        shared: 4,
        families: Vec::new(),
    };
    let mut first = report.rings[0].clone();
    first.members = vec![member("a", true), member("b", true), member("c", false)];
    first.accounts = 2;
    first.pivots[0].model = EVIL.to_owned();
    first.notes =
        vec![Note { time: crate::ids::Time::new(0).expect("a time"), author: EVIL.to_owned(), text: EVIL.to_owned() }];
    let mut second = Ring {
        id: "rfedcba9876543210".to_owned(),
        rung: Rung::SecondStream,
        disposition: Some(Disposition::Resale),
        assignee: None,
        ..first.clone()
    };
    second.members = vec![member("b", true), member("d", true)];
    let other: &Family = &report.families[1];
    second.families = vec![RingFamily { family_id: other.id, day: 20_521, accounts: 2, of: 3 }];
    let uses = [("a", report.families[0].id, 3), ("b", other.id, 7), ("c", other.id, 9), ("d", other.id, 1)];
    let uses = uses.map(|(name, family, requests)| graph::Use { account: account(name), family, requests });
    (vec![first, second], report.rings_meta, uses.to_vec())
}

#[test]
fn words_and_formats_are_those_of_the_table() {
    assert_eq!(FORMATS.map(|row| row.1), FORMAT_WORDS);
    for what in What::ALL {
        for format in what.formats() {
            assert_eq!(what.format(format.word()).ok(), Some(*format));
        }
    }
    let refused = What::Members.format("stix").expect_err("no finding");
    assert_eq!(refused.to_string(), "expected members as csv or parquet, got stix");
    assert!(Tlp::ALL.into_iter().all(|tlp| Tlp::of(tlp.word()) == Some(tlp)));
    assert_eq!((Tlp::AmberStrict.label().as_str(), Tlp::default()), ("TLP:AMBER+STRICT", Tlp::Amber));
}

/// Every object of a bundle, by its identifier.
fn by_id(bundle: &Value) -> std::collections::BTreeMap<String, Value> {
    let objects = bundle["objects"].as_array().expect("objects");
    let all: std::collections::BTreeMap<String, Value> =
        objects.iter().map(|object| (object["id"].as_str().expect("an id").to_owned(), object.clone())).collect();
    assert_eq!(all.len(), objects.len(), "no identifier twice");
    all
}

#[test]
fn a_bundle_names_only_what_it_holds_and_the_same_each_night() {
    let (rings, meta, _) = rings();
    let bundle = stix::bundle(&rings, &meta, Tlp::Red);
    let all = by_id(&bundle);
    let mut kinds: std::collections::BTreeMap<&str, usize> = std::collections::BTreeMap::new();
    for object in all.values() {
        *kinds.entry(object["type"].as_str().expect("a type")).or_default() += 1;
        for name in ["source_ref", "target_ref", "created_by_ref"] {
            assert!(object[name].as_str().is_none_or(|id| all.contains_key(id)), "{object}");
        }
        let lists =
            ["object_refs", "object_marking_refs"].map(|name| object[name].as_array().cloned().unwrap_or_default());
        assert!(lists.iter().flatten().all(|id| all.contains_key(id.as_str().expect("an id"))), "{object}");
        let marked = object["type"] == "marking-definition" || object["object_marking_refs"] == json!([stix_red()]);
        assert!(marked, "{object}");
        for name in object["extensions"].as_object().into_iter().flat_map(Map::keys) {
            assert!(all.contains_key(name) || name == TLP_EXTENSION, "{name} is declared");
        }
    }
    // Members: a and b of the first, b and d of the second; who is not on the list of level 1% is not told of.
    let expected =
        [("campaign", 2), ("extension-definition", 1), ("identity", 1), ("indicator", 2), ("marking-definition", 1)];
    assert!(expected.iter().all(|(kind, n)| kinds[kind] == *n), "{kinds:?}");
    assert_eq!((kinds["user-account"], kinds["observed-data"], kinds["relationship"]), (3, 2, 4 + 4 + 1));
    // A later night: the newest day is another, what there was before has the same identifiers.
    let mut later = meta.clone();
    later.days.iter_mut().for_each(|day| day.day += 1);
    let again: BTreeSet<String> = by_id(&stix::bundle(&rings, &later, Tlp::Red)).into_keys().collect();
    assert_eq!(again, all.into_keys().collect());
}

const TLP_EXTENSION: &str = "extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d";

fn stix_red() -> &'static str {
    "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
}

/// The identifier of an account is what the specification's own rule gives, computed by another program (Python's `uuid.uuid5`).
#[test]
fn an_account_has_the_identifier_that_stix_prescribes() {
    let (mut rings, meta, _) = rings();
    rings.truncate(1);
    rings[0].members.truncate(1);
    rings[0].members[0].account = "a000102030405060708090a0b".parse().expect("a pseudonym");
    let bundle = stix::bundle(&rings, &meta, Tlp::Amber);
    let account = bundle["objects"].as_array().expect("objects").iter().find(|object| object["type"] == "user-account");
    assert_eq!(account.expect("one")["id"], "user-account--4af058bc-ca76-5577-92f4-b4464487b516");
}

#[test]
fn statistics_travel_with_every_finding() {
    let (rings, meta, _) = rings();
    let stats = statistics(&rings[0], &meta);
    for name in
        ["null_hypothesis", "groups_proposed", "expected_false_share", "rung", "gamma_star", "log10_e", "reading"]
    {
        assert!(stats.contains_key(name), "{name}");
    }
    assert!(stats.values().all(|value| !value.is_null()), "STIX knows no null");
    let finding = ocsf::finding(&rings[0], &meta, Tlp::Green, true);
    assert_eq!(finding["unmapped"]["statistics"], json!(stats));
    assert_eq!((&finding["type_uid"], &finding["class_uid"]), (&json!(200_401), &json!(2004)));
    assert_eq!(finding["resources"].as_array().map(Vec::len), Some(2));
    assert!(ocsf::finding(&rings[0], &meta, Tlp::Green, false).get("resources").is_none());
    let event = misp::events(&rings, &meta, Tlp::Clear);
    let first = &event["response"][0]["Event"];
    assert!(first["Attribute"].as_array().expect("attributes").len() > stats.len());
    assert_eq!(first["Object"].as_array().map(Vec::len), Some(2));
    assert_eq!(first["Tag"][0]["name"], "tlp:clear");
}

/// Whether XML 1.0 takes every character.
fn is_xml(text: &str) -> bool {
    text.chars().all(
        |c| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}'),
    )
}

#[test]
fn hostile_names_are_escaped_for_each_medium() {
    let (mut rings, meta, uses) = rings();
    let told = [
        stix::bundle(&rings, &meta, Tlp::Amber).to_string(),
        ocsf::lines(&rings, &meta, Tlp::Amber),
        misp::events(&rings, &meta, Tlp::Amber).to_string(),
    ];
    for text in &told {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains('\u{2066}'), "{text}");
        assert!(text.contains("calc"), "the model's name is there, escaped");
    }
    // A name that no store gives: whatever reached a ring's name would be escaped in XML too.
    rings[0].id = EVIL.to_owned();
    for text in [graph::graphml(&rings, &uses, Tlp::Amber), graph::gexf(&rings, &uses, Tlp::Amber)] {
        assert!(
            is_xml(&text) && !text.contains("<script") && !text.contains("]]>") && !text.contains('\u{202e}'),
            "{text}"
        );
        assert!(text.contains("&lt;script&gt;"));
    }
}

#[test]
fn a_graph_has_an_edge_for_each_use_of_a_member() {
    let (rings, _, uses) = rings();
    for (text, edge) in [
        (graph::graphml(&rings, &uses, Tlp::Amber), "<edge source="),
        (graph::gexf(&rings, &uses, Tlp::Amber), "<edge id="),
    ] {
        // c is on no list, so neither it nor its edge is there; b is of two rings and one node.
        assert_eq!((text.matches("<node id=").count(), text.matches(edge).count()), (3 + 2, 3), "{text}");
        assert!(text.contains(&format!("{} {}", rings[0].id, rings[1].id)) && text.contains("TLP:AMBER"));
    }
}

#[test]
fn parquet_reads_back() {
    use arrow_array::cast::AsArray;
    let (rings, ..) = rings();
    let read = |bytes: Vec<u8>| {
        let bytes = axum::body::Bytes::from(bytes);
        let reader = ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a file");
        let marking = reader.metadata().file_metadata().key_value_metadata().cloned().unwrap_or_default();
        assert!(marking.iter().any(|pair| pair.key == "stillhunt.tlp" && pair.value.as_deref() == Some("TLP:RED")));
        reader.build().expect("a reader").map(|batch| batch.expect("rows")).collect::<Vec<_>>()
    };
    let mut out = Vec::new();
    parquet::rings(&rings, Tlp::Red, &mut out).expect("written");
    let all = read(out);
    let families: usize = rings.iter().map(|ring| ring.families.len()).sum();
    assert_eq!(all.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>(), 4 + families);
    let mut out = Vec::new();
    let family = crate::ids::FamilyId { level: Level::Exact, lead: [1; 8] };
    let member = parquet::Member { exchange: EVIL, account: "a1", family, level: Level::Exact, similarity: 0.5 };
    parquet::members(&mut |take| (0..20_000).try_for_each(|_| take(member)), Tlp::Red, &mut out).expect("written");
    let all = read(out);
    assert_eq!(all.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>(), 20_000);
    assert_eq!(all[0].column(0).as_string::<i32>().value(0), EVIL, "a typed cell is told as it is");
    let mut out = Vec::new();
    parquet::families(&sample().families, Tlp::Red, &mut out).expect("written");
    assert_eq!(read(out)[0].num_rows(), sample().families.len());
}
