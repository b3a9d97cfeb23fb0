//! The calibration of a store: which prompts are compared, and what makes two of them related.

use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::family::calibrate::{self, Calibration, Compared};
use crate::family::length::{self, Lengths};
use crate::ids::Digest;
use crate::index::Vectors;
use crate::store::{Store, tables};
use crate::stored::totals;
use crate::stored::view::{Again, Stored, View, segments};
use arrow_array::Array as _;
use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::path::Path;

/// A calibration with the pairs that a person should read.
pub struct Measured {
    /// The calibration.
    pub calibration: Calibration,
    /// The highest unrelated pairs of every two length classes: score and both texts.
    pub highest: Vec<(f32, String, String)>,
}

/// Measures the scores of unrelated prompts of the store at `dir`: `queries` of them, drawn by `seed`, against all. Prompts of
/// one account are related, and so are those whose attribute `group` is the same. Trivial texts take no part.
/// # Errors
/// `Input` when there are too few prompts; `Store` when it is damaged.
pub fn calibrate_store(
    dir: &Path,
    model: &Model,
    queries: usize,
    group: Option<&str>,
    seed: u64,
    source: &str,
) -> Result<Measured> {
    let store = Store::open(dir)?;
    crate::stored::check_identity(&store, None, model)?;
    let view = View::open(&store)?;
    let groups = groups(&store, &view, group)?;
    let mut vectors = Vectors::new(model.dim());
    let (mut prompts, mut group) = (Vec::new(), Vec::new());
    let whole = segments(&store, "whole")?;
    for segment in &whole {
        let (all, ids, _) = segment.to_vectors();
        let chosen: Vec<usize> = (0..ids.len()).filter(|&i| groups[ids[i] as usize] != u64::MAX).collect();
        prompts.extend(chosen.iter().map(|&i| ids[i]));
        group.extend(chosen.iter().map(|&i| groups[ids[i] as usize]));
        vectors.append(&all.chosen(&chosen));
    }
    if prompts.len() < 1000 {
        let message = format!("expected at least 1000 distinct prompts to calibrate on, got {}", prompts.len());
        return Err(Error::new(ErrorKind::Input, message).hint("without its own a store uses the shipped calibration"));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let chosen = sample(&mut rng, prompts.len(), queries.min(prompts.len()));
    let mut chosen: Vec<u32> = chosen.into_iter().map(|i| i as u32).collect();
    chosen.sort_unstable();
    let material = Stored { view: &view, again: Again::new(model, &whole) };
    let digest = model.digest().to_string();
    let mut folded = String::new();
    let mut length_class = |&prompt: &u32| {
        view.folded(prompt, &mut folded);
        length::length_class(folded.len())
    };
    let class: Vec<usize> = prompts.iter().map(&mut length_class).collect();
    let compared = Compared { prompts: &prompts, group: &group, class: &class };
    let (calibration, pairs) = calibrate::measure(source, &digest, &vectors, &compared, &chosen, &material);
    let text = |prompt| view.text(prompt).0.to_owned();
    let highest = pairs.into_iter().map(|(a, b, score)| (score, text(a), text(b))).collect();
    Ok(Measured { calibration, highest })
}

/// Group of each prompt: its first exchange's account, and the attribute's value where one is named; `u64::MAX` for trivial
/// prompts.
fn groups(store: &Store, view: &View, attribute: Option<&str>) -> Result<Vec<u64>> {
    let mut groups = vec![u64::MAX; view.n_prompts()];
    for (night, (rows, prompts)) in store.of_kind("rows").zip(store.of_kind("prompts-table")).enumerate() {
        let first = store.nights()[night].first_prompt;
        let mut trivial = Vec::new();
        for batch in tables::read(&store.path(prompts), &["trivial"], None)? {
            trivial.extend(batch?.column(0).as_boolean().iter().map(|x| x == Some(true)));
        }
        for batch in tables::read(&store.path(rows), &["account", "prompt", "attributes"], None)? {
            let batch = batch?;
            let accounts = batch.column(0).as_primitive::<UInt32Type>();
            let (numbers, attributes) =
                (batch.column(1).as_primitive::<UInt32Type>(), batch.column(2).as_string::<i32>());
            for row in 0..batch.num_rows() {
                let prompt = numbers.value(row);
                let Some(&trivial) = prompt.checked_sub(first).and_then(|i| trivial.get(i as usize)) else { continue };
                if trivial || groups[prompt as usize] != u64::MAX {
                    continue;
                }
                let value = attribute.filter(|_| !attributes.is_null(row)).and_then(|name| {
                    let all: serde_json::Value = serde_json::from_str(attributes.value(row)).ok()?;
                    Some(Digest::of(all.get(name)?.to_string().as_bytes()).short() as u64)
                });
                groups[prompt as usize] = match (attribute, value) {
                    (Some(_), Some(value)) => value & (u64::MAX >> 1),
                    _ => u64::from(accounts.value(row)),
                };
            }
        }
    }
    Ok(groups)
}

/// Distinct prompts of each length class in a store.
/// # Errors
/// `Store` when it is damaged.
pub fn lengths(store: &Store) -> Result<Lengths> {
    Ok(totals::sum(&totals::of_nights(store, &View::open(store)?)?).lengths)
}

/// Records a calibration in the store, for the nights to come.
/// # Errors
/// `Store` when another writer holds it.
pub fn record_calibration(dir: &Path, holder: &str, calibration: &Calibration) -> Result<()> {
    Store::open(dir)?;
    let (mut writer, _) = crate::store::Writer::open(dir, holder, &[])?;
    let json = serde_json::to_string(calibration)
        .map_err(|cause| Error::new(ErrorKind::Store, format!("calibration: {cause}")))?;
    writer.record(|db| db.execute("INSERT OR REPLACE INTO meta VALUES ('calibration', ?1)", [json]).map(|_| ()))
}
