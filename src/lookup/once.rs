//! A value that is made when it is first asked for, shared by all who ask.
//!
//! The idea: who asks while it is being made waits for it, so that it is not made several times at once; a failure is told to whoever caused it
//! and is tried again by the next. Guarantee: it is made at most once.

use crate::error::Result;
use std::sync::{Arc, Mutex, PoisonError};

pub(super) struct Once<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Once<T> {
    pub(super) fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref() {
            Some(there) => Ok(Arc::clone(there)),
            None => Ok(Arc::clone(kept.insert(Arc::new(make()?)))),
        }
    }
}
