//! What the desk counts of itself, in the text form of Prometheus.
//!
//! The idea: requests by route and status with the time that they took, in fixed buckets. Weakness: names of routes, never of what was asked for,
//! so nothing of an investigation is in it. Guarantee: its size is bounded by the table of routes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};

/// Upper ends of the buckets of durations, in seconds.
const BUCKETS: [f64; 9] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 5.0, 30.0];

#[derive(Clone, Copy, Default)]
struct Took {
    buckets: [u64; BUCKETS.len()],
    n: u64,
    seconds: f64,
}

#[derive(Default)]
struct Counted {
    requests: BTreeMap<(&'static str, &'static str, u16), u64>,
    took: BTreeMap<(&'static str, &'static str), Took>,
    rows: u64,
}

/// The counts of a server.
#[derive(Default)]
pub(super) struct Metrics(Mutex<Counted>);

impl Metrics {
    fn lock(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an answer.
    pub(super) fn answered(&self, (method, route): (&'static str, &'static str), status: u16, seconds: f64) {
        let mut counted = self.lock();
        *counted.requests.entry((route, method, status)).or_default() += 1;
        let took = counted.took.entry((route, method)).or_default();
        took.n += 1;
        took.seconds += seconds;
        for (bucket, end) in took.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(seconds <= end);
        }
    }

    /// Counts rows of the access log.
    pub(super) fn logged(&self, rows: usize) {
        self.lock().rows += rows as u64;
    }

    /// All of it, with gauges that the caller knows.
    pub(super) fn text(&self, gauges: &[(&str, &str, f64)]) -> String {
        let counted = self.lock();
        let mut out = String::new();
        let head = |name: &str, kind: &str, about: &str| format!("# HELP {name} {about}\n# TYPE {name} {kind}\n");
        out += &head("stillhunt_requests_total", "counter", "Answers by route, method and status");
        for ((route, method, status), n) in &counted.requests {
            let _ = writeln!(
                out,
                "stillhunt_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}} {n}"
            );
        }
        out += &head("stillhunt_request_seconds", "histogram", "Time that answers took");
        for ((route, method), took) in &counted.took {
            let labels = format!("route=\"{route}\",method=\"{method}\"");
            for (n, end) in took.buckets.iter().zip(BUCKETS) {
                let _ = writeln!(out, "stillhunt_request_seconds_bucket{{{labels},le=\"{end}\"}} {n}");
            }
            let _ = writeln!(out, "stillhunt_request_seconds_bucket{{{labels},le=\"+Inf\"}} {}", took.n);
            let _ = writeln!(out, "stillhunt_request_seconds_sum{{{labels}}} {}", took.seconds);
            let _ = writeln!(out, "stillhunt_request_seconds_count{{{labels}}} {}", took.n);
        }
        out += &head("stillhunt_access_rows_total", "counter", "Rows that were added to the access log");
        let _ = writeln!(out, "stillhunt_access_rows_total {}", counted.rows);
        for (name, about, value) in gauges {
            out += &head(name, "gauge", about);
            let _ = writeln!(out, "{name} {value}");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let metrics = Metrics::default();
        for seconds in [0.0005, 0.004, 0.2, 99.0] {
            metrics.answered(("GET", "/x"), 200, seconds);
        }
        let text = metrics.text(&[("stillhunt_night", "Newest night", 3.0)]);
        let count = |end: &str| {
            let line = format!("stillhunt_request_seconds_bucket{{route=\"/x\",method=\"GET\",le=\"{end}\"}} ");
            text.lines().find_map(|of| of.strip_prefix(line.as_str())).map(str::to_owned)
        };
        assert_eq!(
            (count("0.001"), count("0.005"), count("0.3"), count("+Inf")),
            (Some("1".into()), Some("2".into()), Some("3".into()), Some("4".into()))
        );
        assert!(text.contains("stillhunt_night 3\n"));
    }
}
