//! Of vLLM's Gumbel schemes: the bound of the null, lanes against plain, and planting.

use super::*;
use crate::watermark::dual_key_vllm::DualKey;
use crate::watermark::score_text;

pub(super) const PLAN: Plan = Plan { width: 4, scope: Deduplicate::SingleTurn, history: 8192 };

fn tokens(n: u32) -> Vec<u32> {
    (0..n).map(|i| i.wrapping_mul(2_654_435_761) >> 17).collect()
}

#[test]
fn scores_are_below_shifted_exponentials() {
    let n = 1u32 << 24;
    assert!((SHIFT - libm::log1p(1.0 / f64::from(n))).abs() < 1e-20);
    let most = 1.0 + 1.0 / f64::from(n);
    let mut last = 0.0f32;
    for j in 0..n {
        let u = uniform(j << 8);
        assert!(u >= last && u > 0.0 && u < 1.0);
        // P(score ≥ its value at j) = k / N, and P(E + shift ≥ the same) = (1 − u)(1 + 1/N); both sides are exact.
        let k = f64::from(n - j);
        assert!(k <= (1.0 - f64::from(u)) * f64::from(n) * most, "{j}");
        last = u;
    }
}

#[test]
fn lanes_equal_plain() {
    for (width, vocab) in [(1, 1 << 15), (3, 1 << 24), (4, 1 << 24), (5, 1 << 15), (8, 1 << 15), (9, 8192)] {
        let plan = Plan { width, ..PLAN };
        let (prf, text) =
            (Prf::new(0x0123_4567_89ab_cdef), tokens(100).iter().map(|id| id % vocab).collect::<Vec<u32>>());
        let values = score_text(&Gumbel::new(prf.key, plan, vocab), &text).unwrap();
        let dual = DualKey::new(77, 0.25, plan, vocab).unwrap();
        let both = score_text(&dual, &text).unwrap();
        for (at, value) in values.iter().enumerate() {
            let context: Vec<u32> =
                (at..width).map(|_| PAD).chain(text[at.saturating_sub(width)..at].iter().copied()).collect();
            let plain = |prf: Prf| score(uniform(prf.word(prf.state(&context), text[at])));
            assert_eq!(*value, Value::Score(plain(prf)), "{width} {at}");
            let [a, b] = dual.keys().map(Prf::new);
            assert_eq!(both[at], Value::Score(0.75 * plain(a) + 0.25 * plain(b)), "{width} {at}");
        }
    }
}

#[test]
fn repeated_contexts_are_left_alone() {
    let plan = |scope, history| Plan { width: 1, scope, history };
    let so_far = SoFar { prompt: &[5], response: &[7, 5, 8, 7] };
    assert_eq!(plan(Deduplicate::None, 9).context(so_far), Some(vec![7]));
    assert_eq!(plan(Deduplicate::SingleTurn, 9).context(so_far), None);
    assert_eq!(plan(Deduplicate::SingleTurn, 2).context(so_far), Some(vec![7]), "too long ago");
    let early = |response| SoFar { prompt: &[5, 6], response };
    assert_eq!(plan(Deduplicate::SingleTurn, 9).context(early(&[])), Some(vec![PAD]));
    assert_eq!(plan(Deduplicate::SingleTurn, 9).context(early(&[5])), Some(vec![5]));
    assert_eq!(plan(Deduplicate::All, 9).context(early(&[])), None);
    assert_eq!(plan(Deduplicate::All, 9).context(early(&[5])), None, "it stands in the prompt");
    assert_eq!(plan(Deduplicate::All, 9).context(early(&[7])), Some(vec![7]));
}

/// Mean score of 300 planted tokens under `detector`.
fn planted(planter: &dyn Scheme, detector: &dyn Scheme) -> f64 {
    let logits: Vec<f32> = (0..64).map(|i| (i % 13) as f32 / 8.0).collect();
    let (mut response, mut state) = (Vec::new(), 0.3);
    let mut uniform = || {
        state = (state * 997.0 + 0.123_456_7) % 1.0;
        state
    };
    for _ in 0..300 {
        let so_far = SoFar { prompt: &[], response: &response };
        response.push(planter.plant(so_far, &logits, &Sampling::default(), &mut uniform).unwrap());
    }
    let values = score_text(detector, &response).unwrap();
    let sum: f64 = values.iter().map(|value| if let Value::Score(score) = value { *score } else { 0.0 }).sum();
    sum / values.len() as f64
}

#[test]
fn planting_is_found_by_its_key_only() {
    let single = Gumbel::new(7, PLAN, 64);
    assert!(planted(&single, &single) > 3.0);
    assert!((planted(&single, &Gumbel::new(8, PLAN, 64)) - 1.0).abs() < 0.25);
    let dual = DualKey::new(7, 0.1, PLAN, 64).unwrap();
    assert!(planted(&dual, &dual) > 2.5);
    let [a, b] = dual.keys();
    assert!(planted(&dual, &Gumbel::new(a, PLAN, 64)) > planted(&dual, &Gumbel::new(b, PLAN, 64)) + 1.0);
    assert!((planted(&dual, &*dual.with_key(&[1; 32])) - 1.0).abs() < 0.25);
}

#[test]
fn key_files() {
    let open = |text: &str| super::super::catalogue::open(&Fields::new(text.parse().unwrap()));
    for scheme in ["gumbel", "dual_key_gumbel"] {
        let head = format!("scheme = '{scheme}'\ndialect = 'vllm'\nvocab_size = 100\n");
        assert!(open(&format!("{head}key = 42")).unwrap().1.published.is_some());
        assert!(open(&format!("{head}key = '18446744073709551615'")).unwrap().1.published.is_none());
        for wrong in
            ["key = -1", "key = 1\ndeduplicate_contexts = 'some'", "key = 1\ncontext_width = 0", "key = 1\nalpha = 2"]
        {
            assert!(open(&format!("{head}{wrong}")).is_err(), "{scheme} {wrong}");
        }
    }
    let head = "scheme = 'dual_key_gumbel'\ndialect = 'vllm'\nvocab_size = 50257\nkey = 1\n";
    assert!(open(&format!("{head}context_width = 8")).is_ok());
    assert!(open(&format!("{head}context_width = 9")).is_err(), "does not fit a unit");
}
