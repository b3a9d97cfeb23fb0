//! rng.json: the generators of torch, value for value.

use crate::load::{integer, list, sha256_i4, vectors};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use stillhunt::watermark::mt19937::Mt19937;
use stillhunt::watermark::profile::Profile;
use stillhunt::watermark::torch::{self, Release};
use stillhunt::watermark::{cuda, philox};

fn seed(record: &Value) -> u64 {
    torch::manual_seed(integer(&record["seed"])).expect("a seed that torch takes")
}

fn n(record: &Value) -> u32 {
    u32::try_from(integer(&record["n"])).expect("32 bits")
}

fn words(value: &Value) -> Vec<u32> {
    let word = |word: &Value| u32::try_from(integer(word)).expect("32 bits");
    value.as_array().expect("words").iter().map(word).collect()
}

fn ends(record: &Value, places: &[u32]) {
    let first = words(&record["first"]);
    assert_eq!(places[..first.len()], first, "{record}");
    if record["last"].is_array() {
        let last = words(&record["last"]);
        assert_eq!(places[places.len() - last.len()..], last, "{record}");
    }
    assert_eq!(sha256_i4(places.iter().copied()), record["sha256"], "{record}");
}

fn bytes_sha256(bytes: impl IntoIterator<Item = u8>) -> String {
    let bytes: Vec<u8> = bytes.into_iter().collect();
    Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn check() {
    let file = vectors("rng");
    for record in list(&file, "randperm") {
        let mut generator = Mt19937::new(seed(record));
        ends(record, &torch::randperm(&mut generator, n(record)));
        let next = torch::randint(&mut generator, 0, (1 << 28) - 1, Release::Since27);
        assert_eq!(i128::from(next), integer(&record["next_u28"]), "{record}");
    }
    list(&file, "fixed_tables").iter().for_each(|record| ends(record, &torch::fixed_table(seed(record))));
    floats(&file);
    integers(&file);
    for record in list(&file, "philox4x32_10") {
        let (counter, key) = (words(&record["ctr"]), words(&record["key"]));
        let got = philox::philox4x32_10(counter.try_into().expect("4 words"), key.try_into().expect("2 words"));
        assert_eq!(got.to_vec(), words(&record["out"]), "{record}");
    }
    tables(&file);
    predicted(&file["cuda_predicted"]);
}

fn floats(file: &Value) {
    for record in list(file, "rand_f32") {
        let mut generator = Mt19937::new(seed(record));
        let all: Vec<String> =
            (0..1000).map(|_| format!("{:08x}", torch::rand_f32(&mut generator).to_bits())).collect();
        list(record, "bits_hex").iter().zip(&all).for_each(|(expected, got)| assert_eq!(got, expected, "{record}"));
        assert_eq!(all[999], record["at_999_hex"], "{record}");
    }
    for record in list(file, "rand_f64") {
        let mut generator = Mt19937::new(seed(record));
        let all: Vec<String> =
            (0..700).map(|_| format!("{:016x}", torch::rand_f64(&mut generator).to_bits())).collect();
        list(record, "bits_hex").iter().zip(&all).for_each(|(expected, got)| assert_eq!(got, expected, "{record}"));
        assert_eq!(all[699], record["at_699_hex"], "{record}");
    }
}

fn integers(file: &Value) {
    for record in list(file, "randint") {
        let mut generator = Mt19937::new(seed(record));
        let bound = |name: &str| i64::try_from(integer(&record[name])).expect("64 bits");
        let (low, high) = (bound("low"), bound("high"));
        for expected in list(record, "values") {
            let got = torch::randint(&mut generator, low, high, Release::Since27);
            assert_eq!(i128::from(got), integer(expected), "{record}");
        }
    }
}

fn tables(file: &Value) {
    for record in list(file, "synthid_sampling_tables") {
        let mut generator = Mt19937::new(seed(record));
        let size = usize::try_from(integer(&record["size"])).expect("a size");
        let bits = (0..size).map(|_| torch::randint(&mut generator, 0, 2, Release::Since27) as u8).collect();
        table(record, bits);
    }
}

fn table(record: &Value, bits: Vec<u8>) {
    assert_eq!(bits.iter().map(|&bit| i128::from(bit)).sum::<i128>(), integer(&record["ones"]), "{record}");
    let first: String = bits.iter().take(64).map(|bit| bit.to_string()).collect();
    assert_eq!(first, record["first64"], "{record}");
    assert_eq!(bytes_sha256(bits), record["sha256_u8"], "{record}");
}

/// The profile that a record's description of a device names: one of unlimited size, or so many SM of so many threads.
fn profile(gpu: &str) -> Profile {
    if gpu.starts_with("unlimited") {
        return Profile::parse("cuda:h100").expect("a profile");
    }
    let counts: Vec<u32> = gpu.split(": ").last().expect("counts").split(' ').filter_map(|n| n.parse().ok()).collect();
    let [sm, threads] = counts[..] else { panic!("expected SM and threads, got {gpu}") };
    Profile::parse(&format!("cuda:{}", sm * 256 * (threads / 256))).expect("a profile")
}

fn predicted(section: &Value) {
    for record in list(section, "randperm") {
        let (seed, n) = (seed(record), n(record));
        let profile = profile(record["gpu"].as_str().expect("a device"));
        let Profile::Cuda(device, _) = profile else { panic!("expected a CUDA device") };
        let places = profile.randperm(seed, n);
        ends(record, &places);
        assert_eq!(i128::from(cuda::key_bits(n)), integer(&record["key_bits"]), "{record}");
        assert_eq!(cuda::islands(device, seed, n) as i128, integer(&record["duplicate_islands"]), "{record}");
        let head = cuda::Head::new(device, seed, n, n / 4);
        let quarter = (0..n).filter(|&token| head.has(token));
        assert_eq!(sha256_i4(quarter), record["first_quarter_sorted_sha256"], "{record}");
    }
    for (name, record) in section.as_object().expect("a section") {
        let Some(rest) = name.strip_prefix("synthid_table_seed") else { continue };
        let (seed, size) = rest.split_once('_').expect("seed and size");
        let Some(Profile::Cuda(device, _)) = Profile::parse("cuda:h100") else { panic!("expected a CUDA device") };
        let bits = cuda::randint(device, seed.parse().expect("a seed"), 0, 2, size.parse().expect("a size"));
        table(record, bits.into_iter().map(|bit| bit as u8).collect());
    }
}
