//! Marking logits where a model is served, for the processors of transformers, vLLM and SGLang in `src/python/stillhunt`.
//!
//! # The idea
//! A [`Planter`] is one key. transformers hands over its batch as it has it: ids of shape (n, length) and scores of shape (n, vocabulary), which
//! are marked in place. Engines that move requests about keep a [`Request`] for each, told only what is new, and hand over those of a batch.
//!
//! Guarantee: as [`crate::audit::serving`]; arrays are read and written where they lie.

use super::raised;
use crate::audit::serving::{Choice, Request as Row, mark_rows as mark};
use crate::audit::watermark;
use crate::error::{Error, ErrorKind, Result};
use crate::watermark::SoFar;
use crate::watermark::keys::Key;
use crate::watermark::sample::Sampling;
use numpy::{PyReadonlyArray2, PyReadwriteArray2, PyUntypedArrayMethods as _};
use pyo3::prelude::*;
use rayon::prelude::*;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// A key that marks.
#[pyclass(frozen, module = "stillhunt._native")]
pub(super) struct Planter {
    key: Arc<Key>,
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Input, what)
}

fn ids(tokens: &[i64]) -> Result<Vec<u32>> {
    let id = |&token: &i64| u32::try_from(token).map_err(|_| wrong(format!("expected a token id, got {token}")));
    tokens.iter().map(id).collect()
}

fn sampling(temperature: f64, top_k: usize, top_p: f64) -> Result<Sampling> {
    let within = |name: &str, value: f64, low: f64, high: f64| {
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        Err(Error::new(ErrorKind::Config, format!("expected {name} from {low} to {high}, got {value}")))
    };
    Ok(Sampling {
        temperature: within("temperature", temperature, 1e-3, 1e3)?,
        top_k,
        top_p: within("top_p", top_p, 1e-6, 1.0)?,
    })
}

fn choice(word: &str) -> Result<Choice> {
    match word {
        "engine" => Ok(Choice::Engine),
        "drawn" => Ok(Choice::Drawn),
        "greedy" => Ok(Choice::Greedy),
        other => Err(Error::new(ErrorKind::Config, format!("expected engine, drawn or greedy, got {other:?}"))),
    }
}

#[pymethods]
impl Planter {
    /// The key of a file; `path` names one key of a range, `root` the file that it follows from.
    #[new]
    #[pyo3(signature = (key_file, path=None, root=None))]
    fn new(py: Python<'_>, key_file: PathBuf, path: Option<String>, root: Option<PathBuf>) -> PyResult<Self> {
        let read = py.detach(|| -> Result<Key> {
            let (all, named) = match (crate::cli::watermark_keys(&key_file, root.as_deref(), None), path) {
                (Ok(all), Some(path)) => {
                    // The file says which paths there are: none of these would be looked for by whoever tests with it.
                    let of_path = all.into_iter().filter(|key| key.id.ends_with(&format!(":{path}"))).collect();
                    (of_path, Some(path))
                }
                (Err(_), Some(path)) => {
                    (crate::cli::watermark_keys(&key_file, root.as_deref(), Some(path.clone()))?, Some(path))
                }
                (all, None) => (all?, None),
            };
            let mut all: Vec<Key> = all;
            match (all.len(), all.pop(), named) {
                (1, Some(key), _) => Ok(key),
                (0, _, named) => {
                    let message = format!(
                        "{}: expected one of its paths, got {:?}",
                        key_file.display(),
                        named.unwrap_or_default()
                    );
                    Err(Error::new(ErrorKind::Config, message))
                }
                (n, ..) => {
                    let message = format!("{}: expected one key to plant, got a range of {n}", key_file.display());
                    Err(Error::new(ErrorKind::Config, message).hint("name one of them with path="))
                }
            }
        });
        Ok(Self { key: Arc::new(read.map_err(|error| raised(&error))?) })
    }

    /// The id of the key, which is no secret.
    #[getter]
    fn key_id(&self) -> &str {
        &self.key.id
    }

    /// The scheme.
    #[getter]
    fn scheme(&self) -> &'static str {
        self.key.about.scheme
    }

    /// Whose way of doing it.
    #[getter]
    fn dialect(&self) -> &'static str {
        self.key.about.dialect
    }

    /// Width of the logits.
    #[getter]
    fn vocab_size(&self) -> u32 {
        self.key.opened.scheme.traits().vocab
    }

    fn __repr__(&self) -> String {
        format!("<stillhunt.Planter {}: {}, {}>", self.key.id, self.key.about.scheme, self.key.about.dialect)
    }

    /// Marks `scores`, shape (n, vocabulary), in place. `ids` has shape (n, length): the first `prompt` of a row are its prompt, of which the
    /// first `skip` are padding. Row i follows `seed` + i.
    #[expect(clippy::too_many_arguments, reason = "what a step of a batch is made of")]
    fn mark(
        &self,
        py: Python<'_>,
        ids: PyReadonlyArray2<'_, i64>,
        prompt: usize,
        skip: Vec<usize>,
        mut scores: PyReadwriteArray2<'_, f32>,
        temperature: f64,
        top_k: usize,
        top_p: f64,
        seed: u64,
        how: &str,
    ) -> PyResult<()> {
        let (rows, width) = (scores.shape()[0], scores.shape()[1]);
        let (n, length) = (ids.shape()[0], ids.shape()[1]);
        let all = ids.as_slice()?;
        let scores = scores.as_slice_mut()?;
        let done = || -> Result<()> {
            if n != rows || skip.len() != n || prompt > length || skip.iter().any(|&skip| skip > prompt) {
                let message = format!(
                    "expected ids and padding of {rows} rows and a prompt within them, got {n} rows of {length}"
                );
                return Err(wrong(message));
            }
            let (sampling, choice) = (sampling(temperature, top_k, top_p)?, choice(how)?);
            let read = |row: usize| self::ids(&all[row * length + skip[row]..(row + 1) * length]);
            let tokens: Vec<Vec<u32>> = (0..n).into_par_iter().map(read).collect::<Result<_>>()?;
            let requests: Vec<Row<'_>> = tokens
                .iter()
                .enumerate()
                .map(|(row, tokens)| {
                    let (prompt, response) = tokens.split_at(prompt - skip[row]);
                    Row {
                        scheme: Some(&*self.key.opened.scheme),
                        so_far: SoFar { prompt, response },
                        sampling,
                        seed: seed.wrapping_add(row as u64),
                        choice,
                    }
                })
                .collect();
            mark(&requests, scores, width)
        };
        py.detach(done).map_err(|error| raised(&error))
    }

    /// Samples one response: row i of `logits` is what the model says after the prompt and the first i sampled tokens.
    #[expect(clippy::too_many_arguments, reason = "as the command has them")]
    fn plant(
        &self,
        py: Python<'_>,
        logits: PyReadonlyArray2<'_, f32>,
        prompt: Vec<u32>,
        temperature: f64,
        top_k: usize,
        top_p: f64,
        seed: u64,
    ) -> PyResult<Vec<u32>> {
        let logits = logits.as_array();
        let planted = py.detach(|| {
            watermark::plant(&*self.key.opened.scheme, logits, &prompt, &sampling(temperature, top_k, top_p)?, seed)
        });
        planted.map_err(|error| raised(&error))
    }
}

/// One request of a serving engine.
#[pyclass(frozen, module = "stillhunt._native")]
pub(super) struct Request {
    state: Arc<RwLock<State>>,
}

struct State {
    key: Arc<Key>,
    prompt: Vec<u32>,
    response: Vec<u32>,
    sampling: Sampling,
    seed: u64,
    choice: Choice,
}

impl Request {
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Request {
    /// A request that `planter` marks.
    #[new]
    #[pyo3(signature = (planter, prompt, temperature=1.0, top_k=0, top_p=1.0, seed=0, how="drawn"))]
    fn new(
        planter: &Planter,
        prompt: Vec<i64>,
        temperature: f64,
        top_k: usize,
        top_p: f64,
        seed: u64,
        how: &str,
    ) -> PyResult<Self> {
        let made = || -> Result<State> {
            let (prompt, sampling, choice) = (ids(&prompt)?, sampling(temperature, top_k, top_p)?, choice(how)?);
            Ok(State { key: Arc::clone(&planter.key), prompt, response: Vec::new(), sampling, seed, choice })
        };
        let state = made().map_err(|error| raised(&error))?;
        Ok(Self { state: Arc::new(RwLock::new(state)) })
    }

    /// Tokens of the response that are known.
    fn __len__(&self) -> usize {
        self.read().response.len()
    }

    /// Tells new tokens of the response.
    fn extend(&self, tokens: Vec<i64>) -> PyResult<()> {
        let tokens = ids(&tokens).map_err(|error| raised(&error))?;
        self.state.write().unwrap_or_else(PoisonError::into_inner).response.extend(tokens);
        Ok(())
    }

    /// Forgets the tokens of the response from the `n`-th on: an engine has taken them back.
    fn truncate(&self, n: usize) {
        self.state.write().unwrap_or_else(PoisonError::into_inner).response.truncate(n);
    }
}

/// Marks `scores`, shape (n, vocabulary), in place: a row for each request; rows of none stay.
#[pyfunction]
pub(super) fn mark_rows(
    py: Python<'_>,
    requests: Vec<Option<PyRef<'_, Request>>>,
    mut scores: PyReadwriteArray2<'_, f32>,
) -> PyResult<()> {
    let width = scores.shape()[1];
    let scores = scores.as_slice_mut()?;
    let states: Vec<Option<Arc<RwLock<State>>>> =
        requests.iter().map(|request| request.as_ref().map(|request| Arc::clone(&request.state))).collect();
    drop(requests);
    let done = || {
        let states: Vec<Option<RwLockReadGuard<'_, State>>> = states
            .iter()
            .map(|state| state.as_ref().map(|state| state.read().unwrap_or_else(PoisonError::into_inner)))
            .collect();
        let rows: Vec<Row<'_>> = states
            .iter()
            .map(|state| match state {
                Some(state) => Row {
                    scheme: Some(&*state.key.opened.scheme),
                    so_far: SoFar { prompt: &state.prompt, response: &state.response },
                    sampling: state.sampling,
                    seed: state.seed,
                    choice: state.choice,
                },
                None => Row {
                    scheme: None,
                    so_far: SoFar { prompt: &[], response: &[] },
                    sampling: Sampling::default(),
                    seed: 0,
                    choice: Choice::Engine,
                },
            })
            .collect();
        mark(&rows, scores, width)
    };
    py.detach(done).map_err(|error| raised(&error))
}
