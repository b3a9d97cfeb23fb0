//! Our side of the measurements against peers: each call measures one thing in a process of its own and prints JSON lines.
//!
//! `benches/peers.sh DATA_DIR OUT_DIR [part…]` calls it, runs the peers on the same files and writes the records; alone it is
//! `cargo bench --bench speed -- PART ARGUMENT…`, with the parts `export DATA_DIR DIR ROWS`, `dedup DIR ROWS THRESHOLD`,
//! `index DIR ROWS QUERIES THREADS lists|graph FLOOR`, `embed DIR ROWS` and `similar STORE DIR ROWS QUERIES SEED`. Without arguments it says so and does nothing.
//!
//! Weakness: CPU-seconds are those of the whole process between two looks at its clock, so a part does nothing else meanwhile.

// A measurement prints, opens its data and looks at the clock.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::disallowed_methods)]
// The prompts are read as the measurements of quality read them, which ask for more than is needed here.
#[allow(dead_code)]
#[path = "../quality/data.rs"]
mod data;

mod clock;
mod dedup;
mod embed;
mod export;
mod files;
mod index;
mod similar;

use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words[..] {
        ["export", data, dir, rows] => export::run(Path::new(data), Path::new(dir), number(rows)),
        ["dedup", dir, rows, threshold] => dedup::run(Path::new(dir), number(rows), real(threshold)),
        ["index", dir, rows, queries, threads, engine, floor] => {
            let asked = index::Asked { n_rows: number(rows), n_queries: number(queries), floor: real(floor) };
            index::run(Path::new(dir), &asked, number(threads), engine);
        }
        ["embed", dir, rows] => embed::run(Path::new(dir), number(rows)),
        ["similar", store, dir, rows, queries, seed] => {
            similar::run(Path::new(store), Path::new(dir), number(rows), number(queries), number(seed) as u64);
        }
        _ => println!("skipped: speed (benches/peers.sh DATA_DIR OUT_DIR calls it with a part)"),
    }
}

fn number(word: &str) -> usize {
    word.parse().expect("a whole number")
}

fn real(word: &str) -> f32 {
    word.parse().expect("a number")
}
