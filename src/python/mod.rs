//! The Python module `stillhunt._native`: what the package in `src/python/stillhunt` calls. Parse, call, hand back; no algorithm.
//!
//! # The idea
//! Commands run as the command line runs them, with their own arguments, and their JSON is handed over (`work`); so a name, a default
//! or an error is the same in both. Beside that stand what a program wants without a command: a store that stays open (`store`),
//! lists of texts (`texts`), tables (`table`) and the marking of logits (`planting`).
//!
//! Weakness: JSON passes through text once, which costs less than what it reports on. Guarantees: the interpreter is free while work goes
//! on; a signal or a callback that fails stops the work at its next step, and a store is then as a stopped job leaves it; errors are
//! the Python exception of their kind, with message and hint.

mod planting;
mod store;
mod table;
mod texts;
mod work;

use crate::error::{Error, ErrorKind};
use pyo3::prelude::*;

/// The exception of an error's kind, as `stillhunt/errors.py` declares them.
fn raised(error: &Error) -> PyErr {
    let name = match error.kind() {
        ErrorKind::Io => "IoError",
        ErrorKind::Input => "InputError",
        ErrorKind::Config => "ConfigError",
        ErrorKind::Store => "StoreError",
        ErrorKind::Model => "ModelError",
        ErrorKind::TooManyBadRows => "TooManyBadRowsError",
        ErrorKind::Nothing => "NothingError",
    };
    Python::attach(|py| {
        let made = py
            .import("stillhunt.errors")
            .and_then(|errors| errors.getattr(name))
            .and_then(|class| class.call1((error.to_string(), error.hint_text())));
        match made {
            Ok(exception) => PyErr::from_value(exception),
            Err(failed) => failed,
        }
    })
}

/// The module.
#[pymodule]
mod _native {
    #[pymodule_export]
    use super::planting::{Planter, Request, mark_rows};
    #[pymodule_export]
    use super::store::Store;
    #[pymodule_export]
    use super::table::Table;
    #[pymodule_export]
    use super::texts::{embed, near_duplicates};
    #[pymodule_export]
    use super::work::run;
    use pyo3::prelude::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
