//! The clocks of a measurement: CPU-seconds (user and system, all threads) and wall seconds, and the memory of this process.

use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};
use std::time::Instant;

/// A measurement that has begun.
pub(crate) struct Clock {
    cpu: f64,
    wall: Instant,
}

/// What a measurement took.
#[derive(Clone, Copy)]
pub(crate) struct Took {
    pub(crate) cpu_s: f64,
    pub(crate) wall_s: f64,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { cpu: cpu(), wall: Instant::now() }
    }

    pub(crate) fn took(&self) -> Took {
        Took { wall_s: self.wall.elapsed().as_secs_f64(), cpu_s: cpu() - self.cpu }
    }
}

impl Took {
    pub(crate) fn json(self) -> Value {
        json!({"cpu_s": self.cpu_s, "wall_s": self.wall_s})
    }
}

fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Kilobytes of a line of /proc/self/status, as bytes.
fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Memory of this process that is resident now, in bytes.
pub(crate) fn resident() -> u64 {
    status("VmRSS:")
}

/// The most that it was so far, in bytes.
pub(crate) fn peak() -> u64 {
    status("VmHWM:")
}
