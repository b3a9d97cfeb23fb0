//! Device profiles: whose generator made the green lists, by name.
//!
//! | name | generator |
//! |---|---|
//! | `cpu` | Mersenne Twister, any torch |
//! | `cuda:t4`, `l4`, `a10g`, `rtx3090`, `v100`, `rtx4090`, `l40s`, `a100`, `h100`, `h200` | Philox, launched for the device's resident threads |
//! | `cuda:221184` | the same for any device, by its resident threads: multiprocessors × 256 × ⌊threads of one / 256⌋ |
//!
//! `@2.6` after a CUDA name means a torch before 2.7, whose permutations of up to 30 083 entries differ; a later `@MAJOR.MINOR` means
//! the same as none. On the CPU the release changes nothing that is used here.
//!
//! Weakness: a list made on one profile is chance under another; scores do not tell which profile was used, they only fail to rise.
//! Guarantee: `cpu` equals torch 2.15.0; every CUDA profile is computed from the published source and marked *predicted*.

use super::cuda::{self, Device};
use super::torch::{self, Release};
use std::fmt;

/// Resident threads of devices.
const DEVICES: &[(&str, u32)] = &[
    ("t4", 40_960),
    ("l4", 89_088),
    ("a10g", 122_880),
    ("rtx3090", 125_952),
    ("v100", 163_840),
    ("rtx4090", 196_608),
    ("l40s", 218_112),
    ("a100", 221_184),
    ("h100", 270_336),
    ("h200", 270_336),
];

/// Whose generator makes the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// torch on the CPU.
    Cpu,
    /// torch on a CUDA device; the name is the place in the list of devices, where it was named.
    Cuda(Device, Option<usize>),
}

/// What a profile is called, for messages.
pub const NAMES: &str = "cpu, cuda:DEVICE (t4 l4 a10g rtx3090 v100 rtx4090 l40s a100 h100 h200) or cuda:RESIDENT_THREADS, with @2.6 for a torch before 2.7";

impl Profile {
    /// Reads a name; none when it is no profile.
    ///
    /// # Example
    /// ```
    /// use stillhunt::watermark::profile::Profile;
    /// assert_eq!(Profile::parse("cuda:h100@2.6").unwrap().to_string(), "cuda:h100@2.6");
    /// assert_eq!(Profile::parse("cuda:a100@2.8").unwrap().to_string(), "cuda:a100");
    /// assert!(Profile::parse("tpu").is_none());
    /// ```
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (device, release) = match name.split_once('@') {
            None => (name, Release::Since27),
            Some((device, version)) => (device, release(version)?),
        };
        if device == "cpu" {
            return Some(Self::Cpu);
        }
        let device = device.strip_prefix("cuda:")?;
        if let Some(at) = DEVICES.iter().position(|(known, _)| *known == device) {
            return Some(Self::Cuda(Device { resident: DEVICES[at].1, release }, Some(at)));
        }
        let resident: u32 = device.parse().ok()?;
        let fits = (256..=1 << 24).contains(&resident) && resident.is_multiple_of(256);
        fits.then_some(Self::Cuda(Device { resident, release }, None))
    }

    /// Whether it was never compared with a device.
    #[must_use]
    pub fn predicted(&self) -> bool {
        *self != Self::Cpu
    }

    /// The bits of a seed that decide a list.
    #[must_use]
    pub fn seed_bits(&self, seed: u64) -> u64 {
        match self {
            Self::Cpu => seed & 0xffff_ffff,
            Self::Cuda(..) => seed,
        }
    }

    /// `randperm(n)` after `manual_seed(seed)`.
    #[must_use]
    pub fn randperm(&self, seed: u64, n: u32) -> Vec<u32> {
        match self {
            Self::Cpu => torch::randperm(&mut super::mt19937::Mt19937::new(seed), n),
            Self::Cuda(device, _) => cuda::randperm(*device, seed, n),
        }
    }

    /// Its first k entries, in their order.
    ///
    /// # Panics
    /// When `k > n`.
    #[must_use]
    pub fn first(&self, seed: u64, n: u32, k: u32) -> Vec<u32> {
        match self {
            Self::Cpu => torch::first(seed, n, k),
            Self::Cuda(device, _) => {
                let mut places = cuda::randperm(*device, seed, n);
                places.truncate(k as usize);
                places
            }
        }
    }

    /// Whether `token` is among them: plain, one token at a time.
    ///
    /// # Panics
    /// Unless `token < n` and `k <= n`.
    #[must_use]
    pub fn is_first(&self, seed: u64, n: u32, k: u32, token: u32) -> bool {
        match self {
            Self::Cpu => torch::is_first(seed, n, k, token),
            Self::Cuda(device, _) => cuda::is_first(*device, seed, n, k, token),
        }
    }
}

/// Names of the profiles whose permutations of `entries` differ: the CPU, each device with fewer resident threads, and one for all others;
/// before torch 2.7 as well, where that makes a difference.
#[must_use]
pub fn distinct(entries: u32) -> Vec<String> {
    let mut out = vec!["cpu".to_owned()];
    let mut resident = Vec::new();
    for (name, threads) in DEVICES {
        let class = (*threads).min(entries);
        if !resident.contains(&class) {
            resident.push(class);
            out.push(format!("cuda:{name}"));
            if entries <= 30_083 {
                out.push(format!("cuda:{name}@2.6"));
            }
        }
    }
    out
}

fn release(version: &str) -> Option<Release> {
    let (major, minor) = version.split_once('.')?;
    let version: (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    Some(if version < (2, 7) { Release::Before27 } else { Release::Since27 })
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Cuda(device, at) = self else { return f.write_str("cpu") };
        match at {
            Some(at) => write!(f, "cuda:{}", DEVICES[*at].0)?,
            None => write!(f, "cuda:{}", device.resident)?,
        }
        f.write_str(if device.release == Release::Before27 { "@2.6" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in ["cpu", "cuda:t4", "cuda:h200@2.6", "cuda:221184", "cuda:1024@2.6"] {
            assert_eq!(Profile::parse(name).unwrap().to_string(), name);
        }
        for name in ["", "gpu", "cuda", "cuda:", "cuda:100", "cuda:0", "cuda:t4@", "cuda:t4@2", "cuda:t4@x.y", "cpu:1"]
        {
            assert!(Profile::parse(name).is_none(), "{name}");
        }
    }

    #[test]
    fn profiles_are_told_apart_where_their_lists_differ() {
        assert_eq!(distinct(500), ["cpu", "cuda:t4", "cuda:t4@2.6"]);
        assert_eq!(distinct(50_257), ["cpu", "cuda:t4", "cuda:l4"]);
        assert_eq!(distinct(1_000_003).len(), 10);
        for (a, b) in [("cuda:l4", "cuda:h100"), ("cuda:v100", "cuda:a10g")] {
            let first = |name: &str| Profile::parse(name).unwrap().first(7, 50_257, 500);
            assert_eq!(first(a), first(b));
        }
    }

    #[test]
    fn seeds_are_cut_on_the_cpu_only() {
        assert_eq!(Profile::Cpu.seed_bits(1 << 32 | 5), 5);
        assert_eq!(Profile::parse("cuda:t4").unwrap().seed_bits(1 << 32 | 5), 1 << 32 | 5);
    }
}
