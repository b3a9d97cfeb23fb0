//! How much one token may ask for: so many requests a second, with a reserve for bursts, and so many at once.
//!
//! The idea: a bucket of each token that fills with time. Weakness: it knows one process. Guarantee: what it keeps is bounded by the number of
//! tokens in the file, since only good tokens reach it.

use super::fault::Fault;
use crate::ids::Time;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Bounds of one token.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Requests a second in the long run; 0 for no bound.
    pub a_second: u32,
    /// Requests that may come at once after a pause.
    pub burst: u32,
    /// Requests that are answered at the same time.
    pub at_once: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self { a_second: 20, burst: 100, at_once: 16 }
    }
}

#[derive(Clone, Copy)]
struct Bucket {
    left: f64,
    filled: i64,
    at_once: u32,
}

/// The buckets of all tokens.
pub(super) struct Limits {
    rate: Rate,
    of: Mutex<BTreeMap<String, Bucket>>,
}

/// A request that is being answered.
pub(super) struct Going {
    limits: Arc<Limits>,
    name: String,
}

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(bucket) = self.limits.lock().get_mut(&self.name) {
            bucket.at_once = bucket.at_once.saturating_sub(1);
        }
    }
}

impl Limits {
    pub(super) fn new(rate: Rate) -> Arc<Self> {
        Arc::new(Self { rate, of: Mutex::default() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a request of this name go on, until what is returned is dropped.
    pub(super) fn enter(self: &Arc<Self>, name: &str, now: Time) -> Result<Going, Fault> {
        let (mut of, now) = (self.lock(), now.micros());
        let full = f64::from(self.rate.burst.max(1));
        let bucket = of.entry(name.to_owned()).or_insert(Bucket { left: full, filled: now, at_once: 0 });
        let since = (now - bucket.filled).max(0) as f64 / 1e6;
        let a_second = f64::from(self.rate.a_second);
        bucket.left = (bucket.left + since * a_second).min(full);
        bucket.filled = now;
        let too_many =
            |message: String| Fault::new(429, "too_many_requests", message).hint("wait, then send it again").again(1);
        if bucket.at_once >= self.rate.at_once {
            return Err(too_many(format!("expected at most {} requests of one token at once", self.rate.at_once)));
        }
        if self.rate.a_second > 0 {
            if bucket.left < 1.0 {
                return Err(too_many(format!(
                    "expected at most {} requests a second of one token",
                    self.rate.a_second
                )));
            }
            bucket.left -= 1.0;
        }
        bucket.at_once += 1;
        Ok(Going { limits: Arc::clone(self), name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Time {
        Time::new((seconds * 1e6) as i64).expect("a time")
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let limits = Limits::new(Rate { a_second: 10, burst: 3, at_once: 100 });
        for _ in 0..3 {
            drop(limits.enter("ann", at(0.0)).expect("the burst"));
        }
        let refused = limits.enter("ann", at(0.0)).err().expect("too many");
        assert_eq!((refused.status, refused.again), (429, Some(1)));
        assert!(limits.enter("bob", at(0.0)).is_ok(), "others are not concerned");
        assert!(limits.enter("ann", at(0.05)).is_err());
        assert!(limits.enter("ann", at(0.11)).is_ok());
        assert!(limits.enter("ann", at(0.11)).is_err());
        // A clock that goes back gives nothing and takes nothing.
        assert!(limits.enter("ann", at(-5.0)).is_err());
    }

    #[test]
    fn requests_at_once_are_counted_while_they_last() {
        let limits = Limits::new(Rate { a_second: 0, burst: 1, at_once: 2 });
        let (one, _two) = (limits.enter("ann", at(0.0)).expect("one"), limits.enter("ann", at(0.0)).expect("two"));
        assert_eq!(limits.enter("ann", at(0.0)).err().map(|fault| fault.status), Some(429));
        drop(one);
        assert!(limits.enter("ann", at(0.0)).is_ok());
    }
}
