//! The fuzz target `family`; what it calls and asserts stands in `entries.rs`.
#![no_main]

#[path = "../entries.rs"]
mod entries;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entries::family(bytes));
