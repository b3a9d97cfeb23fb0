//! The rows of a model2vec directory: `model.safetensors` beside its `config.json`.
//!
//! One row of numbers a token id, in f16, bf16, f32, f64 or i8 (whose common scale a unit vector does not see). Newer files may
//! share rows (`mapping`) and weigh ids (`weights`); both are worked into the table when it is read, so that there is one
//! kind of table afterwards. Rows are held as f32: a mean of f16 rows would convert each of them again and again.

use crate::error::{Error, ErrorKind, Result};
use ndarray::Array2;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

/// The part of `config.json` that speaks of the table.
#[derive(serde::Deserialize)]
struct Config {
    hidden_dim: Option<usize>,
}

fn refused(expected: impl std::fmt::Display, got: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, format!("expected {expected}, got {got}"))
        .hint("give a model directory as model2vec writes it: config.json, tokenizer.json, model.safetensors")
}

/// Reads the table for a tokenizer of `n_ids` ids.
pub(super) fn read(config: &[u8], safetensors: &[u8], n_ids: usize) -> Result<Array2<f32>> {
    let config: Config =
        serde_json::from_slice(config).map_err(|cause| refused("config.json to be an object of settings", cause))?;
    let file = SafeTensors::deserialize(safetensors)
        .map_err(|cause| refused("model.safetensors to be a safetensors file", cause))?;
    let tensor =
        file.tensor("embeddings").map_err(|_| refused("a tensor named embeddings", format!("{:?}", file.names())))?;
    let [n_rows, dim] = *tensor.shape() else {
        return Err(refused("embeddings of shape (rows, dimensions)", format!("{:?}", tensor.shape())));
    };
    if let Some(expected) = config.hidden_dim.filter(|&expected| expected != dim) {
        return Err(refused(
            format!("{expected} dimensions (hidden_dim in config.json)"),
            format!("{dim} in model.safetensors"),
        ));
    }
    if dim == 0 {
        return Err(refused("at least one dimension", dim));
    }
    let mut rows = numbers(&tensor, "embeddings")?;
    let mapping = file.tensor("mapping").ok().map(|tensor| numbers(&tensor, "mapping")).transpose()?;
    let weights = file.tensor("weights").ok().map(|tensor| numbers(&tensor, "weights")).transpose()?;
    for (name, length) in [
        ("embeddings", mapping.is_none().then_some(n_rows)),
        ("mapping", mapping.as_ref().map(Vec::len)),
        ("weights", weights.as_ref().map(Vec::len)),
    ] {
        if let Some(length) = length.filter(|&length| length < n_ids) {
            return Err(refused(
                format!("a row for each of the tokenizer's {n_ids} ids"),
                format!("{length} in {name}"),
            ));
        }
    }
    if let Some(mapping) = mapping {
        let mut mapped = Vec::with_capacity(n_ids * dim);
        for (id, &row_idx) in mapping.iter().take(n_ids).enumerate() {
            if !(row_idx >= 0.0 && row_idx < n_rows as f32) {
                return Err(refused(
                    format!("mapping to point at one of {n_rows} rows"),
                    format!("{row_idx} for id {id}"),
                ));
            }
            let at = row_idx as usize * dim;
            mapped.extend_from_slice(&rows[at..at + dim]);
        }
        rows = mapped;
    }
    if let Some(weights) = weights {
        for (row, weight) in rows.chunks_exact_mut(dim).zip(weights) {
            row.iter_mut().for_each(|x| *x *= weight);
        }
    }
    if let Some(at) = rows.iter().position(|x| !x.is_finite()) {
        return Err(refused("finite numbers in the table", format!("{} in row {}", rows[at], at / dim)));
    }
    Array2::from_shape_vec((rows.len() / dim, dim), rows).map_err(|cause| refused("a table of full rows", cause))
}

/// The numbers of a tensor as f32. Row numbers up to 2²⁴ are exact in it, which is more rows than any vocabulary has.
fn numbers(tensor: &TensorView<'_>, name: &str) -> Result<Vec<f32>> {
    fn each<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        data.as_chunks::<N>().0.iter().map(|&bytes| number(bytes)).collect()
    }
    let data = tensor.data();
    Ok(match tensor.dtype() {
        Dtype::F16 => each(data, |bytes| half::f16::from_le_bytes(bytes).to_f32()),
        Dtype::BF16 => each(data, |bytes| half::bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F32 => each(data, f32::from_le_bytes),
        Dtype::F64 => each(data, |bytes| f64::from_le_bytes(bytes) as f32),
        Dtype::I8 => each(data, |[byte]| f32::from(byte as i8)),
        Dtype::I32 => each(data, |bytes| i32::from_le_bytes(bytes) as f32),
        Dtype::I64 => each(data, |bytes| i64::from_le_bytes(bytes) as f32),
        other => return Err(refused(format!("{name} in f16, bf16, f32, f64 or i8"), format!("{other:?}"))),
    })
}
