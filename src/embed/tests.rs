//! The shipped model against its golden vectors, and any other directory against errors.

use super::*;
use crate::error::ErrorKind;
use crate::text::fold;
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::sync::OnceLock;

const CONFIG: &[u8] = include_bytes!("../../models/config.json");
const TOKENIZER: &[u8] = include_bytes!("../../models/tokenizer.json");
const TABLE: &[u8] = include_bytes!("../../models/model.safetensors");
const ROMANISE: &[u8] = include_bytes!("../../models/romanise.json");
const GOLDEN: &str = include_str!("../../models/golden.json");

fn shipped() -> &'static Model {
    static SHIPPED: OnceLock<Model> = OnceLock::new();
    SHIPPED.get_or_init(|| Model::from_parts(CONFIG, TOKENIZER, TABLE, Some(ROMANISE)).unwrap())
}

#[derive(serde::Deserialize)]
struct Golden {
    items: Vec<Item>,
}

#[derive(serde::Deserialize)]
struct Item {
    text: String,
    folded: String,
    ids: Vec<u32>,
    vector: Vec<f32>,
}

fn golden() -> Vec<Item> {
    let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
    assert!(golden.items.len() >= 148);
    golden.items
}

fn close(found: Option<&[f32]>, expected: &[f32]) -> bool {
    match found {
        None => expected.iter().all(|x| *x == 0.0),
        Some(found) => found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 2e-6),
    }
}

#[test]
fn golden_strings_and_vectors_are_reproduced() {
    for item in golden() {
        assert!(shipped().read(&item.text) == item.folded, "{:.80}", item.text);
        // Reading what was read changes nothing.
        assert!(shipped().read(&item.folded) == item.folded, "{:.80}", item.text);
        assert!(close(shipped().vector(&item.text).as_deref(), &item.vector), "{:.80}", item.text);
    }
}

/// The fold stands before the reading step in the product. It changes ids only where it is meant to.
#[test]
fn folded_texts_have_the_golden_ids_but_for_named_exceptions() {
    let differ: Vec<String> = golden()
        .into_iter()
        .filter(|item| {
            let mut ids = shipped().tokenizer().ids(&shipped().read(&fold(&item.text).text));
            // The golden file lists no more than 512 ids of a text.
            ids.truncate(512);
            ids != item.ids
        })
        .map(|item| item.text)
        .collect();
    // A capital Æ has no spelling in romanise.json and its lower case has one; names of special tokens are not special in
    // lower case.
    assert_eq!(differ, ["Ærøskøbing smørrebrød", "[UNK]", "[PAD] [UNK] [CLS]"]);
}

#[test]
fn batches_give_the_same_bits_on_any_number_of_threads() {
    let mut texts: Vec<String> = golden().into_iter().map(|item| fold(&item.text).text).collect();
    texts.extend((0..3_000).map(|n| format!("question {n}: why is {} larger than {}?", n * 7, n % 13)));
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let embedded: Vec<Embedded> = [1, 2, 4]
        .map(|n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap())
        .iter()
        .map(|pool| pool.install(|| shipped().embed_batch(&texts)))
        .collect();
    let bits = |of: &Array2<f32>| of.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for other in &embedded[1..] {
        assert!(bits(&other.whole) == bits(&embedded[0].whole) && bits(&other.windows) == bits(&embedded[0].windows));
        assert!(*other == embedded[0]);
    }
    // And the same as alone.
    for (at, text) in texts.iter().enumerate() {
        let alone = shipped().vector(text);
        assert_eq!(alone.is_some(), embedded[0].readable[at]);
        let row = embedded[0].whole.row(at).to_vec();
        assert!(alone.unwrap_or_else(|| vec![0.0; 256]) == row, "{text:.80}");
        let length = row.iter().map(|x| x * x).sum::<f32>();
        assert!((length - f32::from(u8::from(embedded[0].readable[at]))).abs() < 1e-5);
    }
}

#[test]
fn long_texts_have_windows() {
    let template =
        "you are a careful grader. compare the two answers below and explain step by step which one is better. "
            .repeat(8);
    let filler: String = (0..1_500)
        .map(|n| format!("{} ", ["river", "stone", "cloud", "bread", "lamp", "seven", "green"][n * n % 7]))
        .collect();
    let mixed = format!("{filler}{template}{filler}");
    let huge = "word ".repeat(100_000);
    let texts = ["short text", template.as_str(), &mixed, "", &huge];
    let embedded = shipped().embed_batch(&texts);
    assert_eq!(embedded.readable, [true, true, true, false, true]);
    let n_of = |text: u32| embedded.window_text.iter().filter(|of| **of == text).count();
    let expected = |text: usize| sum::n_windows(embedded.n_tokens[text] as usize);
    assert_eq!((n_of(0), n_of(3), n_of(4)), (0, 0, MAX_WINDOWS));
    assert!(n_of(1) == expected(1) && n_of(2) == expected(2) && n_of(2) > 40);
    assert_eq!(embedded.n_windows_cut, (expected(4) - MAX_WINDOWS) as u64);
    assert_eq!(embedded.windows.nrows(), embedded.window_text.len());
    // The template is lost in the whole and found in a window.
    let of_template = embedded.whole.row(1);
    let best = (0..embedded.windows.nrows()).filter(|at| embedded.window_text[*at] == 2);
    let best = best.map(|at| embedded.windows.row(at).dot(&of_template)).fold(-1.0, f32::max);
    assert!(best > 0.9 && embedded.whole.row(2).dot(&of_template) < 0.6, "{best}");
}

#[test]
fn what_the_model_cannot_read_has_no_vector() {
    for text in ["", " ", "\u{e000}", &"x".repeat(201)] {
        assert_eq!(shipped().vector(text), None, "{text}");
    }
    assert_eq!(shipped().embed_batch(&[]).whole.nrows(), 0);
    assert_eq!((shipped().dim(), shipped().embed_batch(&["", "a"]).whole.dim()), (256, (2, 256)));
}

#[test]
fn the_digest_covers_every_part() {
    let of = |romanise| Model::from_parts(CONFIG, TOKENIZER, TABLE, romanise).unwrap();
    let (with, without) = (of(Some(ROMANISE)), of(None));
    assert_eq!(with.digest(), shipped().digest());
    assert_ne!(with.digest(), without.digest());
    assert_ne!(of(Some(b"{}")).digest(), without.digest());
    // Without a reading step other scripts are not respelt.
    assert_eq!(without.read("привет"), "привет");
    assert_eq!(with.read("привет"), "privet");
}

/// A table file of the named tensors.
fn table(tensors: &[(&str, Dtype, Vec<usize>, Vec<u8>)]) -> Vec<u8> {
    let views =
        tensors.iter().map(|(name, dtype, shape, data)| (*name, TensorView::new(*dtype, shape.clone(), data).unwrap()));
    serialize(views, None).unwrap()
}

const SMALL: &str = r#"{"version":"1.0","added_tokens":[],"normalizer":{"type":"Lowercase"},"pre_tokenizer":{"type":"Whitespace"},
    "model":{"type":"WordLevel","unk_token":"?","vocab":{"?":0,"a":1,"b":2}}}"#;

fn f32s(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|x| x.to_le_bytes()).collect()
}

#[test]
fn other_directories_of_the_format_are_read() {
    let numbers = [0.0, 0.0, 3.0, 4.0, -4.0, 3.0];
    let halves: Vec<u8> = numbers.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
    let doubles: Vec<u8> = numbers.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect();
    let bytes: Vec<u8> = numbers.iter().map(|x| (*x as i8).to_le_bytes()[0]).collect();
    for (dtype, data) in [(Dtype::F32, f32s(&numbers)), (Dtype::F16, halves), (Dtype::F64, doubles), (Dtype::I8, bytes)]
    {
        let file = table(&[("embeddings", dtype, vec![3, 2], data)]);
        let model = Model::from_parts(b"{\"hidden_dim\": 2}", SMALL.as_bytes(), &file, None).unwrap();
        let near = |text: &str, x: f32, y: f32| {
            let vector = model.vector(text).unwrap();
            assert!((vector[0] - x).abs() < 1e-6 && (vector[1] - y).abs() < 1e-6, "{text} in {dtype:?}: {vector:?}");
        };
        near("A a c", 0.6, 0.8);
        near("b", -0.8, 0.6);
        near("a b", -1.0 / 50.0_f32.sqrt(), 7.0 / 50.0_f32.sqrt());
        assert_eq!(model.vector("c d"), None);
    }
    // Shared rows and weights: id 1 takes row 0 three times as strongly as id 2 takes row 1.
    let mapping: Vec<u8> = [1_i64, 0, 1].iter().flat_map(|x| x.to_le_bytes()).collect();
    let file = table(&[
        ("embeddings", Dtype::F32, vec![2, 2], f32s(&[1.0, 0.0, 0.0, 1.0])),
        ("mapping", Dtype::I64, vec![3], mapping),
        ("weights", Dtype::F32, vec![3], f32s(&[1.0, 3.0, 1.0])),
    ]);
    let vector = Model::from_parts(b"{}", SMALL.as_bytes(), &file, None).unwrap().vector("a b").unwrap();
    assert!((vector[0] / vector[1] - 3.0).abs() < 1e-6);
}

/// Configuration, table, spellings, and what the error says.
type Case<'a> = (&'a [u8], &'a [u8], Option<&'a [u8]>, &'a str);

#[test]
fn files_that_do_not_fit_say_what_was_expected() {
    let rows = |shape: Vec<usize>, data: &[f32]| table(&[("embeddings", Dtype::F32, shape, f32s(data))]);
    let good = rows(vec![3, 2], &[1.0; 6]);
    let mapping = |to: f32| {
        let tensors = [("embeddings", vec![1, 2], f32s(&[1.0; 2])), ("mapping", vec![3], f32s(&[0.0, to, 0.0]))];
        table(&tensors.map(|(name, shape, data)| (name, Dtype::F32, shape, data)))
    };
    let strange = table(&[("embeddings", Dtype::U8, vec![3, 2], vec![0; 6])]);
    let unnamed = table(&[("other", Dtype::F32, vec![1], f32s(&[1.0]))]);
    let cases: [Case<'_>; 15] = [
        (b"", &good, None, "expected config.json to be an object of settings, got EOF"),
        (b"[]", &good, None, "expected config.json"),
        (
            b"{\"hidden_dim\": 5}",
            &good,
            None,
            "expected 5 dimensions (hidden_dim in config.json), got 2 in model.safetensors",
        ),
        (b"{}", b"", None, "expected model.safetensors to be a safetensors file, got"),
        (b"{}", &good[..good.len() - 1], None, "expected model.safetensors to be a safetensors file, got"),
        (b"{}", &unnamed, None, "expected a tensor named embeddings, got [\"other\"]"),
        (b"{}", &rows(vec![6], &[1.0; 6]), None, "expected embeddings of shape (rows, dimensions), got [6]"),
        (b"{}", &rows(vec![3, 0], &[]), None, "expected at least one dimension, got 0"),
        (
            b"{}",
            &rows(vec![2, 2], &[1.0; 4]),
            None,
            "expected a row for each of the tokenizer's 3 ids, got 2 in embeddings",
        ),
        (
            b"{}",
            &rows(vec![3, 1], &[1.0, f32::NAN, 1.0]),
            None,
            "expected finite numbers in the table, got NaN in row 1",
        ),
        (b"{}", &mapping(7.0), None, "expected mapping to point at one of 1 rows, got 7 for id 1"),
        (b"{}", &strange, None, "expected embeddings in f16, bf16, f32, f64 or i8, got U8"),
        (b"{}", &good, Some(b"[]"), "expected romanise.json to map one character to its spelling, got invalid type"),
        (b"{}", &good, Some(b"{\"ab\": \"x\"}"), "got the key \"ab\""),
        (b"{}", &good, Some(b"{\"\": \"x\"}"), "got the key \"\""),
    ];
    for (config, safetensors, romanise, expected) in cases {
        let error = Model::from_parts(config, SMALL.as_bytes(), safetensors, romanise).err().unwrap();
        assert!(error.kind() == ErrorKind::Model && error.to_string().contains(expected), "{error}");
    }
    assert!(Model::from_parts(b"{}", SMALL.as_bytes(), &mapping(0.0), None).is_ok());
    let error = Model::from_parts(b"{}", b"no", &good, None).err().unwrap();
    assert!(error.to_string().contains("expected a tokenizer file"), "{error}");
}
