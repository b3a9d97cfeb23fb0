//! Long work beside the interpreter: it is free meanwhile, hears of progress, and may stop the work.
//!
//! # The idea
//! Work runs in a thread of its own. The thread that called waits, twenty times a second looks for signals and calls the `progress`
//! callback. Where either raises, a flag is set; the work meets it where it next tells of its progress, and unwinds from there, as
//! a stopped job does. Weakness: work between two such places, a second on large stores, is not stopped. Guarantee: when the call
//! returns or raises, the work has ended.

use super::raised;
use crate::error::{Error, ErrorKind, Result};
use crate::stored::Progress;
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Between two looks at signals.
const LOOK: Duration = Duration::from_millis(50);

/// What unwinds when the work is to stop.
struct Stopped;

/// What the work has told of itself.
#[derive(Default)]
pub(super) struct Told {
    stop: AtomicBool,
    rows: AtomicU64,
    bytes: AtomicU64,
    stage: Mutex<(String, Option<u64>)>,
    notes: Mutex<Vec<String>>,
}

impl Told {
    fn look(&self) {
        if self.stop.load(Ordering::Relaxed) {
            resume_unwind(Box::new(Stopped));
        }
    }
}

impl Progress for Told {
    fn stage(&self, name: &str, total: Option<u64>) {
        self.look();
        self.rows.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = (name.to_owned(), total);
    }

    fn advance(&self, rows: u64, bytes: u64) {
        self.look();
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    fn note(&self, text: &str) {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner).push(text.to_owned());
    }
}

/// Calls `progress(stage, rows, bytes, total_bytes)`.
fn tell(py: Python<'_>, progress: &Py<PyAny>, told: &Told) -> PyResult<()> {
    let (stage, total) = told.stage.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if stage.is_empty() {
        return Ok(());
    }
    let done = [&told.rows, &told.bytes].map(|count| count.load(Ordering::Relaxed));
    progress.call1(py, (stage, done[0], done[1], total)).map(|_| ())
}

/// Runs `work` and returns what it gives, with the notes that it left.
pub(super) fn work<T: Send>(
    py: Python<'_>,
    progress: Option<Py<PyAny>>,
    work: impl FnOnce(&Arc<Told>) -> Result<T> + Send,
) -> PyResult<(T, Vec<String>)> {
    let told = Arc::new(Told::default());
    let caller = std::thread::current();
    let mut raised_here: Option<PyErr> = None;
    let ended = std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let ended = catch_unwind(AssertUnwindSafe(|| work(&told)));
            caller.unpark();
            ended
        });
        while !worker.is_finished() {
            py.detach(|| std::thread::park_timeout(LOOK));
            if raised_here.is_none() {
                let looked = py.check_signals();
                let heard = looked.and_then(|()| progress.as_ref().map_or(Ok(()), |call| tell(py, call, &told)));
                if let Err(error) = heard {
                    told.stop.store(true, Ordering::Relaxed);
                    raised_here = Some(error);
                }
            }
        }
        py.detach(|| worker.join())
    });
    if let Some(error) = raised_here {
        return Err(error);
    }
    let value = match ended.and_then(|ended| ended) {
        Ok(value) => value.map_err(|error| raised(&error))?,
        // A defect of ours: the panic has been reported where it happened.
        Err(_) => return Err(raised(&Error::new(ErrorKind::Input, "expected the work to end, it panicked"))),
    };
    if let Some(progress) = &progress {
        tell(py, progress, &told)?;
    }
    let notes = std::mem::take(&mut *told.notes.lock().unwrap_or_else(PoisonError::into_inner));
    Ok((value, notes))
}

/// Runs one command with these arguments; returns what it prints, and its notes.
#[pyfunction]
#[pyo3(signature = (args, progress=None))]
pub(super) fn run(py: Python<'_>, args: Vec<String>, progress: Option<Py<PyAny>>) -> PyResult<(String, Vec<String>)> {
    work(py, progress, |told| {
        let listener: Arc<dyn Progress + Send + Sync> = Arc::<Told>::clone(told);
        crate::cli::hosted(&args, listener)
    })
}
