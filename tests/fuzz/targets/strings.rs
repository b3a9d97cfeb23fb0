//! The fuzz target `strings`; what it calls and asserts stands in `entries.rs`.
#![no_main]

#[path = "../entries.rs"]
mod entries;

// Work that is handed to another thread and back would cost more than the reading.
libfuzzer_sys::fuzz_target!(
    init: rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global().expect("the first pool"),
    |bytes: &[u8]| entries::strings(bytes)
);
