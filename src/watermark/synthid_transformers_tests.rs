//! Of the table variant: fast equals plain, units, and planting.

use super::*;
use crate::watermark::score_text;
use crate::watermark::synthid::{PUBLISHED_KEYS, mean_score, random_keys};

fn setting() -> Setting {
    Setting { ngram_len: 5, history: 1024, skip_first: false, leaves: 2, weighted: false, vocab: 64 }
}

fn scheme(size: u32, keys: Vec<i64>) -> Table {
    Table::new(setting(), keys, sampling_table(Profile::Cpu, 0, size)).unwrap()
}

fn tokens(n: u32) -> Vec<u32> {
    (0..n).map(|i| i.wrapping_mul(2_654_435_761) >> 15).collect()
}

#[test]
fn tables_of_both_kinds() {
    let share = |scheme: &Table| match scheme.traits().null {
        Null::Layers { share, .. } => share,
        _ => panic!("layers"),
    };
    assert_eq!(share(&scheme(65_536, vec![1])), 32_743.0 / 65_536.0);
    let table = sampling_table(Profile::parse("cuda:h100").unwrap(), 0, 65_536);
    assert_eq!(share(&Table::new(setting(), vec![1], table).unwrap()), 32_787.0 / 65_536.0);
    assert!(Table::new(setting(), vec![1], vec![1, 1, 1]).is_err());
}

#[test]
fn tabulated_equals_plain() {
    for size in [4096, 65_536, 50_000, 1 << 17] {
        let scheme = scheme(size, random_keys(&[3; 32], 64, Some(u64::from(size))));
        let text = tokens(MANY as u32 + 10);
        let plain: Vec<Value> = scheme.layers(&text).into_iter().map(Value::Layers).collect();
        assert_eq!(score_text(&scheme, &text).unwrap(), plain, "{size}");
        assert_eq!(scheme.words.get().is_some(), size <= 65_536 && size.is_power_of_two());
        assert_eq!(score_text(&scheme, &text[..9]).unwrap(), plain[..5]);
    }
}

#[test]
fn windows_of_one_hash_are_one_unit() {
    let scheme = scheme(65_536, PUBLISHED_KEYS.to_vec());
    let mut units = Vec::new();
    scheme.reduce(Windows::new(&[1, 2, 3, 4, 5, 1, 2, 65_539, 4, 131_077, 1, 2, 3, 4, 6], 4), &mut units);
    assert!(units[0] == units[1] && units[0] != units[2]);
}

#[test]
fn layers_that_agree_are_scored_as_one() {
    let scheme = scheme(4096, vec![1, 2, 4097]);
    let Null::Layers { depth, weights, .. } = scheme.traits().null else { panic!("layers") };
    assert_eq!((depth, weights), (2, Some(vec![2.0, 1.0])));
}

#[test]
fn planting_is_found() {
    for leaves in [2, 3] {
        let mut scheme = scheme(65_536, random_keys(&[5; 32], 30, Some(65_536)));
        scheme.setting.leaves = leaves;
        let logits: Vec<f32> = (0..64).map(|i| (i % 13) as f32 / 8.0).collect();
        let (mut response, mut state) = (Vec::new(), 0.3);
        let mut uniform = || {
            state = (state * 997.0 + 0.123_456_7) % 1.0;
            state
        };
        for _ in 0..200 {
            let so_far = SoFar { prompt: &[], response: &response };
            response.push(scheme.plant(so_far, &logits, &Sampling::default(), &mut uniform).unwrap());
        }
        let mean = |scheme: &Table| mean_score(&scheme.layers(&response), &scheme.context_mask(&response), &[1.0; 30]);
        assert!(mean(&scheme) > 0.55, "{leaves}: {}", mean(&scheme));
        assert!((mean(&self::scheme(65_536, random_keys(&[6; 32], 30, None))) - 0.5).abs() < 0.04);
    }
}

#[test]
fn key_files() {
    let open = |text: &str| super::super::catalogue::open(&Fields::new(text.parse().unwrap()));
    let head = "scheme = 'synthid'\ndialect = 'transformers'\nvocab_size = 100\n";
    let (_, opened) = open(&format!("{head}keys = [654, 400, 836]\nprofile = 'cuda:h100'\n")).unwrap();
    assert!(opened.published.is_some() && opened.predicted && opened.profile == "cuda:h100");
    let (_, opened) =
        open(&format!("{head}keys = [654, 400, '-9223372036854775808']\nstatistic = 'weighted_mean'")).unwrap();
    assert!(opened.published.is_none() && opened.profile == "cpu");
    let Null::Layers { weights: Some(weights), .. } = opened.scheme.traits().null else { panic!("weights") };
    assert!(weights[0] > weights[1] && (weights.iter().sum::<f64>() - 3.0).abs() < 1e-12);
    for wrong in
        ["keys = []", "keys = ['9223372036854775808']", "keys = [1]\nprofile = 'tpu'", "keys = [1]\nnum_leaves = 4"]
    {
        assert!(open(&format!("{head}{wrong}")).is_err(), "{wrong}");
    }
}
