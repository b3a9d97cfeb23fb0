//! Lists of texts that a Python program holds: near-duplicates among them, and their vectors.
//!
//! Weakness: the texts are copied once, since Python's memory is not ours while the interpreter is free. Guarantee: as
//! [`crate::audit::dedup`] and [`crate::embed`].

use super::raised;
use super::work::work;
use crate::audit::dedup;
use crate::embed::Model;
use crate::error::{Error, ErrorKind, Result};
use crate::stored::AuditConfig;
use crate::text::fold;
use ndarray::Array2;
use numpy::{IntoPyArray as _, PyArray2};
use pyo3::prelude::*;
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The model of `dir`, or the shipped one, which is read once.
pub(super) fn model(dir: Option<PathBuf>) -> Result<&'static Model> {
    static SHIPPED: OnceLock<Model> = OnceLock::new();
    if let Some(dir) = dir {
        // Kept to the end of the process: stores that are open borrow it.
        return crate::cli::model(Some(&dir)).map(|model| &*Box::leak(Box::new(model)));
    }
    if let Some(model) = SHIPPED.get() {
        return Ok(model);
    }
    let model = crate::cli::model(None)?;
    Ok(SHIPPED.get_or_init(|| model))
}

/// Groups of near-duplicates: indices of each group of two or more.
#[pyfunction]
#[pyo3(signature = (texts, threshold=None, expected_neighbours=None, model=None, progress=None))]
pub(super) fn near_duplicates(
    py: Python<'_>,
    texts: Vec<String>,
    threshold: Option<f64>,
    expected_neighbours: Option<f64>,
    model: Option<PathBuf>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<Vec<u32>>> {
    let default = AuditConfig::default();
    let within = |name: &str, value: f64, low: f64, high: f64| {
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        let message = format!("expected {name} between {low} and {high}, got {value}");
        Err(raised(&Error::new(ErrorKind::Config, message)))
    };
    let expected = expected_neighbours.unwrap_or(default.expected_neighbours);
    let config = AuditConfig {
        threshold: threshold.map(|value| within("threshold", value, 0.5, 2.5)).transpose()?,
        expected_neighbours: within("expected_neighbours", expected, 1e-9, 1e3)?,
        ..default
    };
    let found = work(py, progress, |told| {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        dedup::near_duplicates(&texts, self::model(model)?, &config, &**told)
    });
    Ok(found?.0)
}

/// Unit vectors, shape (n, d); all zero for a text of which the model knows nothing.
#[pyfunction]
#[pyo3(signature = (texts, model=None, progress=None))]
pub(super) fn embed<'py>(
    py: Python<'py>,
    texts: Vec<String>,
    model: Option<PathBuf>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Bound<'py, PyArray2<f32>>> {
    let (vectors, _) = work(py, progress, |told| {
        let model = self::model(model)?;
        let mut all: Vec<f32> = Vec::with_capacity(texts.len() * model.dim());
        crate::stored::Progress::stage(&**told, "embed", None);
        for part in texts.chunks(8192) {
            let folded: Vec<String> = part.par_iter().map(|text| fold(text).text).collect();
            let folded: Vec<&str> = folded.iter().map(String::as_str).collect();
            all.extend(model.embed_batch(&folded).whole.iter());
            crate::stored::Progress::advance(&**told, part.len() as u64, 0);
        }
        Array2::from_shape_vec((texts.len(), model.dim()), all)
            .map_err(|cause| Error::new(ErrorKind::Model, format!("expected a vector for each text: {cause}")))
    })?;
    Ok(vectors.into_pyarray(py))
}
