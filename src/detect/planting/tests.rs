//! Ten nights of ten nodes, with responses that a scheme planted: how often a service in which nothing fails has an alarm, and how soon one that
//! fails has it.

use super::*;
use crate::detect::{measure, windows::Text};
use crate::watermark::gumbel_sglang::Gumbel;
use crate::watermark::sample::Sampling;
use crate::watermark::{Scheme as _, SoFar};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const NODES: usize = 10;
const NIGHTS: u32 = 10;
const WATCH: Watch = Watch { alpha: 0.01, kinds: 2, seed: 1 };

/// Scores of responses of 100 tokens: as planted, three in a hundred of them greedy, and without a mark.
struct Pool {
    marked: Vec<Scored>,
    unmarked: Vec<Scored>,
}

impl Pool {
    fn new(n: usize) -> Self {
        let scheme = Gumbel::single(0x9f3c_0d71, 4, 1.0, 300);
        let of = |number: usize, greedy: bool, planted: bool| {
            let mut rng = ChaCha8Rng::seed_from_u64(number as u64);
            let (mut tokens, start): (Vec<u32>, u32) = (Vec::new(), rng.random_range(0..300));
            // Between 1.4 and 4 nats a token.
            let spread = rng.random_range(10.0..40.0f32);
            for step in 0..100u32 {
                let logits: Vec<f32> =
                    (0..300u32).map(|i| ((i * 37 + step * 11 + start) % 101) as f32 / spread).collect();
                let sampling = Sampling { top_k: usize::from(greedy), ..Sampling::default() };
                let other = Gumbel::single(rng.random(), 4, 1.0, 300);
                let by = if planted { &scheme } else { &other };
                let so_far = SoFar { prompt: &[start], response: &tokens };
                tokens.push(by.plant(so_far, &logits, &sampling, &mut || rng.random::<f64>()).expect("logits"));
            }
            let text = [Text { tokens, prompt: None }];
            let found = measure(&scheme, &text, 1 << 20, &std::env::temp_dir()).expect("memory");
            Scored { stratum: 0, ln_p: found.ln_p, strength: found.statistic / found.scored.max(1) as f64 }
        };
        Self {
            marked: (0..n).into_par_iter().map(|i| of(i, i % 33 == 0, true)).collect(),
            unmarked: (n..n + n / 3).into_par_iter().map(|i| of(i, false, false)).collect(),
        }
    }

    fn draw(&self, lost: f64, rng: &mut ChaCha8Rng) -> Scored {
        let from = if rng.random::<f64>() < lost { &self.unmarked } else { &self.marked };
        from[rng.random_range(0..from.len())]
    }
}

/// The first alarm of ten nights: its kind, cell and night. `lost` says which share node 3 loses: from the middle of the fourth night on.
fn first_alarm(pool: &Pool, each: usize, lost: f64, seed: u64) -> Option<(String, String, u32)> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut watched = Watched::default();
    for night in 1..=NIGHTS {
        let mut nodes: BTreeMap<String, Sample> = BTreeMap::new();
        for node in 0..NODES {
            let share = match night {
                _ if node != 3 || night < 4 => 0.0,
                4 => lost / 2.0,
                _ => lost,
            };
            let responses: Vec<Scored> = (0..each).map(|_| pool.draw(share, &mut rng)).collect();
            // Together they leave no doubt, unless all is lost.
            let ln_p = if share < 1.0 { -1000.0 } else { 0.0 };
            let sample = Sample { responses, ln_p, power: 1.0, tokens_to: Some(100), ..Sample::default() };
            nodes.insert(format!("node-{node}"), sample);
        }
        let responses = nodes.values().flat_map(|sample| sample.responses.clone()).collect();
        let all = Sample { responses, ln_p: -1000.0, power: 1.0, tokens_to: Some(100), ..Sample::default() };
        let all = BTreeMap::from([("all".to_owned(), all)]);
        for (kind, samples) in [("node", &nodes), ("all", &all)] {
            let standings = WATCH.night(&mut watched, kind, night, samples);
            if let Some((cell, _)) = standings.iter().find(|(_, s)| s.since.is_some()) {
                return Some((kind.to_owned(), cell.clone(), night));
            }
        }
    }
    None
}

#[test]
fn a_node_that_stops_planting_is_named_and_the_others_are_not() {
    let pool = Pool::new(600);
    let looks = |of: &[Scored]| of.iter().filter(|s| s.looks_unmarked()).count() as f64 / of.len() as f64;
    assert!(looks(&pool.marked) < 0.1 && looks(&pool.unmarked) > 0.95);
    for seed in 0..5 {
        let named = |lost: f64| first_alarm(&pool, 200, lost, seed);
        let node = |night: u32| Some(("node".to_owned(), "node-3".to_owned(), night));
        assert_eq!(named(1.0), node(4), "half of one night is enough");
        assert!(matches!(named(0.2), Some((kind, cell, 4..=6)) if kind == "node" && cell == "node-3"));
    }
    let clean: Vec<_> = (100..160u64).into_par_iter().filter_map(|seed| first_alarm(&pool, 200, 0.0, seed)).collect();
    // At a rate of 1% at most, four of sixty would come once in a thousand times.
    assert!(clean.len() < 4, "{clean:?}");
}

#[test]
fn all_nodes_that_stop_at_once_are_found_by_their_past() {
    let pool = Pool::new(600);
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut watched = Watched::default();
    let mut night = |night: u32, lost: f64| {
        let responses: Vec<Scored> = (0..1000).map(|_| pool.draw(lost, &mut rng)).collect();
        let sample = Sample { responses, ln_p: -1000.0, power: 1.0, tokens_to: Some(90), ..Sample::default() };
        WATCH.night(&mut watched, "all", night, &BTreeMap::from([("all".to_owned(), sample)]))["all"].clone()
    };
    for of in 1..=4 {
        assert_eq!(night(of, 0.0).state, State::Planted);
    }
    let standing = night(5, 0.3);
    assert_eq!((standing.state, standing.since, standing.expected_tokens), (State::Weak, Some(5), Some(90)));
    // Mended, it is in alarm no more after some nights.
    let states: Vec<State> = (6..30).map(|of| night(of, 0.0).state).collect();
    assert_eq!(states.last(), Some(&State::Planted), "{states:?}");
}

#[test]
fn what_never_bore_the_mark_is_missing_on_its_first_night() {
    let mut watched = Watched::default();
    let one = Scored { stratum: 0, ln_p: -0.5, strength: 1.0 };
    let sample = |power: f64| Sample { responses: vec![one; 300], ln_p: -0.7, power, ..Sample::default() };
    let mut state = |kind: &str, power: f64| {
        WATCH.night(&mut watched, kind, 1, &BTreeMap::from([("x".to_owned(), sample(power))]))["x"].state
    };
    assert_eq!((state("a", 1.0), state("b", 0.5)), (State::Missing, State::TooLittle));
}

#[test]
fn values_beyond_the_room_share_a_cell() {
    let names: Vec<String> = (0..200).map(|i| format!("v{i:03}")).collect();
    let values: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    let mut watched = Watched::default();
    let cells = Watch::cells(&watched, "node", &values);
    let of: BTreeSet<&String> = cells.values().collect();
    assert!(of.len() == MOST_CELLS && cells["v199"] == OTHERS && cells["v000"] == "v000");
    watched.cells.entry("node".into()).or_default().insert("v199".into(), Kept::default());
    assert_eq!(Watch::cells(&watched, "node", &values)["v199"], "v199");
}

/// Runs of each row. The tables of `benches/record/planting.md` are of 1,000 clean runs and 100 of each loss, over a pool of 3,000.
const RUNS: u64 = 20;

/// What the record says, again in small: how many runs have an alarm, at which node, and how soon.
#[test]
#[allow(clippy::print_stdout)]
fn alarms_come_as_often_and_as_soon_as_the_record_tells() {
    let pool = Pool::new(600);
    for (each, lost, found, latest) in
        [(500, 0.05, RUNS, 6), (500, 0.2, RUNS, 3), (500, 1.0, RUNS, 1), (200, 0.2, RUNS, 4)]
    {
        let alarms: Vec<(String, String, u32)> =
            (0..RUNS).into_par_iter().filter_map(|seed| first_alarm(&pool, each, lost, 10_000 + seed)).collect();
        let mut nights: Vec<u32> = alarms.iter().map(|alarm| alarm.2.saturating_sub(3)).collect();
        nights.sort_unstable();
        let median = nights.get(nights.len() / 2).copied();
        println!("{each} responses a node, loss {lost}: {} of {RUNS} found, median night {median:?}", nights.len());
        let right = alarms.iter().filter(|alarm| alarm.1 == "node-3").count() as u64;
        // A node in which nothing fails has an alarm in one run of a hundred at most.
        assert!(nights.len() as u64 == found && right + 2 >= found, "{each} {lost}: {alarms:?}");
        assert!(median <= Some(latest), "{each} {lost}: {nights:?}");
    }
    let clean: Vec<_> = (0..RUNS).into_par_iter().filter_map(|seed| first_alarm(&pool, 500, 0.0, seed)).collect();
    // At a rate of 1% at most, three of twenty would come once in a thousand times.
    assert!(clean.len() < 3, "{clean:?}");
}
