//! The corpus test against a plain one: every window listed, told apart by a set of tuples, added up.

use super::*;
use crate::watermark::native::green_list::GreenList;
use crate::watermark::native::gumbel::Gumbel;
use crate::watermark::native::tournament::Tournament;
use crate::watermark::sample::Sampling;
use crate::watermark::{Null, Once, PAD, Shape, SoFar, Traits, Unit, Value, Windows};
use proptest::prelude::*;
use std::collections::HashSet;

/// Coins of any shape; `fold` maps contexts to their smallest token, so that windows share seeds.
#[derive(Clone)]
struct Coins {
    key: [u8; 32],
    shape: Shape,
    vocab: u32,
    fold: bool,
}

impl Scheme for Coins {
    fn traits(&self) -> Traits {
        Traits {
            shape: self.shape,
            null: Null::Coin { share: 0.25 },
            payloads: 1,
            collapses: self.fold,
            cost: 1.0,
            vocab: self.vocab,
        }
    }

    fn reduce(&self, windows: Windows<'_>, units: &mut Vec<Unit>) {
        units.extend(windows.iter().map(|(context, token)| {
            let least = [context.iter().copied().min().unwrap_or(0)];
            let bytes: Vec<u8> =
                if self.fold { &least[..] } else { context }.iter().flat_map(|t| t.to_le_bytes()).collect();
            let mut seed = [0; 16];
            seed.copy_from_slice(&blake3::hash(&bytes).as_bytes()[..16]);
            Unit { seed: u128::from_le_bytes(seed), token }
        }));
    }

    fn values(&self, units: &[Unit], values: &mut Vec<Value>) {
        values.extend(units.iter().map(|unit| {
            let mut bytes = unit.seed.to_le_bytes().to_vec();
            bytes.extend(unit.token.to_le_bytes());
            Value::Green(blake3::keyed_hash(&self.key, &bytes).as_bytes()[0] < 64)
        }));
    }

    fn with_key(&self, material: &[u8; 32]) -> Box<dyn Scheme> {
        Box::new(Self { key: *material, ..self.clone() })
    }

    fn plant(&self, _: SoFar<'_>, _: &[f32], _: &Sampling, _: &mut dyn FnMut() -> f64) -> Result<u32> {
        Ok(0)
    }
}

fn config() -> DetectConfig {
    DetectConfig {
        search: false,
        places: None,
        alpha: 1e-6,
        least_uniformity: 0.01,
        power: 0.95,
        strength: 0.1,
        level: 0.95,
        decoys: DecoyConfig { n: 20, windows: 1000, steps: 1e9, seed: 1 },
        bytes: 1 << 20,
        dir: std::env::temp_dir(),
    }
}

fn test(marker: Box<dyn Scheme>) -> Test {
    Test {
        key_id: "a key".into(),
        scheme: "coins",
        dialect: "test",
        profile: "any".into(),
        predicted: false,
        published: None,
        parameters: BTreeMap::new(),
        marker,
    }
}

fn run(tests: &[Test], texts: &[Text], config: &DetectConfig) -> Vec<Finding> {
    let mut reading = Reading::new(tests, config, false).expect("a directory");
    texts.chunks(3).for_each(|part| reading.add(part).expect("added"));
    reading.finish(None, &|_| ()).expect("finished")
}

/// (scored, hits, masked by reason in the order of `Masked`) by the letter of the definition.
fn plainly(scheme: &Coins, texts: &[Text]) -> (u64, u64, [u64; 7]) {
    let Shape { context, first, pad, once, history, budget } = scheme.shape;
    let mut seen: HashSet<(Vec<u32>, Option<u32>)> = HashSet::new();
    let mut units: HashSet<Unit> = HashSet::new();
    let (mut scored, mut hits, mut masked) = (0, 0, [0; 7]);
    for text in texts {
        let mut contexts: Vec<Vec<u32>> = Vec::new();
        for at in 0..text.tokens.len() {
            let begins = if pad { first } else { first.max(context) };
            if at < begins {
                masked[0] += 1;
                continue;
            }
            let window: Vec<u32> =
                (0..=context).map(|i| (at + i).checked_sub(context).map_or(PAD, |place| text.tokens[place])).collect();
            if window.iter().any(|token| *token >= scheme.vocab && *token != PAD) {
                masked[1] += 1;
                continue;
            }
            let (before, token) = (window[..context].to_vec(), window[context]);
            let used = history.is_some() && contexts.contains(&before);
            contexts.push(before.clone());
            let so_far = if history.is_some() { contexts.iter().collect::<HashSet<_>>().len() } else { contexts.len() };
            let in_prompt = |prompt: &Vec<u32>| prompt.windows(context + 1).any(|other| other == &window[..]);
            if used {
                masked[3] += 1;
            } else if budget.is_some_and(|most| so_far > most) {
                masked[4] += 1;
            } else if text.prompt.as_ref().is_some_and(in_prompt) {
                masked[2] += 1;
            } else if !seen.insert((before, (once == Once::Window).then_some(token))) {
                masked[5] += 1;
            } else {
                let (mut unit, mut value) = (Vec::new(), Vec::new());
                scheme.reduce(Windows::new(&window, context), &mut unit);
                scheme.values(&unit, &mut value);
                if scheme.fold && !units.insert(unit[0]) {
                    masked[6] += 1;
                    continue;
                }
                scored += 1;
                hits += u64::from(value[0] == Value::Green(true));
            }
        }
    }
    (scored, hits, masked)
}

fn texts() -> impl Strategy<Value = Vec<Text>> {
    let tokens = || prop::collection::vec(0u32..9, 0..40);
    prop::collection::vec((tokens(), prop::option::of(tokens())), 0..8)
        .prop_map(|texts| texts.into_iter().map(|(tokens, prompt)| Text { tokens, prompt }).collect())
}

proptest! {
    #[test]
    fn a_corpus_is_counted_as_the_definition_says(
        texts in texts(),
        context in 0usize..4,
        more in 0usize..3,
        (pad, by_context, history, fold, spilled, wide, budget) in any::<(bool, bool, bool, bool, bool, bool, bool)>(),
    ) {
        // Ids stay below 9; 8 is out of the small vocabulary. A vocabulary of 2^24 does not pack five tokens: contexts are hashed.
        let context = if wide { context + 5 } else { context };
        let shape = Shape {
            context,
            first: if pad { 0 } else { context + more },
            pad,
            once: if by_context { Once::Context } else { Once::Window },
            history: history.then_some(usize::MAX),
            budget: budget.then_some(5),
        };
        let scheme = Coins { key: [5; 32], shape, vocab: if wide { 1 << 24 } else { 8 }, fold };
        let expected = plainly(&scheme, &texts);
        let mut config = config();
        config.decoys.n = 0;
        config.bytes = if spilled { 200 } else { 1 << 20 };
        let found = &run(&[test(Box::new(scheme))], &texts, &config)[0];
        let masked = ["no-context", "out-of-vocabulary", "copied-from-prompt", "context-used", "context-budget", "repeated", "same-seed"];
        let masked = masked.map(|reason| found.masked.get(reason).copied().unwrap_or(0));
        // With contexts that count once, or shared seeds, the first window of the corpus stands for the rest: which of several is
        // first is the same in both, and so are the counts; hits are compared where each window is a unit of its own.
        prop_assert_eq!((found.scored, masked), (expected.0, expected.2));
        prop_assert_eq!(found.statistic as u64, expected.1);
        let all: u64 = masked.iter().sum::<u64>() + found.scored;
        prop_assert_eq!(all, texts.iter().map(|text| text.tokens.len() as u64).sum::<u64>());
    }
}

/// Texts of one marked model and of chance, over 500 tokens.
fn planted(scheme: &dyn Scheme, n: usize) -> Vec<Text> {
    let mut state = 1u64;
    let mut next = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / 2f64.powi(53)
    };
    let mut tokens = Vec::new();
    for _ in 0..n {
        let logits: Vec<f32> = (0..500).map(|_| (4.0 * next()) as f32).collect();
        let so_far = SoFar { prompt: &[], response: &tokens };
        tokens.push(scheme.plant(so_far, &logits, &Sampling::default(), &mut next).expect("finite logits"));
    }
    vec![Text { tokens, prompt: None }]
}

fn native(key: u8) -> [Box<dyn Scheme>; 3] {
    [
        Box::new(GreenList::new(&[key; 32], 0.25, 3.0, 3, 500)),
        Box::new(Gumbel::new(&[key; 32], 3, 500)),
        Box::new(Tournament::new(&[key; 32], 20, 3, 500)),
    ]
}

#[test]
fn a_planted_mark_is_found_under_its_key_and_under_no_other() {
    for (i, scheme) in native(1).into_iter().enumerate() {
        let texts = planted(scheme.as_ref(), 600);
        let other = native(2).into_iter().nth(i).expect("three");
        let found = run(&[test(scheme), test(other)], &texts, &config());
        assert_eq!(found[0].verdict, Verdict::Marked, "{i}: {}", found[0].rule);
        assert_eq!(found[1].verdict, Verdict::Inconclusive, "{i}: {}", found[1].rule);
        assert_eq!(found[0].decoys.rank_p, Some(1.0 / 21.0));
        assert_eq!((found[0].m_tests, found[0].scored), (2, 597));
        let last = found[0].curve.last().expect("a curve");
        assert!(last.scored == 597 && (last.log10_p - found[0].log10_p).abs() < 1e-9);
    }
}

#[test]
fn verdicts_follow_their_rule() {
    let [scheme, ..] = native(1);
    let texts = planted(scheme.as_ref(), 600);
    let once = |change: &dyn Fn(&mut Test, &mut DetectConfig), texts: &[Text]| {
        let (mut test, mut config) = (test(native(1).into_iter().next().expect("three")), config());
        change(&mut test, &mut config);
        let found = run(&[test], texts, &config).remove(0);
        (found.verdict, found.rule)
    };
    let inconclusive = |outcome: (Verdict, String), word: &str| {
        assert!(outcome.0 == Verdict::Inconclusive && outcome.1.contains(word), "{outcome:?}");
    };
    assert_eq!(once(&|_, _| (), &texts).0, Verdict::Marked);
    inconclusive(once(&|test, _| test.published = Some("a library's default"), &texts), "public");
    inconclusive(once(&|_, config| config.decoys.n = 0, &texts), "no decoys");
    inconclusive(once(&|_, config| config.least_uniformity = 1.1, &texts), "not uniform");
    inconclusive(once(&|_, _| (), &[Text::default()]), "no window");
    let beyond = Text { tokens: vec![600; 90], prompt: None };
    inconclusive(once(&|_, _| (), &[texts[0].clone(), beyond]), "vocabulary");
    // Chance text: inconclusive while the planned power is small, not detected when it is large.
    let chance: Vec<u32> = (0..20_000u64).map(|i| (blake3::hash(&i.to_le_bytes()).as_bytes()[0]).into()).collect();
    let chance = [Text { tokens: chance, prompt: None }];
    inconclusive(once(&|_, config| config.strength = 0.01, &chance), "planned power");
    assert_eq!(once(&|_, config| config.strength = 0.1, &chance).0, Verdict::NotDetected);
}

#[test]
fn a_trace_holds_every_scored_window_in_the_order_of_the_text() {
    let [scheme, ..] = native(1);
    let texts =
        vec![Text { tokens: vec![1, 2, 3, 4, 5], prompt: None }, Text { tokens: vec![9, 1, 2, 3, 4, 6], prompt: None }];
    let tests = [test(scheme)];
    let mut reading = Reading::new(&tests, &config(), true).expect("a directory");
    reading.add(&texts).expect("added");
    let mut rows = Vec::new();
    let mut take = |_: &Test, row: TraceRow<'_>| {
        rows.push((row.document, row.position, row.context.to_vec(), row.token, row.bits));
        Ok(())
    };
    let found = reading.finish(Some(&mut take), &|_| ()).expect("finished");
    let places: Vec<_> = rows.iter().map(|row| (row.0, row.1, row.2.clone(), row.3)).collect();
    let window = |document, position, context: [u32; 3], token| (document, position, context.to_vec(), token);
    assert_eq!(
        places,
        [
            window(0, 3, [1, 2, 3], 4),
            window(0, 4, [2, 3, 4], 5),
            window(1, 3, [9, 1, 2], 3),
            window(1, 5, [2, 3, 4], 6),
        ]
    );
    assert_eq!(rows.iter().map(|row| row.4).sum::<u64>() as f64, found[0].statistic);
    assert_eq!(found[0].scored as usize, rows.len());
}

#[test]
fn decoys_are_uniform_on_chance_and_on_planted_text_of_another_key() {
    let [scheme, ..] = native(1);
    let mut config = config();
    config.decoys.n = 400;
    let found = run(&[test(native(3).into_iter().next().expect("three"))], &planted(scheme.as_ref(), 2000), &config);
    let decoys = &found[0].decoys;
    assert!(decoys.uniformity_p.expect("decoys") > 1e-4, "{decoys:?}");
    assert_eq!(decoys.windows, 1000.min(found[0].scored as usize).max(decoys.windows));
}
