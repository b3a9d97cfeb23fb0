//! A small language, a teacher that plants, students that learn: what is marked is named, what is not is not, whatever the filter.

use super::attribute::{Case, Owners, Ring, attribute};
use super::evidence::Evidence;
mod small_language;

use super::*;
use crate::detect::packing;
use crate::detect::windows::{Packing, Text};
use crate::log::Prediction;
use crate::store::contexts::{Builder, Facts};
use crate::watermark::native::green_list::GreenList;
use crate::watermark::native::gumbel::Gumbel;
use crate::watermark::native::tournament::Tournament;
use crate::watermark::sample::{Sampling, draw, softmax};
use crate::watermark::{Once, Scheme, Shape, SoFar};
use proptest::prelude::*;
use small_language::{VOCAB, student, teacher};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn key(number: u8) -> Box<dyn Scheme> {
    Box::new(GreenList::new(&[number; 32], 0.25, 3.0, 2, VOCAB))
}

fn tested(marker: Box<dyn Scheme>) -> Test {
    Test {
        key_id: "a key".into(),
        scheme: "green-list",
        dialect: "native",
        profile: "any".into(),
        predicted: false,
        published: None,
        parameters: BTreeMap::new(),
        marker,
    }
}

fn config() -> Config {
    Config {
        alpha: 1e-6,
        least_uniformity: 0.01,
        least_control: 0.001,
        power: 0.95,
        strength: 0.1,
        level: 0.95,
        decoys: DecoyConfig { n: 50, windows: 5000, steps: 1e9, seed: 7 },
        bytes: 1 << 22,
        dir: std::env::temp_dir(),
    }
}

fn read(texts: &[Text], scheme: &dyn Scheme) -> Read {
    let mut evidence = Evidence::new(packing(scheme), 1 << 22, &std::env::temp_dir()).expect("a directory");
    evidence.answers(texts).expect("added");
    evidence.finish(1 << 22, &std::env::temp_dir()).expect("finished")
}

fn facts(packing: Packing) -> Facts {
    Facts {
        width: packing.shape.context,
        vocab: packing.vocab,
        scheme: String::new(),
        scheme_digest: String::new(),
        tokenizer: None,
        selection: String::new(),
        selection_digest: String::new(),
        responses: 0,
        tokens: 0,
        contexts: 0,
    }
}

fn served(texts: &[Text], scheme: &dyn Scheme) -> Served {
    let packing = packing(scheme);
    let mut builder = Builder::new(1 << 20, &std::env::temp_dir());
    texts.iter().for_each(|text| builder.add(packing.contexts(&text.tokens)).expect("added"));
    Served { name: "ours".into(), set: builder.held(facts(packing), Path::new(&std::env::temp_dir())).expect("held") }
}

fn verdict(of: &Test, suspect: &[Text], served: &Served, clean: &[Text]) -> Finding {
    let clean = read(clean, of.marker.as_ref());
    let found = test(of, &read(suspect, of.marker.as_ref()), Some(served), &[], &[("clean".into(), &clean)], &config());
    judge(vec![found.expect("tested")], &config()).remove(0)
}

#[test]
fn a_student_of_marked_text_is_marked_and_a_student_of_the_same_teachers_unmarked_text_is_not() {
    let of = tested(key(1));
    let harvest = teacher(Some(of.marker.as_ref()), 150, 1);
    let set = served(&harvest, of.marker.as_ref());
    let clean = teacher(None, 150, 2);
    let found = verdict(&of, &student(&harvest, 60, 3), &set, &clean);
    assert_eq!(found.verdict, Verdict::Marked, "{found:?}");
    assert!(found.log10_p < -50.0 && found.log10_e.is_some_and(|e| e > 30.0), "{found:?}");
    assert_eq!(found.contexts, set.set.facts().contexts);
    let hard = verdict(&of, &student(&clean, 60, 3), &set, &clean);
    assert_ne!(hard.verdict, Verdict::Marked, "{hard:?}");
    assert!(hard.log10_p > -3.0 && hard.controls.iter().all(|control| control.log10_p > -3.0), "{hard:?}");
}

/// What is kept of the scoring gives the e-value of a pass of its own, to the last bit.
#[test]
fn an_e_value_needs_no_pass_of_its_own() {
    let markers: [Box<dyn Scheme>; 3] =
        [key(1), Box::new(Gumbel::new(&[1; 32], 2, VOCAB)), Box::new(Tournament::new(&[1; 32], 30, 2, VOCAB))];
    for marker in markers {
        let suspect = read(&teacher(None, 400, 2), marker.as_ref());
        let config = config();
        let scoring = suspect.scoring(config.bytes, &config.dir);
        let (mut statistics, null) = (Vec::new(), marker.traits().null);
        let mut keep = |rows: &[Traced]| {
            statistics.extend(rows.iter().map(|row| row.statistic(&null)));
            Ok(())
        };
        tally::score(marker.as_ref(), &suspect.corpus, suspect.corpus.seen(), scoring, Some((0, &mut keep)))
            .expect("scored");
        let of = |kept| one_a_context(marker.as_ref(), &suspect.corpus, scoring, kept).expect("an e-value");
        let (kept, alone) = (of(Some(&statistics)), of(None));
        assert!(kept.is_some() && suspect.corpus.seen().len() > 20_000, "{}", suspect.corpus.seen().len());
        assert_eq!(kept.map(f64::to_bits), alone.map(f64::to_bits));
    }
}

#[test]
fn a_filter_that_looks_at_tokens_convicts_the_innocent_and_controls_say_so() {
    let of = tested(key(1));
    let harvest = teacher(Some(of.marker.as_ref()), 400, 1);
    let innocent = read(&student(&teacher(None, 150, 2), 100, 3), of.marker.as_ref());
    let windows: BTreeSet<(u128, u32)> =
        read(&harvest, of.marker.as_ref()).corpus.seen().iter().map(|seen| (seen.key(), seen.token())).collect();
    let wrong = |seen: &[Seen]| seen.iter().map(|seen| windows.contains(&(seen.key(), seen.token()))).collect();
    let wrong = Filter { of: &wrong, of_contexts: false };
    // Dealt tokens hardly ever are a served window of so small a language, so that control is too small to acquit anybody.
    let found = judge(vec![on(&of, &innocent, &wrong, &[], &config()).expect("tested")], &config()).remove(0);
    assert!(found.log10_p < -50.0, "the mistake is as bad as it is said to be: {found:?}");
    assert!(found.decoys.ks_p.is_some_and(|p| p > 0.01), "decoy keys do not see it: {found:?}");
    assert_eq!(found.verdict, Verdict::Inconclusive, "{}", found.rule);
    // Another innocent model is convicted with it, and that is told.
    let other = read(&student(&teacher(None, 150, 4), 100, 5), of.marker.as_ref());
    let found = on(&of, &innocent, &wrong, &[("other".into(), &other)], &config()).expect("tested");
    let found = judge(vec![found], &config()).remove(0);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(found.rule.contains("other is marked under the true key"), "{}", found.rule);
    // The same evidence with the filter that there is.
    let set = served(&harvest, of.marker.as_ref());
    let found = test(&of, &innocent, Some(&set), &[], &[], &config()).expect("tested");
    let found = judge(vec![found], &config()).remove(0);
    assert!(found.log10_p > -3.0 && found.verdict != Verdict::Marked, "{found:?}");
}

#[test]
fn without_a_control_that_could_show_it_nothing_is_marked() {
    let of = tested(key(1));
    let harvest = teacher(Some(of.marker.as_ref()), 150, 1);
    let set = served(&harvest, of.marker.as_ref());
    let suspect = read(&student(&harvest, 60, 3), of.marker.as_ref());
    let mut found = test(&of, &suspect, Some(&set), &[], &[], &config()).expect("tested");
    found.finding.controls.clear();
    let found = judge(vec![found], &config()).remove(0);
    assert_eq!(found.verdict, Verdict::Inconclusive);
    assert!(found.rule.contains("no control"), "{}", found.rule);
    // A text of the teacher itself is no clean one, and the result says so.
    let marked = read(&teacher(Some(of.marker.as_ref()), 60, 9), of.marker.as_ref());
    let found = test(&of, &suspect, Some(&set), &[], &[("own".into(), &marked)], &config()).expect("tested");
    let found = judge(vec![found], &config()).remove(0);
    assert!(found.verdict == Verdict::Inconclusive && found.rule.contains("own is marked"), "{}", found.rule);
}

#[test]
fn p_is_uniform_over_keys_for_a_student_of_the_unmarked_teacher() {
    let suspect = student(&teacher(None, 120, 2), 60, 3);
    let ln_ps: Vec<f64> = (0..120u8)
        .map(|number| {
            let of = tested(key(number));
            // Each key with its own served text.
            let set = served(&teacher(Some(of.marker.as_ref()), 60, 1000 + u64::from(number)), of.marker.as_ref());
            let config = Config { decoys: DecoyConfig { n: 0, ..config().decoys }, ..config() };
            let found = test(&of, &read(&suspect, of.marker.as_ref()), Some(&set), &[], &[], &config).expect("tested");
            assert!(found.finding.scored > 300, "{:?}", found.finding);
            let u = f64::from(number).mul_add(0.618_033_988_7, 0.5).fract();
            found.law.ln_randomised(found.finding.scored, found.finding.statistic, u)
        })
        .collect();
    let uniform = stats::ln_uniformity(&ln_ps).exp();
    assert!(uniform > 1e-3, "{uniform}");
    assert!(ln_ps.iter().filter(|ln_p| **ln_p < -4.605).count() <= 6, "{ln_ps:?}");
}

/// Three rings, an honest crowd, and what a suspect says who had all that.
fn rings(says: &dyn Fn(&[Vec<Text>]) -> Vec<Text>) -> Vec<attribute::RingFinding> {
    let of = tested(key(1));
    let marker = of.marker.as_ref();
    // Ten accounts a ring with ten texts each, and a hundred honest ones with two.
    let parties: Vec<Vec<Text>> =
        (0..4).map(|ring| teacher(Some(marker), if ring < 3 { 100 } else { 200 }, 10 + ring)).collect();
    let packing = packing(marker);
    let mut owners = Owners::new(1 << 20, &std::env::temp_dir());
    let mut asked: Vec<Ring> = Vec::new();
    let mut account = 0;
    for (ring, texts) in parties.iter().enumerate() {
        let each = if ring < 3 { 10 } else { 2 };
        let first = account;
        for texts in texts.chunks(each) {
            texts.iter().for_each(|text| owners.add(account, packing.contexts(&text.tokens)).expect("added"));
            account += 1;
        }
        if ring < 3 {
            asked.push(Ring { name: ["A", "B", "C"][ring].into(), members: (first..account).collect() });
        }
    }
    let served = owners.finish().expect("finished");
    let suspect = read(&says(&parties), marker);
    let case = Case { test: &of, suspect: &suspect, served: &served, clean: &[] };
    let (findings, keys) = attribute(&[case], &asked, 400, &config()).expect("tested");
    assert!(keys[0].controls.iter().all(|control| control.log10_p > -3.0), "{keys:?}");
    findings
}

/// What a student says who read the harvests of some.
fn learned(readers: &[usize], parties: &[Vec<Text>]) -> Vec<Text> {
    let mut learned: Vec<Text> = readers.iter().flat_map(|ring| parties[*ring].clone()).collect();
    learned.extend(teacher(None, 100, 99));
    student(&learned, 400, 5)
}

#[test]
fn copies_of_a_rings_answers_name_no_ring_and_are_told_beside_a_student_of_it() {
    let half = |parties: &[Vec<Text>]| [&parties[1][..], &teacher(None, 150, 98)].concat();
    let of = |findings: Vec<attribute::RingFinding>| findings.into_iter().find(|ring| ring.ring == "B").expect("B");
    let found = of(rings(&half));
    assert!(found.log10_p < -50.0 && found.verdict == Verdict::Inconclusive, "{found:?}");
    assert!(found.copies.is_some_and(|copies| copies.log10_p_without > -3.0), "{found:?}");
    assert!(found.rule.contains("copied text"), "{}", found.rule);
    let both = |parties: &[Vec<Text>]| [&parties[1][..50], &learned(&[1], parties)].concat();
    let found = of(rings(&both));
    assert!(found.verdict == Verdict::Marked && found.rule.contains("without them log10 p is -"), "{}", found.rule);
    // The same of a set of contexts.
    let of = tested(key(1));
    let harvest = teacher(Some(of.marker.as_ref()), 100, 1);
    let (set, clean) = (served(&harvest, of.marker.as_ref()), teacher(None, 150, 2));
    let found = verdict(&of, &[&harvest[..], &clean].concat(), &set, &teacher(None, 150, 3));
    assert!(found.log10_p < -50.0 && found.verdict == Verdict::Inconclusive, "{found:?}");
    assert!(found.copies.is_some_and(|copies| copies.log10_p_without > -3.0), "{found:?}");
    // Copies of what others were served: nothing tells them from training but a set of it beside the tested one.
    let published = teacher(Some(of.marker.as_ref()), 100, 4);
    let beside = served(&published, of.marker.as_ref());
    let suspect = read(&[&published[..], &clean].concat(), of.marker.as_ref());
    let judged = |beside: &[&Served]| {
        let never = read(&teacher(None, 150, 3), of.marker.as_ref());
        let found = test(&of, &suspect, Some(&set), beside, &[("clean".into(), &never)], &config()).expect("tested");
        judge(vec![found], &config()).remove(0)
    };
    assert!(judged(&[]).verdict == Verdict::Marked, "{:?}", judged(&[]));
    let found = judged(&[&beside]);
    assert!(found.verdict == Verdict::Inconclusive && found.log10_p == judged(&[]).log10_p, "{found:?}");
    // A student of the tested set stays marked beside it.
    let lessons = [&harvest[..], &teacher(None, 100, 99)].concat();
    let said = read(&student(&lessons, 400, 5), of.marker.as_ref());
    let never = read(&teacher(None, 150, 3), of.marker.as_ref());
    let found = test(&of, &said, Some(&set), &[&beside], &[("clean".into(), &never)], &config()).expect("tested");
    let found = judge(vec![found], &config()).remove(0);
    assert!(found.verdict == Verdict::Marked && found.log10_p < -20.0, "{found:?}");
}

#[test]
fn a_student_a_proxy_and_copies_say_who_wrote_them() {
    let of = tested(key(1));
    let marker = of.marker.as_ref();
    let harvest = teacher(Some(marker), 150, 1);
    let (set, clean) = (served(&harvest, marker), teacher(None, 150, 2));
    let origin = |suspect: &[Text]| {
        let found = verdict(&of, suspect, &set, &teacher(None, 150, 3));
        assert!(found.log10_p < -20.0, "{found:?}");
        let notes = found.notes.iter().filter(|note| note.contains("no given set holds")).count();
        (found.origin.expect("told"), notes)
    };
    // Learned: nothing outside of the set, and more inside.
    let (student, notes) = origin(&student(&[&harvest[..], &clean].concat(), 200, 3));
    assert!(student.windows > 500 && student.log10_p > -3.0 && notes == 0, "{student:?}");
    assert!(student.log10_p_learned.is_some_and(|p| p < -10.0), "{student:?}");
    // Our own model behind it: outside as well, and no more inside.
    let (proxy, notes) = origin(&teacher(Some(marker), 150, 7));
    assert!(proxy.log10_p < -20.0 && notes == 1, "{proxy:?}");
    assert!(proxy.log10_p_learned.is_some_and(|p| p > -3.0), "{proxy:?}");
    // Copies: neither.
    let (copies, notes) = origin(&[&harvest[..], &clean].concat());
    assert!(copies.log10_p > -3.0 && notes == 0, "{copies:?}");
    assert!(copies.log10_p_learned.is_none_or(|p| p > -3.0), "{copies:?}");
}

#[test]
fn the_ring_whose_harvest_was_trained_on_is_named_and_no_other() {
    for (readers, named) in [(&[][..], &[][..]), (&[1], &["B"]), (&[0, 2], &["A", "C"])] {
        let findings = rings(&|parties| learned(readers, parties));
        let marked: Vec<&str> =
            findings.iter().filter(|ring| ring.verdict == Verdict::Marked).map(|ring| &ring.ring[..]).collect();
        assert_eq!(marked, named, "{findings:#?}");
        for ring in &findings {
            assert!(ring.exclusive_contexts > 1000 && ring.m_tests == 3, "{ring:?}");
            assert_eq!(ring.decoys.n, 400, "{ring:?}");
            let is_named = named.contains(&&ring.ring[..]);
            assert!(
                is_named || (ring.log10_p > -3.0 && ring.decoys.rank_p.is_some_and(|rank| rank > 0.002)),
                "{ring:?}"
            );
        }
    }
}

#[test]
fn a_suspect_that_is_marked_everywhere_names_no_ring_however_few_decoys_there_are() {
    let of = tested(key(1));
    let marker = of.marker.as_ref();
    let harvest = teacher(Some(marker), 100, 1);
    let packing = packing(marker);
    // New text of the marked model itself: in contexts of the ring, and elsewhere just the same. Then only what lies in the ring's contexts, but for
    // a handful of windows from which decoy rings can be drawn.
    let own: Vec<u128> = harvest.iter().flat_map(|text| packing.contexts(&text.tokens)).collect();
    let texts = teacher(Some(marker), 300, 2);
    let whole = read(&texts, marker);
    let (inside, outside): (Vec<Seen>, Vec<Seen>) =
        whole.corpus.seen().iter().partition(|seen| own.contains(&seen.key()));
    assert!(inside.len() > 400 && outside.len() > 8);
    for few in [outside.len(), 8] {
        let mut seen = [&inside[..], &outside[..few]].concat();
        seen.sort_unstable();
        let mut suspect = read(&texts, marker);
        suspect.corpus = suspect.corpus.with(seen);
        let mut owners = Owners::new(1 << 20, &std::env::temp_dir());
        harvest.iter().for_each(|text| owners.add(0, packing.contexts(&text.tokens)).expect("added"));
        let served = owners.finish().expect("finished");
        let case = Case { test: &of, suspect: &suspect, served: &served, clean: &[] };
        let ring = Ring { name: "A".into(), members: vec![0] };
        let (found, _) = attribute(&[case], &[ring], 300, &config()).expect("tested");
        assert!(found[0].log10_p < -10.0 && found[0].verdict == Verdict::Inconclusive, "{few}: {:?}", found[0]);
        assert!(found[0].rule.contains("look alike") && found[0].decoys.windows <= few as u64, "{:?}", found[0]);
    }
}

#[test]
fn what_was_served_to_two_parties_is_exclusive_to_neither() {
    let of = tested(key(1));
    let packing = packing(of.marker.as_ref());
    let mut owners = Owners::new(1 << 10, &std::env::temp_dir());
    for (account, tokens) in [(0, [1, 2, 3, 4]), (1, [1, 2, 3, 5]), (2, [7, 2, 3, 9]), (3, [8, 8, 8, 8])] {
        owners.add(account, packing.contexts(&tokens)).expect("added");
    }
    let served = owners.finish().expect("finished");
    // (1, 2) and (2, 3) of account 0 stand with 1 as well; (2, 3) with 2, too; (7, 2) is 2's own; (8, 8) nobody's that is asked about.
    let asked = [("A", vec![0, 1]), ("B", vec![2]), ("C", vec![0])];
    let asked = asked.map(|(name, members)| Ring { name: name.into(), members });
    let said = [[1, 2, 9], [2, 3, 9], [7, 2, 9], [8, 8, 9], [5, 5, 9]];
    let texts: Vec<Text> = said.iter().map(|said| Text { tokens: said.to_vec(), prompt: None }).collect();
    let suspect = read(&texts, of.marker.as_ref());
    let case = Case { test: &of, suspect: &suspect, served: &served, clean: &[] };
    let (found, _) = attribute(&[case], &asked, 0, &config()).expect("tested");
    let counts: Vec<(u64, u64)> = found.iter().map(|ring| (ring.exclusive_contexts, ring.scored)).collect();
    assert_eq!(counts, [(1, 1), (1, 1), (0, 0)]);
}

proptest! {
    /// Answers and predictions against a plain reading with sets.
    #[test]
    fn windows_are_those_of_a_plain_reading(
        texts in prop::collection::vec((prop::collection::vec(0u32..7, 0..14), prop::collection::vec(0u32..7, 0..6)), 0..8),
        rows in prop::collection::vec((prop::collection::vec(0u32..5, 0..9), prop::collection::vec(0u32..7, 0..3)), 0..12),
        top in 1usize..3,
    ) {
        let shape = Shape { context: 2, first: 3, pad: false, once: Once::Window, history: None, budget: None };
        let packing = Packing { shape, vocab: 6 };
        let dir = std::env::temp_dir();
        let texts: Vec<Text> = texts.into_iter().map(|(tokens, prompt)| Text { tokens, prompt: Some(prompt) }).collect();
        let mut plain = BTreeSet::new();
        for text in &texts {
            let prompt = text.prompt.as_deref().unwrap_or_default();
            for at in 3..text.tokens.len() {
                let window = &text.tokens[at - 2..=at];
                if window.iter().all(|id| *id < 6) && !prompt.windows(3).any(|read| read[..2] == window[..2]) {
                    plain.insert(window.to_vec());
                }
            }
        }
        let mut evidence = Evidence::new(packing, 64, &dir).expect("a directory");
        evidence.answers(&texts).expect("added");
        let found = evidence.finish(64, &dir).expect("finished");
        let listed = |read: &Read| {
            let mut flat = Vec::new();
            read.corpus.unpack(read.corpus.seen(), &[], &mut flat);
            flat.chunks(3).map(<[u32]>::to_vec).collect::<BTreeSet<_>>()
        };
        prop_assert_eq!(listed(&found), plain);
        let of_packing: Vec<u128> = texts.iter().flat_map(|text| packing.contexts(&text.tokens)).collect();
        prop_assert!(found.corpus.seen().iter().all(|seen| of_packing.contains(&seen.key())));

        let rows: Vec<Prediction> = rows.into_iter().map(|(context, predicted)| Prediction { context, predicted }).collect();
        let mut plain = BTreeSet::new();
        for row in &rows {
            let Some(begin) = row.context.len().checked_sub(2) else { continue };
            let context = &row.context[begin..];
            if (0..begin).any(|at| &row.context[at..at + 2] == context) {
                continue;
            }
            let known = row.predicted.iter().take(top).filter(|id| **id < 6);
            plain.extend(known.map(|token| [context, &[*token]].concat()));
        }
        let mut evidence = Evidence::new(packing, 64, &dir).expect("a directory");
        evidence.predictions(&rows, top).expect("added");
        let found = evidence.finish(64, &dir).expect("finished");
        prop_assert_eq!(listed(&found), plain);
        let all: u64 = rows.iter().map(|row| row.predicted.len().min(top) as u64).sum();
        let masked: u64 = found.corpus.masked().named().iter().map(|(_, n)| n).sum();
        prop_assert_eq!(masked + found.corpus.seen().len() as u64, all);
    }
}

#[test]
fn e_values_have_a_mean_of_at_most_one_under_the_null() {
    use crate::watermark::Null;
    // Coins: all outcomes of 12 windows.
    for share in [0.25, 0.5] {
        let law = Law::new(Null::Coin { share });
        let mean: f64 = (0..=12u64)
            .map(|k| (stats::ln_binomial_point(k, 12, share) + law.ln_e(12, k as f64).expect("an e-value")).exp())
            .sum();
        assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }
    // Exponential scores: the density of a sum of 5, by steps.
    let law = Law::new(Null::Exponential { shift: 0.0 });
    let step = 0.01;
    let mean: f64 = (0..20_000)
        .map(|i| (f64::from(i) + 0.5) * step)
        .map(|sum| (4.0 * sum.ln() - sum - 24f64.ln() + law.ln_e(5, sum).expect("an e-value")).exp() * step)
        .sum();
    assert!((mean - 1.0).abs() < 1e-3, "{mean}");
    let law = Law::new(Null::Layers { depth: 3, share: 0.5, weights: None });
    let mean: f64 = (0..=12u64)
        .map(|k| (stats::ln_binomial_point(k, 12, 0.5) + law.ln_e(4, k as f64).expect("an e-value")).exp())
        .sum();
    assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    assert_eq!(Law::new(Null::OneList { list: 2, vocab: 9 }).ln_e(3, 1.0), None);
}
